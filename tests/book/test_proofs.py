"""Roles on a built page: what is right is shown and listed, what is wrong stops the build."""

from __future__ import annotations

import re

import nbformat
import pytest

PAGE = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3, language: python}
---
# Page

EARLY
```{code-cell} python3
w, rows = -1.5, [1, 2, 3]
w
```

The weight is {py}`w`{holds}`w == -1.5`, and {py}`abs(w) / 1e9:.1e` is small.
[All *three*]{holds="len(rows) == 3"} are positive. LATER

| what | how many |
|---|---|
| rows | {py}`len(rows)`{holds}`len(rows) > 2` TABLE |

- In a list: {py}`sum(rows)`. LIST

:::{note}
In a note: {py}`w * 1e6:,.0f`. NOTE
:::

```{code-cell} python3
---
mystnb:
  figure:
    name: fig-rows
    caption: In a caption {py}`rows[-1]`{holds}`rows[-1] == 3`. CAPTION
tags: [remove-input]
---
from IPython.display import HTML
HTML("<svg viewBox='0 0 4 4'></svg>")
```

:::{prediction} sums
What is the sum of {py}`rows`?

- {py}`max(rows)` | That is the largest. PREDICTION
- {py}`sum(rows)` | yes: {py}`len(rows)` of them{holds}`len(rows) == 3`.
:::

:::{exercise} product
:title: A product
What is their product?

:answer: rows[0] * rows[1] * rows[2] | It is {py}`rows[1]` · 3. ANSWER
:wrong: sum(rows) + 1 | That is no sum, which is {py}`sum(rows)`. WRONG
:wrong: 3 | Those are {py}`len(rows)` numbers.
:hint: Begin with {py}`rows[0]`. HINT
:::
"""
PLACES = ("EARLY", "LATER", "TABLE", "LIST", "NOTE", "CAPTION", "PREDICTION", "ANSWER", "WRONG",
          "HINT")  # fmt: skip


def page(**more: str) -> str:
    """Return the page with something put in some places, and nothing in the others."""
    text = PAGE
    for place in PLACES:
        text = text.replace(f" {place}", f" {more[place]}" if place in more else "")
        text = text.replace(place, more.get(place, ""))
    return text


@pytest.fixture
def book(empty_book, tmp_path):
    """Return a book with the settings of the real one, and no page."""
    made = empty_book(tmp_path / "book")
    made.configure('nb_fork_preload = ["torch"]')
    return made


@pytest.fixture
def write(book):
    """Return the function that writes a page of the book."""

    def written(text: str, name: str = "index") -> None:
        (book.docs / f"{name}.md").write_text(text, encoding="utf-8")

    return written


@pytest.mark.parametrize("executor", ["fork", "stock"])
def test_values_and_claims_are_answered_wherever_they_stand(book, write, executor):
    write(page())
    book.configure(f"nb_fork_executor = {executor!r}")

    built = book.build()

    assert built.code == 0, built.said
    html = built.content["html/index.html"].decode()
    text = re.sub(r"[ \n]+", " ", re.sub(r"<[^>]*>", "", html))
    for part in ("The weight is −1.5, and 1.5\u00a0×\u00a010⁻⁹ is small.", "In a list: 6.",
                 "In a note: −1,500,000.", "In a caption 3.", "Yes: 6.", "3 of them"):  # fmt: skip
        assert part in text, part
    assert re.findall(r'<span class="held" data-proof="\d+">(.*?)</span>', html) == [
        "The weight is −1.5", "All <em>three</em>", "3", "In a caption 3", "3 of them"]  # fmt: skip
    assert html.count("<li data-proof=") == 5
    assert "That is no sum, which is 6." in html


def test_both_executors_give_the_same_bytes_and_a_second_build_runs_nothing(book, write):
    write(page())
    forked = book.build(to="_build/fork/html")
    again = book.build("-E", to="_build/again/html")
    book.configure('nb_fork_executor = "stock"')
    stock = book.build(to="_build/stock/html")

    assert forked.content["html/index.html"] == stock.content["html/index.html"]
    assert forked.content["html/index.html"] == again.content["html/index.html"]
    assert (forked.ran(), again.ran()) == ({"index"}, set())


FAULTS = {
    "a false claim": ("LATER", "They are two{holds}`len(rows) == 2`.", 14,
                      "“They are two” does not hold:\n    len(rows) == 2\n    len(rows) is 3"),
    "a span that is false": ("LATER", 'It is [not 3]{holds="3 not in rows"}.', 14,
                             "“not 3” does not hold:\n    3 not in rows\n    rows is [1, 2, 3]"),
    "raising": ("TABLE", "{py}`rows[7]`", 18, "{py}`rows[7]` raises IndexError"),
    "printing": ("LIST", "{py}`print(1)`", 20, "{py}`print(1)` prints '1'"),
    "changing": ("NOTE", "{py}`rows.pop()`", 23, "{py}`rows.pop()` changes rows"),
    "a new variable": ("NOTE", "{holds}`(v := 1) == 1`", 23, "it makes a variable v"),
    "in a caption": ("CAPTION", "{py}`1 / 3`", 31, "give it a format"),
    "in a reply": ("PREDICTION", "No{holds}`w > 0`.", 41, "“No” does not hold:"),
    "in an answer": ("ANSWER", "Yes{holds}`w > 1`.", 49, "“Yes” does not hold:"),
    "in a hint": ("HINT", "{py}`hint`", 52, "raises NameError"),
    "in what is said to a wrong answer": ("WRONG", "{py}`wrong`", 50, "raises NameError"),
    "a syntax error": ("LATER", "{py}`w +`", 14, "{py}`w +` raises SyntaxError"),
    "before the first cell": ("EARLY", "{py}`w`\n", 7, "{py}`w` stands before the first cell"),
    "no truth value": ("LATER", "It{holds}`w`.", 14, "a claim is True or False"),
    "guarding nothing": ("LATER", "\n\n{holds}`w < 0`", 16, "guards no phrase"),
}  # fmt: skip


def test_each_way_to_be_wrong_is_said_with_its_line(book, write):
    """One build for each place, so that no fault hides another's."""
    for number, (place, text, _, _) in enumerate(FAULTS.values()):
        write(page(**{place: text}).replace("fig-rows", f"fig-{number}"), f"fault{number:02}")
    write("# All\n\n```{toctree}\n:glob:\n\nfault*\n```\n")

    built = book.build()

    assert built.code == 1, built.said
    for number, (name, (_, _, line, says)) in enumerate(FAULTS.items()):
        said = built.said.split(f"fault{number:02}.md:")[1:]
        assert any(one.startswith(f"{line}: ") and says in one for one in said), (name, said)


def test_a_page_that_runs_nothing_says_so(book, write):
    write("# Page\n\nIt is {py}`w`, and more{holds}`w == 1`.\n")

    built = book.build()

    assert built.code == 1, built.said
    assert built.said.count("stands on a page that runs nothing") == 2


def test_a_word_may_change_and_a_proof_that_changes_is_asked_anew(book, write):
    write(page())
    book.build()

    write(page().replace("The weight is", "Our weight is"))
    reworded = book.build()
    write(page().replace("holds}`w == -1.5`", "holds}`w == -2.5`"))
    disproved = book.build()

    assert (reworded.code, reworded.ran()) == (0, set())
    assert '<span class="held" data-proof="2">Our weight is −1.5</span>' in reworded.content[
        "html/index.html"].decode()  # fmt: skip
    assert disproved.ran() == {"index"}
    assert "“The weight is −1.5” does not hold:\n    w == -2.5\n    w is -1.5" in disproved.said


BLOCKS = [
    (":answer: rows[0] * rows[1] * rows[2]", ":answer: sum(rows) + 1", "raises InputError"),
    (":wrong: 3 |", ":wrong: 6 |", "exercise 'product' raises InputError"),
    (":answer: rows[0]", ":answer: row[0]", "exercise 'product' raises NameError"),
    (":hint: ", ":clue: ", "the option :clue: is not known"),
    (" | yes: ", " | it is: ", "exactly one of its options says 'yes'"),
    ("What is their product?", "```\nnothing asked\n```", "ends with a paragraph"),
]


def test_a_block_that_is_not_right_stops_the_build(book, write):
    for number, (old, new, _) in enumerate(BLOCKS):
        assert page().count(old) == 1, old
        write(page().replace(old, new).replace("fig-rows", f"fig-{number}"), f"block{number}")
    write("# All\n\n```{toctree}\n:glob:\n\nblock*\n```\n")

    built = book.build()

    assert built.code == 1, built.said
    for number, (_, _, says) in enumerate(BLOCKS):
        said = built.said.split(f"block{number}.md:")[1:]
        assert any(says in one for one in said), (says, said)


def test_the_executed_notebook_has_no_trace_of_the_questions(book, write):
    write(page())

    notebook = book.build().notebook()

    nbformat.validate(notebook)
    assert [cell.cell_type for cell in notebook.cells].count("code") == 2
