"""Show the book and rebuild it on save, with a fork server that lives between the builds.

Run as a program: ``python serve.py DOCS SITE [options of sphinx-autobuild]``. The
first build after a change of a cell then waits for no import of torch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from myst_nb_fork import fork, profile

# What any chapter may ask for; imported once, so it need not be guessed from the pages.
MODULES = (*fork.MODULES, "torch._dynamo", "sympy", "mpmath", "myst_nb")


def serve(docs: Path, site: Path, options: list[str], modules: tuple[str, ...] = MODULES) -> int:
    """Run sphinx-autobuild with a fork server beside it; return its exit code."""
    program = [sys.executable, "-m", "sphinx_autobuild", str(docs), str(site)]
    ignored = ["--re-ignore", r"/(_build|\.cache|__pycache__|\.git)(/|$)"]
    watched = ["--watch", str(docs.parent / "src")]
    with Kept(docs, modules) as variables:
        builder = subprocess.Popen([*program, *ignored, *watched, *options], env=variables)
        signal.signal(signal.SIGTERM, lambda *_: builder.terminate())
        try:
            return builder.wait()
        except KeyboardInterrupt:  # it got the same one
            return builder.wait()
        finally:
            builder.kill()


class Kept:
    """A fork server for the builds that get the variables this gives.

    Example:
        >>> import sys
        >>> with Kept(Path("docs"), ()) as variables:  # doctest: +SKIP
        ...     subprocess.run([sys.executable, "-m", "sphinx", "docs", "site"], env=variables)
    """

    def __init__(
        self, docs: Path, modules: tuple[str, ...], more: Mapping[str, str] | None = None
    ) -> None:
        self._more = more or profile.importing([(docs.parent / "src").resolve()])
        self._home = docs / ".cache" / "home"
        self._modules = modules
        self._server: fork.Server | None = None

    def __enter__(self) -> Mapping[str, str]:
        if not fork.possible():
            return os.environ
        home = profile.ready(self._home.resolve())
        self._server = fork.start(home, self._modules, self._more)
        return os.environ | {fork.ADDRESS: f"{self._server.pid}:{self._server.address}"}

    def __exit__(self, *_error: object) -> None:
        if self._server is not None:
            self._server.stop()


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
