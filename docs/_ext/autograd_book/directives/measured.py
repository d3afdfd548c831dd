"""``{measured} site``, ``build`` or ``library``: what was measured, for the colophon.

The figures come from files in ``back/`` that a test or ``nox -s bench`` has written;
the build itself times nothing, so that its bytes stay the same.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from autograd_book.tables import listed, made, table

SITE = {
    "elsewhere": "Requests to other hosts",
    "requests": "Requests of a chapter, with an empty cache",
    "kilobytes": "Kilobytes of a chapter with its fonts, compressed, median",
    "kilobytes_most": "Kilobytes of the heaviest page",
    "layout_shift": "Layout shift of the least steady page",
    "accessibility_faults": "Faults that axe-core finds, light and dark, wide and narrow",
    "characters_a_line": "Characters a line",
    "phone_paint": "Milliseconds to the largest paint on a slow phone",
    "phone_paint_stock": "… of the same chapter under the stock theme",
    "phone_paint_notes": "… of a page made as course notes are",
    "phone_blocked": "Milliseconds for which the phone answers nobody",
    "phone_blocked_stock": "… under the stock theme",
}
CONTENDERS = ("trace", "exact sweep", "torchviz", "torchview", "torchlens")


class MeasuredDirective(SphinxDirective):
    """The tables of one file of figures."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        subject = directives.choice(self.arguments[0], tuple(TABLES))
        file = f"back/{subject}-{'figures' if subject == 'site' else 'bench'}.json"
        self.env.note_dependency(file)
        try:
            seen = json.loads(Path(self.env.srcdir, file).read_text("utf-8"))
            return [made(nodes=list(TABLES[subject](seen)))]
        except (OSError, ValueError, KeyError) as error:
            said = f"{type(error).__name__}: {error}"
            raise ExtensionError(f"{file} does not hold what this page shows: {said}") from error


def site(seen: dict[str, Any]) -> Iterator[nodes.Node]:
    """What the tests of the site found."""
    if seen.keys() != SITE.keys():
        raise ValueError(f"it has {sorted(seen)}, but {sorted(SITE)} are shown")
    rows = [(words, f"{seen[key]:,}") for key, words in SITE.items()]
    yield table("measured-site", (), rows, right={1})


def build(seen: dict[str, Any]) -> Iterator[nodes.Node]:
    """What building costs, as ratios, and how far the promises hold."""
    yield _goals("measured-build", seen)
    own, share = seen["median"]["own book ours -j2"], seen["ratios"]["our own book, not its cells"]
    yield nodes.paragraph(
        "",
        f"This book, cold, with two readers, took {own:.1f} seconds of processor time; "
        f"{100 * share:.0f} % of them were not spent in its chapters’ own cells. {_how(seen)}",
    )


def library(seen: dict[str, Any]) -> Iterator[nodes.Node]:
    """What reading a graph costs, beside backward() and beside other tools."""
    yield _goals("measured-library", seen)
    rows = [
        (row["graph"], f"{row['nodes']:,}", *(_ratio(row, name) for name in CONTENDERS))
        for row in seen["results"]
    ]
    heads = ("graph", "nodes", *CONTENDERS)
    yield nodes.paragraph(
        "", f"Multiples of the time of backward() on the same graph. {_how(seen)}"
    )
    yield table("measured-graphs", heads, rows, right=set(range(1, len(heads))))


def _ratio(row: dict[str, Any], name: str) -> str:
    taken = row["seconds"].get(name)
    if taken is None:
        return str(row["failed"].get(name, "–"))
    ratio = taken / row["seconds"]["backward"]
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:,.0f}"


def _goals(name: str, seen: dict[str, Any]) -> nodes.table:
    rows = [
        (
            goal["goal"],
            _short(goal["found"]),
            f"at {goal['at']} {_short(goal['bound'])}" + ("" if goal["met"] else ", missed"),
        )
        for goal in seen["goals"]
    ]
    return table(name, ("what", "measured", "promised"), rows, right={1, 2})


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _how(seen: dict[str, Any]) -> str:
    found = [f"{name} {version}" for name, version in seen["versions"].items()]
    return f"Medians of {seen['rounds']} rounds in turn, with {listed(found)}."


TABLES: dict[str, Callable[[dict[str, Any]], Iterator[nodes.Node]]] = {
    "site": site,
    "build": build,
    "library": library,
}


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("autograd_book.tables")
    app.add_directive("measured", MeasuredDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
