"""What a command costs: CPU of its whole process tree, wall time, memory."""

from __future__ import annotations

import ctypes
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


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
