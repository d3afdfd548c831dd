"""What the run of each page left behind: cells, comparisons and exercises, as plain data.

Values that a cell shows carry their data in a mime type of their own. It is read
once, from the executed notebook, when a page has been parsed; the ledger, the
provenance card, the exercises and the checks all read from here.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from docutils import nodes
from nbformat import NotebookNode
from nbformat.v4 import reads_json
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from autograd_book.chapters import in_order
from autograd_book.inline.roles import Proof, asked
from myst_nb_fork.fingerprint import of_sources

COMPARISON = "application/vnd.handgrad.comparison+json"


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its ``index`` in the notebook, its ``number`` among the code cells."""

    index: int
    number: int
    line: int
    anchor: str
    source: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One quantity of one comparison: a line of the ledger.

    Attributes:
        page: Name of the page whose cell compared it.
        number: Its place among the entries of the page, from 1.
        cell: The cell.
        numbers: Column and decimal digits, as ``compare`` wrote them.
        form: The format whose ulps are counted; None if all numbers are exact.
        ulps: How far apart the numbers shown are.
        most_ulps: How far apart the farthest are of all that the line stands for.
        count: How many numbers the line stands for.
        same: How many of them have the same bits in all columns.
        held: Whether what the cell claimed is true of the numbers it shows.
    """

    page: str
    number: int
    cell: Cell
    title: str | None
    quantity: str
    numbers: tuple[tuple[str, str], ...]
    form: str | None
    ulps: int | None
    most_ulps: int | None
    same_bits: bool
    reason: str | None
    count: int
    same: int
    claim: str
    held: bool

    @property
    def verdict(self) -> str:
        """What was seen of this quantity, in words."""
        if self.claim == "differ":
            return "differ, as claimed"
        return "same bits" if self.same_bits else "within tolerance"


@dataclass(frozen=True, slots=True)
class Page:
    """What one executed page left.

    Attributes:
        cells: Its code cells.
        entries: Its lines of the ledger.
        exercises: What its exercises show, as plain data.
        seeds: The constants that it seeds random generators with.
        proofs: Its guarded phrases.
        values: How many values of the run stand in its prose.
        shown: Lines of code that a reader sees or can open.
        hidden: Lines of code that nobody sees.
    """

    cells: tuple[Cell, ...] = ()
    entries: tuple[Entry, ...] = ()
    exercises: tuple[dict[str, Any], ...] = ()
    seeds: tuple[int, ...] = ()
    proofs: tuple[Proof, ...] = ()
    values: int = 0
    shown: int = 0
    hidden: int = 0


def pages(env: BuildEnvironment) -> dict[str, Page]:
    """Return what is known of every executed page, in the order of the book."""
    if not hasattr(env, "book_pages"):
        env.book_pages = {}
    known: dict[str, Page] = env.book_pages
    order = [chapter.name for chapter in in_order(env)]
    order += sorted(known.keys() - {*order})
    return {name: known[name] for name in order if name in known}


def page(env: BuildEnvironment, name: str) -> Page | None:
    """Return what an executed page left; None for a page without cells."""
    return getattr(env, "book_pages", {}).get(name)


def executed(env: BuildEnvironment, name: str) -> NotebookNode | None:
    """Return the notebook that a page became, with its outputs; None for a page without cells."""
    if not {"kernelspec", "source_map"} & env.metadata.get(name, {}).keys():
        return None
    path = Path(env.mystnb_config.output_folder, f"{name}.ipynb")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, when: int) -> NotebookNode:
    """Read a notebook that MyST-NB wrote a moment ago; nobody may change what is returned."""
    return reads_json(path.read_text(encoding="utf-8"))


def failed(env: BuildEnvironment, name: str) -> bool:
    """Say whether a cell of the page failed; that was said, and explains whatever is missing."""
    run = getattr(env, "nb_metadata", {}).get(name, {}).get("exec_data")
    return bool(run) and not run["succeeded"]


def bundles(notebook: NotebookNode, mime: str) -> Iterator[tuple[int, Any]]:
    """Yield the index of the cell and the data of each output that carries a mime type."""
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                yield index, output["data"][mime]


def code_cells(notebook: NotebookNode, anchors: dict[int, str] | None = None) -> dict[int, Cell]:
    """Return the code cells by their index; one has no anchor unless it is given."""
    lines = notebook.metadata.get("source_map") or [0] * len(notebook.cells)
    places = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    anchors = anchors or {}
    return {
        i: Cell(i, number, lines[i] + 1, anchors.get(i, ""), notebook.cells[i].source)
        for number, i in enumerate(places, 1)
    }


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """After a page has been parsed: read its notebook, and give its cells anchors."""
    env = app.env
    notebook = executed(env, env.docname)
    if notebook is None:
        return
    cells = code_cells(notebook)
    cells = code_cells(notebook, _anchors(doctree, cells))
    if not hasattr(env, "book_pages"):
        env.book_pages = {}
    prose = asked(env)
    exercises = tuple(one["record"] for one in prose.answers.values() if "record" in one)
    hidden = [_is_hidden(notebook.cells[index]) for index in cells]
    lines = [_lines(cell.source) for cell in cells.values()]
    env.book_pages[env.docname] = Page(
        cells=tuple(cells.values()),
        entries=tuple(_entries(env.docname, notebook, cells)),
        exercises=exercises,
        seeds=tuple(sorted({seed for cell in cells.values() for seed in _seeds(cell.source)})),
        proofs=prose.proofs,
        values=sum(mark.kind == "py" for mark in prose.marks.values()),
        shown=sum(n for n, unseen in zip(lines, hidden, strict=True) if not unseen),
        hidden=sum(n for n, unseen in zip(lines, hidden, strict=True) if unseen),
    )


def _is_hidden(cell: NotebookNode) -> bool:
    return any(tag.startswith("remove") for tag in cell.metadata.get("tags", []))


def _lines(source: str) -> int:
    return sum(bool(line.strip()) for line in source.splitlines())


def _anchors(doctree: nodes.document, cells: dict[int, Cell]) -> dict[int, str]:
    """Give each cell that is shown an anchor; a hidden one has that of its section."""
    shown = {}
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            name = f"cell-{cells[node['cell_index']].number}"
            node["ids"].insert(0, name)
            shown[node["cell_index"]] = name
    sections = [(node.line or 0, node["ids"][0]) for node in doctree.findall(nodes.section)]
    anchors = {}
    for index, cell in cells.items():
        above = [name for line, name in sections if line <= cell.line]
        anchors[index] = shown.get(index) or (above[-1] if above else "")
    return anchors


def _entries(name: str, notebook: NotebookNode, cells: dict[int, Cell]) -> Iterator[Entry]:
    number = 0
    for index, data in bundles(notebook, COMPARISON):
        for row in data["rows"]:
            number += 1
            yield Entry(
                page=name,
                number=number,
                cell=cells[index],
                title=data["title"],
                quantity=row["quantity"],
                numbers=tuple(
                    (column, text) for column in data["columns"] if (text := row["numbers"][column])
                ),
                form=row["format"],
                ulps=row["ulps"],
                most_ulps=row["most_ulps"],
                same_bits=bool(row["same_bits"]),
                reason=row["reason"],
                count=row["count"],
                same=row["same"],
                claim=data["claim"],
                held=_holds(data, row),
            )


def _holds(data: dict[str, Any], row: dict[str, Any]) -> bool:
    """Judge the row again, from what it shows: the ledger takes nobody's word."""
    near = float(row["relative"]) <= (data["rtol"] or 0.0)
    if data["claim"] == "differ":
        return not near
    if data["rtol"] is None:  # equal bits are claimed, and that they are the nearest to the truth
        return bool(row["same_bits"]) and bool(row["nearest"])
    return near and (data["claim"] == "agree" or bool(row["same_bits"]))


def _seeds(source: str) -> Iterator[int]:
    """Yield the constants that a cell seeds a random generator with."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a line for IPython alone
        return
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in ("manual_seed", "default_rng", "seed", "Random") and call.args:
            first = call.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, int):
                yield first.value


def purge(app: Sphinx, env: BuildEnvironment, name: str) -> None:
    """Forget a page that is about to be read again, or is gone."""
    getattr(env, "book_pages", {}).pop(name, None)
    getattr(env, "book_askers", set()).discard(name)


def merge(app: Sphinx, env: BuildEnvironment, names: set[str], other: BuildEnvironment) -> None:
    """Take over what another reader collected."""
    if not hasattr(env, "book_pages"):
        env.book_pages = {}
    theirs = getattr(other, "book_pages", {})
    env.book_pages.update({name: theirs[name] for name in names if name in theirs})
    askers(env).update(getattr(other, "book_askers", set()) & set(names))


def askers(env: BuildEnvironment) -> set[str]:
    """Return the pages that show something of other pages' runs."""
    if not hasattr(env, "book_askers"):
        env.book_askers = set()
    return env.book_askers


def rewrite(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """After all pages are read: name the pages to write again because a run has changed."""
    digest = hashlib.sha256(repr(pages(env)).encode()).hexdigest()
    if getattr(env, "book_digest", None) == digest:
        return []
    env.book_digest = digest
    return sorted(askers(env))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", collect, priority=100)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", rewrite)
    # What an earlier build kept was made by the extensions of its day: after a change
    # in any of them all pages are read again (and run again only if results depend on it).
    edition = int(of_sources([Path(__file__).parents[1]])[:12], 16)
    return {"env_version": edition, "parallel_read_safe": True, "parallel_write_safe": True}
