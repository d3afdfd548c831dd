"""Show the book and rebuild it on save, with a fork server that lives between the builds.

Run as a program: ``python -m myst_nb_fork.serve DOCS SITE [options of sphinx-autobuild]``.
The first build after a change of a cell then waits for no import of a large package.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from myst_nb_fork import fork, profile, settings


def serve(docs: Path, site: Path, options: list[str]) -> int:
    """Run sphinx-autobuild with a fork server beside it; return its exit code."""
    config = settings.read(docs)
    program = [sys.executable, "-m", "sphinx_autobuild", str(docs), str(site)]
    sources = settings.folders(docs, config.nb_fork_sources)
    cache = (docs / config.nb_fork_cache).resolve().name
    ignored = ["--re-ignore", made([docs, *sources], cache)]
    watched = [part for folder in sources for part in ("--watch", str(folder))]
    with Kept(docs) as variables:
        builder = subprocess.Popen([*program, *ignored, *watched, *options], env=variables)
        signal.signal(signal.SIGTERM, lambda *_: builder.terminate())
        try:
            return builder.wait()
        except KeyboardInterrupt:  # it got the same one
            return builder.wait()
        finally:
            builder.kill()


def made(folders: list[Path], cache: str) -> str:
    """Return the pattern of what a build makes in folders that are watched.

    What lies above them does not count: a checkout may be below a folder called _build.

    Example:
        >>> pattern = re.compile(made([Path("/_build/book/docs")], ".cache"))
        >>> [bool(pattern.search(f"/_build/book/docs/{path}")) for path in ("a.md", "_build/a.md")]
        [False, True]
    """
    roots = "|".join(re.escape(folder.resolve().as_posix()) for folder in folders)
    return rf"^(?:{roots})/(?:.*/)?(?:_build|{re.escape(cache)}|__pycache__|\.git)(?:/|$)"


class Kept:
    """A fork server for the builds that get the variables this gives.

    It has imported what any page may ask for, so nothing need be guessed from the pages.

    Example:
        >>> import sys
        >>> with Kept(Path("docs")) as variables:  # doctest: +SKIP
        ...     subprocess.run([sys.executable, "-m", "sphinx", "docs", "site"], env=variables)
    """

    def __init__(self, docs: Path) -> None:
        config = settings.read(docs)
        names = [*config.nb_fork_sources, *config.nb_fork_extensions]
        sources = settings.folders(docs, names)
        self._more = profile.importing(sources) | config.nb_fork_environment
        self._home = docs / config.nb_fork_cache / "home"
        self._modules = [*config.nb_fork_preload, *config.nb_fork_preload_when.values()]
        self._server: fork.Server | None = None

    def __enter__(self) -> Mapping[str, str]:
        if not fork.possible():
            return os.environ
        home = profile.ready(self._home.resolve())
        self._server = fork.start(home, list(dict.fromkeys(self._modules)), self._more)
        return os.environ | {fork.ADDRESS: f"{self._server.pid}:{self._server.address}"}

    def __exit__(self, *_error: object) -> None:
        if self._server is not None:
            self._server.stop()


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
