"""What only the system can tell or do: threads, orphans, ending with a parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading


def threads() -> int:
    """Return the number of threads of this process that the system knows of."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def die_with(parent: int, number: int) -> None:
    """Ask Linux to signal this process when its parent ends.

    Raises:
        SystemExit: If that one has ended already, which the parent's number shows.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SystemExit(0)


_builder = 0  # the process whose forks end with it; 0 when none is set


def readers_end_with_us(yes: bool) -> None:
    """Let every process that this one forks from now on end when this one is killed.

    Sphinx's parallel readers would otherwise go on without it, and write into the
    folders of the build that comes next.
    """
    global _builder
    _builder = os.getpid() if yes and sys.platform == "linux" else 0


def _in_fork() -> None:
    if _builder:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != _builder:
            os._exit(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_fork)


def adopt_orphans() -> None:
    """Ask Linux to give us what a chapter leaves behind, so that we can end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
