"""Bars for counts and shares: a plot by the same rules as the graphs, without axes to read off."""

from collections.abc import Mapping
from math import isfinite
from typing import Literal

from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.ink import line, num, sheet, text
from handgrad.drawing.layout.metrics import width
from handgrad.drawing.tables import table
from handgrad.errors import InputError

ROW, THICK, GAP = 28.0, 14.0, 8.0  # from bar to bar, a bar, between a bar and its words
WIDE, TALL = 620.0, 342.0
INK = {"backward": "amount", "forward": "fwd"}


def draw_bars(
    amounts: Mapping[str, float],
    *,
    title: str,
    labels: str,
    unit: str,
    decimals: int = 0,
    about: Literal["backward", "forward"] = "backward",
    description: str | None = None,
) -> Drawing:
    """Draw one bar for each amount, with its number at its end.

    Args:
        amounts: Label to an amount that is not negative, from top to bottom. The
            longest bar takes all the room; the others are in proportion.
        title: What the figure is, for a screen reader; not empty.
        labels: What the labels are, in a few words, such as ``"ulps apart"``.
        unit: What the amounts are, such as ``"% of neurons"``.
        decimals: Digits after the point, the same for each number.
        about: ``"backward"`` for gradients, ``"forward"`` for values: the colour.
        description: Words for a screen reader; made from the numbers if None.

    Returns:
        A wide and an upright drawing, with the same numbers as a table.

    Raises:
        InputError: If there is no amount, or one is negative, infinite or nan.

    Example:
        >>> chart = draw_bars({"0": 60.0, "1": 40.0}, title="Apart", labels="ulps", unit="%")
        >>> chart.description
        'Horizontal bars, % by ulps. 0: 60; 1: 40.'
    """
    check_words(title, description)
    _check(amounts, title)
    said = {label: f"{amount:,.{decimals}f}" for label, amount in amounts.items()}
    numbers = "; ".join(f"{label}: {number}" for label, number in said.items())
    words = description or f"Horizontal bars, {unit} by {labels}. {numbers}."

    def drawing(kind: str, room: float) -> str:
        body, height = _body(amounts, said, labels, unit, INK[about], room)
        return sheet(kind, room, height, title, words, body)

    return Drawing(
        title=title,
        description=words,
        svg_wide=drawing("column wide-only", WIDE),
        svg_tall=drawing("tall tall-only", TALL),
        table=table(title, [labels, unit], list(said.items())),
    )


def _check(amounts: Mapping[str, float], title: str) -> None:
    bad = [label for label, amount in amounts.items() if not (isfinite(amount) and amount >= 0.0)]
    if bad or not amounts:
        seen = f"'{bad[0]}' is {amounts[bad[0]]}" if bad else "there are none"
        raise InputError(
            f"Cannot draw '{title}' as bars: {seen}, and a bar's length is a finite amount that "
            "is not negative. Give one such number for each label."
        )


def _body(
    amounts: Mapping[str, float],
    said: Mapping[str, str],
    labels: str,
    unit: str,
    ink: str,
    room: float,
) -> tuple[str, float]:
    """Return the ink and its height: labels end at the axis, bars begin there."""
    axis = max([*(width(label, "k") for label in amounts), width(labels, "n")]) + GAP + 1.0
    end = room - GAP - max(width(number, "k") for number in said.values())
    scale = (end - axis) / (max(amounts.values()) or 1.0)
    top = 1.5 * GAP + 14.0
    parts = [
        text(axis - GAP, GAP, labels, "n", "end"),
        text(axis + GAP, GAP, unit, "n", "start"),
    ]
    for place, (label, amount) in enumerate(amounts.items()):
        y = top + (place + 0.5) * ROW
        tip = axis + scale * amount
        if amount:
            parts.append(
                f'<path class="{ink}" style="stroke-width:{num(THICK)}" '
                f'd="M{num(axis)} {num(y)}H{num(tip)}"/>'
            )
        parts.append(text(axis - GAP, y, label, "k", "end"))
        parts.append(text(tip + GAP, y, said[label], "k num", "start"))
    bottom = top + len(amounts) * ROW
    parts.append(line(((axis, top), (axis, bottom)), "rule"))
    return "".join(parts), bottom + 2.0
