"""Lines of equal height over a grid, by marching squares."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10, nan
from typing import SupportsFloat

from handgrad.drawing.axes import LARGEST
from handgrad.drawing.ink import Point

Height = Callable[[float, float], SupportsFloat]
Edge = tuple[int, int, bool]  # of the grid: column, row, and whether it runs upwards
FINE = 96  # stretches of a grid along each side
MOST = 8  # lines


@dataclass(frozen=True, slots=True)
class Grid:
    """Heights over a grid: ``z[row][column]`` at ``y[row]`` and ``x[column]``."""

    x: Sequence[float]
    y: Sequence[float]
    z: Sequence[Sequence[float]]

    def heights(self) -> list[float]:
        """Return all heights that can be drawn."""
        return [value for row in self.z for value in row if isfinite(value)]


def height(f: Height, x: float, y: float) -> float:
    """Return the height at a point, or nan where there is none that can be drawn."""
    try:
        value = float(f(x, y))
    except (ValueError, ArithmeticError):
        return nan
    return value if abs(value) <= LARGEST else nan


def gridded(f: Height, x: tuple[float, float], y: tuple[float, float]) -> Grid:
    """Return a function's heights over a window."""
    across, up = (
        [low + (high - low) * n / FINE for n in range(FINE)] + [high] for low, high in (x, y)
    )
    return Grid(across, up, [[height(f, a, b) for a in across] for b in up])


def levels(low: float, high: float) -> list[float]:
    """Return at most eight round heights between two heights.

    Where the heights span more than a factor of twenty they grow by 1, 2, 5, 10,
    as a bowl's do; else they are evenly apart.

    Example:
        >>> levels(0.1, 60.0), levels(3.0, 4.0)
        ([0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0], [3.2, 3.4, 3.6, 3.8])
    """
    if low >= 0.0 and high > 20.0 * low:
        power, found = floor(log10(high)), list[float]()
        while len(found) < MOST and power > floor(log10(high)) - MOST:
            for by in (5, 2, 1):
                value = by * 10.0**power if power >= 0 else by / 10**-power
                if low < value < high and len(found) < MOST:
                    found.append(value)
            power -= 1
        return found[::-1]
    wanted = (high - low) / (MOST + 1)
    power = floor(log10(wanted))
    by = next(by for by in (1, 2, 5, 10) if by * 10.0**power >= wanted)
    apart = by * 10.0**power
    counts = range(ceil(low / apart), floor(high / apart) + 1)
    values = (n * by * 10.0**power if power >= 0 else n * by / 10**-power for n in counts)
    return [value for value in values if low < value < high]


def lines(grid: Grid, level: float) -> list[list[Point]]:
    """Return the lines of one height; a closed one ends where it begins."""
    follow: dict[Edge, list[Edge]] = {}
    for a, b in _stretches(grid, level):
        follow.setdefault(a, []).append(b)
        follow.setdefault(b, []).append(a)
    found: list[list[Point]] = []
    ends = [edge for edge, others in follow.items() if len(others) == 1]
    for start in (*ends, *follow):
        if not follow.get(start):
            continue
        chain = _followed(start, follow)
        found.append([_crossing(grid, edge, level) for edge in chain])
    return found


def _followed(start: Edge, follow: dict[Edge, list[Edge]]) -> list[Edge]:
    """Walk along stretches from an edge until there are no more, using each up."""
    chain = [start]
    while follow[chain[-1]]:
        here = chain[-1]
        there = follow[here].pop(0)
        follow[there].remove(here)
        chain.append(there)
    return chain


def _stretches(grid: Grid, level: float) -> Iterator[tuple[Edge, Edge]]:
    """Yield where the line enters and leaves each square of the grid."""
    above = [[z >= level for z in row] for row in grid.z]
    for row, (below, over) in enumerate(pairwise(above)):
        for column, sides in enumerate(zip(pairwise(below), pairwise(over), strict=True)):
            (a, b), (d, c) = sides
            if a == b == c == d:
                continue
            corners = (*grid.z[row][column : column + 2], *grid.z[row + 1][column : column + 2])
            if all(map(isfinite, corners)):
                yield from _through((a, b, c, d), sum(corners) / 4 >= level, column, row)


def _through(
    above: tuple[bool, bool, bool, bool], middle: bool, column: int, row: int
) -> Iterator[tuple[Edge, Edge]]:
    """Yield one stretch through a square, or two where a line passes on both sides of a saddle.

    ``above`` says which corners are, from the lower left one anticlockwise, and
    ``middle`` whether the middle of the square is.
    """
    sides: Mapping[int, Edge] = {
        0: (column, row, False),
        1: (column + 1, row, True),
        2: (column, row + 1, False),
        3: (column, row, True),
    }  # below, right, above, left
    crossed = [n for n in range(4) if above[n] != above[(n + 1) % 4]]
    if len(crossed) == 2:
        yield sides[crossed[0]], sides[crossed[1]]
    elif crossed:
        pairs = ((0, 1), (2, 3)) if middle == above[0] else ((3, 0), (1, 2))
        for a, b in pairs:
            yield sides[a], sides[b]


def _crossing(grid: Grid, edge: Edge, level: float) -> Point:
    """Return where a line crosses an edge of the grid, heights in between being in proportion."""
    column, row, upwards = edge
    a = grid.z[row][column]
    b = grid.z[row + 1][column] if upwards else grid.z[row][column + 1]
    t = (level - a) / (b - a)
    x, y = grid.x[column], grid.y[row]
    if upwards:
        return x, y + t * (grid.y[row + 1] - y)
    return x + t * (grid.x[column + 1] - x), y
