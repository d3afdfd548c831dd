"""Every exercise of the built book, answered in a real browser."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_right_is_accepted_and_each_wrong_answer_gets_its_own_hint(
    book, browser, answer, exercises
):
    for name, records in exercises.items():
        page = browser.new_page()
        page.goto(book.file(name))
        for record in records:
            where = f"{name}, exercise {record['key']}"
            assert answer(page, record, record["answer"]) == f"✓ {record['right']}", where
            for known in record["known"]:
                assert answer(page, record, known["text"]) == f"≠ {known['words']}", where
        page.close()
