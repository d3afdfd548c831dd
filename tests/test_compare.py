"""What compare lets pass, what it does not, and what it shows."""

import json
import math
import re
from fractions import Fraction

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handgrad import (
    Comparison,
    HandgradError,
    InputError,
    KindError,
    NoWitnessError,
    ShapeMismatchError,
    WitnessError,
    compare,
)

HAND, TORCH = "My Manual Calculation", "PyTorch Gradient"
AT_ONE = {"rtol": 1e-6, "floor": 1.0}


def test_the_test_can_fail():
    """A planted factor-of-two error is caught: the witnesses are not one witness."""
    with pytest.raises(WitnessError, match="hand and autograd"):
        compare({"hand": -12.0, "autograd": -6.0}, **AT_ONE)


@pytest.mark.parametrize("wrong", [5e-8, math.nan, math.inf])
def test_small_and_broken_slopes_are_not_waved_through(wrong):
    """A slope of 1e-8 reported as 5e-8 is five times wrong, however small it is."""
    with pytest.raises(WitnessError):
        compare({"hand": 1e-8, "autograd": wrong}, rtol=1e-6, floor=1e-12)


@pytest.mark.parametrize("claim", ["agree", "same bits", "differ"])
@pytest.mark.parametrize("numbers", [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)])
def test_nan_satisfies_no_claim(claim, numbers):
    with pytest.raises(WitnessError, match=r"nan never passes.*\.isnan\(\)"):
        compare(dict(zip("ab", numbers, strict=True)), **AT_ONE, claim=claim)


def test_nan_inside_a_large_array_is_found():
    clean = torch.ones(1000)
    broken = clean.clone()
    broken[617] = math.nan

    with pytest.raises(WitnessError, match=r"value\[617\]"):
        compare({"a": clean, "b": broken}, **AT_ONE)


def test_infinities_are_equal_to_themselves_only():
    same = compare({"a": math.inf, "b": math.inf}, **AT_ONE, claim="same bits")

    assert same.rows[0].ulps == 0
    with pytest.raises(WitnessError, match="b and a"):
        compare({"a": math.inf, "b": -math.inf}, **AT_ONE)
    with pytest.raises(WitnessError):
        compare({"a": math.inf, "b": 1.7e308}, rtol=0.5, floor=1.0)


def test_zeros_of_two_signs_agree_but_do_not_share_bits():
    seen = compare({"a": 0.0, "b": -0.0}, rtol=0.0, floor=0.0)

    assert seen.verdict == "within tolerance"
    assert seen.rows[0].ulps == 0
    assert "the zeros differ in sign" in str(seen)
    with pytest.raises(WitnessError, match="zeros differ in sign"):
        compare({"a": 0.0, "b": -0.0}, rtol=0.0, floor=0.0, claim="same bits")


@pytest.mark.parametrize(
    ("dtype", "step"),
    [
        (torch.float16, 2**-10),
        (torch.bfloat16, 2**-7),
        (torch.float32, 2**-23),
        (torch.float64, 2**-52),
    ],
)
def test_one_step_is_one_ulp_in_every_format(dtype, step):
    seen = compare(
        {"a": torch.tensor(1.0, dtype=dtype), "b": torch.tensor(1.0 + 3 * step, dtype=dtype)},
        rtol=0.1,
        floor=1.0,
    )

    assert seen.rows[0].ulps == 3
    assert seen.rows[0].absolute == 3 * step


def test_an_exact_witness_measures_in_parts_of_an_ulp():
    seen = compare({HAND: 0.1, TORCH: 0.1, "Witness": Fraction(1, 10)}, rtol=1e-15, floor=0.1)
    row = seen.rows[0]

    assert row.ulps == 0
    assert row.exact == ("Witness",)
    assert row.exact_ulps == pytest.approx(0.4)
    assert seen.verdict == "same bits"
    assert "PyTorch from Witness, ulps" in str(seen)


def test_fifty_digits_are_an_exact_witness():
    with mpmath.workdps(50):
        third = mpmath.mpf(1) / 3
    seen = compare({"float": 1 / 3, "digits": third}, rtol=1e-15, floor=0.1)

    assert seen.rows[0].exact_ulps == pytest.approx(1 / 3)
    assert seen.verdict == "within tolerance"  # one column alone shares bits with nobody


def test_an_mpmath_number_too_small_for_any_memory_is_read():
    tiny = mpmath.exp(mpmath.mpf(-10) ** 9 * 10**21)

    assert tiny > 0
    assert compare({"a": 0.0, "b": tiny}, rtol=0.0, floor=1.0).rows[0].absolute == 0.0


def test_a_wider_float_counts_as_exact():
    single = torch.tensor(0.1)
    seen = compare({"float32": single, "float64": 0.1}, rtol=1e-6, floor=0.1)

    assert seen.rows[0].form == "float32"
    assert seen.rows[0].ulps is None
    assert seen.rows[0].exact_ulps == pytest.approx(0.2, abs=1e-6)
    with pytest.raises(NoWitnessError, match=r"fewer than two columns are float32.*dtype"):
        compare({"float32": single, "float64": 0.1}, rtol=1e-6, floor=0.1, claim="same bits")


def test_nothing_is_broadcast():
    with pytest.raises(ShapeMismatchError) as caught:
        compare({"a": {"w": torch.ones(3)}, "b": {"w": torch.ones(3, 1)}}, **AT_ONE)

    assert str(caught.value) == (
        "Cannot compare 'w': it has shape (3,) in 'a' and (3, 1) in 'b', and nothing is broadcast "
        "here, because broadcasting compares numbers that do not belong together. Write "
        ".reshape((3,)) in 'b' if they do belong together in this order."
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (3, r"3 is of type int.*Write 3\.0 or Fraction\(3\)"),
        (True, r"True is of type bool.*Write 1\.0"),
        (1j, r"Compare \.real and \.imag"),
        ("3", r"Write a float such as 3\.0"),
        (torch.tensor(3), r"dtype is torch\.int64.*\.to\(torch\.float64\)"),
        (torch.tensor(1j), r"complex64.*\.real and \.imag"),
        (torch.ones(2).to_sparse(), r"\.to_dense\(\)"),
        ([1.0, 2], r"2 is of type int"),
        (None.__class__, r"Write a float"),
    ],
)
def test_what_has_no_ulps_is_refused(value, says):
    with pytest.raises(KindError, match=says):
        compare({"a": value, "b": 1.0}, **AT_ONE)


def test_numpy_is_told_how_to_come_in():
    numpy = pytest.importorskip("numpy")

    with pytest.raises(KindError, match=r"torch\.as_tensor"):
        compare({"a": numpy.ones(3), "b": torch.ones(3)}, **AT_ONE)


@pytest.mark.parametrize(
    ("witnesses", "settings", "says"),
    [
        ({"a": torch.ones(0), "b": torch.ones(0)}, AT_ONE, r"holds no numbers \(shape \(0,\)\)"),
        ({"a": [], "b": 1.0}, AT_ONE, "holds no numbers"),
        ({"a": 1.0}, AT_ONE, r"Cannot compare 1 column.*Add a witness"),
        ({"a": {"w": 1.0}, "b": {"v": 1.0}}, AT_ONE, "different quantities: v, w"),
        ({"a": {}, "b": {}}, AT_ONE, "different quantities: none at all"),
        ({"a": {"w": 1.0}, "b": {"w": None}}, AT_ONE, "Only 1 column.*agreement needs two"),
        ({"a": 1.0, "b": 1.0}, {"rtol": math.nan, "floor": 1.0}, r"rtol=nan.*Write rtol=0\.0"),
        ({"a": 1.0, "b": 1.0}, {"rtol": 0.0, "floor": -1.0}, r"floor=-1\.0"),
        ({"a": 1.0, "b": 1.0}, {"rtol": math.inf, "floor": 1.0}, r"rtol=inf"),
        ({"a": 1.0, "b": 1.0}, {**AT_ONE, "claim": "agrees"}, "Did you mean 'agree'"),
        ({"a": 1.0, "b": 1.0}, {**AT_ONE, "reasons": {"valeu": "x"}}, "Did you mean 'value'"),
    ],
)
def test_questions_without_an_answer_are_refused(witnesses, settings, says):
    with pytest.raises(InputError, match=says):
        compare(witnesses, **settings)


def test_ragged_lists_have_no_shape():
    with pytest.raises(ShapeMismatchError, match=r"different lengths \[1, 2\]"):
        compare({"a": [[1.0], [1.0, 2.0]], "b": [[1.0], [1.0]]}, **AT_ONE)


def test_tolerance_and_floor_have_no_default():
    with pytest.raises(TypeError, match="rtol"):
        compare({"a": 1.0, "b": 1.0})


def test_tracked_tensors_are_read_and_left_alone():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    doubled = w * 2.0

    seen = compare({"a": doubled, "b": doubled.detach()}, **AT_ONE, claim="same bits")

    assert seen.verdict == "same bits"
    assert w.grad is None
    assert doubled.requires_grad


def test_differ_must_be_true_of_every_row():
    columns = {"a": {"v": 1.0, "w": 1.0}, "b": {"v": 2.0, "w": 1.0}}

    with pytest.raises(WitnessError, match="'w' was claimed to differ"):
        compare(columns, **AT_ONE, claim="differ")
    seen = compare({"a": 1.0, "b": 2.0}, **AT_ONE, claim="differ")
    assert seen.verdict == "differ, as claimed"
    assert seen.furthest == ("value", "a", "b")


def test_a_claim_of_bits_fails_by_one_ulp():
    with pytest.raises(WitnessError, match=r"differ, by 1 ulp.*reasons=\{'value': 'why'\}"):
        compare({"a": 0.1 + 0.2, "b": 0.3}, rtol=1e-12, floor=1.0, claim="same bits")


def test_a_large_array_is_summarised_by_its_worst_number():
    exact = torch.linspace(1.0, 2.0, 1000, dtype=torch.float64)
    other = exact.clone()
    other[3] += 2**-52
    other[700] += 2**-48

    row = compare({"a": exact, "b": other}, rtol=1e-12, floor=1.0).rows[0]

    assert (row.quantity, row.count, row.same, row.ulps) == ("value[700]", 1000, 998, 16)
    assert row.numbers == (exact[700].item(), other[700].item())
    assert not row.same_bits


def test_a_summary_says_everything_of_one_number():
    """The furthest by distance and the furthest by ulps are two numbers, not one row."""
    exact = torch.ones(1000, dtype=torch.float64)
    exact[5] = 1e-9
    other = exact.clone()
    other[3] += 4 * 2**-52
    other[5] += 2**-52

    seen = compare({"a": exact, "b": other}, rtol=1e-12, floor=1.0)
    row = seen.rows[0]

    assert (row.quantity, row.ulps, row.absolute) == ("value[3]", 4, 4 * 2**-52)
    assert row.most_ulps > 1_000_000
    assert (
        f"value[3], the worst by distance (998 of 1,000 with the same bits, "
        f"at most {row.most_ulps:,} ulps apart)"
    ) in str(seen)


def test_an_array_without_a_difference_has_no_worst():
    seen = compare({"a": torch.ones(20_000), "b": torch.ones(20_000)}, rtol=0.0, floor=1.0)

    assert "value[0], 20,000 of 20,000 with the same bits " in str(seen)


def test_the_distance_from_an_exact_witness_is_that_of_pytorch():
    seen = compare({HAND: 1.0, TORCH: 1.0 + 2**-52, "Witness": Fraction(1)}, rtol=1e-15, floor=1.0)

    assert seen.rows[0].exact_ulps == 1.0
    assert (
        compare({HAND: 1.5, TORCH: 1.0, "W": Fraction(1)}, rtol=0.5, floor=1.0).rows[0].exact_ulps
        == 0.0
    )


@pytest.mark.parametrize("zero", [{HAND: 0.0, TORCH: 1e-9}, {TORCH: 0.0, "Witness": Fraction(1)}])
def test_no_distance_from_zero_is_shown_in_ulps(zero):
    seen = compare(zero, rtol=1.0, floor=1.0)

    assert "–" in str(seen).splitlines()[1]
    assert str(seen.rows[0].ulps or seen.rows[0].exact_ulps) not in str(seen)


def test_large_distances_have_separators():
    seen = compare({"a": 1.0, "b": 1.0 + 12345 * 2**-52}, rtol=1e-9, floor=1.0)

    assert "12,345" in str(seen)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_large_array_shows_the_zero_whose_sign_differs(sign):
    ones, zero = torch.ones(1000), torch.ones(1000)
    ones[617], zero[617] = 0.0, sign * 0.0

    row = compare({"a": ones, "b": zero}, rtol=0.0, floor=1.0).rows[0]

    assert row.same_bits is (sign > 0)
    assert (row.count, row.same) == (1000, 1000 if sign > 0 else 999)
    assert row.quantity == ("value[0]" if sign > 0 else "value[617]")


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=5), st.floats(0, 1))
def test_agreement_is_the_relative_distance_of_the_extremes(numbers, rtol):
    scale = max(1.0, *map(abs, numbers))
    apart = (max(numbers) - min(numbers)) / scale
    columns = {str(i): number for i, number in enumerate(numbers)}

    if apart <= rtol:
        assert compare(columns, rtol=rtol, floor=1.0).rows[0].relative == pytest.approx(apart)
    else:
        with pytest.raises(WitnessError):
            compare(columns, rtol=rtol, floor=1.0)


@pytest.fixture
def seed_table():
    """The seed's neuron with numbers of every kind: same bits, one ulp, exact, missing."""
    return compare(
        {
            HAND: {"∂L/∂b": -0.12562575066213846, "∂L/∂w, inside out": -0.18843862599320768},
            TORCH: {"∂L/∂b": -0.12562575066213846, "∂L/∂w, inside out": -0.18843862599320771},
            "Witness": {"∂L/∂b": None, "∂L/∂w, inside out": Fraction(-18843862599320766, 10**17)},
        },
        rtol=1e-14,
        floor=1e-3,
        title="Three <times> over.",
        reasons={"∂L/∂w, inside out": "same factors, other order of rounding"},
    )


def test_text_shows_every_number_in_full(seed_table):
    text = str(seed_table)

    assert text.splitlines()[0] == "Three <times> over"
    assert "-0.18843862599320768  -0.18843862599320770  -0.18843862599320766" in text
    assert "same factors, other order of rounding" in text
    assert text.endswith("Verdict: within tolerance.")


def test_html_underlines_what_differs_from_pytorch(seed_table):
    html = seed_table._repr_mimebundle_()["text/html"]

    assert '<table class="turn" role="table">' in html
    assert "<caption><b>Three &lt;times&gt; over.</b> Verdict: within tolerance." in html
    assert f'<th role="columnheader" class="r">{HAND}</th>' in html
    assert f'<th role="columnheader" class="r">{TORCH}</th>' in html
    assert '<th role="rowheader" scope="row"><i>∂L/∂w</i>, inside out</th>' in html
    assert (
        f'<td role="cell" class="r" data-of="{HAND}"><span>−0.188438625993207<u>68</u></span></td>'
        in html
    )
    assert f'data-of="{TORCH}"><span>−0.18843862599320770</span>' in html
    assert 'data-of="Witness"></td>' in html
    assert "Three &lt;times&gt; over." in html
    assert "-" not in re.sub(r"<[^>]*>", "", html)  # the true minus sign throughout


def test_html_writes_powers_of_ten():
    html = compare({"a": 1.5e-30, "b": 1.25e-30}, rtol=1.0, floor=0.0).to_html()

    assert "<span>1.50 × 10<sup>−30</sup></span>" in html
    assert "<span>1.<u>25</u> × 10<sup>−30</sup></span>" in html


def test_the_ledger_gets_json(seed_table):
    data = seed_table._repr_mimebundle_()["application/vnd.handgrad.comparison+json"]

    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["columns"] == [HAND, TORCH, "Witness"]
    assert data["rows"][1]["numbers"][HAND] == "-0.18843862599320768"
    assert data["rows"][1]["ulps"] == 1
    assert data["furthest"] == ["∂L/∂w, inside out", TORCH, "Witness"]


def test_rows_are_found_by_name(seed_table):
    assert isinstance(seed_table, Comparison)
    assert seed_table.row("∂L/∂b").same_bits
    with pytest.raises(InputError, match="Did you mean '∂L/∂b'"):
        seed_table.row("∂L/∂B")


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_the_digits_shown_name_the_number(number):
    """Whoever types the digits of a cell gets the bits that were compared."""
    seen = compare({"a": torch.tensor(number), "b": torch.tensor(number)}, rtol=0.0, floor=0.0)
    text = seen.to_dict()["rows"][0]["numbers"]["a"]

    assert torch.tensor(float(text)).item() == number
    assert math.copysign(1.0, float(text)) == math.copysign(1.0, number)


MESSAGES = {
    "no such row": (
        lambda: compare({"a": 1.0, "b": 1.0}, **AT_ONE).row("x"),
        "There is no quantity 'x'. Known: value. Write one of them.",
    ),
    "a reason for nothing": (
        lambda: compare({"a": 1.0, "b": 1.0}, reasons={"valeu": "why"}, **AT_ONE),
        "There is no quantity in reasons 'valeu'. Known: value. Did you mean 'value'?",
    ),
    "an unknown claim": (
        lambda: compare({"a": 1.0, "b": 1.0}, claim="same", **AT_ONE),
        "There is no claim 'same'. Known: same bits, agree, differ. Did you mean 'same bits'?",
    ),
    "a negative tolerance": (
        lambda: compare({"a": 1.0, "b": 1.0}, rtol=-1e-6, floor=1.0),
        "Cannot compare with rtol=-1e-06: a distance is never below zero and must be finite to "
        "mean anything. Write rtol=0.0 or more.",
    ),
    "an infinite floor": (
        lambda: compare({"a": 1.0, "b": 1.0}, rtol=1e-6, floor=math.inf),
        "Cannot compare with floor=inf: a distance is never below zero and must be finite to "
        "mean anything. Write floor=0.0 or more.",
    ),
    "one column": (
        lambda: compare({"a": 1.0}, **AT_ONE),
        "Cannot compare 1 column(s) (a): agreement needs two. Add a witness, such as "
        "{'PyTorch Gradient': w.grad}.",
    ),
    "no column": (
        lambda: compare({}, **AT_ONE),
        "Cannot compare 0 column(s) (none): agreement needs two. Add a witness, such as "
        "{'PyTorch Gradient': w.grad}.",
    ),
    "nan": (
        lambda: compare({"hand": {"w": math.nan}, "PyTorch": {"w": 2.0}}, **AT_ONE),
        "nan among the witnesses of 'w': hand=nan, PyTorch=2.0. nan never passes, because it is "
        "near nothing, itself included. If nan is what you want to show, write assert "
        "number.isnan() instead of a comparison.",
    ),
    "no difference": (
        lambda: compare({"hand": {"w": 2.0}, "PyTorch": {"w": 2.0}}, claim="differ", **AT_ONE),
        "'w' was claimed to differ, but its witnesses agree to 0 (allowed 1e-06): hand=2.0, "
        "PyTorch=2.0. Claim 'agree', or look for the reason why the difference has gone.",
    ),
    "no agreement": (
        lambda: compare({"hand": {"w": 2.0}, "PyTorch": {"w": 2.5}, "third": {"w": 3.0}}, **AT_ONE),
        "Witnesses disagree on 'w' by 1, which is 0.33 of their size (allowed 1e-06): hand=2.0, "
        "PyTorch=2.5, third=3.0. Furthest apart: hand and third. If only a finite difference is "
        "off, look for a kink within its step; else check the formula behind the odd one out.",
    ),
    "no second float64": (
        lambda: compare({"hand": Fraction(2), "PyTorch": 2.0}, claim="same bits", **AT_ONE),
        "Cannot claim the same bits for 'value': fewer than two columns are float64 (hand=2.0, "
        "PyTorch=2.0), and only numbers of one format can share bits. Claim 'agree', or give two "
        "columns the same dtype.",
    ),
    "no float at all": (
        lambda: compare({"hand": Fraction(2), "other": Fraction(2)}, claim="same bits", **AT_ONE),
        "Cannot claim the same bits for 'value': fewer than two columns are floats "
        "(hand=2.0000000000000000, other=2.0000000000000000), and only numbers of one format can "
        "share bits. Claim 'agree', or give two columns the same dtype.",
    ),
    "zeros of two signs": (
        lambda: compare({"hand": 0.0, "PyTorch": -0.0}, claim="same bits", **AT_ONE),
        "The bits of 'value' differ, by 0 ulp(s): hand=0.0, PyTorch=-0.0. The zeros differ in "
        "sign. If the order of rounding explains it, claim 'agree' and say so: "
        "reasons={'value': 'why'}.",
    ),
    "two ulps": (
        lambda: compare({"hand": 1.0, "PyTorch": 1.0000000000000004}, claim="same bits", **AT_ONE),
        "The bits of 'value' differ, by 2 ulp(s): hand=1.0000000000000000, "
        "PyTorch=1.0000000000000004. If the order of rounding explains it, claim 'agree' and say "
        "so: reasons={'value': 'why'}.",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_to_its_last_word(name):
    """What was seen, why, and what to type."""
    call, words = MESSAGES[name]
    with pytest.raises(HandgradError) as caught:
        call()
    assert str(caught.value) == words


def test_a_notebook_is_given_three_forms():
    """Text, a table, and what the ledger collects."""
    made = compare({"a": 1.0, "b": 1.0}, **AT_ONE)

    assert made._repr_mimebundle_() == {
        "text/plain": made.to_text(),
        "text/html": made.to_html(),
        "application/vnd.handgrad.comparison+json": made.to_dict(),
    }


def test_just_the_tolerance_still_agrees():
    """And is no difference; the next float beyond it is one."""
    columns = {"a": 1.0, "b": 0.75}

    assert compare(columns, rtol=0.25, floor=1.0).verdict == "within tolerance"
    for rtol, claim in ((0.25, "differ"), (math.nextafter(0.25, 0.0), "agree")):
        with pytest.raises(WitnessError):
            compare(columns, rtol=rtol, floor=1.0, claim=claim)
    differing = compare(columns, rtol=math.nextafter(0.25, 0.0), floor=1.0, claim="differ")
    assert differing.verdict == "differ, as claimed"
    assert compare({"a": 1.0, "b": 1.0}, rtol=0.0, floor=0.0).verdict == "same bits"


def test_a_column_without_the_quantity_is_not_quoted():
    """A message names those who have said something."""
    columns = {"hand": {"w": 1.0}, "silent": {"w": None}, "PyTorch": {"w": 2.0}}

    with pytest.raises(WitnessError, match=r"\): hand=1\.0, PyTorch=2\.0\. Furthest"):
        compare(columns, **AT_ONE)
