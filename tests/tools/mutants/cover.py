"""Find out which tests run each line of a file, and how long they take."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

import coverage
import pytest

QUIET = (
    *("-q", "-p", "no:cacheprovider", "--doctest-modules", "--tb=no"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # hypothesis is imported by then
)
SELECTION = (*QUIET, "-m", "not browser and not slow")
OWN = {
    "comparing": ("test_compare",),
    "diagnosing": ("test_diagnose", "test_watch"),
    "graph": ("test_graph",),
    "neuron": ("test_neuron", "test_formulas", "test_witness", "test_machine"),
    "peeling": ("test_peel", "test_onion"),
    "tracing": ("test_trace", "test_trace_arguments", "test_trace_corners", "test_local_vjp"),
}
MOST = 60.0  # seconds of tests that are asked about one fault


class _Listener:
    """Gives each test a context of its own in the coverage, and notes how long it takes."""

    def __init__(self, cov: coverage.Coverage) -> None:
        self.cov = cov
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.cov.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)


def learn(root: Path, tests: Iterable[str], files: dict[str, Path], to: Path) -> None:
    """Run all tests once and write what they cover: tests by line, and seconds by test.

    Raises:
        SystemExit: If a test fails; what a fault changes could not be told then.
    """
    include = [str(path) for path in files.values()]
    cov = coverage.Coverage(data_file=None, include=include, config_file=False)
    listener = _Listener(cov)
    cov.start()
    cov.switch_context("import")
    pytest.main([*SELECTION, *tests, f"--rootdir={root}"], plugins=[listener])
    cov.stop()
    if listener.failed:
        raise SystemExit(f"These tests fail without any fault: {listener.failed}")
    data = cov.get_data()
    lines = {
        module: {
            str(line): sorted(set(names) - {"import", ""})
            for line, names in data.contexts_by_lineno(str(path)).items()
        }
        for module, path in files.items()
    }
    to.write_text(json.dumps({"lines": lines, "seconds": listener.seconds}))


class Covered:
    """Which tests to ask about a line: those of its folder first, then the cheapest."""

    def __init__(self, file: Path) -> None:
        found = json.loads(file.read_text())
        self.lines: dict[str, dict[str, list[str]]] = found["lines"]
        self.seconds: dict[str, float] = found["seconds"]

    def tests(self, module: str, first: int, last: int, within: str) -> list[str]:
        """List the tests that run any line of a statement.

        What is in no function runs when the module is imported, and a table is read without
        a line run: about these those of its folder are asked, too.
        """
        lines = self.lines[module]
        own = tuple(f"tests/handgrad/{name}.py" for name in OWN[module.split(".")[0]])
        ran = {name for n in range(first, last + 1) for name in lines.get(str(n), ())}
        found = set(ran)
        if not within:
            found |= {name for name in self.seconds if name.startswith(own)}
        if not ran:
            found |= {name for names in lines.values() for name in names}
        asked = sorted(
            (name for name in found if name in self.seconds),
            key=lambda name: (not name.startswith(own), self.seconds[name], name),
        )
        total = accumulate(self.seconds[name] for name in asked)
        return [name for name, seconds in zip(asked, total, strict=True) if seconds <= MOST]
