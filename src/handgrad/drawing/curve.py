"""``draw_curve``: a function of one number, its slope at a point, and steps downhill."""

from collections.abc import Sequence
from functools import partial
from math import isfinite

from handgrad.drawing.axes import around, ticks, window
from handgrad.drawing.curve_sheet import Facts, Spot, sheet
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.numbers import trimmed
from handgrad.drawing.pair import pair
from handgrad.drawing.sampling import Function, evaluated, grid, slope_at
from handgrad.drawing.tables import table
from handgrad.drawing.words import listed
from handgrad.errors import InputError

MOST_STEPS = 50
ASIDE = 0.14  # of the window: room at the right of a triangle


def draw_curve(
    f: Function,
    *,
    over: tuple[float, float],
    at: float | Sequence[float] = (),
    tangent: bool = True,
    slope: Function | None = None,
    run: float | None = None,
    step: float | None = None,
    steps: int = 1,
    within: tuple[float, float] | None = None,
    names: tuple[str, str] = ("w", "L"),
    title: str,
    description: str | None = None,
) -> Drawing:
    """Draw a function of one number as a curve, its slope at points, and steps downhill.

    The curve is blue; tangents, slopes and steps are orange. Where the function
    has no finite value, or jumps, the curve has a gap.

    Args:
        f: From a number to a number. Where it raises ``ValueError`` or
            ``ArithmeticError`` it has no value.
        over: The ends of the level axis, which grows if a point, a step or the
            triangle would lie outside.
        at: The point to mark, or several.
        tangent: Whether each point has its tangent, with its slope written at it.
        slope: The derivative of ``f``. Without it slopes are worked out by nudging,
            to nine digits if ``f`` computes in double precision.
        run: Draw the triangle under the first tangent: so far to the right, and so
            far up or down.
        step: A learning rate: from the first point, go so many times the slope
            against it. One step is an arrow as long as the move, then a drop to the curve.
        steps: How many such steps; several are arrows from point to point.
        within: The ends of the upward axis; what leaves them is cut off.
        names: What the two axes are called.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        A wide and an upright drawing, with the points, and the curve at round
        numbers, as a table.

    Raises:
        InputError: If there is nothing finite to draw, a point has no value, or
            has a kink and no ``slope`` was given.

    Example:
        >>> figure = draw_curve(lambda w: (2 * w - 4) ** 2, over=(-1, 5), at=3.0, title="A bowl")
        >>> figure.description
        'L as a curve over w from −1 to 5, lowest near w = 2, L = 0. At w = 3, L = 4, the slope \
is 8.'
    """
    check_words(title, description)
    x = window(over, names[1])
    nudged = slope or partial(slope_at, f, span=x[1] - x[0], name=names[1])
    places = [float(place) for place in (at if isinstance(at, Sequence) else (at,))]
    spots = [_spot(f, place, nudged if tangent else None, names) for place in places]
    walk = _walk(f, spots, nudged, step, steps, names) if step is not None else []
    x = _widened(x, [spot.x for spot in (*spots, *walk)])
    if run is not None and spots:  # the triangle's height is written at its right
        x = x[0], max(x[1], spots[0].x + run + ASIDE * (x[1] - x[0]))
    grid_places = grid(*x, places)
    facts = Facts(
        f, grid_places, x, _upward(f, grid_places, [*spots, *walk], within, names), spots, walk,
        step or 0.0, run, names,
    )  # fmt: skip
    return pair(
        lambda room: sheet(facts, room),
        title=title,
        description=description or _words(facts),
        table=_table(facts, title),
    )


def _spot(f: Function, x: float, slope: Function | None, names: tuple[str, str]) -> Spot:
    """Return a point of the curve, with its slope if it is to have a tangent."""
    y = evaluated(f, x)
    steep = evaluated(slope, x) if slope is not None and isfinite(y) else None
    if not isfinite(y) or not (steep is None or isfinite(steep)):
        what = names[1] if not isfinite(y) else f"the slope of {names[1]}"
        raise InputError(
            f"Cannot mark {names[0]} = {x!r}: {what} has no finite value there that can be drawn. "
            "Mark another point, or take smaller or fewer steps."
        )
    return Spot(x, y, steep)


def _walk(
    f: Function,
    spots: Sequence[Spot],
    slope: Function,
    rate: float,
    steps: int,
    names: tuple[str, str],
) -> list[Spot]:
    """Return the first point and where each step against the slope leads."""
    if not spots or not (isfinite(rate) and 1 <= steps <= MOST_STEPS):
        raise InputError(
            f"A step of {rate!r}, {steps!r} times, from {len(spots)} points: steps start at the "
            f"first point, with a finite rate, 1 to {MOST_STEPS} of them. "
            "Write at=3.0, step=0.1."
        )
    walk = [_spot(f, spots[0].x, slope, names)]
    for _ in range(steps):
        here = walk[-1]
        walk.append(_spot(f, here.x - rate * (here.slope or 0.0), slope, names))
    return walk


def _widened(x: tuple[float, float], places: Sequence[float]) -> tuple[float, float]:
    """Return a window that holds all places; a side that grows gets a little room."""
    low, high = min([x[0], *places]), max([x[1], *places])
    room = 0.05 * (high - low)
    return window((low - room * (low < x[0]), high + room * (high > x[1])), "the points")


def _upward(
    f: Function,
    places: Sequence[float],
    spots: Sequence[Spot],
    within: tuple[float, float] | None,
    names: tuple[str, str],
) -> tuple[float, float]:
    """Return the ends of the upward axis."""
    if within is not None:
        return window(within, names[1])
    values = [evaluated(f, place) for place in places]
    known = [value for value in (*values, *(spot.y for spot in spots)) if isfinite(value)]
    if not known:
        raise InputError(
            f"Cannot draw {names[1]}: it has no finite value from {names[0]} = {places[0]!r} to "
            f"{places[-1]!r}. Check the function at one place, or choose another window."
        )
    return around(known)


def _words(facts: Facts) -> str:
    """Say the curve, the points, and the steps."""
    w, name = facts.names
    said = [f"{name} as a curve over {w} from {trimmed(facts.x[0])} to {trimmed(facts.x[1])}"]
    low = _lowest(facts)
    said[0] += f", lowest near {facts.named(low)}." if low is not None else "."
    for spot in facts.spots:
        slope = f", the slope is {trimmed(spot.slope)}" if spot.slope is not None else ""
        said.append(f"At {facts.named(spot)}{slope}.")
    if len(facts.walk) == 2:
        said.append(f"A step of {facts.move(0)} leads to {facts.named(facts.walk[1])}.")
    elif facts.walk:
        ways = listed([trimmed(spot.x) for spot in facts.walk[1:]])
        said.append(
            f"{len(facts.walk) - 1} steps of {trimmed(-facts.rate)} times the slope lead to "
            f"{w} = {ways}; there {name} = {trimmed(facts.walk[-1].y)}."
        )
    return " ".join(said)


def _lowest(facts: Facts) -> Spot | None:
    """Return the lowest point of the curve, unless it is at an end."""
    values = [evaluated(facts.f, x) for x in facts.places]
    known = [(y, i) for i, y in enumerate(values) if isfinite(y)]
    least, at = min(known)
    if not 0 < at < len(values) - 1 or values.count(least) > 2:
        return None
    low, high = facts.places[at - 1], facts.places[at + 1]
    for _ in range(60):  # a third of what is left goes each time
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if evaluated(facts.f, a) <= evaluated(facts.f, b):
            high = b
        else:
            low = a
    tried = (low, round(low, 4), facts.places[at])  # where a bowl's floor is a round number, say so
    y, x = min((evaluated(facts.f, x), abs(x - round(x, 4)), x) for x in tried)[::2]
    return Spot(x, y) if facts.y[0] <= y <= facts.y[1] else None


def _table(facts: Facts, title: str) -> str:
    """Return the points first, with their slopes, then the curve at round numbers."""
    rows: list[list[str]] = []
    for spot in (*facts.spots, *facts.walk[1:]):
        slope = "" if spot.slope is None else trimmed(spot.slope)
        rows.append([trimmed(spot.x), trimmed(spot.y), slope])
    for tick in ticks(*facts.x, 6):
        value = evaluated(facts.f, tick.value)
        rows.append([tick.words, trimmed(value) if isfinite(value) else "no value", ""])
    return table(title, [*facts.names, "slope"], rows)
