"""Each exercise of a built book, in a real browser: right is accepted, wrong gets its hint."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest

from handgrad import Exercise
from handgrad.exercises.patterns import readings

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ("part1/01-the-bias", "part1/02-every-exercise")
KEYS = ("bias-twice", "whole", "rounded", "tiny", "layer", "flags", "writes", "shape")
ATTEMPTS = (
    *("5", " 5 ", "5.0", "+5", "3", "7", "-5", "", "five", "5,1", "10/2", "5/0"),
    *("-1.3677", "−1,36768", "1.3677", "-1.37", "-1.36", "1.5491", "-41031/10000", "1e5", "x"),
    *("9.9e-14", "9.9 × 10⁻¹⁴", "2.1e-14", "0.25", "1/4", "9.9e14"),
    *("(2, 3)", "2,3", "[3, 2]", "6", "None", "nan", "-∞", "1..2", "<b>"),
)


@pytest.fixture(scope="session")
def records(sample) -> dict[str, tuple[str, dict]]:
    """Return each exercise's page and what the run made of it."""
    pages = pickle.loads(
        (sample.folder / ".doctrees" / "environment.pickle").read_bytes()
    ).book_pages
    return {record["key"]: (page, record) for page in PAGES for record in pages[page].exercises}


def open_page(browser, built, name, **options):
    page = browser.new_context(**options).new_page()
    page.goto((built.folder / f"{name}.html").as_uri())
    return page


def test_the_sample_has_them_all(records):
    assert {*records} == {*KEYS}


@pytest.mark.parametrize("key", KEYS)
def test_right_is_accepted_and_each_wrong_answer_gets_its_own_hint(
    key, records, sample, browser, answer
):
    name, record = records[key]
    page = open_page(browser, sample, name)

    assert answer(page, record, record["answer"]) == f"✓ {record['right']}"
    for known in record["known"]:
        assert answer(page, record, known["text"]) == f"≠ {known['words']}"
    assert page.url.startswith("file:")


@pytest.mark.parametrize("key", KEYS)
def test_nothing_typed_leaves_the_page_or_shows_the_answer(key, records, sample, browser):
    name, record = records[key]
    page = open_page(browser, sample, name)

    text = page.locator(f"#exercise-{key}").inner_text()
    answers = [] if record["choices"] else [a for a in record["answer"] if len(a) > 2]
    assert not any(known in text for known in answers)
    assert record["right"] not in text
    assert not any(known["words"] in text for known in record["known"])
    page.locator(f"#exercise-{key} input").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("h1").count() == 1


def test_the_result_is_announced(records, sample, browser, answer):
    name, record = records["rounded"]
    page = open_page(browser, sample, name)

    answer(page, record, ["1.5491"])

    box = page.get_by_role("textbox").nth(1)
    said = page.locator(f"#{box.get_attribute('aria-describedby')}")
    assert said.get_attribute("role") == "status"
    assert said.text_content() == "≠ Within one path they multiply."
    assert box.get_attribute("aria-invalid") == "true"


@pytest.mark.parametrize("key", ["bias-twice", "whole", "rounded", "tiny", "shape"])
def test_without_a_script_the_field_checks_itself(key, records, sample, browser):
    name, record = records[key]
    page = open_page(browser, sample, name, java_script_enabled=False)
    form = page.locator(f"#exercise-{key}")

    for text, right in [(record["answer"][0], True)] + [
        (known["text"][0], False) for known in record["known"]
    ]:
        form.locator("input").fill(text)
        page.keyboard.press("Tab")
        assert form.locator(".yes").is_visible() == right, text
        assert form.locator(".no").is_visible() == (not right), text
    assert not form.locator("button").count() or not form.locator("button").is_visible()


def test_without_a_script_a_choice_says_at_once_what_it_is(records, sample, browser):
    name, _ = records["layer"]
    page = open_page(browser, sample, name, java_script_enabled=False)

    page.get_by_text("the affine layer").click()

    assert page.get_by_text("≠ It strengthens.").is_visible()
    assert not page.get_by_text("≠ It halves.").is_visible()


def test_without_a_script_one_of_several_choices_does_not_tell_the_others(sample, browser):
    page = open_page(browser, sample, PAGES[1], java_script_enabled=False)
    form = page.locator("#exercise-writes")

    form.locator('input[value="caught"]').first.check()

    said = [why.inner_text().strip() for why in form.locator(".why").all() if why.is_visible()]
    assert said == ["✓"]


def test_page_and_notebook_judge_alike(records, sample, browser):
    """The script, the browser's patterns and Python read every attempt the same way."""
    exercises = [
        Exercise("whole", answer=5, wrong={"few": (3, "a"), "many": (7, "b")}),
        Exercise("rounded", answer=-1.36767, wrong={"sum": (1.54914, "a"), "all": (-4.1031, "b")}),
        Exercise("tiny", answer=9.9148e-14, digits=2, wrong={"m": (2e-14, "a"), "b": (0.25, "b")}),
        Exercise("shape", answer=(2, 3), wrong={"flipped": ((3, 2), "a"), "flat": ((6,), "b")}),
    ]
    page = open_page(browser, sample, PAGES[1])
    for exercise in exercises:
        record = json.loads(json.dumps(exercise.to_dict()))
        data = {
            "names": [""],
            "answer": {"patterns": [record["fields"][0]["pattern"]], "words": record["right"]},
            **{name: record[name] for name in ("known", "readable", "unread", "again")},
        }
        said = page.evaluate(
            "([data, all]) => all.map((text) => window.exercise.judge(data, [text]))",
            [data, ATTEMPTS],
        )
        native = page.evaluate(
            "([pattern, all]) => all.map((text) => { const box = document.createElement('input');"
            "box.pattern = pattern; box.value = text; return box.checkValidity(); })",
            [record["fields"][0]["pattern"], ATTEMPTS],
        )
        for text, there, plain in zip(ATTEMPTS, said, native, strict=True):
            here = exercise.check(text)

            assert (here.right, here.words) == (there["right"], there["words"]), text
            if text and readings(text) == [text]:
                assert plain == here.right, text


def test_no_script_is_loaded_where_there_is_no_exercise(sample):
    texts = {path: path.read_text(encoding="utf-8") for path in sample.folder.rglob("*.html")}
    loading = [path for path, text in texts.items() if "exercise.js" in text]

    assert {*loading} == {sample.folder / f"{page}.html" for page in PAGES}
    assert (sample.folder / "_static" / "exercise.js").exists()


def test_the_book_without_pages_asks_nothing_of_a_server(sample):
    script = Path(sample.folder / "_static" / "exercise.js").read_text(encoding="utf-8")

    assert not re.search(r"fetch|XMLHttp|import\(|https?:", script)
