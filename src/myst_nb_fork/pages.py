"""One page to run, and how it went: what both executors take and give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nbformat import NotebookNode


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


def is_code(cell: NotebookNode) -> bool:
    """Say whether a cell is run: a code cell with something in it."""
    return cell.cell_type == "code" and bool(cell.source.strip())


def may_raise(cell: NotebookNode) -> bool:
    """Say whether a cell is tagged to teach an error."""
    return "raises-exception" in cell.metadata.get("tags", [])
