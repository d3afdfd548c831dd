"""The page around a chapter: its opening, the list of chapters, neighbours, and nothing unused.

The templates and the style sheet are in ``_theme/``; this module gives them
what they show, and takes away what the themes below would load.
"""

import re
import shutil
from copy import deepcopy
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

from autograd_book.chapters import contents
from autograd_book.directives.lesson import claim
from autograd_book.html.translator import CONTENTS, OPENING, BookTranslator
from handgrad.drawing.ink import STYLE

THEME = Path(__file__).parents[3] / "_theme"
INLINE = re.compile(r"([(\[“‘]?)(<math>.*?</math>)([,.;:!?)\]’”]*(?:-\w+)?)", re.DOTALL)
NO_CLASS = {
    "align-default", "compound", "container", "docutils", "external", "internal", "literal",
    "mathjax_ignore", "myst", "notranslate", "reference", "row-even", "row-odd", "simple",
    "tex2jax_ignore", "xref",
}  # fmt: skip
OLD_ROLES = re.compile(r' role="(?:doc-biblioentry|doc-backlink|list)"')  # of which axe disapproves
# Half of all elements, for nothing.
PLAIN_SPAN = re.compile(r'<span class="(?:pre|pasted-text)">([^<]*)</span>')


def use_translator(app: Sphinx) -> None:
    """Undo the theme's translator: its tables and headings are not ours."""
    if app.builder.format != "html" or not hasattr(app.builder, "default_translator_class"):
        return
    ours = BookTranslator if isinstance(app.builder, StandaloneHTMLBuilder) else None
    if app.builder.name == "epub":
        ours = app.builder.default_translator_class
    if ours:
        app.set_translator(app.builder.name, ours, override=True)


def fill(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give the templates what they show, and drop the files that the themes would load."""
    if app.builder.name == "epub":
        return
    env, root = app.env, app.config.root_doc
    if not hasattr(app.builder, "book_contents"):
        app.builder.book_contents = contents(env, root)
    parts = app.builder.book_contents
    here = next((c for _, chapters in parts for c in chapters if c.name == pagename), None)
    context["parts"] = parts
    context["here"] = here
    context["numbers"] = {c.name: c.number for _, chapters in parts for c in chapters}
    context["around"] = neighbours(parts, pagename, root)
    context["description"] = description(doctree)
    context["css_files"] = ["book.css"]
    context["script_files"] = ["page.js"]
    context["favicon"] = favicon()
    context["book_digest"] = digest()
    page = {
        OPENING: _render(app, "place.html", context) if here else "",
        CONTENTS: on_this_page(app, pagename),
    }
    for marker, html in page.items():
        context["body"] = context.get("body", "").replace(marker, html)
    body = OLD_ROLES.sub("", context["body"]).replace(STYLE, "")
    body = re.sub(r' class="([^"]*)"', _class, body)
    context["body"] = keep_together(PLAIN_SPAN.sub(r"\1", body))


def _class(found: re.Match[str]) -> str:
    """Leave out the classes that no style or script of the book asks for."""
    kept = " ".join(name for name in found[1].split() if name not in NO_CLASS)
    return f' class="{kept}"' if kept else ""


def keep_together(html: str) -> str:
    """Bind a formula to the punctuation around it, so that no line begins with a comma."""

    def bind(found: re.Match[str]) -> str:
        return f'<span class="nb">{found[0]}</span>' if found[1] + found[3] else found[0]

    return INLINE.sub(bind, html)


def _render(app: Sphinx, template: str, context: dict[str, Any]) -> str:
    return app.builder.templates.render(template, context)


def neighbours(parts: list, name: str, root: str) -> dict[str, Any]:
    """Return the chapters before and after a page, in the order of the book."""
    order = [chapter for _, chapters in parts for chapter in chapters]
    names = [chapter.name for chapter in order]
    if name == root:
        return {"after": order[0] if order else None}
    if name not in names:
        return {}
    place = names.index(name)
    before = order[place - 1] if place else None
    return {"before": before, "after": order[place + 1] if place + 1 < len(order) else None}


def description(doctree: nodes.document | None) -> str:
    """Return the claim of a page, or its first paragraph, as one line of at most 300 characters."""
    if doctree is None:
        return ""
    first = doctree.next_node(claim) or doctree.next_node(
        lambda n: isinstance(n, nodes.paragraph) and not isinstance(n.parent, addnodes.toctree)
    )
    text = re.sub(r"\s+", " ", first.astext()).strip() if first else ""
    return text if len(text) <= 300 else text[:297].rsplit(" ", 1)[0] + " …"


def on_this_page(app: Sphinx, name: str) -> str:
    """Return the list of a page's sections, or nothing where there is only one."""
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
    return f"{head}\n<ul>\n{rows}\n</ul></nav>"


def _depth(item: nodes.Node, top: nodes.Node) -> int:
    depth = 0
    while item is not top:
        depth += isinstance(item, nodes.list_item)
        item = item.parent
    return depth


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
    files = sorted((THEME / "static").iterdir())
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def sheet() -> str:
    """Return the style sheet, with the one that every drawing of handgrad brings along."""
    drawings = STYLE.removeprefix("<style>").removesuffix("</style>")
    return (THEME / "static" / "book.css").read_text("utf-8") + drawings


def shorter(script: str) -> str:
    """Return a script without its comments and indents."""
    script = re.sub(r"^\s*/\*.*?\*/\s*$", "", script, flags=re.DOTALL | re.MULTILINE)
    lines = (re.sub(r"^\s*//.*", "", line).strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def smaller(css: str) -> str:
    """Return a style sheet without comments and needless space."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s+", " ", css)
    css = re.sub(r"\s*([{};,])\s*", r"\1", css)
    return re.sub(r": (?=[^{}]*[;}])", ":", css).replace(";}", "}").strip() + "\n"


def add_script(app: Sphinx, name: str, kind: type[nodes.Node]) -> None:
    """Ship a script, and load it on the pages that have a node of this kind."""

    def keep(app: Sphinx, config: Any) -> None:
        config.book_static_files = [*config.book_static_files, name]

    def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
        if doctree is not None and doctree.next_node(kind) is not None:
            context["page_scripts"] = [*context.get("page_scripts", ()), name]

    app.connect("config-inited", keep)
    app.connect("html-page-context", load)


def drop_unused(app: Sphinx, exception: Exception | None) -> None:
    """Delete the files of the themes that no page asks for."""
    if exception or app.builder.format != "html" or app.builder.name == "epub":
        return
    static = Path(app.outdir) / "_static"
    style = static / "book.css"
    style.write_text(smaller(sheet()), "utf-8")
    for script in static.glob("*.js"):
        script.write_text(shorter(script.read_text("utf-8")), "utf-8")
    ours = {path.name for path in (THEME / "static").iterdir()}
    wanted = (ours - {"epub.css"}) | {"fonts"} | set(app.config.book_static_files)
    for path in static.iterdir():
        if path.name in wanted:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("book_static_files", [], "html")
    app.connect("builder-inited", use_translator, priority=900)
    app.connect("html-page-context", fill, priority=900)
    app.connect("build-finished", drop_unused, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
