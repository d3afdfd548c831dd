"""Bytecode that cannot be stale: Python itself trusts the time and the size of a source.

A sign that changes within the second, or under a clock that was set back, leaves both
as they were, and the old program would run under the key of the new one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import py_compile
import sys
from collections.abc import Iterable
from pathlib import Path

CHECKED = (3).to_bytes(4, "little")  # "compare with the source's own bytes", in a file's header


def check(folders: Iterable[Path]) -> None:
    """Let all bytecode of the folders' modules be compared with its source when it is used.

    A module without any stays so; where nothing can be written, nothing changes.
    """
    for source in (path for folder in folders for path in folder.rglob("*.py")):
        kept = Path(importlib.util.cache_from_source(source))
        with contextlib.suppress(OSError, py_compile.PyCompileError):
            if kept.read_bytes()[4:8] == CHECKED:
                continue
            kept.unlink()
            if not sys.dont_write_bytecode:
                mode = py_compile.PycInvalidationMode.CHECKED_HASH
                py_compile.compile(str(source), doraise=True, invalidation_mode=mode)
