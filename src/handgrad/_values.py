"""The last stage of a diagnosis: is the gradient that was written the right one?"""

import torch

from handgrad import _autograd
from handgrad._case import Case
from handgrad._findings import Findings, is_broken, is_zero, numbers
from handgrad.diagnosis import Reason
from handgrad.remedies import BLOWS_UP_AT, DIES_AT, Remedy

ROUNDING = 8.0
"""Two gradients are one up to rounding if they differ by at most so many epsilons."""

MOST_PASSES = 1000
"""Up to how many accumulated passes are recognised."""


def value(case: Case, grad: torch.Tensor) -> list[Reason]:
    """Is the gradient that was written the right one?"""
    fresh, why_not = fresh_gradient(case)
    if is_broken(grad):
        return [_not_finite(case, grad, fresh, why_not)]
    if is_zero(grad):
        return _zero(case, fresh, why_not)
    facts = (_size(grad),)
    if fresh is None:
        return [case.reason("fine", "cannot be known", (*facts, why_not))]
    if torch.equal(_plain(grad), _plain(fresh)):
        same = f"it equals a fresh gradient of {case.loss_name} bit for bit"
        return [case.reason("fine", evidence=(*facts, same))]
    if _near(grad, fresh, 1):
        same = f"it equals a fresh gradient of {case.loss_name} up to rounding"
        return [case.reason("fine", evidence=(*facts, same))]
    return _changed(case, grad, fresh)


def fresh_gradient(case: Case) -> tuple[torch.Tensor | None, str]:
    """Return what a backward pass would bring now, or why that is not known."""
    loss = case.loss
    if case.findings is None or case.place is None or not isinstance(loss, torch.Tensor):
        return None, "no loss was given to compare it with"
    if loss.numel() != 1 or loss.is_complex():
        return None, "the loss is not one real number, so it depends on the gradient passed in"
    flow = case.findings.flow
    if case.place not in flow.fresh:
        return None, f"it cannot be compared with a fresh gradient: {flow.refusal}"
    return flow.fresh[case.place], "a fresh gradient would be None"


def outlook(case: Case) -> tuple[str, ...]:
    """Tell what a backward pass would bring where none has been written yet."""
    fresh, _ = fresh_gradient(case)
    if fresh is None:
        return ()
    return (f"a backward pass would bring {_size(fresh)}",)


def state(grad: torch.Tensor | None) -> str:
    """Say in a word or two what a ``.grad`` is."""
    if grad is None:
        return "None"
    if is_broken(grad):
        return "not finite"
    return "all zero" if is_zero(grad) else "finite"


def _size(grad: torch.Tensor) -> str:
    values = numbers(grad)
    shape = tuple(grad.shape)
    if not values.numel():
        return f"a gradient of shape {shape}, without a number that is not zero"
    if is_broken(grad):
        bad = int((~values.isfinite()).sum())
        return f"a gradient of shape {shape}, {bad} of {values.numel()} numbers not finite"
    if grad.numel() == 1:
        return f"a gradient of {values.item():.6g}"
    zeros = int((values == 0).sum())
    largest = float(values.abs().max())
    return (
        f"a gradient of shape {shape}, largest size {largest:.6g}, {zeros} of {values.numel()} zero"
    )


def _not_finite(case: Case, grad: torch.Tensor, fresh: torch.Tensor | None, why_not: str) -> Reason:
    values, findings, place = numbers(grad), case.findings, case.place
    bad = int((~values.isfinite()).sum())
    seen = f"{bad} of {values.numel()} numbers are NaN or infinite"
    if fresh is None or findings is None or place is None:
        return case.reason("not-finite", "cannot be known", (seen, why_not))
    if not is_broken(fresh):
        other = f"a fresh gradient of {case.loss_name} is finite: an earlier pass brought it"
        return case.reason("not-finite", "cannot be known", (seen, other), "{name}.grad = None")
    culprits = findings.broken.get(place[0], frozenset())
    evidence, repair = _blame(findings, place[0], culprits, "made it so", BLOWS_UP_AT)
    return case.reason("not-finite", evidence=(seen, *evidence), repair=repair)


def _zero(case: Case, fresh: torch.Tensor | None, why_not: str) -> list[Reason]:
    findings, place = case.findings, case.place
    if fresh is None or findings is None or place is None:
        return [
            case.reason("zero-flow", "one of", (why_not,)),
            case.reason("zero-written", "one of"),
        ]
    if not is_zero(fresh):
        seen = f"a backward pass would bring {_size(fresh)}"
        return [case.reason("zero-written", evidence=(seen,))]
    culprits = findings.dead.get(place[0], frozenset())
    evidence, repair = _blame(findings, place[0], culprits, "turned it into zeros", DIES_AT)
    return [case.reason("zero-flow", evidence=evidence, repair=repair)]


def _blame(
    findings: Findings,
    mine: int,
    culprits: frozenset[int],
    did: str,
    remedies: dict[str, Remedy],
) -> tuple[list[str], str | None]:
    """Name the operations where a gradient went wrong, and what to write instead."""
    evidence: list[str] = []
    repairs: dict[str, None] = {}
    for key in sorted(culprits):
        remedy = remedies.get(findings.op(key), Remedy(""))
        if key == mine:
            evidence.append("the gradients that arrive are sound, their sum is not")
            continue
        why = f": {remedy.why}" if remedy.why else ""
        evidence.append(f"{findings.describe(key)} {did}{why}")
        if remedy.repair:
            repairs[remedy.repair] = None
    return evidence, "\n".join(repairs) or None


def _changed(case: Case, grad: torch.Tensor, fresh: torch.Tensor) -> list[Reason]:
    hooks = _autograd.hooks(case.tensor)
    passes = _passes(grad, fresh)
    found: list[Reason] = []
    if hooks:
        found.append(case.reason("hook", "one of", (f"hooked to it: {', '.join(hooks)}",)))
    if passes:
        seen = f"it is {passes} times a fresh gradient of {case.loss_name}"
        return [case.reason("accumulated", "one of", (seen,)), *found]
    seen = f"{case.loss_name} would bring {_size(fresh)}; stored is {_size(grad)}"
    return [*found, case.reason("differs", "one of", (seen,))]


def _passes(grad: torch.Tensor, fresh: torch.Tensor) -> int:
    """Return which whole multiple of a fresh gradient it is, 0 if none."""
    stored, new = _plain(grad), _plain(fresh)
    if stored.shape != new.shape:
        return 0
    largest = new.abs().argmax()
    ratio = (stored.reshape(-1)[largest] / new.reshape(-1)[largest]).real.item()
    passes = round(ratio) if abs(ratio) < MOST_PASSES + 1 else 0
    return passes if 2 <= passes <= MOST_PASSES and _near(grad, fresh, passes) else 0


def _near(grad: torch.Tensor, fresh: torch.Tensor, times: int) -> bool:
    stored, new = _plain(grad), _plain(fresh)
    if stored.shape != new.shape:
        return False
    scale = new.abs().max()
    allowed = ROUNDING * times * torch.finfo(new.dtype).eps * scale
    return bool((stored.to(new.dtype) - times * new).abs().max() <= allowed)


def _plain(grad: torch.Tensor) -> torch.Tensor:
    with _autograd.undisturbed():
        return _autograd.dense(grad.detach())
