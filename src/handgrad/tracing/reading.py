"""The numbers of a live graph, or the reason why they are not read.

Values and constants come from what was saved (stage four), local derivatives and
gradients from a sweep (stage five). What leaves here is plain data.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch

from handgrad.errors import FreedGraphError, MutatedGraphError, UnsupportedNodeError
from handgrad.graph.records import Array, Constant, Saved
from handgrad.tracing import torch_private
from handgrad.tracing.arrays import array
from handgrad.tracing.constants import find_constants
from handgrad.tracing.names import Names, Place
from handgrad.tracing.saved import has_hooks, own_values, read_saved
from handgrad.tracing.structure import Structure, Walk
from handgrad.tracing.sweep import Derivatives, Limits, derive, flows

REASONS: dict[type[Exception], str] = {
    FreedGraphError: "freed",
    MutatedGraphError: "mutated",
    UnsupportedNodeError: "unsupported",
}

HOOKED = (
    "Only the structure was read: reading saved tensors here would run code of yours or of "
    "torch.utils.checkpoint (saved-tensor hooks). Call trace(loss, values=True) to allow that."
)


FEW = Limits(tensor=1024, jacobian=4096)
ALL = Limits(tensor=1 << 62, jacobian=65_536)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of a graph, as plain data; empty, as far as it was not looked at.

    Attributes:
        values: By node, the forward value of each output.
        saved: By node, what it saved.
        constants: By node and slot, what stands at the end of an edge to no node.
        derivatives: By node, its gradients and local derivatives.
        reason: Why only the structure was read, if so; as ``Graph.reason``.
        remarks: What a reader of the numbers must know, in sentences.
    """

    values: Mapping[int, tuple[Array | None, ...]] = field(default_factory=dict[int, Any])
    saved: Mapping[int, tuple[Saved, ...]] = field(default_factory=dict[int, Any])
    constants: Mapping[Place, Constant] = field(default_factory=dict[Place, Constant])
    derivatives: Mapping[int, Derivatives] = field(default_factory=dict[int, Derivatives])
    reason: str | None = None
    remarks: tuple[str, ...] = ()


def read(walk: Walk, names: Names, output: torch.Tensor, *, anyhow: bool) -> Reading:
    """Read every number, unless there is a reason not to.

    Args:
        walk: The graph.
        names: Where named tensors stand in it.
        output: The traced tensor.
        anyhow: Whether all numbers were asked for, whatever they cost; then a
            reason not to is raised.

    Raises:
        FreedGraphError, MutatedGraphError, UnsupportedNodeError: If all numbers
            were asked for, and these cannot be read.
    """
    try:
        if anyhow or not has_hooks(walk):
            return _read_all(walk, names, output, ALL if anyhow else FEW)
        reason, remark = "hooks", HOOKED
    except tuple(REASONS) as error:
        if anyhow:
            raise
        reason, remark = REASONS[type(error)], f"Only the structure was read. {error}"
    values = {} if reason == "unsupported" else _read_own(walk, names, output)
    return Reading(values=values, reason=reason, remarks=(remark,))


def _read_all(walk: Walk, names: Names, output: torch.Tensor, limits: Limits) -> Reading:
    with torch_private.undisturbed(), _without_chance():
        saved = read_saved(walk, names, output)
        return Reading(
            values={
                key: _values(walk.structure, key, saved.values, limits.tensor)
                for key in range(len(walk.structure))
            },
            saved=saved.described,
            constants=find_constants(walk.structure, saved, names.constants, limits.tensor),
            derivatives=derive(walk, output, limits),
            remarks=(*_deviations(walk, names), *_no_flow(output)),
        )


def _read_own(
    walk: Walk, names: Names, output: torch.Tensor
) -> dict[int, tuple[Array | None, ...]]:
    """Read the values of tensors that the user still holds."""
    tensors = own_values(walk, names, output)
    values: dict[int, tuple[Array | None, ...]] = {}
    with torch_private.undisturbed():
        for key in {key for key, _ in tensors}:
            with suppress(UnsupportedNodeError):  # they have no numbers to be shown
                values[key] = _values(walk.structure, key, tensors, FEW.tensor)
    return values


def _values(
    structure: Structure, key: int, tensors: Mapping[Place, torch.Tensor], most: int
) -> tuple[Array | None, ...]:
    count = len(structure.outputs(key))
    return tuple(array(tensors.get((key, number)), most) for number in range(count))


@contextmanager
def _without_chance() -> Generator[None]:
    """Put the random numbers back, and refuse what was computed from any.

    Raises:
        UnsupportedNodeError: If some were drawn: ``backward()`` would draw others.
    """
    before = torch.get_rng_state()
    try:
        yield
        if not torch.equal(before, torch.get_rng_state()):
            raise UnsupportedNodeError(
                "Reading the graph drew random numbers, as a checkpoint without its own does, so "
                "what backward() finds need not be what was found here. Record it with "
                "checkpoint(..., preserve_rng_state=True), or trace(loss, values=False)."
            )
    finally:
        torch.set_rng_state(before)


def _no_flow(output: torch.Tensor) -> tuple[str, ...]:
    if flows(output):
        return ()
    kind = "complex" if output.is_complex() else f"of shape {tuple(output.shape)}"
    return (
        f"No gradient flows: the traced tensor is {kind}, and backward() starts from one real "
        "number. Trace one, such as output.abs().sum(), for the flow.",
    )


def _deviations(walk: Walk, names: Names) -> tuple[str, ...]:
    """Say where a hook, or a leaf frozen since, will make ``.grad`` differ from the flow."""
    leaves = {key: walk.live[key] for key in walk.leaves}
    frozen = {
        (key, 0) for key, node in leaves.items() if not torch_private.variable(node).requires_grad
    }
    hooked = {(key, 0) for key, node in leaves.items() if torch_private.is_hooked_leaf(node)}
    hooked |= {place for place, tensor in names.tensors.items() if torch_private.hooks(tensor)}
    remarks: list[str] = []
    if frozen:
        remarks.append(
            f"No gradient is asked for any more at {_called(frozen, names)}, since requires_grad "
            "was switched off: backward() leaves .grad as it is, whatever flows there."
        )
    if hooked:
        remarks.append(
            f"A hook is registered on {_called(hooked, names)}: backward() runs it, so .grad may "
            "differ from the flow here, which is pure calculus."
        )
    return tuple(remarks)


def _called(places: Iterable[Place], names: Names) -> str:
    """Call places by their names, or else by their nodes."""
    return ", ".join(names.words.get(p, (f"node {p[0]}",))[0] for p in sorted(places))
