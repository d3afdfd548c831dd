"""Send a gradient from the loss to the leaves, and stop only where something cannot be asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from handgrad.errors import HandgradError
from handgrad.tracing import rules, torch_private
from handgrad.tracing.notes import NO_NODE
from handgrad.tracing.structure import Walk
from handgrad.tracing.sweep import add
from handgrad.tracing.torch_private import Gradient

Place = tuple[int, int]
"""A node, and which of its outputs."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where good gradients turn bad: at one input of an operation, or where they are added.

    Attributes:
        key: The operation that received good gradients and sent a bad one, or the node at
            which good ones meet and only their sum is bad.
        slot: The input that got the bad one; None where they meet.
    """

    key: int
    slot: int | None = None


Origins = dict[int, frozenset[Origin]]


@dataclass(slots=True, kw_only=True)
class Visit:
    """One node, the gradients that arrive at its outputs, and those that it sends.

    Attributes:
        blocked: The nodes that could not be asked, on whose answer this node's gradient
            depends. If there are any, nothing is known of what arrives and is sent.
    """

    key: int
    arrived: tuple[Gradient, ...] = ()
    sent: tuple[Gradient, ...] = ()
    blocked: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class Flow:
    """What arrives where.

    Attributes:
        fresh: At each leaf and subject, the gradient that a backward pass would bring now.
        silent: By node that nothing arrives at, the operations that returned None.
        blocked: By node whose gradient is not known, the nodes that could not be asked.
        refusals: Why those could not be asked.
    """

    fresh: dict[Place, Gradient] = field(default_factory=dict[Place, Gradient])
    silent: dict[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])
    blocked: dict[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])
    refusals: dict[int, HandgradError] = field(default_factory=dict[int, HandgradError])


def visits(
    walk: Walk,
    loss: torch.Tensor,
    closed: Mapping[int, HandgradError],
    refusals: dict[int, HandgradError],
) -> Iterator[Visit]:
    """Visit the nodes in the engine's order, with the engine's bits.

    Args:
        walk: A walked graph.
        loss: Its tensor, from which a gradient of ones is sent.
        closed: Nodes that are not to be asked, with the reason.
        refusals: Gets the reason of each node that was not asked, or refused.
    """
    structure, leaf = walk.structure, walk.structure.leaf
    arrived: dict[int, list[Gradient]] = {0: _slots(walk, 0)}
    arrived[0][loss.output_nr] = torch_private.seed(loss)
    blocked: dict[int, set[int]] = {}
    for key, node in enumerate(walk.live):
        gradients = tuple(arrived.pop(key, None) or _slots(walk, key))
        edges, obstacles = structure.edges(key), frozenset(blocked.pop(key, ()))
        if structure.kind[key] == leaf:
            yield Visit(key=key, arrived=() if obstacles else gradients, blocked=obstacles)
            continue
        sent: tuple[Gradient, ...] = (None,) * len(edges)
        if not obstacles and key in closed:
            refusals[key], obstacles = closed[key], frozenset((key,))
        elif not obstacles and _is_asked(node, gradients):
            try:
                sent = rules.call(node, gradients, as_stored=True)
            except HandgradError as error:
                refusals[key], obstacles = error.with_traceback(None), frozenset((key,))
        for gradient, (source, number) in zip(sent, edges, strict=True):
            if source == NO_NODE:
                continue
            if obstacles:
                blocked.setdefault(source, set()).update(obstacles)
            elif gradient is not None:
                slots = arrived.get(source) or arrived.setdefault(source, _slots(walk, source))
                slots[number] = add(slots[number], gradient)
        if obstacles:
            yield Visit(key=key, blocked=obstacles)
        else:
            yield Visit(key=key, arrived=gradients, sent=sent)


def _slots(walk: Walk, key: int) -> list[Gradient]:
    return [None] * max(1, len(walk.structure.outputs(key)))


def _is_asked(node: object, gradients: tuple[Gradient, ...]) -> bool:
    """Tell whether the engine calls a node's rule with gradients: a user's Function always."""
    return any(g is not None for g in gradients) or torch_private.is_python(node)  # type: ignore[arg-type]


def measured(found: Iterator[Visit], walk: Walk, subjects: frozenset[int]) -> Flow:
    """Note what arrives at leaves and subjects, and who sent nothing."""
    flow, structure = Flow(), walk.structure
    silent: dict[int, set[int]] = {}
    for visit in found:
        key = visit.key
        if visit.blocked:
            flow.blocked[key] = visit.blocked
            continue
        if structure.kind[key] == structure.leaf or key in subjects:
            flow.fresh |= {(key, nr): gradient for nr, gradient in enumerate(visit.arrived)}
        if all(gradient is None for gradient in visit.arrived):
            flow.silent[key] = frozenset(silent.get(key, ()))
        culprits = flow.silent.get(key) or {key}
        for gradient, (source, _) in zip(visit.sent, structure.edges(key), strict=False):
            if gradient is None and source != NO_NODE:
                silent.setdefault(source, set()).update(culprits)
    return flow


def origins(
    found: Iterator[Visit],
    walk: Walk,
    bad: Callable[[torch.Tensor], bool],
    *,
    infects: bool,
) -> tuple[Origins, dict[int, tuple[Gradient, ...]]]:
    """Follow what is bad back to where it became so.

    Args:
        found: The visits of a sweep.
        walk: Its graph.
        bad: Whether a gradient is bad.
        infects: Whether one bad gradient makes bad what it is added to, as NaN does and
            zero does not.

    Returns:
        By node at which bad gradients arrive, their origins; and what arrived at these.
    """
    here: Origins = {}
    coming: dict[int, set[Origin]] = {}
    mixed: set[int] = set()
    arrived: dict[int, tuple[Gradient, ...]] = {}
    structure, of = walk.structure, any if infects else all
    for visit in found:
        key = visit.key
        given = [bad(gradient) for gradient in visit.arrived if gradient is not None]
        if given and of(given):
            before = coming.pop(key, set())
            together = not before or (key in mixed and not infects)
            here[key] = frozenset(before | ({Origin(key)} if together else set()))
        for slot, (gradient, (source, _)) in enumerate(
            zip(visit.sent, structure.edges(key), strict=False)
        ):
            if gradient is None or source == NO_NODE:
                continue
            if not bad(gradient):
                mixed.add(source)
                continue
            if key not in here:
                arrived[key] = visit.arrived
            mine = here.get(key) or {Origin(key, slot)}
            coming.setdefault(source, set()).update(mine)
    return here, arrived
