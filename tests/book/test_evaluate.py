"""What an expression in the prose may do: look at the chapter, and nothing else."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import mpmath
import pytest
import torch
from autograd_book.inline.evaluate import answer, split_format
from autograd_book.inline.numbers import typeset


def ask(kind: str, code: str, **names: Any) -> dict[str, Any]:
    """Put one question to a chapter with these variables."""
    return answer([{"kind": kind, "number": 1, "code": code}], names)[0]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (22, "", "22"),
        (-20000, "", "−20,000"),
        (22.0, "", "22"),
        (-0.0, "", "−0"),
        (0.0001, "", "0.0001"),
        (-1.36771, ".4f", "−1.3677"),
        (1.3e-08, ".1e", "1.3\u00a0×\u00a010⁻⁸"),
        (1e-12, ".0e", "10⁻¹²"),
        (5e16, "", "5\u00a0×\u00a010¹⁶"),
        (0.602, ".1%", "60.2\u00a0%"),
        (float("inf"), "", "∞"),
        (float("-inf"), "", "−∞"),
        (float("nan"), ".2f", "NaN"),
        (Fraction(-3, 4), "", "−3/4"),
        (torch.tensor(-2.5), ".1f", "−2.5"),
        (torch.tensor(3), "", "3"),
        (mpmath.mpf("0.25"), "", "0.25"),
        ([22.04, 22.004], ".3f", "22.040, 22.004"),
        ("a word", "", "a word"),
        (None, "", "None"),
        (True, "", "True"),
    ],
)
def test_a_value_is_set_as_a_sentence_needs_it(value, form, text):
    assert typeset(value, form) == text


@pytest.mark.parametrize("value", [1 / 3, torch.tensor(0.1, dtype=torch.float64) * 3])
def test_a_long_float_asks_for_a_format(value):
    with pytest.raises(ValueError, match=r"too long for a sentence; give it a format, such as :"):
        typeset(value)


@pytest.mark.parametrize("value", [torch.ones(2), object(), {1: 2}])
def test_what_no_sentence_can_show_is_named(value):
    with pytest.raises(TypeError, match=f"gives a {type(value).__name__}"):
        typeset(value)


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("b.grad", ("b.grad", "")),
        ("b.grad:.6f", ("b.grad", ".6f")),
        ("rows[1:2][0]:.1f", ("rows[1:2][0]", ".1f")),
        ("{1: 2}[1]", ("{1: 2}[1]", "")),
        ("(lambda x: x)(2):d", ("(lambda x: x)(2)", "d")),
        ("f'{x:.2f}'", ("f'{x:.2f}'", "")),
    ],
)
def test_a_format_is_what_follows_the_expression(field, parts):
    assert split_format(field) == parts


@pytest.mark.parametrize(
    ("code", "gave"),
    [
        ("b == 2", [["b", "1"]]),
        ("0 < b < 1", [["b", "1"]]),
        ("b == 1 and b > 5", [["b", "1"]]),
        ("all(r > 1 for r in rows)", [["all((r > 1 for r in rows))", "False"], ["r", "1.0"]]),
        ("torch.equal(t, 2 * t)", [["torch.equal(t, 2 * t)", "False"]]),
        ("len(rows) == b + 3", [["len(rows)", "2"], ["b + 3", "4"]]),
        ("b in (2, 3)", [["b", "1"]]),
    ],
)
def test_a_false_claim_shows_its_sides(code, gave):
    said = ask("holds", code, b=1, rows=[1.0, 2.0], t=torch.ones(2), torch=torch)

    assert (said["held"], said["gave"]) == (False, gave)


@pytest.mark.parametrize(
    "code", ["b == 1", "b", "torch.tensor(b)", "b == 1 and b < 2", "not (b != 1)"]
)
def test_a_true_claim_holds(code):
    assert ask("holds", code, b=True, torch=torch)["held"]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("1 / 0", "raises ZeroDivisionError"),
        ("unknown", "raises NameError: name 'unknown' is not defined"),
        ("(b ==", "raises SyntaxError"),
        ("b = 2", "raises SyntaxError"),
        ("b", "a claim is True or False, and this gives a int"),
        ("t == t", "say which, with .all()"),
        ("print(b) is None", "prints '1'"),
        ("warnings.warn('hm') is None", "warns: hm"),
        ("(c := 1) == 1", "makes a variable c"),
        ("rows.append(1) is None", "changes rows"),
        ("rows[0].update(x=2) is None", "changes rows"),
        ("t.add_(1) is t", "changes t"),
        ("w.mul(2).sum().backward() is None", "changes w"),
        ("setattr(layer, 'bias', None) is None", "changes layer"),
        ("layer.weight.data.add_(1) is not None", "changes layer"),
        ("next(walk) == 0", "changes walk"),
        ("bool(torch.rand(()) < 2)", "changes a random generator"),
        ("random.random() < 2", "changes a random generator"),
        ("torch.set_grad_enabled(False) is not None", "a mode of torch"),
    ],
)
def test_an_expression_may_only_look(code, fault):
    names = {"b": 1, "t": torch.ones(2), "w": torch.ones(2, requires_grad=True), "torch": torch,
             "layer": torch.nn.Linear(2, 1), "rows": [{}], "walk": iter(range(3)),
             "random": random, "warnings": __import__("warnings")}  # fmt: skip
    try:
        said = ask("holds", code, **names)
    finally:
        torch.set_grad_enabled(True)

    assert fault in said["fault"]


def test_a_change_is_told_of_the_expression_that_made_it():
    rows: list[int] = []
    asked = [{"kind": "py", "number": n, "code": code}
             for n, code in enumerate(["len(rows)", "rows.append(1)", "len(rows)"])]  # fmt: skip

    said = answer(asked, {"rows": rows})

    assert ["fault" in one for one in said] == [False, True, False]


def test_an_exercise_is_made_and_its_checker_asked():
    asked = {"kind": "exercise", "number": 0, "key": "k", "code": "6.0", "answer": "3 * b",
             "digits": 1, "unit": None, "choices": [], "lettered": False,
             "wrong": [{"code": "b", "words": ["It was ", 1, "."]},
                       {"code": "-3 * b", "words": ["The sign."]}]}  # fmt: skip
    value = {"kind": "py", "number": 1, "code": "b:.1f"}

    said = answer([value, asked], {"b": 2.0})[1]

    assert said["record"]["answer"] == ["6.0"]
    assert [known["words"] for known in said["record"]["known"]][:2] == ["It was 2.0.", "The sign."]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": "b"}, "raises InputError"),  # a wrong answer that is right
        ({"wrong": [{"code": "2.0", "words": ["a"]}, {"code": "2.04", "words": ["b"]}]}, "raises"),
        ({"answer": "1 / 0"}, "raises ZeroDivisionError"),
    ],
)
def test_an_exercise_whose_wrong_answer_is_right_is_a_fault(change, says):
    asked = {"kind": "exercise", "number": 0, "key": "k", "code": "", "answer": "6.0",
             "digits": 1, "unit": None, "choices": [], "lettered": False,
             "wrong": [{"code": "b", "words": ["a"]}, {"code": "3.0", "words": ["b"]}]}  # fmt: skip

    assert says in answer([asked | change], {"b": 2.0})[0]["fault"]


def test_what_a_claim_gave_has_no_address():
    """It stands in the list of proofs, and two builds of a page are the same bytes."""
    node = (torch.ones((), requires_grad=True) * 2).grad_fn

    said = ask("holds", "node is not None and node in [node]", node=node)

    assert said["gave"] == [
        ["node", "<MulBackward0 object>"], ["node", "<MulBackward0 object>"],
        ["[node]", "[<MulBackward0 object>]"],
    ]  # fmt: skip
