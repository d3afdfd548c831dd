"""The fork server: imports once, computes never, forks one process for each chapter.

Run as a program, ``python server.py SOCKET MODULE...``. It imports the modules,
listens on the socket and forks for each connection. Whoever connects sends one
request and receives frames until the last one, ``exit``, which says how the
chapter's process ended; whoever hangs up kills the chapter and all it started.
It ends with the process that started it, however that one ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 0.5  # seconds between two looks at whether our parent still lives
_RDHUP = getattr(select, "POLLRDHUP", select.POLLHUP)


@dataclass(slots=True)
class Chapter:
    """A chapter's process as the server sees it."""

    pid: int
    connection: socket.socket
    folder: Path


def serve(address: str, modules: list[str]) -> None:
    """Import the modules, then fork a chapter for each connection, until orphaned."""
    parent = os.getppid()
    die_with_parent(parent)
    for name in modules:
        importlib.import_module(name)
    alone = threads()
    gc.collect()
    gc.freeze()
    wake, waker = os.pipe()
    for end in (wake, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the builder tells us when to stop
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address + ".new")
    listener.listen(64)
    os.rename(address + ".new", address)  # from here on it can be connected to
    chapters: dict[int, Chapter] = {}
    try:
        _loop(listener, wake, chapters, parent, alone)
    finally:
        for chapter in chapters.values():
            _kill(chapter)
        shutil.rmtree(Path(address).parent, ignore_errors=True)


def _loop(
    listener: socket.socket, wake: int, chapters: dict[int, Chapter], parent: int, alone: int
) -> None:
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
            chapter = _fork(listener, chapters, alone)
            chapters[chapter.pid] = chapter
        _reap(chapters)


def _fork(listener: socket.socket, chapters: dict[int, Chapter], alone: int) -> Chapter:
    """Fork a chapter's process; it never returns from here."""
    connection, _ = listener.accept()
    folder = Path(tempfile.mkdtemp(prefix="chapter-", dir=Path(listener.getsockname()).parent))
    pid = os.fork()
    if pid:
        return Chapter(pid, connection, folder)
    code = 70
    try:
        listener.close()
        for other in chapters.values():
            other.connection.close()
        if threads() > alone:  # fork copies one thread only: what another one holds stays locked
            raise RuntimeError(f"the fork server has {threads()} threads, expected {alone}")
        code = _chapter(connection, folder)
    except BaseException as error:  # whatever it is, the builder must hear of it
        with contextlib.suppress(OSError):
            (folder / "fault").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
    finally:
        os._exit(code)


def _chapter(connection: socket.socket, folder: Path) -> int:
    """Be a chapter: read the request, prepare the process, run the cells."""
    from executor import chapter, wire

    os.setsid()
    die_with_parent(os.getppid())
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    request = wire.receive(connection)
    if request is None:
        return 0
    streams = _redirect(folder)
    _limit(request["memory"])
    _reseed()
    work = folder / "work"
    work.mkdir()
    os.chdir(work)
    watch = Watch(folder, request["timeout"], request["root"], request["skip"])
    sys.addaudithook(watch.audit)

    def publish(frame: dict[str, Any]) -> None:
        if frame["type"] == "start":
            watch.rearm()
        wire.send(connection, frame)

    chapter.run(request["cells"], publish, streams)
    watch.disarm()
    wire.send(connection, {"type": "done", "files": sorted(watch.files)})
    return 0


class Watch:
    """What is watched while a chapter runs: its time, cell by cell, and the files it opens."""

    def __init__(self, folder: Path, timeout: float | None, root: str, skip: list[str]) -> None:
        self._timeout = timeout
        self._root = os.path.join(root, "")
        self._skip = tuple(os.path.join(path, "") for path in skip)
        self._fault = open(folder / "fault", "w")  # noqa: SIM115 - open until the process ends
        self.files: set[str] = set()
        faulthandler.enable(self._fault)  # a crash in native code says where, too

    def rearm(self) -> None:
        """Give the next cell its full time; if it takes longer, the process ends."""
        if self._timeout:
            faulthandler.dump_traceback_later(self._timeout, exit=True, file=self._fault)

    def disarm(self) -> None:
        """Stop the clock."""
        faulthandler.cancel_dump_traceback_later()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note every file of the project that is opened: a result may depend on it."""
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path.startswith(self._root) and not path.startswith(self._skip):
                self.files.add(path)


def _redirect(folder: Path) -> tuple[int, int]:
    """Send descriptors 1 and 2 to files; return descriptors that read them back."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    readers: list[int] = []
    for descriptor, name in ((1, "out"), (2, "err")):
        path = folder / name
        writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(writer, descriptor)
        os.close(writer)
        readers.append(os.open(path, os.O_RDONLY))
    return readers[0], readers[1]


def _limit(memory: int | None) -> None:
    """Let the process map ``memory`` bytes more than it has mapped now; no core files."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # if memory runs out all the same, take this one
        Path("/proc/self/oom_score_adj").write_text("1000")
    if memory and Path("/proc/self/statm").exists():
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, mapped + memory))


def _reseed() -> None:
    """Give the chapter random states of its own; Python's own does that at a fork."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def _reap(chapters: dict[int, Chapter]) -> None:
    """Say how each ended process ended, and leave nothing of it behind."""
    from executor import wire

    while chapters:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if not pid:
            return
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


def threads() -> int:
    """Return the number of threads of this process that the system knows of."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when the one that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it ended before we asked
            os._exit(0)


def main(arguments: list[str]) -> None:
    """Make the package importable for us, but not for the chapters."""
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry != here]
    sys.path.insert(0, str(Path(here).parent))
    for name in ("executor.chapter", "executor.wire"):
        importlib.import_module(name)
    del sys.path[0]
    serve(arguments[0], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
