"""MyST-NB's execution client, with our store before the run and our server behind it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from myst_nb.core.execute.base import ExecutionError, NotebookClientBase
from nbformat import NotebookNode, from_dict

from myst_nb_fork import fork, forked, stock
from myst_nb_fork.pages import Aside, Page, Run, is_aside, is_code, with_asides
from myst_nb_fork.store import Store


@dataclass(slots=True)
class Setup:
    """What a build decided about running its chapters; forked readers inherit it.

    Attributes:
        store: Where results are kept.
        variables: All environment variables of a chapter.
        executor: "fork" or "stock", for pages that do not say otherwise.
        source: Folder of the pages, to name a chapter in a message.
        memory: Bytes a chapter may map beyond what the server has mapped.
        server: Returns the fork server, started if it is not.
        begin: Called with the page before a chapter runs.
        note: Called with (page, :class:`Record`) after each chapter.
        depend: Called with the path of each file a chapter read.
        asides: Returns the hidden cells that extensions want to run with a notebook.
        answered: Called with a notebook and the outputs of its hidden cells.
    """

    store: Store
    variables: dict[str, str]
    executor: str
    source: Path
    memory: int
    server: Callable[[], fork.Server]
    begin: Callable[[str], None]
    note: Callable[[str, Record], None]
    depend: Callable[[Path], None]
    asides: Callable[[NotebookNode], list[Aside]]
    answered: Callable[[NotebookNode, list[list[NotebookNode]]], None]


@dataclass(frozen=True, slots=True)
class Record:
    """How one chapter came to its outputs in one build.

    Attributes:
        how: "run", "stored" or "failed".
        cells: Number of code cells with outputs from this run or the store.
        seconds: Wall time of the run; of the first run, if it was stored.
        cpu: CPU seconds of its process; 0 when not measured.
        peak: Largest memory of its process in bytes; 0 when not measured.
        executor: "fork" or "stock".
    """

    how: str
    cells: int
    seconds: float
    cpu: float
    peak: int
    executor: str


class BookClient(NotebookClientBase):
    """Fills a notebook's outputs from the store, the fork server or a real kernel."""

    def __init__(self, *args: Any, setup: Setup, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._setup = setup
        self.page = _page(setup, self.path)
        self._whole, self._asides = with_asides(self.notebook, setup.asides(self.notebook))

    @property
    def whole(self) -> NotebookNode:
        """The notebook that is run: the page's cells, and the asides among them."""
        return self._whole

    def start_client(self) -> None:
        """Fill the outputs; a failed chapter is a warning or an error as configured."""
        self._fill()
        self._setup.answered(self.notebook, [cell.outputs for cell in self._asides])

    def _fill(self) -> None:
        store = self._setup.store
        key = store.key(self._whole, self.executor)
        cached = self.nb_config.execution_mode == "cache"
        if cached and (result := store.load(key)) is not None:
            _apply(result, self._whole)
            self._finish("stored", result, list(result["files"]))
            return
        self._setup.begin(self.page)
        since, begun = time.time(), time.perf_counter()
        run = self._run()
        result = _result(self._whole, time.perf_counter() - begun, run)
        names = store.ours(run.files)
        if run.error is not None:
            self._finish("failed", result, names)
            self._fail(run)
            return
        if late := store.changed(names, since):
            told = f"{self.page}: {', '.join(late)} changed while the chapter ran; build again."
            self.logger.warning(told, subtype="changed")
        elif cached and not store.save(key, result, names):
            self.logger.info(f"{self.page}: the result could not be kept for the next build")
        self._finish("run", result, names)

    @property
    def executor(self) -> str:
        """Say which executor runs this page: its own wish, or the book's."""
        wish = self._setting("executor", self._setup.executor)
        return wish if fork.possible() else "stock"

    def _setting(self, name: str, otherwise: Any) -> Any:
        return self.notebook.metadata.get("execution", {}).get(name, otherwise)

    def _run(self) -> Run:
        page = Page(
            self._whole,
            self._setting("timeout", self.nb_config.execution_timeout) or None,
            self._setting("allow_errors", self.nb_config.execution_allow_errors),
            self._where,
        )
        if self.executor == "stock":
            return stock.run(page, self._setup.variables)
        return forked.run(page, self._setup.server, self._setup.memory)

    def _where(self, index: int | None) -> str:
        """Name a place: page, which of its code cells, and the line it begins at."""
        if index is None:
            return f"{self.page}, before its first cell"
        before = [c for c in self._whole.cells[: index + 1] if not is_aside(c)]
        number = sum(cell.cell_type == "code" for cell in before)
        return f"{self.page}, cell {number} (line {self.cell_line(len(before) - 1)})"

    def _finish(self, how: str, result: dict[str, Any], names: list[str]) -> None:
        for name in names:
            self._setup.depend(self._setup.store.root / name)
        figures = (result["seconds"], result["cpu"], result["peak"])
        record = Record(how, len(result["cells"]), *figures, self.executor)
        self._setup.note(self.page, record)
        self.exec_metadata = {
            "mtime": datetime.now().timestamp(),
            "runtime": result["seconds"],
            "method": self.nb_config.execution_mode,
            "succeeded": how != "failed",
            "error": None,
            "traceback": None,
        }

    def _fail(self, run: Run) -> None:
        assert self.exec_metadata is not None
        self.exec_metadata |= {"error": type(run.error).__name__, "traceback": run.told}
        self.logger.warning(f"Executing notebook failed: {run.told}", subtype="exec")
        if self.nb_config.execution_raise_on_error:
            raise ExecutionError(run.told) from run.error


def create_client(
    setup: Setup,
    otherwise: Callable[..., NotebookClientBase],
    notebook: NotebookNode,
    source: str,
    nb_config: Any,
    logger: Any,
    read_fmt: dict[str, Any] | None = None,
) -> NotebookClientBase:
    """Stand in for MyST-NB's function of this name: ours where a page is run, else its own."""
    path = Path(source)
    if path.suffix != ".ipynb":  # a text page's cells get random names, new at each build
        for number, cell in enumerate(notebook.cells, 1):
            cell["id"] = f"cell-{number}"
    excluded = any(
        PurePosixPath(path.as_posix()).match(pattern)
        for pattern in nb_config.execution_excludepatterns
    )
    if excluded or nb_config.execution_mode not in ("cache", "force"):
        return otherwise(notebook, source, nb_config, logger, read_fmt)
    return BookClient(notebook, path, nb_config, logger, setup=setup)


def _page(setup: Setup, path: Path | None) -> str:
    with contextlib.suppress(ValueError, TypeError):
        return Path(path or "").resolve().relative_to(setup.source.resolve()).as_posix()
    return str(path)


def _result(notebook: NotebookNode, seconds: float, run: Run) -> dict[str, Any]:
    cells = [
        {"execution_count": cell.execution_count, "outputs": cell.outputs}
        for cell in notebook.cells
        if is_code(cell)
    ]
    kept = ("language_info", "widgets")
    metadata = {name: notebook.metadata[name] for name in kept if name in notebook.metadata}
    figures = {"seconds": seconds, "cpu": run.cpu, "peak": run.peak}
    return {"cells": cells, "metadata": metadata, **figures}


def _apply(result: dict[str, Any], notebook: NotebookNode) -> None:
    cells = [cell for cell in notebook.cells if is_code(cell)]
    for cell, stored in zip(cells, result["cells"], strict=True):
        cell.update(from_dict(stored))
    notebook.metadata.update(from_dict(result["metadata"]))
