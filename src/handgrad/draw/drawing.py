"""``draw``: a graph or an onion as an accessible figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from handgrad.draw import graph_figure
from handgrad.draw.ink import STYLE
from handgrad.draw.picture import ROWS, Picture, Show, View, Wanted, picture
from handgrad.draw.words import describe, table
from handgrad.errors import InputError, KindError
from handgrad.graph import Graph


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure: two drawings of the same data, a table of it, and words for it."""

    title: str
    description: str
    svg_wide: str
    svg_tall: str
    table: str

    def _repr_html_(self) -> str:
        return (
            f'<div class="drawing">{self.svg_wide}{self.svg_tall.replace(STYLE, "")}'
            '<details class="text"><summary>The figure as a table</summary>'
            f'<div class="scroll" tabindex="0" role="group" '
            f'aria-label="{escape(self.title)}, as a table">{self.table}</div></details></div>'
        )

    def _repr_svg_(self) -> str:
        return self.svg_wide

    def save(self, path: str | Path, *, upright: bool = False) -> None:
        """Write one of the two drawings as an SVG file that needs nothing else."""
        svg = self.svg_tall if upright else self.svg_wide
        Path(path).write_text(svg + "\n", encoding="utf-8")


def draw(
    graph: Graph,
    *,
    title: str,
    description: str | None = None,
    titles: Mapping[str, str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    show: Show = "all",
    view: View = "recorded",
    step: int | None = None,
) -> Drawing:
    """Draw a graph."""
    wanted = Wanted(show, view, titles or {}, step)
    spans = {name: tuple(names) for name, names in (groups or {}).items()}

    def pictures(merge: bool) -> Picture:
        return picture(graph, wanted, spans, merge=merge)

    words = description or describe(graph, pictures(False))
    return Drawing(
        title=title,
        description=words,
        svg_wide=graph_figure.wide(pictures, title, words),
        svg_tall=graph_figure.tall(pictures, title, words),
        table=table(graph, title),
    )
