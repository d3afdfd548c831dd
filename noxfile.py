#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.2.9"]
# ///
"""Every check a contributor or CI can run. `nox` runs the defaults; `nox -l` lists all."""

import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_external_run = True
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["docs", "tests", "doctest", "lint"]

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
SITE = Path("docs/_build/html")
TORCH = "torch==2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SHARED = ".nox/book"  # one environment for the sessions that need torch: it is unpacked once


def install(session: nox.Session, *groups: str) -> None:
    """Install torch (CPU only), then handgrad and the named dependency groups."""
    install_torch(session)
    wanted = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install("-e.", *wanted)


def install_torch(session: nox.Session) -> None:
    """Install the CPU build of torch: never the several gigabytes of the CUDA one.

    On Linux PyTorch's own CPU index is asked first, once, with nothing else to
    fall for; where it does not answer, the sources that pip is configured with.
    """
    python = Path(session.bin) / "python"
    found = session.run(
        str(python), "-c", "from importlib.metadata import version; print(version('torch'))",
        silent=True, success_codes=[0, 1], log=False,
    )
    if str(found).strip().split("+")[0] == TORCH.partition("==")[2]:
        return
    if sys.platform == "linux":
        session.run(
            str(python), "-m", "pip", "install", "--no-deps", "--retries=0", "--timeout=10",
            f"--index-url={TORCH_CPU_INDEX}", TORCH,
            silent=True, success_codes=range(256), log=False,
        )
    session.install(TORCH, "numpy")


@nox.session(venv_location=SHARED)
def docs(session: nox.Session) -> None:
    """Run every chapter and build the book; any warning or failing cell stops it."""
    install(session, "docs")
    session.run(
        "sphinx-build", "-n", "-W", "--keep-going", "-q", "-b", "html",
        *session.posargs, "docs", str(SITE),
    )
    session.log(f"The book is at {(ROOT / SITE / 'index.html').as_uri()}")


@nox.session(venv_location=SHARED)
def tests(session: nox.Session) -> None:
    """Run the tests; `-- -m 'not slow'` leaves out those that build whole books."""
    install(session, "docs", "test", "site")
    session.run("pytest", *session.posargs)


@nox.session(venv_location=SHARED)
def doctest(session: nox.Session) -> None:
    """Run every example in a docstring or a chapter's doctest block."""
    install(session, "docs", "test")
    session.run("pytest", "src", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check format, lint and types; `nox -s lint -- --fix` repairs what it can."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")


@nox.session(venv_location=SHARED, default=False)
def serve(session: nox.Session) -> None:
    """Build the book, show it in the browser and rebuild on save."""
    install(session, "docs")
    session.install("sphinx-autobuild")
    session.run("sphinx-autobuild", "--watch", "src", "docs", str(SITE), *session.posargs)


@nox.session(venv_location=SHARED, default=False)
def linkcheck(session: nox.Session) -> None:
    """Ask every external link for an answer; needs the network, so never part of the gate."""
    install(session, "docs")
    session.run("sphinx-build", "-b", "linkcheck", "docs", "docs/_build/linkcheck")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build the wheel and the source distribution into dist/."""
    session.install("build")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "build")


if __name__ == "__main__":
    nox.main()
