"""A real Jupyter kernel for a chapter: where fork is missing, or where a page asks for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from executor.errors import ChapterDied, ChapterTimeout
from executor.outputs import canonical


def run(
    notebook: NotebookNode,
    variables: Mapping[str, str],
    timeout: float | None,
    may_raise: bool,
    where: Callable[[int], str],
) -> tuple[Exception | None, str | None]:
    """Run the notebook in place; return what stopped it, and its traceback.

    Args:
        notebook: Its cells get their outputs.
        variables: All environment variables of the kernel.
        timeout: Seconds a cell may take; None for no limit.
        may_raise: Whether every cell may raise; a tag allows it to one.
        where: Called with a cell's index, gives its place in words.
    """
    running: list[int] = [0]
    with tempfile.TemporaryDirectory(prefix="book-") as work:
        client = NotebookClient(
            notebook,
            timeout=timeout,
            allow_errors=may_raise,
            record_timing=False,
            resources={"metadata": {"path": work}},
            on_cell_start=lambda cell, cell_index: running.__setitem__(0, cell_index),
        )
        try:
            client.execute(env=dict(variables))
        except CellExecutionError as error:
            return error, f"{where(running[0])}: {error}"
        except CellTimeoutError as error:
            told = f"{where(running[0])}: the cell ran for more than {timeout:g} seconds. {error}"
            return ChapterTimeout(told), told
        except DeadKernelError:
            told = f"{where(running[0])}: the kernel died before the cell ended."
            return ChapterDied(told), told
        finally:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = canonical(cell.outputs)
    return None, None
