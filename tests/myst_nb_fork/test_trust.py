"""What a build may not trust: each of these once published another state's numbers, unnoticed."""

from __future__ import annotations

import os
import py_compile
import shutil
import sys
import time
from pathlib import Path

import pytest

from myst_nb_fork import bytecode, fingerprint, profile

pytestmark = pytest.mark.slow
USES = "import version\nversion.VERSION"


@pytest.fixture
def small(book):
    """Return a book whose first page shows what its source says; it needs no torch."""
    book.configure("nb_fork_preload = []")
    book.page("other", "1", title="Other")
    say(book, "first")
    book.page("index", USES)
    return book


def say(book, word, when=None):
    """Write the source; with ``when``, as if it had been written then."""
    path = book.src / "version.py"
    path.write_text(f"VERSION = {word!r}\n", encoding="utf-8")
    if when:
        os.utime(path, (when, when))
    return path


@pytest.mark.fault("a source of the same time and size, and its stale bytecode", "survived")
def test_bytecode_of_another_source_is_not_run(small):
    """Python trusts time and size; a changed sign leaves both as they were."""
    py_compile.compile(str(say(small, "first", 1e9)), doraise=True)
    assert small.build().texts() == ["'first'"]

    say(small, "other", 1e9)

    assert small.build().texts() == ["'other'"]


def test_bytecode_is_made_once_and_checked_for_good(small, monkeypatch):
    """The second time nothing is compiled; what cannot be compiled is left to its import."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    made = Path(py_compile.compile(str(say(small, "first")), doraise=True))
    wrong = small.src / "wrong.py"
    wrong.write_text("1 +\n")
    stale = made.with_name(made.name.replace("version", "wrong"))
    shutil.copy(made, stale)

    bytecode.check([small.src, small.root / "nowhere"])
    first = made.stat()
    bytecode.check([small.src])

    assert made.stat() == first
    assert made.read_bytes()[4:8] == bytecode.CHECKED
    assert not stale.exists()


@pytest.mark.fault("a package of the same name in another folder, {}", "survived")
@pytest.mark.parametrize("executor", ["fork", "stock"])
def test_chapters_import_the_sources_of_their_own_checkout(small, executor, tmp_path):
    """Not those that happen to be installed or on the builder's path."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "version.py").write_text("VERSION = 'other'\n")

    built = small.build("-W", "-D", f"nb_fork_executor={executor}", PYTHONPATH=str(other))

    assert built.texts() == ["'first'"], built.said


def during(book, change):
    """Build, and do something while the chapter sleeps; return exit code and words."""
    process = book.start("-W", PYTHONUNBUFFERED="1")
    deadline = time.monotonic() + 60
    while not (book.root / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    change()
    said = process.communicate(timeout=60)[0].decode()
    return process.returncode, said


def waits(book, before="", after=""):
    """Return a cell that says that it has begun, and waits a moment between two steps."""
    begun = f"subprocess.run(['touch', {str(book.root / 'begun')!r}], check=True)"
    return f"import subprocess, time\n{before}\n{begun}\ntime.sleep(1)\n{after}"


@pytest.mark.fault("a source that changes while a chapter runs", "stopped")
def test_a_source_that_changes_meanwhile_stops_the_build(small):
    """The chapter saw the new state, and was kept under the name of the old one."""
    small.page("index", waits(small, after=USES))

    code, said = during(small, lambda: say(small, "other"))

    assert code == 1
    assert "nb_fork_sources changed while chapters ran" in said
    say(small, "first")
    again = small.build("-W")
    assert (again.code, again.texts()[-1]) == (0, "'first'"), again.said


@pytest.mark.fault("a file that changes after a chapter has read it", "stopped")
def test_a_file_that_changes_after_it_was_read_stops_the_build(small):
    """It was kept as if the chapter had read what was there in the end."""
    data = small.root / "data.txt"
    data.write_text("first")
    small.page("index", waits(small, f"x = open({str(data)!r}).read()", "x"))

    code, said = during(small, lambda: data.write_text("other"))

    assert code == 1
    assert "index.md: data.txt changed while the chapter ran" in said
    again = small.build("-W")
    assert (again.code, again.texts()[-1]) == (0, "'other'"), again.said


def test_what_a_chapter_inherits_is_part_of_its_key(monkeypatch):
    """It can be shown, and decides which programs a cell finds."""
    before = profile.settings()
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + "/opt/other")

    assert profile.settings() != before


@pytest.mark.fault("notebooks beside the site that are {}", "survived")
@pytest.mark.parametrize("damage", ["gone", "of another state"])
def test_notebooks_beside_the_site_are_those_of_its_pages(small, damage):
    """An e-book of another state of the sources writes its own there."""
    first = small.build("-W")
    notebook = small.docs / "_build" / "jupyter_execute" / "index.ipynb"
    if damage == "gone":
        notebook.unlink()
    else:
        notebook.write_text(notebook.read_text().replace("first", "other"))

    assert small.build("-W").files() == first.files()


@pytest.mark.fault("a file outside the book that changes", "survived")
def test_a_file_outside_the_book_is_part_of_a_result(small, tmp_path):
    """Nobody keeps a page from reading it, and its number was never made again."""
    data = tmp_path / "data.txt"
    data.write_text("first")
    small.page("index", f"open({str(data)!r}).read()")
    assert small.build("-W").texts() == ["'first'"]

    data.write_text("other")

    assert small.build("-W").texts() == ["'other'"]


@pytest.mark.fault("a chapter that asks the network, {}", "stopped")
@pytest.mark.parametrize("executor", ["fork", "stock"])
def test_a_chapter_may_not_use_a_network(small, executor):
    """What came from there may be another thing tomorrow, and would be kept for ever."""
    ask = "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)"
    small.page("index", ask)

    built = small.build("-W", "-D", f"nb_fork_executor={executor}")

    assert built.code == 1
    assert "a chapter may not use a network: 127.0.0.1" in built.said


def test_a_distribution_is_known_by_its_files(tmp_path, monkeypatch):
    """Not only by its name: the same version can be built again, or mended where it lies."""
    record = tmp_path / "torch-9.9.dist-info" / "RECORD"
    record.parent.mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    record.write_text("torch/__init__.py,sha256=a,1\n")
    first = [*fingerprint.of_environment()]
    record.write_text("torch/__init__.py,sha256=b,1\n")

    assert [*fingerprint.of_environment()] != first


@pytest.mark.fault("two builds of one folder at once", "survived")
def test_two_builds_of_one_folder_wait_for_each_other(small):
    """They wrote into each other's files, and one ended with a stack of Sphinx's."""
    small.page("index", "import time\ntime.sleep(2)")
    pair = [small.start("-W") for _ in range(2)]
    said = [process.communicate(timeout=120)[0].decode() for process in pair]

    assert [process.returncode for process in pair] == [0, 0], said
    assert sum("waiting for another build" in text for text in said) == 1
    assert sum("ran    index.md" in text for text in said) == 1
