"""What can be known of a graph's values and constants from what its nodes kept."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, cast

import torch

from handgrad.errors import FreedGraphError, UnsupportedNodeError
from handgrad.graph.records import Array, Constant, Saved, Spec
from handgrad.tracing import torch_private
from handgrad.tracing.discovery import Walk
from handgrad.tracing.live import address, is_emptied
from handgrad.tracing.names import Named, Names, Place
from handgrad.tracing.structure import NO_NODE, UNKNOWN, spec_of

ARGUMENTS = {
    ("self", "other"): "Mul Div Maximum Minimum Atan2 LinalgCross Fmax Fmin",
    ("self", "mat2"): "Mm Bmm",
    ("self", "vec"): "Mv",
    ("self", "tensor"): "Dot",
    (None, "mat1", "mat2"): "Addmm",
    (None, "mat", "vec"): "Addmv",
    (None, "vec1", "vec2"): "Addr",
    (None, "batch1", "batch2"): "Baddbmm Addbmm",
    (None, "tensor1", "tensor2"): "Addcmul Addcdiv",
    ("self", "exponent"): "Pow",
    ("self", "end", "weight"): "Lerp",
    ("self", "weight"): "PreluKernel",
    ("self", "target"): "MseLoss HuberLoss SmoothL1Loss BinaryCrossEntropy "
    "BinaryCrossEntropyWithLogits",
    ("input", "weight", None): "Convolution NativeBatchNorm NativeGroupNorm",
    ("input", "weight", "bias"): "NativeLayerNorm",
    ("query", "key", "value"): "ScaledDotProductFlashAttentionForCpu",
    ("x1", "x2"): "Cdist EuclideanDist",
}
"""Differentiable arguments of common operations, in the order of their slots, by the names
under which nodes keep them; None for one that is never kept."""

_SLOTS = {op: arguments for arguments, ops in ARGUMENTS.items() for op in ops.split()}
_PLAIN = (bool, int, float, str, tuple, list, type(None))


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What was read from the nodes.

    Attributes:
        values: The forward value at each place where something kept it.
        kept: By node, the tensors that it kept, by name.
        hooks: Whether reading would run a hook; then nothing was read.
    """

    values: dict[Place, torch.Tensor] = field(default_factory=dict[Place, torch.Tensor])
    kept: dict[int, dict[str, tuple[torch.Tensor | None, ...]]] = field(
        default_factory=dict[int, dict[str, tuple[torch.Tensor | None, ...]]]
    )


def hooked(walk: Walk) -> bool:
    """Tell whether reading any saved tensor would run code, as checkpointing does.

    Raises:
        FreedGraphError: If they were freed.
    """
    return any(
        torch_private.has_hook(keeper)
        for key, name in _kept_names(walk)
        for keeper in torch_private.raw_saved(walk.live[key], name)
    )


def read(walk: Walk, names: Names, output: torch.Tensor) -> Evidence:
    """Read all saved tensors and find the values among them.

    Raises:
        FreedGraphError: If they, or their memory, were freed.
        MutatedGraphError: If one was changed in place since.
    """
    evidence = Evidence()
    for key, name in _kept_names(walk):
        tensors = torch_private.saved(walk.live[key], name)
        evidence.kept.setdefault(key, {})[name] = tensors
        if any(tensor is not None and is_emptied(tensor) for tensor in tensors):
            raise FreedGraphError(
                f"The memory of a tensor that {walk.live[key].name()} had saved was given back: "
                "its storage has no bytes, and torch crashes where it is read. Trace before that, "
                "or fill the memory again."
            )
        for tensor in tensors:
            node = None if tensor is None else tensor.grad_fn
            if tensor is not None and node in walk.key:
                evidence.values.setdefault((walk.key[node], tensor.output_nr), tensor)
    for key in walk.leaves():
        evidence.values[key, 0] = torch_private.variable(walk.live[key])
    evidence.values |= names.tensors
    evidence.values[0, output.output_nr] = output
    return evidence


def _kept_names(walk: Walk) -> Iterator[tuple[int, str]]:
    structure = walk.structure
    for key, kind in enumerate(structure.kind):
        for item in structure.kinds[kind].saved:
            if item.kind == "tensor":
                yield key, item.name


def saved(walk: Walk, key: int, evidence: Evidence) -> tuple[Saved, ...]:
    """Describe what a node keeps, now that it was looked at."""
    found: list[Saved] = []
    for item in walk.structure.kinds[walk.structure.kind[key]].saved:
        if item.kind == "setting":
            value = torch_private.setting(walk.live[key], item.name)
            text = repr(value) if type(value) in _PLAIN else type(value).__name__
            found.append(Saved(name=item.name, kind="setting", setting=text))
            continue
        tensors = [t for t in evidence.kept[key][item.name] if t is not None]
        if len(tensors) == 1:
            found.append(Saved(name=item.name, kind="tensor", spec=_spec(tensors[0])))
        elif tensors:
            found.append(Saved(name=item.name, kind="tensors"))
    return tuple(found)


def constant(
    walk: Walk, key: int, slot: int, evidence: Evidence, known: Named, most: int
) -> Constant:
    """Say what stands at a ``(None, 0)`` edge."""
    kept = _kept_at(walk, key, slot, evidence, known)
    if kept is not None:
        name = _same_memory(kept, known)
        kind = "frozen" if name else "data"
        return _constant(kind, name, kept, "saved", most)
    fitting = _fitting(walk, key, slot, evidence, known)
    if len(fitting) == 1:
        return _constant("frozen", *fitting[0], "fits", most)
    return UNKNOWN


def _constant(
    kind: Any, name: str | None, tensor: torch.Tensor, evidence: Any, most: int
) -> Constant:
    value = array(tensor, most)
    return Constant(kind=kind, name=name, value=value, spec=_spec(tensor), evidence=evidence)


def _kept_at(
    walk: Walk, key: int, slot: int, evidence: Evidence, known: Named
) -> torch.Tensor | None:
    """Find the tensor that a node kept of the input in a slot, if it kept it."""
    structure, kept = walk.structure, evidence.kept.get(key, {})
    arguments = _SLOTS.get(structure.kinds[structure.kind[key]].op)
    if arguments and len(arguments) >= len(structure.edges(key)):
        (tensor,) = kept.get(arguments[slot] or "", (None,))
        return tensor if tensor is not None and not tensor.requires_grad else None
    empty = [number for number, (source, _) in enumerate(structure.edges(key)) if source == NO_NODE]
    if len(empty) > 1:
        return None
    untracked = (t for ts in kept.values() for t in ts if t is not None and not t.requires_grad)
    named = [tensor for tensor in untracked if _same_memory(tensor, known)]
    return named[0] if len(named) == 1 else None


def _same_memory(tensor: torch.Tensor, known: Named) -> str | None:
    """Name the known tensor that a saved one is, or is a view of all of."""
    if not tensor.numel() or tensor.layout is not torch.strided:
        return None
    names = [
        name
        for name, other in known
        if other.layout is torch.strided
        and other.numel() == tensor.numel()
        and other.dtype == tensor.dtype
        and address(other) == address(tensor)
    ]
    return min(names, key=lambda name: (name.count("."), name), default=None)


def _fitting(
    walk: Walk, key: int, slot: int, evidence: Evidence, known: Named
) -> list[tuple[str, torch.Tensor]]:
    """Of the named constants, list those that give a sum's or difference's recorded bits.

    Sums keep none of their inputs, so this is all that can be known of them.
    """
    structure = walk.structure
    op, edges = structure.kinds[structure.kind[key]].op, structure.edges(key)
    result = evidence.values.get((key, 0))
    if op not in ("Add", "Sub") or len(edges) != 2 or result is None:
        return []
    other = evidence.values.get(edges[1 - slot])
    if other is None:
        return []
    alpha = torch_private.setting(walk.live[key], "alpha")
    compute = torch.add if op == "Add" else torch.sub
    found: dict[int, tuple[str, torch.Tensor]] = {}
    for name, candidate in sorted(known, key=lambda pair: (pair[0].count("."), pair[0])):
        pair = (candidate, other) if slot == 0 else (other, candidate)
        try:
            if cast(Any, torch).broadcast_shapes(candidate.shape, other.shape) != result.shape:
                continue  # the sum may be too large for any memory
            again = compute(*pair, alpha=alpha)
        except RuntimeError:  # shapes that do not go together
            continue
        if again.dtype == result.dtype and torch.equal(again, result):
            found.setdefault(id(candidate), (name, candidate))
    return list(found.values())


def _spec(tensor: torch.Tensor) -> Spec:
    return spec_of(tensor.dtype, tensor.device, *tensor.shape)


def array(tensor: torch.Tensor | None, most: int) -> Array | None:
    """Copy a tensor's numbers out, if there are at most so many.

    Raises:
        UnsupportedNodeError: If the tensor has none that Python can read.
    """
    if tensor is None or tensor.numel() > most:
        return None
    dtype = str(tensor.dtype).removeprefix("torch.")
    try:
        flat: Any = torch_private.dense(tensor).reshape(-1)
        data = tuple(flat.tolist())
    except Exception as error:
        raise UnsupportedNodeError(
            f"The numbers of a {type(tensor).__name__} of shape {tuple(tensor.shape)} cannot be "
            f"read: torch raised {type(error).__name__}: {error}. Call trace(loss, values=False), "
            "or compute the loss from plain tensors."
        ) from error
    return Array(shape=tuple(tensor.shape), dtype=dtype, data=data)


def line(frames: Sequence[str]) -> str | None:
    """Tell where a node was recorded: the innermost line outside torch, as anomaly mode kept it."""
    for frame in reversed(frames):
        match = re.search(r'File "(.*)", line (\d+), in .*\n\s*(.*)', frame)
        if match and not re.search(r"[/\\]torch[/\\]", match[1]):
            path = PurePath(match[1])
            place = (
                "cell" if any(part.startswith("ipykernel_") for part in path.parts) else path.name
            )
            return f"{place}:{match[2]}: {match[3].strip()}"
    return None
