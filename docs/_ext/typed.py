"""Numbers in sentences come from the run: a result that somebody typed is a warning.

A number may be typed where it is an input: it stands in a cell that the page
shows, in code, or in mathematics. Any other is named, with the reason, in the
page's front matter (``typed: {"1991": year of a work}``), or below for all pages;
a name that nothing needs is a warning too.
"""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import records
from docutils import nodes
from exercise_form import offer
from lesson import choice
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)

NUMBER = re.compile(
    r"(?<![\w.,])[−-]?(?:\d{1,3}(?:[,\u2009\u202f]\d{3})+|\d+)(?:\.\d+)?"
    r"(?:\s?×\s?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|e[−-]?\d+)?(?![\w]|[.,]\d)"
)
HIDDEN = {"remove-cell", "remove-input", "remove_cell", "remove_input"}
NOT_PROSE = (
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
    nodes.citation,
    nodes.footnote,
    nodes.label,
    nodes.reference,
    addnodes.pending_xref,
    addnodes.toctree,
    addnodes.desc,
    addnodes.index,
    choice,  # of a prediction: most of them must be false
    offer,  # of an exercise
)
YEAR = re.compile(r"\((?:[^()]*\b)?(?:1[6-9]|20)\d\d[a-z]?\)")  # "(1991)", "(Linnainmaa 1970)"
EVERYWHERE = {
    "0": "nothing is no count",
    "1": "the start of every backward pass, and the unit",
    "50 digits": "what a witness works with, and its name",
}


def inspect(app: Sphinx, doctree: nodes.document) -> None:
    """After a page has been parsed: look for numbers in its sentences."""
    env, name = app.env, app.env.docname
    if name in app.config.book_typed_freely:
        return
    own = _named(env.metadata.get(name, {}).get("typed", {}))
    allowed = inputs(env, name)
    used = set()
    for node in doctree.findall(nodes.Text):
        if not in_sentence(node):
            continue
        for number in numbers(_without(node.astext(), EVERYWHERE | own, used)):
            if value(number) not in allowed:
                text = (
                    f"{number!r} is typed in a sentence. If it is a result, glue it; if it is an "
                    f"input, show it in a cell or set it as mathematics; else name it in the front "
                    f'matter: typed: {{"{number}": why}}'
                )
                log.warning(text, location=node.parent, type="book", subtype="typed")
    for phrase in sorted(own.keys() - used):
        text = f"the front matter allows {phrase!r} to be typed, but no sentence has it"
        log.warning(text, location=name, type="book", subtype="typed")


def _named(given: Any) -> dict[str, str]:
    """Return the page's exceptions; a page that is no notebook has them as JSON text."""
    table = json.loads(given) if isinstance(given, str) else given
    return {str(phrase): str(why) for phrase, why in table.items()}


def _without(text: str, named: dict[str, str], used: set[str]) -> str:
    """Take the named phrases and the years of works out of a text."""
    for phrase in sorted(named, key=len, reverse=True):
        whole = rf"(?<![\w.,−-]){re.escape(phrase)}(?!\w|[.,]\d)"
        if re.search(whole, text):
            used.add(phrase)
            text = re.sub(whole, "…", text)
    return YEAR.sub("…", text)


def in_sentence(node: nodes.Text) -> bool:
    """Say whether a text is read as prose: not code, mathematics, a glued number or an output."""
    above = node.parent
    while above is not None:
        if isinstance(above, NOT_PROSE) or "pasted-text" in above.get("classes", ()):
            return False
        if above.get("nb_element") in ("cell_code", "mime_bundle"):
            return isinstance(node.parent, nodes.caption)
        above = above.parent
    return True


def numbers(text: str) -> Iterator[str]:
    """Yield the numbers of a text; digits inside a word, such as float64, are none.

    Example:
        >>> [*numbers("20,000 neurons in float64 gave −0.1884 and 9.9 × 10⁻¹⁴, see 4.2.1.")]
        ['20,000', '−0.1884', '9.9 × 10⁻¹⁴']
    """
    for found in NUMBER.finditer(text):
        yield found[0]


def value(number: str) -> Decimal | None:
    """Return what a number in a sentence means; None for one with a power of ten as a word."""
    plain = re.sub(r"[,\u2009\u202f]", "", number).replace("−", "-")
    try:
        return abs(Decimal(plain))
    except InvalidOperation:
        return None


def inputs(env: Any, name: str) -> set[Decimal | None]:
    """Return the numbers that stand in the cells a page shows."""
    notebook, page = records.executed(env, name), records.page(env, name)
    if notebook is None or page is None:
        return set()
    found: set[Decimal | None] = set()
    for cell in page.cells:
        if not HIDDEN & {*notebook.cells[cell.index].metadata.get("tags", [])}:
            found.update(map(value, literals(cell.source)))
    return found


def literals(source: str) -> Iterator[str]:
    """Yield the numbers in a cell's code."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NUMBER:
                yield token.string.replace("_", "")
    except (tokenize.TokenError, SyntaxError):  # a line for IPython alone
        return


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("records")
    app.add_config_value("book_typed_freely", [], "env", list)
    app.connect("doctree-read", inspect, priority=300)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
