"""Roads with two lanes: where they leave and enter a box, and how they bend."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from handgrad.drawing.ink import Curve, Point

_ARC = 0.4477  # 1 - 0.5523: how a cubic comes nearest to a quarter of a circle
STUB = 9.0  # a road's first and last stretch is straight: an arrowhead and a little


@dataclass(frozen=True, slots=True)
class Port:
    """Where a road meets a box: how far from the box's axis, and its half width."""

    offset: float
    half: float


@dataclass(frozen=True, slots=True)
class Knot:
    """A point on a road's axis where it runs straight forward."""

    f: float
    c: float
    half: float


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a box: its length and middle, seen from the box's axis.

    ``half`` is a road's half width where there is room, ``words`` the room to
    keep between two roads, ``beside`` how far from a straight road in the
    middle another one may stand (0: nowhere).
    """

    length: float
    centre: float
    half: float
    words: float
    beside: float = 0.0


def share(side: Side, leans: Sequence[float]) -> list[Port]:
    """Share one side of a box among its roads.

    Args:
        side: The side.
        leans: For each road, in order across, how far it goes aside: 0 for one
            that can run straight on.

    Returns:
        A port for each road. A road that can run straight keeps the axis if
        there is room for the others beside it.
    """
    count = len(leans)
    if count == 1:
        return [Port(0.0, side.half)]
    straight = [i for i, lean in enumerate(leans) if abs(lean) < 1]
    if side.beside and len(straight) == 1 and straight[0] <= 1 and count - straight[0] <= 2:
        return [
            Port(side.beside * (i - straight[0]), side.half if i == straight[0] else side.half - 3)
            for i in range(count)
        ]
    pitch = side.length / count
    narrow = max(2.5, min(side.half, (pitch - side.words) / 2))
    first = side.centre - side.length / 2 + pitch / 2
    return [Port(first + i * pitch, narrow) for i in range(count)]


def lane(knots: Sequence[Knot], side: int, *, flat: bool, reverse: bool) -> Curve:
    """Return one lane of a road: a straight line, or cubics along the knots.

    ``side`` is -1 for the lane at smaller ``c``, +1 for the other, 0 for the
    axis. Both lanes keep their distance in a bend, because the control polygon
    has right angles and each leg is moved by the half width.

    Source:
        Tiller & Hanson (1984), *Offsets of two-dimensional profiles*.
    """
    points: list[Point] = [(knots[0].f, knots[0].c + side * knots[0].half)]
    straight = knots[0]  # as far as the lane has come without a bend
    for a, b in pairwise(knots):
        ca, cb = a.c + side * a.half, b.c + side * b.half
        if abs(cb - points[-1][1]) < 0.01:
            straight = b
            continue
        if straight.f > points[-1][0]:
            points += straight_piece(points[-1], (straight.f, points[-1][1]))
        turn = (b.c > a.c) - (b.c < a.c)
        near = min(a.half, b.half, abs(b.c - a.c) / 2, (b.f - a.f) / 3)
        middle = (a.f + b.f) / 2 - turn * side * near
        points += [(middle, ca), (middle, cb), (b.f, cb)]
        straight = b
    if all(abs(k.c - knots[0].c) + abs(k.half - knots[0].half) < 0.25 for k in knots):
        points = [points[0], (knots[-1].f, points[-1][1])]
    elif straight.f > points[-1][0]:
        points += straight_piece(points[-1], (straight.f, points[-1][1]))
    turned = tuple(points if flat else [(c, f) for f, c in points])
    return turned[::-1] if reverse else turned


def straight_piece(start: Point, end: Point) -> tuple[Point, Point, Point]:
    """Return the control points of a straight piece of a curve; the first two are equal."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    return middle, middle, end


def knots(
    stations: Sequence[int],
    place: Sequence[float],
    start: Sequence[float],
    end: Sequence[float],
    leave: Port,
    enter: Port,
    half: float,
) -> list[Knot]:
    """Return where a road runs straight: at its ends and through each layer it passes."""
    first, last = stations[0], stations[-1]
    out, into = place[first] + leave.offset, place[last] + enter.offset
    found = [Knot(end[first], out, leave.half), Knot(end[first] + STUB, out, leave.half)]
    for stop in stations[1:-1]:
        found += [Knot(start[stop], place[stop], half), Knot(end[stop], place[stop], half)]
    found += [Knot(start[last] - STUB, into, enter.half), Knot(start[last], into, enter.half)]
    return found


def rounded(corners: Sequence[Point], radius: float) -> Curve:
    """Return a lane through corners, each turned with a quarter of a circle."""
    points: list[Point] = [corners[0]]
    for before, at, after in zip(corners, corners[1:], corners[2:], strict=False):
        entry, leave = _toward(at, before, radius), _toward(at, after, radius)
        points += straight_piece(points[-1], entry)
        points += [_toward(at, before, radius * _ARC), _toward(at, after, radius * _ARC), leave]
    return (*points, *straight_piece(points[-1], corners[-1]))


def _toward(start: Point, end: Point, by: float) -> Point:
    """Return the point ``by`` away from a point, on the way to another along an axis."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    long = abs(dx) + abs(dy)
    return (start[0] + dx / long * by, start[1] + dy / long * by)
