"""One chapter, inside its own process: IPython's kernel without sockets.

The kernel, its shell, its display hook and its streams are ipykernel's own, so
what they publish is what a real kernel publishes. Only the session differs: it
sends its messages to the builder over one local socket.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

sys.modules.setdefault("debugpy", None)  # type: ignore[arg-type]  # no debugger in a chapter
import ipykernel.debugger  # noqa: E402, F401

if sys.modules.get("debugpy", ...) is None:
    del sys.modules["debugpy"]

from ipykernel.iostream import IOPubThread, OutStream  # noqa: E402
from ipykernel.ipkernel import IPythonKernel  # noqa: E402
from ipykernel.kernelapp import IPKernelApp  # noqa: E402
from jupyter_client.session import Session  # noqa: E402

from myst_nb_fork import wire  # noqa: E402

Publish = Callable[[dict[str, Any]], None]


def run(cells: list[dict[str, Any]], publish: Publish, streams: tuple[int, int]) -> None:
    """Run the cells in order and publish what each shows, as frames.

    Args:
        cells: ``{"index", "source", "may_raise"}`` of each code cell.
        publish: Called with a frame: ``start`` before a cell, ``message`` for all
            that a kernel would publish, ``reply`` after it; ``language`` comes first.
        streams: Files that the process's own descriptors 1 and 2 write to: what
            a C library or a child process prints is read back from there.
    """
    kernel = _mine(prepare(), publish, streams)
    publish({"type": "language", "language_info": kernel.language_info})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    for cell in cells:
        publish({"type": "start", "cell": cell["index"]})
        reply = loop.run_until_complete(_execute(kernel, cell["source"]))
        publish({"type": "reply", "cell": cell["index"], "content": reply})
        if reply["status"] == "error" and not cell["may_raise"]:
            break


@functools.cache
def prepare() -> ChapterApp:
    """Make the kernel and its shell; the fork server does it once for all chapters.

    Nothing of a chapter is in it yet, and nothing of the process: see :func:`_mine`.
    """
    outputs = (sys.stdout, sys.stderr)
    sys.argv = ["ipykernel_launcher.py", "-f", "kernel.json", "--HistoryManager.hist_file=:memory:"]
    app = ChapterApp.instance()
    app.session = ChapterSession(parent=app, key=b"book")
    app.initialize([])
    app.outputs = (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = outputs
    return app


async def _execute(kernel: ChapterKernel, source: str) -> dict[str, Any]:
    """Do what ``Kernel.execute_request`` does, and return the reply it would send."""
    kernel.set_parent([b"book"], kernel.session.msg("execute_request", {}))
    reply = await kernel.do_execute(source, silent=False, store_history=True, allow_stdin=False)
    sys.stdout.flush()
    sys.stderr.flush()
    kernel.session.drain()
    wanted = ("status", "ename", "evalue", "traceback", "execution_count")
    stack = _stack() if reply["status"] == "error" else ""
    return {name: reply[name] for name in wanted if name in reply} | {"stack": stack}


def _stack() -> str:
    """Return the stack of the last error without the frames of IPython itself."""
    frames = traceback.extract_tb(getattr(sys, "last_traceback", None))
    ours = [frame for frame in frames if f"{os.sep}IPython{os.sep}" not in frame.filename]
    return "".join(traceback.format_list(ours))


class ChapterSession(Session):
    """A session whose messages go to the builder instead of a ZeroMQ socket."""

    publish: Publish
    streams: tuple[int, int]

    def send(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Any = None,
        parent: Any = None,
        ident: Any = None,
        buffers: Any = None,
        *_args: Any,
        **_kwargs: Any,
    ) -> Any:
        """Publish a message as a real session would serialise it; arguments are Session's."""
        ours = isinstance(msg_or_type, dict)
        msg = msg_or_type if ours else self.msg(msg_or_type, content=content)
        if os.getpid() != self.pid:  # a process the chapter forked: its copy is not ours
            return None
        kind = msg["header"]["msg_type"]
        if kind != "stream":
            self.drain()
        content = self.unpack(self.serialize(msg)[-1])  # in its own words, warnings included
        buffers = buffers or msg.get("buffers") or []
        self.publish(
            {
                "type": "message",
                "kind": kind,
                "content": content,
                "buffers": [bytes(memoryview(part)).hex() for part in buffers],
            }
        )
        return msg

    def drain(self) -> None:
        """Publish what was written to the descriptors 1 and 2 since the last time."""
        for name, descriptor in zip(("stdout", "stderr"), self.streams, strict=True):
            wire.bound(os.fstat(descriptor).st_size)  # before it is here, many times over
            if parts := [*iter(functools.partial(os.read, descriptor, 1 << 16), b"")]:
                text = b"".join(parts).decode("utf-8", "replace")
                content = {"name": name, "text": text}
                self.publish(
                    {"type": "message", "kind": "stream", "content": content, "buffers": []}
                )


class ChapterKernel(IPythonKernel):
    """ipykernel's kernel, told that it has no shell thread to report to."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(shell_channel_thread=SimpleNamespace(parent_thread=None), **kwargs)


class ChapterApp(IPKernelApp):
    """ipykernel's start-up (profile, path, inline figures), without sockets and threads."""

    outputs: tuple[OutStream, OutStream]

    def _nothing(self, *_args: Any, **_kwargs: Any) -> None:
        """Leave out a step that only a process reached over a network needs."""

    init_poller = init_connection_file = init_sockets = init_heartbeat = _nothing
    write_connection_file = log_connection_info = init_crash_handler = _nothing

    def init_io(self) -> None:
        """Send Python's own streams through the session; descriptors are read by it."""
        from ipykernel.displayhook import ZMQDisplayHook

        thread = _NoThread()
        sys.stdout = _stream(self.session, thread, "stdout")
        sys.stderr = _stream(self.session, thread, "stderr")
        self.displayhook = ZMQDisplayHook(self.session, None)
        sys.displayhook = self.displayhook
        self.patch_io()

    def init_kernel(self) -> None:
        """Create the kernel on the session alone."""
        kernel = ChapterKernel.instance(
            parent=self,
            session=self.session,
            log=self.log,
            profile_dir=self.profile_dir,
            user_ns=self.user_ns,
        )
        self.kernel = kernel
        self.displayhook.get_execution_count = lambda: kernel.execution_count


class _NoThread(IOPubThread):
    """Stands where ipykernel's output thread stands; a flush is then a plain call."""

    def __init__(self) -> None:
        self.thread = None
        self.io_loop = None

    def schedule(self, f: Callable[[], None]) -> None:
        """Drop the timed flush: every output, every error and each cell's end flushes."""


def _stream(session: Session, thread: IOPubThread, name: str) -> OutStream:
    stream = OutStream(session, thread, name, watchfd=False)
    stream._original_stdstream_copy = os.open(os.devnull, os.O_WRONLY)  # what fileno() gives
    return stream


def _mine(app: ChapterApp, publish: Publish, streams: tuple[int, int]) -> ChapterKernel:
    """Make a prepared kernel this process's own: a fork of it has another number and place."""
    app.session.publish = publish
    app.session.streams = streams
    app.session.pid = os.getpid()
    sys.stdout, sys.stderr = app.outputs
    for output in app.outputs:
        output._master_pid = os.getpid()
    app.kernel.shell.starting_dir = os.getcwd()
    return app.kernel
