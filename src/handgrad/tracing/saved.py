"""The fourth stage of a trace: read what the operations saved for their backward rules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from handgrad.errors import FreedGraphError
from handgrad.graph.records import Saved
from handgrad.tracing import torch_private
from handgrad.tracing.arrays import spec_of
from handgrad.tracing.names import Names, Place
from handgrad.tracing.structure import Walk

_PLAIN = (bool, int, float, str, tuple, list, type(None))
Tensors = tuple[torch.Tensor | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTensors:
    """What was read from the live nodes, still as tensors.

    Attributes:
        of: By node, the tensors that it saved, by their names.
        settings: By node, the settings that it saved, by their names.
        described: By node, both in plain words.
        values: The forward value at each place where something still has it.
    """

    of: Mapping[int, Mapping[str, Tensors]]
    settings: Mapping[int, Mapping[str, Any]]
    described: Mapping[int, tuple[Saved, ...]]
    values: Mapping[Place, torch.Tensor]


def has_hooks(walk: Walk) -> bool:
    """Tell whether reading any saved tensor would run code, as checkpointing does.

    Raises:
        FreedGraphError: If they were freed.
    """
    return any(
        torch_private.has_hook(keeper)
        for key, item in _saved_by(walk, "tensor")
        for keeper in torch_private.raw_saved(walk.live[key], item.name)
    )


def read_saved(walk: Walk, names: Names, output: torch.Tensor) -> SavedTensors:
    """Read all that was saved, and find the forward values among it.

    Raises:
        FreedGraphError: If saved tensors, or their memory, were freed.
        MutatedGraphError: If one was changed in place since.
    """
    tensors: dict[int, dict[str, Tensors]] = {}
    settings: dict[int, dict[str, Any]] = {}
    values: dict[Place, torch.Tensor] = {}
    for key, item in _saved_by(walk, "tensor"):
        node = walk.live[key]
        saved = torch_private.saved(node, item.name)
        tensors.setdefault(key, {})[item.name] = saved
        if any(tensor is not None and is_emptied(tensor) for tensor in saved):
            raise FreedGraphError(
                f"The memory of a tensor that {node.name()} had saved was given back: "
                "its storage has no bytes, and torch crashes where it is read. Trace before that, "
                "or fill the memory again."
            )
        for tensor in saved:
            if tensor is not None and tensor.grad_fn in walk.key:
                values.setdefault((walk.key[tensor.grad_fn], tensor.output_nr), tensor)
    for key, item in _saved_by(walk, "setting"):
        settings.setdefault(key, {})[item.name] = torch_private.setting(walk.live[key], item.name)
    values |= own_values(walk, names, output)
    kinds = walk.structure.kinds
    described = {
        key: _described(kinds[kind].saved, tensors.get(key, {}), settings.get(key, {}))
        for key, kind in enumerate(walk.structure.kind)
    }
    return SavedTensors(of=tensors, settings=settings, described=described, values=values)


def own_values(walk: Walk, names: Names, output: torch.Tensor) -> dict[Place, torch.Tensor]:
    """Collect the values that need no reading of saved tensors: the user's own tensors."""
    values = {(key, 0): torch_private.variable(walk.live[key]) for key in walk.leaves}
    values |= names.tensors
    values[0, output.output_nr] = output
    return values


def _saved_by(walk: Walk, what: str) -> Iterator[tuple[int, Saved]]:
    """Pair each node with each tensor, or each setting, that its kind saves."""
    kinds = walk.structure.kinds
    for key, kind in enumerate(walk.structure.kind):
        for item in kinds[kind].saved:
            if item.kind == what:
                yield key, item


def _described(
    items: tuple[Saved, ...], tensors: Mapping[str, Tensors], settings: Mapping[str, Any]
) -> tuple[Saved, ...]:
    """Say of each thing that a kind of node saves what it is in one node."""
    described: list[Saved] = []
    for item in items:
        if item.kind == "setting":
            value = settings[item.name]
            text = repr(value) if type(value) in _PLAIN else type(value).__name__
            described.append(Saved(name=item.name, kind="setting", setting=text))
            continue
        several = [tensor for tensor in tensors[item.name] if tensor is not None]
        if len(several) == 1:
            (tensor,) = several
            spec = spec_of(tensor.dtype, tensor.device, *tensor.shape)
            described.append(Saved(name=item.name, kind="tensor", spec=spec))
        elif several:
            described.append(Saved(name=item.name, kind="tensors"))
    return tuple(described)


def is_emptied(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor's memory was given back; torch crashes where it is read."""
    try:
        return tensor.numel() > 0 and tensor.untyped_storage().nbytes() == 0
    except RuntimeError:  # it has no single memory
        return False
