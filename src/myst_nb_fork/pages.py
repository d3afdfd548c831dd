"""One page to run, and how it went: what both executors take and give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell


@dataclass(frozen=True, slots=True)
class Page:
    """A notebook that is to be run in place.

    Attributes:
        notebook: Its code cells get their outputs.
        timeout: Seconds a cell may take; None for no limit.
        may_raise: Whether every cell may raise; a tag allows it to one.
        where: Gives the place of a cell in words, from its index; None is "before all".
    """

    notebook: NotebookNode
    timeout: float | None
    may_raise: bool
    where: Callable[[int | None], str]


@dataclass(frozen=True, slots=True)
class Aside:
    """A hidden cell that an extension asks for: it runs with the page and is no part of it.

    Attributes:
        after: Index of the cell of the notebook after which it runs.
        source: Its code.
    """

    after: int
    source: str


@dataclass(frozen=True, slots=True)
class Run:
    """How a page went.

    Attributes:
        error: What stopped it; None if it ran to its end.
        told: That error in words, with page, cell and line.
        files: What it opened, as absolute paths.
        peak: Largest memory of its process in bytes; 0 when not measured.
        cpu: Seconds of CPU of its process; 0 when not measured.
    """

    error: Exception | None = None
    told: str | None = None
    files: tuple[str, ...] = ()
    peak: int = 0
    cpu: float = 0.0


def with_asides(
    notebook: NotebookNode, asides: Sequence[Aside]
) -> tuple[NotebookNode, list[NotebookNode]]:
    """Return a notebook of the same cells with the asides among them, and the asides' cells."""
    following: dict[int, list[NotebookNode]] = {}
    made: list[NotebookNode] = []
    for aside in asides:
        cell = new_code_cell(aside.source, id=f"aside-{len(made) + 1}")
        made.append(cell)
        following.setdefault(aside.after, []).append(cell)
    cells = [
        each
        for index, cell in enumerate(notebook.cells)
        for each in (cell, *following.get(index, ()))
    ]
    return NotebookNode(notebook | {"cells": cells}), made


def is_aside(cell: NotebookNode) -> bool:
    """Say whether a cell was put among those of the page by an extension."""
    return cell.id.startswith("aside-")


def is_code(cell: NotebookNode) -> bool:
    """Say whether a cell is run: a code cell with something in it."""
    return cell.cell_type == "code" and bool(cell.source.strip())


def may_raise(cell: NotebookNode) -> bool:
    """Say whether a cell is tagged to teach an error."""
    return "raises-exception" in cell.metadata.get("tags", [])
