"""What all tests share: hypothesis profiles, and a table of the largest ulp distances."""

import os

import pytest
from hypothesis import settings

settings.register_profile("default", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ULPS = pytest.StashKey[dict[tuple[str, str], dict[str, float]]]()


def pytest_configure(config):
    config.stash[ULPS] = {}


@pytest.fixture(scope="session")
def note_ulps(pytestconfig):
    """Remember the largest distance seen: ``note_ulps(formula, dtype, column, ulps)``."""
    table = pytestconfig.stash[ULPS]

    def note(formula, dtype, column, ulps):
        row = table.setdefault((formula, dtype), {})
        row[column] = max(row.get(column, 0.0), float(ulps))

    return note


def pytest_terminal_summary(terminalreporter, config):
    table = config.stash[ULPS]
    if not table:
        return
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    write = terminalreporter.write_line
    terminalreporter.section("largest distance per formula, in ulps")
    write(f"{'formula':16}{'dtype':9}" + "".join(f"{column:>20}" for column in columns))
    for (formula, dtype), row in table.items():
        cells = (f"{row[column]:20.3g}" if column in row else " " * 20 for column in columns)
        write(f"{formula:16}{dtype:9}" + "".join(cells))
