"""Where the numbers come from: the card ``{provenance}``, and the line at a page's foot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograd_book.run import counts, records
from autograd_book.run.records import Page
from autograd_book.tables import listed, table
from myst_nb_fork import fingerprint

SHORT = 12  # characters of a fingerprint that a reader may compare


class provenance(nodes.General, nodes.Element):
    """Stands for the card until every page has been read."""


class ProvenanceDirective(SphinxDirective):
    """``{provenance}``: the versions, the source and the totals of the run."""

    def run(self) -> list[nodes.Node]:
        records.askers(self.env).add(self.env.docname)
        node = provenance()
        self.set_source_info(node)
        return [node]


def source(app: Sphinx) -> str:
    """Return a number that every byte of the package's source changes."""
    if not hasattr(app, "book_source"):
        folders = [(Path(app.confdir) / folder).resolve() for folder in app.config.nb_fork_sources]
        app.book_source = fingerprint.of_sources(folders)[:SHORT]
    return app.book_source


def resolve(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Before a page is written: put the card in its place."""
    for node in list(doctree.findall(provenance)):
        node.replace_self(card(app))


def card(app: Sphinx) -> nodes.table:
    """Make the card of the whole run."""
    run = records.pages(app.env)
    count = {name: f"{of(run):,}" for name, of in counts.COUNTS.items() if isinstance(of(run), int)}
    seeds = sorted({seed for page in run.values() for seed in page.seeds})
    rows = [
        ("PyTorch", counts.torch_version()),
        ("Python", counts.python_version()),
        ("Numbers", listed(_forms(run.values())) or "none compared"),
        ("Random seeds", listed([str(seed) for seed in seeds]) or "none"),
        ("Source", source(app)),
        ("Cells run", f"{count['cells']} in {count['chapters']} pages"),
        ("Comparisons", f"{count['comparisons']}, {count['claimed']} as claimed"),
        ("Same bits", count["same-bits"]),
        ("Exercises", f"{count['exercises']}, rejecting {count['wrong-answers']} wrong answers"),
    ]
    return table("provenance", (), rows, right=set())


def made(app: Sphinx, name: str) -> str:
    """Return the line that says where a page's numbers come from; nothing if it ran no cell."""
    page = records.page(app.env, name)
    if page is None or not page.cells:
        return ""
    words = [f"PyTorch {counts.torch_version()} on Python {counts.python_version()}"]
    words += [listed(forms)] if (forms := _forms([page])) else []
    seeds = [str(seed) for seed in page.seeds]
    words += [f"seed{'s' * (len(seeds) > 1)} {listed(seeds)}"] if seeds else []
    text = f"Computed with {', '.join(words)}, from source {source(app)}."
    count, held = len(page.entries), sum(entry.held for entry in page.entries)
    if count:
        text += f" {count} comparison{'s' * (count != 1)}, {held} as claimed."
    return text


def _forms(pages: Iterable[Page]) -> list[str]:
    return sorted({entry.form for page in pages for entry in page.entries if entry.form})


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("myst_nb_fork")
    app.setup_extension("autograd_book.run.records")
    app.add_node(provenance)
    app.add_directive("provenance", ProvenanceDirective)
    app.connect("doctree-resolved", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
