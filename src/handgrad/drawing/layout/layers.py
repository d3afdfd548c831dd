"""A small layered layout: who stands in which layer, in which order, and where.

Everything here is about numbers and orders, not about ink. ``f`` is the
direction of the forward pass, from layer to layer; ``c`` runs across it.
The steps are the classic ones: layers by the longest path to the loss, a
dummy wherever a road passes through a layer, orders by barycentres, and places
by least squares under the separations.

Source:
    Sugiyama, Tagawa & Toda (1981), *Methods for visual understanding of
    hierarchical system structures*.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from handgrad.drawing.layout.places import places

ROUNDS = 12  # sweeps of ordering


@dataclass(frozen=True, slots=True)
class Way:
    """One road's stations from its source to its target, one in each layer."""

    stations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Layers from the inputs to the loss, each in order across, and every place."""

    layers: tuple[tuple[str, ...], ...]
    place: Mapping[str, float]
    ways: tuple[Way, ...]
    crossings: int


def arrange(
    keys: Sequence[str],
    links: Sequence[tuple[str, str]],
    extent: Mapping[str, tuple[float, float]],
    road: tuple[float, float],
    apart: tuple[float, float],
    most: int | None = None,
    spine: Sequence[int] = (),
    room: float | None = None,
    bundle: int | None = None,
) -> Plan:
    """Lay out an acyclic graph.

    Args:
        keys: The boxes, each consumer before what it consumes; the loss first.
        links: Pairs (source, target), repeated if there are several roads.
        extent: How far each box reaches across to both sides of its place.
        road: The same for a road that passes through a layer.
        apart: Free room between two boxes, and between a road and anything.
        most: At most so many boxes in one layer.
        spine: The links whose ways are to be one straight line.
        room: Keep everything within so much across, if the layers allow it.
        bundle: Let roads from the same source pass a layer as one; those into a box that
            more than so many enter, with all others that lead there.
    """
    layer = assign(keys, links, most)
    layers, ways = _stations(keys, links, layer, bundle=bundle)
    pairs = list(dict.fromkeys(pair for way in ways for pair in pairwise(way.stations)))
    above, below = _neighbours(pairs)
    straight = frozenset(station for index in spine for station in ways[index].stations)
    layers = [sorted(row, key=lambda station: station not in straight) for row in layers]
    layers = _order(layers, above, below)
    reach = {station: extent.get(station, road) for row in layers for station in row}
    boxes = frozenset(keys)
    place = places(layers, above, below, reach, boxes, apart, straight, room)
    return Plan(tuple(map(tuple, layers)), place, tuple(ways), crossings(layers, pairs))


def assign(
    keys: Sequence[str], links: Sequence[tuple[str, str]], most: int | None = None
) -> dict[str, int]:
    """Return each box's layer, counted back from the loss, at most ``most`` boxes in each."""
    consumers: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in links:
        consumers[source].append(target)
    layer: dict[str, int] = {}
    held: dict[int, int] = {}
    for key in keys:
        level = max((layer[target] + 1 for target in consumers[key]), default=0)
        while most is not None and held.get(level, 0) >= most:
            level += 1
        layer[key] = level
        held[level] = held.get(level, 0) + 1
    return layer


def _stations(
    keys: Sequence[str],
    links: Sequence[tuple[str, str]],
    layer: Mapping[str, int],
    *,
    bundle: int | None,
) -> tuple[list[list[str]], list[Way]]:
    """Put a dummy where a road passes; return layers (inputs first) and the ways."""
    depth = max(layer.values()) + 1
    rows: list[list[str]] = [[] for _ in range(depth)]
    for key in keys:
        rows[depth - 1 - layer[key]].append(key)
    ways: list[Way] = []
    entering = Counter(target for _, target in links)
    for index, (source, target) in enumerate(links):
        way = str(index)
        if bundle is not None:
            way = f"{target}<" if entering[target] > bundle else source
        stops = [source]
        for level in range(layer[source] - 1, layer[target], -1):
            stops.append(f"{way}@{level}")
            if bundle is None or stops[-1] not in rows[depth - 1 - level]:
                rows[depth - 1 - level].append(stops[-1])
        ways.append(Way((*stops, target)))
    return rows, ways


def _neighbours(
    pairs: Sequence[tuple[str, str]],
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for source, target in pairs:
        below.setdefault(source, []).append(target)
        above.setdefault(target, []).append(source)
    return above, below


def _order(
    layers: list[list[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]
) -> list[list[str]]:
    """Sweep by barycentres and keep the order with the fewest crossings seen."""
    pairs = [(a, b) for a, bs in below.items() for b in bs]
    best, fewest = layers, crossings(layers, pairs)
    now = [list(row) for row in layers]
    for sweep in range(ROUNDS):
        down = sweep % 2 == 1
        rows = range(1, len(now)) if down else range(len(now) - 2, -1, -1)
        for i in rows:
            fixed = now[i - 1] if down else now[i + 1]
            rank = {key: float(at) for at, key in enumerate(fixed)}
            now[i] = _sorted(now[i], above if down else below, rank)
        _swap(now, above, below)
        count = crossings(now, pairs)
        if count < fewest:
            best, fewest = [list(row) for row in now], count
    return best


def _sorted(
    row: list[str], neighbours: Mapping[str, list[str]], rank: Mapping[str, float]
) -> list[str]:
    """Sort by the mean rank of neighbours; what has none keeps its place."""
    weight = {
        key: sum(rank[n] for n in neighbours[key]) / len(neighbours[key])
        for key in row
        if key in neighbours
    }
    movers = iter(sorted(weight, key=weight.__getitem__))
    return [next(movers) if key in weight else key for key in row]


def _swap(
    layers: list[list[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]
) -> None:
    """Exchange neighbours wherever that removes crossings (changes ``layers``)."""
    for i, row in enumerate(layers):
        up = {key: at for at, key in enumerate(layers[i - 1])} if i else {}
        down = {key: at for at, key in enumerate(layers[i + 1])} if i + 1 < len(layers) else {}
        for j in range(len(row) - 1):
            left, right = row[j], row[j + 1]
            kept = _between(left, right, above, up) + _between(left, right, below, down)
            turned = _between(right, left, above, up) + _between(right, left, below, down)
            if turned < kept:
                row[j], row[j + 1] = right, left


def _between(
    left: str, right: str, neighbours: Mapping[str, list[str]], rank: Mapping[str, int]
) -> int:
    """Count the crossings of the roads of two neighbours in a row on one side."""
    return sum(
        rank[a] > rank[b] for a in neighbours.get(left, ()) for b in neighbours.get(right, ())
    )


def crossings(layers: Sequence[Sequence[str]], pairs: Sequence[tuple[str, str]]) -> int:
    """Count how often two roads cross between neighbouring layers.

    Example:
        >>> crossings([["a", "b"], ["x", "y"]], [("a", "y"), ("b", "x")])
        1
    """
    level = {key: i for i, row in enumerate(layers) for key in row}
    rank = {key: at for row in layers for at, key in enumerate(row)}
    count = 0
    for i in range(len(layers) - 1):
        ends = sorted((rank[a], rank[b]) for a, b in pairs if level[a] == i)
        count += sum(
            b2 < b1 and a2 > a1 for n, (a1, b1) in enumerate(ends) for a2, b2 in ends[n + 1 :]
        )
    return count
