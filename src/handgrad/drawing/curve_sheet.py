"""The two sheets of a curve: line, tangents, triangle and steps, then the words beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from handgrad.drawing.axes import Scale
from handgrad.drawing.canvas import AROUND, EAST, NORTH, NORTHEAST, SOUTH, SOUTHEAST, WEST, Canvas
from handgrad.drawing.graph_figure import COLUMN
from handgrad.drawing.ink import Point
from handgrad.drawing.layout.scene import Rect
from handgrad.drawing.numbers import trimmed, trimmed_factor
from handgrad.drawing.plot import ABOVE, Plot, axes, below_room, end_room, margin
from handgrad.drawing.sampling import Function, clipped, line_of

HIGH, LOW = 350.0, 300.0  # of the sheet, wide and upright
REACH, SHORT = 130.0, 84.0  # of a tangent to each side of its point, wide and upright
RIGHT_FIRST = (EAST, SOUTHEAST, NORTHEAST, SOUTH, *AROUND)
SEEN = 14.0  # a shorter step has no arrow and no words of its own, in pixels
MANY = 2  # points that are called by name and number; of more only the slopes are written


@dataclass(frozen=True, slots=True)
class Spot:
    """One point of the curve; its slope is None where no tangent is asked for."""

    x: float
    y: float
    slope: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the two sheets show, worked out once."""

    f: Function
    places: Sequence[float]
    x: tuple[float, float]
    y: tuple[float, float]
    spots: Sequence[Spot]
    walk: Sequence[Spot]  # from the first spot downhill, itself included
    rate: float
    run: float | None
    names: tuple[str, str]

    def move(self, step: int) -> str:
        """Say how a step of the walk came about."""
        slope = self.walk[step].slope or 0.0
        return f"{trimmed(-self.rate)} × {trimmed_factor(slope)} = {trimmed(-self.rate * slope)}"

    def named(self, spot: Spot) -> str:
        """Say where a point is."""
        return f"{self.names[0]} = {trimmed(spot.x)}, {self.names[1]} = {trimmed(spot.y)}"


def sheet(facts: Facts, room: float) -> Canvas:
    """Draw the figure on a sheet of a width."""
    wide = room >= COLUMN
    height = HIGH if wide else LOW
    canvas = Canvas(room, height)
    top, bottom = ABOVE, height - below_room(facts.names[0])
    plot = Plot(
        Scale(*facts.x, margin(facts.y, bottom - top), room - end_room(facts.names[0])),
        Scale(*facts.y, bottom, top),
    )
    canvas.open(plot.places)
    axes(canvas, plot, facts.names)
    _triangle_lines(canvas, plot, facts)
    for run in line_of(facts.f, facts.places, plot.x, plot.y):
        for part in clipped(run, plot.rect):
            canvas.stroke(part, "fwd curve")
    ends = [_tangent(canvas, plot, spot, REACH if wide else SHORT, facts) for spot in facts.spots]
    _steps(canvas, plot, facts)
    for index, spot in enumerate(facts.spots):
        if plot.holds(spot.x, spot.y):
            canvas.open(f'data-point="{index}"')
            canvas.spot(plot.at(spot.x, spot.y), "fw")
            canvas.close()
    _label(canvas, plot, facts, ends)
    canvas.close()
    return canvas


def _tangent(
    canvas: Canvas, plot: Plot, spot: Spot, reach: float, facts: Facts
) -> tuple[Point, Point] | None:
    """Draw the tangent at a point, as far as the field goes, and return its ends."""
    if spot.slope is None:
        return None
    x, y = plot.at(spot.x, spot.y)
    dx, dy = _direction(plot, spot.slope)
    if facts.run is not None and spot is facts.spots[0] and dx:
        reach = max(reach, abs(plot.x.at(spot.x + facts.run) - x) / dx + 24.0)
    parts = clipped([(x - reach * dx, y - reach * dy), (x + reach * dx, y + reach * dy)], plot.rect)
    if not parts:
        return None
    canvas.stroke(parts[0], "back tangent")
    return parts[0][0], parts[0][-1]


def _direction(plot: Plot, slope: float) -> Point:
    """Return the unit vector on the sheet along which a slope goes to the right."""
    across = (plot.x.end - plot.x.start) / (plot.x.high - plot.x.low)
    up = slope * (plot.y.end - plot.y.start) / (plot.y.high - plot.y.low)
    long = hypot(across, up)
    return across / long, up / long


def _triangle(plot: Plot, facts: Facts) -> tuple[Point, Point, Point] | None:
    """Return the corners of the triangle under the first tangent, if it fits into the field."""
    if facts.run is None or not facts.spots or facts.spots[0].slope is None:
        return None
    spot, slope = facts.spots[0], facts.spots[0].slope
    for left in (spot.x, spot.x - facts.run):  # to the right of the point, else to its left
        right = left + facts.run
        low, high = (spot.y + slope * (x - spot.x) for x in (left, right))
        if plot.holds(left, low) and plot.holds(right, high):
            return plot.at(left, low), plot.at(right, low), plot.at(right, high)
    return None


def _triangle_lines(canvas: Canvas, plot: Plot, facts: Facts) -> None:
    corners = _triangle(plot, facts)
    if corners is not None:
        canvas.stroke(corners, "rule")


def _steps(canvas: Canvas, plot: Plot, facts: Facts) -> None:
    """Draw one step as a move and a drop, several as arrows from point to point."""
    if not facts.walk:
        return
    at = [plot.at(spot.x, spot.y) for spot in facts.walk]
    canvas.open('class="walk"')
    if len(at) == 2:
        (x, y), (new, drop) = at
        if abs(new - x) >= SEEN:
            canvas.arrow((x, y), (new, y), "back")
            canvas.stroke([(new, y), (new, drop)], "rule dashed")
    else:
        for tail, tip in pairwise(at):
            canvas.arrow(tail, _before(tail, tip, 5.0), "back")
        for point in at[1:-1]:
            canvas.spot(point, "fw", 4.0)
    canvas.spot(at[-1], "open", 5.0)
    canvas.close()


def _before(tail: Point, tip: Point, room: float) -> Point:
    """Return where an arrow ends that keeps its head clear of the point it leads to."""
    long = hypot(tip[0] - tail[0], tip[1] - tail[1])
    share = max(0.0, 1 - room / long) if long else 0.0
    return tail[0] + share * (tip[0] - tail[0]), tail[1] + share * (tip[1] - tail[1])


def _label(
    canvas: Canvas, plot: Plot, facts: Facts, ends: Sequence[tuple[Point, Point] | None]
) -> None:
    """Write the numbers beside what they belong to."""
    names = facts.names
    to_left = len(facts.walk) > 1 and facts.walk[1].x < facts.walk[0].x
    _label_triangle(canvas, plot, facts)
    for spot in (*facts.spots[: MANY if len(facts.spots) <= MANY else 0], *facts.walk[-1:]):
        sides = RIGHT_FIRST if to_left and spot is facts.spots[0] else AROUND
        canvas.near([plot.at(spot.x, spot.y)], facts.named(spot), "k fw", sides=sides,
                    names=names, shorter=f"{names[0]} = {trimmed(spot.x)}")  # fmt: skip
    if len(facts.walk) == 2:
        (x, y), (new, _) = (plot.at(spot.x, spot.y) for spot in facts.walk)
        along = [(x + (new - x) * t, y) for t in (0.5, 0.6, 0.4, 0.75, 0.9)]
        if abs(new - x) >= SEEN:
            canvas.near(along, facts.move(0), "k bk", sides=(NORTH, SOUTH))
    for spot, end in zip(facts.spots, ends, strict=True):
        if end is not None and spot.slope is not None:
            others = [_corner(point) for other in ends if other not in (None, end)
                      for point in other or ()]  # fmt: skip
            own = [*end[::-1], plot.at(spot.x, spot.y)]
            canvas.near(own, f"slope {trimmed(spot.slope)}", "k bk", shun=others)


def _label_triangle(canvas: Canvas, plot: Plot, facts: Facts) -> None:
    """Write how far the triangle goes to the right, and how far up or down."""
    corners = _triangle(plot, facts)
    if corners is None or facts.run is None:
        return
    (x1, y1), (x2, _), (_, y3) = corners
    rise = (facts.spots[0].slope or 0.0) * facts.run
    along = [(x2, y1 + (y3 - y1) * t) for t in (0.5, 0.35, 0.65)]
    canvas.near(along, trimmed(rise), "k", sides=(EAST, WEST), farthest=0.0)
    below = (SOUTH, NORTH) if rise >= 0 else (NORTH, SOUTH)
    canvas.near([((x1 + x2) / 2, y1)], trimmed(facts.run), "k", sides=below, farthest=0.0)


def _corner(point: Point) -> Rect:
    return (*point, *point)
