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
        compare(columns={"hand": -12.0, "autograd": -6.0}, **AT_ONE)


@pytest.mark.parametrize("wrong", [5e-8, math.nan, math.inf])
def test_small_and_broken_slopes_are_not_waved_through(wrong):
    """A slope of 1e-8 reported as 5e-8 is five times wrong, however small it is."""
    with pytest.raises(WitnessError):
        compare(columns={"hand": 1e-8, "autograd": wrong}, rtol=1e-6, floor=1e-12)


@pytest.mark.parametrize("claim", ["agree", "same bits", "differ"])
@pytest.mark.parametrize("numbers", [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)])
def test_nan_satisfies_no_claim(claim, numbers):
    with pytest.raises(WitnessError, match=r"nan never passes.*\.isnan\(\)"):
        compare(columns=dict(zip("ab", numbers, strict=True)), **AT_ONE, claim=claim)


def test_nan_inside_a_large_array_is_found():
    clean = torch.ones(1000)
    broken = clean.clone()
    broken[617] = math.nan

    with pytest.raises(WitnessError, match=r"value\[617\]"):
        compare(columns={"a": clean, "b": broken}, **AT_ONE)


def test_infinities_are_equal_to_themselves_only():
    same = compare(columns={"a": math.inf, "b": math.inf}, **AT_ONE, claim="same bits")

    assert same.rows[0].ulps == 0
    with pytest.raises(WitnessError, match="b and a"):
        compare(columns={"a": math.inf, "b": -math.inf}, **AT_ONE)
    with pytest.raises(WitnessError):
        compare(columns={"a": math.inf, "b": 1.7e308}, rtol=0.5, floor=1.0)
    assert (
        compare(columns={"a": math.inf, "b": 1.0}, **AT_ONE, claim="differ").rows[0].relative
        == math.inf
    )


@pytest.mark.parametrize("pair", [(math.inf, mpmath.mpf(1)), (1.0, mpmath.inf)])
def test_an_infinity_is_infinitely_many_ulps_from_an_exact_number(pair):
    seen = compare(columns=dict(zip("ab", pair, strict=True)), **AT_ONE, claim="differ")

    assert seen.rows[0].exact_ulps == math.inf
    same = compare(columns={"a": math.inf, "b": mpmath.inf}, **AT_ONE)
    assert same.rows[0].exact_ulps == 0.0


def test_a_rational_beyond_every_float_is_infinitely_far():
    huge = Fraction(10) ** 400

    row = compare(columns={"a": 1.0, "b": huge}, **AT_ONE, claim="differ").rows[0]

    assert (row.absolute, row.relative) == (math.inf, math.inf)
    with pytest.raises(WitnessError, match=r"by inf.*b=1\.0\d*e\+400"):
        compare(columns={"a": 1.0, "b": huge}, rtol=1e300, floor=1.0)


def test_zeros_of_two_signs_agree_but_do_not_share_bits():
    seen = compare(columns={"a": 0.0, "b": -0.0}, rtol=0.0, floor=0.0)

    assert seen.verdict == "within tolerance"
    assert seen.rows[0].ulps == 0
    assert "the zeros differ in sign" in str(seen)
    with pytest.raises(WitnessError, match="zeros differ in sign"):
        compare(columns={"a": 0.0, "b": -0.0}, rtol=0.0, floor=0.0, claim="same bits")


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
        columns={
            "a": torch.tensor(1.0, dtype=dtype),
            "b": torch.tensor(1.0 + 3 * step, dtype=dtype),
        },
        rtol=0.1,
        floor=1.0,
    )

    assert seen.rows[0].ulps == 3
    assert seen.rows[0].absolute == 3 * step


def test_an_exact_witness_measures_in_parts_of_an_ulp():
    seen = compare(
        columns={HAND: 0.1, TORCH: 0.1, "Witness": Fraction(1, 10)}, rtol=1e-15, floor=0.1
    )
    row = seen.rows[0]

    assert row.ulps == 0
    assert row.exact == ("Witness",)
    assert row.exact_ulps == pytest.approx(0.4)
    assert seen.verdict == "same bits"
    assert "PyTorch from Witness, ulps" in str(seen)


def test_fifty_digits_are_an_exact_witness():
    with mpmath.workdps(50):
        third = mpmath.mpf(1) / 3
    seen = compare(columns={"float": 1 / 3, "digits": third}, rtol=1e-15, floor=0.1)

    assert seen.rows[0].exact_ulps == pytest.approx(1 / 3)
    assert seen.verdict == "within tolerance"  # one column alone shares bits with nobody


def test_an_mpmath_number_too_small_for_any_memory_is_read():
    tiny = mpmath.exp(mpmath.mpf(-10) ** 9 * 10**21)

    assert tiny > 0
    assert compare(columns={"a": 0.0, "b": tiny}, rtol=0.0, floor=1.0).rows[0].absolute == 0.0


def test_a_wider_float_counts_as_exact():
    single = torch.tensor(0.1)
    seen = compare(columns={"float32": single, "float64": 0.1}, rtol=1e-6, floor=0.1)

    assert seen.rows[0].form == "float32"
    assert seen.rows[0].ulps is None
    assert seen.rows[0].exact_ulps == pytest.approx(0.2, abs=1e-6)
    with pytest.raises(NoWitnessError, match=r"fewer than two columns are float32.*dtype"):
        compare(
            columns={"float32": single, "float64": 0.1}, rtol=1e-6, floor=0.1, claim="same bits"
        )


def test_nothing_is_broadcast():
    with pytest.raises(ShapeMismatchError) as caught:
        compare(columns={"a": {"w": torch.ones(3)}, "b": {"w": torch.ones(3, 1)}}, **AT_ONE)

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
        compare(columns={"a": value, "b": 1.0}, **AT_ONE)


def test_numpy_is_told_how_to_come_in():
    numpy = pytest.importorskip("numpy")

    with pytest.raises(KindError, match=r"torch\.as_tensor"):
        compare(columns={"a": numpy.ones(3), "b": torch.ones(3)}, **AT_ONE)


@pytest.mark.parametrize(
    ("columns", "settings", "says"),
    [
        ({"a": torch.ones(0), "b": torch.ones(0)}, AT_ONE, r"holds no numbers \(shape \(0,\)\)"),
        ({"a": [], "b": 1.0}, AT_ONE, "holds no numbers"),
        ({"a": 1.0}, AT_ONE, r"Cannot compare 1 column.*Add one"),
        ({"a": {"w": 1.0}, "b": {"v": 1.0}}, AT_ONE, "different quantities: v, w"),
        ({"a": {}, "b": {}}, AT_ONE, "without a quantity"),
        ({"a": {"w": 1.0}, "b": {"w": None}}, AT_ONE, "Only 1 column.*agreement needs two"),
        ({"a": 1.0, "b": 1.0}, {"rtol": math.nan, "floor": 1.0}, r"rtol=nan.*Write rtol=0\.0"),
        ({"a": 1.0, "b": 1.0}, {"rtol": 0.0, "floor": -1.0}, r"floor=-1\.0"),
        ({"a": 1.0, "b": 1.0}, {"rtol": math.inf, "floor": 1.0}, r"rtol=inf"),
        ({"a": 1.0, "b": 1.0}, {**AT_ONE, "claim": "agrees"}, "Did you mean 'agree'"),
        ({"a": 1.0, "b": 1.0}, {**AT_ONE, "reasons": {"valeu": "x"}}, "Did you mean 'value'"),
    ],
)
def test_questions_without_an_answer_are_refused(columns, settings, says):
    with pytest.raises(InputError, match=says):
        compare(columns=columns, **settings)


def test_ragged_lists_have_no_shape():
    with pytest.raises(ShapeMismatchError, match=r"different lengths \[1, 2\]"):
        compare(columns={"a": [[1.0], [1.0, 2.0]], "b": [[1.0], [1.0]]}, **AT_ONE)


def test_one_tolerance_needs_the_other():
    for alone, other in (({"rtol": 1e-6}, "no floor"), ({"floor": 1.0}, "no rtol")):
        with pytest.raises(InputError, match=f"{other}.*rtol=1e-12, floor=1.0, or neither"):
            compare(by_hand=1.0, by_pytorch=1.0, **alone)
    with pytest.raises(InputError, match="'agree' without tolerances"):
        compare(by_hand=1.0, by_pytorch=1.0, claim="agree")


def test_without_tolerances_equal_bits_are_claimed():
    seen = compare("A slope.", by_hand={"w": 0.3}, by_pytorch={"w": 0.3})

    assert (seen.title, seen.claim, seen.verdict) == ("A slope", "same bits", "same bits")
    assert seen.columns == (HAND, TORCH)
    assert (seen.rtol, seen.floor) == (None, None)
    for other in (0.1 + 0.2, -0.3, 3e-1 + 1e-16):
        with pytest.raises(WitnessError, match=r"bits of 'w' differ.*give tolerances"):
            compare(by_hand={"w": 0.3}, by_pytorch={"w": other})
    with pytest.raises(WitnessError, match="zeros differ in sign"):
        compare(by_hand=0.0, by_pytorch=-0.0)
    with pytest.raises(WitnessError, match="nan never passes"):
        compare(by_hand=math.nan, by_pytorch=math.nan)


def test_the_usual_columns_come_first_and_others_keep_their_names():
    seen = compare(by_hand=1.0, witness=Fraction(1), by_pytorch=1.0, columns={"Fused": 1.0})

    assert seen.columns == (HAND, TORCH, "Witness", "Fused")
    assert seen.rows[0].exact == ("Witness",)
    with pytest.raises(InputError, match="'Witness' is given twice"):
        compare(by_hand=1.0, witness=1.0, columns={"Witness": 1.0})


def test_without_tolerances_the_floats_are_the_nearest_to_the_exact_number():
    """An exact number has no bits; its nearest float has."""
    third = Fraction(1, 3)
    assert compare(by_hand=1 / 3, by_pytorch=1 / 3, witness=third).verdict == "same bits"
    assert compare(by_hand=math.inf, by_pytorch=math.inf, witness=mpmath.inf).rows[0].nearest

    off = 1 / 3 + 2**-54
    with pytest.raises(WitnessError, match=r"not those of the float64 nearest to Witness"):
        compare(by_hand=off, by_pytorch=off, witness=third)
    assert compare(
        by_hand=off, by_pytorch=off, witness=third, rtol=1e-15, floor=1.0, claim="same bits"
    )
    many = [1 / 3] * 20
    with pytest.raises(WitnessError, match="nearest to Witness"):
        compare(by_hand=many, by_pytorch=many, witness=[third] * 19 + [third + Fraction(1, 2**54)])


def test_without_tolerances_any_difference_is_one():
    seen = compare(by_hand=0.3, by_pytorch=0.1 + 0.2, claim="differ")

    assert seen.verdict == "differ, as claimed"
    with pytest.raises(WitnessError, match=r"columns agree to 0 \(allowed 0\)"):
        compare(by_hand=0.3, by_pytorch=0.3, claim="differ")


def test_a_gradient_that_is_none_is_no_missing_column():
    """Else a comparison would pass that PyTorch has no part in."""
    with pytest.raises(InputError, match=r"'PyTorch Gradient' is None.*why_no_grad"):
        compare(by_hand=1.0, by_pytorch=torch.ones(()).grad, witness=Fraction(1))


def test_nothing_near_zero_is_let_pass_by_an_absolute_tolerance():
    with pytest.raises(WitnessError, match="2 of their size"):
        compare(by_hand=1e-9, by_pytorch=-1e-9, rtol=1e-6, floor=1e-12)


def test_tracked_tensors_are_read_and_left_alone():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    doubled = w * 2.0

    seen = compare(columns={"a": doubled, "b": doubled.detach()}, **AT_ONE, claim="same bits")

    assert seen.verdict == "same bits"
    assert w.grad is None
    assert doubled.requires_grad


def test_differ_must_be_true_of_every_row():
    columns = {"a": {"v": 1.0, "w": 1.0}, "b": {"v": 2.0, "w": 1.0}}

    with pytest.raises(WitnessError, match="'w' was claimed to differ"):
        compare(columns=columns, **AT_ONE, claim="differ")
    seen = compare(columns={"a": 1.0, "b": 2.0}, **AT_ONE, claim="differ")
    assert seen.verdict == "differ, as claimed"
    assert seen.furthest == ("value", "a", "b")


def test_a_claim_of_bits_fails_by_one_ulp():
    with pytest.raises(WitnessError, match=r"differ, by 1 ulp.*reasons=\{'value': 'why'\}"):
        compare(columns={"a": 0.1 + 0.2, "b": 0.3}, rtol=1e-12, floor=1.0, claim="same bits")


def test_the_reason_that_a_message_asks_for_is_taken():
    """Also of a number in an array, whose reason is that of the array."""
    columns = {"a": {"w": [1.0, 0.1 + 0.2]}, "b": {"w": [1.0, 0.3]}}

    with pytest.raises(WitnessError, match=r"'w\[1\]' differ.*reasons=\{'w': 'why'\}"):
        compare(columns=columns, **AT_ONE, claim="same bits")
    seen = compare(columns=columns, **AT_ONE, reasons={"w": "why"})
    assert [row.reason for row in seen.rows] == ["why", "why"]


def test_a_large_array_is_summarised_by_its_worst_number():
    exact = torch.linspace(1.0, 2.0, 1000, dtype=torch.float64)
    other = exact.clone()
    other[3] += 2**-52
    other[700] += 2**-48

    row = compare(columns={"a": exact, "b": other}, rtol=1e-12, floor=1.0).rows[0]

    assert (row.quantity, row.count, row.same, row.ulps) == ("value[700]", 1000, 998, 16)
    assert row.numbers == (exact[700].item(), other[700].item())
    assert not row.same_bits
    text = str(compare(columns={"a": exact, "b": other}, rtol=1e-12, floor=1.0))
    assert "value[700], the worst by distance (998 of 1,000 with the same bits) " in text


def test_a_summary_says_everything_of_one_number():
    """The furthest by distance and the furthest by ulps are two numbers, not one row."""
    exact = torch.ones(1000, dtype=torch.float64)
    exact[5] = 1e-9
    other = exact.clone()
    other[3] += 4 * 2**-52
    other[5] += 2**-52

    seen = compare(columns={"a": exact, "b": other}, rtol=1e-12, floor=1.0)
    row = seen.rows[0]

    assert (row.quantity, row.ulps, row.absolute) == ("value[3]", 4, 4 * 2**-52)
    assert row.most_ulps > 1_000_000
    assert (
        f"value[3], the worst by distance (998 of 1,000 with the same bits, "
        f"at most {row.most_ulps:,} ulps apart)"
    ) in str(seen)


def test_an_array_without_a_difference_has_no_worst():
    seen = compare(columns={"a": torch.ones(20_000), "b": torch.ones(20_000)}, rtol=0.0, floor=1.0)

    assert "value[0], 20,000 of 20,000 with the same bits " in str(seen)


def test_a_large_array_beside_wider_floats_shares_no_bits():
    """Whether or not the numbers are equal: there is no second column of the format."""
    single = torch.linspace(1.0, 2.0, 1000)

    row = compare(columns={"a": single, "b": single.double()}, rtol=0.0, floor=1.0).rows[0]

    assert (row.count, row.same, row.ulps, row.most_ulps) == (1000, 0, None, None)
    assert not row.same_bits


def test_a_large_array_has_other_bits_if_one_number_has():
    """Also where a number with the same bits is further from the exact one."""
    ones, other = torch.ones(2, 1000, dtype=torch.float64)
    other[5] += 2**-52
    exact = [Fraction(1)] * 1000
    exact[3] += Fraction(1, 2**30)
    columns = {"a": ones, "b": other, "exact": exact}

    row = compare(columns=columns, rtol=1e-9, floor=1.0).rows[0]

    assert (row.quantity, row.ulps, row.same, row.same_bits) == ("value[3]", 0, 999, False)
    text = str(compare(columns=columns, rtol=1e-9, floor=1.0))
    assert "(999 of 1,000 with the same bits, at most 1 ulps apart)" in text
    assert "sign" not in text
    with pytest.raises(WitnessError) as caught:
        compare(columns=columns, rtol=1e-9, floor=1.0, claim="same bits")
    assert str(caught.value).startswith(
        "The bits of 1 of 1,000 numbers differ, by at most 1 ulp(s); furthest by distance is "
        "'value[3]': a=1.0000000000000000, b=1.0000000000000000, exact=1.0000000009313226. If the"
    )


def test_the_distance_from_an_exact_witness_is_that_of_pytorch():
    seen = compare(
        columns={HAND: 1.0, TORCH: 1.0 + 2**-52, "Witness": Fraction(1)}, rtol=1e-15, floor=1.0
    )

    assert seen.rows[0].exact_ulps == 1.0
    assert (
        compare(columns={HAND: 1.5, TORCH: 1.0, "W": Fraction(1)}, rtol=0.5, floor=1.0)
        .rows[0]
        .exact_ulps
        == 0.0
    )


@pytest.mark.parametrize("zero", [{HAND: 0.0, TORCH: 1e-9}, {TORCH: 0.0, "Witness": Fraction(1)}])
def test_no_distance_from_zero_is_shown_in_ulps(zero):
    seen = compare(columns=zero, rtol=1.0, floor=1.0)

    assert "–" in str(seen).splitlines()[1]
    assert str(seen.rows[0].ulps or seen.rows[0].exact_ulps) not in str(seen)


def test_large_distances_have_separators():
    seen = compare(columns={"a": 1.0, "b": 1.0 + 12345 * 2**-52}, rtol=1e-9, floor=1.0)

    assert "12,345" in str(seen)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_large_array_shows_the_zero_whose_sign_differs(sign):
    ones, zero = torch.ones(1000), torch.ones(1000)
    ones[617], zero[617] = 0.0, sign * 0.0

    row = compare(columns={"a": ones, "b": zero}, rtol=0.0, floor=1.0).rows[0]

    assert row.same_bits is (sign > 0)
    assert (row.count, row.same) == (1000, 1000 if sign > 0 else 999)
    assert row.quantity == ("value[0]" if sign > 0 else "value[617]")


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=5), st.floats(0, 1))
def test_agreement_is_the_relative_distance_of_the_extremes(numbers, rtol):
    scale = max(1.0, *map(abs, numbers))
    apart = (max(numbers) - min(numbers)) / scale
    columns = {str(i): number for i, number in enumerate(numbers)}

    if apart <= rtol:
        assert compare(columns=columns, rtol=rtol, floor=1.0).rows[0].relative == pytest.approx(
            apart
        )
    else:
        with pytest.raises(WitnessError):
            compare(columns=columns, rtol=rtol, floor=1.0)


@pytest.fixture
def seed_table():
    """The seed's neuron with numbers of every kind: same bits, one ulp, exact, missing."""
    return compare(
        columns={
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
    html = compare(columns={"a": 1.5e-30, "b": 1.25e-30}, rtol=1.0, floor=0.0).to_html()

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


@pytest.fixture
def every_kind():
    """A table with each kind of cell: equal, apart, missing, exact, zero, tiny."""
    quantities = {
        "w": ([0.1, 0.3], [0.1, 0.1 + 0.2], None),
        "a & b": (1.25, 1.35, Fraction("1.3")),
        "bias": (None, 1.0, 1 + Fraction(1999, 2**53)),
        "z": (0.0, -0.0, Fraction(0)),
        "∂L/∂b, by hand": (10.5, 9.5, None),
        "tiny": (1.5e-30, 1.5e-29, Fraction(0)),
        "none": (0.0, 1e-9, Fraction(1, 2)),
    }
    names = ("hand", TORCH, "Exact\nnumber")
    columns = {n: {q: v[i] for q, v in quantities.items()} for i, n in enumerate(names)}
    return compare(columns=columns, rtol=10.0, floor=1.0, reasons={"w": "order", "a & b": "drawn"})


def test_a_terminal_gets_every_kind_of_cell(every_kind):
    """Numbers to the right, words to the left; a line break in a name would break the table."""
    ulps = " PyTorch from Exact number, ulps  Reason"
    assert str(every_kind).splitlines() == [
        "Quantity                       hand     PyTorch Gradient        Exact number"
        "                             Ulps " + ulps,
        "w[0]                            0.1                  0.1                    "
        "                                0                                   order",
        "w[1]            0.30000000000000000  0.30000000000000004                    "
        "                                1                                   order",
        "a & b                          1.25                 1.35                1.30"
        "              450,359,962,737,050              225,179,981,368,525  drawn",
        "bias                                  1.0000000000000000  1.0000000000002219"
        "                                                             1,000",
        "z                               0.0                 -0.0                 0.0"
        "  0, but the zeros differ in sign                                0",
        "∂L/∂b, by hand                 10.5                  9.5                    "
        "              562,949,953,421,312",
        "tiny                        1.5e-30              1.5e-29                   0"
        "                                –                                –",
        "none                    0.000000000          0.000000001         0.500000000"
        "                                –                                –",
        "Verdict: within tolerance.",
    ]


def test_a_page_gets_every_kind_of_cell(every_kind):
    """What differs from PyTorch is underlined, digit by digit where the digits stand alike."""
    cell = r"<t[hd][^>]*>(?:<span>)?(.*?)(?:</span>)?</t[hd]>"
    cells = re.findall(cell, every_kind.to_html(), re.DOTALL)

    assert "<i>w</i>[1]" in cells
    assert cells[cells.index("a &amp; b") :][:2] == ["a &amp; b", "1.<u>2</u>5"]
    assert "1.3<u>0</u>" in cells
    assert cells[cells.index("bias") :][:3] == ["bias", "", "1.0000000000000000"]
    assert cells[cells.index("<i>∂L/∂b</i>, by hand") + 1] == "<u>10.5</u>"
    assert cells[cells.index("tiny") + 1] == "<u>1.5 × 10<sup>−30</sup></u>"
    assert "0.<u>5</u>0000000<u>0</u>" in cells


def test_a_page_to_its_last_character():
    seen = compare(
        columns={
            "a": {"w": 1.25, "b": torch.tensor(2.0)},
            "b": {"w": 1.35, "b": torch.tensor(2.0)},
        },
        rtol=0.1,
        floor=1.0,
        reasons={"w": "order"},
    )

    assert seen.to_html() == (
        '<div class="wide">\n<table class="turn" role="table">\n'
        "<caption>Verdict: within tolerance. An ulp is the step from one float32 or float64 to "
        "the next.</caption>\n"
        '<thead role="rowgroup"><tr role="row"><th role="columnheader">Quantity</th>'
        '<th role="columnheader" class="r">a</th><th role="columnheader" class="r">b</th>'
        '<th role="columnheader" class="r">Ulps</th><th role="columnheader">Reason</th>'
        '</tr></thead>\n<tbody role="rowgroup">\n'
        '<tr role="row"><th role="rowheader" scope="row"><i>w</i></th>'
        '<td role="cell" class="r" data-of="a"><span>1.25</span></td>'
        '<td role="cell" class="r" data-of="b"><span>1.<u>3</u>5</span></td>'
        '<td role="cell" class="r" data-of="Ulps"><span>450,359,962,737,050</span></td>'
        '<td role="cell" data-of="Reason"><span>order</span></td></tr>\n'
        '<tr role="row"><th role="rowheader" scope="row"><i>b</i></th>'
        '<td role="cell" class="r" data-of="a"><span>2.0</span></td>'
        '<td role="cell" class="r" data-of="b"><span>2.0</span></td>'
        '<td role="cell" class="r" data-of="Ulps"><span>0</span></td>'
        '<td role="cell" data-of="Reason"></td></tr>\n'
        "</tbody></table>\n</div>"
    )


def test_infinities_and_exact_numbers_are_shown():
    """Two exact columns have one distance; a row of exact numbers alone has no ulps."""
    columns = {
        "a": {"v": math.inf, "q": Fraction(1, 4), "w": None},
        "b": {"v": -math.inf, "q": Fraction(1, 2), "w": 9.5},
        "c": {"v": Fraction(1), "q": None, "w": 10.5},
    }
    seen = compare(columns=columns, rtol=1e-6, floor=1.0, claim="differ")
    html = seen.to_html()

    assert str(seen).splitlines() == [
        "Quantity                    a                    b     c                        Ulps"
        "  Ulps from the exact",
        "v                         inf                 -inf   1.0  18,437,736,874,454,810,624"
        "                  inf",
        "q         0.25000000000000000  0.50000000000000000",
        "w                                              9.5  10.5         562,949,953,421,312",
        "Verdict: differ, as claimed.",
    ]
    assert "<caption>Verdict: differ, as claimed. An ulp is the step from one float64 to " in html
    assert '"a"><span>∞</span>' in html
    assert '"b"><span><u>−∞</u></span>' in html
    assert "</td><td" in html
    assert '"b"><span>9.5</span>' in html  # nothing to hold it against
    exact = compare(columns={"a": Fraction(1, 4), "b": Fraction(1, 2)}, **AT_ONE, claim="differ")
    assert "<caption>Verdict: differ, as claimed.</caption>" in exact.to_html()


def test_the_ledger_gets_every_word():
    seen = compare(
        columns={"a": {"v": math.inf}, "b": {"v": 1.5}, "c": {"v": Fraction(1)}},
        rtol=1e-6,
        floor=1.0,
        claim="differ",
        title="Far.",
        reasons={"v": "drawn"},
    )

    assert seen.to_dict() == {
        "title": "Far",
        "columns": ["a", "b", "c"],
        "claim": "differ",
        "verdict": "differ, as claimed",
        "rtol": 1e-6,
        "floor": 1.0,
        "furthest": ["v", "c", "a"],
        "rows": [
            {
                "quantity": "v",
                "numbers": {"a": "inf", "b": "1.5", "c": "1.0"},
                "format": "float64",
                "absolute": "inf",
                "relative": "inf",
                "ulps": 2047 * 2**51,
                "exact_ulps": "inf",
                "same_bits": False,
                "nearest": False,
                "reason": "drawn",
                "count": 1,
                "same": 0,
                "most_ulps": 2047 * 2**51,
            }
        ],
    }
    near = compare(columns={"a": 1.0, "b": 1.5}, rtol=1.0, floor=1.0).to_dict()["rows"][0]
    assert (near["absolute"], near["relative"], near["exact_ulps"]) == (0.5, 0.5 / 1.5, None)


@pytest.mark.parametrize("length", [8, 9])
def test_an_array_of_up_to_eight_numbers_has_a_row_for_each(length):
    seen = compare(columns={"a": [1.0] * length, "b": [1.0] * length}, **AT_ONE)

    assert len(seen.rows) == (8 if length == 8 else 1)
    assert sum(row.count for row in seen.rows) == sum(row.same for row in seen.rows) == length


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_the_digits_shown_name_the_number(number):
    """Whoever types the digits of a cell gets the bits that were compared."""
    seen = compare(
        columns={"a": torch.tensor(number), "b": torch.tensor(number)}, rtol=0.0, floor=0.0
    )
    text = seen.to_dict()["rows"][0]["numbers"]["a"]

    assert torch.tensor(float(text)).item() == number
    assert math.copysign(1.0, float(text)) == math.copysign(1.0, number)


SHOWN = {
    "just not too large": ([1e15, 2e15], ["1000000000000000.0", "2000000000000000.0"]),
    "too large": ([1e16, None, 1e4], ["1.0e+16", "", "1.0e+4"]),
    "just not too small": ([1e-4, 0.0], ["0.0001", "0.0000"]),
    "too small": ([1e-5, 0.0], ["1.0e-5", "0"]),
    "just not too far apart": ([1e6, 2e-6], ["1000000.000000", "0.000002"]),
    "too far apart": ([1e6, 2e-7], ["1.0e+6", "2.0e-7"]),
    "the smallest of all": ([5e-324, 5e-324], ["5.0e-324", "5.0e-324"]),
    "one float with 17 digits": ([0.1 + 0.2, 0.5], ["0.30000000000000004", "0.50000000000000000"]),
    "exact, rounded once": ([0.5, Fraction(3499, 10**4)], ["0.5", "0.3"]),
    "exact, far below the places": ([0.5, Fraction(500001, 10**7)], ["0.5", "0.1"]),
    "exact, small, rounded once": ([1.5e-30, Fraction(1349, 10**33)], ["1.5e-30", "1.3e-30"]),
    "exact and small": ([Fraction(1, 3 * 10**9)] * 2, ["3.3333333333333333e-10"] * 2),
    "exact, small, like a float": (
        [1.5e-30, Fraction("1.5000000000000009e-30")],
        ["1.5000000000000000e-30", "1.5000000000000009e-30"],
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_digits_of_a_row(name):
    """Plain while that is short; enough to tell apart what differs, and every number its own."""
    numbers, texts = SHOWN[name]
    columns = {f"column {i}": {"v": number} for i, number in enumerate(numbers)}

    seen = compare(columns=columns, rtol=1.0, floor=0.0)

    assert list(seen.to_dict()["rows"][0]["numbers"].values()) == texts


MESSAGES = {
    "no such row": (
        lambda: compare(columns={"a": 1.0, "b": 1.0}, **AT_ONE).row("x"),
        "There is no quantity 'x'. Known: value. Write one of them.",
    ),
    "a reason for nothing": (
        lambda: compare(columns={"a": 1.0, "b": 1.0}, reasons={"valeu": "why"}, **AT_ONE),
        "There is no quantity in reasons 'valeu'. Known: value. Did you mean 'value'?",
    ),
    "an unknown claim": (
        lambda: compare(columns={"a": 1.0, "b": 1.0}, claim="same", **AT_ONE),
        "There is no claim 'same'. Known: same bits, agree, differ. Did you mean 'same bits'?",
    ),
    "a negative tolerance": (
        lambda: compare(columns={"a": 1.0, "b": 1.0}, rtol=-1e-6, floor=1.0),
        "Cannot compare with rtol=-1e-06: a distance is never below zero and must be finite to "
        "mean anything. Write rtol=0.0 or more.",
    ),
    "an infinite floor": (
        lambda: compare(columns={"a": 1.0, "b": 1.0}, rtol=1e-6, floor=math.inf),
        "Cannot compare with floor=inf: a distance is never below zero and must be finite to "
        "mean anything. Write floor=0.0 or more.",
    ),
    "no names": (
        lambda: compare(columns=[1.0, 2.0], **AT_ONE),
        "Cannot compare a list: who found a number has to be named. Give a column to each: "
        "compare(columns={'by hand': 2.0, 'by machine': w.grad}).",
    ),
    "a title that is no title": (
        lambda: compare({"a": 1.0, "b": 1.0}),
        "The title is a dict, but it is printed over the table. Name the columns instead: "
        "compare(by_hand=2.0, by_pytorch=w.grad), or compare(columns={'float32': a, "
        "'float64': b}).",
    ),
    "one column": (
        lambda: compare(columns={"a": 1.0}, **AT_ONE),
        "Cannot compare 1 column(s) (a): agreement needs two. Add one, such as by_pytorch=w.grad.",
    ),
    "no column": (
        lambda: compare(columns={}, **AT_ONE),
        "Cannot compare 0 column(s) (none): agreement needs two. Add one, such as "
        "by_pytorch=w.grad.",
    ),
    "two quantities": (
        lambda: compare(columns={"a": {"w": 1.0}, "b": {"v": 1.0}}, **AT_ONE),
        "Columns 'a' and 'b' have different quantities: v, w is only in one of them. Give every "
        "column the same quantities, and None where it has no number.",
    ),
    "one column with a number": (
        lambda: compare(columns={"a": {"w": 1.0}, "b": {"w": None}}, **AT_ONE),
        "Only 1 column(s) have a number for 'w': agreement needs two. Leave the quantity out, or "
        "give a second column a number for it.",
    ),
    "an integer": (
        lambda: compare(columns={"a": {"w": 1.0}, "b": {"w": 1}}, **AT_ONE),
        "Cannot compare 'w' of 'b': 1 is of type int, and only floats, tensors, Fractions and "
        "mpmath numbers have a distance in ulps. Write 1.0 or Fraction(1).",
    ),
    "no quantity": (
        lambda: compare(columns={"a": {}, "b": {}}, **AT_ONE),
        "Cannot compare columns without a quantity: every one is an empty mapping. Give each the "
        "same quantities, such as {'w': w.grad}.",
    ),
    "nan": (
        lambda: compare(columns={"hand": {"w": math.nan}, "PyTorch": {"w": 2.0}}, **AT_ONE),
        "nan among the numbers of 'w': hand=nan, PyTorch=2.0. nan never passes, because it is "
        "near nothing, itself included. If nan is what you want to show, write assert "
        "number.isnan() instead of a comparison.",
    ),
    "no difference": (
        lambda: compare(
            columns={"hand": {"w": 2.0}, "PyTorch": {"w": 2.0}}, claim="differ", **AT_ONE
        ),
        "'w' was claimed to differ, but its columns agree to 0 (allowed 1e-06): hand=2.0, "
        "PyTorch=2.0. Claim 'agree', or look for the reason why the difference has gone.",
    ),
    "no agreement": (
        lambda: compare(
            columns={"hand": {"w": 2.0}, "PyTorch": {"w": 2.5}, "third": {"w": 3.0}}, **AT_ONE
        ),
        "Columns disagree on 'w' by 1, which is 0.33 of their size (allowed 1e-06): hand=2.0, "
        "PyTorch=2.5, third=3.0. Furthest apart: hand and third. If only a finite difference is "
        "off, look for a kink within its step; else check the formula behind the odd one out.",
    ),
    "no second float64": (
        lambda: compare(columns={"hand": Fraction(2), "PyTorch": 2.0}, claim="same bits", **AT_ONE),
        "Cannot claim the same bits for 'value': fewer than two columns are float64 (hand=2.0, "
        "PyTorch=2.0), and only numbers of one format can share bits. Give tolerances, such as "
        "rtol=1e-12, floor=1.0, with the claim 'agree', or give two columns the same dtype.",
    ),
    "no float at all": (
        lambda: compare(
            columns={"hand": Fraction(2), "other": Fraction(2)}, claim="same bits", **AT_ONE
        ),
        "Cannot claim the same bits for 'value': fewer than two columns are floats "
        "(hand=2.0000000000000000, other=2.0000000000000000), and only numbers of one format can "
        "share bits. Give tolerances, such as rtol=1e-12, floor=1.0, with the claim 'agree', or "
        "give two columns the same dtype.",
    ),
    "zeros of two signs": (
        lambda: compare(columns={"hand": 0.0, "PyTorch": -0.0}, claim="same bits", **AT_ONE),
        "The bits of 'value' differ, by 0 ulp(s): hand=0.0, PyTorch=-0.0. The zeros differ in "
        "sign. If the order of rounding explains it, give tolerances and say so: rtol=1e-12, "
        "floor=1.0, reasons={'value': 'why'}.",
    ),
    "two ulps": (
        lambda: compare(
            columns={"hand": 1.0, "PyTorch": 1.0000000000000004}, claim="same bits", **AT_ONE
        ),
        "The bits of 'value' differ, by 2 ulp(s): hand=1.0000000000000000, "
        "PyTorch=1.0000000000000004. If the order of rounding explains it, give tolerances and "
        "say so: rtol=1e-12, floor=1.0, reasons={'value': 'why'}.",
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
    made = compare(columns={"a": 1.0, "b": 1.0}, **AT_ONE)

    assert made._repr_mimebundle_() == {
        "text/plain": made.to_text(),
        "text/html": made.to_html(),
        "application/vnd.handgrad.comparison+json": made.to_dict(),
    }


def test_just_the_tolerance_still_agrees():
    """And is no difference; the next float beyond it is one."""
    columns = {"a": 1.0, "b": 0.75}

    assert compare(columns=columns, rtol=0.25, floor=1.0).verdict == "within tolerance"
    for rtol, claim in ((0.25, "differ"), (math.nextafter(0.25, 0.0), "agree")):
        with pytest.raises(WitnessError):
            compare(columns=columns, rtol=rtol, floor=1.0, claim=claim)
    differing = compare(columns=columns, rtol=math.nextafter(0.25, 0.0), floor=1.0, claim="differ")
    assert differing.verdict == "differ, as claimed"
    assert compare(columns={"a": 1.0, "b": 1.0}, rtol=0.0, floor=0.0).verdict == "same bits"


def test_a_column_without_the_quantity_is_not_quoted():
    """A message names those who have said something."""
    columns = {"hand": {"w": 1.0}, "silent": {"w": None}, "PyTorch": {"w": 2.0}}

    with pytest.raises(WitnessError, match=r"\): hand=1\.0, PyTorch=2\.0\. Furthest"):
        compare(columns=columns, **AT_ONE)


@pytest.mark.parametrize("junk", [3.0, [1.0, 2.0], "ab"])
def test_columns_without_names_are_refused(junk):
    with pytest.raises(KindError, match=f"Cannot compare a {type(junk).__name__}: who found"):
        compare(columns=junk, rtol=0.0, floor=1.0)


@pytest.mark.parametrize("junk", ["0.1", [0.1], 1j])
@pytest.mark.parametrize("name", ["rtol", "floor"])
def test_a_scale_that_is_no_number_is_refused(name, junk):
    with pytest.raises(InputError, match=f"Cannot compare with {name}="):
        compare(columns={"a": 1.0, "b": 1.0}, **{"rtol": 0.0, "floor": 1.0, name: junk})
