"""One figure as two sheets: as wide as the page or its column, and for a phone."""

from collections.abc import Callable

from handgrad.drawing.canvas import Canvas
from handgrad.drawing.drawing import Drawing
from handgrad.drawing.graph_figure import COLUMN, FULL, PHONE


def pair(
    draw: Callable[[float], Canvas],
    *,
    title: str,
    description: str,
    table: str,
    full: bool = False,
) -> Drawing:
    """Return the figure that ``draw`` makes, given the width of a sheet in pixels.

    Args:
        draw: Draws the figure on a sheet of a width; the sheet's height is its own.
        title: What a screen reader calls the figure.
        description: What it shows, numbers included.
        table: The same as an HTML table.
        full: Whether the wide sheet takes the page's width, not its text column's.
    """
    kind = "full" if full else "column"
    return Drawing(
        title,
        description,
        draw(FULL if full else COLUMN).svg(f"plot wide-only {kind}", title, description),
        draw(PHONE).svg("plot tall-only tall", title, description),
        table,
    )
