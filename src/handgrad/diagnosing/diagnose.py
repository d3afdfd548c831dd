"""Say why a tensor's ``.grad`` is what it is, and change nothing."""

import numbers as python_numbers
import sys
from types import FrameType

import torch
from torch import nn

from handgrad.diagnosing import values, verdicts
from handgrad.diagnosing.case import Case, called, expression, summary
from handgrad.diagnosing.diagnosis import Diagnosis, Reason
from handgrad.diagnosing.findings import Findings
from handgrad.diagnosing.hidden import hidden
from handgrad.diagnosing.reasons import RULES
from handgrad.errors import GraphTooLargeError, InputError, KindError
from handgrad.tracing import names as _names
from handgrad.tracing import torch_private
from handgrad.tracing.discovery import walk
from handgrad.tracing.names import Named

__all__ = ["Diagnosis", "Reason", "why_no_grad"]


def why_no_grad(
    tensor_or_module: torch.Tensor | nn.Module,
    loss: object = None,
    *,
    name: str | None = None,
) -> Diagnosis:
    """Say why a ``.grad`` is None, zero, not finite or wrong, and what to type.

    Nothing is changed: no hook is left or run, no ``.grad`` is written, nothing
    is freed, no warning is raised, and ``backward()`` gives the same bits after
    it. If the graph still holds what it saved, the backward rules of your own
    ``autograd.Function`` and the hooks of saved tensors are called once more,
    as they would be by ``backward()``; but what ``checkpoint()`` would compute
    again is left alone.

    Args:
        tensor_or_module: A tensor; or a module, for a table of its parameters.
        loss: The tensor that ``backward()`` was or will be called on. Without
            it only what the tensor itself shows can be said.
        name: What to call the tensor; else the variable where this is called.

    Returns:
        The reasons, the most specific first, from the closed list
        ``handgrad.diagnosing.RULES``. Reasons marked ``"one of"`` leave the same
        traces. One sweep through the graph, of a few backward passes' time,
        serves all parameters of a module.

    Raises:
        KindError: If asked about anything but a tensor or a module, or if the
            loss is neither a tensor nor a number.
        InputError: If the name is empty.

    Source:
        The rules of ``.grad``: PyTorch documentation, *Autograd mechanics*,
        sections "Locally disabling gradient computation" and "Tensor.grad".

    Example:
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> h = w * 2.0
        >>> loss = h**2
        >>> print(why_no_grad(h, loss))
        h.grad: None
          not-retained (certain): h is not a leaf and does not keep its gradient: it is computed, \
passed on, dropped.
            seen: MulBackward0 made it; is_leaf=False, retains_grad=False
            seen: it came from w
            type: h.retain_grad()
            type: loss.backward()
          also: shape (), float32, result of an operation, requires_grad=True
          also: a backward pass would bring a gradient of 12
        >>> why_no_grad(w, loss).codes
        ('not-called', 'cleared', 'left-out', 'returned')
        >>> loss.backward()
        >>> why_no_grad(w, loss).is_fine
        True
    """
    _check(tensor_or_module, loss, name)
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    with torch_private.undisturbed():
        return _answer(tensor_or_module, loss, name, frame)


def _answer(
    tensor_or_module: torch.Tensor | nn.Module, loss: object, name: str | None, frame: FrameType
) -> Diagnosis:
    _check_readable(tensor_or_module, loss)
    known = _names.collect(None, frame)
    loss_name = _variable(loss, frame) or "loss"
    if isinstance(tensor_or_module, nn.Module):
        prefix = name or _variable(tensor_or_module, frame) or "module"
        return _module(tensor_or_module, prefix, loss, loss_name, known)
    findings, refusal = _findings(loss, [tensor_or_module])
    word = name or called(tensor_or_module, known) or "tensor"
    return _diagnose(
        Case(
            tensor=tensor_or_module,
            name=word,
            code=word if name else expression(word),
            loss=loss,
            loss_name=loss_name,
            findings=findings,
            refusal=refusal,
            known=known,
        )
    )


def _check(subject: object, loss: object, name: object) -> None:
    if not isinstance(subject, torch.Tensor | nn.Module):
        raise KindError(
            f"Cannot diagnose a {type(subject).__name__}: only tensors have a .grad. Give one "
            "tensor, why_no_grad(w, loss), or a torch.nn.Module for a table of its parameters."
        )
    number = isinstance(loss, python_numbers.Number) or type(loss).__module__ == "numpy"
    if loss is not None and not number and not isinstance(loss, torch.Tensor):
        what = "a module, not what it returned" if isinstance(loss, nn.Module) else "no loss"
        raise KindError(
            f"The loss is a {type(loss).__name__}: {what}. Give the tensor that backward() is "
            "called on, why_no_grad(w, loss), or leave it out."
        )
    if name is not None and not isinstance(name, str):
        raise KindError(
            f"The name is a {type(name).__name__}, but it is printed and typed. Give a word: "
            'why_no_grad(w, loss, name="w").'
        )
    if name is not None and not name.strip():
        raise InputError(
            "The name is empty, so the diagnosis could not say what it is about. Give a word, "
            'name="w", or leave it out.'
        )


def _check_readable(subject: object, loss: object) -> None:
    """Refuse tensors of which torch lets nothing be read."""
    if any(isinstance(thing, torch.Tensor) and thing.is_nested for thing in (subject, loss)):
        raise KindError(
            "A nested tensor has parts of several lengths, and its gradient cannot be measured as "
            "one. Compute with a padded tensor and ask about that: "
            "t = torch.nested.to_padded_tensor(t.detach(), 0.0).requires_grad_()."
        )
    subject_inside, loss_inside = (
        isinstance(thing, torch.Tensor) and torch_private.is_wrapped(thing)
        for thing in (subject, loss)
    )
    if loss_inside and not subject_inside:
        raise KindError(
            "The loss is a stand-in inside a torch.func transformation, which has graphs of its "
            "own and stores no .grad. Ask outside of it, about what it returned, or leave the "
            "loss out: why_no_grad(w)."
        )


def _variable(thing: object, frame: FrameType) -> str | None:
    """Return the caller's first variable for a thing, by identity."""
    if thing is None:
        return None
    names = [
        name for name, value in _names.scope(frame).items() if value is thing and name[0] != "_"
    ]
    return min(names, default=None)


def _findings(
    loss: object, subjects: list[torch.Tensor]
) -> tuple[Findings | None, GraphTooLargeError | None]:
    """Walk the loss's graph, if it has one."""
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return None, None
    root = torch_private.start(loss)
    if root is None:
        return None, None
    try:
        return Findings(loss, walk(root), subjects), None
    except GraphTooLargeError as error:
        return None, error


def _diagnose(case: Case) -> Diagnosis:
    reasons, grad = verdicts.reasons(case), case.grad
    facts = [summary(case.tensor)]
    if grad is None:
        facts += values.outlook(case)
    return Diagnosis(
        subject=case.name,
        state=values.state(grad),
        reasons=reasons,
        facts=tuple(facts),
    )


def _module(
    module: nn.Module, prefix: str, loss: object, loss_name: str, known: Named
) -> Diagnosis:
    """Diagnose each parameter with one walk and one sweep for all."""
    parameters = list(module.named_parameters())
    findings, refusal = _findings(loss, [])
    known = [*known, *((f"{prefix}.{name}", parameter) for name, parameter in parameters)]
    parts = tuple(
        _diagnose(
            Case(
                tensor=parameter,
                name=name,
                code=expression(f"{prefix}.{name}"),
                loss=loss,
                loss_name=loss_name,
                findings=findings,
                refusal=refusal,
                known=known,
            )
        )
        for name, parameter in parameters
    )
    reasons = [_own(prefix, "not-registered", *found) for found in hidden(module)]
    if not parts and not reasons:
        reasons = [_own(prefix, "no-parameters", "parameters() is empty")]
    return Diagnosis(subject=prefix, state="", reasons=tuple(reasons), parts=parts)


def _own(prefix: str, code: str, seen: str, repair: str | None = None) -> Reason:
    rule = RULES[code]
    return Reason(
        code=code,
        certainty="certain",
        says=rule.says.format(name=prefix),
        evidence=(seen,),
        repair=(repair or rule.repair).replace("{name}", prefix),
    )
