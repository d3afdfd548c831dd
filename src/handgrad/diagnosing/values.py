"""The last stage of a diagnosis: is the gradient that was written the right one?"""

import math
from collections.abc import Sequence

import torch

from handgrad.diagnosing import blame as _blame
from handgrad.diagnosing.blame import Blame
from handgrad.diagnosing.case import Case
from handgrad.diagnosing.diagnosis import Reason
from handgrad.diagnosing.findings import Findings
from handgrad.diagnosing.measures import is_broken, is_zero, numbers, size
from handgrad.diagnosing.opaque import function, wrapper
from handgrad.diagnosing.reasons import Certainty
from handgrad.diagnosing.slopes import ALWAYS_ZERO, BLOWS_UP, MAY_DIE
from handgrad.errors import FreedGraphError
from handgrad.tracing import torch_private

ROUNDING = 8.0
"""Two gradients are one up to rounding if they differ by at most so many epsilons."""

MOST_PASSES = 1000
"""Up to how many accumulated passes are recognised."""

SMALL = 2.0**-10
"""Only a gradient smaller than this is asked whether it is rounding."""


def value(case: Case, grad: torch.Tensor) -> list[Reason]:
    """Is the gradient that was written the right one?"""
    if grad.is_meta:
        return [case.reason("present", "cannot be known", ("a meta tensor has no numbers",))]
    if (kind := wrapper(grad)) is not None:
        seen = f"it is a {kind}, with rules of its own, so its numbers were not read"
        return [case.reason("present", "cannot be known", (seen,))]
    fresh, why_not = fresh_gradient(case)
    largest = size(grad)
    if not math.isfinite(largest):
        return [_not_finite(case, grad, fresh, why_not)]
    if largest == 0 and grad.numel():
        return _zero(case, fresh, why_not)
    facts = (_size(grad),)
    if fresh is None:
        doubts = _doubts(case, facts)
        return doubts or [case.reason("present", "cannot be known", (*facts, why_not))]
    same = f"it equals a fresh gradient of {case.loss_name}"
    if torch.equal(_plain(grad), _plain(fresh)):
        return _equal(case, fresh, (*facts, f"{same} bit for bit"))
    if _near(grad, fresh, 1):
        return _equal(case, fresh, (*facts, f"{same} up to rounding"))
    return _changed(case, grad, fresh)


def _equal(case: Case, fresh: torch.Tensor, evidence: tuple[str, ...]) -> list[Reason]:
    """Say what may be wrong with a gradient that is what autograd makes of the graph."""
    findings, place = case.findings, case.place
    assert findings is not None
    assert place is not None
    if size(fresh) < SMALL and (origins := findings.drowned.get(place[0])):
        found = _blame.drowned(findings, origins)
        return [_told(case, "rounding-noise", evidence[:1], found)]
    if doubts := _doubts(case, evidence):
        return doubts
    told = tuple(
        f"{one.name} has a graph of its own: if forward() does not compute it, do so there"
        for one in case.question.own_graphs
        if one.place != place and findings.leads(one.place[0], place[0])
    )
    if case.question.is_single:
        told += tuple(_blame.chosen(findings, findings.ways(place[0])))
    return [case.reason("fine", evidence=(*evidence, *told))]


def _doubts(case: Case, evidence: tuple[str, ...]) -> list[Reason]:
    """Say what may be wrong with the graph itself, so that autograd cannot make it right."""
    findings, place = case.findings, case.place
    if findings is None or place is None:
        return []
    if kept := findings.kept_on_ctx(place[0]):
        return [_kept_without_history(case, evidence, kept)]
    if stale := findings.stale_casts(place[0]):
        seen = f"{findings.describe(stale[0])} gave other numbers than the same cast gives now"
        return [_stale_cast(case, "certain", (*evidence, seen))]
    if old := findings.old_casts(place[0]):
        count = findings.foreign_after(old[0])
        seen = (
            f"{findings.describe(old[0])} is older than this forward pass: {count} other "
            "operations were recorded before it was used"
        )
        return [_stale_cast(case, "cannot be known", (*evidence, seen))]
    for one in case.question.own_graphs:
        leads = one.place != place and findings.leads(one.place[0], place[0])
        if leads and (count := findings.foreign_after(one.place[0])):
            seen = f"{count} other operations were recorded before it was used"
            more = (*evidence, seen)
            return [case.reason("computed-once", "cannot be known", more, what=one.name)]
    return []


def _stale_cast(case: Case, certainty: Certainty, evidence: tuple[str, ...]) -> Reason:
    if case.question.in_autocast:
        evidence += (
            "autocast is on where this is asked, and keeps its casts until its outermost block "
            "ends",
        )
    return case.reason("stale-cast", certainty, evidence)


def _kept_without_history(
    case: Case, evidence: tuple[str, ...], kept: Sequence[tuple[int, int, str]]
) -> Reason:
    findings = case.findings
    assert findings is not None
    user, owner, word = kept[0]
    op = findings.op(owner)
    seen = f"{findings.describe(user)} uses what {op} kept as ctx.{word}, which has no history"
    what = f"ctx.{word} of {op}"
    inputs = [edge for edge in findings.walk.structure.edges(owner) if edge[0] >= 0]
    repair = ""
    if inputs == [case.place]:
        repair = (
            f"print(torch.autograd.gradgradcheck({op}.apply, "
            "{name}.detach().double().requires_grad_(), raise_exception=False))"
        )
    return case.reason(
        "kept-without-history", "cannot be known", (*evidence, seen), repair, what=what
    )


def fresh_gradient(case: Case) -> tuple[torch.Tensor | None, str]:
    """Return what a backward pass would bring now, or why that is not known."""
    loss, findings = case.loss, case.findings
    if findings is not None and case.is_hidden:
        return None, "not verified, because it is hidden: " + _hidden_words(case, findings)
    if findings is None or case.place is None or not isinstance(loss, torch.Tensor):
        return None, "not verified, because no loss was given to compare it with"
    if loss.numel() != 1 or loss.is_complex():
        return None, "the loss is not one real number, so it depends on the gradient passed in"
    refusal = findings.refusal(case.place[0])
    if isinstance(refusal, FreedGraphError) or (refusal and findings.kept.freed):
        return None, "not verified, because the graph is freed"
    if refusal is not None:
        return None, f"not verified: {refusal}"
    return findings.flow.fresh.get(case.place), "a fresh gradient would be None"


def _hidden_words(case: Case, findings: Findings) -> str:
    if (kind := wrapper(case.tensor)) is not None:
        return f"{case.name} is a {kind}, with rules of its own"
    node = findings.hiding[0]
    kind = function(findings.walk.live[node])
    return f"{findings.describe(node)}, {kind}, hides what ran inside"


def outlook(case: Case) -> tuple[str, ...]:
    """Tell what a backward pass would bring where none has been written yet."""
    fresh, _ = fresh_gradient(case)
    if fresh is None or fresh.is_meta:
        return ()
    return (f"a backward pass would bring {_size(fresh)}",)


def loss_is_broken(case: Case) -> tuple[str, ...]:
    """Tell where the loss itself is NaN or infinite, whatever its gradients are."""
    loss = case.loss
    if not isinstance(loss, torch.Tensor) or wrapper(loss) is not None or loss.is_meta:
        return ()
    if not loss.is_floating_point() or loss.numel() != 1 or not is_broken(loss):
        return ()
    return (f"{case.loss_name} itself is {loss.detach().item()}",)


def would_be(case: Case, fresh: torch.Tensor) -> list[Reason]:
    """Say what would be wrong with the gradient that a backward pass would bring."""
    if fresh.is_meta or not fresh.numel():
        return []
    loss, findings, place = case.loss, case.findings, case.place
    assert findings is not None
    assert place is not None
    assert isinstance(loss, torch.Tensor)
    if is_broken(fresh):
        found = _blame.broke(findings, findings.broken.get(place[0], frozenset()))
        return [_told(case, "not-finite", ("a backward pass would bring it",), found)]
    if is_zero(fresh):
        found = _blame.died(findings, findings.dead.get(place[0], frozenset()))
        return [_told(case, "zero-flow", (), found)]
    return _doubts(case, ())


def state(grad: torch.Tensor | None) -> str:
    """Say in a word or two what a ``.grad`` is."""
    if grad is None:
        return "None"
    if (kind := wrapper(grad)) is not None:
        return f"a {kind}"
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


def _told(case: Case, code: str, seen: tuple[str, ...], found: Sequence[Blame]) -> Reason:
    """Give a reason with the places where it happened, and what to write there."""
    findings = case.findings
    assert findings is not None
    repairs = list(dict.fromkeys(one.repair for one in found if one.repair))
    repair = "\n".join(repairs) if repairs else None
    if repair is None and found and all(one.has_line for one in found):
        repair = ""
    evidence = (*seen, *dict.fromkeys(one.seen for one in found))
    return case.reason(code, evidence=evidence, repair=repair)


def _not_finite(case: Case, grad: torch.Tensor, fresh: torch.Tensor | None, why_not: str) -> Reason:
    values, findings, place = numbers(grad), case.findings, case.place
    bad = int((~values.isfinite()).sum())
    seen = f"{bad} of {values.numel()} numbers are NaN or infinite"
    if fresh is None or findings is None or place is None:
        hints = _on_the_way(case, BLOWS_UP, "can make it so")
        return case.reason("not-finite", "cannot be known", (seen, why_not, *hints))
    if not is_broken(fresh):
        other = f"a fresh gradient of {case.loss_name} is finite: an earlier pass brought it"
        return case.reason("not-finite", "cannot be known", (seen, other), "{name}.grad = None")
    found = _blame.broke(findings, findings.broken.get(place[0], frozenset()))
    return _told(case, "not-finite", (seen,), found)


def _zero(case: Case, fresh: torch.Tensor | None, why_not: str) -> list[Reason]:
    findings, place = case.findings, case.place
    if fresh is None or findings is None or place is None:
        if (sure := _surely_zero(case)) is not None:
            return [sure]
        hints = _on_the_way(case, MAY_DIE, "can turn it into zeros")
        flow = case.reason("zero-flow", "one of", (why_not, *hints))
        return [flow, case.reason("zero-written", "one of"), *_hooked(case)]
    if not is_zero(fresh):
        seen, hooked = (f"a backward pass would bring {_size(fresh)}",), _hooked(case)
        return [case.reason("zero-written", "one of" if hooked else "certain", seen), *hooked]
    found = _blame.died(findings, findings.dead.get(place[0], frozenset()))
    return [_told(case, "zero-flow", (), found)]


def _surely_zero(case: Case) -> Reason | None:
    """Say which operations bring zeros at any numbers, if each way passes one of them."""
    findings, place = case.findings, case.place
    if findings is None or place is None or findings.hiding:
        return None
    keys = findings.on_each_way(ALWAYS_ZERO, place[0])
    return _told(case, "zero-flow", (), _blame.always(findings, keys)) if keys else None


def _on_the_way(case: Case, ops: frozenset[str], what: str) -> tuple[str, ...]:
    """Name the operations on the way that are known to make a gradient bad."""
    findings, place = case.findings, case.place
    if findings is None or place is None:
        return ()
    keys = findings.on_some_way(ops, place[0])
    named = ", ".join(findings.describe(key) for key in keys[:4])
    return (f"on the way lies what {what}: {named}",) if keys else ()


def _changed(case: Case, grad: torch.Tensor, fresh: torch.Tensor) -> list[Reason]:
    passes = _passes(grad, fresh)
    seen = f"{case.loss_name} would bring {_size(fresh)}; stored is {_size(grad)}"
    found = _hooked(case)
    if passes:
        times = f"it is {passes} times a fresh gradient of {case.loss_name}"
        found.append(case.reason("accumulated", "one of", (times,)))
    return [*found, case.reason("differs", "one of", (seen,))]


def _hooked(case: Case) -> list[Reason]:
    """Give the hook as one possible reason, if the tensor has any."""
    hooks = torch_private.hooks(case.tensor)
    seen = f"hooked to it: {', '.join(hooks)}"
    return [case.reason("hook", "one of", (seen,))] if hooks else []


def _passes(grad: torch.Tensor, fresh: torch.Tensor) -> int:
    """Return which whole multiple of a fresh gradient it is, 0 if none."""
    stored, new = _plain(grad), _plain(fresh)
    if stored.shape != new.shape or not new.numel():
        return 0
    largest = new.abs().argmax()
    ratio = (stored.reshape(-1)[largest] / new.reshape(-1)[largest]).real.item()
    passes = round(ratio) if abs(ratio) < MOST_PASSES + 1 else 0
    return passes if 2 <= passes <= MOST_PASSES and _near(grad, fresh, passes) else 0


def _near(grad: torch.Tensor, fresh: torch.Tensor, times: int) -> bool:
    stored, new = _plain(grad), _plain(fresh)
    if stored.shape != new.shape or not new.numel():
        return False
    scale = new.abs().max()
    coarser = max(torch.finfo(kind).eps for kind in (stored.dtype, new.dtype))
    allowed = ROUNDING * times * coarser * scale
    return bool((stored.to(new.dtype) - times * new).abs().max() <= allowed)


def _plain(grad: torch.Tensor) -> torch.Tensor:
    """Return a gradient's numbers in rows; those of half complex ones wider, to be compared."""
    dense = torch_private.dense(grad.detach())
    return dense.to(torch.complex64) if dense.dtype == torch.complex32 else dense
