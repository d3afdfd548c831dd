"""The two sheets of a valley: lines, arrows and walk, then the words beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, isfinite

from handgrad.drawing.axes import Scale
from handgrad.drawing.canvas import Canvas
from handgrad.drawing.contours import Height, height
from handgrad.drawing.graph_figure import COLUMN
from handgrad.drawing.ink import Point, num
from handgrad.drawing.layout.scene import Label, Rect, touch
from handgrad.drawing.numbers import trimmed
from handgrad.drawing.plot import ABOVE, Plot, axes, below_room, end_room, margin
from handgrad.drawing.sampling import clipped, simplified

Window = tuple[float, float]
TALLEST, LOWEST = (440.0, 400.0), 150.0  # of the field, wide and upright; the least of both
FIELD = 58.0  # from arrow to arrow of the field
LEAST = 3.0  # a shorter arrow is left out
NUDGE = 2.0**-14  # of the window: how far a gradient is nudged for
SAG = 0.12  # how far a contour line may lie off its points, in pixels


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the two sheets show, worked out once."""

    f: Height
    lines: Sequence[tuple[float, list[list[Point]]]]  # of each height, from the lowest
    x: Window
    y: Window
    path: Sequence[tuple[float, float, float]]
    lowest: tuple[float, float, float] | None
    arrows: bool
    names: tuple[str, str, str]

    def named(self, place: tuple[float, float, float]) -> str:
        """Say where a point is and how high."""
        return ", ".join(
            f"{name} = {trimmed(value)}" for name, value in zip(self.names, place, strict=True)
        )


def sheet(facts: Facts, room: float) -> Canvas:
    """Draw lines, field and walk, then the words."""
    plot, high = _plot(facts, room)
    canvas = Canvas(room, high)
    canvas.open(plot.places)
    axes(canvas, plot, facts.names[:2], about="", zero=False)
    drawn = [(level, _placed(plot, runs)) for level, runs in facts.lines]
    for _, runs in drawn:
        for run in runs:
            canvas.parts.append(f'<path class="rule" d="{_d(run)}"/>')
    way = [plot.at(x, y) for x, y, _ in facts.path]
    if way:
        _walk(canvas, way)
    if facts.lowest is not None:
        x, y = plot.at(*facts.lowest[:2])
        canvas.stroke([(x - 6, y), (x + 6, y)], "fwd")
        canvas.stroke([(x, y - 6), (x, y + 6)], "fwd")
    _label(canvas, plot, facts, drawn)
    if facts.arrows:
        _field(canvas, plot, facts)
    canvas.close()
    return canvas


def _plot(facts: Facts, room: float) -> tuple[Plot, float]:
    """Return the axes and the sheet's height: units equally long on both, if that can be."""
    tallest = TALLEST[room < COLUMN]
    left, right = margin(facts.y, tallest), room - end_room(facts.names[0])
    wide = right - left
    unit = wide / (facts.x[1] - facts.x[0])
    high = unit * (facts.y[1] - facts.y[0])
    if high > tallest and wide * tallest / high >= wide / 2:
        right, high = left + wide * tallest / high, tallest
    high = min(max(high, LOWEST), tallest)
    plot = Plot(Scale(*facts.x, left, right), Scale(*facts.y, ABOVE + high, ABOVE))
    return plot, ABOVE + high + below_room(facts.names[0])


def _placed(plot: Plot, runs: Sequence[Sequence[Point]]) -> list[list[Point]]:
    """Return lines on the sheet."""
    return [simplified([plot.at(*point) for point in run], SAG) for run in runs if len(run) > 2]


def _d(run: Sequence[Point]) -> str:
    """Return a line as a path, closed where it ends as it began."""
    closed = run[0] == run[-1]
    said = "L".join(f"{num(x)} {num(y)}" for x, y in (run[:-1] if closed else run))
    return f"M{said}{'Z' * closed}"


def _field(canvas: Canvas, plot: Plot, facts: Facts) -> None:
    """Draw arrows along the negative gradient, the longest as long as they are apart.

    An arrow that would cross the walk or a word is left out.
    """
    left, top, right, bottom = plot.rect
    columns, rows = (max(2, round(long / FIELD)) for long in (right - left, bottom - top))
    found: list[tuple[Point, float, float]] = []
    for row in range(rows):
        for column in range(columns):
            x = facts.x[0] + (facts.x[1] - facts.x[0]) * (column + 0.5) / columns
            y = facts.y[0] + (facts.y[1] - facts.y[0]) * (row + 0.5) / rows
            down = _downhill(facts, x, y)
            if all(map(isfinite, down)):
                found.append((plot.at(x, y), *down))
    per_x = (plot.x.end - plot.x.start) / (plot.x.high - plot.x.low)
    per_y = (plot.y.end - plot.y.start) / (plot.y.high - plot.y.low)
    longest = max((hypot(dx * per_x, dy * per_y) for _, dx, dy in found), default=0.0) or 1.0
    scale = 0.9 * FIELD / longest
    canvas.open('class="field"')
    for (x, y), dx, dy in found:
        tip = (x + dx * per_x * scale, y + dy * per_y * scale)
        inside = clipped([(x, y), tip], plot.rect)
        long = hypot(tip[0] - x, tip[1] - y)
        whole = inside and inside[0][-1] == tip
        if long >= LEAST and whole and canvas.free(_box((x, y), tip)):
            canvas.arrow((x, y), tip, "back thin", head=5.5)
    canvas.close()


def _downhill(facts: Facts, x: float, y: float) -> tuple[float, float]:
    """Return the negative gradient, by nudging both numbers both ways."""
    dx = NUDGE * (facts.x[1] - facts.x[0])
    dy = NUDGE * (facts.y[1] - facts.y[0])
    return (
        (height(facts.f, x - dx, y) - height(facts.f, x + dx, y)) / (2 * dx),
        (height(facts.f, x, y - dy) - height(facts.f, x, y + dy)) / (2 * dy),
    )


def _box(a: Point, b: Point) -> Rect:
    """Return the upright rectangle around a straight stretch."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])


def _walk(canvas: Canvas, way: Sequence[Point]) -> None:
    """Draw the places of a walk, joined; the last one is open."""
    joined = "L".join(f"{num(x)} {num(y)}" for x, y in way)
    dots = "".join(f"M{num(x)} {num(y)}h0" for x, y in way)
    canvas.parts.append(f'<path class="back thin walk" d="M{joined}"/>')
    canvas.parts.append(f'<path class="fwd dots" d="{dots}"/>')
    canvas.avoid(way, 4.0)
    canvas.spot(way[-1], "open here", 5.0)


def _label(
    canvas: Canvas, plot: Plot, facts: Facts, drawn: Sequence[tuple[float, list[list[Point]]]]
) -> None:
    """Name start, end and the lowest place, then the lines."""
    name = facts.names[2]
    if facts.path:
        first, last = facts.path[0], facts.path[-1]
        canvas.near([plot.at(*first[:2])], f"{name} = {trimmed(first[2])}", "k fw halo",
                    names=(name,))  # fmt: skip
        if len(facts.path) > 1:
            canvas.near([plot.at(*last[:2])], f"{name} = {trimmed(last[2])}", "k fw halo",
                        names=(name,))  # fmt: skip
    if facts.lowest is not None:
        words = f"lowest, {name} = {trimmed(facts.lowest[2])}"
        canvas.near([plot.at(*facts.lowest[:2])], words, "k fw halo", names=(name,),
                    shorter="lowest")  # fmt: skip
    for level, runs in drawn:
        others = [run for other, some in drawn if other != level for run in some]
        _label_line(canvas, trimmed(level), runs, others)


def _label_line(
    canvas: Canvas, words: str, runs: Sequence[list[Point]], others: Sequence[list[Point]]
) -> None:
    """Write a line's height on it, where no other line passes, as far up and right as can be."""
    places = [
        (ax + (bx - ax) * t, ay + (by - ay) * t)
        for run in runs
        for (ax, ay), (bx, by) in pairwise(run)
        for t in (0.25, 0.75)
    ]
    for x, y in sorted(places, key=lambda p: (round(p[1] - p[0]), p)):
        label = Label(x, y, words, "a halo")
        rect = label.rect
        if canvas.free(rect) and not any(
            _crosses(rect, a, b) for run in others for a, b in pairwise(run)
        ):
            canvas.write(label)
            return


def _crosses(rect: Rect, a: Point, b: Point) -> bool:
    return touch(rect, _box(a, b)) and bool(clipped([a, b], rect))
