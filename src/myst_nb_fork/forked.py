"""Run a page on the fork server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from myst_nb_fork import errors, fork
from myst_nb_fork.outputs import Collector
from myst_nb_fork.pages import Page, Run, is_code, may_raise


def run(page: Page, server: Callable[[], fork.Server], memory: int) -> Run:
    """Run the page in place.

    Args:
        page: What is run.
        server: Returns a fork server, another one if the last is gone.
        memory: Bytes the page's process may map beyond what the server has mapped.
    """
    cells = [(i, cell) for i, cell in enumerate(page.notebook.cells) if is_code(cell)]
    raising = {i for i, cell in cells if page.may_raise or may_raise(cell)}
    request = {
        "cells": [
            {"index": i, "source": cell.source, "may_raise": i in raising} for i, cell in cells
        ],
        "timeout": page.timeout,
        "memory": memory,
    }
    for attempt in (1, 2):
        collector = Collector(page.notebook, raising)
        try:
            fork.run(server(), request, collector.take)
            break
        except errors.ServerError as error:
            if attempt == 2:  # the first time another chapter may have taken it down
                return Run(error, f"{page.where(collector.cell)}: {error}")
        except Exception as error:  # a cell can change even what sends its results
            said = f"{type(error).__name__}: {error}"
            told = f"{page.where(collector.cell)}: its process sent what nobody understands: {said}"
            return Run(errors.ChapterDied(told), told)
    return _ran(page, collector, collector.ending or {})


def _ran(page: Page, collector: Collector, ending: dict[str, Any]) -> Run:
    peak, cpu = ending["peak"], ending["seconds"]
    if not collector.finished:
        error = errors.died(page.where(collector.cell), ending, page.timeout)
        return Run(error, str(error), (), peak, cpu)
    if collector.error is not None:
        told = f"{page.where(collector.cell)}: {collector.error}{collector.stack}"
        return Run(collector.error, told, (), peak, cpu)
    return Run(None, None, tuple(collector.files or ()), peak, cpu)
