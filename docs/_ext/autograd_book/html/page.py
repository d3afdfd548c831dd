"""What stands around a chapter, and how its HTML is finished.

The templates and the style sheet are in ``_theme/book``; this module gives them what
they show, as :class:`Surroundings`, and finishes the body that they are put around.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

from docutils import nodes
from rcssmin import cssmin
from sphinx import addnodes
from sphinx.application import Sphinx

from autograd_book.chapters import Chapter, Part
from autograd_book.directives.exercise_form import exercise
from autograd_book.directives.lesson import claim
from autograd_book.directives.live import live
from autograd_book.html.translator import CONTENTS, OPENING

THEME = Path(__file__).parents[3] / "_theme" / "book"
LIVE = re.compile(r"_static/(live-[a-z-]+\.js)")
INLINE = re.compile(r"([(\[“‘]?)(<math>.*?</math>)([,.;:!?)\]’”]*(?:-\w+)?)", re.DOTALL)
NO_CLASS = {
    "align-default", "compound", "container", "docutils", "external", "internal", "literal",
    "mathjax_ignore", "myst", "notranslate", "reference", "row-even", "row-odd", "simple",
    "tex2jax_ignore", "xref",
}  # fmt: skip
OLD_ROLES = re.compile(r' role="(?:doc-biblioentry|doc-backlink|list)"')  # of which axe disapproves
# Half of all elements, for nothing.
PLAIN_SPAN = re.compile(r'<span class="pre">([^<]*)</span>')


@dataclass(frozen=True, slots=True)
class Link:
    """A link at the foot of a page."""

    text: str
    address: str

    @property
    def is_download(self) -> bool:
        """Whether a browser keeps what it leads to, instead of showing it."""
        return self.address.endswith(".ipynb") and ":" not in self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the templates show around the body of a page, as ``book``.

    Attributes:
        parts: The list of chapters.
        here: The page in that list; None for the search, the index and the like.
        before: The chapter before it.
        after: The chapter after it; for the front page, the first.
        description: What the page is about, in a line; nothing if it has no text.
        scripts: Files that its parts need.
        made: Where its numbers come from, in words; nothing if it has none.
        links: What stands at its foot.
        card: Address of the picture for a shared link; nothing if the site's is unknown.
        favicon: The icon as an address that needs no request.
        digest: A short name of the state of style sheet and scripts.
    """

    parts: tuple[Part, ...]
    here: Chapter | None
    before: Chapter | None
    after: Chapter | None
    description: str
    scripts: tuple[str, ...]
    made: str
    links: tuple[Link, ...]
    card: str
    favicon: str
    digest: str


def neighbours(
    parts: tuple[Part, ...], name: str, root: str
) -> tuple[Chapter | None, Chapter | None]:
    """Return the chapters before and after a page, in the order of the book."""
    order = [chapter for part in parts for chapter in part.chapters]
    names = [chapter.name for chapter in order]
    if name == root:
        return None, order[0] if order else None
    if name not in names:
        return None, None
    place = names.index(name)
    return order[place - 1] if place else None, order[place + 1] if order[place + 1 :] else None


def description(doctree: nodes.document | None) -> str:
    """Return the claim of a page, or its first paragraph, as one line of at most 300 characters."""
    if doctree is None:
        return ""
    first = doctree.next_node(claim) or doctree.next_node(
        lambda n: isinstance(n, nodes.paragraph) and not isinstance(n.parent, addnodes.toctree)
    )
    text = re.sub(r"\s+", " ", first.astext()).strip() if first else ""
    return text if len(text) <= 300 else text[:297].rsplit(" ", 1)[0] + " …"


def scripts(doctree: nodes.document | None) -> tuple[str, ...]:
    """Return the scripts that the parts of a page need."""
    if doctree is None:
        return ()
    kinds = sorted({figure["kind"] for figure in doctree.findall(live)})
    asked = ["exercise.js"] if doctree.next_node(exercise) is not None else []
    return (*asked, *([live_name(kinds)] if kinds else []))


def live_name(kinds: Sequence[str]) -> str:
    """Return the name of the script for live figures of these kinds."""
    return f"live-{'-'.join(kinds)}.js"


def live_script(name: str) -> str:
    """Return a script for live figures, from what all share and its kinds."""
    kinds = name.removeprefix("live-").removesuffix(".js").split("-")
    parts = [(THEME / "live" / f"{part}.js").read_text("utf-8") for part in ("shared", *kinds)]
    return "\n".join(['(function () {\n"use strict";\n', *parts, "begin();\n})();\n"])


@cache
def favicon() -> str:
    """Return the book's icon as an address that needs no request."""
    svg = (THEME / "icon.svg").read_text(encoding="utf-8").strip()
    for plain, coded in (("%", "%25"), ("#", "%23"), ("<", "%3C"), (">", "%3E"), ('"', "'")):
        svg = svg.replace(plain, coded)
    return f"data:image/svg+xml,{svg}"


@cache
def digest() -> str:
    """Return a short name of the state of our style sheet and scripts."""
    files = sorted([*(THEME / "static").iterdir(), *(THEME / "live").iterdir()])
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def put_opening(body: str, place: str, contents: str) -> str:
    """Put the line above the title, and the list of sections, where the translator left room."""
    return body.replace(OPENING, place).replace(CONTENTS, contents)


def drop_old_roles(body: str) -> str:
    """Leave out the roles that docutils still writes and that no reader of a screen knows."""
    return OLD_ROLES.sub("", body)


def drop_wrong_names(body: str) -> str:
    """Leave out the name that MyST-NB gives to a folded cell: its words say what it does."""
    return body.replace('<summary aria-label="Toggle hidden content">', "<summary>")


def drop_styles_of_drawings(body: str) -> str:
    """Leave out the style that every drawing brings along: the style sheet has it."""
    return body.replace(style_of_drawings(), "")


def drop_unused_classes(body: str) -> str:
    """Leave out the classes that no style or script of the book asks for."""

    def kept(found: re.Match[str]) -> str:
        names = " ".join(name for name in found[1].split() if name not in NO_CLASS)
        return f' class="{names}"' if names else ""

    return re.sub(r' class="([^"]*)"', kept, body)


def drop_plain_spans(body: str) -> str:
    """Leave out the spans that mean nothing."""
    return PLAIN_SPAN.sub(r"\1", body)


def keep_together(body: str) -> str:
    """Bind a formula to the punctuation around it, so that no line begins with a comma."""

    def bind(found: re.Match[str]) -> str:
        return f'<span class="nb">{found[0]}</span>' if found[1] + found[3] else found[0]

    return INLINE.sub(bind, body)


FINISHING: tuple[Callable[[str], str], ...] = (
    drop_old_roles,
    drop_wrong_names,
    drop_styles_of_drawings,
    drop_unused_classes,
    drop_plain_spans,
    keep_together,
)


def on_this_page(app: Sphinx, name: str, proven: int) -> str:
    """Return the list of a page's sections, or nothing where there is only one.

    The switch that marks so many proven phrases has its place under it from the start.
    """
    entries = app.env.tocs.get(name)
    inner = [
        item
        for item in (entries.findall(nodes.list_item) if entries else ())
        if _depth(item, entries) == 2 and isinstance(item[0], addnodes.compact_paragraph)
    ]
    if len(inner) < 2:
        return ""
    rows = []
    for item in inner:
        link = item[0][0]
        title = app.builder.render_partial(nodes.inline("", "", *deepcopy(link).children))[
            "fragment"
        ]
        rows.append(f'<li><a href="{link["anchorname"] or "#"}">{title}</a></li>')
    rows = "\n".join(rows)
    head = '<nav class="contents" aria-label="On this page"><b>On this page</b>'
    switch = (
        f'\n<button type="button" class="proof-switch" aria-pressed="false">'
        f"Show what is proven ({proven})</button>"
    )
    return f"{head}\n<ul>\n{rows}\n</ul>{switch if proven else ''}</nav>"


def _depth(item: nodes.Node, top: nodes.Node) -> int:
    depth = 0
    while item is not top:
        depth += isinstance(item, nodes.list_item)
        item = item.parent
    return depth


def sheet() -> str:
    """Return the style sheet, with the one that every drawing of handgrad brings along."""
    own = (THEME / "static" / "book.css").read_text("utf-8")
    drawings = style_of_drawings().removeprefix("<style>").removesuffix("</style>")
    return cssmin(own + drawings) + "\n"


@cache
def style_of_drawings() -> str:
    """Return handgrad's style for drawings; to import the package would import torch."""
    found = find_spec("handgrad")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("The package handgrad has the drawings' style; install it.")
    return run_path(str(Path(found.origin).parent / "drawing" / "style.py"))["STYLE"]


def own_files() -> set[str]:
    """Return the names of our style sheet and scripts."""
    return {path.name for path in (THEME / "static").iterdir()}
