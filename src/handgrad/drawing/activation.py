"""``draw_activation``: a function above its slope, on one axis, and the fan of slopes at a kink."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import hypot, isfinite

from handgrad.drawing.axes import Scale, around, ticks, window
from handgrad.drawing.canvas import AROUND, EAST, NORTHEAST, SOUTHEAST, WEST, Canvas
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.graph_figure import COLUMN
from handgrad.drawing.numbers import trimmed
from handgrad.drawing.pair import pair
from handgrad.drawing.plot import ABOVE, Plot, axes, below_room, end_room, margin
from handgrad.drawing.sampling import Function, clipped, evaluated, grid, line_of, slope_at
from handgrad.drawing.tables import table
from handgrad.errors import InputError

UPPER, LOWER, BETWEEN = (200.0, 170.0), (130.0, 120.0), 46.0  # heights, wide and upright
REACH = (84.0, 60.0)  # of a tangent to each side of its point, wide and upright
FAN = 5  # slopes drawn at a kink, the two outer ones among them
FANNED = 0.2  # of the height: room for the fan under and over the function
NEXT = 1e-7  # of the window: how near to a kink its sides are asked for their slopes


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of the function and its slope; at a kink the slopes of both sides too."""

    x: float
    y: float
    slope: float
    sides: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the two sheets show, worked out once."""

    f: Function
    slope: Function
    places: Sequence[float]
    x: tuple[float, float]
    value: tuple[float, float]
    steep: tuple[float, float]
    spots: Sequence[Spot]
    names: tuple[str, str, str]


def draw_activation(
    f: Function,
    slope: Function | None = None,
    *,
    over: tuple[float, float] = (-4.0, 4.0),
    at: float | Sequence[float] = (),
    kinks: float | Sequence[float] = (),
    names: tuple[str, str, str] = ("z", "a", "slope"),
    title: str,
    description: str | None = None,
) -> Drawing:
    """Draw a function of one number above its slope, both over the same axis.

    Above, the function in blue; below, its slope in orange: how high the lower
    line stands is how steep the upper one is. At a kink every slope between
    those of its two sides fits, and they are drawn as a fan; the lower line jumps,
    and the dot says which slope is taken.

    Args:
        f: The function, from a number to a number.
        slope: Its derivative; at a kink, what is taken for it. Without it slopes
            are worked out by nudging, which needs a function in double precision.
        over: The ends of the common axis.
        at: The point, or points, to mark above and below.
        kinks: Where the slope jumps; ``slope`` is needed then.
        names: What the axis, the function and its slope are called.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        A wide and an upright drawing, with points and round numbers as a table.

    Raises:
        InputError: If a point has no finite value or slope, or a kink is none.

    Example:
        >>> relu = lambda z: max(0.0, z)
        >>> figure = draw_activation(relu, lambda z: float(z > 0), kinks=0.0, title="ReLU")
        >>> figure.description
        'a over z from −4 to 4, and its slope below. At the kink z = 0 the slope jumps from 0 to \
1; taken is 0.'
    """
    check_words(title, description)
    facts = _facts(f, slope, window(over, names[1]), _listed(at), _listed(kinks), names)
    return pair(
        lambda room: _sheet(facts, room),
        title=title,
        description=description or _words(facts),
        table=_table(facts, title),
    )


def _listed(places: float | Sequence[float]) -> list[float]:
    return [float(place) for place in (places if isinstance(places, Sequence) else (places,))]


def _facts(
    f: Function,
    slope: Function | None,
    x: tuple[float, float],
    at: Sequence[float],
    kinks: Sequence[float],
    names: tuple[str, str, str],
) -> Facts:
    """Work out all numbers of the figure."""
    steep = slope or partial(slope_at, f, span=x[1] - x[0], name=names[1])
    if kinks and slope is None:
        raise InputError(
            f"{names[1]} has no one slope at its kink {kinks[0]!r}, so the figure cannot find it. "
            "Say what is taken, as in slope=lambda z: float(z > 0)."
        )
    spots = [_spot(f, steep, x, place, kink=place in kinks, names=names)
             for place in sorted({*at, *kinks})]  # fmt: skip
    places = grid(*x, [spot.x for spot in spots])
    ranges: list[tuple[float, float]] = []
    for function, name in ((f, names[1]), (steep, names[2])):
        known = [y for y in (evaluated(function, place) for place in places) if isfinite(y)]
        if not known:
            raise InputError(
                f"Cannot draw {name}: it has no finite value from {x[0]!r} to {x[1]!r}. Check the "
                "function at one place, or choose another window."
            )
        ranges.append(around([*known, 0.0] if function is steep else known, 0.08))
    if kinks:  # the fan's lines reach below the function, or above it
        low, high = ranges[0]
        ranges[0] = (low - FANNED * (high - low), high + FANNED * (high - low))
    return Facts(f, steep, places, x, ranges[0], ranges[1], spots, names)


def _spot(
    f: Function,
    slope: Function,
    x: tuple[float, float],
    place: float,
    *,
    kink: bool,
    names: tuple[str, str, str],
) -> Spot:
    """Return a point with its slope, at a kink with those of both sides."""
    step = NEXT * (x[1] - x[0])
    value, taken = evaluated(f, place), evaluated(slope, place)
    sides = (evaluated(slope, place - step), evaluated(slope, place + step)) if kink else None
    known = all(map(isfinite, (value, taken, *(sides or ()))))
    if not known or not x[0] <= place <= x[1] or (sides and sides[0] == sides[1]):
        what = "is no kink" if known and sides and sides[0] == sides[1] else "cannot be marked"
        raise InputError(
            f"{names[0]} = {place!r} {what}: {names[1]} is {value:.4g} there, its slope {taken:.4g}"
            + (f", on its two sides {sides[0]:.4g} and {sides[1]:.4g}" if sides else "")
            + f", and the window goes from {x[0]!r} to {x[1]!r}. Mark a point inside, where both "
            "are finite; a kink has a different slope on each side."
        )
    return Spot(place, value, taken, sides)


def _sheet(facts: Facts, room: float) -> Canvas:
    """Draw the two plots over one another."""
    small = int(room < COLUMN)
    upper, lower = UPPER[small], LOWER[small]
    name = facts.names[0]
    height = ABOVE + upper + BETWEEN + lower + below_room(name)
    canvas = Canvas(room, height)
    left = max(margin(facts.value, upper), margin(facts.steep, lower))
    x = Scale(*facts.x, left, room - end_room(name))
    above = Plot(x, Scale(*facts.value, ABOVE + upper, ABOVE))
    top = ABOVE + upper + BETWEEN
    below = Plot(x, Scale(*facts.steep, top + lower, top))
    canvas.open(above.places)
    axes(canvas, above, (name, facts.names[1]), numbers=False)
    canvas.close()
    canvas.open(below.places)
    axes(canvas, below, (name, facts.names[2]), about="bk")
    canvas.close()
    for spot in facts.spots:
        down = [above.at(spot.x, spot.y), below.at(spot.x, spot.slope)]
        canvas.stroke(down, "rule dashed")
    for plot, function, cls in ((above, facts.f, "fwd curve"), (below, facts.slope, "back curve")):
        for run in line_of(function, facts.places, plot.x, plot.y):
            for part in clipped(run, plot.rect):
                canvas.stroke(part, cls)
    for index, spot in enumerate(facts.spots):
        canvas.open(f'data-point="{index}"')
        _mark(canvas, above, below, spot, REACH[small])
        canvas.close()
    for spot in facts.spots:
        _label(canvas, above, below, spot)
    return canvas


def _mark(canvas: Canvas, above: Plot, below: Plot, spot: Spot, reach: float) -> None:
    """Draw a point above and below; at a kink the fan, and the jump."""
    slopes = [spot.slope]
    if spot.sides is not None:
        first, last = spot.sides
        slopes = [first + (last - first) * n / (FAN - 1) for n in range(FAN)]
        jump = [below.at(spot.x, side) for side in spot.sides]
        canvas.stroke(jump, "back thin dashed")
        for point in jump:
            canvas.spot(point, "open bk", 4.5)
    for slope in slopes:
        _tangent(canvas, above, spot, slope, reach)
    canvas.spot(above.at(spot.x, spot.y), "fw")
    canvas.spot(below.at(spot.x, spot.slope), "bk")


def _tangent(canvas: Canvas, plot: Plot, spot: Spot, slope: float, reach: float) -> None:
    """Draw a straight line of a slope through a point, as far as the field goes."""
    x, y = plot.at(spot.x, spot.y)
    right, up = plot.at(plot.x.high, spot.y + slope * (plot.x.high - spot.x))
    far, low = plot.at(plot.x.low, spot.y + slope * (plot.x.low - spot.x))
    dx, dy = right - far, up - low
    long = hypot(dx, dy)
    ends = [(x - dx / long * reach, y - dy / long * reach),
            (x + dx / long * reach, y + dy / long * reach)]  # fmt: skip
    for part in clipped(ends, plot.rect):
        canvas.stroke(part, "back tangent" if spot.sides is None else "back thin")


def _label(canvas: Canvas, above: Plot, below: Plot, spot: Spot) -> None:
    """Write a point's value above and its slope below."""
    top, foot = above.at(spot.x, spot.y), below.at(spot.x, spot.slope)
    canvas.near([top], trimmed(spot.y), "k fw")
    if spot.sides is None:
        canvas.near([foot], trimmed(spot.slope), "k bk")
        return
    sides = (EAST, SOUTHEAST, NORTHEAST, WEST, *AROUND)
    canvas.near([foot], f"taken: {trimmed(spot.slope)}", "k bk", sides=sides)
    words = f"slopes from {trimmed(spot.sides[0])} to {trimmed(spot.sides[1])}"
    canvas.near([top], words, "k bk", apart=16.0)


def _words(facts: Facts) -> str:
    """Say the points and the kinks."""
    z, a, name = facts.names
    low, high = map(trimmed, facts.x)
    said = [f"{a} over {z} from {low} to {high}, and its slope below."]
    for spot in facts.spots:
        if spot.sides is None:
            said.append(
                f"At {z} = {trimmed(spot.x)}, {a} = {trimmed(spot.y)} and {name} = "
                f"{trimmed(spot.slope)}."
            )
        else:
            first, last = map(trimmed, spot.sides)
            said.append(
                f"At the kink {z} = {trimmed(spot.x)} the slope jumps from {first} to {last}; "
                f"taken is {trimmed(spot.slope)}."
            )
    return " ".join(said)


def _table(facts: Facts, title: str) -> str:
    """Return the points first, then both functions at round numbers."""
    rows = [[trimmed(s.x), trimmed(s.y), trimmed(s.slope)] for s in facts.spots]
    marked = {spot.x for spot in facts.spots}
    for tick in ticks(*facts.x, 8):
        if tick.value not in marked:
            pair_of = (evaluated(facts.f, tick.value), evaluated(facts.slope, tick.value))
            said = [trimmed(y) if isfinite(y) else "no value" for y in pair_of]
            rows.append([tick.words, *said])
    return table(title, facts.names, rows)
