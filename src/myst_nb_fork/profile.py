"""The one setting in which every chapter runs: environment variables and IPython profile.

A forked chapter and a real kernel read the same profile and get the same
variables, so a difference between their outputs is a fault, not a setting.
Nothing of the builder's own session leaks in: no IPython start-up files, no
PYTHON* variables, no matplotlibrc, no locale.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

# What a chapter inherits from the builder: where programs are, and nothing else.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV")

# What every chapter finds. One thread a chapter: chapters run side by side, sums
# over several threads may round differently, and a fork may not copy a thread pool.
FIXED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "COLUMNS": "80",
    "LINES": "24",
    "NO_COLOR": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "SOURCE_DATE_EPOCH": "0",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "JUPYTER_NO_CONFIG": "1",
}

OPENED = "NB_FORK_OPENED"  # where a real kernel notes what it opens
PROFILE = '''\
"""How IPython runs a chapter of the book. Written by the build; edits are overwritten."""

import os
import sys

import ipykernel.compiler

# The name of a cell's file: by default it holds the process id, which a warning shows.
ipykernel.compiler.get_tmp_directory = lambda: "cell"

# A real kernel notes the files that a chapter opens here; a forked one has its own way.
opened = os.environ.pop("NB_FORK_OPENED", None)
if opened:
    notes = os.open(opened, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(event, arguments):
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            raise PermissionError(f"a chapter may not use a network: {arguments[1][0]}")
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            os.write(notes, os.fsencode(path + "\\n"))

    sys.addaudithook(note)

c = get_config()  # noqa: F821
c.IPKernelApp.log_level = 40
c.HistoryManager.enabled = False
c.InteractiveShell.xmode = "Minimal"
c.InteractiveShell.colors = "nocolor"
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
c.InlineBackend.rc = {"svg.hashsalt": "book", "svg.fonttype": "none"}
'''


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return all variables a chapter sees; the folders it may write to are below ``home``.

    Args:
        home: A folder made by :func:`ready`.
        more: What the book sets by ``nb_fork_environment`` in its conf.py.
    """
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    private = {
        "HOME": str(home / "home"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "jupyter" / "runtime"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    return inherited | FIXED | private | dict(more)


def importing(sources: Iterable[Path]) -> dict[str, str]:
    """Return the variable by which chapters import the book's sources, installed or not.

    Another checkout's package would otherwise run under the name and key of this one's.
    They can import this package, too: a forked one has it already, a real kernel has not.
    """
    home = Path(__file__).resolve().parents[1]
    installed = home in {
        Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")
    }
    folders = [*sources] if installed else [*sources, home]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(map(str, folders)))}


def ready(home: Path) -> Path:
    """Make ``home`` ready and return it, or a temporary folder where it cannot be written."""
    try:
        write(home)
        with tempfile.TemporaryFile(dir=home):
            return home
    except OSError:
        temporary = tempfile.mkdtemp(prefix="nb-fork-home-")
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        write(Path(temporary))
        return Path(temporary)


def write(home: Path) -> None:
    """Make the folders, and the profile both executors read."""
    folder = home / "ipython" / "profile_default"
    for path in (folder, home / "home", home / "matplotlib", home / "jupyter", home / "cache"):
        path.mkdir(parents=True, exist_ok=True)
    replace(folder / "ipython_kernel_config.py", PROFILE.encode())


def replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a reader sees the old bytes or the new ones."""
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def settings() -> str:
    """Return everything of this module that may change a result, for the cache's key."""
    seen = {**{name: os.environ.get(name) for name in INHERITED}, **FIXED}
    return "\n".join([PROFILE, *(f"{name}={value}" for name, value in seen.items()), sys.version])
