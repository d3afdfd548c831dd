"""``{site-figures}``: what the tests measured on the pages of this book, for its colophon.

The figures are in ``back/site-figures.json``, which the tests of the site write
when asked to and compare with at every other run.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from tables import table

FILE = "back/site-figures.json"
ROWS = {
    "elsewhere": "Requests to other hosts",
    "requests": "Requests of a chapter, with an empty cache",
    "kilobytes": "Kilobytes of a chapter with its fonts, compressed, median",
    "kilobytes_most": "Kilobytes of the heaviest page",
    "layout_shift": "Layout shift of the least steady page",
    "accessibility_faults": "Faults that axe-core finds, light and dark, wide and narrow",
    "characters_a_line": "Characters a line",
}


class sitefigures(nodes.General, nodes.Element):
    """Stands for the table until the page is written."""


class SiteFiguresDirective(SphinxDirective):
    """The table of the measured figures."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(FILE)
        return [sitefigures()]


def resolve(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Before a page is written: put the table in its place."""
    for node in list(doctree.findall(sitefigures)):
        seen = json.loads(Path(app.srcdir, FILE).read_text("utf-8"))
        if seen.keys() != ROWS.keys():
            raise ExtensionError(f"{FILE} has {sorted(seen)}, but {sorted(ROWS)} are shown.")
        rows = [(words, f"{seen[key]:,}") for key, words in ROWS.items()]
        node.replace_self(table("site-figures", (), rows, right={1}))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(sitefigures)
    app.add_directive("site-figures", SiteFiguresDirective)
    app.connect("doctree-resolved", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
