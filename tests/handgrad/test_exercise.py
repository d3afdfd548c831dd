"""An exercise accepts what means the answer, rejects the rest, and says why."""

import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from handgrad import Checker, Exercise, HandgradError, InputError
from handgrad.exercises.patterns import pattern, readings, text
from handgrad.exercises.promise import plain

WRONG = {"one": (1.0, "Where is the second factor?"), "two": (2.0, "Which factor comes twice?")}


def means(value, digits, attempt):
    texts = readings(plain(attempt))
    return any(re.fullmatch(pattern(value, digits), reading) for reading in texts)


# value, digits, attempts that mean it, attempts that do not
READ = {
    "decimal": (
        -1.36767,
        4,
        [
            "-1.3677",
            "−1.3677",
            " –1,3677 ",
            "- 1.3677",
            "-01.3677",
            "-1.367651",
            "-1.36774",
            -1.36767,
            torch.tensor(-1.36767, dtype=torch.float64),
            "-1.36770",
        ],
        ["1.3677", "-1.3676", "-1.3678", "-1.367", "-1.36775", "-11.3677", "−1.3677x", "", "-"],
    ),
    "round decimal": (
        0.5,
        4,
        ["0.5", ".5", "0.50000", "1/2", "2/4", ",5", 0.5, "+0.5"],
        ["5", "0.05"],
    ),
    "whole float": (6.0, 1, ["6", "6.0", "6.", 6, "6,00", "5.96"], ["6.1", "5.9", "60", "-6"]),
    "no decimals": (20000.0, 0, ["20000", "20000.4", 20000], ["20001", "2000"]),
    "zero": (0.0, 4, ["0", "-0", "0.0000", ".0", 0, -0.0, "0.00004"], ["0.0001", "None", "O"]),
    "integer": (
        20000,
        4,
        ["20000", "20,000", "20 000", "20000.0", 20000, 2e4],
        ["20001", "2000", "20.000"],
    ),
    "small integer": (5, 4, ["5", "+5", "05", 5, 5.0, torch.tensor(5)], ["5.1", "-5", "55", "5,1"]),
    "tiny": (
        9.9148e-14,
        2,
        ["9.9e-14", "9.9E-14", "9,9 × 10^-14", "9.9×10⁻¹⁴", "9.9*10**-14", "9.91e−14", 9.9148e-14],
        ["9.9e14", "9.8e-14", "9.9e-13", "0.0", "9.9"],
    ),
    "power of ten": (1e-9, 3, ["1e-9", "1.00e-9", "9.996e-10"], ["9.99e-10", "1e-8"]),
    "nothing": (None, 4, ["None", "none", " NONE ", None], ["0", 0, "Non", "no ne"]),
    "word": ("MulBackward0", 4, ["MulBackward0", "mulbackward0"], ["Mul", "AddBackward0"]),
    "words": ("the loss (L)", 4, ["the  loss (L)"], ["the loss L", "theloss (L)"]),
    "truth": (True, 4, ["true", True], ["1", "yes"]),
    "shape": (
        (2, 3),
        4,
        ["(2, 3)", "2,3", "[2; 3]", torch.Size([2, 3]), [2, 3]],
        ["2", "(3, 2)", "23"],
    ),
    "one length": ((3,), 4, ["(3,)", "3", "[3]", torch.Size([3])], ["(3, 1)", "()"]),
    "scalar shape": ((), 4, ["()", "[]", torch.Size([])], ["0", "(1,)", ""]),
    "slopes": (
        (1.0, -0.25),
        2,
        ["1, -0.25", "(1.00, −0.25)", torch.tensor([1.0, -0.25])],
        ["1, 0.25"],
    ),
    "order": (("Pow", "Mul"), 4, ["pow, mul", "(Pow, Mul)"], ["Mul, Pow", "Pow"]),
    "infinite": (float("inf"), 4, ["inf", "∞", float("inf"), "Infinity"], ["-inf", "nan", "1e99"]),
    "not a number": (float("nan"), 4, ["nan", "NaN", float("nan")], ["0", "inf"]),
}


@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_attempts_are_read_as_people_write_them(case):
    value, digits, right, wrong = case

    assert [attempt for attempt in right if not means(value, digits, attempt)] == []
    assert [attempt for attempt in wrong if means(value, digits, attempt)] == []
    assert means(value, digits, text(value, digits))


decimals = st.decimals(-2000, 2000, places=6)


@given(value=st.floats(-999, 999), attempt=decimals, digits=st.integers(1, 5))
def test_a_decimal_counts_exactly_if_it_rounds_to_the_answer(value, attempt, digits):
    assume(abs(value) >= 10.0 ** (1 - digits) or value == 0)
    unit = Decimal(1).scaleb(-digits)
    near = Decimal(repr(value)).quantize(Decimal("1e-6")) + attempt.scaleb(-digits - 3)
    for tried in (attempt, near.quantize(Decimal("1e-6"))):
        expected = tried.quantize(unit, rounding=ROUND_HALF_UP) == Decimal(repr(value)).quantize(
            unit, rounding=ROUND_HALF_UP
        )

        if (
            tried.quantize(unit, rounding=ROUND_HALF_UP) or not tried
        ):  # "−0.00004" is a matter of taste
            assert means(value, digits, f"{tried:f}") == expected


@given(value=st.floats(-1e300, 1e300), digits=st.integers(1, 6))
def test_every_float_means_itself(value, digits):
    assert means(value, digits, value)
    assert means(value, digits, text(value, digits))


@given(value=st.fractions(-50, 50, max_denominator=60))
def test_a_fraction_is_its_decimal(value):
    assume(abs(value) >= Fraction(1, 1000) or not value)

    assert means(float(value), 4, f"{value.numerator}/{value.denominator}")


def onion(**changes):
    given = {"answer": -1.3677, "digits": 4, "wrong": WRONG} | changes
    return Exercise("onion", **given)


def test_each_wrong_answer_gets_its_own_hint():
    exercise = onion()

    said = {name: exercise.check(value) for name, (value, _) in WRONG.items()}

    assert {name: response.words for name, response in said.items()} == {
        name: hint for name, (_, hint) in WRONG.items()
    }
    assert not any(response.right for response in said.values())
    assert exercise.check(-1.36768).right
    assert str(exercise.check("−1.3677")) == "✓ Yes: −1.3677."


@pytest.mark.parametrize(
    ("attempt", "words"),
    {
        "1.3677": "The size is right. Look at the sign.",
        "-1.37": "Right so far, but too coarse: 4 decimals are asked for.",
        "3": "Not yet. The hint may help.",
        "minus one": "That does not read as a number. Write one, such as −0.5 or 3/4.",
        "": "That does not read as a number. Write one, such as −0.5 or 3/4.",
        "None": "Not yet. The hint may help.",
        "1/0": "Not yet. The hint may help.",
    }.items(),
)
def test_other_attempts_are_told_what_is_known_of_them(attempt, words):
    assert str(onion().check(attempt)) == f"≠ {words}"


def test_the_author_speaks_before_the_machine():
    wrong = WRONG | {"sign": (1.3677, "Prediction minus target.")}
    exercise = onion(wrong=wrong)

    assert exercise.check(1.3677).words == "Prediction minus target."
    names = [known["name"] for known in exercise.to_dict()["known"]]
    assert names == ["one", "two", "sign", "too coarse"]


def test_dots_are_no_attempt():
    assert "in place of the dots" in str(onion().check())


FLAGS = {"w": 22.0, "b": None}
BAD_FLAGS = {
    "both": ({"w": 22.0, "b": 11.0}, "Is b trainable?"),
    "neither": ({"w": None, "b": None}, "Is w trainable?"),
}


def test_several_fields_are_judged_together_and_named_apart():
    exercise = Exercise("flags", answer=FLAGS, wrong=BAD_FLAGS)
    check = Checker()
    check.add(exercise)

    assert check("flags", w="22", b="none").right
    assert check("flags", w=22, b=11.0).words == "Is b trainable?"
    assert check("flags", {"w": 5, "b": None}).words == "Not yet. Look again at w."
    with pytest.raises(InputError, match=r"fields w, b, .* fields w\."):
        check("flags", w=22)
    with pytest.raises(InputError, match="fields w, b, but was given 22"):
        check("flags", 22)
    with pytest.raises(InputError, match="Did you mean 'flags'"):
        check("flag", 1)


def test_choices_are_known():
    wrong = {"a": ("loss", "It has slope one."), "b": ("affine", "It strengthens.")}
    layers = ("loss", "activation", "affine")

    assert (
        Exercise("layer", answer="activation", wrong=wrong, choices=layers)
        .check("Activation")
        .right
    )
    with pytest.raises(InputError, match=r"choice of exercise 'layer' 'activaton'.*Did you mean"):
        Exercise("layer", answer="activaton", wrong=wrong, choices=layers)


BROKEN = {
    "one wrong answer": ({"wrong": {"one": (1.0, "Hint")}}, "names 1 wrong answer"),
    "same hint": ({"wrong": {"one": (1.0, "Hint"), "two": (2.0, "Hint")}}, "the same hint twice"),
    "empty hint": ({"wrong": {"one": (1.0, ""), "two": (2.0, "Hint")}}, "an empty hint"),
    "wrong is right": (
        {"wrong": {"one": (1.0, "Hint"), "rounded": (-1.36771, "Other")}},
        "cannot tell 'answer' .* from 'rounded'",
    ),
    "wrong twice": (
        {"wrong": {"one": (1.0, "Hint"), "also one": (1, "Other")}},
        "cannot tell 'one' .* from 'also one'",
    ),
    "on the edge": ({"answer": 0.00125, "digits": 4, "wrong": WRONG}, "rounding noise"),
    "answer in a hint": (
        {"wrong": {"one": (1.0, "It is -1.3677."), "two": (2.0, "Hint")}},
        "gives its answer −1.3677 away in the hint for 'one'",
    ),
    "other fields": ({"answer": FLAGS}, "has the fields w, b, but was given 1.0"),
}


@pytest.mark.parametrize(("changes", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_cannot_be_built(changes, words):
    with pytest.raises(HandgradError, match=words):
        onion(**changes)


def test_the_record_holds_all_that_a_page_needs():
    record = onion()._repr_mimebundle_()["application/vnd.handgrad.exercise+json"]

    assert record["key"] == "onion"
    assert [known["words"] for known in record["known"]][:2] == [hint for _, hint in WRONG.values()]
    assert record["fields"][0]["placeholder"] == "0.0000"
    assert "-1.3677" not in str(onion())
