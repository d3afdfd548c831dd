"""The book itself: both executors, and any number of readers, give the same bytes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a copy of the sources: nobody edits it while it is built four times."""
    folder = tmp_path_factory.mktemp("book")
    for name in ("docs", "src"):
        ignored = shutil.ignore_patterns("_build", ".cache", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


def build(folder: Path, to: Path, *options: str) -> dict[str, bytes]:
    """Build the book cold; return every file but Sphinx's own memory."""
    program = [sys.executable, "-m", "sphinx", "-q", "-nW", "-b", "html"]
    cold = ["-D", "nb_execution_mode=force", "-d", str(to.parent / "doctrees")]
    done = subprocess.run(
        [*program, *cold, *options, "docs", str(to)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-5000:]
    kept = [
        path
        for part in (to, to.parent / "jupyter_execute")
        for path in sorted(part.rglob("*"))
        if path.is_file()
    ]
    return {str(path.relative_to(to.parent)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def reference(copy, tmp_path_factory):
    """Return the book as one reader and the fork server build it."""
    return build(copy, tmp_path_factory.mktemp("one") / "html", "-j1")


def differences(ours: dict[str, bytes], theirs: dict[str, bytes]) -> list[str]:
    """Return the files that only one of two books has, or that differ."""
    return sorted(name for name in ours.keys() | theirs if ours.get(name) != theirs.get(name))


def test_a_real_kernel_gives_the_same_book(copy, reference, tmp_path):
    """Every page, notebook and figure, those that raise and warn included."""
    stock = build(copy, tmp_path / "html", "-j2", "-D", "nb_fork_executor=stock")

    assert differences(reference, stock) == []


def test_two_readers_in_another_folder_give_the_same_book(copy, reference, tmp_path):
    """No byte depends on the folder, the number of readers or the time."""
    elsewhere = tmp_path / "an other folder"
    shutil.copytree(copy, elsewhere)

    two = build(elsewhere, tmp_path / "site" / "html", "-j2")

    assert differences(reference, two) == []


def test_the_comparison_can_fail(reference):
    """One changed byte, one lost file and one added file are seen."""
    name = next(iter(reference))
    changed = reference | {name: reference[name] + b" ", "new": b""}
    del changed["html/index.html"]

    assert set(differences(reference, changed)) == {name, "new", "html/index.html"}
