"""What tests of several folders need.

Hypothesis profiles, tables of the faults planted and of the largest ulp
distances, one Chromium, and a reader who answers exercises in it.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("default", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=300, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ULPS = pytest.StashKey[dict[tuple[str, str], dict[str, float]]]()
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(autouse=True)
def thread_stacks() -> Iterator[None]:
    """Gives threads their usual stack back: the repair for a deep graph asks for a large one."""
    usual = threading.stack_size()
    yield
    threading.stack_size(usual)


@pytest.fixture(scope="session")
def launch() -> Callable[[Any], Any]:
    """Starts a headless Chromium, found where the system keeps it, for a running Playwright."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        said = f"No Chromium found (looked for {', '.join(NAMES)}); the pages were not tested."
        if os.environ.get("BOOK_REQUIRE_BROWSER") == "1":
            pytest.fail(said)
        pytest.skip(said)
    return lambda playwright: playwright.chromium.launch(executable_path=program, args=FLAGS)


@pytest.fixture(scope="session")
def browser(launch: Callable[[Any], Any]) -> Iterator[Any]:
    """The browser that most tests share."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def answer() -> Callable[[Any, dict[str, Any], Sequence[str]], str]:
    """Answers an exercise of an open page with the keyboard, and returns what is said."""

    def answered(page: Any, record: dict[str, Any], texts: Sequence[str]) -> str:
        form = page.locator(f'form.exercise[data-key="{record["key"]}"]')
        if record["choices"]:
            names = dict.fromkeys(box.get_attribute("name") for box in form.locator("input").all())
            for name, text in zip(names, texts, strict=True):
                form.locator(f'input[name="{name}"][value="{text}"]').focus()
                page.keyboard.press("Space")
        else:
            for box, text in zip(form.locator("input").all(), texts, strict=True):
                box.fill(text)
        page.keyboard.press("Enter")
        result = form.locator(".result")
        page.wait_for_function("node => node.textContent", arg=result.element_handle())
        return result.text_content()

    return answered


@pytest.fixture(scope="session")
def note_ulps(pytestconfig: pytest.Config) -> Callable[[str, str, str, Any], None]:
    """Remember the largest distance seen: ``note_ulps(formula, dtype, column, ulps)``."""
    table = pytestconfig.stash.setdefault(ULPS, {})

    def note(formula: str, dtype: str, column: str, ulps: Any) -> None:
        row = table.setdefault((formula, dtype), {})
        row[column] = max(row.get(column, 0.0), float(ulps))

    return note


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the report of a test say which fault it planted."""
    for item in items:
        if marker := item.get_closest_marker("fault"):
            planted, outcome = marker.args
            callspec = getattr(item, "callspec", None)
            told = planted.format(callspec.id if callspec else "")
            item.user_properties.append(("fault", (told, outcome)))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what became of every fault, and the largest distance of every formula."""
    if config.option.markexpr == "fault":
        faults(terminalreporter)
    if table := config.stash.get(ULPS, {}):
        distances(terminalreporter, table)


def faults(reporter: pytest.TerminalReporter) -> None:
    """Print each fault, what has to become of it, and in how many cases it did."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for kind in ("passed", "failed", "error", "skipped"):
        for report in reporter.stats.get(kind, ()):
            for key in (value for name, value in report.user_properties if name == "fault"):
                rows.setdefault(tuple(key), Counter())[kind] += 1
    reporter.section("every fault planted, and what became of it")
    for (told, outcome), seen in sorted(rows.items(), key=lambda row: (row[0][1], row[0][0])):
        times = f" ({seen.total()})" if seen.total() > 1 else ""
        wrong = seen["failed"] + seen["error"]
        became = f"{wrong} NOT {outcome}" if wrong else outcome
        if seen["skipped"]:
            became = f"not planted here: {seen['skipped']}"
        reporter.write_line(f"{told + times:64}{became}")


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
