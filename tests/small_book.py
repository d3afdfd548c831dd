"""A throwaway book in a temporary folder, whose pages run as the tests wish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PATHS = [str(ROOT / "docs" / "_ext"), str(ROOT / "src")]
FRONT = """\
---
file_format: mystnb
kernelspec: {{name: python3, display_name: Python 3, language: python}}
{more}
---

# {title}
"""
CONF = f"""\
import sys
sys.path[:0] = {PATHS!r}
project = "small"
extensions = ["myst_nb", "myst_nb_fork"]
html_theme = "basic"
html_copy_source = False
nb_execution_mode = "cache"
nb_execution_timeout = 60
nb_execution_raise_on_error = False
nb_ipywidgets_js = {{}}
exclude_patterns = ["_build", ".cache"]
nb_fork_sources = ["../src"]
nb_fork_preload = ["numpy", "torch", "matplotlib.pyplot", "matplotlib.backends.backend_svg"]
nb_fork_preload_when = {{"torch.optim": "torch._dynamo"}}
"""


@dataclass(frozen=True)
class Built:
    """A finished build: its exit code, what it said, its folder, and what was in it then."""

    code: int
    said: str
    folder: Path
    content: dict[str, bytes]

    def ran(self) -> set[str]:
        """Return the pages whose cells ran in this build."""
        lines = [line.split() for line in self.said.splitlines()]
        return {line[1].removesuffix(".md") for line in lines if line[:1] == ["ran"]}

    def notebook(self, page: str = "index") -> nbformat.NotebookNode:
        """Return a page's notebook, with the outputs this build gave it."""
        text = self.content[f"jupyter_execute/{page}.ipynb"].decode("utf-8")
        return nbformat.reads(text, as_version=4)

    def texts(self, page: str = "index") -> list[str]:
        """Return the plain texts of all outputs of a page, in order."""
        outputs = [o for cell in self.notebook(page).cells for o in cell.get("outputs", [])]
        return [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]

    def files(self) -> dict[str, bytes]:
        """Return every file of the site and every notebook, by name, as this build left it."""
        return self.content


def content(site: Path) -> dict[str, bytes]:
    """Read every file of a site and every notebook beside it."""
    folders = [site, site.parent / "jupyter_execute"]
    paths = [path for folder in folders for path in sorted(folder.rglob("*"))]
    kept = [path for path in paths if path.is_file() and ".doctrees" not in path.parts]
    return {str(path.relative_to(site.parent)): path.read_bytes() for path in kept}


class Book:
    """A small book: write pages and sources, then build."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.docs = root / "docs"
        self.src = root / "src"
        self.docs.mkdir(parents=True)
        self.src.mkdir()
        (self.docs / "conf.py").write_text(CONF, encoding="utf-8")

    def page(self, name: str, *cells: str, more: str = "", title: str = "Page") -> Path:
        """Write a page of code cells; one that starts with ``:tags:`` keeps its options."""
        path = self.docs / f"{name}.md"
        blocks = [f"```{{code-cell}}\n{cell}\n```\n" for cell in cells]
        if name == "index":
            blocks.append("```{toctree}\n:glob:\n\n*\n```\n")
        text = FRONT.format(more=more, title=title) + "\n" + "\n".join(blocks)
        path.write_text(text, encoding="utf-8")
        return path

    def configure(self, text: str) -> None:
        """Add lines to conf.py."""
        with (self.docs / "conf.py").open("a", encoding="utf-8") as conf:
            conf.write(text + "\n")

    def command(self, *args: str, to: str = "_build/html") -> list[str]:
        """Return the command that builds the book."""
        return [sys.executable, "-m", "sphinx", "-b", "html", *args, ".", to]

    def build(self, *args: str, to: str = "_build/html", **env: str) -> Built:
        """Build the book and return how it went."""
        done = subprocess.run(
            self.command(*args, to=to),
            cwd=self.docs,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        said = done.stdout.decode("utf-8", "replace").replace("\r", "\n")
        return Built(done.returncode, said, self.docs / to, content(self.docs / to))

    def start(self, *args: str, to: str = "_build/html", **env: str) -> subprocess.Popen[bytes]:
        """Start a build that the test will disturb; it is alone in its process group."""
        return subprocess.Popen(
            self.command(*args, to=to),
            cwd=self.docs,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """Return an empty book; afterwards nothing that it started may still run."""
    yield Book(tmp_path / "book")
    left = processes(str(tmp_path))
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, "processes of the build were left running"


@pytest.fixture
def leftovers() -> Callable[[str], list[int]]:
    """Return the function that finds processes by a text in their environment or command."""
    return processes


def processes(text: str) -> list[int]:
    """Return the processes, but this one, whose command or environment holds a text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            seen = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in seen and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
