"""The fifth stage of a trace: send gradients through a live graph as the engine would."""

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import torch

from handgrad.errors import UnsupportedNodeError
from handgrad.graph.records import Array, Spec
from handgrad.tracing import rules, torch_private
from handgrad.tracing.arrays import array
from handgrad.tracing.notes import NO_NODE
from handgrad.tracing.structure import Walk
from handgrad.tracing.torch_private import Gradient


class Visit(NamedTuple):
    """A node, the gradient that arrived at each output, and the one sent along each edge."""

    key: int
    arrived: tuple[Gradient, ...]
    sent: tuple[Gradient, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many numbers of one tensor, and of one Jacobian, are read."""

    tensor: int
    jacobian: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivatives:
    """What a sweep found out about one node.

    Attributes:
        gradients: The gradient that arrived at each output.
        flows: The gradient sent along each edge; empty for a leaf.
        jacobians: For each edge, the local derivative of each output.
    """

    gradients: tuple[Array | None, ...]
    flows: tuple[Array | None, ...]
    jacobians: tuple[tuple[Array | None, ...], ...]


def derive(walk: Walk, output: torch.Tensor, limits: Limits) -> dict[int, Derivatives]:
    """Sweep through a graph, ask each node for its local derivatives, and copy both out.

    Raises:
        FreedGraphError, MutatedGraphError, UnsupportedNodeError: From the nodes.
    """
    structure = walk.structure
    used = {(0, output.output_nr), *zip(structure.source, structure.output, strict=True)}
    return {
        visit.key: Derivatives(
            gradients=tuple(array(gradient, limits.tensor) for gradient in visit.arrived),
            flows=tuple(array(gradient, limits.tensor) for gradient in visit.sent),
            jacobians=tuple(
                tuple(None if one is None else array(one, one.numel()) for one in of_edge)
                for of_edge in jacobians(walk, visit.key, limits.jacobian, used)
            ),
        )
        for visit in _visits(walk, output)
    }


def flows(output: torch.Tensor) -> bool:
    """Tell whether ``backward()`` would send gradients from a tensor without being given one."""
    return output.numel() == 1 and not output.is_complex()


def _visits(walk: Walk, output: torch.Tensor) -> Iterator[Visit]:
    """Visit the nodes with their gradients, or with none where none would flow."""
    if flows(output):
        yield from sweep(walk, torch_private.seed(output), output.output_nr)
        return
    for key in range(len(walk.live)):
        yield Visit(key, (), (None,) * len(walk.structure.edges(key)))


def sweep(walk: Walk, seed: torch.Tensor, output: int = 0) -> Iterator[Visit]:
    """Visit the nodes in the engine's order with the gradients that arrive and leave.

    Gradients that meet at a node are added in the order in which they arrive,
    so every sum has the engine's bits.

    Args:
        walk: A walked graph.
        seed: The gradient at the traced tensor, in its shape.
        output: Which output of node 0 the traced tensor is.

    Yields:
        Each node with its gradients; leaves send none.

    Raises:
        FreedGraphError, MutatedGraphError, UnsupportedNodeError: From the nodes.
    """
    structure, leaf = walk.structure, walk.structure.leaf
    arrived: dict[int, list[Gradient]] = {0: _slots(structure.outputs(0))}
    arrived[0][output] = seed
    for key, node in enumerate(walk.live):
        gradients = tuple(arrived.pop(key, ()) or _slots(structure.outputs(key)))
        if structure.kind[key] == leaf:
            yield Visit(key, gradients, ())
            continue
        edges = structure.edges(key)
        if any(g is not None for g in gradients) or torch_private.is_python(node):
            sent = rules.call(node, gradients, as_stored=True)
        else:
            sent = (None,) * len(edges)
        for gradient, (source, nr) in zip(sent, edges, strict=True):
            if source != NO_NODE and gradient is not None:
                slots = arrived.get(source) or arrived.setdefault(
                    source, _slots(structure.outputs(source))
                )
                slots[nr] = add(slots[nr], gradient)
        yield Visit(key, gradients, sent)


def _slots(outputs: Sequence[object]) -> list[Gradient]:
    return [None] * max(1, len(outputs))


def add(old: Gradient, new: torch.Tensor) -> torch.Tensor:
    """Add as the engine's InputBuffer does; a dense gradient cannot be added to a sparse one."""
    if old is None:
        return new
    if not torch_private.is_undisturbed():
        with torch_private.undisturbed():
            return add(old, new)
    return new + old if old.is_sparse and not new.is_sparse else old + new


def jacobians(walk: Walk, key: int, most: int, used: Set[tuple[int, int]]) -> list[list[Gradient]]:
    """Ask a node for its full local derivatives, one unit gradient at a time.

    Args:
        walk: A walked graph.
        key: A node that is not a leaf.
        most: Largest Jacobian that is formed, in numbers.
        used: The outputs that gradients come to; others may have no rule, or not exist.

    Returns:
        Per edge and per output, a tensor of shape ``output.shape +
        input.shape``; None where it is too large, complex, or without a rule, or
        the edge is a constant's.
    """
    structure = walk.structure
    outputs, edges = structure.outputs(key), structure.edges(key)
    jacobians: list[list[Gradient]] = [[None] * len(outputs) for _ in edges]
    for number, out in enumerate(outputs):
        slots = [
            slot
            for slot, (source, nr) in enumerate(edges)
            if source != NO_NODE and _formable(out, structure.outputs(source)[nr], most)
        ]
        asked = [slot for slot in slots if _numbers(walk, edges[slot])]  # of none there is no row
        if not slots:
            continue
        try:
            columns = _rows(walk, key, number, asked) if asked else {}
        except UnsupportedNodeError:
            if (key, number) in used:
                raise
            continue
        for slot in slots:
            source, nr = edges[slot]
            shape = (*out.shape, *structure.outputs(source)[nr].shape)
            meta = torch_private.metadata(walk.live[source])[nr]
            column = columns.get(slot)
            jacobians[slot][number] = (
                torch.zeros(shape, dtype=meta.dtype, device=meta.device)
                if column is None
                else column.reshape(shape)
            )
    return jacobians


def _numbers(walk: Walk, edge: tuple[int, int]) -> int:
    source, nr = edge
    return math.prod(walk.structure.outputs(source)[nr].shape)


def _formable(out: Spec, source: Spec, most: int) -> bool:
    real = all("float" in spec.dtype for spec in (out, source))
    return real and math.prod(out.shape) * max(1, math.prod(source.shape)) <= most


def _rows(walk: Walk, key: int, number: int, slots: Sequence[int]) -> dict[int, torch.Tensor]:
    """Stack what a node answers to each unit gradient at one of its outputs."""
    node, structure = walk.live[key], walk.structure
    meta = torch_private.metadata(node)[number]
    edges = structure.edges(key)
    rows: dict[int, list[torch.Tensor]] = {slot: [] for slot in slots}
    empty: list[Gradient] = _slots(structure.outputs(key))
    for position in range(math.prod(meta.shape)):
        unit = rules.zeros(meta)
        unit.view(-1)[position] = 1
        answers = rules.call(node, [*empty[:number], unit, *empty[number + 1 :]])
        for slot in slots:
            answer = answers[slot]
            if answer is None:
                source, nr = edges[slot]
                answer = rules.zeros(torch_private.metadata(walk.live[source])[nr])
            rows[slot].append(torch_private.dense(answer))
    return {slot: torch.stack(rows[slot]) if rows[slot] else rules.zeros(meta) for slot in slots}
