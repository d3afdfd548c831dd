"""What every result of the book depends on besides a chapter's own cells, as one number.

A notebook cache that knows only the cells publishes yesterday's numbers after a
change in ``src/``, with exit code 0. The fingerprint changes with every byte of the
sources, every installed version, the processor, and the settings chapters run in.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path


def fingerprint(folders: Iterable[Path], *settings: str) -> str:
    """Return a hexadecimal number that changes whenever a result might.

    Args:
        folders: Source folders; name and bytes of each file in them count.
        settings: Texts that count as they are.

    The number differs between machines, so it belongs on no page; the number of
    the sources alone, :func:`of_sources`, is the same everywhere.
    """
    parts = [*settings, *of_environment(), of_sources(folders)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def of_sources(folders: Iterable[Path]) -> str:
    """Return a number that depends on the files in the folders, and on nothing else."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted(_files(folder)):
            name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
            body = path.read_bytes()
            total.update(b"%d %s %d " % (len(name), name, len(body)))
            total.update(body)
    return total.hexdigest()


def of_environment() -> Iterator[str]:
    """Yield the interpreter, the processor and every installed distribution."""
    yield sys.version
    yield platform.machine()
    yield " ".join(platform.libc_ver())  # the mathematical functions of Python are its
    yield _processor()
    yield from sorted({d for entry in sys.path for d in _distributions(entry)})


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        compiled = "__pycache__" in path.relative_to(folder).parts or path.suffix == ".pyc"
        if path.is_file() and not compiled:
            yield path


def _distributions(entry: str) -> Iterator[str]:
    """Yield the name, the version and a digest of the files of each installed distribution."""
    with contextlib.suppress(OSError):
        for folder in Path(entry or ".").glob("*-info"):
            record = b""
            with contextlib.suppress(OSError):
                record = (folder / "RECORD").read_bytes()  # has a digest of each file
            yield f"{folder.name} {hashlib.sha256(record).hexdigest()}"


def _processor() -> str:
    """Return what the processor can do: the same code may round differently on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    seen = {line.partition(":")[0].strip(): line for line in reversed(lines) if ":" in line}
    return "\n".join(seen[name] for name in wanted if name in seen)
