"""One tensor and one loss, as a diagnosis sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.parameter import is_lazy

from handgrad.diagnosing.diagnosis import Reason
from handgrad.diagnosing.findings import Findings, Place
from handgrad.diagnosing.reasons import RULES, Certainty
from handgrad.errors import FreedGraphError, HandgradError
from handgrad.tracing.names import Named


@dataclass(slots=True, kw_only=True)
class Case:
    """What one diagnosis is about.

    Attributes:
        tensor: The tensor asked about.
        name: What a reader calls it; ``code`` is how a program reaches it.
        loss: The loss as it was given, of any kind, or None.
        loss_name: What a reader calls the loss.
        findings: The loss's graph, if it has one that can be walked.
        refusal: Why its graph cannot be walked.
        known: Tensors that the caller has names for.
    """

    tensor: torch.Tensor
    name: str
    code: str
    loss: object = None
    loss_name: str
    findings: Findings | None = None
    refusal: HandgradError | None = None
    known: Named

    def reason(
        self,
        code: str,
        certainty: Certainty = "certain",
        evidence: Sequence[str] = (),
        repair: str | None = None,
    ) -> Reason:
        """Fill a rule of the closed list with this case's names."""
        rule = RULES[code]
        template = rule.repair if repair is None else repair
        return Reason(
            code=code,
            certainty=certainty,
            says=rule.says.format(name=self.name, loss=self.loss_name),
            evidence=tuple(evidence),
            repair=template.replace("{name}", self.code).replace("{loss}", self.loss_name),
        )

    @property
    def place(self) -> Place | None:
        """Return where the tensor stands in the loss's graph."""
        return None if self.findings is None else self.findings.place(self.tensor)

    @property
    def is_freed(self) -> bool:
        """Tell whether a backward pass would fail because another one has freed the graph."""
        findings = self.findings
        return findings is not None and isinstance(findings.flow.refusal, FreedGraphError)

    @property
    def grad(self) -> torch.Tensor | None:
        """Return ``.grad``, read only where reading it gives no warning."""
        tensor = self.tensor
        if tensor.is_inference() or not (tensor.is_leaf or tensor.retains_grad):
            return None
        return tensor.grad

    def called(self, tensor: torch.Tensor) -> str | None:
        """Return what the caller calls a tensor, if anything."""
        return called(tensor, self.known)


def called(tensor: object, known: Named) -> str | None:
    """Return the shortest of a tensor's names, if it has one."""
    names = [name for name, other in known if other is tensor]
    return min(names, key=lambda name: (name.count("."), name), default=None)


def expression(name: str) -> str:
    """Write a name so that a program can use it: ``net.0.weight`` needs a call."""
    head, *rest = name.split(".")
    if all(word.isidentifier() for word in rest):
        return name
    return f'{head}.get_parameter("{".".join(rest)}")'


def summary(tensor: torch.Tensor) -> str:
    """Say what kind of tensor it is, in one line."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    made = "leaf" if tensor.is_leaf else "result of an operation"
    shape = "not known before the first forward pass" if is_lazy(tensor) else tuple(tensor.shape)
    return f"shape {shape}, {dtype}, {made}, requires_grad={tensor.requires_grad}"
