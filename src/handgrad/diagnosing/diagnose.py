"""Say why a tensor's ``.grad`` is what it is, and change nothing."""

import numbers as python_numbers
import sys
from dataclasses import dataclass
from types import FrameType

import torch
from torch import nn

from handgrad.diagnosing import naming, values, verdicts
from handgrad.diagnosing.case import Case, Question, summary
from handgrad.diagnosing.diagnosis import Diagnosis, Reason
from handgrad.diagnosing.findings import Findings
from handgrad.diagnosing.naming import Known
from handgrad.diagnosing.reasons import RULES
from handgrad.diagnosing.registration import computed, hidden
from handgrad.errors import GraphTooLargeError, InputError, KindError
from handgrad.tracing import torch_private
from handgrad.tracing.structure import walk


def why_no_grad(
    tensor_or_module: torch.Tensor | nn.Module,
    loss: object = None,
    *,
    name: str | None = None,
    run_my_code: bool = False,
) -> Diagnosis:
    """Say why a ``.grad`` is None, zero, not finite or wrong, and what to type.

    Nothing is changed: no hook is left or run, no ``.grad`` is written, nothing
    is freed, and ``backward()`` gives the same bits after it. No code of yours
    is run: what the backward rule of an ``autograd.Function`` of yours would
    bring, what is behind hooks of saved tensors, and what ``checkpoint()`` would
    compute again is said to be hidden. So is what a compiled region, a sharded
    tensor or another class with rules of its own does. What may be wrong with
    a gradient is read from the graph and from the tensors as they are now: code
    that ran elsewhere, such as a hook in the middle of the graph, is not seen.

    Args:
        tensor_or_module: A tensor; or a module, for a table of its parameters.
        loss: The tensor that ``backward()`` was or will be called on. Without
            it only what the tensor itself shows can be said.
        name: What to call the tensor; else what is typed where this is called.
        run_my_code: Also run what ``backward()`` would run: backward rules of your own
            Functions and hooks of saved tensors, whose side effects are yours. What
            ``checkpoint()`` would compute again, and compiled regions, stay hidden.

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
        section "Locally disabling gradient computation", and the reference page
        of ``torch.Tensor.grad``.

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
    modes = _modes(run_my_code=run_my_code)
    with torch_private.undisturbed():
        return _answer(tensor_or_module, loss, name, frame, modes)


def _answer(
    subject: torch.Tensor | nn.Module,
    loss: object,
    name: str | None,
    frame: FrameType,
    modes: "_Modes",
) -> Diagnosis:
    _check_readable(subject, loss)
    subject_text, loss_text = naming.arguments(frame)
    named = naming.collect(frame)
    prefix = ""
    if isinstance(subject, nn.Module):
        prefix = name or naming.variable(subject, frame) or subject_text or "module"
        named += naming.tensors_of(subject, prefix)
    known = naming.Known(named)
    loss_name = "loss"
    if loss is not None:
        shown = "" if " " in loss_text else loss_text
        loss_name = naming.variable(loss, frame) or shown or "loss"
    tensors = [] if isinstance(subject, nn.Module) else [subject]
    findings, refusal = _findings(loss, tensors, known, run_my_code=modes.run_my_code)
    question = Question(
        loss=loss,
        loss_name=loss_name,
        findings=findings,
        refusal=refusal,
        known=known,
        frame=frame,
        in_inference=modes.in_inference,
        in_autocast=modes.in_autocast,
        is_single=isinstance(subject, torch.Tensor),
    )
    if isinstance(subject, nn.Module):
        return _module(subject, prefix, question)
    is_name = subject_text.isidentifier()
    word = name or (subject_text if is_name else known.called(subject))
    is_new = not word and naming.is_new(subject_text, frame)
    word = word or (subject_text if is_new or naming.is_target(subject_text) else "tensor")
    word = word if word.isidentifier() or naming.is_target(word) else f"({word})"
    return _diagnose(Case(question=question, tensor=subject, name=word, code=word, is_new=is_new))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Modes:
    """What is switched on where the question is asked."""

    run_my_code: bool
    in_inference: bool
    in_autocast: bool


def _modes(*, run_my_code: bool) -> _Modes:
    on = any(torch.is_autocast_enabled(device) for device in ("cpu", "cuda"))
    return _Modes(
        run_my_code=run_my_code,
        in_inference=torch.is_inference_mode_enabled(),
        in_autocast=on and torch.is_autocast_cache_enabled(),
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


def _findings(
    loss: object, subjects: list[torch.Tensor], known: Known, *, run_my_code: bool
) -> tuple[Findings | None, GraphTooLargeError | None]:
    """Walk the loss's graph, if it has one."""
    if not isinstance(loss, torch.Tensor) or loss.is_inference() or not loss.requires_grad:
        return None, None
    root = torch_private.start(loss)
    if root is None:
        return None, None
    try:
        return Findings(loss, walk(root), subjects, known, run_my_code=run_my_code), None
    except GraphTooLargeError as error:
        return None, error


def _diagnose(case: Case) -> Diagnosis:
    reasons, grad = verdicts.reasons(case), case.grad
    facts = [summary(case.tensor)]
    if grad is None:
        facts += values.outlook(case)
    facts += values.loss_is_broken(case)
    return Diagnosis(
        subject=case.name,
        state=values.state(grad),
        reasons=reasons,
        facts=tuple(facts),
    )


def _module(module: nn.Module, prefix: str, question: Question) -> Diagnosis:
    """Diagnose each parameter with one walk and one sweep for all."""
    parameters = list(module.named_parameters())
    typed = {id(tensor): name for name, tensor in reversed([*naming.tensors_of(module, prefix)])}
    parts = tuple(
        _diagnose(Case(question=question, tensor=parameter, name=name, code=typed[id(parameter)]))
        for name, parameter in parameters
    )
    reasons = [_own(prefix, "not-registered", *found) for found in hidden(module)]
    reasons += [_computed(prefix, *found) for found in computed(module, prefix, question.known)]
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


def _computed(prefix: str, name: str, source: str, made: str) -> Reason:
    rule = RULES["computed"]
    return Reason(
        code="computed",
        certainty="certain",
        says=rule.says.format(name=name, source=source),
        evidence=(f"{made} made it, and it came from {source}, which {prefix} does not have",),
        repair=rule.repair.format(source=source),
    )
