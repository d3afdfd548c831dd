"""Plant a fault in a small book: the build must stop, and say where and what."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import handgrad

pytestmark = pytest.mark.slow

FRONT = """\
---
file_format: mystnb
kernelspec: {{name: python3, display_name: Python 3, language: python}}
{more}
---
# {title}

"""
CELL = "```{{code-cell}} python3\n{}\n```\n"
BROKEN = """\
class Broken:
    def _repr_mimebundle_(self, include=None, exclude=None):
        row = {"quantity": "slope", "numbers": {"hand": "-6.0", "PyTorch": "-3.0"},
               "format": "float64", "absolute": 3.0, "relative": 0.5, "ulps": 9,
               "exact_ulps": None, "same_bits": False, "reason": None, "count": 1, "same": 0,
               "most_ulps": 9}
        table = {"title": None, "columns": ["hand", "PyTorch"], "claim": "agree",
                 "verdict": "within tolerance", "rtol": 1e-6, "floor": 1.0,
                 "furthest": None, "rows": [row]}
        return {"text/plain": "", "application/vnd.handgrad.comparison+json": table}

Broken()"""
EXERCISE = """\
:::{exercise} KEY
Which?

:answer: 2 | Two.
:wrong: 1 | More.
:wrong: 3 | Less.
:::
"""

COMPARES = "compare(columns={'a': 1.0, 'b': 1.0}, rtol=0.0, floor=1.0)"

# name: (code cells, text below them, more front matter, what the build says)
PAGES = {
    "raises": (["1 / 0"], "", "", ["ZeroDivisionError"]),
    "silent": (
        [":tags: [raises-exception]\n:raises: ValueError\n1 + 1"],
        "",
        "",
        ["silent.md:9: WARNING: cell 1: should raise ValueError and raised nothing"],
    ),
    "other-error": (
        [":tags: [raises-exception]\n:raises: ValueError\n1 / 0"],
        "",
        "",
        ["cell 1: should raise ValueError and raised ZeroDivisionError"],
    ),
    "other-message": (
        [
            ":tags: [raises-exception]\n:raises: ZeroDivisionError\n:raises-match: modulo\n1 / 0",
            ":tags: [raises-exception]\n:raises: ZeroDivisionError\n:raises-match: by zer.$\n1 / 0",
            ":tags: [raises-exception]\n:raises: ZeroDivisionError\n:raises-match: '('\n1 / 0",
            ":raises-match: zero\n1",
        ],
        "",
        "",
        [
            "cell 1: should raise a message that matches 'modulo'; it was 'division by zero'",
            "cell 3: says ':raises-match: (', no regular expression: missing ),",
            "cell 4: says ':raises-match: zero' without ':raises:'",
        ],
    ),
    "unnamed-error": (
        [":tags: [raises-exception]\n1 / 0"],
        "",
        "",
        ["does not say which; add ':raises: ZeroDivisionError'"],
    ),
    "untagged-error": (
        [":raises: ValueError\n1 + 1"],
        "",
        "",
        ["without the tag raises-exception"],
    ),
    "stderr": (
        [
            "import sys\nprint('oh', file=sys.stderr)",
            ":tags: [remove-cell]\nimport warnings\nwarnings.warn('hidden')",
        ],
        "",
        "",
        ["cell 1: wrote to stderr: oh", "cell 2: wrote to stderr: ", "UserWarning: hidden"],
    ),
    "missing-number": (
        ["x = 1"],
        "It is {py}`missing`.",
        "",
        ["missing-number.md:12: WARNING: {py}`missing` raises NameError"],
    ),
    "broken-reference": (
        ["x = 1"],
        "See {ref}`nowhere`, {doc}`nothing` and [this](#neither).",
        "",
        ["undefined label: 'nowhere'", "unknown document: 'nothing'", "neither"],
    ),
    "left-out": (
        ["x = 1", "x + 1"],
        "",
        "mystnb: {execution_mode: 'off'}",
        ["cell 1: did not run", "cell 2: did not run"],
    ),
    "skipped": ([":tags: [skip-execution]\nx = 1"], "", "", ["is tagged skip-execution"]),
    "address": (
        ["object()"],
        "At {py}`repr(object())`, {py}`hex(2**40)`.",
        "",
        ["cell 1: shows an object's address, 0x", "address.md:12: WARNING: {py}`repr(object())`"],
    ),
    "path": (
        ["import torch\nprint(torch.__file__)", "print('/home/somebody/book')"],
        "",
        "",
        ["cell 1: shows a path of this machine", "some machine, /home/somebody/book"],
    ),
    "folder": (
        [
            "import json, os.path\nprint(os.path.dirname(json.__file__))",
            "from pathlib import Path\nimport tempfile\n(Path(tempfile.gettempdir()), 1)",
        ],
        "",
        "",
        [f"cell {number}: shows a path of this machine, /" for number in (1, 2)],
    ),
    "lost": (
        [f"from handgrad import compare\n{COMPARES}\nx = 1", f"x = {COMPARES}\n{COMPARES};"],
        "",
        "",
        [f"cell {number}: compares without showing it" for number in (1, 2)],
    ),
    "false-claim": (
        [BROKEN],
        "",
        "",
        ["'slope' is not 'agree', as claimed: hand -6.0, PyTorch -3.0"],
    ),
    "no-reason": (
        [BROKEN.replace('"relative": 0.5', '"relative": 1e-16')],
        "",
        "",
        ["'slope' is 9 ulp(s) apart and the ledger has no reason"],
    ),
    "false-comparison": (
        [
            "from handgrad import compare\n"
            "compare(columns={'a': 1.0, 'b': 1.1}, rtol=1e-6, floor=1.0)"
        ],
        "",
        "",
        ["WitnessError", "Columns disagree on 'value'"],
    ),
    "early-exercise": (
        [],
        EXERCISE + "\n" + CELL.format("x = 1"),
        "",
        ["exercise 'KEY' stands before the first cell"],
    ),
    "old-blocks": (
        ["x = 1"],
        "::::{exercise} old\nWhich?\n\n:::{answer}\nNone.\n:::\n::::\n\n"
        ":::{prediction}\nWhich?\n- this | yes\n:::",
        "",
        [
            "{exercise} old: it needs either an ':answer:' or a list of options, and not both",
            "1 argument(s) required, 0 supplied",
        ],
    ),
    "bad-exercise": (
        ["x = 1"],
        EXERCISE.replace(":wrong: 1", ":wrong: 2"),
        "",
        ["exercise 'KEY' raises InputError", "cannot tell"],
    ),
    "asserted": (
        ["slope = -12.0\nassert slope > 0"],
        "It is {py}`slope`.",
        "",
        ["Executing notebook failed: asserted.md, cell 1 (line 9)"],
    ),
    "typed": (
        ["x = 5", ":tags: [remove-cell]\nhidden = 41"],
        "With 5 given, 41 of 20,000 had slope −0.1884, about 9.9 × 10⁻¹⁴ in float64 (1991).\n\n"
        "- 4 in a list\n\n> 6 in a quote\n\n"
        "`7`, $5$, $u = 5$, $x^{12}$, $13 x = 26 + y$ may stand, $14${holds}`2 * x + 4 == 14` too; "
        "$8$, $z = 9$, $-5$, $z \\approx 1{,}500$ may not.",
        "",
        [
            f"'{number}' is typed"
            for number in (
                "41",
                "20,000",
                "−0.1884",
                "9.9 × 10⁻¹⁴",
                "4",
                "6",
                "8",
                "9",
                "-5",
                "1,500",
            )
        ],
    ),
    "typed-name": (
        ["x = 1"],
        "Chapter 12 of volume 3.",
        'typed: {"Chapter 12": a book, "volume 4": gone}',
        ["'3' is typed", "allows 'volume 4' to be typed, but no sentence has it"],
    ),
    "typed-anywhere": (
        ["x = 5.5 - 2", ":tags: [remove-cell]\nassert 0.75 < 1\ny = -2, 1j"],
        "![A slope of 0.41](pic.svg), [a slope of 0.46](typed.md), [0.47](https://example.org), "
        "see[^a], <b>0.55</b>, .58, 60x, 61ms, 2.5E-6, ½, −5.5, 3 × 10⁷.\n\n"
        "[^a]: It is 0.48.\n\n<div>0.56</div>\n\n"
        "As −2, 2 and 5.5; $-0.52$, `f(0.54)`, $x < 0.75$, `5.5`, <https://example.org/0.99>.",
        "",
        [
            f"'{number}' is typed"
            for number in (
                *("0.41", "0.46", "0.47", "0.48", "0.55", "0.56", ".58", "60", "61", "2.5E-6"),
                *("½", "−5.5", "3 × 10⁷", "0.52", "0.54"),
            )
        ],
    ),
    "typed-title": (
        ["x = 1"],
        EXERCISE.replace("KEY\n", "titled\n:title: At 0.48\n"),
        "",
        ["'0.48' is typed"],
    ),
    "wrong-chapter": (
        ["x = 1"],
        "See [Chapter 7](typed.md).",
        "",
        ["the link leads to no chapter"],
    ),
    "misspelled-key": (
        ["x = 1"],
        "",
        "executoin: {timeout: 9}\nexecution: {timout: 9}\norphan: true",
        [
            "has 'executoin', which nothing reads; did you mean 'execution'?",
            "has 'timout', which nothing reads; did you mean 'timeout'?",
            "has 'orphan', which nothing reads; write",
        ],
    ),
    "misspelled-option": (
        [
            ":tgas: [remove-cell]\nx = 1",
            ":tags: [remove-cel]\nx = 1",
            ":mystnb:\n:  figure:\n:    captoin: Words\nx = 1",
        ],
        "",
        "",
        [
            "cell 1: the cell has 'tgas', which nothing reads; did you mean 'tags'?",
            "cell 2: the cell's tags has 'remove-cel', which nothing reads; did you mean",
            "cell 3: the cell's mystnb's figure has 'captoin', which nothing reads",
        ],
    ),
    "no-run": (["x = 1"], "{run}`guesses` of them.", "", ["The run has no 'guesses'"]),
}
RIGHT = {
    "typed": ["'5'", "'7'", "'12'", "'13'", "'14'", "'26'", "'1991'", "'64'"],
    "other-message": ["cell 2:"],
    "typed-name": ["'12'"],
    "typed-anywhere": ["'−2'", "'2'", "'5.5'", "'0.75'", "'0.99'"],
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory, empty_book):
    """Return the build of a book in which each page has its own fault."""
    book = empty_book(tmp_path_factory.mktemp("faulty"))
    for name, (cells, text, more, _) in PAGES.items():
        body = "\n".join(CELL.format(cell) for cell in cells)
        page = FRONT.format(more=more, title=name) + body + "\n" + text + "\n"
        (book.docs / f"{name}.md").write_text(page, encoding="utf-8")
    picture = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
    (book.docs / "pic.svg").write_text(picture)
    plain = "# Plain\n\n```{code-cell} python3\n1 / 0\n```\n\n"
    (book.docs / "plain.md").write_text(plain + EXERCISE.replace("KEY", "plain"))
    index = "# Faults\n\n```{toctree}\n:glob:\n\n*\n```\n"
    (book.docs / "index.md").write_text(index, encoding="utf-8")
    return book.build()


@pytest.mark.fault("a book with all of these at once", "stopped")
def test_a_faulty_book_is_not_built(planted):
    assert planted.code == 1


@pytest.mark.fault("a page of which this is wrong: {}", "stopped")
@pytest.mark.parametrize("name", PAGES)
def test_each_fault_is_reported_with_its_page(name, planted):
    said = [line for line in planted.said.splitlines() if f"/{name}.md" in line or "Error:" in line]
    for words in PAGES[name][3]:
        assert any(words in line for line in said), f"nobody said {words!r}"
    for words in RIGHT.get(name, []):
        here = [line for line in said if f"/{name}.md" in line]
        assert not any(words in line for line in here), f"{words!r} was said"


@pytest.mark.fault("cells on a page that is no notebook", "stopped")
def test_cells_of_a_page_that_is_no_notebook_are_reported(planted):
    assert "plain.md:3: WARNING: Found an unexpected `code-cell`" in planted.said
    assert "plain.md:7: WARNING: exercise 'plain' stands on a page that runs" in planted.said


@pytest.mark.fault("a fault on a page that is not read again", "stopped")
def test_a_second_build_does_not_forget_the_faults(tmp_path, empty_book):
    """What is not read again is not warned of again: the first failure must be remembered."""
    book = empty_book(tmp_path / "book")
    page = FRONT.format(more="", title="Index") + CELL.format("object()")
    (book.docs / "index.md").write_text(page, encoding="utf-8")

    assert [book.build().code, book.build().code] == [1, 1]


CHAPTER = FRONT.format(more="", title="The neuron") + CELL.format(
    """\
import sys

for name in [name for name in sys.modules if name.split(".")[0] == "handgrad"]:
    del sys.modules[name]
sys.path.insert(0, SOURCE)
import torch
from handgrad import Neuron, autograd_gradients, compare

neuron = Neuron(torch.tensor(0.7), torch.tensor(-0.2), activation="tanh")
x, target = torch.tensor(1.5), torch.tensor(1.0)
hand = neuron.manual_gradients(x, target)
machine = autograd_gradients(neuron, x, target)
columns = {"My Manual Calculation": hand, "PyTorch Gradient": machine}
shown = {name: {"b": table["b"]} for name, table in columns.items()}
compare(columns=shown, rtol=1e-6, floor=1.0, reasons={"b": "rounded in another order"})"""
)


@pytest.mark.fault("a wrong sign in the package, shown by a chapter", "stopped")
def test_a_wrong_formula_in_the_package_stops_the_build(tmp_path, empty_book):
    """The book is built from a copy of src, right first, then with one sign changed."""
    book = empty_book(tmp_path / "book")
    shutil.rmtree(book.src)
    shutil.copytree(Path(handgrad.__file__).parent.parent, book.src)
    book.configure('nb_fork_sources = ["../src"]')
    page = CHAPTER.replace("SOURCE", repr(str(book.src)))
    (book.docs / "index.md").write_text(page, encoding="utf-8")
    right = book.build()
    assert right.code == 0, right.said
    formulas = book.src / "handgrad" / "neuron" / "formulas.py"
    text = formulas.read_text(encoding="utf-8")
    assert "1.0 - p * p" in text
    formulas.write_text(text.replace("1.0 - p * p", "1.0 + p * p"), encoding="utf-8")

    wrong = book.build()

    assert wrong.code == 1
    assert "Columns disagree on 'b'" in wrong.said
    formulas.write_text(text, encoding="utf-8")
    assert book.build().code == 0
