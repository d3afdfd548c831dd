"""``draw``: a graph or an onion as an accessible figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from handgrad.drawing import graph_figure, onion_figure, onion_words, words
from handgrad.drawing.folding import folded
from handgrad.drawing.ink import plain
from handgrad.drawing.picture import Picture, Show, View, picture, wanted
from handgrad.drawing.style import STYLE
from handgrad.errors import InputError, KindError
from handgrad.graph.graph import Graph
from handgrad.peeling.onion import Onion

Titles = Mapping[str, str]
Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure: two drawings of the same data, a table of it, and words for it.

    Equal graphs and settings give equal bytes. Nothing in it has an ``id``, so
    any number of figures, even equal ones, stand on one page.

    Attributes:
        title: What the figure is called by a screen reader.
        description: What it shows, numbers included.
        svg_wide: For pages, up to 892 pixels wide; complete in itself.
        svg_tall: For phones, 342 pixels wide; complete in itself.
        table: The same as an HTML table.
    """

    title: str
    description: str
    svg_wide: str
    svg_tall: str
    table: str

    def _repr_html_(self) -> str:
        full = ' full" role="img"' in self.svg_wide  # wider than a column: a page lets it break out
        return (
            f'<div class="drawing{" wide" * full}">'
            f"{self.svg_wide}{self.svg_tall.replace(STYLE, '')}"
            '<details class="text"><summary>The figure as a table</summary>'
            '<div class="scroll" tabindex="0" role="group" '
            f'aria-label="{plain(self.title, quote=True)}, as a table">{self.table}</div>'
            "</details></div>"
        )

    def _repr_svg_(self) -> str:
        return self.svg_wide

    def __repr__(self) -> str:
        return f"<Drawing {self.title!r}: {self.description}>"

    def save(self, path: str | Path, *, upright: bool = False) -> None:
        """Write one of the two drawings as an SVG file that needs nothing else.

        The file follows the viewer's light or dark scheme.
        """
        svg = self.svg_tall if upright else self.svg_wide
        Path(path).write_text(svg + "\n", encoding="utf-8")


def draw(
    graph: Graph | Onion,
    *,
    title: str,
    description: str | None = None,
    titles: Titles | None = None,
    groups: Groups | None = None,
    show: Show = "all",
    view: View = "recorded",
    step: int | None = None,
    path_names: Graph | None = None,
) -> Drawing:
    """Draw a graph or an onion, once for a page and once for a phone.

    A graph has a box for each operation and leaf, with its forward value and
    the gradient that arrives; roads carry values one way and gradients the
    other, with the local derivative on them. What gets no gradient is dashed.
    An onion has a ring for each layer (up to five) and the ladder of running
    products; where several paths lead to the tensor, their sum.

    Args:
        graph: From ``trace`` or ``peel``. Graphs of more than 60 boxes are
            folded by module, where ``trace`` was given one.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.
        titles: What stands in the boxes, by name or key, as
            ``{"z": "z = u + b"}``; for an onion the formula of a layer's slope.
        groups: Names of a graph's nodes to be spanned by a bracket, as
            ``{"loss": ["e", "L"]}``. An onion is grouped by ``peel``.
        show: ``"all"``; ``"values"`` leaves gradients and local derivatives
            out; ``"structure"`` also the values.
        view: ``"recorded"`` has operations in the boxes, as autograd has;
            ``"values"`` the popular picture, in which tensors are the boxes
            and operations stand on the roads. Places are the same, unless
            an operation's name is longer than its road.
        step: Show the backward pass after the engine has run so many nodes,
            0 for none; the node just run is outlined.
        path_names: The graph that an onion was peeled from, so that its paths
            have names and factors.

    Returns:
        The figure; notebooks show it, and ``save`` writes it.

    Raises:
        KindError: If ``graph`` is neither a graph nor an onion.
        InputError: If the title is empty or a setting is unknown.
        GraphTooLargeError: If there are more boxes than can be read.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w, x = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0)
        >>> loss = (w * x - 10.0) ** 2
        >>> draw(trace(loss), title="The graph of a loss").description.split(".")[0]
        'Six boxes'
    """
    _check(graph, title, description, show, view)
    if isinstance(graph, Onion):
        return _draw_onion(graph, title, description, titles or {}, groups, path_names)
    _check_step(graph, step)
    small = folded(graph)
    asked = wanted(small, show, view, titles or {}, step)
    spans = {name: tuple(names) for name, names in (groups or {}).items()}

    @cache
    def pictures(merge: bool) -> Picture:
        return picture(small, asked, spans, merge=merge)

    said = description or words.describe(small, pictures(False))
    return Drawing(
        title,
        said,
        graph_figure.wide(pictures, title, said),
        graph_figure.tall(pictures, title, said),
        words.table(pictures(False), title),
    )


def _draw_onion(
    onion: Onion,
    title: str,
    description: str | None,
    titles: Titles,
    groups: Groups | None,
    names: Graph | None,
) -> Drawing:
    if groups is not None:
        raise InputError(
            "An onion is grouped when it is peeled, so that the products of a group are exact. "
            'Call peel(graph, "w", groups={"loss": ["L", "e"], ...}) and draw that.'
        )
    said = description or onion_words.describe(onion, titles, names)
    return Drawing(
        title,
        said,
        onion_figure.wide(onion, titles, names, title, said),
        onion_figure.tall(onion, titles, names, title, said),
        onion_words.table(onion, titles, names, title),
    )


def _check(graph: object, title: object, description: object, show: str, view: str) -> None:
    if not isinstance(graph, (Graph, Onion)):
        raise KindError(
            f"draw() draws what trace() or peel() returns, but got a {type(graph).__name__}. "
            'Call draw(trace(loss), title="The graph of the loss").'
        )
    check_words(title, description)
    for name, value, kinds in (("show", show, get_args(Show)), ("view", view, get_args(View))):
        if value not in kinds:
            known = ", ".join(map(repr, kinds))
            raise InputError(f"{name}={value!r} is unknown. Choose one of {known}.")


def check_words(title: object, description: object) -> None:
    """Refuse a figure that a screen reader could not announce."""
    if not isinstance(title, str) or not title.strip():
        raise InputError(
            f"A figure needs a title, because a screen reader announces it; got {title!r}. "
            'Say what it shows, as in title="The graph of one neuron".'
        )
    if description is not None and not (isinstance(description, str) and description.strip()):
        raise InputError(
            f"The description of a figure cannot be empty, got {description!r}. Leave it out: "
            "then it is made from the numbers."
        )


def _check_step(graph: Graph, step: object) -> None:
    whole = isinstance(step, int) and not isinstance(step, bool)
    if step is not None and not (whole and 0 <= step <= len(graph)):  # type: ignore[operator]
        raise InputError(
            f"step={step!r} is no step of this backward pass: the engine runs {len(graph)} nodes. "
            f"Choose a whole number from 0 (before the first) to {len(graph)} (all done)."
        )
