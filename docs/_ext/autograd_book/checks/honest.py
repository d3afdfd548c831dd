"""What a page may not do: each fault is a warning with page and line, and so stops the build.

MyST-NB and Sphinx warn of cells that fail, of missing numbers and of broken
references. Here is what they let pass: an error that was announced and did not
come, a cell that did not run, a page that shows where it was built, a comparison
that does not hold.
"""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util import logging

from autograd_book.inline.roles import asked
from autograd_book.run import records
from autograd_book.run.records import Cell, Entry

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
PLACE = re.compile(r"(?:/home/|/Users/|\b[A-Z]:\\Users\\)\w[^\s'\"<]*|\S*\bsite-packages\b\S*")
TEXTS = re.compile(r"text/.*|image/svg\+xml|application/.*json")
Fault = tuple[str, str]


def inspect(app: Sphinx, doctree: nodes.document) -> None:
    """After a page has been parsed: hold its executed notebook to the rules."""
    env = app.env
    notebook, page = records.executed(env, env.docname), records.page(env, env.docname)
    if notebook is None or page is None or records.failed(env, env.docname):
        return
    for cell in page.cells:
        for kind, text in of_cell(notebook.cells[cell.index], machine(app)):
            _warn(env.docname, cell, kind, text)
    for entry in page.entries:
        for kind, text in of_entry(entry):
            _warn(env.docname, entry.cell, kind, text)
    prose = asked(env)
    for mark in prose.marks.values():
        answer = prose.answers.get(mark.number, {})
        said = (answer.get("text", ""), *(value for _, value in answer.get("gave", [])))
        for kind, text in of_texts(iter(said), machine(app)):
            message = f"{{{mark.kind}}}`{mark.code}` {text}"
            log.warning(message, location=(env.docname, mark.line), type="book", subtype=kind)


def _warn(page: str, cell: Cell, kind: str, text: str) -> None:
    log.warning(
        f"cell {cell.number}: {text}", location=(page, cell.line), type="book", subtype=kind
    )


def of_cell(cell: NotebookNode, places: tuple[str, ...]) -> Iterator[Fault]:
    """Yield what is wrong with an executed cell."""
    outputs = cell.get("outputs", [])
    if "skip-execution" in cell.metadata.get("tags", []):
        yield "unexecuted", "is tagged skip-execution; take the tag away, or the cell"
    if cell.source.strip() and cell.get("execution_count") is None:
        yield "unexecuted", "did not run, so nothing on this page is known to be true"
    yield from of_error(cell)
    yield from of_comparisons(cell.source)
    for output in outputs:
        if output["output_type"] == "stream" and output["name"] == "stderr":
            first = output["text"].strip().splitlines()[:1]
            yield "stderr", f"wrote to stderr: {''.join(first)}"
    yield from of_texts(texts(outputs), places)


def of_error(cell: NotebookNode) -> Iterator[Fault]:
    """Yield what is wrong with how a cell ended: as announced, or not."""
    errors = [output for output in cell.get("outputs", []) if output["output_type"] == "error"]
    seen = [error["ename"] for error in errors]
    announced = "raises-exception" in cell.metadata.get("tags", [])
    expected = cell.metadata.get("raises")
    pattern = cell.metadata.get("raises-match")
    if pattern and not expected:
        yield "raises", f"says ':raises-match: {pattern}' without ':raises:'"
    if not announced:
        if expected:
            yield "raises", f"says ':raises: {expected}' without the tag raises-exception"
        if seen:
            yield "raises", f"raised {seen[0]}"
    elif not expected:
        name = seen[0] if seen else "NameOfTheError"
        yield "raises", f"is tagged raises-exception and does not say which; add ':raises: {name}'"
    elif not seen:
        yield "raises", f"should raise {expected} and raised nothing"
    elif seen != [expected]:
        yield "raises", f"should raise {expected} and raised {seen[0]}: {errors[0]['evalue']}"
    elif pattern:
        yield from of_message(str(pattern), errors[0]["evalue"])


def of_message(pattern: str, message: str) -> Iterator[Fault]:
    """Yield what is wrong with the message of an error that was announced."""
    try:
        found = re.search(pattern, message)
    except re.error as error:
        yield "raises", f"says ':raises-match: {pattern}', no regular expression: {error}"
        return
    if found is None:
        yield "raises", f"should raise a message that matches {pattern!r}; it was {message!r}"


def of_comparisons(source: str) -> Iterator[Fault]:
    """Yield what is wrong with the comparisons of a cell: one that it does not show is lost."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a line for IPython alone
        return
    for node in body:
        call = node.value if isinstance(node, ast.Expr) else None
        compares = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "compare"
        if compares and (node is not body[-1] or source.rstrip().endswith(";")):
            said = "compares without showing it, so the ledger does not have it; write display("
            yield "lost", f"{said}compare(...)), or let it be the cell's last line"


def of_texts(shown: Iterator[str], places: tuple[str, ...]) -> Iterator[Fault]:
    """Yield what differs from machine to machine, or from run to run."""
    for text in shown:
        if found := ADDRESS.search(text):
            yield "address", f"shows an object's address, {found[0]}, another in each run"
        for place in places:
            if found := re.search(rf"(?<!\w){re.escape(place)}(?![\w-])[^\s'\"<>]*", text):
                yield "path", f"shows a path of this machine, {found[0]}"
                break
        else:
            if found := PLACE.search(text):
                yield "path", f"shows a path of some machine, {found[0]}"


def of_entry(entry: Entry) -> Iterator[Fault]:
    """Yield what is wrong with a line of the ledger."""
    if not entry.held:
        numbers = ", ".join(f"{column} {text}" for column, text in entry.numbers)
        yield "claim", f"{entry.quantity!r} is not {entry.claim!r}, as claimed: {numbers}"
    elif entry.ulps is not None and not entry.same_bits and not entry.reason:
        yield (
            "reason",
            f"{entry.quantity!r} is {entry.ulps} ulp(s) apart and the ledger has no reason; "
            f"write reasons={{{entry.quantity!r}: '...'}}",
        )


def texts(outputs: list[NotebookNode]) -> Iterator[str]:
    """Yield every text of a cell's outputs that a page or a notebook could show."""
    for output in outputs:
        if output["output_type"] == "stream":
            yield output["text"]
        elif output["output_type"] == "error":
            yield "\n".join([output["evalue"], *output["traceback"]])
        else:
            for mime, data in output["data"].items():
                if TEXTS.fullmatch(mime):
                    yield data if isinstance(data, str) else repr(data)


def machine(app: Sphinx) -> tuple[str, ...]:
    """Return the folders that a page must not name: where it is built, and with what."""
    conf = Path(app.confdir).resolve()
    folders = {conf.parent, Path.home(), Path(sys.prefix), Path(tempfile.gettempdir())}
    folders.add(Path(sysconfig.get_path("stdlib")))
    return tuple(sorted(str(folder) for folder in folders if folder != folder.parent))


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    app.connect("doctree-read", inspect, priority=300)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
