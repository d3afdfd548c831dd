"""A small layered layout: who stands in which layer, in which order, and where.

Everything here is about numbers and orders, not about ink. ``f`` is the
direction of the forward pass, from layer to layer; ``c`` runs across it.
The steps are the classic ones: layers by the longest path to the loss, a
dummy wherever an edge passes through a layer, orders by barycentres, and places
by least squares under the separations.

Source:
    Sugiyama, Tagawa & Toda (1981), *Methods for visual understanding of
    hierarchical system structures*.
"""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

ROUNDS = 12  # sweeps of ordering
PATIENCE = 4  # sweeps without fewer crossings before the ordering stops

Rows = list[list[int]]
"""Vertices in order across, a list for each layer (or for each vertex: its neighbours)."""


@dataclass(frozen=True, slots=True)
class Layering:
    """A graph cut into layers, every edge a chain of vertices, one in each layer.

    Vertices are whole numbers: 0 to ``boxes - 1`` are the boxes, in the order
    given; the rest are dummies, where an edge passes through a layer.

    Attributes:
        boxes: How many boxes there are.
        layers: The vertices of each layer in order across, inputs first.
        chains: For each edge its vertices from source to target.
        above: For each vertex its neighbours in the layer of its inputs.
        below: For each vertex its neighbours in the layer of its consumers.
        crossings: How often two edges cross.
    """

    boxes: int
    layers: Rows
    chains: tuple[tuple[int, ...], ...]
    above: Rows = field(repr=False)
    below: Rows = field(repr=False)
    crossings: int


def layered(
    keys: Sequence[str],
    links: Sequence[tuple[str, str]],
    layer: Mapping[str, int],
    spine: Sequence[int] = (),
    bundle: int | None = None,
) -> Layering:
    """Cut an acyclic graph into layers and order each of them.

    Args:
        keys: The boxes, each consumer before what it consumes; the loss first.
        links: Pairs (source, target), repeated if there are several edges.
        layer: The layer of each box, counted back from the loss; every one of
            them has a box.
        spine: The links whose chains are to be one straight line: they start as
            the first of their layers.
        bundle: Let edges from the same source pass a layer as one; those into a box that
            more than so many enter, with all others that lead there.
    """
    rows, chains = _chains(keys, links, layer, bundle=bundle)
    above, below = _neighbours(chains, sum(map(len, rows)))
    first = {vertex for index in spine for vertex in chains[index]}
    rows = [sorted(row, key=lambda vertex: vertex not in first) for row in rows]
    rows, crossed = _ordered(rows, above, below)
    return Layering(len(keys), rows, tuple(chains), above, below, crossed)


def with_rows(
    layering: Layering, count: Mapping[int, int], middles: Sequence[Mapping[int, float]]
) -> tuple[Layering, list[dict[int, int]]]:
    """Return the layers with rows of dummies more, and these rows: a dummy for each edge.

    Args:
        layering: The layers.
        count: How many rows come after a layer.
        middles: For each layer the edges that run from it to the next, and where
            they are half way: in this order they stand in the rows.
    """
    fresh = len(layering.above)
    links: list[list[int]] = [[] for _ in layering.chains]
    rows: Rows = []
    added: list[dict[int, int]] = []
    starts = _homes(layering)
    for level, row in enumerate(layering.layers):
        rows.append(row)
        for _ in range(count.get(level, 0)):
            order = sorted(middles[level], key=middles[level].__getitem__)
            added.append({edge: fresh + i for i, edge in enumerate(order)})
            rows.append(list(added[-1].values()))
            fresh += len(order)
    behind = iter(added)
    after = {level: [next(behind) for _ in range(many)] for level, many in sorted(count.items())}
    for edge, chain in enumerate(layering.chains):
        for level, vertex in enumerate(chain, starts[chain[0]]):
            links[edge].append(vertex)
            if vertex != chain[-1]:
                links[edge] += [dummies[edge] for dummies in after.get(level, ())]
    chains = tuple(map(tuple, links))
    above, below = _neighbours(chains, fresh)
    return Layering(layering.boxes, rows, chains, above, below, layering.crossings), added


def _homes(layering: Layering) -> dict[int, int]:
    """Return the layer of each vertex."""
    return {vertex: level for level, row in enumerate(layering.layers) for vertex in row}


def _neighbours(chains: Sequence[tuple[int, ...]], count: int) -> tuple[Rows, Rows]:
    """Return for each vertex its neighbours above and below, each once."""
    above: Rows = [[] for _ in range(count)]
    below: Rows = [[] for _ in range(count)]
    for source, target in dict.fromkeys(pair for chain in chains for pair in pairwise(chain)):
        below[source].append(target)
        above[target].append(source)
    return above, below


def assign(keys: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return each box's layer, counted back from the loss: the longest path there."""
    consumers: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in links:
        consumers[source].append(target)
    layer: dict[str, int] = {}
    for key in keys:
        layer[key] = max([layer[target] + 1 for target in consumers[key]], default=0)
    return layer


def packed(
    keys: Sequence[str],
    links: Sequence[tuple[str, str]],
    wide: Mapping[str, float],
    passing: float,
    room: float,
    *,
    bundled: bool,
) -> dict[str, int]:
    """Return each box's layer, counted back from the loss, so that layers stay narrow.

    Layer by layer, of the boxes whose consumers all have a place those come
    first that leave the fewest edges open, and as many as there is room for.

    Args:
        keys: The boxes, each consumer before what it consumes; the loss first.
        links: Pairs (source, target), repeated if there are several edges.
        wide: How much room each box takes.
        passing: How much room an edge takes that passes a layer.
        room: How much there is.
        bundled: Whether edges from the same source pass as one.
    """
    consumers: dict[str, set[str]] = {key: set() for key in keys}
    sources: dict[str, list[str]] = {key: [] for key in keys}
    opened = Counter[str]()  # edges whose target has a place, by their source
    for source, target in links:
        consumers[source].add(target)
        sources[target].append(source)
    waiting = {key: len(consumers[key]) for key in keys}
    ready = [key for key in keys if not waiting[key]]
    layer: dict[str, int] = {}
    level = 0
    while ready:
        ready.sort(key=lambda key: len(sources[key]) - opened[key])
        taken, open_edges = 0.0, len(opened) if bundled else opened.total()
        chosen: list[str] = []
        for key in ready:
            closed = min(1, opened[key]) if bundled else opened[key]
            needed = taken + wide[key] + (open_edges - closed) * passing
            if not chosen or needed <= room:
                chosen.append(key)
                taken += wide[key]
                open_edges -= closed
        for key in chosen:
            layer[key] = level
            del opened[key]
            opened.update(sources[key])
        ready = [key for key in ready if key not in layer]
        for key in chosen:
            for source in dict.fromkeys(sources[key]):
                waiting[source] -= 1
                if not waiting[source]:
                    ready.insert(0, source)
        level += 1
    return layer


def _chains(
    keys: Sequence[str],
    links: Sequence[tuple[str, str]],
    layer: Mapping[str, int],
    *,
    bundle: int | None,
) -> tuple[Rows, list[tuple[int, ...]]]:
    """Put a dummy where an edge passes; return layers (inputs first) and chains."""
    depth = max(layer.values()) + 1
    rows: Rows = [[] for _ in range(depth)]
    number = {key: index for index, key in enumerate(keys)}
    for key in keys:
        rows[depth - 1 - layer[key]].append(number[key])
    chains: list[tuple[int, ...]] = []
    dummies: dict[tuple[object, int], int] = {}
    entering = Counter(target for _, target in links)
    for index, (source, target) in enumerate(links):
        shared: object = index
        if bundle is not None:
            shared = (target,) if entering[target] > bundle else source
        chain = [number[source]]
        for level in range(layer[source] - 1, layer[target], -1):
            dummy = dummies.get((shared, level))
            if dummy is None:
                dummy = dummies[shared, level] = len(keys) + len(dummies)
                rows[depth - 1 - level].append(dummy)
            chain.append(dummy)
        chains.append((*chain, number[target]))
    return rows, chains


def _ordered(rows: Rows, above: Rows, below: Rows) -> tuple[Rows, int]:
    """Sweep by barycentres; return the order with the fewest crossings seen, and their number."""
    rank = [0] * len(above)
    for row in rows:
        _number(row, rank)
    crossed = [_crossings(row, below, rank) for row in rows]
    best, fewest, since = rows, sum(crossed), 0
    now = [list(row) for row in rows]
    for sweep in range(ROUNDS):
        if not fewest or since == PATIENCE:
            break
        down = sweep % 2 == 1
        fixed = above if down else below
        for i in range(1, len(now)) if down else range(len(now) - 2, -1, -1):
            now[i] = _sorted(now[i], fixed, rank)
            _number(now[i], rank)
        crossed = [_crossings(row, below, rank) for row in now]
        for i, row in enumerate(now):
            if crossed[i] or (i and crossed[i - 1]):
                _swap(row, above, below, rank)
        count = sum(_crossings(row, below, rank) for row in now)
        since += 1
        if count < fewest:
            best, fewest, since = [list(row) for row in now], count, 0
    return best, fewest


def _number(row: Sequence[int], rank: list[int]) -> None:
    """Write down the place of each vertex in its row (changes ``rank``)."""
    for place, vertex in enumerate(row):
        rank[vertex] = place


def _sorted(row: list[int], neighbours: Rows, rank: Sequence[int]) -> list[int]:
    """Sort by the mean rank of neighbours; what has none keeps its place."""
    if len(row) == 1:
        return row
    weight = {
        vertex: sum([rank[other] for other in near]) / len(near)
        for vertex in row
        if (near := neighbours[vertex])
    }
    movers: Iterator[int] = iter(sorted(weight, key=weight.__getitem__))
    return [next(movers) if vertex in weight else vertex for vertex in row]


def _swap(row: list[int], above: Rows, below: Rows, rank: list[int]) -> None:
    """Exchange neighbours wherever that removes crossings (changes ``row`` and ``rank``)."""
    for j in range(len(row) - 1):
        left, right = row[j], row[j + 1]
        gain = 0
        for near in (above, below):
            for a in near[left]:
                for b in near[right]:
                    gain += (rank[a] > rank[b]) - (rank[a] < rank[b])
        if gain > 0:
            row[j], row[j + 1] = right, left
            rank[left], rank[right] = j + 1, j


def crossings(rows: Rows, pairs: Sequence[tuple[int, int]]) -> int:
    """Count how often two edges cross between neighbouring layers.

    Example:
        >>> crossings([[0, 1], [2, 3]], [(0, 3), (1, 2)])
        1
    """
    count = 1 + max(vertex for row in rows for vertex in row)
    below: Rows = [[] for _ in range(count)]
    for source, target in pairs:
        below[source].append(target)
    rank = [0] * count
    for row in rows:
        _number(row, rank)
    return sum(_crossings(row, below, rank) for row in rows)


def _crossings(row: Sequence[int], below: Rows, rank: Sequence[int]) -> int:
    """Count the pairs of edges leaving a row that end in the other order."""
    count = 0
    ends: list[int] = []
    for vertex in row:
        targets = sorted([rank[target] for target in below[vertex]])
        for target in targets:
            count += len(ends) - bisect_right(ends, target)
        for target in targets:
            insort(ends, target)
    return count
