"""What the operations of a graph keep for their backward rules, read without running anything."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointFunction

from handgrad.diagnosing.measures import is_broken, is_nan
from handgrad.errors import FreedGraphError, HandgradError
from handgrad.tracing import torch_private
from handgrad.tracing.discovery import Walk


class Kept:
    """The saved tensors of a walked graph, by node."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def names(self, key: int) -> Iterator[str]:
        """Name what a node saves, but for settings such as an exponent."""
        structure = self.walk.structure
        saved = structure.kinds[structure.kind[key]].saved
        return (item.name for item in saved if item.kind != "setting")

    def _keepers(self, key: int, name: str) -> list[Any]:
        with suppress(HandgradError):
            return list(torch_private.raw_saved(self.walk.live[key], name))
        return []

    def _is_hooked(self, key: int, name: str) -> bool:
        """Tell whether reading a saved tensor would run code, as checkpointing does."""
        return any(map(torch_private.has_hook, self._keepers(key, name)))

    def tensors(self, key: int, name: str) -> list[torch.Tensor]:
        """Read what a node keeps under a name; nothing where reading would run a hook."""
        if self._is_hooked(key, name):
            return []
        with suppress(HandgradError):
            kept = torch_private.saved(self.walk.live[key], name)
            return [tensor for tensor in kept if tensor is not None]
        return []

    def is_freed(self, key: int) -> bool:
        """Tell whether a pass has freed what a node had saved."""
        try:
            for name in self.names(key):
                if not self._is_hooked(key, name):
                    torch_private.saved(self.walk.live[key], name)
        except HandgradError as error:
            return isinstance(error, FreedGraphError)
        return False

    @cached_property
    def anything(self) -> bool:
        """Tell whether any operation still holds a tensor for its backward rule."""
        return any(
            self._is_hooked(key, name) or self.tensors(key, name)
            for key in range(len(self.walk.live))
            for name in self.names(key)
        )

    @cached_property
    def first_recomputed(self) -> int | None:
        """Return the first node whose backward rule would run a forward pass again."""
        hooks = (
            (key, keeper.unpack_hook)
            for key in range(len(self.walk.live))
            for name in self.names(key)
            for keeper in self._keepers(key, name)
        )
        home = CheckpointFunction.__module__
        return next((key for key, hook in hooks if getattr(hook, "__module__", None) == home), None)

    def was_broken(self, key: int) -> bool:
        """Tell whether an operation computed with numbers that were not finite, or gave NaN."""
        return any(
            is_nan(tensor) if name == "result" else is_broken(tensor)
            for name in self.names(key)
            for tensor in self.tensors(key, name)
            if tensor.is_floating_point()
        )
