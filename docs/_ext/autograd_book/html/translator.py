"""Sphinx's HTML as the book's page wants it: an opening, figures in order, boxes that scroll."""

import re
from html import escape, unescape
from typing import Any

from docutils import nodes
from sphinx.writers.html5 import HTML5Translator

from autograd_book.directives.lesson import claim

OPENING, CONTENTS = "<!--place-->", "<!--contents-->"
COLOURED = r"k\w?|s[0-9abcdehirsx]?|c\w{0,2}|dl|ow|nd|bp|gp|go"  # the kinds of code that have a hue
PLAIN_SPAN = re.compile(rf'<span class="(?!(?:{COLOURED})")[a-z]{{1,3}}[0-9]?">([^<]*)</span>')
DETAILS = re.compile(r"<details\b.*?</details>", re.DOTALL)
WIDE = 5  # columns of a table that may use the margin
NARROW = 28  # characters of code that the narrowest phone shows without scrolling


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

    def visit_Text(self, node: nodes.Text) -> None:
        """Keep a percentage on one line."""
        super().visit_Text(node)
        if not self.protect_literal_text:
            self.body[-1] = self.body[-1].replace(" %", "&#160;%")

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

    def visit_raw(self, node: nodes.raw) -> None:
        """Let a table that a cell shows scroll in a box of its own; a comparison turns instead."""
        start = len(self.body)
        try:
            super().visit_raw(node)
        except nodes.SkipNode:
            if "output" in node["classes"]:
                self.body[start:] = [boxed("".join(self.body[start:]))]
            raise

    def visit_table(self, node: nodes.table) -> None:
        title = node.next_node(nodes.title)
        name = escape(title.astext() if title else "Table", quote=True)
        columns = len(list(node.findall(nodes.colspec)))
        own = "ledger" in node["ids"]  # a chapter's own entries fit its text
        size = "scroll wide" if columns >= WIDE and not own else "scroll"
        self.body.append(f'<div class="{size}" tabindex="0" role="group" aria-label="{name}">')
        super().visit_table(node)

    def depart_table(self, node: nodes.table) -> None:
        super().depart_table(node)
        self.body.append("</div>\n")


def boxed(html: str) -> str:
    """Put each table that does not turn on a phone into a box that scrolls, with a name."""

    def box(found: re.Match[str]) -> str:
        caption = re.search(r"<caption>(.*?)</caption>", found[0], re.DOTALL)
        name = re.sub(r"<[^>]*>", "", caption[1]).strip() if caption else "Table"
        name = escape(unescape(name), quote=True)
        start = f'<div class="scroll" tabindex="0" role="group" aria-label="{name}">'
        return f"{start}{found[0]}</div>"

    html = re.sub(
        r'<div class="scroll"[^>]*>(<table.*?</table>)</div>', r"\1", html, flags=re.DOTALL
    )
    html = html.replace("<pre><code>", '<pre tabindex="0" role="group" aria-label="Code"><code>')
    return re.sub(r'<table(?! class="turn").*?</table>', box, html, flags=re.DOTALL)


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
