"""A book that has never heard of this one uses the executor, installed by itself."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import myst_nb_fork

PACKAGE = Path(myst_nb_fork.__file__).parent
OURS = {"handgrad", "autograd_book"}
CONF = """\
project = "Tides"
extensions = ["myst_nb", "myst_nb_fork"]
html_theme = "basic"
nb_execution_mode = "cache"
nb_execution_timeout = 60
exclude_patterns = ["_build", ".cache"]
"""
INDEX = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
# Tides

```{code-cell} python3
import myst_nb_fork
print("high water at", 6 * 2, myst_nb_fork.__name__)
```

```{toctree}
moon
```
"""


def test_no_module_speaks_of_this_book():
    """Neither the library nor the book's own extensions are imported."""
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            if isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])

    assert "myst_nb" in imported
    assert not imported & OURS


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["fork", "stock"])
def test_a_book_elsewhere_runs_its_pages(tmp_path, executor):
    """A text page and a notebook, with no setting but the extension, and then nothing runs."""
    installed, docs = tmp_path / "installed", tmp_path / "tides"
    shutil.copytree(PACKAGE, installed / "myst_nb_fork", ignore=shutil.ignore_patterns("*.pyc"))
    docs.mkdir()
    (docs / "conf.py").write_text(CONF)
    (docs / "index.md").write_text(INDEX)
    cells = [new_markdown_cell("# Moon"), new_code_cell("print('low water at', 6 * 3)")]
    nbformat.write(new_notebook(cells=cells), docs / "moon.ipynb")

    def build() -> str:
        command = [sys.executable, "-m", "sphinx", "-W", "-b", "html", ".", "_build/html"]
        done = subprocess.run(
            [*command, "-D", f"nb_fork_executor={executor}"],
            cwd=docs,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first, again = build(), build()

    assert "high water at 12 myst_nb_fork" in (docs / "_build/html/index.html").read_text()
    assert "low water at 18" in (docs / "_build/html/moon.html").read_text()
    assert "2 ran" in first
    assert "none ran" in again
