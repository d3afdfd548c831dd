"""Say why a gradient becomes zero, noise, NaN or infinite at an operation, and what to write."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from handgrad.diagnosing.conditions import Operation, rows
from handgrad.diagnosing.findings import Findings
from handgrad.diagnosing.flow import Origin
from handgrad.diagnosing.measures import is_broken, is_zero, size, uneven
from handgrad.diagnosing.reasons import AGAIN
from handgrad.diagnosing.slopes import CARRIERS, HAVE_EDGES, Fate
from handgrad.tracing.torch_private import Gradient

SCALES = (0, 20, 60)
"""Gradients are tried at these powers of two, to tell what is zero from what underflows."""

BROKEN_BEFORE = "numbers that it saved in the forward pass are NaN or infinite already"


@dataclass(frozen=True, slots=True)
class Blame:
    """What happened at one place, and what to write instead, if that is known.

    Attributes:
        seen: The place and the reason.
        repair: What to write, if that is known.
        has_line: Whether the line that recorded it is known.
    """

    seen: str
    repair: str = ""
    has_line: bool = False


def died(findings: Findings, origins: Iterable[Origin]) -> list[Blame]:
    """Say why each operation turned a gradient into zeros."""
    return [_placed(findings, origin, _died(findings, origin)) for origin in _sorted(origins)]


def broke(findings: Findings, origins: Iterable[Origin]) -> list[Blame]:
    """Say why each operation turned a finite gradient into NaN or infinity."""
    return [_placed(findings, origin, _broke(findings, origin)) for origin in _sorted(origins)]


def chosen(findings: Findings, keys: Iterable[int]) -> list[str]:
    """Say where a slope is a choice of PyTorch's: at corners, and where inputs tie."""
    found: list[str] = []
    for key in keys:
        known = rows("choice", Operation(key, findings.kept), None)
        if known:
            found.append(f"a slope of {findings.describe(key)} is a choice: {known[0].why}")
    return found


def drowned(findings: Findings, origins: Iterable[Origin]) -> list[Blame]:
    """Say why nothing but rounding errors is left of a gradient."""
    return [_placed(findings, origin, _drowned(findings, origin)) for origin in _sorted(origins)]


def silent(findings: Findings, key: int) -> Blame:
    """Say why an operation of torch's own sends no gradient at all."""
    known = _told(findings, "zero", Origin(key, 0))
    said = f"{findings.describe(key)} returned None"
    return Blame(f"{said}: {known.seen}", known.repair) if known else Blame(said)


def always(findings: Findings, keys: Iterable[int]) -> list[Blame]:
    """Say why operations turn every gradient into zeros, whatever their numbers."""
    found: list[Blame] = []
    for key in keys:
        known = _told(findings, "zero", Origin(key, 0))
        assert known is not None
        seen = f"{findings.describe(key)} turns any gradient into zeros: {known.seen}"
        found.append(Blame(seen, known.repair, bool(findings.line(key))))
    return found


def _placed(findings: Findings, origin: Origin, found: Blame) -> Blame:
    return Blame(found.seen, found.repair, bool(findings.line(origin.key)))


def _sorted(origins: Iterable[Origin]) -> list[Origin]:
    return sorted(
        origins, key=lambda origin: (origin.slot is not None, origin.key, origin.slot or 0)
    )


def _died(findings: Findings, origin: Origin) -> Blame:
    place = findings.describe(origin.key)
    if origin.slot is None:
        return _meet(findings, origin.key, "add up to zero: the ways cancel")
    arrived = findings.arrived_at_dead[origin.key]
    did = f"{place} turned it into zeros"
    if exponent := _underflows(findings, origin, arrived):
        kind = findings.sent_dtype(origin)
        why = f"what it sends is too small for {kind} and is rounded to zero"
        repair = (
            "# instead of {loss}.backward():\n"
            f"({{loss}} * 2.0**{exponent}).backward()  # and divide .grad by 2.0**{exponent}"
        )
        return Blame(f"{did}: {why}", repair)
    if _cancels(findings, origin, arrived):
        known = _told(findings, "cancels", origin)
        if known is not None:
            return Blame(f"{did}: {known.seen}", known.repair)
        why = "what arrives there cancels when it is added up"
        return Blame(f"{did}: {why}", _peel(findings, origin.key))
    known = _told(findings, "zero", origin)
    if known is not None:
        return Blame(f"{did}: {known.seen}", known.repair)
    if findings.op(origin.key) in CARRIERS:
        return Blame(f"{did}: {_chosen(findings, origin.key)}")
    return Blame(did)


def _broke(findings: Findings, origin: Origin) -> Blame:
    if origin.slot is None:
        return _meet(findings, origin.key, "are finite, and their sum is not")
    did = f"{findings.describe(origin.key)} made it so"
    if where := findings.broken_before(origin.key):
        return Blame(f"{did}: {BROKEN_BEFORE}{where}")
    if _overflows(findings, origin, findings.arrived_at_broken[origin.key]):
        kind = findings.sent_dtype(origin)
        return Blame(f"{did}: what it sends is too large for {kind} and overflows")
    known = _told(findings, "not finite", origin)
    if findings.gave_nan(origin.key) and findings.op(origin.key) in HAVE_EDGES:
        return Blame(f"{did}: its input is NaN, or lies outside of where it is defined")
    if findings.gave_nan(origin.key):
        did += ": its result is NaN already, because NaN entered it"
        return Blame(f"{did}, or {known.seen}", known.repair) if known else Blame(did)
    return Blame(f"{did}: {known.seen}", known.repair) if known else Blame(did)


def _drowned(findings: Findings, origin: Origin) -> Blame:
    if origin.slot is None:
        return _meet(findings, origin.key, "cancel but for rounding errors")
    known = _told(findings, "cancels", origin)
    why = known.seen if known else "what arrives there cancels when it is added up"
    left = f"{findings.describe(origin.key)} left rounding errors only: {why}"
    return Blame(left, known.repair if known else "")


def _meet(findings: Findings, key: int, what: str) -> Blame:
    return Blame(
        f"the gradients that meet at {findings.describe(key)} {what}", _peel(findings, key)
    )


def _peel(findings: Findings, key: int) -> str:
    name = findings.name_of(key)
    who = repr(name) if name and name.isidentifier() else str(key)
    return f"print(handgrad.peel(handgrad.trace({{loss}}, values=True), {who}))"


def _told(findings: Findings, fate: Fate, origin: Origin) -> Blame | None:
    """Look an operation up in the table; its inputs are called by their names, if they have any."""
    operation = Operation(origin.key, findings.kept)
    found = rows(fate, operation, origin.slot)
    if not found:
        return None
    row, name = found[0], findings.input_name(origin)
    if fate == "zero" and operation.count == 0 and not row.when:
        return Blame("its result is empty, so nothing comes back from it")
    if row.factor and (factor := findings.zero_factor(origin)) is not None:
        return _zero_factor(findings, *factor)
    if not row.spells(findings.op(origin.key)):
        return Blame(row.why)
    words = {"z": name} if name else {}
    words |= _words(findings, operation, origin, row.instead_of)
    if row.look and not {"target"} <= words.keys():
        return Blame(row.why)
    repair = re.sub(r"\b[a-z]+\b(?![.(=])", lambda m: words.get(m[0], m[0]), row.repair)
    why = row.why
    if row.use and not name:
        why += "; z stands for its input"
    return Blame(why, repair)


def _zero_factor(findings: Findings, name: str, tensor: torch.Tensor) -> Blame:
    """Name the factor that is zero; a parameter that was begun at zero can begin elsewhere."""
    why = f"its other factor, {name}, is zero"
    if tensor.is_leaf and tensor.requires_grad:
        again = AGAIN + "\n{loss}.backward()"
        return Blame(why, f"torch.nn.init.normal_({name}, std=0.01)\n{again}")
    return Blame(why)


SAVED_AS = {
    "low": ("min", "min_val", "threshold"),
    "high": ("max", "max_val"),
    "chosen": ("condition",),
    "power": ("exponent",),
    "index": ("indices",),
    "image": ("input",),
}
"""What a word of the table is saved as, where that is another word."""


def _words(findings: Findings, operation: Operation, origin: Origin, text: str) -> dict[str, str]:
    """Say what the words of a repair stand for here: names of the caller's, or numbers."""
    found: dict[str, str] = {}
    for word in dict.fromkeys(re.findall(r"\b[a-z]+\b(?![.(=])", text)):
        words = ("self",) if word == "other" and origin.slot == 1 else SAVED_AS.get(word, (word,))
        for saved in words:
            setting, tensor = operation.setting(saved), operation.tensor(saved)
            if isinstance(setting, int | float) and not isinstance(setting, bool):
                found.setdefault(word, repr(setting))
            elif tensor is not None and (name := findings.called(tensor)) is not None:
                found.setdefault(word, name)
    edges = findings.walk.structure.edges(origin.key)
    if origin.slot is not None and len(edges) == 2:
        name = findings.names.get(edges[1 - origin.slot])
        found |= {"other": name} if name and "other" not in found else {}
    found.pop("z", None)
    return found


def _underflows(findings: Findings, origin: Origin, arrived: tuple[Gradient, ...]) -> int:
    """Return by which power of two the gradient would have to be larger to survive; 0 if none."""
    largest = max((size(g) for g in arrived if g is not None and g.numel()), default=0.0)
    if not 0 < largest < math.inf:
        return 0
    start = max(0, -math.frexp(largest)[1])
    for scale in SCALES:
        up = start + scale
        if up == 0:
            continue
        sent = findings.ask(origin, [None if g is None else g * 2.0**up for g in arrived])
        if sent is not None and not is_broken(sent) and not is_zero(sent):
            return up
    return 0


def _overflows(findings: Findings, origin: Origin, arrived: tuple[Gradient, ...]) -> bool:
    """Tell whether a gradient that is small enough would come through finite."""
    largest = max((size(g) for g in arrived if g is not None and g.numel()), default=0.0)
    down = max(0, math.frexp(largest)[1]) + SCALES[1] if largest < math.inf else 0
    if not down:
        return False
    sent = findings.ask(origin, [None if g is None else g * 2.0**-down for g in arrived])
    return sent is not None and not is_broken(sent)


def _cancels(findings: Findings, origin: Origin, arrived: tuple[Gradient, ...]) -> bool:
    """Tell whether uneven gradients of the same signs would bring something."""
    sent = findings.ask(origin, [None if g is None else uneven(g) for g in arrived])
    return sent is not None and not is_zero(sent)


def _chosen(findings: Findings, key: int) -> str:
    """Say who left nothing for this part of a result that is only passed on."""
    feeders = [findings.describe(feeder) for feeder in findings.feeders(key)]
    if not feeders:
        return "nothing arrives at the part of its result that came from there"
    return (
        f"nothing arrives at the part of its result that came from there, because "
        f"{' and '.join(feeders)} chose or weighted other entries"
    )
