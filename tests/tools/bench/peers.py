"""The other tools that build executed books, each in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chapters

# Each tool with what pip installs for it. Their kernels run in our environment, so
# that all of them import the same torch.
NAMES = {
    "jupyter-book 1": ["jupyter-book<2"],
    "nbsphinx": ["nbsphinx", "sphinx-book-theme", "ipykernel", "pypandoc-binary"],
    "mkdocs-jupyter": ["mkdocs-jupyter", "mkdocs-material", "jupytext"],
}


def contenders(bench: Any, size: int, folder: Path) -> dict[str, Callable[[], object]]:
    """Return the tools that could be installed; note for the others why not."""
    found: dict[str, Callable[[], object]] = {}
    kernel(bench.folder)
    for name, packages in NAMES.items():
        try:
            python = environment(folder / name.replace(" ", "-"), packages)
            found[f"{size} {name}"] = PREPARE[name](bench, size, python, f"{size} {name}")
        except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
            bench.skipped[name] = str(error)
            print(f"  {name} is left out: {error}")
    return found


def environment(folder: Path, packages: list[str]) -> Path:
    """Make a virtual environment with the packages, unless it is there; return its Python."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "-q", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip cannot install it: {done.stderr.strip().splitlines()[-1]}")
        (folder / "complete").touch()
    return python


def kernel(folder: Path) -> None:
    """Describe our own interpreter as the kernel named python3, for every tool."""
    spec = folder / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    text = json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
    (spec / "kernel.json").write_text(text, encoding="utf-8")


def variables(python: Path, *more: Path) -> dict[str, str]:
    """Return what a tool needs to find its own programs first, and our kernel."""
    path = os.pathsep.join([str(python.parent), *map(str, more), os.environ.get("PATH", "")])
    return {"PATH": path, "JUPYTER_PREFER_ENV_PATH": "0"}


def jupyter_book(bench: Any, size: int, python: Path, name: str) -> Callable[[], object]:
    """Jupyter Book 1 on the pages as they are."""
    docs = chapters.write(bench.folder / "jupyter-book", size)
    (docs / "_config.yml").write_text("title: bench\nexecute:\n  execute_notebooks: force\n")
    listed = "".join(f"- file: chapter{n:03}\n" for n in range(1, size + 1))
    (docs / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{listed}")

    def measure() -> object:
        shutil.rmtree(docs / "_build", ignore_errors=True)
        command = [str(python.with_name("jupyter-book")), "build", "-q", "."]
        return bench.measure(name, command, docs, **variables(python))

    return measure


def notebooks(docs: Path, size: int) -> None:
    """Turn the pages into notebooks without outputs."""
    import nbformat
    from myst_nb.core.read import read_myst_markdown_notebook

    for number in range(1, size + 1):
        page = docs / f"chapter{number:03}.md"
        notebook = read_myst_markdown_notebook(page.read_text(encoding="utf-8"))
        nbformat.write(notebook, page.with_suffix(".ipynb"))
        page.unlink()


def nbsphinx(bench: Any, size: int, python: Path, name: str) -> Callable[[], object]:
    """nbsphinx on notebooks, with the same theme as ours; it needs pandoc."""
    inside = next(python.parents[1].glob("lib/*/site-packages/pypandoc/files"), None)
    if not (inside or shutil.which("pandoc")):
        raise RuntimeError("it needs the program pandoc, which is not installed here")
    found = variables(python, *([inside] if inside else []))
    docs = chapters.write(bench.folder / "nbsphinx", size)
    notebooks(docs, size)
    (docs / "index.md").unlink()
    listed = "".join(f"   chapter{n:03}\n" for n in range(1, size + 1))
    (docs / "index.rst").write_text(f"Book\n====\n\n.. toctree::\n\n{listed}")
    (docs / "conf.py").write_text(
        'extensions = ["nbsphinx"]\nhtml_theme = "sphinx_book_theme"\nproject = "bench"\n'
        'nbsphinx_execute = "always"\nexclude_patterns = ["_build"]\n'
    )

    def measure() -> object:
        shutil.rmtree(docs / "_build", ignore_errors=True)
        command = [str(python), "-m", "sphinx", "-q", "-b", "html", ".", "_build/html"]
        return bench.measure(name, command, docs, **found)

    return measure


def mkdocs_jupyter(bench: Any, size: int, python: Path, name: str) -> Callable[[], object]:
    """mkdocs with mkdocs-jupyter and the material theme, on notebooks."""
    docs = chapters.write(bench.folder / "mkdocs", size)
    notebooks(docs, size)
    (docs / "index.md").write_text("# Book\n")
    (docs.parent / "mkdocs.yml").write_text(
        "site_name: bench\ntheme: {name: material, font: false}\n"
        "plugins:\n- mkdocs-jupyter: {execute: true, allow_errors: false}\n"
    )

    def measure() -> object:
        for left in ("site", ".cache", ".mkdocs-jupyter", "docs/.cache"):
            shutil.rmtree(docs.parent / left, ignore_errors=True)
        command = [str(python), "-m", "mkdocs", "build", "-q", "-f", "../mkdocs.yml"]
        return bench.measure(name, command, docs, **variables(python))

    return measure


PREPARE = {"jupyter-book 1": jupyter_book, "nbsphinx": nbsphinx, "mkdocs-jupyter": mkdocs_jupyter}
