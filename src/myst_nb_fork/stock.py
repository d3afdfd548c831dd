"""Run a page on a real Jupyter kernel: where fork is missing, or where a page asks for it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from myst_nb_fork import profile
from myst_nb_fork.errors import ChapterDied, ChapterTimeout
from myst_nb_fork.outputs import canonical
from myst_nb_fork.pages import Page, Run


def run(page: Page, variables: Mapping[str, str]) -> Run:
    """Run the page in place; ``variables`` is the whole environment of its kernel."""
    running: list[int] = [0]
    with tempfile.TemporaryDirectory(prefix="nb-fork-") as folder:
        work, opened = Path(folder, "work"), Path(folder, "opened")
        work.mkdir()
        client = NotebookClient(
            page.notebook,
            timeout=page.timeout,
            allow_errors=page.may_raise,
            record_timing=False,
            resources={"metadata": {"path": str(work)}},
            on_cell_start=lambda cell, cell_index: running.__setitem__(0, cell_index),
        )
        try:
            client.execute(env={**variables, profile.OPENED: str(opened)})
        except CellExecutionError as error:
            return Run(error, f"{page.where(running[0])}: {error}")
        except CellTimeoutError as error:
            told = f"the cell ran for more than {page.timeout:g} seconds. {error}"
            told = f"{page.where(running[0])}: {told}"
            return Run(ChapterTimeout(told), told)
        except DeadKernelError:
            told = f"{page.where(running[0])}: the kernel died before the cell ended."
            return Run(ChapterDied(told), told)
        finally:
            for cell in page.notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = canonical(cell.outputs)
        names = opened.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return Run(files=tuple(dict.fromkeys(names)))
