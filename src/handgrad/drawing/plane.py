"""A walk over the plane of two parameters: where descent went, over lines of equal loss."""

import json
from collections.abc import Sequence
from html import escape
from math import ceil, floor, isfinite, log10

from handgrad.drawing.drawing import Drawing
from handgrad.drawing.ink import Point, line, num, sheet, text
from handgrad.drawing.numbers import MINUS, number
from handgrad.errors import InputError

WIDE, TALL, HIGH = 620.0, 342.0, 320.0
LEFT, TOP, LOW, RIGHT = 46.0, 10.0, 44.0, 12.0  # room for words around the frame
LINE, DOTS = "stroke-width:1.5;stroke-linejoin:round", "stroke-width:6;stroke-linecap:round"
TICKS = 6  # about so many numbers on an axis


def walk(
    steps: Sequence[tuple[float, float, float]],
    *,
    rings: Sequence[Sequence[Point]],
    title: str,
    names: tuple[str, str, str] = ("w", "b", "L"),
    room: Sequence[Point] = (),
    description: str | None = None,
) -> Drawing:
    """Draw the way that two parameters went, step by step.

    Args:
        steps: The two parameters and the loss, before the first step and after each.
        rings: Lines of equal loss, each a row of points.
        title: What the drawing is called; not shown, but read out.
        names: What the parameters and the loss are called.
        room: Further points that must have a place, such as those of other walks.
        description: Words for a screen reader; made from the numbers if None.

    Returns:
        A wide and an upright drawing, with every step as a row of a table.

    Raises:
        InputError: If there is no step, or a number is infinite or nan.

    Example:
        >>> made = walk([(3.0, 2.0, 4.0), (1.0, 2.0, 0.0)], rings=[], title="One step")
        >>> made.description
        'From w = 3.0000, b = 2.0000, where L = 4.0000, in 1 steps to w = 1.0000, b = 2.0000, \
where L = 0.0000.'
    """
    _check(steps, title)
    frame = [(x, y) for x, y, _ in steps] + list(room)
    words = description or _words(steps, names)

    def drawing(kind: str, wide: float) -> str:
        plane = _Plane(frame, wide)
        body = plane.body(steps, rings, names)
        svg = sheet(kind, wide, HIGH + TOP + LOW, title, words, body)
        return svg.replace("<svg ", f'<svg data-plane="{escape(plane.told())}" ', 1)

    return Drawing(
        title=title,
        description=words,
        svg_wide=drawing("column wide-only", WIDE),
        svg_tall=drawing("tall tall-only", TALL),
        table=_table(steps, title, names),
    )


class _Plane:
    """Where the points of a plane lie on the sheet."""

    def __init__(self, points: Sequence[Point], wide: float) -> None:
        lows = [min(point[axis] for point in points) for axis in (0, 1)]
        highs = [max(point[axis] for point in points) for axis in (0, 1)]
        self.ticks = [_ticks(low, high) for low, high in zip(lows, highs, strict=True)]
        self.low = [ticks[0] for ticks in self.ticks]
        self.span = [ticks[-1] - ticks[0] for ticks in self.ticks]
        self.width = wide - LEFT - RIGHT

    def at(self, x: float, y: float) -> Point:
        """Return the place of a point on the sheet."""
        across = (x - self.low[0]) / self.span[0]
        up = (y - self.low[1]) / self.span[1]
        return LEFT + self.width * across, TOP + HIGH * (1 - up)

    def told(self) -> str:
        """Say the same for a program that moves the drawing."""
        facts = {"left": LEFT, "top": TOP, "width": self.width, "height": HIGH}
        return json.dumps({**facts, "low": self.low, "span": self.span})

    def body(
        self,
        steps: Sequence[tuple[float, float, float]],
        rings: Sequence[Sequence[Point]],
        names: tuple[str, str, str],
    ) -> str:
        """Return frame, rings and walk; what leaves the frame is cut off."""
        frame = f"{num(LEFT)} {num(TOP)} {num(self.width)} {num(HIGH)}"
        x, y, wide, high = frame.split()
        drawn = "".join(line([self.at(*point) for point in ring], "rule") for ring in rings)
        size = f'x="{x}" y="{y}" width="{wide}" height="{high}" viewBox="{frame}"'
        inner = f'<svg style="overflow:hidden;stroke-width:.75" {size}>'
        parts = [f"{inner}{drawn}</svg>"]  # a sheet in the sheet cuts off what leaves it
        parts += self._axes(names)
        way = [self.at(x, y) for x, y, _ in steps]
        joined = "L".join(f"{num(x)} {num(y)}" for x, y in way)
        dots = "".join(f"M{num(x)} {num(y)}h0" for x, y in way)
        here = way[-1]
        parts += [
            f'<path class="back walk" style="{LINE}" d="M{joined}"/>',
            f'<path class="back dots" style="{DOTS}" d="{dots}"/>',
            f'<circle class="node now here" cx="{num(here[0])}" cy="{num(here[1])}" r="6"/>',
        ]
        return "".join(parts)

    def _axes(self, names: tuple[str, str, str]) -> list[str]:
        bottom, right = TOP + HIGH, LEFT + self.width
        parts = [line(((LEFT, TOP), (LEFT, bottom), (right, bottom)), "rule")]
        for tick in self.ticks[0]:
            x, _ = self.at(tick, 0.0)
            parts.append(text(x, bottom + 14.0, _tick(tick), "n"))
        for tick in self.ticks[1]:
            _, y = self.at(0.0, tick)
            parts.append(text(LEFT - 8.0, y, _tick(tick), "n", "end"))
        middle = LEFT + self.width / 2
        parts.append(text(middle, bottom + 34.0, names[0], "t"))
        parts.append(text(8.0, TOP + HIGH / 2, names[1], "t"))
        return parts


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers, evenly apart, of which the outer two hold all others."""
    wanted = (high - low or 1.0) / TICKS
    power = 10.0 ** floor(log10(wanted))
    apart = next(power * by for by in (1.0, 2.0, 5.0, 10.0) if power * by >= wanted)
    first, last = floor(low / apart), ceil(high / apart)
    return [n * apart for n in range(first, max(last, first + 1) + 1)]


def _tick(value: float) -> str:
    return f"{value:.10g}".replace("-", MINUS)


def _check(steps: Sequence[tuple[float, float, float]], title: str) -> None:
    bad = [step for step in steps if not all(map(isfinite, step))]
    if bad or not steps:
        seen = f"a step is {bad[0]}" if bad else "there is no step"
        raise InputError(
            f"Cannot draw '{title}': {seen}, and a place on paper needs finite numbers. Give two "
            "parameters and a loss for each step; end a walk before it overflows."
        )


def _words(steps: Sequence[tuple[float, float, float]], names: tuple[str, str, str]) -> str:
    def place(step: tuple[float, float, float]) -> str:
        first, second, loss = (
            f"{name} = {number(value)}" for name, value in zip(names, step, strict=True)
        )
        return f"{first}, {second}, where {loss}"

    return f"From {place(steps[0])}, in {len(steps) - 1} steps to {place(steps[-1])}."


def _table(
    steps: Sequence[tuple[float, float, float]], title: str, names: tuple[str, str, str]
) -> str:
    heads = "".join(f'<th scope="col" class="r">{escape(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{count}</th>'
        + "".join(f'<td class="r">{number(value)}</td>' for value in step)
        + "</tr>"
        for count, step in enumerate(steps)
    )
    return (
        f'<table aria-label="{escape(title)}, as a table"><thead><tr><th scope="col">step</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )
