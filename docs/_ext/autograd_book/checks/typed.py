"""Numbers in sentences come from the run: a result that somebody typed is a warning.

A number may be typed where it is an input: it stands in a cell that the page
shows, or it is whole and stands in code or within a formula. A formula that is nothing
but a number, or a name and its number, is prose, unless a role of the page computes with
that number or holds something to it. A decimal in code or in a formula is
one of some cell of the page. Any other is named, with the reason, in the page's front
matter (``typed: {"1991": year of a work}``), or below for all pages; a name that
nothing needs is a warning too. What is spoken counts as written: the alt text of an image.
"""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from autograd_book.chapters import number_of
from autograd_book.directives.exercise_form import exercise, offer
from autograd_book.directives.lesson import choice
from autograd_book.directives.questions import reply
from autograd_book.inline.evaluate import split_format
from autograd_book.inline.marks import Mark
from autograd_book.inline.roles import asked
from autograd_book.inline.roles import value as shown
from autograd_book.run import records

log = logging.getLogger(__name__)

NUMBER = re.compile(
    r"(?<![\w.,])[−-]?(?:(?:\d{1,3}(?:[,\u2009\u202f]\d{3})+|\d+)(?:\.\d+)?|\.\d+|[¼-¾⅐-⅞])"
    r"(?:\s?×\s?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|[eE][−-]?\d+)?(?=(?:x|[mµn]?s|[kMG]?i?B)?(?!\w|[.,]\d))"
)
DECIMAL = re.compile(r"\d+\.\d+(?:e-?\d+)?")
# A formula that tells a result: a number, or what it is the value of, and the number.
BARE = re.compile(r"\s*(?:[^=]*(?:=|\\approx)\s*)?([−+-]?\s*\d[\d.,{}]*)\s*")
CHAPTER = re.compile(r"Chapter (\d+)")
HIDDEN = {"remove-cell", "remove-input", "remove_cell", "remove_input"}
NOT_PROSE = (
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
    nodes.citation,
    nodes.footnote_reference,
    nodes.label,
    addnodes.toctree,
    addnodes.desc,
    addnodes.index,
    shown,  # by the run
    choice,  # of a prediction: most of them must be false
    offer,  # of an exercise
)
DISPLAYED = (nodes.literal, nodes.math, nodes.math_block)
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
    seen = inputs(env, name)
    used: set[str] = set()
    for node, text in sentences(doctree):
        for number in numbers(_without(text, EVERYWHERE | own, used)):
            in_role = isinstance(node, nodes.math) and value(number) in seen.asked
            if not in_role and not seen.has(number):
                text = (
                    f"{number!r} is typed in a sentence. If it is a result, let {{py}} give it; if "
                    "it is an input, show it in a cell or set it as mathematics; else name it in "
                    f'the front matter: typed: {{"{number}": why}}'
                )
                log.warning(text, location=node, type="book", subtype="typed")
    for node, number in decimals(doctree):
        if value(number) not in seen.known and number not in own:
            text = (
                f"{number!r} is typed in {node.astext()!r}, and no cell of this page has "
                "it. If it is a result, let {py} give it; if it is an input, show it in a cell."
            )
            log.warning(text, location=node, type="book", subtype="typed")
        used |= own.keys() & {number}
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


def sentences(doctree: nodes.document) -> Iterator[tuple[nodes.Node, str]]:
    """Yield what is read or spoken as prose, and where it stands."""
    for node in doctree.findall():
        if isinstance(node, nodes.Text):
            if in_sentence(node):
                yield node.parent, node.astext()
        elif isinstance(node, nodes.math) and (bare := BARE.fullmatch(node.astext())):
            yield node, bare[1].replace("{,}", ",")
        elif isinstance(node, nodes.image):
            yield node, node.get("alt", "")
        elif isinstance(node, exercise):
            yield node, node["title"]
        elif isinstance(node, nodes.raw) and not _is_output(node):
            yield node, re.sub(r"<[^>]*>", " ", node.astext())


def in_sentence(node: nodes.Text) -> bool:
    """Say whether a text is read as prose: not code, mathematics or an output."""
    above = node.parent
    while above is not None:
        if isinstance(above, reply):
            return True
        if isinstance(above, NOT_PROSE):
            return False
        if isinstance(above, nodes.reference | addnodes.pending_xref) and _is_given(above):
            return False
        if above.get("nb_element") in ("cell_code", "mime_bundle"):
            return isinstance(node.parent, nodes.caption)
        above = above.parent
    return True


def _is_given(link: nodes.Element) -> bool:
    """Say whether a link's text is no sentence: an address, a name that Sphinx replaces.

    The number of a chapter is held to the chapter when the page is written.
    """
    text = link.astext()
    explicit = link.get("refexplicit", isinstance(link, nodes.reference))
    return not explicit or text == link.get("refuri") or bool(CHAPTER.fullmatch(text))


def _is_output(node: nodes.Node) -> bool:
    """Say whether a node is what a cell has shown."""
    while node is not None:
        if node.get("nb_element") == "mime_bundle" or "output" in node.get("classes", ()):
            return True
        node = node.parent
    return False


def decimals(doctree: nodes.document) -> Iterator[tuple[nodes.Element, str]]:
    """Yield the decimals that stand in mathematics or, between words, in code."""
    for node in doctree.findall(lambda n: isinstance(n, DISPLAYED)):
        inside = node.parent
        while inside is not None and not isinstance(inside, addnodes.desc):
            inside = inside.parent
        if inside is None and not _is_output(node):
            for found in DECIMAL.finditer(node.astext()):
                yield node, found[0]


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


@dataclass(frozen=True, slots=True)
class Inputs:
    """The sizes of the numbers that a page's cells have.

    Attributes:
        shown: Those in cells that the page shows.
        known: Those in any cell.
        below: Those in any cell with a minus before them.
        asked: Those in the expressions of the page's roles.
    """

    shown: frozenset[Decimal]
    known: frozenset[Decimal]
    below: frozenset[Decimal]
    asked: frozenset[Decimal]

    def has(self, number: str) -> bool:
        """Say whether a number in a sentence is one that is shown, with its sign."""
        size = value(number)
        return size in self.shown and (number[0] not in "−-" or size in self.below)


def inputs(env: Any, name: str) -> Inputs:
    """Return the numbers of a page's cells."""
    notebook, page = records.executed(env, name), records.page(env, name)
    if notebook is None or page is None:
        return Inputs(*[frozenset[Decimal]()] * 4)
    cells = {cell.index: [*literals(cell.source)] for cell in page.cells}
    every = [number for cell in cells.values() for number in cell]
    open_ = [
        number
        for index, cell in cells.items()
        if not HIDDEN & {*notebook.cells[index].metadata.get("tags", [])}
        for number in cell
    ]
    below = [number for number in every if number[0] == "-"]
    in_roles = [n for mark in asked(env).marks.values() for n in literals(_expression(mark))]
    return Inputs(_sizes(open_), _sizes(every), _sizes(below), _sizes(in_roles))


def _expression(mark: Mark) -> str:
    """Return a role's expression without its format, whose digits say nothing."""
    try:
        return split_format(mark.code)[0]
    except SyntaxError:  # that is said where it is asked
        return ""


def _sizes(written: Iterable[str]) -> frozenset[Decimal]:
    return frozenset(size for number in written if (size := value(number)) is not None)


def literals(source: str) -> Iterator[str]:
    """Yield the numbers in a cell's code, with the minus that stands before one."""
    before = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NUMBER:
                yield ("-" if before == "-" else "") + token.string.replace("_", "")
            before = token.string
    except (tokenize.TokenError, SyntaxError):  # a line for IPython alone
        return


def named_chapters(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Before a page is written: a link that says "Chapter 4" has to lead there."""
    if app.builder.format != "html":
        return
    uri, env = app.builder.get_relative_uri, app.env
    numbers = {uri(name, other): number_of(env, other) for other in env.titles}
    for node in doctree.findall(nodes.reference):
        found = CHAPTER.fullmatch(node.astext())
        number = numbers.get(node.get("refuri", "").partition("#")[0])
        if found and number != found[1]:
            text = f"{found[0]!r} is typed, but the link leads to {number or 'no chapter'}"
            log.warning(text, location=node, type="book", subtype="typed")


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    app.add_config_value("book_typed_freely", [], "env", list)
    app.connect("doctree-read", inspect, priority=300)
    app.connect("doctree-resolved", named_chapters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
