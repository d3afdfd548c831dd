"""The builder's side of the fork server: start it, reach it, run a chapter on it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myst_nb_fork import fingerprint, profile, wire
from myst_nb_fork.errors import ServerError

ADDRESS = "NB_FORK_SERVER"
START = 120.0  # seconds a server may take to import
END = 10.0  # seconds a server that hung up may take to be gone
GRACE = 15.0  # seconds a chapter may be silent beyond its time before we hang up


def possible() -> bool:
    """Say whether this system can fork a chapter."""
    return hasattr(os, "fork") and hasattr(socket, "AF_UNIX") and sys.platform == "linux"


@dataclass(slots=True)
class Server:
    """A fork server, running or starting; picklable facts only, so forked readers can use it."""

    address: Path
    log: Path
    pid: int
    process: subprocess.Popen[bytes] | None
    owner: int

    def connect(self) -> socket.socket:
        """Return a connection to the server, waiting while it still imports."""
        deadline = time.monotonic() + START
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.address))
                return connection
            except FileNotFoundError:  # it is there once the server listens, never before
                connection.close()
            except OSError:
                connection.close()
                raise self.lost() from None
            if not self.alive() or time.monotonic() > deadline:
                raise ServerError(self.why())
            time.sleep(0.01)

    def alive(self) -> bool:
        """Say whether the server's process still runs."""
        if self.process is not None and os.getpid() == self.owner:
            return self.process.poll() is None
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state not in "ZX" and self.log.exists()

    def lost(self) -> ServerError:
        """Return the error for a server that hung up, once its process has ended, too.

        A process closes its sockets a moment before it is gone. Who asks :meth:`alive`
        in that moment would try the same server again.
        """
        deadline = time.monotonic() + END
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        return ServerError(self.why())

    def stop(self) -> None:
        """End the server and what it runs; only the process that started it may."""
        if self.process is None or os.getpid() != self.owner:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.address.parent, ignore_errors=True)

    def why(self) -> str:
        """Return what is known about a server that does not answer, and the way out."""
        try:
            said = self.log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
        except OSError:
            said = "(it left no word)"
        return (
            "The fork server that runs the chapters did not start or is gone: "
            f"{said or '(it said nothing)'}. "
            'Set nb_fork_executor = "stock" in conf.py to build without it.'
        )


def start(home: Path, modules: Sequence[str], more: Mapping[str, str] | None = None) -> Server:
    """Start a server that imports the modules; returns at once, it imports meanwhile.

    Args:
        home: A folder made by :func:`myst_nb_fork.profile.ready`.
        modules: What it imports before its first fork.
        more: Further variables that every chapter sees.
    """
    folder = Path(tempfile.mkdtemp(prefix="nb-fork-"))  # short: a socket's path has ~100 bytes
    log = folder / "log"
    (folder / "identity").write_text(identity(more or {}))
    program = str(Path(__file__).with_name("server.py"))
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, program, str(folder / "s"), str(os.getpid()), *modules],
            env=profile.environment(home, more or {}),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    return Server(folder / "s", log, process.pid, process, os.getpid())


def running(more: Mapping[str, str]) -> Server | None:
    """Return the server that :mod:`myst_nb_fork.serve` keeps for its builds, if any."""
    pid, _, address = os.environ.get(ADDRESS, "").partition(":")
    if not address:
        return None
    server = Server(Path(address), Path(address).with_name("log"), int(pid), None, 0)
    try:
        same = Path(address).with_name("identity").read_text() == identity(more)
    except OSError:
        return None
    return server if same and server.alive() else None


def identity(more: Mapping[str, str]) -> str:
    """Return what a server must have been started with to stand for one started now."""
    settings = [profile.settings(), repr(sorted(more.items()))]
    return fingerprint.fingerprint([Path(__file__).parent], *settings)


def run(server: Server, request: dict[str, Any], take: Callable[[dict[str, Any]], None]) -> None:
    """Run a chapter: send the request, give each frame to ``take``, the last is ``exit``.

    Raises:
        ServerError: If the server is gone before it could say how the chapter ended.
    """
    with server.connect() as connection:
        patience = request["timeout"] + GRACE if request["timeout"] else None
        connection.settimeout(patience)
        deadline = time.monotonic() + (patience or 0)
        try:
            wire.send(connection, request)
            for frame in wire.frames(connection):
                take(frame)
                if frame["type"] == "exit":
                    return
                if patience and frame["type"] == "start":
                    deadline = time.monotonic() + patience
                if patience:  # what a cell goes on to print buys it no time
                    connection.settimeout(max(0.001, deadline - time.monotonic()))
        except TimeoutError:
            fault = "Timeout: the process did not even answer the clock (stopped, stuck or deaf)"
            take({"type": "exit", "code": -9, "fault": fault, "peak": 0, "seconds": 0.0})
            return
        except (BrokenPipeError, ConnectionResetError):
            pass
    raise server.lost()
