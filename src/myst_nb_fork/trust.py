"""What a build may trust of an earlier one: only what reached its end, and only by content.

Sphinx compares times, so a clock that went back hides an edit; it keeps what a
killed build left half done; and a page that failed is not read again, so a second
build passes. Here a build that does not end well leaves a mark, and the next one
then reads every page again (their results are kept apart, each checked by itself).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

log = logging.getLogger(__name__)
MARK = "unfinished"
# What every build makes anew, so that an earlier one's can go: copies that Sphinx believes
# when they were cut short or refuses to replace, and reports on chapters that failed then.
MADE = ("_static", "_images", "_downloads", "_sources", "reports")
# Half of the first makes Sphinx fall over; the second keeps words of pages that are gone.
MADE_FILES = (".buildinfo", "searchindex.js")


def distrust(app: Sphinx) -> None:
    """Before the environment is loaded: drop what a build left that did not end well."""
    if not _mark(app).exists():
        return
    with contextlib.suppress(OSError):
        (Path(app.doctreedir) / "environment.pickle").unlink()
    site = Path(app.outdir)
    for name in MADE:
        shutil.rmtree(site / name, ignore_errors=True)
    for name in MADE_FILES:
        (site / name).unlink(missing_ok=True)
    for path in (site.parent / "jupyter_execute").glob("*.*"):
        named_by_content = len(path.stem) == 64
        if named_by_content and hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
            path.unlink()


def alone(app: Sphinx) -> None:
    """Before anything is read or written: wait until no other build uses the folder.

    The lock goes with the process, however that one ends.
    """
    if fcntl is None:
        return
    with contextlib.suppress(OSError):  # a folder that nobody can write needs no lock
        _mark(app).parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(_mark(app).with_name("lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another build of the same folder to end")
            fcntl.flock(lock, fcntl.LOCK_EX)


def mark(app: Sphinx) -> None:
    """Before anything is written: mark the build as begun."""
    _mark(app).parent.mkdir(parents=True, exist_ok=True)
    _mark(app).touch()


def begin(env: BuildEnvironment, names: Sequence[str]) -> None:
    """Before pages are read: note what they say."""
    seen = _seen(env)
    for name in names:
        seen[name] = {"": _digest(Path(env.doc2path(name)))}


def end(app: Sphinx, env: BuildEnvironment) -> None:
    """After all pages are read: note the files they depend on, and what they became.

    Notebooks with their outputs lie beside the site, where another builder of the book
    writes its own, and where who cleans up may think them nobody's.
    """
    seen = _seen(env)
    for name in seen.keys() - env.all_docs.keys():
        del seen[name]
    for name, known in seen.items():
        became = Path(env.mystnb_config.output_folder, f"{name}.ipynb")
        for dependency in (*map(str, env.dependencies.get(name, ())), str(became)):
            known.setdefault(dependency, _digest(Path(app.srcdir, dependency)))


def close(app: Sphinx) -> None:
    """The build ended well: nothing failed and nothing was warned of."""
    with contextlib.suppress(OSError):
        _mark(app).unlink(missing_ok=True)


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """Return the pages whose text, or a file they depend on, is not what it was."""
    known = {name: files for name, files in _seen(env).items() if name in env.found_docs}
    return [
        name
        for name, files in known.items()
        if any(
            _digest(Path(app.srcdir, file) if file else Path(env.doc2path(name))) != digest
            for file, digest in files.items()
        )
    ]


def _mark(app: Sphinx) -> Path:
    return Path(app.doctreedir) / MARK


def _seen(env: BuildEnvironment) -> dict[str, dict[str, str | None]]:
    if not hasattr(env, "nb_fork_seen"):
        env.nb_fork_seen = {}
    return env.nb_fork_seen


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
