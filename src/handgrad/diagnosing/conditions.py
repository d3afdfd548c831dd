"""Which of several reasons for a slope is the one here: asked of what an operation saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch

from handgrad.diagnosing.saved import SavedTensors
from handgrad.diagnosing.slopes import SLOPES, Fate, Slope


@dataclass(frozen=True, slots=True)
class Operation:
    """One recorded operation, as far as what it saved can be read."""

    key: int
    kept: SavedTensors

    def tensor(self, *names: str) -> torch.Tensor | None:
        """Return the first of these saved tensors that can be read."""
        found = (self.kept.tensor(self.key, name) for name in names)
        return next((tensor for tensor in found if tensor is not None), None)

    def setting(self, name: str) -> Any:
        """Return a saved setting, such as an exponent; None if there is none."""
        return self.kept.setting(self.key, name)

    @property
    def count(self) -> int:
        """Return how many numbers are in its first output."""
        outputs = self.kept.walk.structure.outputs(self.key)
        return torch.Size(outputs[0].shape).numel() if outputs else 0


Condition = Callable[[Operation], bool]


def _any(test: Any) -> bool:
    return bool(cast(torch.Tensor, test).any())


def _far(op: Operation) -> bool:
    tensor = op.tensor("self")
    return tensor is None or _any(tensor.abs() > 1)


def _number(op: Operation, name: str, number: float) -> bool:
    return op.setting(name) == number


def _all_ignored(op: Operation) -> bool:
    target = op.tensor("target")
    return target is not None and not _any(target != op.setting("ignore_index"))


def _one_entry(op: Operation) -> bool:
    result, axis = op.tensor("result"), op.setting("dim")
    return result is not None and (result.dim() == 0 or result.shape[_axis(axis)] == 1)


def _axis(axis: int) -> int:
    return axis - 2**64 if axis >= 2**63 else axis  # saved as a number without sign


def _saturated(op: Operation) -> bool:
    result = op.tensor("result")
    if result is None:
        return False
    return _any(result == (0 if op.kept.op(op.key).startswith(("Log", "SparseLog")) else 1))


def _only_padding(op: Operation) -> bool:
    index = op.tensor("indices")
    return index is not None and index.numel() > 0 and not _any(index != op.setting("padding_idx"))


def _equal(op: Operation) -> bool:
    one, other = op.tensor("self"), op.tensor("other")
    return one is not None and other is not None and _any(one == other)


def _tied(op: Operation) -> bool:
    one, result = op.tensor("self"), op.tensor("result")
    if one is None or result is None:
        return False
    axes = op.setting("dim")
    if axes and not op.setting("keepdim"):
        for axis in sorted(_axis(a) % one.dim() for a in axes):
            result = result.unsqueeze(axis)
    return int((one == result).sum()) > result.numel()


def _at(op: Operation, *names: str) -> bool:
    """Tell whether an input lies exactly at one of the bounds that were saved."""
    tensor = op.tensor("self")
    bounds = [op.tensor(name) if op.setting(name) is None else op.setting(name) for name in names]
    return tensor is not None and any(
        bound is not None and _any(tensor == bound) for bound in bounds
    )


_CORNERS = {"LeakyRelu": (0.0,), "Hardsigmoid": (-3.0, 3.0), "Hardswish": (-3.0, 3.0)}


def _at_a_corner(op: Operation) -> bool:
    tensor = op.tensor("self")
    fixed = _CORNERS.get(op.kept.op(op.key), ())
    at_fixed = tensor is not None and any(_any(tensor == corner) for corner in fixed)
    return at_fixed or _at(op, "min_val", "max_val", "threshold")


CONDITIONS: Mapping[str, Condition] = {
    "far from zero": _far,
    "rounds": lambda op: bool(op.setting("rounding_mode")),
    "exponent zero": lambda op: _number(op, "exponent", 0),
    "order zero": lambda op: _number(op, "ord", 0) or _number(op, "p", 0),
    "result zero": lambda op: (result := op.tensor("result")) is not None and not _any(result),
    "all ignored": _all_ignored,
    "one entry": _one_entry,
    "saturated": _saturated,
    "nothing selected": lambda op: op.count == 0,
    "only padding": _only_padding,
    "nothing looked up": lambda op: op.count == 0,
    "nearest": lambda op: _number(op, "interpolation_mode", 1),
    "one number": lambda op: (s := op.tensor("self")) is not None and s.numel() == 1,
    "no numbers": lambda op: _number(op, "self_sym_numel", 0),
    "input zero": lambda op: (s := op.tensor("self")) is not None and _any(s == 0),
    "inputs equal": _equal,
    "result tied": _tied,
    "at a bound": lambda op: _at(op, "min", "max"),
    "at a corner": _at_a_corner,
}
"""Each word that ``Slope.when`` may have, and how it is asked."""


def rows(fate: Fate, operation: Operation, slot: int | None) -> list[Slope]:
    """List what is known of an operation's slope, of a row's conditions only what holds."""
    op = operation.kept.op(operation.key)
    return [
        row
        for row in SLOPES[fate]
        if op in row.ops
        and (row.slot is None or slot is None or row.slot == slot)
        and (not row.when or CONDITIONS[row.when](operation))
    ]
