"""What a build says while it runs its chapters, and at its end."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WORDS = {"run": "ran", "stored": "kept", "failed": "FAILED"}


class Progress:
    """One line for each chapter that ran; forked readers write it themselves, in one piece.

    It does not go through Sphinx's log: that holds a reader's lines back until the
    reader ends, and ``-q`` drops them. On a terminal one more line, overwritten, says
    what runs now.
    """

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._terminal = sys.stdout.isatty()

    def expect(self, waiting: int, pages: int) -> None:
        """Say how many chapters will run, when any will."""
        if waiting:
            self._say(f"running {waiting} of {_count(pages, 'page')}, each in a process of its own")

    def begin(self, page: str) -> None:
        """Say, on a terminal, that a chapter runs now."""
        if self._terminal:
            self._write(f"\r\x1b[K  runs   {page} …")

    def done(self, page: str, record: Any) -> None:
        """Say that a chapter is done; nothing for one whose result was kept."""
        if record.how == "stored":
            return
        peak = f", {record.peak / 2**20:.0f} MiB" if record.peak else ""
        time_and_space = f"({_count(record.cells, 'cell')}, {record.seconds:.2f} s{peak})"
        self._say(f"  {WORDS[record.how]:6} {page}  {time_and_space}")

    def summary(
        self, now: Mapping[str, Any], pages: Sequence[Any], extra: Sequence[str], site: Path
    ) -> None:
        """Say what this build ran, what the book holds and where it lies."""
        ran = [record for record in now.values() if record.how == "run"]
        failed = sorted(page for page, record in now.items() if record.how == "failed")
        took = time.perf_counter() - self._begun
        book = f"{_count(len(pages), 'chapter')}, {_count(sum(r.cells for r in pages), 'cell')}"
        inside = f"{len(ran)} ran, for {sum(r.seconds for r in ran):.1f} s" if ran else "none ran"
        self._say(f"{book} in {took:.1f} s; {inside}")
        if failed:
            self._say(f"{len(failed)} failed: {', '.join(failed)}")
        for line in extra:
            self._say(line)
        index = site / "index.html"
        if index.is_file():
            self._say(f"The book is at {index.as_uri()}")

    def _say(self, line: str) -> None:
        self._write(f"\r\x1b[K{line}\n" if self._terminal else f"{line}\n")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            os.write(sys.__stdout__.fileno(), text.encode())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
