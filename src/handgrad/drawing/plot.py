"""A pair of axes on a canvas: hairlines, round numbers, names at their ends, no frame."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from handgrad.drawing.axes import Scale, Tick, level_ticks, upward_ticks
from handgrad.drawing.canvas import Canvas
from handgrad.drawing.ink import Point, num, plain
from handgrad.drawing.layout.metrics import width
from handgrad.drawing.layout.scene import Label, Rect

MARK = 5.0  # length of a tick
GAP = 6.0  # from a tick to its number
MOVED = 9.0  # how far a number may stand from its tick
ABOVE, BELOW = 28.0, 30.0  # room for an axis' name over it, for its numbers under it
BESIDE = 64.0  # a name that is longer stands under its axis, not at its end


@dataclass(frozen=True, slots=True)
class Plot:
    """Where the numbers of two axes lie on the sheet."""

    x: Scale
    y: Scale

    @property
    def rect(self) -> Rect:
        """Left, top, right and bottom of the field between the axes."""
        return self.x.start, self.y.end, self.x.end, self.y.start

    def at(self, x: float, y: float) -> Point:
        """Return the place of a point on the sheet."""
        return self.x.at(x), self.y.at(y)

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a point lies in the field."""
        return self.x.holds(x) and self.y.holds(y)

    @property
    def places(self) -> str:
        """The same for a script that moves the figure, as an attribute."""
        left, top, right, bottom = self.rect
        facts = {"left": left, "top": top, "width": right - left, "height": bottom - top,
                 "x": [self.x.low, self.x.high], "y": [self.y.low, self.y.high]}  # fmt: skip
        facts = {k: [float(num(n)) if k not in "xy" else n for n in v] if isinstance(v, list)
                 else float(num(v)) for k, v in facts.items()}  # fmt: skip
        return f'data-plot="{plain(json.dumps(facts, separators=(",", ":")), quote=True)}"'


def margin(y: tuple[float, float], height: float) -> float:
    """Return the room that the numbers of an upward axis need at its left."""
    return max(width(tick.words, "a") for tick in upward_ticks(*y, height)) + GAP + MARK


def end_room(name: str) -> float:
    """Return the room that the name of a level axis needs at its right end."""
    long = width(name, "t")
    return long + 12.0 if long <= BESIDE else 14.0


def below_room(name: str) -> float:
    """Return the room that numbers and name need under a level axis."""
    return BELOW if width(name, "t") <= BESIDE else BELOW + 22.0


def axes(
    canvas: Canvas,
    plot: Plot,
    names: tuple[str, str],
    *,
    about: str = "fw",
    numbers: bool = True,
    zero: bool = True,
) -> None:
    """Draw both axes with round numbers; ``about`` colours the name of the upward one.

    Without ``numbers`` the level axis has neither numbers nor a name, for a plot
    that shares them with the one below it. Without ``zero`` there is no hairline
    where the upward numbers change their sign.
    """
    left, top, right, bottom = plot.rect
    if zero:
        _zero(canvas, plot)
    canvas.stroke([(left, top), (left, bottom), (right, bottom)], "rule")
    for tick in upward_ticks(plot.y.low, plot.y.high, bottom - top):
        y = plot.y.at(tick.value)
        canvas.stroke([(left - MARK, y), (left, y)], "rule")
        canvas.write(Label(left - MARK - GAP, y, tick.words, "a", "end"))
    canvas.write(Label(max(0.0, left - MARK), top - 16.0, names[1], f"t {about}", "start"))
    _level(canvas, plot, level_ticks(plot.x) if numbers else (), names[0] if numbers else "")


def _zero(canvas: Canvas, plot: Plot) -> None:
    """Mark where the upward numbers change their sign, unless the axis stands there."""
    left, _, right, _ = plot.rect
    if plot.y.low < 0.0 < plot.y.high:
        y = num(plot.y.at(0.0))
        canvas.parts.append(
            f'<path class="faint" data-decor="" d="M{num(left)} {y}H{num(right)}"/>'
        )


def _level(canvas: Canvas, plot: Plot, marks: Sequence[Tick], name: str) -> None:
    left, _, right, bottom = plot.rect
    for tick in marks:
        x = plot.x.at(tick.value)
        canvas.stroke([(x, bottom), (x, bottom + MARK)], "rule")
        half = width(tick.words, "a") / 2
        at = min(max(x, half), canvas.width - half)  # a long one at an end is moved a little
        if abs(at - x) <= MOVED:
            canvas.write(Label(at, bottom + MARK + GAP + 6.0, tick.words, "a"))
    if name and width(name, "t") <= BESIDE:
        canvas.write(Label(right + 10.0, bottom, name, "t", "start"))
    elif name:
        canvas.write(Label((left + right) / 2, bottom + BELOW + 8.0, name, "t"))
