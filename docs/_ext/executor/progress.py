"""What a build says while it runs its chapters, and at its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WORDS = {"run": "ran", "stored": "kept", "failed": "FAILED"}


class Progress:
    """One line for each chapter that ran; forked readers write it themselves, in one piece."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def expect(self, waiting: int, pages: int) -> None:
        """Say how many chapters will run, when any will."""
        if waiting:
            self._say(f"running {waiting} of {pages} pages, each in a process of its own")

    def done(self, page: str, record: Any) -> None:
        """Say that a chapter is done; nothing for one whose result was kept."""
        if record.how == "stored":
            return
        peak = f", {record.peak / 2**20:.0f} MiB" if record.peak else ""
        self._say(
            f"  {WORDS[record.how]:6} {page}  ({record.cells} cells, {record.seconds:.2f} s{peak})"
        )

    def summary(
        self, now: Mapping[str, Any], pages: Sequence[Any], extra: Sequence[str], site: Path
    ) -> None:
        """Say what this build ran, what the book holds and where it lies."""
        ran = [record for record in now.values() if record.how == "run"]
        failed = [page for page, record in now.items() if record.how == "failed"]
        cells, seconds = sum(r.cells for r in ran), sum(r.seconds for r in ran)
        self._say(
            f"{len(pages)} chapters with {sum(r.cells for r in pages)} cells; "
            f"{len(ran)} ran in this build ({cells} cells, {seconds:.1f} s)"
            + (f"; {len(failed)} failed: {', '.join(sorted(failed))}" if failed else "")
        )
        for line in extra:
            self._say(line)
        index = site / "index.html"
        if index.is_file():
            self._say(f"The book is at {index.as_uri()}")

    def _say(self, line: str) -> None:
        if self._quiet:
            return
        clear = "\r\x1b[K" if sys.stdout.isatty() else ""
        try:
            sys.stdout.flush()
            os.write(sys.stdout.fileno(), f"{clear}{line}\n".encode())
        except (OSError, ValueError):
            print(line)
