"""Where tensors lie in memory, to find those that share it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch.nn.parameter import is_lazy

from handgrad.tracing import torch_private


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """The bytes from a tensor's first number to its last; between them may lie others."""

    tensor: torch.Tensor
    start: int
    stop: int

    @property
    def has_gaps(self) -> bool:
        """Tell whether some of the bytes are not the tensor's."""
        return self.stop - self.start != self.tensor.numel() * self.tensor.element_size()

    def addresses(self, unit: int) -> torch.Tensor:
        """Return where its numbers lie, in steps of so many bytes."""
        size = self.tensor.element_size()
        found = torch.arange(self.start, self.start + size, unit)
        for count, step in zip(self.tensor.shape, self.tensor.stride(), strict=True):
            found = (found[:, None] + torch.arange(count) * step * size).flatten()
        return found

    def meets(self, other: "Extent") -> bool:
        """Tell whether two whose stretches overlap have a number in common."""
        if not (self.has_gaps or other.has_gaps):
            return True
        unit = math.gcd(self.tensor.element_size(), other.tensor.element_size())
        return bool(torch.isin(self.addresses(unit), other.addresses(unit)).any())


class Map:
    """Where many tensors lie, so that asking about many others costs little.

    Each entry is a key that the asker understands, and a tensor.
    """

    def __init__(self, entries: Iterable[tuple[int, torch.Tensor]]) -> None:
        self.rows = [
            (key, extent) for key, tensor in entries if (extent := _extent(tensor)) is not None
        ]

    def overlapping(self, tensor: torch.Tensor) -> int | None:
        """Return the key of the first entry that lies on a tensor's memory."""
        mine = _extent(tensor)
        if mine is None:
            return None
        start, stop, device = mine.start, mine.stop, tensor.device
        for key, extent in self.rows:
            touch = extent.start < stop and start < extent.stop
            if touch and extent.tensor.device == device and extent.meets(mine):
                return key
        return None


def overlap(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Tell whether two tensors lie on common memory."""
    return Map([(0, one)]).overlapping(other) is not None


def _extent(tensor: torch.Tensor) -> Extent | None:
    """Return first byte and end; None for tensors without an address."""
    if is_lazy(tensor) or torch_private.is_wrapped(tensor):
        return None
    if tensor.layout is not torch.strided or tensor.is_meta:
        return None
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    span = 1 + sum((n - 1) * abs(step) for n, step in steps)
    start = tensor.data_ptr()
    return Extent(tensor, start, start + span * tensor.element_size())
