"""What can be known of the constants in a graph, which autograd forgets: evidence, not memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch

from handgrad.graph.records import Constant
from handgrad.tracing.arrays import array, spec_of
from handgrad.tracing.names import Named, Place
from handgrad.tracing.notes import NO_NODE
from handgrad.tracing.saved import SavedTensors, Tensors
from handgrad.tracing.structure import Structure

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
under which nodes save them; None for one that is never saved."""

_SLOTS = {op: arguments for arguments, ops in ARGUMENTS.items() for op in ops.split()}
UNKNOWN = Constant(kind="unknown")


def find_constants(
    structure: Structure, saved: SavedTensors, known: Named, most: int
) -> dict[Place, Constant]:
    """Say what stands at each ``(None, 0)`` edge, by node and slot.

    Args:
        structure: The graph's.
        saved: What was read from its nodes.
        known: Named tensors that require no gradient.
        most: Numbers of larger tensors are left out.
    """
    constants: dict[Place, Constant] = {}
    for key, kind in enumerate(structure.kind):
        node = _Asked(op=structure.kinds[kind].op, key=key, edges=structure.edges(key))
        for slot, (source, _) in enumerate(node.edges):
            if source == NO_NODE:
                constants[key, slot] = _constant_at(node, slot, saved, known, most)
    return constants


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A node with edges to nowhere."""

    op: str
    key: int
    edges: Sequence[Place]


def _constant_at(node: _Asked, slot: int, saved: SavedTensors, known: Named, most: int) -> Constant:
    tensor = _saved_at(node, slot, saved.of.get(node.key, {}), known)
    if tensor is not None:
        name = _same_memory(tensor, known)
        return _constant("frozen" if name else "data", name, tensor, "saved", most)
    fitting = _fitting(node, slot, saved, known)
    if len(fitting) == 1:
        return _constant("frozen", *fitting[0], "fits", most)
    return UNKNOWN


def _constant(
    kind: Literal["frozen", "data"],
    name: str | None,
    tensor: torch.Tensor,
    evidence: Literal["saved", "fits"],
    most: int,
) -> Constant:
    value, spec = array(tensor, most), spec_of(tensor.dtype, tensor.device, *tensor.shape)
    return Constant(kind=kind, name=name, value=value, spec=spec, evidence=evidence)


def _saved_at(
    node: _Asked, slot: int, tensors: Mapping[str, Tensors], known: Named
) -> torch.Tensor | None:
    """Find the tensor that a node saved of the input in a slot, if it saved it."""
    arguments = _SLOTS.get(node.op)
    if arguments and len(arguments) >= len(node.edges):
        (tensor,) = tensors.get(arguments[slot] or "", (None,))
        return tensor if tensor is not None and not tensor.requires_grad else None
    if sum(source == NO_NODE for source, _ in node.edges) > 1:
        return None
    untracked = (t for ts in tensors.values() for t in ts if t is not None and not t.requires_grad)
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
        and _address(other) == _address(tensor)
    ]
    return min(names, key=lambda name: (name.count("."), name), default=None)


def _fitting(
    node: _Asked, slot: int, saved: SavedTensors, known: Named
) -> list[tuple[str, torch.Tensor]]:
    """Of the named constants, list those that give a sum's or difference's recorded bits.

    Sums save none of their inputs, so this is all that can be known of them.
    """
    result = saved.values.get((node.key, 0))
    if node.op not in ("Add", "Sub") or len(node.edges) != 2 or result is None:
        return []
    other = saved.values.get(node.edges[1 - slot])
    if other is None:
        return []
    alpha = saved.settings[node.key]["alpha"]
    compute = torch.add if node.op == "Add" else torch.sub
    fitting: dict[int, tuple[str, torch.Tensor]] = {}
    for name, candidate in sorted(known, key=lambda pair: (pair[0].count("."), pair[0])):
        pair = (candidate, other) if slot == 0 else (other, candidate)
        try:
            if cast(Any, torch).broadcast_shapes(candidate.shape, other.shape) != result.shape:
                continue  # the sum may be too large for any memory
            again = compute(*pair, alpha=alpha)
        except RuntimeError:  # shapes that do not go together
            continue
        if again.dtype == result.dtype and torch.equal(again, result):
            fitting.setdefault(id(candidate), (name, candidate))
    return list(fitting.values())


def _address(tensor: torch.Tensor) -> int | None:
    """Return where a tensor's numbers begin; None if it has no memory of its own."""
    try:
        real = tensor.untyped_storage().device.type != "meta"  # that of a fake tensor is not
        return tensor.data_ptr() if real else None
    except RuntimeError:  # torch.func's tensors have none at all
        return None
