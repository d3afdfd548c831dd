"""Plant every fault in the modules that must not be wrong, and see a test fail for each.

    python tests/tools/mutants/run.py [FOLDER or MODULE ...] [--jobs 2] [--every N]

A fault that no test can see has to be listed in ``equivalent.toml`` with the reason.
Most are asked about in forks of one session of tests, see ``quick.py``; those that are left
each get a process in which the module is loaded with the fault.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import hypothesis
import mpmath
import numpy
import pytest
import quick
import sympy
import torch
from cover import QUIET, Covered, learn
from plant import Mutant, mutants

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "handgrad"
LISTED = Path(__file__).with_name("equivalent.toml")
FOLDERS = ("neuron", "peeling", "comparing", "tracing", "graph", "diagnosing")
TESTS = ("src", "tests/handgrad")
FIRST = 25  # tests that are asked before the others are even collected
PATIENCE = 120  # seconds until a fault counts as one that never ends
MEMORY = 16 << 30
KILLS = (  # if no test is found, none has seen the fault
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR,
)
Judge = Callable[[Mutant, list[str]], bool]
IMPORTED = (hypothesis, mpmath, numpy, pytest, sympy, torch)


class Planted(importlib.machinery.SourceFileLoader):
    """Loads a module with a fault in it."""

    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        return self.code


class Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that has the fault before anybody else does."""

    def __init__(self, mutant: Mutant, path: Path) -> None:
        self.name = f"handgrad.{mutant.module}"
        self.loader = Planted(self.name, str(path))
        self.loader.code = compile(mutant.tree(), str(path), "exec")

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(
            fullname, self.loader.path, loader=self.loader
        )


class Chosen:
    """Keeps of the collected tests those that were chosen, in their order.

    A test whose name the fault has changed is not among them, and has seen no fault.
    """

    def __init__(self, tests: list[str]) -> None:
        self.place = {name: number for number, name in enumerate(tests)}
        self.files = list(dict.fromkeys(name.partition("::")[0] for name in tests))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self.place]
        items[:] = sorted(chosen, key=lambda item: self.place[item.nodeid])


def path_of(module: str) -> Path:
    """Return the file of a module of the package."""
    return (PACKAGE / module.replace(".", "/")).with_suffix(".py")


def modules_of(wanted: Iterable[str]) -> list[str]:
    """List the modules of folders; of a module, itself."""
    found = []
    for name in wanted:
        inside = sorted((PACKAGE / name.replace(".", "/")).rglob("[a-z]*.py"))
        paths = (path.relative_to(PACKAGE).with_suffix("") for path in inside)
        found += [".".join(path.parts) for path in paths] or [name]
    return found


def judged(mutant: Mutant, tests: list[str]) -> bool:
    """Load the module with the fault and run tests until one fails; the cheapest first."""
    finder = Finder(mutant, path_of(mutant.module))
    sys.meta_path.insert(0, finder)
    importlib.import_module(finder.name)  # first, or pytest would load the file itself
    parts = [Chosen(part) for part in (tests[:FIRST], tests[FIRST:]) if part]
    return any(
        pytest.main([*QUIET, "-x", f"--rootdir={ROOT}", *part.files], plugins=[part]) in KILLS
        for part in parts
    )


def ask(mutant: Mutant, tests: list[str], judge: Judge) -> int:
    """Fork a process that has the fault and is judged; return its id."""
    pid = os.fork()
    if pid:
        return pid
    killed = True  # also by what breaks before a test can
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(PATIENCE)
        killed = judge(mutant, tests)
    finally:
        os._exit(1 if killed else 0)


def survivors(
    jobs: int, planted: list[Mutant], covered: Covered, judge: Judge
) -> Iterator[tuple[Mutant, list[str]]]:
    """Ask about each fault, some at a time; yield those that every test let pass."""
    waiting: dict[int, tuple[Mutant, list[str]]] = {}
    queue = iter(planted)
    done, began = 0, time.monotonic()
    while True:
        for mutant in queue:
            tests = covered.tests(mutant.module, mutant.line, mutant.last, mutant.within)
            waiting[ask(mutant, tests, judge)] = mutant, tests
            if len(waiting) >= jobs:
                break
        if not waiting:
            return
        pid, status = os.wait()
        asked = waiting.pop(pid)
        done += 1
        if done % 50 == 0:
            print(f"  {done} of {len(planted)}, {time.monotonic() - began:.0f} s", flush=True)
        if status == 0:
            mutant, tests = asked
            told = f"{mutant.module}.py:{mutant.line} {mutant.function}: {mutant.change}"
            print(f"alive after {len(tests)} tests: {told}", flush=True)
            yield asked


def listed() -> dict[tuple[str, str, str], str]:
    """Read the faults that are none, with their reasons."""
    found = tomllib.loads(LISTED.read_text(encoding="utf-8"))["equivalent"]
    return {(e["module"], e["function"], e["change"]): e["reason"] for e in found}


def report(planted: list[Mutant], alive: set[tuple[str, str, str]], whole: bool) -> int:
    """Print the table; return how many lines of it are wrong."""
    known, wrong = listed(), 0
    names = {mutant.name for mutant in planted}
    print(f"\n{'module':20}{'planted':>9}{'killed':>9}{'listed':>9}{'survived':>10}")
    for module, count in Counter(m.module for m in planted).items():
        left = {name for name in alive if name[0] == module}
        excused = left & known.keys()
        wrong += len(left - excused)
        row = (count, count - len(left), len(excused), len(left - excused))
        print(f"{module:20}{row[0]:>9}{row[1]:>9}{row[2]:>9}{row[3]:>10}")
    for mutant in planted:
        if mutant.name in alive - known.keys():
            print(f"survived: {mutant.module}.py:{mutant.line} {mutant.function}: {mutant.change}")
    for name in known:
        if name in names - alive:
            wrong += 1
            print(f"listed, but killed: {' '.join(name)}")
        elif whole and name not in names:
            wrong += 1
            print(f"listed, but not planted: {' '.join(name)}")
    return wrong


def main() -> None:
    """Plant, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=FOLDERS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--every", type=int, default=1, help="plant only one fault in so many")
    parser.add_argument("--covered", type=Path, help="keep or find here what the tests cover")
    wanted = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        file = wanted.covered or Path(folder) / "covered.json"
        if not file.exists():
            pid = os.fork()
            if not pid:
                files = {module: path_of(module) for module in modules_of(FOLDERS)}
                learn(ROOT, TESTS, files, file)
                os._exit(0)
            if os.waitpid(pid, 0)[1]:
                raise SystemExit("Without a fault the tests have to pass first.")
        covered = Covered(file)
    planted = [m for module in modules_of(wanted.modules) for m in mutants(module, path_of(module))]
    planted = planted[:: wanted.every]
    ask_all = partial(survivors, wanted.jobs)
    alive, left = quick.alive(planted, covered, ask_all, TESTS, path_of)
    alive += [mutant for mutant, _ in ask_all(left, covered, judged)]
    whole = wanted.every == 1 and tuple(wanted.modules) == FOLDERS
    sys.exit(1 if report(planted, {mutant.name for mutant in alive}, whole) else 0)


if __name__ == "__main__":
    main()
