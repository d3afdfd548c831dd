"""Every chapter as a notebook to download, with its outputs and clean, that needs no book.

The text is plain Markdown with the computed numbers in it; cells that only serve
the page are gone; the first cell installs what is missing.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.application import Sphinx
from sphinx.util import logging

from autograd_book.chapters import number_of
from autograd_book.formats.notebook_text import Part, Writer
from autograd_book.formats.portable import CHECK, install, portable, requirements
from autograd_book.html.page import Link
from autograd_book.run import counts, records

log = logging.getLogger(__name__)

FOLDER = "notebooks"
SILENT = {"remove-cell", "remove_cell"}
HIDDEN = SILENT | {"remove-input", "remove_input"}
KEPT = ("raises-exception",)  # the only tag that means something to a runner
CPU = "https://download.pytorch.org/whl/cpu"  # the other wheels hold gigabytes for graphics cards
PRIVATE = "application/vnd.handgrad."


def write(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Before a page is written: write its notebooks."""
    if app.builder.name != "html" or not offered(app, name):
        return
    env = app.env
    executed = records.executed(env, name)
    assert executed is not None
    writer = Writer(
        page=app.builder.get_target_uri(name),
        site=app.config.html_baseurl or "",
        number=number_of(env, name),
        numbers=env.toc_fignumbers.get(name, {}),
    )
    made = notebook(app, name, executed, list(writer.parts(doctree)))
    folder = Path(app.outdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, version in (("", made), ("-clean", clean(made))):
        path = folder / f"{posixpath.basename(name)}{suffix}.ipynb"
        path.write_text(nbformat.writes(version) + "\n", encoding="utf-8")


def offered(app: Sphinx, name: str) -> bool:
    """Say whether a page is a chapter with cells to show, and so has a notebook."""
    page = records.page(app.env, name)
    if page is None or name == app.config.root_doc:
        return False
    if page.exercises:
        return True
    executed = records.executed(app.env, name)
    assert executed is not None
    cells = [executed.cells[cell.index] for cell in page.cells]
    return any(not HIDDEN & {*cell.metadata.get("tags", [])} for cell in cells)


def notebook(app: Sphinx, name: str, executed: NotebookNode, parts: list[Part]) -> NotebookNode:
    """Put text, cells and checks in the order of the page; hidden cells come when needed."""
    page = records.page(app.env, name) or records.Page()
    exercises = {one["key"]: one["source"] for one in page.exercises}
    lines = {cell.index: cell.line for cell in page.cells}
    waiting = [index for index, cell in enumerate(executed.cells) if cell.cell_type == "code"]
    cells: list[NotebookNode] = []
    text: list[str] = []
    claims: list[tuple[str, str]] = []

    def flush(until: int | None) -> None:
        """Write the text so far, then every cell up to a place."""
        if text:
            cells.append(new_markdown_cell("\n\n".join(text)))
            text.clear()
        if claims:
            cells.append(_claims(claims))
            claims.clear()
        while waiting and (until is None or waiting[0] <= until):
            cells.extend(_cell(executed.cells[waiting.pop(0)]))

    for part in parts:
        above = [index for index in waiting if lines[index] < part.line]
        if above:  # hidden cells that this text or exercise speaks of
            flush(above[-1])
        if part.cell is not None:
            flush(part.cell)
        elif part.exercise in exercises:
            flush(-1)
            cells.append(_folded(f"{CHECK}.add({exercises[part.exercise]});"))
            cells.append(new_code_cell(f'check("{part.exercise}", ...)'))
        elif part.text:
            text.append(part.text)
            claims.extend(part.claims)
    flush(None)
    found = app.book_repository
    programs = [cell.source for cell in cells if cell.cell_type == "code"]
    first = install(requirements(programs, found), checked=bool(exercises))
    cells.insert(0, new_code_cell(first))
    return _numbered(new_notebook(cells=cells, metadata=_metadata(executed)))


def _claims(claims: list[tuple[str, str]]) -> NotebookNode:
    """Return what the text above says of the run as a cell that can be run, folded."""
    lines = ["# What the text above says, to be run. Change a cell, and see what still holds."]
    lines += [f"assert {code}  # {phrase}" for code, phrase in claims]
    return _folded("\n".join(lines))


def _folded(source: str) -> NotebookNode:
    return new_code_cell(source, metadata={"jupyter": {"source_hidden": True}, "cellView": "form"})


def _cell(cell: NotebookNode) -> list[NotebookNode]:
    """Return a cell as it is without the book: none, if it only served the page."""
    tags = {*cell.metadata.get("tags", [])}
    hidden, silent = bool(HIDDEN & tags), bool(SILENT & tags)
    source = portable(cell.source, silent=silent)
    if not source.strip():
        return []
    metadata: dict[str, Any] = {}
    if kept := sorted(tags & {*KEPT}):
        metadata["tags"] = kept
    if hidden or "hide-input" in tags or "hide-cell" in tags:
        metadata["jupyter"] = {"source_hidden": True}
        metadata["cellView"] = "form"
    outputs = [] if silent else [_output(output) for output in cell.outputs]
    return [new_code_cell(source, metadata=metadata, outputs=outputs)]


def _output(output: NotebookNode) -> NotebookNode:
    """Leave the data out that only the book reads."""
    output = nbformat.from_dict(output)
    if "data" in output:
        output["data"] = {k: v for k, v in output["data"].items() if not k.startswith(PRIVATE)}
    if output["output_type"] == "execute_result":
        output["execution_count"] = None
    return output


def _metadata(executed: NotebookNode) -> dict[str, Any]:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"kernelspec": kernel, "language_info": {"name": "python"}}


def _numbered(made: NotebookNode) -> NotebookNode:
    """Give the cells names that two builds share."""
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    nbformat.validate(made)
    return made


def clean(made: NotebookNode) -> NotebookNode:
    """Return the notebook before it was run."""
    bare = nbformat.from_dict(made)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare


def links(app: Sphinx, name: str) -> list[Link]:
    """Return the links to a page's notebook, for its foot."""
    if not offered(app, name):
        return []
    file = f"{posixpath.basename(name)}.ipynb"
    bare = file.replace(".ipynb", "-clean.ipynb")
    here = posixpath.dirname(app.builder.get_target_uri(name))
    path = posixpath.relpath(FOLDER, here or ".")
    kept = [Link("Download the notebook", f"{path}/{file}")]
    kept.append(Link("without outputs", f"{path}/{bare}"))
    if not (found := app.book_repository):
        return kept
    branch = app.config.book_notebooks_branch
    colab = Link("Run it in Colab", found.colab(branch, bare))
    return [colab, Link("in Binder", found.binder(branch, bare)), *kept]


def finish(app: Sphinx) -> None:
    """When all is written: say what Binder has to install, and leave no notebook behind."""
    folder = Path(app.outdir, FOLDER)
    if not folder.is_dir():
        return
    names = [posixpath.basename(name) for name in records.pages(app.env) if offered(app, name)]
    if len({*names}) < len(names):
        log.warning("two chapters' files have one name, and so their notebooks", type="book")
    wanted = {f"{name}{suffix}.ipynb" for name in names for suffix in ("", "-clean")}
    for path in folder.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    if found := app.book_repository:
        torch = counts.torch_version()
        lines = [f"--extra-index-url {CPU}", f"torch=={torch}+cpu", found.requirement, "matplotlib"]
        (folder / "requirements.txt").write_text("\n".join([*lines, ""]), "utf-8")
        (folder / "runtime.txt").write_text(f"python-{counts.python_version()}\n", "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    app.setup_extension("autograd_book.directives.questions")
    app.setup_extension("autograd_book.site.places")
    app.add_config_value("book_notebooks_branch", "notebooks", "html", str)
    app.connect("doctree-resolved", write, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
