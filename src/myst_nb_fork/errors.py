"""What can end a chapter before its last cell, each with the chapter, the cell and the cause."""

from __future__ import annotations

import signal
from typing import Any

STACK = 10  # lines of a stack that a message shows: the cell's own come first


class ChapterError(RuntimeError):
    """A chapter did not run to its end; the text names the chapter, the cell and the cause."""


class ChapterTimeout(ChapterError, TimeoutError):
    """A cell took longer than it may."""


class ChapterDied(ChapterError):
    """The process that ran a chapter ended by itself or was killed."""


class ServerError(RuntimeError):
    """The fork server could not be started, or is gone."""


def died(where: str, ending: dict[str, Any], timeout: float | None) -> ChapterError:
    """Return the error for a chapter whose process ended while a cell ran.

    Args:
        where: Chapter, cell and line, as a reader of the message finds them.
        ending: The server's last frame: ``code`` (negative: the signal), ``fault``
            (the stack that Python's fault handler wrote), ``peak`` in bytes.
        timeout: Seconds a cell may take.
    """
    code, fault = ending["code"], ending["fault"].strip()
    stack = f"\nWhere it was:\n{_indent(fault)}" if fault else ""
    if fault.startswith("Timeout"):
        told = (
            f"{where}: the cell ran for more than {timeout:g} seconds and was ended. Make it "
            "shorter, or give the page more time with `execution: {timeout: SECONDS}` in its "
            f"front matter.{stack}"
        )
        return ChapterTimeout(told)
    if code < 0:
        name = signal.Signals(-code).name
        cause = f"its process was killed by {name}, with {_size(ending['peak'])} in memory"
        repair = {
            "SIGKILL": "If nobody killed it, the system ran out of memory: make the cell smaller.",
            "SIGSEGV": "Native code crashed: run the cell alone to see whose.",
            "SIGABRT": "Native code gave up, often for want of memory: run the cell alone.",
        }.get(name, "Run the cell alone to see why.")
    elif code == 70:
        cause = "what runs the cells failed"
        repair = (
            "What stands below is missing from the system, is more than a chapter may have, or was "
            "changed by a cell although every cell needs it (sys.stdout, a builtin)."
        )
    else:
        cause = f"its process ended with exit code {code} before the cell did"
        repair = "A cell may not end its process (os._exit, or a library that does): raise instead."
    return ChapterDied(f"{where}: {cause}. {repair}{stack}")


def _size(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _indent(text: str) -> str:
    lines = text.splitlines()
    shown = [*lines[:STACK], f"  ({len(lines) - STACK} more lines)"] if lines[STACK:] else lines
    return "\n".join(f"  {line}" for line in shown)
