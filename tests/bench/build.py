"""Measure what it costs to build a book of executed torch chapters, ours and others'.

Every figure is CPU seconds of the whole process tree, the median of interleaved
rounds: wall time says more about what else the machine did. Run it with

    python tests/bench/build.py [--rounds 3] [--small 5] [--large 20] [--peers FOLDER]

where FOLDER holds a virtual environment for each other tool (made when missing).
The results go to docs/back/build-bench.json, with what was missing and why.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import chapters
import peers

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "docs" / "_ext"
RESULT = ROOT / "docs" / "back" / "build-bench.json"
CONF = f"""\
import sys
from pathlib import Path
sys.path.insert(0, {str(EXTENSIONS)!r})
project = "bench"
extensions = ["myst_nb", "sphinx_book_theme"]
html_theme = "sphinx_book_theme"
exclude_patterns = ["_build", ".cache"]
book_environment = dict(PYTHONPATH=str(Path("../src").resolve()))
nb_execution_timeout = 120
nb_execution_raise_on_error = True
"""


@dataclass(frozen=True)
class Cost:
    """What one command cost: seconds of CPU of its whole tree, of the clock, and MiB."""

    cpu: float
    wall: float
    peak: float = 0.0


@dataclass
class Bench:
    """All measured figures, by name: a list of one cost a round."""

    folder: Path
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def measure(self, name: str, command: list[str], cwd: Path, **env: str) -> Cost:
        """Run a command, note and return its cost; it must succeed."""
        cost = run(command, cwd, {**os.environ, **clean(self.folder, cwd), **env})
        self.note(name, cost)
        return cost

    def note(self, name: str, cost: Cost) -> None:
        """Add a cost to the rounds of a name."""
        self.costs.setdefault(name, []).append(cost)
        print(f"  {name:28} {cost.cpu:7.2f} s CPU {cost.wall:7.2f} s", flush=True)

    def median(self, name: str) -> float | None:
        """Return the median CPU seconds of a name, or None if it was not measured."""
        costs = self.costs.get(name)
        return statistics.median(cost.cpu for cost in costs) if costs else None


def clean(folder: Path, docs: Path) -> dict[str, str]:
    """Return the variables that keep every tool out of the home of whoever measures."""
    return {
        "PYTHONPATH": str(docs.parent / "src"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def run(command: list[str], cwd: Path, env: dict[str, str]) -> Cost:
    """Run a command to its end, and to the end of all it left; return what all of it cost."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    wall = time.perf_counter() - begun
    reap()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace")[-3000:]
        raise RuntimeError(f"{' '.join(command)} failed with {done.returncode}:\n{said}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall)


def adopt() -> None:
    """Become the parent of what a tool leaves behind, or its cost would be lost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def reap(patience: float = 20.0) -> None:
    """Wait for adopted processes, and end those that do not end by themselves."""
    deadline = time.monotonic() + patience
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if time.monotonic() > deadline:
                for left in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                    os.kill(int(left), 9)
            time.sleep(0.02)


def sphinx(*options: str, to: str = "_build/html") -> list[str]:
    """Return a command that builds the book in the present folder."""
    return [sys.executable, "-m", "sphinx", "-q", "-b", "html", *options, ".", to]


OURS = ("-D", "extensions=myst_nb,executor,sphinx_book_theme", "-D", "book_sources=../src")


def fresh(docs: Path) -> Path:
    """Remove everything that an earlier build left."""
    for name in ("_build", ".cache", ".jupyter_cache"):
        shutil.rmtree(docs / name, ignore_errors=True)
    return docs


def cold(bench: Bench, size: int, mode: str = "force") -> dict[str, Callable[[], Cost]]:
    """Return the contenders for a cold build of a book of so many chapters."""
    docs = bench.folder / f"book{size}" / "docs"
    if not docs.exists():
        chapters.write(docs.parent, size)
        (docs / "conf.py").write_text(CONF, encoding="utf-8")
    force = ("-D", f"nb_execution_mode={mode}")
    cells = [str(Path(__file__).with_name("limit.py")), str(size)]
    commands = {
        "ours -j1": sphinx(*OURS, *force, "-j1"),
        "ours -j2": sphinx(*OURS, *force, "-j2"),
        "stock -j1": sphinx(*force, "-j1"),
        "stock -j2": sphinx(*force, "-j2"),
        "limit: cells": [sys.executable, *cells],
        "limit: sphinx": sphinx("-D", "nb_execution_mode=off", "-j1"),
    }

    def measured(name: str, command: list[str]) -> Callable[[], Cost]:
        def run_and_look() -> Cost:
            cost = bench.measure(f"{size} {name}", command, fresh(docs))
            if name.startswith(("ours", "stock")):  # a fast build that lost its figures is no build
                figures = set((docs / "_build" / "html" / "_images").glob("*"))
                assert len(figures) == size, f"{name}: {len(figures)} figures in {size} chapters"
            return cost

        return run_and_look

    return {name: measured(name, command) for name, command in commands.items()}


def rebuilds(bench: Bench, size: int) -> None:
    """Measure a second build after: nothing, prose, one cell, one cell beside a kept server."""
    docs = bench.folder / f"book{size}" / "docs"
    edited = docs / "chapter001.md"
    text = edited.read_text(encoding="utf-8")
    for name, options in (("ours", OURS), ("stock", ())):
        command = sphinx(*options, "-D", "nb_execution_mode=cache")
        edited.write_text(text, encoding="utf-8")
        fresh(docs)
        bench.measure(f"{size} {name} cold, kept", command, docs)
        bench.measure(f"{size} {name} nothing", command, docs)
        edited.write_text(text + "\nMore prose.\n", encoding="utf-8")
        bench.measure(f"{size} {name} prose", command, docs)
        stamp = time.perf_counter_ns()
        cell = text.replace("loss.backward()\n", f"loss.backward()  # {stamp}\n", 1)
        edited.write_text(cell, encoding="utf-8")
        bench.measure(f"{size} {name} cell", command, docs)
    kept(bench, size, docs, edited, cell)
    edited.write_text(text, encoding="utf-8")


def kept(bench: Bench, size: int, docs: Path, edited: Path, text: str) -> None:
    """Measure one changed cell beside a server that is already there (nox -s serve).

    The server is no child of the build, so what it spends meanwhile is added.
    """
    sys.path.insert(0, str(EXTENSIONS))
    from executor import serve

    command = sphinx(*OURS, "-D", "nb_execution_mode=cache")
    more = {"PYTHONPATH": str(docs.parent / "src")}
    with serve.Kept(docs, serve.MODULES, more) as variables:
        env = {**variables, **clean(bench.folder, docs)}
        pid = int(variables["BOOK_FORK_SERVER"].partition(":")[0])
        for word in ("warm", "served"):
            edited.write_text(text.replace("  # ", f"  # {word} ", 1), encoding="utf-8")
            before, begun = seconds(pid), time.perf_counter()
            builder = subprocess.Popen(command, cwd=docs, env=env, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(builder.pid, 0)
            builder.returncode = status
            assert status == 0
            spent = usage.ru_utime + usage.ru_stime + seconds(pid) - before
            cost = Cost(spent, time.perf_counter() - begun)
    bench.note(f"{size} ours cell, served", cost)


def seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak(command: list[str], cwd: Path, env: dict[str, str]) -> float:
    """Return the largest memory in MiB of a command's tree; shared pages count once."""
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    most = 0.0
    while process.poll() is None:
        most = max(most, sum(_share(pid) for pid in descendants(process.pid)))
        time.sleep(0.05)
    reap()
    return most / 1024


def descendants(pid: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    found = [pid]
    for parent in found:
        try:
            text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found += map(int, text.split())
    return found


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Measure everything that was asked for and write the results."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--small", type=int, default=5)
    options.add_argument("--large", type=int, default=20)
    options.add_argument("--peers", type=Path, help="folder of the other tools' environments")
    options.add_argument("--only", help="measure only contenders whose name holds this text")
    options.add_argument("--to", type=Path, default=RESULT)
    wanted = options.parse_args()
    adopt()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder))
        measure(bench, wanted)
        wanted.to.write_text(json.dumps(report(bench, wanted), indent=1) + "\n", encoding="utf-8")
    print(f"written to {wanted.to}")


def measure(bench: Bench, wanted: argparse.Namespace) -> None:
    """Measure all contenders, one of each a round, so that a busy minute hits them alike."""
    contenders: dict[str, Callable[[], object]] = {
        "import torch": lambda: bench.measure(
            "import torch", [sys.executable, "-c", "import torch"], bench.folder
        ),
        "import sphinx, myst_nb": lambda: bench.measure(
            "import sphinx, myst_nb",
            [sys.executable, "-c", "import sphinx.cmd.build, myst_nb.sphinx_ext"],
            bench.folder,
        ),
    }
    for size in (wanted.small, wanted.large):
        contenders |= {f"{size} {k}": run for k, run in cold(bench, size).items()}
    contenders["rebuilds"] = lambda: rebuilds(bench, wanted.small)
    if wanted.peers:
        contenders |= peers.contenders(bench, wanted.small, wanted.peers.resolve())
    for number in range(wanted.rounds):
        print(f"round {number + 1} of {wanted.rounds}", flush=True)
        for name, measured in contenders.items():
            if not wanted.only or wanted.only in name:
                measured()
    memory(bench, wanted.small, wanted.only)


def memory(bench: Bench, size: int, only: str | None) -> None:
    """Measure the peak memory of a parallel build, ours and stock, in a run of its own."""
    docs = bench.folder / f"book{size}" / "docs"
    for name, options in (("ours", OURS), ("stock", ())):
        if only and only not in "memory":
            continue
        command = sphinx(*options, "-D", "nb_execution_mode=force", "-j2")
        env = {**os.environ, **clean(bench.folder, docs)}
        most = peak(command, fresh(docs), env)
        bench.costs[f"{size} {name} memory"] = [Cost(0.0, 0.0, most)]
        print(f"  {size} {name} memory {most:.0f} MiB", flush=True)


def report(bench: Bench, wanted: argparse.Namespace) -> dict[str, object]:
    """Return the results as plain data: medians, all rounds, the ratios and the machine."""
    small, large, m = wanted.small, wanted.large, bench.median

    def ratio(above: float | None, below: float | None) -> float | None:
        return round(above / below, 2) if above is not None and below else None

    def limit(size: int) -> float | None:
        parts = [m(f"{size} limit: cells"), m(f"{size} limit: sphinx")]
        return sum(parts) if None not in parts else None  # type: ignore[arg-type]

    ours, far = m(f"{small} ours -j1"), m(f"{large} ours -j1")
    slope = (far - ours) / (large - small) if far and ours and large > small else None
    memory = [bench.costs.get(f"{small} {name} memory") for name in ("ours", "stock")]
    ratios = {
        f"stock / ours, {small} chapters": ratio(m(f"{small} stock -j1"), ours),
        f"stock / ours, {large} chapters": ratio(m(f"{large} stock -j1"), far),
        f"ours / limit, {small} chapters": ratio(ours, limit(small)),
        f"ours / limit, {large} chapters": ratio(far, limit(large)),
        "each further chapter / import torch": ratio(slope, m("import torch")),
        "nothing changed / import sphinx, myst_nb": ratio(
            m(f"{small} ours nothing"), m("import sphinx, myst_nb")
        ),
        "prose changed / import sphinx, myst_nb": ratio(
            m(f"{small} ours prose"), m("import sphinx, myst_nb")
        ),
        "one cell, stock / served": ratio(
            m(f"{small} stock cell"), m(f"{small} ours cell, served")
        ),
        "memory, ours / stock": ratio(*(c[0].peak if c else None for c in memory)),
    }
    for name in peers.NAMES:
        ratios[f"{name} / ours, {small} chapters"] = ratio(m(f"{small} {name}"), ours)
    tools = ("torch", "sphinx", "myst-nb", "ipykernel", "matplotlib")
    return {
        "unit": "CPU seconds of the whole process tree",
        "rounds": wanted.rounds,
        "machine": {"processors": os.cpu_count(), "architecture": platform.machine()},
        "versions": {"python": platform.python_version(), **{t: version(t) for t in tools}},
        "ratios": {name: value for name, value in ratios.items() if value is not None},
        "median": {name: round(m(name) or 0, 2) for name in sorted(bench.costs)},
        "all": {k: [round(c.cpu, 2) for c in v] for k, v in sorted(bench.costs.items())},
        "skipped": bench.skipped,
    }


if __name__ == "__main__":
    main()
