"""A chapter's process, from the fork to its end: what it may use and what is watched."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from myst_nb_fork import chapter, system, wire


def be_chapter(connection: socket.socket, folder: Path, server: int) -> int:
    """Be a chapter: read the request, prepare the process, run the cells.

    Returns:
        The exit code of the process: 0 when all frames were sent.
    """
    os.setsid()
    system.die_with(server, signal.SIGKILL)
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
    watch = Watch(folder, request["timeout"])
    sys.addaudithook(watch.audit)
    ours, who, end = os.getpid(), os.getpid, os._exit  # a cell may change what os has
    sent = 0

    def publish(frame: dict[str, Any]) -> None:
        nonlocal sent
        if who() != ours:  # a process that a cell forked, and that did not end there
            end(0)
        if frame["type"] == "start":
            watch.rearm()
        sent += wire.send(connection, frame)
        wire.bound(sent)

    chapter.run(request["cells"], publish, streams)
    watch.disarm()
    wire.send(connection, {"type": "done", "files": sorted(watch.files)})
    return 0


class Watch:
    """What is watched while a chapter runs: its time, cell by cell, and the files it opens."""

    def __init__(self, folder: Path, timeout: float | None) -> None:
        self._timeout = timeout
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
        """Note every file that is opened, since a result may depend on it; refuse a network.

        Nobody can know whether what came from there is still so.
        """
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            raise PermissionError(f"a chapter may not use a network: {arguments[1][0]}")
        if event == "open" and isinstance(arguments[0], str | bytes):
            self.files.add(os.path.abspath(os.fsdecode(arguments[0])))


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
    if memory:
        resource.setrlimit(resource.RLIMIT_FSIZE, (memory, memory))  # a file is no way round


def _reseed() -> None:
    """Give the chapter random states of its own; Python's own does that at a fork."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()
