"""``draw_valley``: a function of two numbers as contour lines, with a walk downhill."""

from collections.abc import Sequence
from math import isfinite

from handgrad.drawing.axes import Scale, level_ticks, window
from handgrad.drawing.contours import Grid, Height, gridded, height, levels, lines
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.numbers import trimmed
from handgrad.drawing.pair import pair
from handgrad.drawing.tables import table
from handgrad.drawing.valley_sheet import Facts, Window, sheet
from handgrad.drawing.words import listed
from handgrad.errors import InputError


def draw_valley(
    f: Height,
    *,
    over: tuple[Window, Window],
    path: Sequence[Sequence[float]] = (),
    lowest: Sequence[float] | None = None,
    arrows: bool = False,
    heights: Sequence[float] | None = None,
    names: tuple[str, str, str] = ("w", "b", "L"),
    title: str,
    description: str | None = None,
) -> Drawing:
    """Draw a function of two numbers as contour lines, and a walk over them.

    Along a contour line the function keeps its value, which is written on it. A
    walk is a dot for each place, joined in orange, because its steps are made of
    gradients. One unit is as long across as upwards where the sheet allows it;
    then arrows, which point where the function falls fastest, cross the lines at
    right angles.

    Args:
        f: From two numbers to a number.
        over: The ends of both axes; they grow if a place lies outside.
        path: The places of a walk, in order.
        lowest: The lowest place, to be marked.
        arrows: Whether arrows show the negative gradient over the field, as long
            as it is large.
        heights: The values that have a line; by default round ones.
        names: What the two numbers and the function are called.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        A wide and an upright drawing, with the walk as a table, or without one
        the function at round numbers.

    Raises:
        InputError: If a window or a place cannot be drawn, or the function has
            nowhere a finite value.

    Example:
        >>> figure = draw_valley(lambda w, b: w * w + 4 * b * b, over=((-3, 3), (-2, 2)),
        ...                      path=[(2, 1), (1, 0)], lowest=(0, 0), title="A bowl")
        >>> figure.description
        'Contour lines of L over w and b, at 0.1, 0.2, 0.5, 1, 2, 5, 10 and 20. 1 step leads from \
w = 2, b = 1, L = 8 to w = 1, b = 0, L = 1. The lowest point is w = 0, b = 0, L = 0.'
    """
    check_words(title, description)
    walk = [_place(f, place, names) for place in path]
    low = _place(f, lowest, names) if lowest is not None else None
    marked = [*walk, *([low] if low else [])]
    x, y = (
        _widened(window(over[axis], names[axis]), [place[axis] for place in marked])
        for axis in (0, 1)
    )
    grid = gridded(f, x, y)
    found = [(level, lines(grid, level)) for level in _levels(grid, heights, names)]
    facts = Facts(f, found, x, y, walk, low, arrows, names)
    return pair(
        lambda room: sheet(facts, room),
        title=title,
        description=description or _words(facts),
        table=_table(facts, title),
    )


def _place(
    f: Height, place: Sequence[float], names: tuple[str, str, str]
) -> tuple[float, float, float]:
    """Return a place with its height."""
    x, y = float(place[0]), float(place[1])
    z = height(f, x, y)
    if not (isfinite(x) and isfinite(y) and isfinite(z)):
        raise InputError(
            f"Cannot mark {names[0]} = {x!r}, {names[1]} = {y!r}, where {names[2]} is {z!r}: a "
            "place on paper needs finite numbers. End a walk before it overflows."
        )
    return x, y, z


def _widened(ends: Window, places: Sequence[float]) -> Window:
    """Return a window that holds all places; a side that grows gets a little room."""
    low, high = min([ends[0], *places]), max([ends[1], *places])
    room = 0.05 * (high - low)
    return window((low - room * (low < ends[0]), high + room * (high > ends[1])), "the walk")


def _levels(
    grid: Grid, heights: Sequence[float] | None, names: tuple[str, str, str]
) -> list[float]:
    """Return the heights that have a line: those asked for, else round ones."""
    known = grid.heights()
    if not known:
        raise InputError(
            f"Cannot draw {names[2]}: it has no finite value in this window. Check the function "
            "at one place, or choose another window."
        )
    low, high = min(known), max(known)
    if heights is not None:
        return sorted({float(level) for level in heights if low < level < high})
    return levels(low, high) if high > low else []


def _words(facts: Facts) -> str:
    """Say the lines, where the walk starts and ends, and the lowest place."""
    first, second, name = facts.names
    heights = [trimmed(level) for level, runs in facts.lines if runs]
    at = f"at {listed(heights)}" if heights else "at no height"
    said = [f"Contour lines of {name} over {first} and {second}, {at}."]
    if len(facts.path) > 1:
        count = len(facts.path) - 1
        said.append(
            f"{count} step{'s lead' if count > 1 else ' leads'} from {facts.named(facts.path[0])} "
            f"to {facts.named(facts.path[-1])}."
        )
    elif facts.path:
        said.append(f"A dot at {facts.named(facts.path[0])}.")
    if facts.lowest is not None:
        said.append(f"The lowest point is {facts.named(facts.lowest)}.")
    if facts.arrows:
        said.append(f"Arrows point where {name} falls fastest.")
    return " ".join(said)


def _table(facts: Facts, title: str) -> str:
    """Return the walk, or without one the function at round numbers."""
    if facts.path:
        rows = [[str(step), *map(trimmed, place)] for step, place in enumerate(facts.path)]
        return table(title, ["step", *facts.names], rows)
    across, up = (level_ticks(Scale(*ends, 0.0, 400.0)) for ends in (facts.x, facts.y))
    first, second, _ = facts.names
    values = [[height(facts.f, a.value, b.value) for a in across] for b in up[::-1]]
    rows = [
        [f"{second} = {b.words}", *(trimmed(z) if isfinite(z) else "no value" for z in row)]
        for b, row in zip(up[::-1], values, strict=True)
    ]
    return table(title, ["", *(f"{first} = {a.words}" for a in across)], rows)
