"""MyST-NB's execution client, with our store before the run and our server behind it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from myst_nb.core.execute.base import ExecutionError, NotebookClientBase
from nbformat import NotebookNode, from_dict

from executor import errors, fork, stock
from executor.outputs import Collector
from executor.store import Store, is_code, may_raise


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
        depend: Called with (page, path) for each file a chapter read.
        skip: Folders whose files are no dependency of a chapter.
    """

    store: Store
    variables: dict[str, str]
    executor: str
    source: Path
    memory: int
    server: Callable[[], fork.Server]
    begin: Callable[[str], None]
    note: Callable[[str, Record], None]
    depend: Callable[[str, str], None]
    skip: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """How one chapter came to its outputs in one build.

    Attributes:
        how: "run", "stored" or "failed".
        cells: Number of code cells with outputs from this run or the store.
        seconds: Wall time of the run; of the first run, if it was stored.
        peak: Largest memory of its process in bytes; 0 when not measured.
        executor: "fork" or "stock".
    """

    how: str
    cells: int
    seconds: float
    peak: int
    executor: str


class BookClient(NotebookClientBase):
    """Fills a notebook's outputs from the store, the fork server or a real kernel."""

    def __init__(self, *args: Any, setup: Setup, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._setup = setup
        self.page = _page(setup, self.path)

    def start_client(self) -> None:
        """Fill the outputs; a failed chapter is a warning or an error as configured."""
        key = self._setup.store.key(self.notebook, self.executor)
        cached = self.nb_config.execution_mode == "cache"
        if cached and (result := self._setup.store.load(key)) is not None:
            _apply(result, self.notebook)
            self._finish("stored", result["seconds"], result["peak"], result["files"])
            return
        self._setup.begin(self.page)
        begun = time.perf_counter()
        if self.executor == "stock":
            error, told, files, peak = *self._stock(), [], 0
        else:
            error, told, files, peak = self._fork()
        seconds = time.perf_counter() - begun
        if error is None and cached:
            result = _result(self.notebook, seconds, peak)
            if not self._setup.store.save(key, result, files):
                self.logger.info(f"{self.page}: the result could not be kept for the next build")
        root = self._setup.store.root
        names = [Path(name).relative_to(root).as_posix() for name in files]
        self._finish("failed" if error else "run", seconds, peak, names, error, told)

    @property
    def executor(self) -> str:
        """Say which executor runs this page: its own wish, or the book's."""
        return self._setting("executor", self._setup.executor)

    def _setting(self, name: str, otherwise: Any) -> Any:
        return self.notebook.metadata.get("execution", {}).get(name, otherwise)

    def _stock(self) -> tuple[Exception | None, str | None]:
        timeout = self._setting("timeout", self.nb_config.execution_timeout)
        allow = self._setting("allow_errors", self.nb_config.execution_allow_errors)
        return stock.run(self.notebook, self._setup.variables, timeout, allow, self._where)

    def _fork(self) -> tuple[Exception | None, str | None, list[str], int]:
        timeout = self._setting("timeout", self.nb_config.execution_timeout) or None
        allow = self._setting("allow_errors", self.nb_config.execution_allow_errors)
        cells = [(i, cell) for i, cell in enumerate(self.notebook.cells) if is_code(cell)]
        raising = {i for i, cell in cells if allow or may_raise(cell)}
        request = {
            "cells": [
                {"index": i, "source": cell.source, "may_raise": i in raising} for i, cell in cells
            ],
            "timeout": timeout,
            "memory": self._setup.memory,
            "root": str(self._setup.store.root),
            "skip": self._setup.skip,
        }
        for attempt in (1, 2):
            collector = Collector(self.notebook, raising)
            try:
                fork.run(self._setup.server(), request, collector.take)
                break
            except errors.ServerError as error:
                if attempt == 2:  # the first time another chapter may have taken it down
                    return error, f"{self._where(collector.cell)}: {error}", [], 0
        ending = collector.ending or {}
        if not collector.finished:
            error = errors.died(self._where(collector.cell), ending, timeout)
            return error, str(error), [], ending["peak"]
        if collector.error is not None:
            told = f"{self._where(collector.cell)}: {collector.error}{collector.stack}"
            return collector.error, told, [], ending["peak"]
        return None, None, collector.files or [], ending["peak"]

    def _where(self, index: int | None) -> str:
        """Name a place: page, which of its code cells, and the line it begins at."""
        if index is None:
            return f"{self.page}, before its first cell"
        number = sum(cell.cell_type == "code" for cell in self.notebook.cells[: index + 1])
        return f"{self.page}, cell {number} (line {self.cell_line(index)})"

    def _finish(
        self,
        how: str,
        seconds: float,
        peak: int,
        files: Any,
        error: Exception | None = None,
        told: str | None = None,
    ) -> None:
        cells = sum(is_code(cell) for cell in self.notebook.cells)
        for name in files:
            self._setup.depend(self.page, str(self._setup.store.root / name))
        self._setup.note(self.page, Record(how, cells, seconds, peak, self.executor))
        self.exec_metadata = {
            "mtime": datetime.now().timestamp(),
            "runtime": seconds,
            "method": self.nb_config.execution_mode,
            "succeeded": error is None,
            "error": type(error).__name__ if error else None,
            "traceback": told,
        }
        if error is None:
            return
        self.logger.warning(f"Executing notebook failed: {told}", subtype="exec")
        if self.nb_config.execution_raise_on_error:
            raise ExecutionError(told) from error


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


def _result(notebook: NotebookNode, seconds: float, peak: int) -> dict[str, Any]:
    cells = [
        {"execution_count": cell.execution_count, "outputs": cell.outputs}
        for cell in notebook.cells
        if is_code(cell)
    ]
    kept = ("language_info", "widgets")
    metadata = {name: notebook.metadata[name] for name in kept if name in notebook.metadata}
    return {"cells": cells, "metadata": metadata, "seconds": seconds, "peak": peak}


def _apply(result: dict[str, Any], notebook: NotebookNode) -> None:
    cells = [cell for cell in notebook.cells if is_code(cell)]
    for cell, stored in zip(cells, result["cells"], strict=True):
        cell.update(from_dict(stored))
    notebook.metadata.update(from_dict(result["metadata"]))
