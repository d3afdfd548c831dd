"""One tensor and one loss, as a diagnosis sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FrameType

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from handgrad.diagnosing import naming
from handgrad.diagnosing.diagnosis import Reason
from handgrad.diagnosing.findings import Findings, Own
from handgrad.diagnosing.flow import Place
from handgrad.diagnosing.naming import Known, modules_in
from handgrad.diagnosing.opaque import wrapper
from handgrad.diagnosing.reasons import RULES, Certainty
from handgrad.errors import GraphTooLargeError


@dataclass(kw_only=True)
class Question:
    """What is asked of one loss, of one tensor or of many.

    Attributes:
        loss: The loss as it was given, of any kind, or None.
        loss_name: How a program reaches the loss.
        findings: The loss's graph, if it has one that can be walked.
        refusal: Why its graph cannot be walked.
        known: Tensors that the caller has names for.
        frame: Where it is asked.
        in_inference: Whether inference mode is on there.
        in_autocast: Whether autocast is on there, with its cache.
        is_single: Whether one tensor is asked about, and not a module.
    """

    loss: object
    loss_name: str
    findings: Findings | None
    refusal: GraphTooLargeError | None
    known: Known
    frame: FrameType
    in_inference: bool
    in_autocast: bool
    is_single: bool

    @cached_property
    def modules(self) -> list[tuple[str, nn.Module]]:
        """List the modules that the caller's variables name, with their parts."""
        return modules_in(self.frame)

    @cached_property
    def paths(self) -> frozenset[str]:
        """List how these modules are typed."""
        return frozenset(path for path, _ in self.modules)

    @cached_property
    def own_graphs(self) -> list[Own]:
        """List attributes and buffers of modules that are in the graph with their history."""
        return [] if self.findings is None else self.findings.computed_once(self.paths)

    @cached_property
    def checkpoint_sign(self) -> str | None:
        """Say what hints at a reentrant checkpoint in the program, if anything does."""
        for path, module in self.modules:
            if vars(module).get("gradient_checkpointing") is True:
                return f"{path}.gradient_checkpointing is True"
        codes = [("the code here", self.frame.f_code)]
        for path, module in self.modules:
            code = getattr(type(module).forward, "__code__", None)
            if code is not None:
                codes.append((f"{path}.forward()", code))
        for where, code in codes:
            if (call := naming.reentrant_call(code)) is not None:
                return f"{where} has {call}"
        return None


@dataclass(kw_only=True)
class Case:
    """What one diagnosis is about: a question, and the tensor that is asked about.

    Attributes:
        question: What is asked of the loss.
        tensor: The tensor asked about.
        name: What a reader calls it; ``code`` is how a program reaches it.
        is_new: Whether ``code`` makes another tensor each time.
    """

    question: Question
    tensor: torch.Tensor
    name: str
    code: str
    is_new: bool = False

    @property
    def loss(self) -> object:
        """Return the loss as it was given."""
        return self.question.loss

    @property
    def loss_name(self) -> str:
        """Return how a program reaches the loss."""
        return self.question.loss_name

    @property
    def findings(self) -> Findings | None:
        """Return the loss's graph, if it has one that can be walked."""
        return self.question.findings

    def reason(
        self,
        code: str,
        certainty: Certainty = "certain",
        evidence: Sequence[str] = (),
        repair: str | None = None,
        **words: str,
    ) -> Reason:
        """Fill a rule of the closed list with this case's names and other words."""
        rule = RULES[code]
        fill = {"name": self.name, "loss": self.loss_name, **words}
        typed = {**fill, "name": self.code}
        template = rule.repair if repair is None else repair
        for word, text in typed.items():
            template = template.replace(f"{{{word}}}", text)
        return Reason(
            code=code,
            certainty=certainty,
            says=rule.says.format(**fill),
            evidence=tuple(evidence),
            repair=template,
        )

    @cached_property
    def place(self) -> Place | None:
        """Return where the tensor stands in the loss's graph."""
        return None if self.findings is None else self.findings.place(self.tensor)

    @property
    def is_freed(self) -> bool:
        """Tell whether a backward pass would fail because another one has freed the graph."""
        return self.findings is not None and bool(self.findings.kept.freed)

    @property
    def is_hidden(self) -> bool:
        """Tell whether the graph may use the tensor where that cannot be seen."""
        if self.findings is None or self.place is not None:
            return False
        return bool(self.findings.hiding) or wrapper(self.tensor) is not None

    @property
    def grad(self) -> torch.Tensor | None:
        """Return ``.grad``, read only where reading it gives no warning."""
        tensor = self.tensor
        if tensor.is_inference() or not (tensor.is_leaf or tensor.retains_grad):
            return None
        return tensor.grad

    def called(self, tensor: torch.Tensor) -> str | None:
        """Return what the caller calls a tensor, if anything."""
        return self.question.known.called(tensor)


def summary(tensor: torch.Tensor) -> str:
    """Say what kind of tensor it is, in one line."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    made = "leaf" if tensor.is_leaf else "result of an operation"
    shape = "not known before the first forward pass" if is_lazy(tensor) else tuple(tensor.shape)
    kind = wrapper(tensor)
    return (
        f"{f'{kind}, ' if kind else ''}shape {shape}, {dtype}, {made}, "
        f"requires_grad={tensor.requires_grad}"
    )
