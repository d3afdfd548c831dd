"""Where the stations of a layered layout stand across: least squares under distances.

Source:
    Pooling adjacent violators: Barlow et al. (1972), *Statistical inference
    under order restrictions*.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

ROUNDS = 24  # sweeps; the first half looks at one side at a time
_FIXED = (0.0, 1e9)  # where the spine wants to stand, and how much it cares
_THROUGH = 60.0  # how much straighter a passing road wants to be than a box


def places(
    layers: Sequence[Sequence[str]],
    above: Mapping[str, list[str]],
    below: Mapping[str, list[str]],
    reach: Mapping[str, tuple[float, float]],
    boxes: frozenset[str],
    apart: tuple[float, float],
    straight: frozenset[str],
    room: float | None,
) -> dict[str, float]:
    """Return a place across for every station: near its neighbours, never touching."""
    place = {key: 0.0 for row in layers for key in row}
    gaps = [_separations(row, reach, boxes, apart) for row in layers]
    for row, gap in zip(layers, gaps, strict=True):
        place.update(zip(row, settle([0.0] * len(row), [1.0] * len(row), gap), strict=True))
    for sweep in range(ROUNDS):
        down = sweep % 2 == 0
        near = (above,) if down else (below,)
        sides = near if sweep < ROUNDS // 2 else (above, below)
        for i in range(len(layers)) if down else range(len(layers) - 1, -1, -1):
            row = layers[i]
            wish, weight = zip(
                *(_FIXED if key in straight else _wish(key, sides, place, boxes) for key in row),
                strict=True,
            )
            bounds = None
            if room is not None:
                bounds = (-reach[row[0]][0], room - reach[row[-1]][1])
            place.update(zip(row, settle(wish, weight, gaps[i], bounds), strict=True))
    return place


def _separations(
    row: Sequence[str],
    reach: Mapping[str, tuple[float, float]],
    boxes: frozenset[str],
    apart: tuple[float, float],
) -> list[float]:
    """Return the least distance of each station from the one before it."""
    return [
        reach[a][1] + apart[0 if a in boxes and b in boxes else 1] - reach[b][0]
        for a, b in pairwise(row)
    ]


def _wish(
    key: str,
    sides: Sequence[Mapping[str, list[str]]],
    place: Mapping[str, float],
    boxes: frozenset[str],
) -> tuple[float, float]:
    """Return where a station would like to stand, and how much it cares."""
    near = [n for side in sides for n in side.get(key, ())]
    if not near:
        return place[key], 0.1
    passing = key not in boxes
    weights = [_THROUGH if passing and n not in boxes else 1.0 for n in near]
    total = sum(weights)
    return sum(w * place[n] for w, n in zip(weights, near, strict=True)) / total, total


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
