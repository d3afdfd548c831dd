"""The ledger: every comparison that the book made, with its numbers, verdict and reason.

``{ledger}`` shows all chapters, ``{ledger} chapter`` the page's own entries,
``{ledger} totals`` one line a chapter.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.util.docutils import SphinxDirective

from autograd_book.chapters import number_of
from autograd_book.run import records
from autograd_book.run.counts import entries, verdicts
from autograd_book.run.records import Entry, Page
from autograd_book.tables import digits, quantity, table

SHOWN = "PyTorch Gradient"  # the column that a chapter's own table shows
MANY = 10**9  # ulps; beyond, the numbers have nothing in common
NO_SCALE = "–"  # between zero and another number lie all the small floats
VERDICTS = ("same bits", "within tolerance", "differ, as claimed")


class ledger(nodes.General, nodes.Element):
    """Stands for a table until every page has been read."""


class LedgerDirective(SphinxDirective):
    """``{ledger}``, ``{ledger} chapter`` or ``{ledger} totals``."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        kind = self.arguments[0] if self.arguments else "book"
        if kind not in ("book", "chapter", "totals"):
            raise self.error(f"There is no ledger {kind!r}; write none, chapter or totals.")
        if kind != "chapter":
            records.askers(self.env).add(self.env.docname)
        node = ledger("", kind=kind)
        self.set_source_info(node)
        return [node]


def resolve(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Before a page is written: put the tables in their places."""
    for node in list(doctree.findall(ledger)):
        run = records.pages(app.env)
        if node["kind"] == "chapter":
            run = {name: run[name]} if name in run else {}
        maker = {"book": whole, "chapter": chapter, "totals": totals}[node["kind"]]
        made = maker(app, name, run)
        node.replace_self(made)


def chapter(app: Sphinx, name: str, run: dict[str, Page]) -> list[nodes.Node]:
    """Make the short table that closes a chapter."""
    rows = [_line(app, name, entry, _shown(entry)) for entry in entries(run)]
    heads = ["Entry", "Quantity", "PyTorch", "Ulps", "Verdict"]
    return [table("ledger", heads, rows, right={2, 3})] if rows else []


def whole(app: Sphinx, name: str, run: dict[str, Page]) -> list[nodes.Node]:
    """Make one table for each chapter that compared something."""
    heads = ["Entry", "Quantity", "Numbers", "Ulps", "Verdict"]
    made: list[nodes.Node] = []
    for number, (page, left) in enumerate(run.items(), 1):
        rows = [_line(app, name, entry, _numbers(entry), titled=True) for entry in left.entries]
        if rows:
            caption = [_chapter(app, name, page), nodes.Text(f": {_summary(left)}")]
            made.append(table(f"ledger-{number}", heads, rows, right={3}, caption=caption))
    return made


def totals(app: Sphinx, name: str, run: dict[str, Page]) -> list[nodes.Node]:
    """Make one line for each chapter, and one for the book."""
    heads = ["Chapter", "Comparisons", *map(str.capitalize, VERDICTS), "Most ulps"]
    rows: list[Any] = []
    for page, left in run.items():
        if left.entries:
            rows.append([_chapter(app, name, page), *_sums({page: left})])
    rows.append([nodes.strong("", "The book"), *_sums(run)])
    return [table("ledger-totals", heads, rows, right={1, 2, 3, 4, 5})]


def _sums(run: dict[str, Page]) -> list[str]:
    seen = verdicts(run)
    scaled = (e for e in entries(run) if e.claim != "differ" and not _has_zero(e))
    most = max((e.most_ulps or 0 for e in scaled), default=0)
    counts = [len(entries(run)), *(seen[name] for name in VERDICTS)]
    return [*(f"{count:,}" for count in counts), distance(most)]


def _summary(page: Page) -> str:
    count, held = len(page.entries), sum(entry.held for entry in page.entries)
    return f"{count:,} comparison{'s' * (count != 1)}, {held:,} as claimed"


def _line(app: Sphinx, here: str, entry: Entry, numbers: Any, *, titled: bool = False) -> list[Any]:
    name = quantity(entry.quantity)
    if titled and entry.title:
        name = [nodes.line_block("", nodes.line("", "", *name), _quiet(entry.title))]
    return [_link(app, here, entry), name, numbers, ulps(entry), _words(entry)]


def _link(app: Sphinx, here: str, entry: Entry) -> nodes.Node:
    text = f"{number_of(app.env, entry.page)}.{entry.number}".lstrip(".")
    return _reference(app.builder, here, entry.page, entry.cell.anchor, text)


def _chapter(app: Sphinx, here: str, page: str) -> nodes.Node:
    title, number = app.env.titles[page].astext(), number_of(app.env, page)
    text = f"{number}. {title}" if number else title
    return _reference(app.builder, here, page, "", text)


def _reference(builder: Builder, here: str, page: str, anchor: str, text: str) -> nodes.Node:
    uri = "" if page == here else builder.get_relative_uri(here, page)
    return nodes.reference("", text, internal=True, refuri=uri + (f"#{anchor}" if anchor else ""))


def _shown(entry: Entry) -> str:
    numbers = dict(entry.numbers)
    text = numbers.get(SHOWN, next(iter(numbers.values())))
    value = float(text)
    if value.is_integer() and 1000 <= abs(value) < 1e6:  # a count
        return digits(f"{value:,.0f}")
    plain = not value or 1e-3 <= abs(value) < 1e6
    return digits(f"{value:.4f}" if plain else f"{value:.3e}")


def _numbers(entry: Entry) -> list[nodes.Node]:
    """Give each number once, with the names of all who found it."""
    by_text: dict[str, list[str]] = {}
    for column, text in entry.numbers:
        by_text.setdefault(text, []).append(column)
    block = nodes.line_block()
    for text, columns in by_text.items():
        block += nodes.line("", "", nodes.inline("", digits(text), classes=["num"]))
        block += _quiet(", ".join(columns))
    if entry.count > 1:
        worst = "" if entry.same == entry.count else "the worst by distance; "
        most = entry.most_ulps if entry.most_ulps != entry.ulps else None
        far = f", at most {distance(most)} ulps apart" if most else ""
        block += _quiet(f"{worst}{entry.same:,} of {entry.count:,} with the same bits{far}")
    return [block]


def _quiet(text: str) -> nodes.line:
    return nodes.line("", "", nodes.inline("", text, classes=["small", "quiet"]))


def ulps(entry: Entry) -> str:
    if entry.ulps is None:
        return ""
    return NO_SCALE if entry.ulps and _has_zero(entry) else distance(entry.ulps)


def _has_zero(entry: Entry) -> bool:
    return any(text and float(text) == 0.0 for _, text in entry.numbers)


def distance(ulps: int) -> str:
    """Write a distance; one of twenty digits is no distance but a miss."""
    return f"{ulps:,}" if ulps < MANY else digits(f"{ulps:.1e}")


def _words(entry: Entry) -> str:
    if not entry.held:
        return "not as claimed"
    explained = entry.reason and (not entry.same_bits or entry.claim == "differ")
    return f"{entry.verdict}: {entry.reason}" if explained else entry.verdict


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    app.add_node(ledger)
    app.add_directive("ledger", LedgerDirective)
    app.connect("doctree-resolved", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
