"""The executor's small parts, each by itself."""

from __future__ import annotations

import itertools
import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat.v4 as nb
import pytest

from myst_nb_fork import errors, fingerprint, fork, order, profile, serve, wire
from myst_nb_fork.outputs import canonical
from myst_nb_fork.store import Store


def stream(name, text):
    return nb.new_output("stream", name=name, text=text)


def shown(outputs):
    return [(o.get("name", o.output_type), o.get("text", "")) for o in outputs]


def test_streams_between_two_outputs_have_one_form():
    """However the pieces were cut and mixed by a clock, the result is the same."""
    pieces = [("stdout", "a"), ("stderr", "x"), ("stdout", "b"), ("stderr", "y")]
    figure = nb.new_output("display_data", {"text/plain": "figure"})
    forms = set()
    for mixed in itertools.permutations(pieces):
        if [t for _, t in mixed if t in "ab"] != ["a", "b"]:
            continue
        if [t for _, t in mixed if t in "xy"] != ["x", "y"]:
            continue
        outputs = [stream(*piece) for piece in mixed]
        after = [stream("stdout", "c")]
        forms.add(tuple(shown(canonical([*outputs, figure, *after]))))

    assert forms == {(("stdout", "ab"), ("stderr", "xy"), ("display_data", ""), ("stdout", "c"))}
    assert canonical([]) == []


def notebook(*cells, **metadata):
    made = nb.new_notebook(metadata=metadata)
    made.cells = [nb.new_code_cell(source, metadata=meta) for source, meta in cells]
    return made


def test_a_key_knows_code_and_nothing_that_is_only_shown(tmp_path):
    """Captions and hiding tags are no part of it; code, order and who may raise are."""
    store = Store(tmp_path, "f", tmp_path)
    base = store.key(notebook(("1", {}), ("2", {})), "fork")

    hidden = notebook(("1", {"tags": ["hide-input"]}), ("2", {"mystnb": {"figure": {}}}))
    assert store.key(hidden, "fork") == base
    with_prose = notebook(("1", {}), ("2", {}))
    with_prose.cells.insert(1, nb.new_markdown_cell("words"))
    assert store.key(with_prose, "fork") == base

    others = [
        (notebook(("2", {}), ("1", {})), "fork"),
        (notebook(("12", {})), "fork"),
        (notebook(("1", {"tags": ["raises-exception"]}), ("2", {})), "fork"),
        (notebook(("1", {}), ("2", {}), execution={"allow_errors": True}), "fork"),
        (notebook(("1", {}), ("2", {})), "stock"),
    ]
    assert len({store.key(*other) for other in others} | {base}) == 6


def test_what_was_opened_is_a_dependency_wherever_it_lies(tmp_path):
    """But not what the fingerprint holds already, a build makes, or the system makes up."""
    root, made = tmp_path / "root", tmp_path / "root" / "_build"
    store = Store(tmp_path / "cache", "f", root, (made,))
    own = Path(tempfile.gettempdir(), "nb-fork-x", "chapter-y", "work", "z")
    opened = [root / "data.csv", made / "x", tmp_path / "y", root / "data.csv", own, "/proc/stat"]

    assert store.ours(map(str, opened)) == ["data.csv", str(tmp_path / "y")]


def test_a_result_is_gone_when_a_file_it_read_is_another(tmp_path):
    """Also when the file is gone."""
    store = Store(tmp_path / "cache", "fingerprint", tmp_path)
    data = tmp_path / "data.csv"
    data.write_text("1")
    assert store.save("key", {"cells": []}, ["data.csv"])
    assert store.load("key")["cells"] == []
    data.write_text("2")
    assert store.load("key") is None
    data.unlink()
    assert store.load("key") is None


def test_frames_arrive_whole_or_not_at_all():
    """What breaks off inside a frame is the end, not half a message."""
    ours, theirs = socket.socketpair()
    frames = [{"type": "a", "text": "é" * 100_000}, {"type": "b", "broken": "\udcff"}, {}]
    for frame in frames:
        wire.send(ours, frame)
        assert wire.receive(theirs) == frame
    ours.sendall(b"\0\0\1\0{")
    ours.close()
    assert wire.receive(theirs) is None
    theirs.close()


DYING = """
import socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print(flush=True)
connection, _ = listener.accept()
connection.close()
listener.close()
time.sleep(0.3)
"""


def test_a_folder_above_the_checkout_has_any_name(tmp_path):
    """What a build makes is known by its place in the book, not by the folders above that."""
    docs = tmp_path / ".cache" / "__pycache__" / "ä b" / "_build" / "docs"
    (docs / "__pycache__").mkdir(parents=True)
    (docs / "a.py").write_text("1")
    first = fingerprint.of_sources([docs])
    (docs / "__pycache__" / "a.cpython-311.pyc").write_text("compiled")
    made = re.compile(serve.made([docs], ".cache"))

    assert fingerprint.of_sources([docs]) == first
    (docs / "a.py").write_text("2")
    assert fingerprint.of_sources([docs]) != first
    assert not made.search(f"{docs}/part/a.md")
    assert all(made.search(f"{docs}/{name}") for name in ("_build/a.md", "b/.cache", "__pycache__"))


@pytest.mark.parametrize("owner", [True, False])
def test_a_server_that_hung_up_is_not_tried_again(tmp_path, owner):
    """A killed process closes its sockets first; who asked in that moment tried it twice."""
    address, log = tmp_path / "s", tmp_path / "log"
    log.touch()
    command = [sys.executable, "-c", DYING, str(address)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    server = fork.Server(address, log, process.pid, process, os.getpid() if owner else 0)
    request = {"cells": [], "timeout": None, "memory": None}

    with pytest.raises(errors.ServerError, match="is gone"):
        fork.run(server, request, lambda frame: None)

    assert not server.alive()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("readers", [1, 2, 3, 7])
def test_no_page_is_lost_and_shares_are_even(readers):
    """All pages are read once; no reader has more than twice what it should have."""
    names = [f"p{i:02}" for i in range(24)]
    work = {name: float(i % 7) for i, name in enumerate(names) if i % 3}

    spread = order.spread(names, work, readers)

    assert sorted(spread) == names
    size = -(-len(names) // readers)
    if size * readers == len(names):
        loads = [sum(work.get(n, 0.0) for n in spread[i : i + size]) for i in range(0, 24, size)]
        assert max(loads) <= 2 * sum(loads) / len(loads)


@pytest.mark.parametrize(
    ("code", "fault", "kind", "words"),
    [
        (-9, "", errors.ChapterDied, "SIGKILL"),
        (-11, "Fatal Python error", errors.ChapterDied, "Where it was"),
        (3, "", errors.ChapterDied, "exit code 3"),
        (1, "Timeout (0:00:03)!\n  File x", errors.ChapterTimeout, "more than 3 seconds"),
        (70, "OSError: no space", errors.ChapterDied, "no space"),
    ],
)
def test_every_ending_has_its_own_words(code, fault, kind, words):
    """Place first, then the cause, then what to do."""
    error = errors.died("page.md, cell 2 (line 9)", {"code": code, "fault": fault, "peak": 0}, 3.0)

    assert type(error) is kind
    assert str(error).startswith("page.md, cell 2 (line 9): ")
    assert words in str(error)


def test_a_long_stack_is_cut(tmp_path):
    """A recursion's thousand lines say no more than its first ten."""
    fault = "Fatal Python error\n" + "  File f\n" * 1000
    told = str(errors.died("page", {"code": -11, "fault": fault, "peak": 0}, None))

    assert "more lines" in told
    assert len(told.splitlines()) < 20


def test_a_chapter_sees_nothing_of_the_builders_session(tmp_path, monkeypatch):
    """Its variables are the book's; only the way to programs is inherited."""
    monkeypatch.setenv("PYTHONPATH", "/leak")
    monkeypatch.setenv("SECRET_TOKEN", "leak")
    monkeypatch.setenv("OMP_NUM_THREADS", "99")

    seen = profile.environment(tmp_path, {"BOOK_SAYS": "hello"})

    assert "leak" not in " ".join(seen.values())
    assert seen["OMP_NUM_THREADS"] == "1"
    assert seen["BOOK_SAYS"] == "hello"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["fork", "stock"])
def test_the_builders_own_settings_change_no_byte(book, executor, tmp_path):
    """Start-up files of IPython, a matplotlibrc, a locale, warnings, threads: none leaks in."""
    book.page(
        "index",
        "import matplotlib.pyplot as plt, os, sys, torch\nplt.plot([1, 2]);",
        "sorted(os.environ) == sorted(set(os.environ)), os.environ['COLUMNS'], "
        "torch.get_num_threads(), sys.flags.warn_default_encoding, hash('x')",
    )
    book.page("other", "1")
    mine = tmp_path / "mine"
    startup = mine / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("print('my own start-up file')\n")
    (mine / "matplotlibrc").write_text("lines.linewidth: 9\n")
    plain = book.build("-W", "-D", f"nb_fork_executor={executor}", "-E")

    leaking = book.build(
        *("-W", "-D", f"nb_fork_executor={executor}", "-D", "nb_execution_mode=force", "-E"),
        HOME=str(mine),
        IPYTHONDIR=str(mine / ".ipython"),
        MATPLOTLIBRC=str(mine),
        COLUMNS="40",
        OMP_NUM_THREADS="4",
        PYTHONHASHSEED="7",
        TZ="Asia/Tokyo",
    )

    assert plain.code == leaking.code == 0, leaking.said
    assert leaking.ran() == {"index", "other"}
    assert leaking.files() == plain.files()
