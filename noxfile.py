#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.2.9"]
# ///
"""Every check a contributor or CI can run. `nox` runs the defaults; `nox -l` lists all."""

import hashlib
import os
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
# The groups of pyproject.toml, exact and with hashes: all of them, and what the library's
# own tests need.
LOCKS = {
    Path("docs") / "requirements.txt": ("docs", "test", "site", "lint", "torch"),
    Path("tests") / "requirements.txt": ("test", "torch"),
}
LOCKED, LOCKED_LIBRARY = LOCKS
SITE = ROOT / "docs" / "_build" / "html"
# "+cpu" is a build that the gigabytes of the CUDA one, "2.13.0", can never stand in for.
TORCH = "torch==2.13.0+cpu" if sys.platform == "linux" else "torch==2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# Torch is large, so one environment serves every session that needs it.
HOME = ROOT / Path(nox.options.envdir or ".nox") / "environment"
BIN = HOME / ("Scripts" if sys.platform == "win32" else "bin")


# Each file of tests runs in one process, since its tests share what is dear.
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")
# They are begun in this order: the dearest first, or the last of them would keep all waiting.
FOLDERS = sorted(
    (p.as_posix() for p in Path("tests").iterdir() if p.is_dir() and p.name[0] not in "._"),
    key=lambda name: (name != "tests/site", name != "tests/book", name),
)


@nox.session(default=False)
def environment(session: nox.Session) -> None:
    """Install what the other sessions run with: torch for the CPU, handgrad, all groups."""
    install(session, HOME, LOCKED)


def install(session: nox.Session, home: Path, lock: Path) -> None:
    """Fill an environment, unless it has been filled with the very same."""
    stamp = home / "installed"
    if is_installed(home, lock):
        return
    session.install("--require-hashes", "-r", str(lock))
    # PyTorch's own CPU index first, once; where it does not answer, the sources pip
    # is configured with.
    if sys.platform == "linux":
        session.run(
            *("python", "-m", "pip", "install", "--no-deps", "--retries=0", "--timeout=15"),
            *(f"--index-url={TORCH_CPU_INDEX}", TORCH),
            success_codes=range(256),
            silent=True,
        )
    session.install("--no-deps", TORCH)
    session.install("--no-deps", "-e.")
    stamp.write_text(state(lock))


def is_installed(home: Path, lock: Path) -> bool:
    """Say whether an environment is there, and has what the lock file says today."""
    stamp = home / "installed"
    return stamp.is_file() and stamp.read_text() == state(lock)


def state(lock: Path) -> str:
    """Return a number that changes with everything that is installed."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in (lock, "pyproject.toml")]
    return hashlib.sha256("\n".join([sys.version, str(ROOT), TORCH, *texts]).encode()).hexdigest()


def run(session: nox.Session, program: str, *args: str, **env: str) -> None:
    """Run a program of the shared environment."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    session.run(str(BIN / program), *args, external=True, env={"PATH": path, **env})


def sphinx(session: nox.Session, builder: str, *args: str) -> Path:
    """Build the book with one of Sphinx's builders; any warning stops it."""
    target = SITE.parent / builder
    run(session, "sphinx-build", "-nqW", "--keep-going", "-b", builder, *args, "docs", str(target))
    return target


@nox.session(venv_backend="none", requires=["environment"])
def docs(session: nox.Session) -> None:
    """Run every chapter and build the book; any warning or failing cell stops it."""
    sphinx(session, "html", *session.posargs)
    session.log(f"The book is at {(SITE / 'index.html').as_uri()}")


@nox.session(default=False)
def quick(session: nox.Session) -> None:
    """Test the library and its examples in a minute; needs neither Sphinx nor a browser."""
    command = ("-n", "auto", "--maxprocesses", "4", "-m", "not slow", "--doctest-modules")
    where = ("src/handgrad", "tests/handgrad")
    if is_installed(HOME, LOCKED):
        run(session, "pytest", *command, *where, *session.posargs)
        return
    install(session, Path(session.virtualenv.location), LOCKED_LIBRARY)
    session.run("pytest", *command, *where, *session.posargs)


@nox.session(venv_backend="none", requires=["environment"])
def tests(session: nox.Session) -> None:
    """Run the tests that say whether the book can be trusted, in a few minutes."""
    run(session, "pytest", *PARALLEL, "-m", "not slow", *FOLDERS, *session.posargs)


@nox.session(venv_backend="none", requires=["environment"], default=False)
def everything(session: nox.Session) -> None:
    """Run what the session tests leaves out: whole books, planted faults, a second browser."""
    thorough = {"HYPOTHESIS_PROFILE": "thorough"}  # 100 drawn examples where a quick run has 8
    run(session, "pytest", *PARALLEL, "-m", "slow", *FOLDERS, *session.posargs)
    run(session, "pytest", *PARALLEL, "-m", "hypothesis", *FOLDERS, *session.posargs, **thorough)


@nox.session(venv_backend="none", requires=["environment"])
def doctest(session: nox.Session) -> None:
    """Run every example that stands in a docstring."""
    run(session, "pytest", "--doctest-modules", "src", *session.posargs)


@nox.session(venv_backend="none", requires=["environment"])
def lint(session: nox.Session) -> None:
    """Check format, lint and types; `nox -s lint -- --fix` repairs what it can."""
    fix = "--fix" in session.posargs
    run(session, "ruff", "check", *(["--fix"] if fix else []), ".")
    run(session, "ruff", "format", *([] if fix else ["--check"]), ".")
    run(session, "pyright")
    run(session, "sphinx-lint", "--ignore", "docs/_build", "docs", "README.md")


@nox.session(venv_backend="none", requires=["environment"], default=False)
def serve(session: nox.Session) -> None:
    """Build the book, show it in the browser and rebuild on save."""
    program = ("-m", "myst_nb_fork.serve")  # keeps torch imported between the builds
    run(session, "python", *program, "docs", str(SITE), *session.posargs)


@nox.session(venv_backend="none", requires=["environment"], default=False)
def epub(session: nox.Session) -> None:
    """Build the book as an EPUB."""
    target = sphinx(session, "epub", *session.posargs)
    session.log(f"The book is at {next(target.glob('*.epub')).as_uri()}")


@nox.session(venv_backend="none", requires=["environment"], default=False)
def pdf(session: nox.Session) -> None:
    """Print the whole book to one PDF; needs Chromium."""
    target = SITE.parent / "pdf" / "autograd-by-hand.pdf"
    program = "docs/_ext/autograd_book/formats/pdf.py"
    run(session, "python", program, str(sphinx(session, "html")), str(target))
    session.log(f"The book is at {target.as_uri()}")


@nox.session(venv_backend="none", requires=["environment"], default=False)
def faults(session: nox.Session) -> None:
    """Plant every fault that we fear, and print which stopped the build and which it survived."""
    run(session, "pytest", "-q", "-m", "fault", "tests", *session.posargs)


@nox.session(venv_backend="none", requires=["environment"], default=False)
def coverage(session: nox.Session) -> None:
    """See which branches of the library no quick test runs; below 95 of 100 it fails."""
    report = ("--cov-append", "--cov-report=term-missing:skip-covered", "--cov-fail-under=95")
    run(session, "pytest", "-q", "--cov", "--cov-report=", "--doctest-modules", "src")
    run(session, "pytest", "-q", "--cov", *report, "-m", "not slow", "tests")


@nox.session(venv_backend="none", requires=["environment"], default=False)
def mutants(session: nox.Session) -> None:
    """Change the library's code in every small way, and see a test fail; takes an hour."""
    run(session, "python", "tests/tools/mutants/run.py", *session.posargs)


@nox.session(venv_backend="none", requires=["environment"], default=False)
def bench(session: nox.Session) -> None:
    """Measure library and build beside others; the results are part of the book."""
    peers = nox.project.dependency_groups(PYPROJECT, "bench")
    session.run(str(BIN / "python"), "-m", "pip", "install", "--no-deps", *peers, external=True)
    run(session, "python", "tests/tools/bench/library.py")
    run(session, "python", "tests/tools/bench/build.py", "--peers", str(HOME.parent / "peers"))


@nox.session(venv_backend="none", requires=["environment"], default=False)
def linkcheck(session: nox.Session) -> None:
    """Ask every external link for an answer; needs the network, so never part of the gate."""
    run(session, "sphinx-build", "-b", "linkcheck", "docs", str(SITE.parent / "linkcheck"))


@nox.session(default=False)
@nox.parametrize("torch", ["2.9.1", "2.10.0", "2.11.0", "2.12.0", "2.13.0", "2.14.1", "2.15.0"])
def matrix(session: nox.Session, torch: str) -> None:
    """Run the library's quick tests beside several versions of torch, and note the counts."""
    tools = nox.project.dependency_groups(PYPROJECT, "test", "torch")
    if sys.platform == "linux":  # gigabytes less, where PyTorch's own index answers
        session.run(
            *("python", "-m", "pip", "install", "--no-deps", "--retries=0", "--timeout=15"),
            *(f"--index-url={TORCH_CPU_INDEX}", f"torch=={torch}+cpu"),
            success_codes=range(256),
            silent=True,
        )
    session.install(f"torch=={torch}", "mpmath>=1.3", *tools)
    session.install("--no-deps", "-e.")
    session.run("python", "tests/tools/versions.py", *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Choose versions for every dependency group anew, and write them down with hashes."""
    session.install("uv>=0.9")
    how = ("--universal", "--generate-hashes", "--no-header", "--python-version=3.11")
    for lock, groups in LOCKS.items():
        wanted = [f"--group=pyproject.toml:{group}" for group in groups]
        same = () if lock == LOCKED else ("-c", str(LOCKED))
        session.run(
            *("uv", "pip", "compile", "-q", *how, *same, *wanted, "-o", str(lock)),
            *session.posargs,
        )


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Ask the advisory database about every locked version; needs the network."""
    session.install("pip-audit>=2.7")
    pinned = Path(session.create_tmp()) / "torch.txt"  # it stands apart: its hashes differ
    pinned.write_text(TORCH.partition("+")[0] + "\n")
    ask = ("pip-audit", "--strict", "--disable-pip")  # what cannot be asked about is no pass
    session.run(*ask, "--require-hashes", "-r", str(LOCKED))
    session.run(*ask, "--no-deps", "-r", str(pinned.resolve()))


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build wheels and source distributions of handgrad and myst-nb-fork into dist/."""
    session.install("build")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for project in (".", "src/myst_nb_fork"):
        session.run("python", "-m", "build", "--outdir", "dist", project)


if __name__ == "__main__":
    nox.main()
