"""What tests of several folders need.

A table of the faults planted, one Chromium, and a reader who answers exercises in it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


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
    """Print what became of every fault."""
    if config.option.markexpr == "fault":
        faults(terminalreporter)


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
