"""Counts of the run for sentences: ``{run}`comparisons``` is a number that nobody typed."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from autograd_book.run import records
from autograd_book.run.records import Entry, Page

COUNTS: dict[str, Callable[[dict[str, Page]], int | str]] = {
    "comparisons": lambda run: len(entries(run)),
    "claimed": lambda run: sum(entry.held for entry in entries(run)),
    "numbers": lambda run: sum(entry.count for entry in entries(run)),
    "same-bits": lambda run: verdicts(run)["same bits"],
    "tolerated": lambda run: verdicts(run)["within tolerance"],
    "different": lambda run: verdicts(run)["differ, as claimed"],
    "explained": lambda run: sum(bool(entry.reason) for entry in entries(run)),
    "witnessed": lambda run: sum(len(entry.numbers) > 2 for entry in entries(run)),
    "cells": lambda run: sum(len(page.cells) for page in run.values()),
    "chapters": len,
    "exercises": lambda run: sum(len(page.exercises) for page in run.values()),
    "wrong-answers": lambda run: sum(e["wrong"] for page in run.values() for e in page.exercises),
    "claims": lambda run: sum(len(page.proofs) for page in run.values()),
    "values": lambda run: sum(page.values for page in run.values()),
    "shown-lines": lambda run: sum(page.shown for page in run.values()),
    "hidden-lines": lambda run: sum(page.hidden for page in run.values()),
    "torch": lambda run: torch_version(),
    "python": lambda run: python_version(),
}


class run(nodes.Inline, nodes.TextElement):
    """Stands for a count until every page has been read."""


class RunRole(SphinxRole):
    """``{run}`comparisons```: a count of the whole run; ``{run}`page.cells```: of this page."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        key = self.text.removeprefix("page.")
        if key not in COUNTS:
            message = self.inliner.reporter.warning(
                f"The run has no {key!r}; it has {', '.join(COUNTS)}.", line=self.lineno
            )
            return [], [message]
        if self.text == key:
            records.askers(self.env).add(self.env.docname)
        node = run("", "", key=key, own=self.text != key)
        self.set_source_info(node)
        return [node], []


def entries(run: dict[str, Page]) -> list[Entry]:
    """Return the lines of the ledger, in the order of the book."""
    return [entry for page in run.values() for entry in page.entries]


def verdicts(run: dict[str, Page]) -> Counter[str]:
    return Counter(entry.verdict for entry in entries(run))


def torch_version() -> str:
    """Return PyTorch's version without the name of its build."""
    return version("torch").partition("+")[0]


def python_version() -> str:
    """Return Python's version without its patch level."""
    return ".".join(platform.python_version_tuple()[:2])


def resolve(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Before a page is written: put the counts in their places."""
    asked = list(doctree.findall(run))
    book = records.pages(app.env) if asked else {}
    for node in asked:
        pages = {name: book[name]} if node["own"] and name in book else {} if node["own"] else book
        value = COUNTS[node["key"]](pages)
        text = f"{value:,}" if isinstance(value, int) else value
        node.replace_self(nodes.inline(text, text, classes=["num"]))


def closing(app: Sphinx, _records: object) -> list[str]:
    """Return what the build says of the run at its end."""
    run = records.pages(app.env)
    names = ("comparisons", "numbers", "same-bits", "claims", "values")
    count = {name: f"{COUNTS[name](run):,}" for name in names}
    shown, hidden = COUNTS["shown-lines"](run), COUNTS["hidden-lines"](run)
    return [
        f"{count['claims']} guarded phrases and {count['values']} values in the prose; "
        f"{hidden:,} lines of code hidden, {shown:,} shown",
        f"{count['comparisons']} comparisons, {count['same-bits']} of them equal to the last "
        f"bit, of {count['numbers']} numbers",
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    app.add_node(run)
    app.add_role("run", RunRole())
    app.connect("doctree-resolved", resolve)
    if "nb-fork-summary" in app.events.events:
        app.connect("nb-fork-summary", closing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
