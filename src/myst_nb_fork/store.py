"""Results kept between builds: one file a chapter, whole or not there, and checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from myst_nb_fork import profile
from myst_nb_fork.pages import is_code, may_raise

MADE_UP = (Path("/proc"), Path("/sys"), Path("/dev"))
KEEP = 3  # folders of results: this state of the sources, and the ones before it


@dataclass(frozen=True, slots=True)
class Store:
    """The results that belong to one fingerprint.

    Attributes:
        folder: Holds the results of all fingerprints, each in a folder of its own.
        fingerprint: Everything but the cells that a result depends on.
        root: The project; the files in it that a chapter reads are kept relative to it.
        skip: Folders in it whose files are in the fingerprint, or made by a build.
    """

    folder: Path
    fingerprint: str
    root: Path
    skip: tuple[Path, ...] = ()

    def key(self, notebook: NotebookNode, executor: str) -> str:
        """Return the name of a notebook's result.

        The code of the cells and which of them may raise decide it; captions, tags
        that hide and prose do not, since no result depends on them.
        """
        metadata = notebook.metadata
        cells = [[cell.source, may_raise(cell)] for cell in notebook.cells if is_code(cell)]
        parts = [executor, metadata.get("kernelspec", {}).get("name"), cells]
        parts.append(metadata.get("execution", {}).get("allow_errors"))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def load(self, key: str) -> dict[str, Any] | None:
        """Return a result, or None if there is none that can be trusted.

        A file that is cut short, damaged, or whose chapter read a file that has
        changed since is no result.
        """
        path = self._path(key)
        try:
            digest, _, body = path.read_bytes().partition(b"\n")
            if digest.decode("ascii") != hashlib.sha256(body).hexdigest():
                raise ValueError("damaged")
            result = json.loads(body)
            fresh = all(self._digest(name) == seen for name, seen in result["files"].items())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return result if fresh else None

    def ours(self, files: Iterable[str]) -> list[str]:
        """Return those of the opened files on which a result depends, relative to the root.

        One elsewhere keeps its whole path. What the system makes up as it is read, and
        what a chapter had in a folder of its own, is none.
        """
        own = os.path.join(tempfile.gettempdir(), "nb-fork-")
        paths = sorted({Path(name) for name in files if not name.startswith(own)})
        return [
            (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
            for path in paths
            if not any(map(path.is_relative_to, (*self.skip, *MADE_UP)))
        ]

    def save(self, key: str, result: dict[str, Any], names: list[str]) -> bool:
        """Keep a result; False if it cannot be kept, which costs time and nothing else.

        Args:
            key: The notebook's, from :meth:`key`.
            result: Plain data.
            names: Files it depends on, from :meth:`ours`.
        """
        seen = {name: self._digest(name) for name in names}
        body = json.dumps(result | {"files": seen}, ensure_ascii=True).encode()
        data = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
        try:
            self._path(key).parent.mkdir(parents=True, exist_ok=True)
            profile.replace(self._path(key), data)
        except OSError:
            return False
        return True

    def changed(self, names: Iterable[str], since: float) -> list[str]:
        """Return those of a chapter's files that were written after it had begun.

        Which state it read is not known; the time is the system's, not the one that
        a program may set.
        """
        late = []
        for name in names:
            with contextlib.suppress(OSError):
                if (self.root / name).stat().st_ctime > since:
                    late.append(name)
        return late

    def forget(self) -> None:
        """Drop all results of this fingerprint."""
        shutil.rmtree(self._path("").parent, ignore_errors=True)

    def open(self) -> None:
        """Make the folder, note its use and drop the oldest ones; before readers fork."""
        with contextlib.suppress(OSError):
            here = self._path("").parent
            here.mkdir(parents=True, exist_ok=True)
            here.touch()
            others = [path for path in self.folder.iterdir() if path.is_dir() and path != here]
            others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
            for path in others[KEEP - 1 :]:
                shutil.rmtree(path, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / self.fingerprint[:16] / f"{key}.json"

    def _digest(self, name: str) -> str | None:
        try:
            return hashlib.sha256((self.root / name).read_bytes()).hexdigest()
        except OSError:
            return None
