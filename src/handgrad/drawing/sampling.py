"""Functions as lines on a sheet: where to look, where they break, which corners they need."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import isfinite, nan
from typing import SupportsFloat

from handgrad.drawing.axes import LARGEST, Scale
from handgrad.drawing.ink import Point
from handgrad.errors import HandgradError, InputError

Function = Callable[[float], SupportsFloat]
GRID = 256  # stretches that a function is looked at in, before any is split
SAG = 0.15  # how far a straight stretch may lie off its curve, in pixels
LEAST = 1 / 64  # no stretch is split below this width, in pixels
JUMP = 6.0  # a rise this steep over the least width is a gap, in pixels
STEP = 2.0**-10  # of the window: how far a slope is nudged for
KINK = 1e-3  # of a slope: what its two sides may differ by without being a kink
NOISE = 1e-6  # of a value: what single precision may be off by, with room


def evaluated(f: Function, x: float) -> float:
    """Return a function's value, or nan where it has none that can be drawn."""
    try:
        value = float(f(x))
    except HandgradError:  # a refusal of ours is a ValueError too
        raise
    except (ValueError, ArithmeticError):
        return nan
    return value if abs(value) <= LARGEST else nan


def grid(low: float, high: float, extra: Sequence[float] = ()) -> list[float]:
    """Return places from one end of a window to the other, the ``extra`` ones among them."""
    even = {low + (high - low) * n / GRID for n in range(GRID)} | {high}
    return sorted(even | {x for x in extra if low < x < high})


def line_of(f: Function, places: Sequence[float], x: Scale, y: Scale) -> list[list[Point]]:
    """Return a function as runs of points on the sheet; a run ends where the function breaks.

    Stretches are halved until they are straight to a fraction of a pixel, so a
    kink is as sharp as it is; then points that change nothing are left out.
    """
    runs: list[list[Point]] = [[]]
    values = [(place, evaluated(f, place)) for place in places]
    for start, end in pairwise(values):
        for point in _stretch(f, start, end, x, y):
            if not isfinite(point[1]):
                runs.append([])
            elif not runs[-1] or runs[-1][-1] != point:
                runs[-1].append(point)
    return [simplified(run) for run in runs if len(run) > 1]


def _stretch(f: Function, start: Point, end: Point, x: Scale, y: Scale) -> Iterator[Point]:
    """Yield the sheet's points from one place to another; one at nan is a gap."""
    todo = [(start, end)]
    yield _placed(start, x, y)
    while todo:
        a, b = todo.pop()
        middle = (a[0] + b[0]) / 2
        wide = abs(x.at(b[0]) - x.at(a[0]))
        m = (middle, evaluated(f, middle))
        off = y.at(m[1]) - (y.at(a[1]) + y.at(b[1])) / 2
        split = abs(off) > SAG or not isfinite(off)
        if split and wide > LEAST and any(isfinite(v) for v in (a[1], m[1], b[1])):
            todo += [(m, b), (a, m)]
            continue
        if split and abs(y.at(b[1]) - y.at(a[1])) > JUMP:
            yield (0.0, nan)
        yield _placed(b, x, y)


def _placed(point: Point, x: Scale, y: Scale) -> Point:
    return x.at(point[0]), y.at(point[1])


def simplified(points: Sequence[Point], sag: float = SAG / 2) -> list[Point]:
    """Return the fewest of the points, the ends among them, whose line lies near all of them."""
    keep = {0, len(points) - 1}
    todo = [(0, len(points) - 1)]
    while todo:
        first, last = todo.pop()
        far, at = max(
            ((_off(points[i], points[first], points[last]), i) for i in range(first + 1, last)),
            default=(0.0, 0),
        )
        if far > sag:
            keep.add(at)
            todo += [(first, at), (at, last)]
    return [points[i] for i in sorted(keep)]


def _off(point: Point, a: Point, b: Point) -> float:
    """Return the distance of a point from a straight stretch."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    long = dx * dx + dy * dy
    px, py = point[0] - a[0], point[1] - a[1]
    t = min(1.0, max(0.0, (px * dx + py * dy) / long)) if long else 0.0
    return ((px - t * dx) ** 2 + (py - t * dy) ** 2) ** 0.5


def clipped(points: Sequence[Point], rect: tuple[float, float, float, float]) -> list[list[Point]]:
    """Return the runs of a broken line that lie in a rectangle, cut where they leave it."""
    runs: list[list[Point]] = []
    for a, b in pairwise(points):
        part = _inside(a, b, rect)
        if part is None:
            continue
        if runs and runs[-1][-1] == part[0]:
            runs[-1].append(part[1])
        elif part[0] != part[1]:
            runs.append(list(part))
    return runs


def _inside(
    a: Point, b: Point, rect: tuple[float, float, float, float]
) -> tuple[Point, Point] | None:
    """Return the part of a straight stretch that lies in a rectangle."""
    first, last = 0.0, 1.0
    for axis in (0, 1):
        start, way = a[axis], b[axis] - a[axis]
        low, high = rect[axis] - start, rect[axis + 2] - start
        if way == 0.0:
            if low > 0.0 or high < 0.0:
                return None
            continue
        enter, leave = sorted((low / way, high / way))
        first, last = max(first, enter), min(last, leave)
    if first > last:
        return None
    ends = [(a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])) for t in (first, last)]
    return (a if first == 0.0 else ends[0], b if last == 1.0 else ends[1])


def slope_at(f: Function, x: float, span: float, name: str) -> float:
    """Return a function's slope by nudging it both ways.

    Two nudges, one half of the other, cancel the error that grows with the
    square of the nudge. Of a function in double precision the first nine digits
    are right; of one in single precision, three.

    Raises:
        InputError: If the two sides of ``x`` have different slopes: a kink.
    """
    h = STEP * span
    centre = evaluated(f, x)
    near, far = ((evaluated(f, x + n) - evaluated(f, x - n)) / (2 * n) for n in (h / 2, h))
    slope = (4 * near - far) / 3
    if not isfinite(slope):
        raise InputError(
            f"Cannot work out the slope of {name} at {x!r} by nudging: it is "
            f"{centre} there, or not finite within {h:.2g} on one side. "
            "Move the point, or say slope=... as a function."
        )
    sides = [[(evaluated(f, x + s * n) - centre) / (s * n) for s in (-1, 1)] for n in (h, h / 8)]
    gaps = [abs(right - left) for left, right in sides]
    noise = NOISE * max(abs(evaluated(f, x + n)) for n in (-h, 0.0, h)) / (h / 8)
    if gaps[1] > max(KINK * max(map(abs, sides[1])), gaps[0] / 4, noise):
        left, right = sides[1]
        raise InputError(
            f"{name} has a kink at {x!r}: its slope is {left:.4g} on the left and {right:.4g} on "
            "the right, so there is no one tangent. Say which slope to draw, as in "
            "slope=lambda x: 0.0, or draw the fan of them with draw_activation."
        )
    return slope
