"""What the prose of a page asks of its run: found, numbered, and nothing else touched."""

from __future__ import annotations

import pytest
from autograd_book.inline.blocks import BlockError, exercise, exercises, pieces, questions, read
from autograd_book.inline.marks import Mark, marks_of, number_marks

CELL = "```{code-cell} python3\n:tags: [hide-input]\nb = {py}`not a role`\n```\n"


@pytest.mark.parametrize(
    ("text", "numbered"),
    [
        ("It is {py}`b`.", "It is {py}`1#b`."),
        ("{py}`b:.2f`{holds}`b == 1`", "{py}`1#b:.2f`{holds}`2#b == 1`"),
        ('[two *of* them]{holds="n == 2"}', '[two *of* them]{.holds-1 holds="1#n == 2"}'),
        ("{py}``f(`x`)``", "{py}``1#f(`x`)``"),
        ("Write `` {py}`b` `` for it.", "Write `` {py}`b` `` for it."),
        (f"{CELL}{{py}}`b`\n", f"{CELL}{{py}}`1#b`\n"),
        ("```python\n{py}`b`\n```\n", "```python\n{py}`b`\n```\n"),
        ("```{math}\n{py}`b`\n```\n", "```{math}\n{py}`b`\n```\n"),
        (":::{hint}\n{py}`b`\n:::\n", ":::{hint}\n{py}`1#b`\n:::\n"),
        ("```{note}\n{py}`b`\n```\n{py}`c`", "```{note}\n{py}`1#b`\n```\n{py}`2#c`"),
        ("| a |\n|---|\n| {py}`b` |", "| a |\n|---|\n| {py}`1#b` |"),
        (
            "```{code-cell}\n---\nmystnb:\n  figure:\n    caption: It is {py}`b`.\n---\nb\n```\n",
            "```{code-cell}\n---\nmystnb:\n  figure:\n    caption: It is {py}`1#b`.\n---\nb\n```\n",
        ),
        ("{term}`bias` and {py}`b`", "{term}`bias` and {py}`1#b`"),
    ],
)
def test_roles_get_numbers_where_they_are_prose(text, numbered):
    assert number_marks(text)[0] == numbered


def test_a_mark_knows_its_line_and_its_code_on_one_line():
    text = f"# Title\n\n{CELL}\nIt is {{py}}`max(a,\n  b)`,\n{{holds}}`a < b`."

    _, marks = number_marks(text)

    assert marks == [Mark(1, "py", "max(a, b)", 8), Mark(2, "holds", "a < b", 10)]


def test_a_numbered_page_says_what_it_asks():
    text, _ = number_marks('{py}`b:.1f` and [c]{holds="c == 2"} and {holds}`d`')

    found = [(mark.number, mark.kind, mark.code) for mark in marks_of(text)]

    assert found == [(1, "py", "b:.1f"), (2, "holds", "c == 2"), (3, "holds", "d")]


EXERCISE = """\
:title: The slope somewhere else
:minutes: 2
What is the slope at *w* = 1?
And why?

:answer: 4 * (2 - 0.5) | The product doubles it.
:digits: 1
:wrong: 2 * 1.5 | That is the square's stretch alone. The product
  stretched the nudge as well.
:wrong: 22.0 | That was at w = 3.
:hint: Fill in the table.
:hint: Which factor has changed?
"""


def test_an_exercise_is_one_block():
    block = read(EXERCISE.splitlines())

    asked = exercise("elsewhere", block)

    assert block.question == ["What is the slope at *w* = 1?", "And why?"]
    assert [text for text, _ in block.hints] == ["Fill in the table.", "Which factor has changed?"]
    assert block.answer is not None
    assert block.answer.words == "The product doubles it."
    assert asked["answer"] == "4 * (2 - 0.5)"
    assert asked["digits"] == 1
    assert asked["wrong"][0]["words"] == [
        "That is the square's stretch alone. The product stretched the nudge as well."
    ]


def test_options_are_answers_by_letter():
    block = read(["Which?", "", "- the first | No: `a` is smaller.", "- the second | yes: It is.",
                  "- none | One of them is."])  # fmt: skip

    asked = exercise("which", block)

    assert (asked["answer"], asked["choices"]) == ("b", ["a", "b", "c"])
    assert [wrong["code"] for wrong in asked["wrong"]] == ["a", "c"]
    assert asked["wrong"][0]["words"] == ["No: a is smaller."]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["What?", ":answer: 1", ":wrong: 2 | a"], "name at least two ways to go wrong"),
        (["What?", ":wrong: 2 | a", ":wrong: 3 | b"], "either an ':answer:' or a list"),
        (["What?", "- a | no", "- b | also no", "- c | never"], "0 of its options say 'yes'"),
        (["What?", ":answer: 1", ":wrong: 2", ":wrong: 3 | b"], "has no hint"),
        (["What?", "- a", "- b | yes"], "says nothing to who chooses it"),
        (["What?", ":anwser: 1"], ":anwser: is not known"),
        (["What?", ":answer: 1", ":answer: 2"], ":answer: stands twice"),
        (["What?", ":answer: 1", ":digits: two", ":wrong: 2 | a", ":wrong: 3 | b"], "no number"),
    ],
)
def test_a_block_that_is_not_right_says_how(lines, says):
    with pytest.raises(BlockError, match=says):
        exercise("key", read(lines))


def test_a_page_asks_for_roles_first_and_then_for_exercises():
    block = f":::{{exercise}} one\n{EXERCISE}:::"
    text, _ = number_marks(f"{{py}}`b`\n\n{block}\n\n{{holds}}`b == 1`\n")

    kinds = [(asked["kind"], asked["number"]) for asked in questions(text)]

    assert kinds == [("py", 1), ("holds", 2), ("exercise", 0)]
    assert exercises(text)[0]["key"] == "one"


def test_a_hint_is_plain_text_with_places_for_numbers():
    assert pieces("Not *all* of `w`: {py}`3#w:.1f`{holds}`4#w < 2`, $2e$.") == [
        "Not all of w: ", 3, ", 2e.",
    ]  # fmt: skip
