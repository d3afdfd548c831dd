"""``draw_nudge``: a nudge as a short bar that every step stretches or shrinks."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from handgrad.drawing.canvas import Canvas
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.graph_figure import COLUMN
from handgrad.drawing.ink import num
from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.layout.scene import Label
from handgrad.drawing.numbers import trimmed, trimmed_factor
from handgrad.drawing.pair import pair
from handgrad.drawing.tables import table
from handgrad.errors import InputError

Step = tuple[str, float, float]
THICK, GAP = 10.0, 12.0  # of a bar; between a column and the next
PITCH, HIGH_PITCH = 54.0, 64.0  # from row to row, with the name beside or over its values
LINE = 20.0  # from a row's values up to its name, where it stands over them
LEAST_BARS = 220.0  # a sheet with less room for bars has its names over their values
HEAD, FOOT, MORE = 22.0, 46.0, 24.0  # over the rows, under them, for one line more
MOST = 24


@dataclass(frozen=True, slots=True)
class Rung:
    """One step: its name, both values, and how long the nudge is now."""

    name: str
    before: float
    after: float
    factor: float | None  # by which it was stretched; None for the first, and after nothing

    @property
    def nudge(self) -> float:
        """How far the value moved."""
        return self.after - self.before

    @property
    def values(self) -> str:
        """Both values in words."""
        return f"{trimmed(self.before)} → {trimmed(self.after)}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the words end and the bars begin."""

    two_lines: bool
    names: float  # how long a name may be
    values: float  # left edge of the values
    nudges: float  # right edge of the nudges and factors
    axis: float


def draw_nudge(steps: Sequence[Step], *, title: str, description: str | None = None) -> Drawing:
    """Draw how a nudge of one number is stretched, step by step, down to the loss.

    Every row has a bar as long as its value has moved; a row's bar is its
    upper neighbour's times the factor written between them. A bar to the left of
    the line is a value that moved down. At the foot stands the product: how many
    times as far the last value moved as the first.

    Args:
        steps: For each step its name, its value before the nudge and its value
            after it. The first row is the number that was nudged.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        A wide and an upright drawing, with all numbers as a table.

    Raises:
        InputError: If there are fewer than two rows, a number is not finite, the
            first did not move, or one moved after one that did not.

    Example:
        >>> rows = [("w", 3.0, 3.01), ("u = 2w", 6.0, 6.02), ("L = u²", 36.0, 36.2404)]
        >>> draw_nudge(rows, title="A nudge").description
        'A nudge of 0.01 at w is 0.02 at u = 2w, 2 times as long; 0.2404 at L = u², 12.02 times \
as long. The last value moves 24.04 times as far as the first.'
    """
    check_words(title, description)
    rungs = _rungs(steps)
    return pair(
        lambda room: _sheet(rungs, room),
        title=title,
        description=description or _words(rungs),
        table=_table(rungs, title),
    )


def _rungs(steps: Sequence[Step]) -> list[Rung]:
    """Return the rows with their factors."""
    rungs: list[Rung] = []
    for name, before, after in steps:
        rung = Rung(str(name), float(before), float(after), None)
        last = rungs[-1].nudge if rungs else 0.0
        factor = rung.nudge / last if last else None
        lost = bool(rungs) and not last and rung.nudge
        if not isfinite(rung.nudge) or not (rungs or rung.nudge) or lost:
            seen = f"{name!r} goes from {before!r} to {after!r}"
            why = (
                "which is not finite"
                if not isfinite(rung.nudge)
                else (
                    "although nothing before it moved" if lost else "so there is no nudge to follow"
                )
            )
            raise InputError(
                f"Cannot follow the nudge: {seen}, {why}. Give each step its value before and "
                "after the nudge, the nudged number first."
            )
        rungs.append(Rung(rung.name, rung.before, rung.after, factor))
    if not 2 <= len(rungs) <= MOST:
        raise InputError(
            f"Cannot draw a nudge of {len(rungs)} rows: it takes the nudged number and at least "
            f'one step, and at most {MOST} rows can be read. Write steps=[("w", 3.0, 3.01), '
            '("u", 6.0, 6.02)].'
        )
    return rungs


def _sheet(rungs: Sequence[Rung], room: float) -> Canvas:
    """Draw the rows on a sheet of a width."""
    columns = _columns(rungs, room)
    pitch = HIGH_PITCH if columns.two_lines else PITCH
    first = HEAD + (36.0 if columns.two_lines else 26.0)
    rows = [first + pitch * n for n in range(len(rungs))]
    product, apart = _product_words(rungs, columns, room)
    rule = rows[-1] + 26.0
    canvas = Canvas(room, rule + FOOT + MORE * apart)
    _bars(canvas, rungs, rows, columns, room)
    canvas.write(Label(columns.nudges, 8.0, "nudge", "n", "end"))
    canvas.write(Label(columns.values, 8.0, "before → after", "n", "start"))
    for place, (rung, y) in enumerate(zip(rungs, rows, strict=True)):
        canvas.open(f'data-row="{place}"')
        _row(canvas, rung, y, pitch, columns)
        canvas.close()
    canvas.stroke([(0.0, rule), (room, rule)], "rule")
    _foot(canvas, rungs, rule + 24.0, columns, product, apart)
    return canvas


def _columns(rungs: Sequence[Rung], room: float) -> Columns:
    """Return the columns: names beside their values if enough room is left for bars."""
    names = max(width(rung.name, "t") for rung in rungs)
    values = max([width(rung.values, "k") for rung in rungs] + [width("before → after", "n")])
    factors = [f"× {trimmed_factor(rung.factor)}" for rung in rungs if rung.factor is not None]
    nudges = max(
        [width(words, "k") for words in (*factors, *(trimmed(rung.nudge) for rung in rungs))]
        + [width("nudge", "n"), width(trimmed(_product(rungs)), "v")]
    )
    beside = names + values + nudges + 4 * GAP
    two = room < COLUMN or room - beside < LEAST_BARS
    left = 0.0 if two else names + 2 * GAP
    axis = left + (max(values, min(names, 130.0)) if two else values) + nudges + 2 * GAP
    return Columns(two, axis - nudges - 2 * GAP if two else names, left, axis - GAP, axis)


def _bars(
    canvas: Canvas, rungs: Sequence[Rung], rows: Sequence[float], columns: Columns, room: float
) -> None:
    """Draw the bars, each stretched from the one above it, and the line they start from."""
    nudges = [rung.nudge for rung in rungs]
    low, high = min(0.0, *nudges), max(0.0, *nudges)
    scale = (room - columns.axis - 1.0) / (high - low)
    zero = columns.axis - scale * low
    half = THICK / 2
    ends = [zero + scale * nudge for nudge in nudges]
    for (y1, end1), (y2, end2) in zip(
        zip(rows, ends, strict=True), list(zip(rows, ends, strict=True))[1:], strict=False
    ):
        corners = [(zero, y1 + half), (end1, y1 + half), (end2, y2 - half), (zero, y2 - half)]
        path = "L".join(f"{num(x)} {num(y)}" for x, y in corners)
        canvas.parts.append(f'<path class="fan" data-decor="" d="M{path}Z"/>')
    for y, end, nudge in zip(rows, ends, nudges, strict=True):
        if nudge:
            tip = end if abs(end - zero) >= 1.0 else zero + (1.0 if nudge > 0 else -1.0)
            canvas.parts.append(
                f'<path class="fwd" style="stroke-width:{num(THICK)}" '
                f'd="M{num(zero)} {num(y)}L{num(tip)} {num(y)}"/>'
            )
    canvas.stroke([(zero, rows[0] - half - 6.0), (zero, rows[-1] + half + 6.0)], "rule")


def _row(canvas: Canvas, rung: Rung, y: float, pitch: float, columns: Columns) -> None:
    """Write a row's name, values and nudge, and the factor over it."""
    if rung.name:
        name = fit(rung.name, "t", columns.names)
        canvas.write(Label(0.0, y - LINE * columns.two_lines, name, "t", "start"))
    canvas.write(Label(columns.values, y, rung.values, "k", "start"))
    canvas.write(Label(columns.nudges, y, trimmed(rung.nudge), "k fw", "end"))
    if rung.factor is not None:
        canvas.write(Label(columns.nudges, y - pitch / 2, _times(rung.factor), "k", "end"))


def _times(factor: float) -> str:
    return f"× {trimmed_factor(factor)}"


def _product_words(rungs: Sequence[Rung], columns: Columns, room: float) -> tuple[str, bool]:
    """Return the factors in a row, and whether they take a line of their own."""
    factors = [trimmed_factor(rung.factor) for rung in rungs if rung.factor is not None]
    left = columns.nudges - width(trimmed(_product(rungs)), "g") - GAP
    said, counted = f"{' × '.join(factors)} =", f"{len(factors)} factors ="
    if width(said, "k") <= room:
        return said, width(said, "k") > left
    return counted, width(counted, "k") > left


def _foot(
    canvas: Canvas, rungs: Sequence[Rung], y: float, columns: Columns, said: str, apart: bool
) -> None:
    """Write the product of the factors under the column they stand in."""
    result = trimmed(_product(rungs))
    if apart:
        canvas.write(Label(0.0, y, said, "k", "start"))
        y += MORE
    else:
        canvas.write(Label(columns.nudges - width(result, "g") - GAP / 2, y, said, "k", "end"))
    canvas.write(Label(columns.nudges, y, result, "g", "end"))
    words = fit("times as far", "n", canvas.width - columns.axis)
    canvas.write(Label(columns.axis, y, words, "n", "start"))


def _product(rungs: Sequence[Rung]) -> float:
    return rungs[-1].nudge / rungs[0].nudge


def _words(rungs: Sequence[Rung]) -> str:
    """Say what becomes of the nudge."""
    first, *rest = rungs
    steps = "; ".join(
        f"{trimmed(rung.nudge)} at {rung.name}{_stretch_words(rung.factor)}" for rung in rest
    )
    return (
        f"A nudge of {trimmed(first.nudge)} at {first.name} is {steps}. The last value moves "
        f"{trimmed(_product(rungs))} times as far as the first."
    )


def _stretch_words(factor: float | None) -> str:
    if factor is None:
        return ""
    return ", as long" if trimmed(factor) == "1" else f", {trimmed(factor)} times as long"


def _table(rungs: Sequence[Rung], title: str) -> str:
    rows = [
        [
            rung.name,
            trimmed(rung.before),
            trimmed(rung.after),
            trimmed(rung.nudge),
            "" if rung.factor is None else trimmed(rung.factor),
        ]
        for rung in rungs
    ]
    return table(title, ["step", "before", "after", "nudge", "times the one above"], rows)
