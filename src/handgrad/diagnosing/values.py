"""The last stage of a diagnosis: is the gradient that was written the right one?"""

import math

import torch

from handgrad.diagnosing.case import Case
from handgrad.diagnosing.diagnosis import Reason
from handgrad.diagnosing.findings import Findings
from handgrad.diagnosing.measures import is_broken, is_zero, numbers, size
from handgrad.diagnosing.remedies import BLOWS_UP_AT, BROKEN_BEFORE, DIES_AT, Remedy
from handgrad.tracing import torch_private

ROUNDING = 8.0
"""Two gradients are one up to rounding if they differ by at most so many epsilons."""

MOST_PASSES = 1000
"""Up to how many accumulated passes are recognised."""


def value(case: Case, grad: torch.Tensor) -> list[Reason]:
    """Is the gradient that was written the right one?"""
    if grad.is_meta:
        return [case.reason("fine", "cannot be known", ("a meta tensor has no numbers",))]
    fresh, why_not = fresh_gradient(case)
    largest = size(grad)
    if not math.isfinite(largest):
        return [_not_finite(case, grad, fresh, why_not)]
    if largest == 0 and grad.numel():
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
    if fresh is None or fresh.is_meta:
        return ()
    return (f"a backward pass would bring {_size(fresh)}",)


def state(grad: torch.Tensor | None) -> str:
    """Say in a word or two what a ``.grad`` is."""
    if grad is None:
        return "None"
    if grad.is_meta:
        return "without numbers"
    largest = size(grad)
    if not math.isfinite(largest):
        return "not finite"
    return "all zero" if largest == 0 and grad.numel() else "finite"


def _size(grad: torch.Tensor) -> str:
    values, largest = numbers(grad), size(grad)
    shape, count = tuple(grad.shape), values.numel()
    if not count:
        return f"a gradient of shape {shape}, without a number that is not zero"
    if not math.isfinite(largest):
        bad = count - int(values.isfinite().sum())
        return f"a gradient of shape {shape}, {bad} of {count} numbers not finite"
    if grad.numel() == 1:
        return f"a gradient of {values.item():.6g}"
    zeros = count - int(values.count_nonzero())
    return f"a gradient of shape {shape}, largest size {largest:.6g}, {zeros} of {count} zero"


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
    evidence, repair = _blame(findings, culprits, "made it so", BLOWS_UP_AT)
    return case.reason("not-finite", evidence=(seen, *evidence), repair=repair)


def _zero(case: Case, fresh: torch.Tensor | None, why_not: str) -> list[Reason]:
    findings, place = case.findings, case.place
    if fresh is None or findings is None or place is None:
        flow = case.reason("zero-flow", "one of", (why_not,))
        return [flow, case.reason("zero-written", "one of"), *_hooked(case)]
    if not is_zero(fresh):
        seen, hooked = (f"a backward pass would bring {_size(fresh)}",), _hooked(case)
        return [case.reason("zero-written", "one of" if hooked else "certain", seen), *hooked]
    culprits = findings.dead.get(place[0], frozenset())
    evidence, repair = _blame(findings, culprits, "turned it into zeros", DIES_AT)
    return [case.reason("zero-flow", evidence=evidence, repair=repair)]


def _blame(
    findings: Findings,
    culprits: frozenset[int],
    did: str,
    remedies: dict[str, Remedy],
) -> tuple[list[str], str | None]:
    """Name the operations where a gradient went wrong, and what to write instead."""
    evidence: list[str] = []
    repairs: dict[str, None] = {}
    for key in sorted(culprits):
        if key < 0:
            evidence.append(f"the gradients that meet at {findings.describe(~key)} {did} together")
            continue
        remedy = remedies.get(findings.op(key), Remedy(""))
        if remedies is BLOWS_UP_AT and findings.kept.was_broken(key):
            remedy = BROKEN_BEFORE
        why = f": {remedy.why}" if remedy.why else ""
        evidence.append(f"{findings.describe(key)} {did}{why}")
        if remedy.repair:
            repairs[remedy.repair] = None
    return evidence, "\n".join(repairs) or None


def _changed(case: Case, grad: torch.Tensor, fresh: torch.Tensor) -> list[Reason]:
    passes = _passes(grad, fresh)
    seen = f"{case.loss_name} would bring {_size(fresh)}; stored is {_size(grad)}"
    found = [*_hooked(case), case.reason("differs", "one of", (seen,))]
    if passes:
        seen = f"it is {passes} times a fresh gradient of {case.loss_name}"
        found.insert(0, case.reason("accumulated", "one of", (seen,)))
    return found


def _hooked(case: Case) -> list[Reason]:
    """Give the hook as one possible reason, if the tensor has any."""
    hooks = torch_private.hooks(case.tensor)
    seen = f"hooked to it: {', '.join(hooks)}"
    return [case.reason("hook", "one of", (seen,))] if hooks else []


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
    coarser = max(torch.finfo(kind).eps for kind in (stored.dtype, new.dtype))
    allowed = ROUNDING * times * coarser * scale
    return bool((stored.to(new.dtype) - times * new).abs().max() <= allowed)


def _plain(grad: torch.Tensor) -> torch.Tensor:
    return torch_private.dense(grad.detach())
