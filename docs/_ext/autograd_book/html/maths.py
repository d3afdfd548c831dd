"""Formulas become MathML when the book is built, so that a reader needs neither script nor network.

A formula that ``tex`` cannot read stops the build, with its file and line.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.math import get_node_equation_number

from autograd_book.html.tex import mathml as tex

WIDE = 9.0  # em of a displayed formula: what a phone of 320 pixels shows beside its number


class MathsError(SphinxError):
    """One or more formulas of a page cannot be shown."""

    category = "Formula error"


def check(app: Sphinx, doctree: nodes.document) -> None:
    """Read every formula of a page as soon as the page is read, and report all that fail."""
    faults = []
    for node in doctree.findall(lambda n: isinstance(n, (nodes.math, nodes.math_block))):
        try:
            tex.mathml(node.astext(), display=isinstance(node, nodes.math_block))
        except tex.TexError as error:
            source, line = node.source, node.line
            parent = node.parent
            while parent is not None and (source is None or line is None):
                source, line = source or parent.source, line or parent.line
                parent = parent.parent
            faults.append(f"{source or app.env.docname}:{line or 1}: {error}")
    if faults:
        raise MathsError("\n".join(faults))


def visit_inline(self, node: nodes.math) -> None:
    """Write a formula that stands in a line of text."""
    self.body.append(tex.mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    """Write a displayed formula, or a row of several, with its number if it has one."""
    source = node.astext()
    number = get_node_equation_number(self, node) if node["number"] else ""
    formulas = tex.mathml(source, display=True)
    if len(tex.formulas(source)) > 1:
        formulas = f'<span class="list">{formulas}</span>'
    attributes = {"CLASS": "equation", "ids": node["ids"]}
    if tex.width(source) > WIDE:
        name = f"Formula {number}" if number else "Formula"
        attributes |= {"tabindex": "0", "role": "group", "aria-label": name}
    self.body.append(self.starttag(nodes.Element(), "div", "", **attributes))
    self.body.append(formulas)
    if number:
        link = f'<a href="#{node["ids"][0]}">({number})</a>' if node["ids"] else f"({number})"
        self.body.append(f'<span class="no">{link}</span>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("doctree-read", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
