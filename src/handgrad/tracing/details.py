"""The numbers of a live graph: values, local derivatives, and the gradients that flow."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch

from handgrad.errors import UnsupportedNodeError
from handgrad.graph.records import Array, Edge
from handgrad.tracing import evidence as _evidence
from handgrad.tracing import torch_private
from handgrad.tracing.discovery import Walk
from handgrad.tracing.evidence import Evidence, array
from handgrad.tracing.names import Names
from handgrad.tracing.structure import NO_NODE
from handgrad.tracing.sweep import jacobians, sweep
from handgrad.tracing.torch_private import Gradient

Facts = dict[int, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many numbers of one tensor, and of one Jacobian, are read."""

    tensor: int
    jacobian: int


def read_details(walk: Walk, names: Names, output: torch.Tensor, limits: Limits) -> Facts:
    """Read every number that can be read, node by node.

    Raises:
        FreedGraphError, MutatedGraphError, UnsupportedNodeError: From the nodes.
    """
    with torch_private.undisturbed(), _without_chance():
        evidence = _evidence.read(walk, names, output)
        facts = naming(walk, names)
        structure = walk.structure
        used = {(0, output.output_nr), *zip(structure.source, structure.output, strict=True)}
        for key, arrived, sent in _visits(walk, output):
            some = facts.setdefault(key, {})
            count = len(structure.outputs(key))
            known = [evidence.values.get((key, number)) for number in range(count)]
            some["values"] = tuple(array(value, limits.tensor) for value in known)
            some["gradients"] = tuple(array(gradient, limits.tensor) for gradient in arrived)
            some["saved"] = _evidence.saved(walk, key, evidence)
            found = jacobians(walk, key, limits.jacobian, used)
            some["edges"] = _edges(walk, key, sent, found, evidence, names, limits)
    return facts


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


def add_values(
    walk: Walk, names: Names, output: torch.Tensor, facts: Facts, limits: Limits
) -> None:
    """Add the values that need no reading of saved tensors: the user's own tensors."""
    known = {(key, 0): torch_private.variable(walk.live[key]) for key in walk.leaves()}
    known |= names.tensors
    known[0, output.output_nr] = output
    with torch_private.undisturbed():
        for key in {key for key, _ in known}:
            count = len(walk.structure.outputs(key))
            tensors = [known.get((key, number)) for number in range(count)]
            with suppress(UnsupportedNodeError):  # they have no numbers to be shown
                values = tuple(array(tensor, limits.tensor) for tensor in tensors)
                facts.setdefault(key, {})["values"] = values


def naming(walk: Walk, names: Names) -> Facts:
    """Say how the user calls each node's outputs."""
    facts: Facts = {}
    for (key, number), words in sorted(names.words.items()):
        some = facts.setdefault(key, {})
        count = len(walk.structure.outputs(key))
        if "name" not in some:
            some["name"], some["aliases"] = words[0], words[1:]
        if count > 1:
            before = some.get("names", ((),) * count)
            some["names"] = (*before[:number], words, *before[number + 1 :])
    return facts


def lines(walk: Walk) -> Iterator[tuple[int, str]]:
    """Tell where each node was recorded, if anomaly mode noted it at all at the root."""
    for key, node in enumerate(walk.live):
        line = _evidence.line(torch_private.traceback(node))
        if line:
            yield key, line


def flows(output: torch.Tensor) -> bool:
    """Tell whether ``backward()`` would send gradients from a tensor without being given one."""
    return output.numel() == 1 and not output.is_complex()


def _visits(
    walk: Walk, output: torch.Tensor
) -> Iterator[tuple[int, tuple[Gradient, ...], tuple[Gradient, ...]]]:
    if flows(output):
        yield from sweep(walk, torch_private.seed(output), output.output_nr)
        return
    for key in range(len(walk.live)):
        yield key, (), (None,) * len(walk.structure.edges(key))


def _edges(
    walk: Walk,
    key: int,
    sent: tuple[Gradient, ...],
    locals_: Sequence[Sequence[Gradient]],
    evidence: Evidence,
    names: Names,
    limits: Limits,
) -> tuple[Edge, ...]:
    made: list[Edge] = []
    for slot, (source, number) in enumerate(walk.structure.edges(key)):
        if source == NO_NODE:
            known = _evidence.constant(walk, key, slot, evidence, names.constants, limits.tensor)
            made.append(Edge(slot=slot, source=None, constant=known))
            continue
        local, *rest = (_all_of(jacobian) for jacobian in locals_[slot])
        flow = array(sent[slot], limits.tensor)
        made.append(
            Edge(slot=slot, source=source, output=number, local=local, rest=tuple(rest), flow=flow)
        )
    return tuple(made)


def _all_of(jacobian: torch.Tensor | None) -> Array | None:
    return None if jacobian is None else array(jacobian, jacobian.numel())
