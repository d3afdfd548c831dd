"""The fork server: imports once, computes never, forks one process for each chapter.

Run as a program, ``python server.py SOCKET PARENT MODULE...``. It imports the modules,
listens on the socket and forks for each connection. Whoever connects sends one
request and receives frames until the last one, ``exit``, which says how the
chapter's process ended; whoever hangs up kills the chapter and all it started.
It ends with the process that started it, however that one ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

OURS = ("myst_nb_fork.chapter", "myst_nb_fork.process", "myst_nb_fork.system", "myst_nb_fork.wire")
# What looks for a shell when it is imported, and would find none here: figures were lost.
NEVER = ("matplotlib_inline.backend_inline",)
PATIENCE = 0.5  # seconds between two looks at whether our parent still lives
_RDHUP = getattr(select, "POLLRDHUP", select.POLLHUP)


@dataclass(slots=True)
class Chapter:
    """A chapter's process as the server sees it."""

    pid: int
    connection: socket.socket
    folder: Path


def serve(address: str, parent: int, modules: list[str]) -> None:
    """Import the modules, then fork a chapter for each connection, until orphaned."""
    from myst_nb_fork import system

    chapters: dict[int, Chapter] = {}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the builder tells us when to stop
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        system.die_with(parent, signal.SIGTERM)
        _import(modules)
        system.adopt_orphans()
        wake, waker = os.pipe()
        for end in (wake, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address + ".new")
        listener.listen(64)
        os.rename(address + ".new", address)  # from here on it can be connected to
        _loop(listener, wake, chapters, parent)
    finally:
        for chapter in chapters.values():
            _kill(chapter)
        _kill_orphans()
        if os.getppid() != parent:  # otherwise the builder may still want to read our log
            shutil.rmtree(Path(address).parent, ignore_errors=True)


def _import(modules: list[str]) -> None:
    """Import what a chapter needs; set it aside, so that no chapter's collector walks it."""
    from myst_nb_fork import chapter, system

    for name in OURS:
        importlib.import_module(name)
    del sys.path[0]  # where ours lie: no chapter sees it
    for name in modules:
        importlib.import_module(name)
        if system.threads() > 1:
            told = (
                f"importing {name} started a thread, and a fork would copy its locks but not "
                "the thread: take it out of nb_fork_preload in conf.py."
            )
            raise RuntimeError(told)
        if found := [never for never in NEVER if never in sys.modules]:
            told = (
                f"importing {name} imported {found[0]}, which connects to the shell it finds, and "
                "the fork server has none: take it out of nb_fork_preload in conf.py."
            )
            raise RuntimeError(told)
    chapter.prepare()
    gc.collect()
    gc.freeze()


def _loop(listener: socket.socket, wake: int, chapters: dict[int, Chapter], parent: int) -> None:
    while os.getppid() == parent:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(wake, select.POLLIN)
        for chapter in chapters.values():
            poll.register(chapter.connection, _RDHUP)
        ready = dict(poll.poll(PATIENCE * 1000))
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
        for chapter in [c for c in chapters.values() if c.connection.fileno() in ready]:
            _kill(chapter)
        if listener.fileno() in ready:
            _accept(listener, chapters)
        _reap(chapters)


def _accept(listener: socket.socket, chapters: dict[int, Chapter]) -> None:
    """Fork a chapter's process for the next connection, or say there why not."""
    from myst_nb_fork import process, system, wire

    connection, _ = listener.accept()
    try:
        if system.threads() > 1:
            raise RuntimeError(
                f"the fork server has {system.threads()} threads, a fork would copy one"
            )
        home = Path(listener.getsockname()).parent
        folder = Path(tempfile.mkdtemp(prefix="chapter-", dir=home))
        ours = os.getpid()
        pid = os.fork()
    except (OSError, RuntimeError) as error:
        frame = {"type": "exit", "code": 70, "fault": str(error), "peak": 0, "seconds": 0.0}
        with contextlib.suppress(OSError), connection:
            wire.send(connection, frame)
        return
    if pid:
        chapters[pid] = Chapter(pid, connection, folder)
        return
    code = 70
    try:
        listener.close()
        for other in chapters.values():
            other.connection.close()
        code = process.be_chapter(connection, folder, ours)
    except BaseException as error:  # whatever it is, the builder must hear of it
        with contextlib.suppress(OSError), (folder / "fault").open("a") as fault:
            fault.write(f"{type(error).__name__}: {error}")
    finally:
        os._exit(code)


def _reap(chapters: dict[int, Chapter]) -> None:
    """Say how each ended process ended, and leave nothing of it behind."""
    from myst_nb_fork import wire

    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            break
        chapter = chapters.pop(pid, None)
        if chapter is None:
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # what the chapter started and did not wait for
        frame = {
            "type": "exit",
            "code": os.waitstatus_to_exitcode(status),
            "fault": _read(chapter.folder / "fault"),
            "peak": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "seconds": usage.ru_utime + usage.ru_stime,
        }
        with contextlib.suppress(OSError), chapter.connection:
            wire.send(chapter.connection, frame)
        shutil.rmtree(chapter.folder, ignore_errors=True)
    if not chapters:
        _kill_orphans()


def _kill_orphans() -> None:
    """Kill what chapters started and hid from their group; only while no chapter runs."""
    with contextlib.suppress(OSError):
        for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _kill(chapter: Chapter) -> None:
    """End a chapter and everything it started: they share one process group."""
    for kill in (os.killpg, os.kill):  # the group does not exist before the first instant
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(chapter.pid, signal.SIGKILL)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-20_000:]
    except OSError:
        return ""


def main(address: str, parent: str, *modules: str) -> None:
    """Make the package importable for us, but not for the chapters, and serve."""
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry != here]
    sys.path.insert(0, str(Path(here).parent))
    try:
        serve(address, int(parent), list(modules))
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # taking torch down in order costs half a second


if __name__ == "__main__":
    main(*sys.argv[1:])
