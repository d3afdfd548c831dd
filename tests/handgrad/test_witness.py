"""Witnesses see what they claim to see, agree with each other, and refuse where they are blind."""

import cmath
import math
from fractions import Fraction

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handgrad import (
    InputError,
    KindError,
    Neuron,
    NoWitnessError,
    ShapeMismatchError,
    compare,
    witness_digits,
)
from handgrad.neuron import by_pytorch, recipe, witnesses
from handgrad.neuron.witnesses.forward import ACTIVATIONS, DIGITS, FLOAT, OF_ERROR, Sides
from handgrad.numbers.floats import FORMATS, nearest

X = torch.tensor([[1.3, -0.4], [2.1, 0.6], [-3.0, 0.9]], dtype=torch.float64)
TARGET = torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64)
rationals = st.fractions(-8, 8, max_denominator=1000)


def neuron(activation="identity", loss="squared error", **more):
    weights = torch.tensor([0.7, -1.1], dtype=torch.float64)
    return Neuron(weights, 0.3, activation=activation, loss=loss, **more)


def test_every_activation_and_loss_has_a_forward_pass_of_its_own():
    assert set(ACTIVATIONS) == set(recipe.ACTIVATIONS)
    assert {*OF_ERROR, "logistic"} == set(recipe.LOSSES)


@pytest.mark.parametrize("reduction", recipe.REDUCTIONS)
@pytest.mark.parametrize("loss", recipe.LOSSES)
@pytest.mark.parametrize("activation", recipe.ACTIVATIONS)
def test_all_witnesses_that_may_speak_agree(activation, loss, reduction):
    """Four arithmetics, one answer; each differs from the digits by its own error only."""
    one = neuron(activation, loss, reduction=reduction)
    digits = witnesses.gradients(one, X, TARGET, method="fifty digits")
    spoke = 0
    for method, rtol in (("exact", 1e-45), ("complex step", 1e-13), ("central difference", 1e-7)):
        try:
            other = witnesses.gradients(one, X, TARGET, method=method)
        except NoWitnessError:
            continue
        spoke += 1
        for name in digits:
            compare(columns={method: other[name], "digits": digits[name]}, rtol=rtol, floor=0.1)

    assert spoke >= 1
    assert list(digits) == list(one.manual_gradients(X, TARGET))


@given(a=rationals, b=rationals, c=rationals, at=rationals)
def test_the_exact_slope_of_a_parabola_is_exact(a, b, c, at):
    assert witnesses.exact_slope(lambda v: a * v * v + b * v + c, at) == 2 * a * at + b


def test_what_is_no_parabola_has_no_exact_slope():
    with pytest.raises(NoWitnessError, match=r"not quadratic.*fifty_digits\(\)"):
        witnesses.exact_slope(lambda v: v**3, Fraction(2))


def test_the_exact_witness_tells_a_kink_from_a_bend():
    assert witnesses.exact_slope(lambda v: v * abs(v), Fraction(0)) == 0  # smooth once
    with pytest.raises(NoWitnessError, match="-1 from the left and 1 from the right"):
        witnesses.exact_slope(abs, Fraction(0))


@given(z=st.floats(-700, 700))
def test_fifty_digits_are_right_where_the_answer_is_known(z):
    slope = witnesses.fifty_digits(mpmath.exp, z)
    with mpmath.workdps(60):
        assert abs(slope / mpmath.exp(mpmath.mpf(z)) - 1) < mpmath.mpf(10) ** -50


def test_fifty_digits_know_a_tiny_slope_from_none():
    """1 + e^-700 - 1 is not 0, although 300 digits say so."""
    slope = witnesses.fifty_digits(lambda v: 1 + mpmath.exp(v) - 1, -700.0)
    with mpmath.workdps(60):
        assert abs(slope / mpmath.exp(-700) - 1) < mpmath.mpf(10) ** -50

    assert witnesses.fifty_digits(lambda v: (v - 1) ** 2, 1.0) == 0


def test_fifty_digits_refuse_what_never_settles():
    with pytest.raises(NoWitnessError, match="still differ"):
        witnesses.fifty_digits(lambda v: mpmath.sqrt(mpmath.mpc(0, 1) * mpmath.im(v)), 0.0)


def test_the_precision_of_mpmath_is_given_back():
    before = mpmath.mp.dps
    witnesses.fifty_digits(mpmath.sin, 0.5)

    assert mpmath.mp.dps == before


@given(z=st.floats(-30, 30))
def test_the_complex_step_has_no_cancellation(z):
    found = witnesses.complex_step(cmath.tanh, z)
    truth = witnesses.fifty_digits(mpmath.tanh, z)

    compare(columns={"step": found, "truth": truth}, rtol=1e-14, floor=0.0)


@pytest.mark.parametrize(
    ("function", "at", "says"),
    [
        (abs, 1.0, "returned a float.*abs and max"),
        (cmath.exp, 1000.0, "overflows"),
        (lambda v: cmath.sin(v * 1e120), 1.0, "too large|overflows"),
        (lambda v: v * 1e-222, 1.0, "too small"),
    ],
)
def test_the_complex_step_refuses(function, at, says):
    with pytest.raises(NoWitnessError, match=says):
        witnesses.complex_step(function, at)


@given(z=st.floats(-3, 3))
def test_a_central_difference_knows_its_error(z):
    """The estimate is not a bound, but an error ten times as large would be news."""
    found = witnesses.central_difference(math.tanh, z)
    truth = 1.0 - math.tanh(z) ** 2

    assert abs(found.slope - truth) <= 10.0 * found.error + 1e-14
    assert found.error < 1e-8
    if abs(z) > 0.1:  # near 0 the values of tanh are small, and so is their rounding
        assert 2.0**-30 < found.step < 0.1


@pytest.mark.parametrize(
    ("activation", "loss", "method", "says"),
    [
        ("tanh", "squared error", "exact", "not be used with tanh: its values are not fractions"),
        ("identity", "logistic", "exact", "not be used with logistic"),
        ("relu", "squared error", "complex step", "complex numbers have no order"),
        ("leaky relu", "squared error", "complex step", "complex numbers have no order"),
        ("softplus", "squared error", "complex step", "becomes z above 20"),
        ("gelu", "squared error", "complex step", "cmath has no erf"),
        ("sine", "absolute error", "complex step", "absolute value of a complex number is real"),
        ("sine", "huber", "complex step", "drops the imaginary part"),
        ("sine", "logistic", "complex step", "cmath has no log1p"),
    ],
)
def test_a_witness_that_cannot_see_says_so(activation, loss, method, says):
    with pytest.raises(NoWitnessError, match=f"{says}.*Write method="):
        witnesses.gradients(neuron(activation, loss), X, TARGET, method=method)


@pytest.mark.parametrize("method", ["exact", "fifty digits", "central difference"])
@pytest.mark.parametrize("activation", ["relu", "leaky relu"])
def test_a_kink_has_no_slope_to_see(activation, method):
    at_kink = Neuron(torch.tensor(1.0, dtype=torch.float64), 0.0, activation=activation)

    with pytest.raises(NoWitnessError, match=r"kink"):
        witnesses.gradients(at_kink, 0.0, -1.0, method=method, names=["w", "b"])
    # what lies after the kink has a slope
    assert float(
        witnesses.gradients(at_kink, 0.0, -1.0, method=method, names=["prediction"])["prediction"]
    ) == pytest.approx(2.0)


@pytest.mark.parametrize("method", ["exact", "fifty digits", "central difference"])
def test_a_kink_of_the_loss_has_no_slope_either(method):
    with pytest.raises(NoWitnessError, match="kink"):
        witnesses.gradients(
            Neuron(1.0, 0.0, loss="absolute error"), 3.0, 3.0, method=method, names=["error"]
        )


def test_a_difference_refuses_a_kink_within_its_step_the_exact_witness_does_not():
    """At 0.5 the famous wrong answer: the mean of the slopes 0 and 1."""
    near = Neuron(torch.tensor(1.0, dtype=torch.float64), 0.0, activation="relu")
    z = 1e-12

    with pytest.raises(NoWitnessError, match="within its step"):
        witnesses.gradients(near, z, -1.0, method="central difference", names=["b"])
    assert witnesses.gradients(near, z, -1.0, method="exact", names=["b"])["b"] == 2 * (
        Fraction(z) + 1
    )


def test_a_difference_refuses_what_is_too_rough_for_it():
    wild = Neuron(torch.tensor(1e30, dtype=torch.float64), 0.0, activation="sine")

    with pytest.raises(NoWitnessError, match=r"uncertain by.*fifty digits"):
        witnesses.gradients(wild, 1.7, 0.0, method="central difference", names=["w", "x"])
    truth = witnesses.gradients(wild, 1.7, 0.0, method="fifty digits", names=["x"])["x"]
    compare(
        columns={"hand": wild.manual_gradients(1.7, 0.0)["x"], "truth": truth}, rtol=1.0, floor=1e31
    )


def test_the_seeds_neuron_is_correctly_rounded():
    """Autograd's partials at (0.7, 1.3, -0.2, 0.5) are the floats nearest to the exact ones."""
    seed = Neuron(torch.tensor(0.7, dtype=torch.float64), -0.2)
    from handgrad import autograd_gradients

    seen = compare(
        columns={
            "PyTorch": autograd_gradients(seed, 1.3, 0.5),
            "exact": witnesses.gradients(seed, 1.3, 0.5, method="exact"),
        },
        rtol=1e-15,
        floor=1e-3,
    )

    assert all(row.exact_ulps <= 0.5 for row in seen.rows if row.quantity in "wxb")


def test_numbers_come_in_the_shape_of_the_thing():
    slopes = witnesses.gradients(neuron(), X, TARGET, method="exact")

    assert [len(slopes["w"]), len(slopes["x"]), len(slopes["x"][0]), len(slopes["z"])] == [
        2,
        3,
        2,
        3,
    ]
    assert isinstance(slopes["b"], Fraction)
    assert slopes["loss"] == 1
    assert slopes["losses"] == [Fraction(1, 3)] * 3


def test_unknown_methods_and_names_are_refused():
    with pytest.raises(InputError, match="Did you mean 'complex step'"):
        witnesses.gradients(neuron(), X, TARGET, method="complexstep")
    with pytest.raises(InputError, match="There is no quantity 'weight'"):
        witnesses.gradients(neuron(), X, TARGET, method="exact", names=["weight"])


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_fused_multiply_add_rounds_once(name, data):
    """Against Python's own exact fractions, for every format."""
    dtype = getattr(torch, name)
    drawn = data.draw(st.lists(st.floats(-100, 100, width=16), min_size=3, max_size=3))
    a, b, c = torch.tensor(drawn, dtype=dtype)

    result = witnesses.fused_multiply_add(a, b, c)

    assert result.dtype == dtype
    exact = Fraction(a.item()) * Fraction(b.item()) + Fraction(c.item())
    assert result.item() == nearest(exact, FORMATS[name])


def test_a_fused_multiply_add_keeps_what_two_roundings_lose():
    a = torch.tensor([1.0 + 2**-12], dtype=torch.float32)

    assert (a * a - 1.0 - 2.0**-11).item() == 0.0
    assert witnesses.fused_multiply_add(a, a, torch.tensor([-1.0 - 2**-11])).item() == 2.0**-24
    with pytest.raises(ShapeMismatchError, match=r"expand_as\(a\)"):
        witnesses.fused_multiply_add(a, a, torch.tensor(1.0))


@pytest.mark.parametrize("name", recipe.ACTIVATIONS)
@given(z=st.floats(-50, 50))
def test_the_forward_passes_agree_with_torch(name, z):
    """The witness looks at the function that PyTorch computes, not at another one."""

    theirs = by_pytorch.ACTIVATIONS[name](torch.tensor(z, dtype=torch.float64)).item()

    assert ACTIVATIONS[name](FLOAT, z, Sides()) == pytest.approx(theirs, rel=1e-12, abs=3e-9)
    assert float(ACTIVATIONS[name](DIGITS, mpmath.mpf(z), Sides())) == pytest.approx(
        theirs, rel=1e-12, abs=3e-9
    )


@pytest.mark.parametrize("junk", [None, 3.0, {"weights": 1.0}])
def test_what_is_no_neuron_is_refused(junk):
    with pytest.raises(KindError, match=rf"is a {type(junk).__name__}, which has no weights"):
        witnesses.gradients(junk, 2.0, 10.0, method="exact")


@pytest.mark.parametrize("method", ["exactly", None, [], {}])
def test_an_unknown_method_is_refused_whatever_it_is(method):
    with pytest.raises(InputError, match="method"):
        witnesses.gradients(Neuron(3.0, 1.0), 2.0, 10.0, method=method)


def tanh_loss(w, x, b):
    return (mpmath.tanh(w * x + b) - mpmath.mpf(1) / 3) ** 2


def test_fifty_digits_of_every_named_argument():
    at = {"w": 0.7, "x": 1.3, "b": Fraction(-1, 5)}

    slopes = witness_digits(tanh_loss, **at)

    assert list(slopes) == ["w", "x", "b"]
    with mpmath.workdps(60):
        w, x, b = mpmath.mpf(0.7), mpmath.mpf(1.3), mpmath.mpf(-1) / 5
        p = mpmath.tanh(w * x + b)
        delta = 2 * (p - mpmath.mpf(1) / 3) * (1 - p**2)
        for name, truth in {"w": delta * x, "x": delta * w, "b": delta}.items():
            assert abs(slopes[name] - truth) <= abs(truth) * mpmath.mpf(10) ** -49


def test_slopes_are_selected_and_called_as_wanted():
    slopes = witness_digits(tanh_loss, names={"b": "∂L/∂b"}, w=0.7, x=1.3, b=0.0)

    assert list(slopes) == ["∂L/∂b"]
    w = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    (w**3).backward()
    seen = compare(by_pytorch={"w": w.grad}, witness=witness_digits(lambda w: w**3, w=w),
                   rtol=1e-15, floor=1.0)  # fmt: skip
    assert seen.rows[0].exact_ulps < 2


@given(a=rationals, b=rationals, c=rationals)
def test_a_polynomial_of_named_numbers_has_its_own_slope(a, b, c):
    slopes = witness_digits(lambda u, v: u * u * v + v * v, digits=30, u=a, v=b + c)

    with mpmath.workdps(40):
        for name, truth in {"u": 2 * a * (b + c), "v": a * a + 2 * (b + c)}.items():
            exact = mpmath.mpf(truth.numerator) / truth.denominator
            assert abs(slopes[name] - exact) <= abs(exact) * mpmath.mpf(10) ** -29


def test_digits_survive_cancellation_and_flat_places():
    with mpmath.workdps(60):
        assert (
            abs(witness_digits(lambda z: 1 + mpmath.exp(z) - 1, z=-700)["z"] / mpmath.exp(-700) - 1)
            < mpmath.mpf(10) ** -49
        )
    for flat, at in ((lambda x: x**3, 0.0), (lambda x: 5, 1.0), (lambda x: max(x, 0), -1.0)):
        assert witness_digits(flat, x=at) == {"x": 0}


@pytest.mark.parametrize(
    ("f", "at", "error", "says"),
    [
        (
            lambda x: abs(x),
            0.0,
            NoWitnessError,
            r"respect to 'x': it is -1\.0 from the left and 1\.0",
        ),
        (lambda x: mpmath.sqrt(x), -1.0, KindError, r"complex number .*mpmath\.re"),
        (lambda x: mpmath.matrix([x]), 1.0, KindError, "returned a matrix.*one number"),
        (lambda x: [x, x], 1.0, KindError, "returned a list.*such as the sum"),
        (lambda x: x > 0, 1.0, KindError, "returned a bool"),
        (
            lambda x: math.tanh(x),
            1.0,
            KindError,
            r"Python float 0\.76\d*, which has 16.*mpmath\.tanh",
        ),
        (lambda x: x * math.tanh(x), 1.0, NoWitnessError, r"0\.7615\d* for a tiny.*math\.tanh"),
        (lambda x: mpmath.mpf(math.tanh(x)), 1.0, NoWitnessError, r"0\.0 for a tiny.*0\.4199"),
        (mpmath.log, 0.0, NoWitnessError, "function is -inf"),
        (lambda x: x, "1", KindError, "argument 'x' is '1', of type str"),
        (lambda x: x, True, KindError, "of type bool"),
        (lambda x: x, math.nan, KindError, "a finite number"),
        (lambda x: x, torch.ones(2), KindError, "name each one"),
    ],
)
def test_digits_are_refused_where_they_would_mean_nothing(f, at, error, says):
    with pytest.raises(error, match=says):
        witness_digits(f, x=at)


def test_digits_of_nothing_are_refused():
    with pytest.raises(InputError, match="no argument was named"):
        witness_digits(lambda: mpmath.mpf(1))
    with pytest.raises(InputError, match=r"no argument 'W'.*Did you mean 'w'"):
        witness_digits(lambda w: w, names={"W": "∂L/∂w"}, w=1.0)
    with pytest.raises(InputError, match="whole number of digits"):
        witness_digits(lambda w: w, digits=0, w=1.0)
