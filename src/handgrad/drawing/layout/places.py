"""Where the vertices of a layered graph stand across: least squares under distances.

Source:
    Pooling adjacent violators: Barlow et al. (1972), *Statistical inference
    under order restrictions*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from handgrad.drawing.layout.layers import Layering

ROUNDS = 12  # sweeps; the first half looks at one side at a time
STRAIGHTENINGS = 3  # passes over the edges that make them straight
STILL = 0.5  # a sweep that moves nothing farther is the last
_FIXED = 1e12  # how much the spine cares for standing on its line
_PASSING = 16.0  # how much more an edge that passes wants its place than a box


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much room the vertices of a layered graph take across.

    Attributes:
        reach: How far each vertex reaches to both sides of its place.
        boxes: The least free room between two boxes.
        edges: The same between an edge and anything.
        within: Keep everything between 0 and here, if the layers allow it.
    """

    reach: Sequence[tuple[float, float]]
    boxes: float
    edges: float
    within: float | None = None

    def least(self, layering: Layering) -> float:
        """Return how wide the widest layer is at least."""
        return max(self.width(row, layering.boxes) for row in layering.layers)

    def width(self, row: Sequence[int], count: int) -> float:
        """Return how wide a row is at least; ``count`` says how many vertices are boxes."""
        ends = self.reach[row[-1]][1] - self.reach[row[0]][0]
        return sum(self.separations(row, count)) + ends

    def separations(self, row: Sequence[int], count: int) -> list[float]:
        """Return the least distance of each vertex of a row from the one before it.

        ``count`` says how many vertices are boxes.
        """
        return [
            self.reach[a][1]
            + (self.boxes if a < count and b < count else self.edges)
            - self.reach[b][0]
            for a, b in pairwise(row)
        ]


@dataclass(frozen=True, slots=True)
class Passing:
    """An edge that passes layers: its vertices there want one place, between its ends.

    Attributes:
        vertices: Where it passes.
        source: The vertex it comes from, and how far from its place it leaves.
        target: The vertex it goes to, and how far from its place it enters.
    """

    vertices: tuple[int, ...]
    source: tuple[int, float]
    target: tuple[int, float]


def passing_edges(
    layering: Layering, offsets: Sequence[tuple[float, float]] | None
) -> list[Passing]:
    """Return the edges that pass layers; of those that pass as one, the first.

    ``offsets`` says for each edge how far from its ends' places it leaves and enters.
    """
    found: list[Passing] = []
    known: set[int] = set()
    for index, chain in enumerate(layering.chains):
        vertices = tuple(vertex for vertex in chain[1:-1] if vertex not in known)
        if vertices:
            known.update(vertices)
            leave, enter = offsets[index] if offsets is not None else (0.0, 0.0)
            found.append(Passing(vertices, (chain[0], leave), (chain[-1], enter)))
    return found


def places(
    layering: Layering,
    room: Room,
    straight: Mapping[int, float],
    offsets: Sequence[tuple[float, float]] | None = None,
) -> list[float]:
    """Return a place across for every vertex: near its neighbours, never touching.

    Args:
        layering: The layers.
        room: How much room everything takes.
        straight: Vertices that stand on one line, if there is room for the rest
            beside it, and how far from it.
        offsets: For each edge how far from its ends' places it leaves and enters.
    """
    rows, count = layering.layers, layering.boxes
    gaps = [room.separations(row, count) for row in rows]
    line = _line(rows, gaps, room, straight)
    place = [0.0] * len(layering.above)
    for row, gap in zip(rows, gaps, strict=True):
        _settle_row(row, [0.0] * len(row), [1.0] * len(row), gap, room, place)
    edges = passing_edges(layering, offsets)
    wish = [0.0] * len(place)
    weight = [_PASSING] * len(place)
    if line is not None:
        for vertex, offset in straight.items():
            wish[vertex], weight[vertex] = line + offset, _FIXED
    free = [[v for v in row if v < count and weight[v] != _FIXED] for row in rows]
    both = [a + b for a, b in zip(layering.above, layering.below, strict=True)]
    for sweep in range(ROUNDS):
        down, early = sweep % 2 == 0, sweep < ROUNDS // 2
        near = both if not early else layering.above if down else layering.below
        for edge in edges:
            (source, leave), (target, enter) = edge.source, edge.target
            at = (place[source] + leave + place[target] + enter) / 2
            if not early:
                at = (at + sum([place[v] for v in edge.vertices]) / len(edge.vertices)) / 2
            for vertex in edge.vertices:
                if weight[vertex] != _FIXED:
                    wish[vertex] = at
        farthest = 0.0
        for i in range(len(rows)) if down else range(len(rows) - 1, -1, -1):
            for vertex in free[i]:
                around = near[vertex]
                weight[vertex] = len(around) or 0.1
                wish[vertex] = (
                    sum([place[v] for v in around]) / len(around) if around else place[vertex]
                )
            row = rows[i]
            moved = _settle_row(
                row, [wish[v] for v in row], [weight[v] for v in row], gaps[i], room, place
            )
            farthest = max(farthest, moved)
        if not early and farthest < STILL:
            break
    _straighten(layering, edges, room, gaps, place)
    return place


def _settle_row(
    row: Sequence[int],
    wish: Sequence[float],
    weight: Sequence[float],
    gaps: Sequence[float],
    room: Room,
    place: list[float],
) -> float:
    """Give the vertices of a row their places; return the farthest move (changes ``place``)."""
    bounds = None
    if room.within is not None:
        bounds = (-room.reach[row[0]][0], room.within - room.reach[row[-1]][1])
    farthest = 0.0
    for vertex, at in zip(row, settle(wish, weight, gaps, bounds), strict=True):
        farthest = max(farthest, abs(at - place[vertex]))
        place[vertex] = at
    return farthest


def _line(
    rows: Sequence[Sequence[int]],
    gaps: Sequence[Sequence[float]],
    room: Room,
    straight: Mapping[int, float],
) -> float | None:
    """Return where a straight line of vertices can stand: half way between its limits."""
    if room.within is None or not straight:
        return 0.0
    low, high = 0.0, room.within
    for row, gap in zip(rows, gaps, strict=True):
        for j, vertex in enumerate(row):
            if vertex in straight:
                aside = straight[vertex]
                low = max(low, sum(gap[:j]) - room.reach[row[0]][0] - aside)
                high = min(high, room.within - sum(gap[j:]) - room.reach[row[-1]][1] - aside)
    return (low + high) / 2 if low <= high else None


def _straighten(
    layering: Layering,
    edges: Sequence[Passing],
    room: Room,
    gaps: Sequence[Sequence[float]],
    place: list[float],
) -> None:
    """Let each passing edge run straight as far as its neighbours allow (changes ``place``)."""
    home = {vertex: (i, j) for i, row in enumerate(layering.layers) for j, vertex in enumerate(row)}

    def limits(vertex: int) -> tuple[float, float]:
        i, j = home[vertex]
        row = layering.layers[i]
        low, high = -inf, inf
        if room.within is not None:
            low, high = -room.reach[vertex][0], room.within - room.reach[vertex][1]
        if j:
            low = place[row[j - 1]] + gaps[i][j - 1]
        if j + 1 < len(row):
            high = place[row[j + 1]] - gaps[i][j]
        return low, high

    long = [edge.vertices for edge in edges if len(edge.vertices) > 1]
    middle = (min(place) + max(place)) / 2
    for _ in range(STRAIGHTENINGS):
        before = list(place)
        # the outermost first, so that those farther in can follow
        long.sort(key=lambda run: -max([abs(place[vertex] - middle) for vertex in run]))
        for vertices in long:
            run: list[int] = []
            least, most = -inf, inf
            for vertex in vertices:
                low, high = limits(vertex)
                if max(low, least) > min(high, most):
                    _align(run, least, most, place)
                    run, least, most = [], -inf, inf
                run.append(vertex)
                least, most = max(low, least), min(high, most)
            _align(run, least, most, place)
        if before == place:
            break


def _align(run: Sequence[int], least: float, most: float, place: list[float]) -> None:
    """Give all vertices of a run one place within limits (changes ``place``)."""
    if len(run) > 1:
        mean = sum([place[vertex] for vertex in run]) / len(run)
        for vertex in run:
            place[vertex] = min(max(mean, least), most)


def settle(
    wish: Sequence[float],
    weight: Sequence[float],
    gaps: Sequence[float],
    bounds: tuple[float, float] | None = None,
) -> list[float]:
    """Return the places nearest to the wishes (weighted squares) that keep the distances.

    ``bounds`` are the least place of the first and the largest of the last.

    Example:
        >>> settle([0.0, 0.0], [1.0, 1.0], [10.0])
        [-5.0, 5.0]
    """
    if len(wish) == 1:
        at = wish[0]
        return [at if bounds is None else min(max(at, bounds[0]), max(bounds))]
    shift = [0.0]
    for gap in gaps:
        shift.append(shift[-1] + gap)
    pools: list[tuple[float, float, int]] = []  # mean wish, weight, members
    for want, heavy, moved in zip(wish, weight, shift, strict=False):
        mean, total, members = want - moved, heavy, 1
        while pools and pools[-1][0] > mean:
            before, mass, crowd = pools.pop()
            mean = (mean * total + before * mass) / (total + mass)
            total, members = total + mass, members + crowd
        pools.append((mean, total, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    if bounds is not None:
        low, high = bounds[0], max(bounds[0], bounds[1] - shift[-1])
        means = [min(max(mean, low), high) for mean in means]
    return [mean + moved for mean, moved in zip(means, shift, strict=False)]
