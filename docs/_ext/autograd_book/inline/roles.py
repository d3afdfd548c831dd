"""``{py}`` and ``{holds}``: values and claims in the prose, answered by the chapter's run.

Three steps, in the order in which data passes them: the roles of a page get their
numbers before it is parsed; the questions of each stretch of prose run as a hidden
cell after the cell above them; and where a role is parsed, its answer is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from autograd_book.inline.blocks import questions
from autograd_book.inline.evaluate import MIME
from autograd_book.inline.marks import Mark, marks_of, number_marks
from myst_nb_fork.pages import Aside

log = logging.getLogger(__name__)
EARLY = "stands before the first cell, so there is no run to ask; move it below one"
NO_RUN = "stands on a page that runs nothing; give the page a cell, or say it in plain words"


class value(nodes.General, nodes.Inline, nodes.TextElement):
    """A number or a text that the run gave; ``number`` is that of its role."""


class guard(nodes.General, nodes.Inline, nodes.Element):
    """The place of a claim, until its phrase is known."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A guarded phrase.

    Attributes:
        number: That of its role, on its page.
        phrase: What the page says.
        code: What would have stopped the build.
        gave: The sides of the claim and their values.
        line: Where it stands in the page's source.
    """

    number: int
    phrase: str
    code: str
    gave: tuple[tuple[str, str], ...]
    line: int


@dataclass(slots=True)
class Asked:
    """What the page that is being read asks of its run.

    Attributes:
        marks: The roles by number.
        answers: What :func:`autograd_book.inline.evaluate.answer` said, by number for
            a role and by key for an exercise.
        early: The numbers of the roles above the first cell.
        run: Whether the page was run.
        proofs: Its guarded phrases, once it is parsed.
    """

    marks: dict[int, Mark] = field(default_factory=dict)
    answers: dict[int | str, dict[str, Any]] = field(default_factory=dict)
    early: set[int] = field(default_factory=set)
    run: bool = False
    proofs: tuple[Proof, ...] = ()

    def fault(self, number: int) -> str:
        """Say what is wrong with a role's answer; nothing if nothing is."""
        if number in self.answers:
            return self.answers[number].get("fault", "")
        return EARLY if number in self.early else NO_RUN


def asked(env: BuildEnvironment) -> Asked:
    """Return what the page that is being read asks of its run."""
    found: Asked = env.temp_data.setdefault("book_asked", Asked())
    return found


def number(app: Sphinx, name: str, source: list[str]) -> None:
    """Before a page is parsed: give its roles their numbers."""
    source[0], marks = number_marks(source[0])
    app.env.temp_data["book_asked"] = Asked({mark.number: mark for mark in marks})


def stretches(notebook: NotebookNode) -> Iterator[tuple[int | None, str]]:
    """Yield each piece of prose with the index of the cell above it; None for none.

    The captions among a cell's options are prose that stands below it.
    """
    above = None
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            above = index
            yield above, "\n\n".join(_texts(cell.metadata))
        else:
            yield above, cell.source


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for item in data.values():
            yield from _texts(item)


def asides(app: Sphinx, notebook: NotebookNode) -> list[Aside]:
    """Return the hidden cells that answer a page's questions, one for each cell with some."""
    by_cell: dict[int, list[dict[str, Any]]] = {}
    for above, text in stretches(notebook):
        if above is not None and (found := questions(text)):
            by_cell.setdefault(above, []).extend(found)
    return [Aside(after, _source(found)) for after, found in by_cell.items()]


def _source(found: list[dict[str, Any]]) -> str:
    text = json.dumps(found, ensure_ascii=True)
    module = "autograd_book.inline.evaluate"
    return f'__import__("{module}", fromlist=["publish"]).publish({text!r})'


def answered(app: Sphinx, notebook: NotebookNode, outputs: list[list[NotebookNode]]) -> None:
    """After a page has run: keep the answers for the roles that are about to be parsed."""
    page = asked(app.env)
    page.run = True
    for output in (output for cell in outputs for output in cell):
        for answer in output.get("data", {}).get(MIME, []):
            page.answers[answer.get("key") or answer["number"]] = answer
    for above, text in stretches(notebook):
        if above is None:
            page.early.update(mark.number for mark in marks_of(text))


def py_role(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: dict[str, Any] | None = None,
    content: list[str] | None = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Return what ``{py}`` shows: the answer's text; an ellipsis where there is none."""
    place = _number(text)
    page = asked(inliner.document.settings.env)
    shown = page.answers.get(place, {}).get("text", "…")
    return [value(rawtext, shown, number=place)], []


def holds_role(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: dict[str, Any] | None = None,
    content: list[str] | None = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Return the place of a claim."""
    return [guard(rawtext, number=_number(text))], []


def _number(text: str) -> int:
    before, bar, _ = text.partition("#")
    return int(before) if bar and before.isdecimal() else 0


def nothing(self: Any, node: nodes.Node) -> None:
    """A part whose children say all."""


def setup(app: Sphinx) -> dict[str, Any]:
    pair = (nothing, nothing)
    every = dict.fromkeys(("html", "epub", "text", "latex", "man", "texinfo"), pair)
    app.add_node(value, **every)
    app.add_role("py", py_role)
    app.add_role("holds", holds_role)
    app.connect("source-read", number)
    app.connect("nb-fork-asides", asides)
    app.connect("nb-fork-answered", answered)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
