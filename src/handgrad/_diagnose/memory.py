"""Where tensors lie in memory, to find those that share it."""

from collections.abc import Iterable

import torch

from handgrad import _autograd

Extent = tuple[torch.device, int, int]


class Map:
    """Where many tensors lie, so that asking about many others costs little.

    Each entry is a key that the asker understands, and a tensor.
    """

    def __init__(self, entries: Iterable[tuple[int, torch.Tensor]]) -> None:
        self.rows = [
            (key, *extent) for key, tensor in entries if (extent := _extent(tensor)) is not None
        ]

    def overlapping(self, tensor: torch.Tensor) -> int | None:
        """Return the key of the first entry that lies on a tensor's memory."""
        mine = _extent(tensor)
        if mine is None:
            return None
        device, start, stop = mine
        for key, place, begin, end in self.rows:
            if start < end and begin < stop and place == device:
                return key
        return None


def overlap(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Tell whether two tensors lie on common memory."""
    return Map([(0, one)]).overlapping(other) is not None


def _extent(tensor: torch.Tensor) -> Extent | None:
    """Return device, first byte and end; None for tensors without an address."""
    usual = tensor.layout is torch.strided and not tensor.is_meta and tensor.numel() > 0
    if not usual or _autograd.is_wrapped(tensor):
        return None
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    span = 1 + sum((n - 1) * abs(step) for n, step in steps)
    start = tensor.data_ptr()
    return tensor.device, start, start + span * tensor.element_size()
