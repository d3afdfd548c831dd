"""The page around a chapter: its opening, the list of chapters, neighbours, and nothing unused.

The templates and the style sheet are in ``_theme/``; this module gives them
what they show, and takes away what the themes below would load.
"""

import re
import shutil
from copy import deepcopy
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from chapters import contents
from docutils import nodes
from lesson import claim
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.writers.html5 import HTML5Translator

from handgrad.draw.ink import STYLE

THEME = Path(__file__).parent.parent / "_theme"
OPENING, CONTENTS = "<!--place-->", "<!--contents-->"
COLOURED = r"k\w?|s[0-9abcdehirsx]?|c\w{0,2}|dl|ow|nd|bp|gp|go"  # the kinds of code that have a hue
PLAIN_SPAN = re.compile(rf'<span class="(?!(?:{COLOURED})")[a-z]{{1,3}}[0-9]?">([^<]*)</span>')
OLD_ROLES = re.compile(r' role="(?:doc-biblioentry|doc-backlink|list)"')  # of which axe disapproves
DETAILS = re.compile(r"<details\b.*?</details>", re.DOTALL)
NARROW = 34  # characters of code that a phone shows without scrolling


class BookTranslator(HTML5Translator):
    """Sphinx's HTML, with the opening of a page and boxes that a keyboard can scroll."""

    def starttag(self, *args: Any, **attributes: Any) -> str:
        if attributes.get("ROLE") == "heading":  # the caption of a list of chapters
            attributes.setdefault("ARIA-LEVEL", "2")
        return super().starttag(*args, **attributes)

    def visit_title(self, node: nodes.title) -> None:
        if self._opens_page(node):
            self.body.append(f'<header class="opening"><div class="head">{OPENING}')
        super().visit_title(node)

    def depart_title(self, node: nodes.title) -> None:
        super().depart_title(node)
        if self._opens_page(node) and not isinstance(_after(node), claim):
            self._close_opening()

    def dispatch_departure(self, node: nodes.Node) -> None:
        super().dispatch_departure(node)
        if isinstance(node, claim) and self._opens_page(_before(node)):
            self._close_opening()

    def _close_opening(self) -> None:
        self.body.append(f'</div>{CONTENTS}</header><div class="begin"></div>\n')

    @staticmethod
    def _opens_page(node: nodes.Node | None) -> bool:
        section = getattr(node, "parent", None)
        return (
            isinstance(node, nodes.title)
            and isinstance(section, nodes.section)
            and isinstance(section.parent, nodes.document)
            and section.parent.next_node(nodes.section) is section
        )

    def add_secnumber(self, node: nodes.Element) -> None:
        """Leave the chapter's number to the line above its title; sections have none."""

    def add_fignumber(self, node: nodes.Element) -> None:
        """Write "Figure 3.1." with its full stop, which a reference leaves out."""
        before = len(self.body)
        super().add_fignumber(node)
        if len(self.body) > before:
            number = "".join(self.body[before:]).replace(" </span>", ".</span> ")
            self.body[before:] = [number]

    def visit_literal_block(self, node: nodes.literal_block) -> None:
        try:
            super().visit_literal_block(node)
        except nodes.SkipNode:
            name = "Output" if "output" in node["classes"] else "Code"
            focus = f' tabindex="0" role="group" aria-label="{name}"'
            self.body[-1] = PLAIN_SPAN.sub(r"\1", self.body[-1]).replace("<span></span>", "", 1)
            if longest(node.astext()) > NARROW:
                self.body[-1] = self.body[-1].replace("<pre>", f"<pre{focus}>", 1)
            raise

    def visit_figure(self, node: nodes.figure) -> None:
        node["from"] = len(self.body)
        super().visit_figure(node)

    def depart_figure(self, node: nodes.figure) -> None:
        """Let a drawing's table follow the caption, not come between them."""
        super().depart_figure(node)
        html = "".join(self.body[node["from"] :])
        tables = "".join(DETAILS.findall(html))
        if tables and "</figcaption>" in html:
            html = DETAILS.sub("", html).replace("</figcaption>", "</figcaption>" + tables, 1)
        self.body[node["from"] :] = [html]

    def visit_table(self, node: nodes.table) -> None:
        title = node.next_node(nodes.title)
        name = escape(title.astext() if title else "Table", quote=True)
        self.body.append(f'<div class="scroll" tabindex="0" role="group" aria-label="{name}">')
        super().visit_table(node)

    def depart_table(self, node: nodes.table) -> None:
        super().depart_table(node)
        self.body.append("</div>\n")


def _after(node: nodes.Node) -> nodes.Node | None:
    siblings = [child for child in node.parent if not isinstance(child, nodes.Invisible)]
    place = siblings.index(node) + 1
    return siblings[place] if place < len(siblings) else None


def _before(node: nodes.Node) -> nodes.Node | None:
    siblings = [child for child in node.parent if not isinstance(child, nodes.Invisible)]
    place = siblings.index(node)
    return siblings[place - 1] if place else None


def longest(text: str) -> int:
    """Return the length of the longest line."""
    return max(map(len, text.splitlines()), default=0)


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
    context["body"] = OLD_ROLES.sub("", context["body"]).replace(STYLE, "")


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
    wanted = ours | {"fonts"} | set(app.config.book_static_files)
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
