"""Tables made at build: plain nodes, so that every format of the book can show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class made(nodes.General, nodes.Element):
    """Keeps ``nodes`` until the page is written: no number in them was typed in a sentence."""


def table(
    name: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    right: set[int],
    caption: Sequence[nodes.Node] = (),
) -> nodes.table:
    """Make a table; a cell is a text, a node or a list of nodes."""
    made = nodes.table("", classes=["ledger"], ids=[name])
    if caption:
        made += nodes.title("", "", *caption)
    group = nodes.tgroup("", cols=len(heads) or len(rows[0]))
    made += group
    for column in range(group["cols"]):
        group += nodes.colspec("", colwidth=1, **({"stub": 1} if column == 0 else {}))
    if heads:
        group += nodes.thead("", _row(heads, right))
    group += nodes.tbody("", *(_row(row, right) for row in rows))
    return made


def _row(cells: Sequence[Any], right: set[int]) -> nodes.row:
    row = nodes.row()
    for column, cell in enumerate(cells):
        inner = list(cell) if isinstance(cell, list | tuple) else [cell]
        parts = [nodes.Text(part) if isinstance(part, str) else part for part in inner]
        if not (parts and isinstance(parts[0], nodes.line_block)):
            parts = [nodes.paragraph("", "", *parts)]
        row += nodes.entry("", *parts, classes=["r"] if column in right else [])
    return row


def quantity(name: str) -> list[nodes.Node]:
    """Set a symbol in italics, the words after its comma upright."""
    symbol, comma, words = name.partition(",")
    bare, bracket, index = symbol.partition("[")
    rest = bracket + index + comma + words
    first = nodes.emphasis("", bare) if "∂" in bare or len(bare) == 1 else nodes.Text(bare)
    return [first, nodes.Text(rest)] if rest else [first]


def digits(text: str) -> str:
    """Set a decimal with the true minus sign, and a power of ten instead of an ``e``."""
    mantissa, _, exponent = text.partition("e")
    power = f" × 10{str(int(exponent)).translate(RAISED)}" if exponent else ""
    return mantissa.replace("-", "−").replace("inf", "∞") + power


def listed(words: Sequence[str]) -> str:
    """Join words as a sentence does."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def place(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Before a page is written: put what directives have made in its place."""
    for node in list(doctree.findall(made)):
        node.replace_self(node["nodes"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(made)
    app.connect("doctree-resolved", place)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
