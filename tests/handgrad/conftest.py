"""What tests of the library need: Hypothesis profiles, and a table of the largest ulp distances."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("default", max_examples=8, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ULPS = pytest.StashKey[dict[tuple[str, str], dict[str, float]]]()


@pytest.fixture(autouse=True)
def thread_stacks() -> Iterator[None]:
    """Gives threads their usual stack back: the repair for a deep graph asks for a large one."""
    usual = threading.stack_size()
    yield
    threading.stack_size(usual)


@pytest.fixture(scope="session")
def note_ulps(pytestconfig: pytest.Config) -> Callable[[str, str, str, Any], None]:
    """Remember the largest distance seen: ``note_ulps(formula, dtype, column, ulps)``."""
    table = pytestconfig.stash.setdefault(ULPS, {})

    def note(formula: str, dtype: str, column: str, ulps: Any) -> None:
        row = table.setdefault((formula, dtype), {})
        row[column] = max(row.get(column, 0.0), float(ulps))

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the largest distance of every formula."""
    if table := config.stash.get(ULPS, {}):
        distances(terminalreporter, table)


def distances(
    reporter: pytest.TerminalReporter, table: dict[tuple[str, str], dict[str, float]]
) -> None:
    """Print the largest distance of every formula from PyTorch and from the truth."""
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    reporter.section("largest distance per formula, in ulps")
    reporter.write_line(
        f"{'formula':16}{'dtype':9}" + "".join(f"{column:>16}" for column in columns)
    )
    for (formula, dtype), row in table.items():
        cells = (f"{row[column]:16.3g}" if column in row else " " * 16 for column in columns)
        reporter.write_line(f"{formula:16}{dtype:9}" + "".join(cells))
