"""What the operations of a graph keep for their backward rules, read without running anything."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointFunction

from handgrad.diagnosing.measures import is_broken, is_nan
from handgrad.errors import FreedGraphError, HandgradError, MutatedGraphError
from handgrad.tracing import torch_private
from handgrad.tracing.structure import Walk


class SavedTensors:
    """The saved tensors of a walked graph, by node."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def op(self, key: int) -> str:
        """Return an operation's short name."""
        structure = self.walk.structure
        return structure.kinds[structure.kind[key]].op

    def names(self, key: int) -> Iterator[str]:
        """Name what a node saves, but for settings such as an exponent."""
        structure = self.walk.structure
        saved = structure.kinds[structure.kind[key]].saved
        return (item.name for item in saved if item.kind != "setting")

    def _keepers(self, key: int, name: str) -> list[Any]:
        with suppress(HandgradError):
            return list(torch_private.raw_saved(self.walk.live[key], name))
        return []

    def _hooks(self, key: int) -> Iterator[Any]:
        """Return the hooks of saved tensors that a node's backward rule would run."""
        for name in self.names(key):
            for keeper in self._keepers(key, name):
                if torch_private.has_hook(keeper):
                    yield keeper.unpack_hook

    def is_hooked(self, key: int) -> bool:
        """Tell whether reading what a node saved would run code."""
        return any(True for _ in self._hooks(key))

    def is_recomputed(self, key: int) -> bool:
        """Tell whether reading what a node saved would run a checkpoint's forward pass again."""
        home = CheckpointFunction.__module__
        return any(getattr(hook, "__module__", None) == home for hook in self._hooks(key))

    def tensors(self, key: int, name: str) -> list[torch.Tensor]:
        """Read what a node keeps under a name; nothing where that is freed or runs a hook."""
        if any(map(torch_private.has_hook, self._keepers(key, name))):
            return []
        with suppress(HandgradError):
            kept = torch_private.saved(self.walk.live[key], name)
            return [tensor for tensor in kept if tensor is not None]
        return []

    def tensor(self, key: int, name: str) -> torch.Tensor | None:
        """Read the one tensor that a node keeps under a name, if it does."""
        found = self.tensors(key, name) if name in self.names(key) else []
        return found[0] if len(found) == 1 else None

    def setting(self, key: int, name: str) -> Any:
        """Read a setting that a node keeps; None if there is none of that name."""
        structure = self.walk.structure
        saved = structure.kinds[structure.kind[key]].saved
        if not any(item.name == name and item.kind == "setting" for item in saved):
            return None
        with suppress(RuntimeError):
            return torch_private.setting(self.walk.live[key], name)
        return None

    @cached_property
    def _errors(self) -> Mapping[int, tuple[str, HandgradError]]:
        """By node, the saved tensor that refuses to be read, and how."""
        found: dict[int, tuple[str, HandgradError]] = {}
        for key, node in enumerate(self.walk.live):
            for name in self.names(key):
                if any(map(torch_private.has_hook, self._keepers(key, name))):
                    continue
                try:
                    torch_private.saved(node, name)
                except HandgradError as error:
                    found[key] = name, error.with_traceback(None)
                    break
        return found

    @cached_property
    def freed(self) -> frozenset[int]:
        """List the nodes whose saved tensors a pass has freed."""
        errors = self._errors.items()
        return frozenset(key for key, (_, error) in errors if isinstance(error, FreedGraphError))

    @cached_property
    def mutated(self) -> Mapping[int, tuple[str, str]]:
        """By node, the name of a saved tensor that was changed since, and what torch says."""
        return {
            key: (name, str(error.__cause__ or error))
            for key, (name, error) in self._errors.items()
            if isinstance(error, MutatedGraphError)
        }

    @cached_property
    def held(self) -> frozenset[int]:
        """List the nodes that still hold a tensor for their backward rule."""
        return frozenset(
            key
            for key in range(len(self.walk.live))
            if key not in self.freed
            and any(self._keepers(key, name) and self._holds(key, name) for name in self.names(key))
        )

    def _holds(self, key: int, name: str) -> bool:
        hooked = any(map(torch_private.has_hook, self._keepers(key, name)))
        return hooked or key in self.mutated or bool(self.tensors(key, name))

    def was_broken(self, key: int) -> bool:
        """Tell whether an operation computed with numbers that were not finite, or gave NaN."""
        return bool(self.broken(key))

    def broken(self, key: int) -> list[torch.Tensor]:
        """List what a node saved that was not finite; of its result, NaN only."""
        return [
            tensor
            for name in self.names(key)
            for tensor in self.tensors(key, name)
            if tensor.is_floating_point()
            and (is_nan(tensor) if name.startswith("result") else is_broken(tensor))
        ]
