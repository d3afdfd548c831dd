"""Every exercise of the built book, answered in a real browser."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MIME = "application/vnd.handgrad.exercise+json"


def records(folder):
    """Return page and record of each exercise that a cell of the book built."""
    executed = folder.parent / "jupyter_execute"
    for path in sorted(executed.rglob("*.ipynb")):
        page = path.relative_to(executed).with_suffix(".html").as_posix()
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if MIME in output.get("data", {}):
                    yield page, output["data"][MIME]


def test_right_is_accepted_and_each_wrong_answer_gets_its_own_hint(book, browser, answer):
    tried = 0
    for name, record in records(book.folder):
        page = browser.new_page()
        page.goto((book.folder / name).as_uri())
        where = f"{name}, exercise {record['key']}"

        assert answer(page, record, record["answer"]) == f"✓ {record['right']}", where
        for known in record["known"]:
            assert answer(page, record, known["text"]) == f"≠ {known['words']}", where
        page.close()
        tried += 1
    assert tried
