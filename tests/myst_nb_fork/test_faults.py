"""A chapter's process may end at any moment; the builder hears how, and no other one suffers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from myst_nb_fork import errors, fork, profile, wire

pytestmark = pytest.mark.skipif(not fork.possible(), reason="needs fork")


@pytest.fixture
def server(tmp_path):
    """Return a fork server that has imported nothing but what a chapter's shell needs."""
    running = fork.start(profile.ready(tmp_path / "home"), [])
    yield running
    running.stop()
    assert not running.address.parent.exists()


def request(*sources, timeout=30.0, memory=None):
    cells = [{"index": i, "source": s, "may_raise": False} for i, s in enumerate(sources)]
    return {"cells": cells, "timeout": timeout, "memory": memory}


def children(server):
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def gone(pid, within=5.0):
    """Say whether a process ends within some seconds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.fault("a chapter killed at its {}", "stopped")
@pytest.mark.parametrize("stage", ["language", "start", "message", "reply", "done"])
def test_a_chapter_killed_at_any_stage_is_reported(server, stage):
    """Each frame a chapter sends may be its last; the server still says how it ended."""
    seen = []

    def take(frame):
        seen.append(frame)
        if frame["type"] == stage and not any(f["type"] == "killed" for f in seen):
            seen.append({"type": "killed"})
            for pid in children(server):
                os.kill(pid, signal.SIGKILL)

    slow = "import time\nprint(1, flush=True)\ntime.sleep(0.2)"
    fork.run(server, request(slow, slow), take)

    assert seen[-1]["type"] == "exit"
    if stage != "done":
        assert seen[-1]["code"] == -signal.SIGKILL
        assert not any(frame["type"] == "done" for frame in seen)
    after = []
    fork.run(server, request("'alive'"), after.append)
    assert [frame["type"] for frame in after][-2:] == ["done", "exit"]


@pytest.mark.fault("a chapter killed before its first cell", "stopped")
def test_a_chapter_killed_before_its_request_is_reported(server):
    """Between the fork and the first cell there is a stage, too."""
    with server.connect() as connection:
        while not children(server):
            time.sleep(0.01)
        os.kill(children(server)[0], signal.SIGKILL)
        frames = list(wire.frames(connection))

    assert [frame["type"] for frame in frames] == ["exit"]
    assert frames[0]["code"] == -signal.SIGKILL


@pytest.mark.fault("a builder that hangs up", "survived")
def test_who_hangs_up_ends_the_chapter_and_all_it_started(server):
    """A reader that is interrupted leaves no chapter behind, nor what that one started."""
    sleeper = "import subprocess\np = subprocess.Popen(['sleep', '98765'], start_new_session=True)"
    with server.connect() as connection:
        wire.send(connection, request(sleeper, "print(p.pid)", "import time; time.sleep(60)"))
        for frame in wire.frames(connection):
            if frame["type"] == "message" and frame["kind"] == "stream":
                grandchild = int(frame["content"]["text"])
            if frame["type"] == "start" and frame["cell"] == 2:
                break
        (chapter,) = children(server)

    assert gone(chapter)
    assert gone(grandchild)
    assert server.alive()


@pytest.mark.fault("a chapter that leaves threads and children", "survived")
def test_a_chapter_that_only_ends_leaves_nothing_running(server):
    """Threads, children and children that left the group end with their chapter."""
    started = (
        "import subprocess, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "a = subprocess.Popen(['sleep', '98765'])\n"
        "b = subprocess.Popen(['sleep', '98765'], start_new_session=True)\n"
        "print(a.pid, b.pid)"
    )
    frames = []
    begun = time.monotonic()
    fork.run(server, request(started), frames.append)

    assert time.monotonic() - begun < 10
    (text,) = [
        f["content"]["text"] for f in frames if f["type"] == "message" and "text" in f["content"]
    ]
    assert all(gone(int(pid)) for pid in text.split())


@pytest.mark.fault("a chapter whose process is stopped", "stopped")
def test_a_stopped_process_does_not_stop_the_build(server, monkeypatch):
    """Even a clock inside the process can be stopped; the builder has one of its own."""
    monkeypatch.setattr(fork, "GRACE", 1.0)
    frames = []

    fork.run(
        server,
        request("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", timeout=1.0),
        frames.append,
    )

    error = errors.died("page.md, cell 1 (line 3)", frames[-1], 1.0)
    assert isinstance(error, errors.ChapterTimeout)
    assert isinstance(error, TimeoutError)
    deadline = time.monotonic() + 5
    while children(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert children(server) == []


@pytest.mark.fault("a chapter that stops its clock and goes on printing", "stopped")
def test_printing_buys_no_time(server, monkeypatch):
    """Each frame that arrived once began the builder's patience anew."""
    monkeypatch.setattr(fork, "GRACE", 1.0)
    deaf = (
        "import faulthandler, time\nfaulthandler.cancel_dump_traceback_later()\n"
        "while True:\n    print('x', flush=True)\n    time.sleep(0.1)"
    )
    frames = []

    fork.run(server, request(deaf, timeout=1.0), frames.append)

    assert isinstance(errors.died("page", frames[-1], 1.0), errors.ChapterTimeout)


@pytest.mark.fault("a cell that forks and runs on in both processes", "survived")
def test_a_forked_copy_of_a_chapter_sends_nothing(server):
    """It ran the cells that follow a second time, and was counted."""
    frames = []

    fork.run(server, request("import os\nx = os.fork()", "print('once')"), frames.append)

    kinds = [frame["type"] for frame in frames]
    assert (kinds.count("start"), kinds.count("reply"), kinds.count("done")) == (2, 2, 1)


@pytest.mark.fault("a fork server that was killed", "stopped")
def test_a_server_that_is_gone_says_what_to_do(server):
    """Killed, it cannot speak; the message still names the way out."""
    with server.connect():
        pass
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()

    with pytest.raises(errors.ServerError, match='nb_fork_executor = "stock"'):
        fork.run(server, request("1"), lambda frame: None)


@pytest.mark.fault("a fork server that cannot import", "stopped")
def test_a_server_that_cannot_import_says_which_module(tmp_path):
    """The cause stands in its log, and its log in the error."""
    broken = fork.start(profile.ready(tmp_path / "home"), ["no_such_module"])
    try:
        with pytest.raises(errors.ServerError, match="no_such_module"):
            broken.connect()
    finally:
        broken.stop()


@pytest.mark.fault("a fork server with threads", "stopped")
def test_a_server_never_forks_with_threads(tmp_path):
    """A lock held by a thread that is not copied would hang the chapter for good."""
    module = tmp_path / "threaded.py"
    module.write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,)).start()"
    )
    program = str(Path(fork.__file__).with_name("server.py"))
    done = subprocess.run(
        [sys.executable, "-c", RUN, program, str(tmp_path), str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "importing threaded started a thread" in done.stderr


RUN = """\
import os, runpy, sys
program, folder, address = sys.argv[1:]
sys.path.insert(0, folder)
sys.argv = [program, address, str(os.getppid()), "threaded"]
runpy.run_path(program, run_name="__main__")
"""


@pytest.mark.fault("a build killed while a chapter runs", "survived")
def test_a_server_ends_with_the_process_that_started_it(tmp_path):
    """However that one ends: here by SIGKILL, while a chapter runs."""
    starter = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from myst_nb_fork import fork, profile, wire\n"
        "server = fork.start(profile.ready(Path(sys.argv[2])), [])\n"
        "connection = server.connect()\n"
        "cell = {'index': 0, 'source': 'import time; time.sleep(60)', 'may_raise': False}\n"
        "wire.send(connection, {'cells': [cell], 'timeout': 60, 'memory': None})\n"
        "print(server.pid, server.address, flush=True)\n"
        "time.sleep(60)\n"
    )
    extensions = str(Path(fork.__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, "-c", starter, extensions, str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid, address = parent.stdout.readline().split()
    time.sleep(0.5)
    chapters = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(chapters) == 1

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert gone(int(pid))
    assert gone(int(chapters[0]))
    assert not Path(address).parent.exists()
