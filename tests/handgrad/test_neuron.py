"""The gradients by hand, against PyTorch and against a witness that knows no rule."""

import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from handgrad import (
    InputError,
    KindError,
    Neuron,
    NoWitnessError,
    ShapeMismatchError,
    WitnessError,
    autograd_gradients,
    compare,
)
from handgrad.neuron import by_pytorch, formulas, witnesses
from handgrad.neuron.formulas import ACTIVATIONS, FORMULAS, LOSSES
from handgrad.neuron.witnesses.forward import ACTIVATIONS as FORWARD
from handgrad.neuron.witnesses.forward import DIGITS, Sides
from handgrad.neuron.witnesses.methods import RATIONAL_NAMES
from handgrad.numbers.floats import FORMATS, spacing, steps_between, ulps_from
from handgrad.numbers.reading import read

DTYPES = {"float32": torch.float32, "float64": torch.float64}
SAME_BITS = [name for name, formula in FORMULAS.items() if formula.bits.startswith(formulas.SAME)]
PYTORCH_SOFTPLUS_DROPS = 2.1e-9  # e^-20, of a slope that is nearly 1
INPUTS = ("w", "x", "b", "target")
SHAPES = {"one": ((), ()), "many": ((3,), ()), "batch": ((), (4,)), "batch of many": ((2,), (3,))}
EDGES = [
    *(0.0, 1e-300, 1e-38, 1e-30, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.75179, 1.0, 1.27846, 2.0, 5.0, 8.0),
    *(9.0, 10.0, 13.0, 16.6, 17.0, 19.999, 20.0, 20.001, 30.0, 37.0, 40.0, 87.0, 88.0, 89.0, 104.0),
    *(700.0, 709.0, 710.0, 745.0, 746.0, 1e4, 1e10, 1e30, 3e38, 1e200, 1.7e308),
]


def numbers(dtype, size):
    width = 32 if dtype == torch.float32 else 64
    return st.floats(-size, size, width=width, allow_nan=False)


@st.composite
def neurons(draw, activation, loss, dtype, size=4.0, near_kink=False):
    """A neuron with an example or a batch; near a kink if asked, some ulps to either side."""
    weights, batch = draw(st.sampled_from(list(SHAPES.values())))
    number = numbers(dtype, size)

    def tensor(shape):
        values = draw(st.lists(number, min_size=math.prod(shape), max_size=math.prod(shape)))
        return torch.tensor(values, dtype=dtype).reshape(shape)

    w, x = tensor(weights), tensor((*batch, *weights))
    bias, target = tensor(()), tensor(batch)
    if loss == "logistic":
        target = torch.sigmoid(target)
    if near_kink:
        u = (w * x).reshape(-1, max(1, math.prod(weights)))[0].sum()
        ulps = draw(st.integers(-8, 8))
        bias = -u + ulps * torch.finfo(dtype).eps * u.abs()
    reduction = draw(st.sampled_from(["mean", "sum"]))
    return Neuron(w, bias, activation=activation, loss=loss, reduction=reduction), x, target


@cache
def true_slope(activation, z):
    """The slope in exact rational form, from fifty digits that no rule of calculus has seen."""
    slope = witnesses.fifty_digits(lambda v: FORWARD[activation](DIGITS, v, Sides()), z)
    return read(slope, "slope").values[0]


def same_bits(a, b):
    """Equal numbers, equal signs of zero, and nan in the same places."""
    return torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) and torch.equal(
        a.signbit() & ~a.isnan(), b.signbit() & ~b.isnan()
    )


def budget(neuron, x, target):
    """The size of the terms that a gradient is summed from: rounding is relative to it.

    z is rounded relative to its terms; through the bend of the activation that
    reaches the slope, which is multiplied by the error and by w or x, row by row.
    """
    values = neuron.forward(x, target)
    error = (values["prediction"] - torch.as_tensor(target)).abs().max().item()
    rows = values["prediction"].numel()
    products = (neuron.weights * x).abs()
    terms = (products.sum(-1) if neuron.weights.dim() else products).max() + neuron.bias.abs()
    largest = max(1.0, neuron.weights.abs().max().item(), x.abs().max().item())
    return (1.0 + error) * (1.0 + terms.item()) * largest * rows, 16 * torch.finfo(x.dtype).eps


# ---------------------------------------------------------------- against PyTorch


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(data=st.data())
def test_hand_and_pytorch_agree(activation, loss, dtype, data):
    near_kink = data.draw(st.booleans())
    neuron, x, target = data.draw(neurons(activation, loss, dtype, near_kink=near_kink))
    by_hand = neuron.manual_gradients(x, target)
    by_pytorch = autograd_gradients(neuron, x, target)

    assert list(by_hand) == list(by_pytorch)
    floor, rtol = budget(neuron, x, target)
    if activation == "softplus" and neuron.forward(x, target)["z"].max() > 20.0:
        rtol = max(rtol, PYTORCH_SOFTPLUS_DROPS)
    for name, slope in by_hand.items():
        other = by_pytorch[name]
        assert (slope.shape, slope.dtype) == (other.shape, other.dtype)
        if activation in SAME_BITS and loss in SAME_BITS:
            assert same_bits(slope, other), name
        else:
            compare(columns={"hand": slope, "PyTorch": other}, rtol=rtol, floor=floor)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", [name for name in SAME_BITS if name in ACTIVATIONS])
@given(data=st.data())
def test_hand_and_pytorch_overflow_alike(activation, loss, dtype, data):
    """Huge and tiny values, infinities that arise on the way, and what nan they lead to."""
    size = torch.finfo(dtype).max / 2
    neuron, x, target = data.draw(neurons(activation, loss, dtype, size=size))

    by_hand, by_pytorch = neuron.manual_gradients(x, target), autograd_gradients(neuron, x, target)

    for name in by_hand:
        assert same_bits(by_hand[name], by_pytorch[name]), name


def test_pytorchs_softplus_is_another_function_above_20():
    """It returns z there, and drops ln(1 + e^-z): 2e-9 at most, but nine digits of a float64."""
    neuron = Neuron(torch.tensor(1.0, dtype=torch.float64), 0.0, activation="softplus")
    below, above = 19.9, 20.1
    for z in (below, above):
        truth = witnesses.gradients(neuron, z, 0.0, method="fifty digits", names=["z"])["z"]
        by_hand = neuron.manual_gradients(z, 0.0)["z"]
        compare(columns={"hand": by_hand, "truth": truth}, rtol=1e-15, floor=1.0)

    by_hand, by_pytorch = (
        neuron.manual_gradients(above, 0.0),
        autograd_gradients(neuron, above, 0.0),
    )
    columns = {"hand": by_hand["z"], "PyTorch": by_pytorch["z"]}
    compare(columns=columns, rtol=1e-12, floor=1.0, claim="differ")
    compare(columns=columns, rtol=PYTORCH_SOFTPLUS_DROPS, floor=1.0)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_a_linear_neuron_has_pytorchs_bits_every_time(dtype):
    """Two thousand neurons; the chapter runs twenty thousand."""
    rows = torch.randn(2000, 4, dtype=dtype, generator=torch.Generator().manual_seed(0))
    for w, x, b, target in rows:
        neuron = Neuron(w, b)
        by_hand, by_pytorch = (
            neuron.manual_gradients(x, target),
            autograd_gradients(neuron, x, target),
        )
        assert all(same_bits(by_hand[name], by_pytorch[name]) for name in by_hand)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_pytorch_rounds_the_slope_of_tanh_once(dtype):
    """Where the processor can fuse, emulating that gives all bits; where it cannot, ours do."""
    generator = torch.Generator().manual_seed(0)
    w, x, b, target = torch.randn(4, 4000, dtype=dtype, generator=generator)
    z = (w * x + b).requires_grad_()
    prediction = torch.tanh(z)
    (by_pytorch,) = torch.autograd.grad(((prediction - target) ** 2).sum(), z)
    prediction = prediction.detach()
    arriving = 2.0 * (prediction - target)

    twice = arriving * (1.0 - prediction * prediction)
    once = arriving * witnesses.fused_multiply_add(
        -prediction, prediction, torch.ones_like(prediction)
    )

    fused = torch.equal(by_pytorch, once)
    assert fused != torch.equal(by_pytorch, twice)
    if fused:
        share = (by_pytorch == twice).double().mean().item()
        assert 0.55 < share < 0.65


# ---------------------------------------------------------------- against a witness


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(data=st.data())
def test_hand_and_a_witness_agree(activation, loss, dtype, data):
    """Every partial is what exact or fifty-digit values of the loss say it is."""
    near_kink = data.draw(st.booleans())
    neuron, x, target = data.draw(neurons(activation, loss, dtype, near_kink=near_kink))
    floor, rtol = budget(neuron, x, target)
    values = neuron.forward(x, target)
    for at, kinks in (
        (values["z"], ACTIVATIONS[activation].kinks),
        (values.get("error", values["z"]), LOSSES[loss].kinks),
    ):  # rounding z or e may carry it across a kink; what is checked there comes below
        assume(all((at - kink.at).abs().min() > rtol * floor for kink in kinks))
    rational = activation in RATIONAL_NAMES and loss in RATIONAL_NAMES
    method = "exact" if rational else "fifty digits"
    names = data.draw(
        st.lists(st.sampled_from(list(values) + list(INPUTS)), min_size=2, max_size=3)
    )

    truth = witnesses.gradients(neuron, x, target, method=method, names=names)
    by_hand = neuron.manual_gradients(x, target)

    for name in names:
        compare(columns={"hand": by_hand[name], "truth": truth[name]}, rtol=rtol, floor=floor)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slopes_of_activations_everywhere(activation, dtype, note_ulps):
    """From the smallest to the largest z: how far from the truth, and from PyTorch."""
    formula, form, kind = ACTIVATIONS[activation], FORMATS[dtype], DTYPES[dtype]
    info = torch.finfo(kind)
    spread = torch.randn(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 4.0
    z = torch.tensor([s * v for v in EDGES for s in (1, -1)], dtype=torch.float64)
    z = torch.cat([z, spread]).to(kind)
    z = z[z.isfinite() & torch.tensor([all(v != k.at for k in formula.kinks) for v in z.tolist()])]
    ones = torch.ones_like(z)
    textbook = formula.pull(ones, z, formula.value(z))
    careful = (formula.careful_pull or formula.pull)(ones, z, formula.value(z))
    tracked = z.clone().requires_grad_()
    (machine,) = torch.autograd.grad(by_pytorch.ACTIVATIONS[activation](tracked), tracked, ones)

    for i, at in enumerate(z.tolist()):
        truth = true_slope(activation, at)
        steps = steps_between(textbook[i].item(), machine[i].item(), form)
        note_ulps(activation, dtype, "hand−PyTorch", steps)
        if abs(at) <= 4.0:
            note_ulps(activation, dtype, "if |z| ≤ 4", steps)
        share = abs(truth)
        if activation in ("silu", "gelu") and at:  # a sum is as good as its larger term
            share = max(share, Fraction(max(formula.value(z)[i].item() / at, 0.0)))
        if abs(truth) >= info.smallest_normal:
            for column, slopes in (
                ("hand−truth", textbook),
                ("careful−truth", careful),
                ("PyTorch−truth", machine),
            ):
                error = abs(Fraction(slopes[i].item()) - truth) / spacing(share, form)
                note_ulps(activation, dtype, column, error)
        error = abs(Fraction(careful[i].item()) - truth)
        assert error <= 8 * info.eps * share + 4 * info.smallest_normal, at
        # the textbook's forms are as good as 1 − ŷ or 1 + erf is: to a rounding of 1
        error = abs(Fraction(textbook[i].item()) - truth)
        assert error <= 8 * info.eps * max(1, share, min(abs(at), 40.0)), at


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_of_losses_everywhere(loss, dtype, note_ulps):
    """An identity neuron with w = 1 and b = 0 has the loss's slope as its own."""
    form, kind = FORMATS[dtype], DTYPES[dtype]
    spread = torch.randn(20, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 4.0
    points = torch.cat([torch.tensor(EDGES, dtype=torch.float64), spread]).to(kind)
    for x in points[points.abs() < torch.finfo(kind).max / 4].tolist():
        for sign, target in ((1.0, 0.0), (-1.0, 1.0), (1.0, 1.0), (1.0, 0.3)):
            neurons = [
                Neuron(torch.tensor(sign, dtype=kind), 0.0, loss=loss, formulas=style)
                for style in ("textbook", "careful")
            ]
            try:
                truth = read(_truth(neurons[0], x, target), "truth").values[0]
            except NoWitnessError:
                assert loss == "absolute error"
                assert sign * x == torch.tensor(target, dtype=kind).item()
                continue
            hand, careful = (n.manual_gradients(x, target)["prediction"].item() for n in neurons)
            pytorch = autograd_gradients(neurons[0], x, target)["prediction"].item()
            note_ulps(loss, dtype, "hand−PyTorch", steps_between(hand, pytorch, form))
            if abs(truth) >= torch.finfo(kind).smallest_normal:
                for column, slope in (
                    ("hand−truth", hand),
                    ("careful−truth", careful),
                    ("PyTorch−truth", pytorch),
                ):
                    note_ulps(loss, dtype, column, ulps_from(slope, truth, form))
            floor = 1.0
            compare(
                columns={"hand": hand, "truth": truth}, rtol=4 * torch.finfo(kind).eps, floor=floor
            )
            if target in (0.0, 1.0):
                tiny = torch.finfo(kind).smallest_normal
                compare(
                    columns={"hand": careful, "truth": truth},
                    rtol=4 * torch.finfo(kind).eps,
                    floor=4 * tiny / torch.finfo(kind).eps,
                )


def _truth(neuron, x, target):
    method = "fifty digits" if neuron.loss == "logistic" else "exact"
    return witnesses.gradients(neuron, x, target, method=method, names=["prediction"])["prediction"]


# ---------------------------------------------------------------- kinks


@pytest.mark.parametrize(
    ("name", "at"), [(n, k.at) for n, formula in ACTIVATIONS.items() for k in formula.kinks]
)
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_at_a_kink_of_the_activation_the_choice_is_pytorchs(name, at, dtype):
    neuron = Neuron(torch.tensor(1.0, dtype=dtype), 0.0, activation=name)
    (kink,) = ACTIVATIONS[name].kinks
    by_hand = neuron.manual_gradients(at, -1.0)
    slope = (by_hand["z"] / by_hand["prediction"]).item()

    assert slope == torch.tensor(kink.slope, dtype=dtype).item()
    assert kink.between[0] <= kink.slope <= kink.between[1]
    assert same_bits(by_hand["z"], autograd_gradients(neuron, at, -1.0)["z"])


def test_at_a_kink_of_the_loss_the_choice_is_pytorchs():
    neuron = Neuron(1.0, 0.0, loss="absolute error")
    (kink,) = LOSSES["absolute error"].kinks
    by_hand = neuron.manual_gradients(3.0, 3.0)

    assert by_hand["error"].item() == kink.slope == 0.0
    assert same_bits(by_hand["error"], autograd_gradients(neuron, 3.0, 3.0)["error"])


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1e-10])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", ["relu", "leaky relu"])
def test_a_hair_beside_the_kink_the_exact_witness_sees(name, sign, size):
    """Two steps from a kink there is a slope, and only an exact witness is sure of it."""
    neuron = Neuron(torch.tensor(1.0, dtype=torch.float64), 0.0, activation=name)
    x = sign * size
    truth = witnesses.gradients(neuron, x, -1.0, method="exact")

    compare(
        columns={"hand": neuron.manual_gradients(x, -1.0)["b"], "exact": truth["b"]},
        rtol=2**-52,
        floor=1.0,
    )
    with pytest.raises(NoWitnessError, match="kink"):
        witnesses.gradients(neuron, 0.0, -1.0, method="exact")


# ---------------------------------------------------------------- planted faults

CASES = [
    (0.7, -0.2, [1.3, -0.4, 2.1], [0.5, 0.25, 0.75]),
    ([0.7, -1.1], 0.3, [[1.3, -0.4], [2.1, 0.6], [-3.0, 0.9]], [0.5, 0.25, 0.75]),
    (0.7, -0.2, [9.0, -9.0, 12.0], [0.0, 1.0, 1.0]),
]


def check(activation, loss, style="textbook"):
    """Hand against witness on fixed cases, in float64: what every fault below must fail."""
    for w, b, x, target in CASES:
        neuron, x, target = (
            Neuron(
                torch.tensor(w, dtype=torch.float64),
                b,
                activation=activation,
                loss=loss,
                formulas=style,
            ),
            torch.tensor(x, dtype=torch.float64),
            torch.tensor(target, dtype=torch.float64),
        )
        rational = activation in RATIONAL_NAMES and loss in RATIONAL_NAMES
        truth = witnesses.gradients(
            neuron, x, target, method="exact" if rational else "fifty digits"
        )
        compare(
            columns={"hand": neuron.manual_gradients(x, target), "truth": truth},
            rtol=1e-12,
            floor=1e-2,
        )


PULLS = [
    (table, name, pull)
    for table, formulas_ in (("ACTIVATIONS", ACTIVATIONS), ("LOSSES", LOSSES))
    for name, formula in formulas_.items()
    for pull in ("pull", "careful_pull", "pull_target")
    if getattr(formula, pull, None) is not None
]
FAULTS = {
    "a billionth too steep": lambda f: lambda g, a, p: f(g, a, p) * (1.0 + 1e-9),
    "wrong sign": lambda f: lambda g, a, p: -f(g, a, p),
    "forgets what arrives": lambda f: lambda g, a, p: f(torch.ones_like(g), a, p),
    "taken next door": lambda f: lambda g, a, p: f(g, a + 1e-7, p + 1e-7) + 1e-9,
}


def pair(table, name):
    return (name, "squared error") if table == "ACTIVATIONS" else ("sine", name)


@pytest.mark.parametrize(("table", "name", "pull"), PULLS)
def test_the_formulas_pass_before_a_fault_is_planted(table, name, pull):
    check(*pair(table, name), style="careful" if pull == "careful_pull" else "textbook")


@pytest.mark.fault("a slope of the library, each in turn", "stopped")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("table", "name", "pull"), PULLS)
def test_a_wrong_slope_is_caught(table, name, pull, fault, monkeypatch):
    formula = getattr(formulas, table)[name]
    wrong = replace(formula, **{pull: FAULTS[fault](getattr(formula, pull))})
    monkeypatch.setitem(getattr(formulas, table), name, wrong)

    with pytest.raises(WitnessError):
        check(*pair(table, name), style="careful" if pull == "careful_pull" else "textbook")


@pytest.mark.fault("a value of the library, each in turn", "stopped")
@pytest.mark.parametrize("name", FORMULAS)
def test_a_wrong_value_is_caught(name, monkeypatch):
    """A forward pass that is off by a billionth shifts the error, and with it every slope."""
    table = "ACTIVATIONS" if name in ACTIVATIONS else "LOSSES"
    formula = getattr(formulas, table)[name]
    monkeypatch.setitem(
        getattr(formulas, table), name, replace(formula, value=lambda *a: formula.value(*a) * 1.01)
    )
    neuron = Neuron(0.7, -0.2, activation=pair(table, name)[0], loss=pair(table, name)[1])

    with pytest.raises(WitnessError):
        compare(
            columns={
                "hand": neuron.forward(1.3, 0.5)["loss"],
                "PyTorch": by_pytorch._forward(neuron, _leaves(neuron, 1.3, 0.5))["loss"],
            },
            rtol=1e-5,
            floor=1e-3,
        )


def _leaves(neuron, x, target):
    return {
        "w": neuron.weights,
        "x": torch.tensor(x),
        "b": neuron.bias,
        "target": torch.tensor(target),
    }


AFFINE = {
    "rows forgotten": lambda out: {**out, "b": out["b"] / 3.0},
    "w and x swapped": lambda out: {**out, "x": out["u"] * 0.5},
    "bias like a weight": lambda out: {**out, "b": out["w"].sum()},
    "u like w": lambda out: {**out, "u": out["x"]},
}


@pytest.mark.fault("the affine layer's slopes", "stopped")
@pytest.mark.parametrize("fault", AFFINE)
def test_a_wrong_affine_layer_is_caught(fault, monkeypatch):
    right = Neuron._affine
    monkeypatch.setattr(Neuron, "_affine", lambda self, x, d: AFFINE[fault](right(self, x, d)))

    with pytest.raises(WitnessError):
        check("tanh", "squared error")


@pytest.mark.fault("a mean that is a sum", "stopped")
def test_a_mean_that_is_a_sum_is_caught():
    mean, total = (Neuron(0.7, -0.2, reduction=how) for how in ("mean", "sum"))
    x, target = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0])

    with pytest.raises(WitnessError):
        compare(
            columns={
                "hand": mean.manual_gradients(x, target),
                "PyTorch": autograd_gradients(total, x, target),
            },
            rtol=1e-6,
            floor=1e-3,
        )


# ---------------------------------------------------------------- the table and the values


def test_every_formula_says_where_it_comes_from():
    assert len(FORMULAS) == len(ACTIVATIONS) + len(LOSSES) == 13
    for formula in FORMULAS.values():
        assert any(character.isdigit() for character in formula.source)  # a year
        assert all(formula.latex)
        assert formula.bits


def test_the_seeds_neuron():
    """The exercise the book began with, in numbers one can check in the head."""
    neuron = Neuron(3.0, 1.0)

    assert {name: v.item() for name, v in neuron.manual_gradients(2.0, 10.0).items()} == {
        "w": -12.0,
        "x": -18.0,
        "b": -6.0,
        "target": 6.0,
        "u": -6.0,
        "z": -6.0,
        "prediction": -6.0,
        "error": -6.0,
        "loss": 1.0,
    }


def test_the_loss_of_a_batch_is_the_mean_or_the_sum():
    x, target = [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]
    mean, total = (Neuron(1.0, 0.0, reduction=how).forward(x, target) for how in ("mean", "sum"))

    assert mean["losses"].tolist() == total["losses"].tolist() == [1.0, 4.0, 9.0]
    assert (mean["loss"].item(), total["loss"].item()) == (pytest.approx(14 / 3), 14.0)


def test_the_neuron_keeps_its_own_copy():
    w, x = (
        torch.tensor([1.0, 2.0], requires_grad=True),
        torch.tensor([3.0, 4.0], requires_grad=True),
    )
    neuron = Neuron(w, 0.5)
    slopes = neuron.manual_gradients(x, 1.0)
    with torch.no_grad():
        w.zero_()
    slopes["w"].zero_()

    assert neuron.weights.tolist() == [1.0, 2.0]
    assert x.tolist() == [3.0, 4.0]
    assert w.grad is None
    assert x.grad is None
    assert not any(slope.requires_grad for slope in neuron.manual_gradients(x, 1.0).values())
    assert neuron.manual_gradients(x, 1.0)["w"].tolist() == [63.0, 84.0]


def test_gradients_do_not_share_memory():
    slopes = Neuron([1.0, 2.0], 0.5).manual_gradients(torch.ones(3, 2), torch.zeros(3))
    places = [slope.untyped_storage().data_ptr() for slope in slopes.values()]

    assert len(set(places)) == len(places)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (
            lambda: Neuron(1.0, 0.0, activation="sigmod"),
            InputError,
            "There is no activation 'sigmod'. Known: identity, relu, leaky relu, sigmoid, tanh, "
            "softplus, silu, gelu, sine. Did you mean 'sigmoid'?",
        ),
        (
            lambda: Neuron(1.0, 0.0, loss="square error"),
            InputError,
            "There is no loss 'square error'. Known: squared error, absolute error, huber, "
            "logistic. Did you mean 'squared error'?",
        ),
        (
            lambda: Neuron(1.0, 0.0, reduction="average"),
            InputError,
            "There is no reduction 'average'. Known: mean, sum. Write one of them.",
        ),
        (
            lambda: Neuron(3, 0.0),
            KindError,
            "weights is 3, of type int: a slope needs numbers that can change by a small "
            "step, so floats. Write 3.0 instead of 3.",
        ),
        (
            lambda: Neuron(torch.tensor([1, 2]), 0.0),
            KindError,
            "weights has dtype torch.int64: slopes are limits of small steps, which integers "
            "cannot take. Write weights.to(torch.float64), or 3.0 instead of 3.",
        ),
        (
            lambda: Neuron(torch.ones(2, dtype=torch.float64), torch.tensor(1.0)),
            KindError,
            "bias has dtype torch.float32, but the weights have torch.float64: mixing them would "
            "round or widen silently. Write bias.to(torch.float64).",
        ),
        (
            lambda: Neuron(torch.ones(2, 2), 0.0),
            ShapeMismatchError,
            "weights has shape (2, 2), but one neuron has weights of shape () or (k,) and a bias "
            "of shape (). Write weights[0] for the first of many.",
        ),
        (
            lambda: Neuron(1.0, 0.0, formulas="sloppy"),
            InputError,
            "There is no style of formulas 'sloppy'. Known: textbook, careful. Write one of them.",
        ),
        (
            lambda: Neuron([1.0, 2.0], [0.5]),
            ShapeMismatchError,
            "bias has shape (1,), but one neuron has weights of shape () or (k,) and a bias of "
            "shape (). Write bias[0] for the first of many.",
        ),
        (
            lambda: Neuron([1.0, math.nan], 0.0),
            InputError,
            "weights[1] is nan: no slope exists there, and one such number spoils every gradient "
            "of the batch. Find where it arose, or leave the row out: weights[weights.isfinite()].",
        ),
        (
            lambda: Neuron(1.0, 0.0).forward(torch.ones(3), torch.ones(3, 1)),
            ShapeMismatchError,
            "target has shape (3, 1), but x of shape (3,) asks for (3,), one target per example. "
            "Broadcasting would set every prediction against every target. "
            "Write target.reshape((3,)).",
        ),
        (
            lambda: Neuron([1.0, 2.0], 0.0).forward(torch.ones(3), torch.ones(3)),
            ShapeMismatchError,
            "x has shape (3,), but a neuron with weights of shape (2,) reads one example of shape "
            "(2,) or a batch of shape (n, 2). Write x.reshape(-1, 2) if x is a batch.",
        ),
        (
            lambda: Neuron(1.0, 0.0).forward(torch.ones(0), torch.ones(0)),
            InputError,
            "x is empty (shape (0,)): a neuron without numbers has no gradient, and the mean over "
            "no rows is nan. Give x at least one number.",
        ),
        (
            lambda: Neuron(1.0, 0.0).forward(math.inf, 1.0),
            InputError,
            "x is inf: no slope exists there, and one such number spoils every gradient of the "
            "batch. Find where it arose, or leave the row out: x[x.isfinite()].",
        ),
    ],
)
def test_what_a_neuron_cannot_work_with_is_explained(build, error, says):
    with pytest.raises(error) as caught:
        build()

    assert str(caught.value) == says


@pytest.mark.parametrize("formula", [*ACTIVATIONS])
@example(z=0.0)
@given(z=st.floats(-1e30, 1e30))
def test_careful_and_textbook_are_the_same_function(formula, z):
    """To the rounding of a 1: the careful form only keeps what the other drops."""
    entry = ACTIVATIONS[formula]
    at, one = torch.tensor(z, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    careful = (entry.careful_pull or entry.pull)(one, at, entry.value(at))

    assert careful.item() == pytest.approx(entry.pull(one, at, entry.value(at)).item(), abs=1e-14)


@pytest.fixture
def no_engine(monkeypatch):
    """Neither a backward pass nor a dual number can be had, whatever name it is asked for by."""

    def refuse(*args, **kwargs):
        raise AssertionError("the engine was asked")

    for place in (torch.autograd, torch.autograd.graph):
        monkeypatch.setattr(place, "_engine_run_backward", refuse)
    monkeypatch.setattr(torch.autograd.forward_ad, "enter_dual_level", refuse)


@pytest.mark.parametrize("formulas", ["textbook", "careful"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_hand_works_where_the_engine_refuses(activation, loss, formulas, no_engine):
    """What a formula is made of is seen when it runs, not when it is read."""
    neuron = Neuron([0.5, -1.0], 0.3, activation=activation, loss=loss, formulas=formulas)

    slopes = neuron.manual_gradients([[1.0, 2.0], [0.25, -1.0]], [0.0, 1.0])

    assert all(slope.isfinite().all() for slope in slopes.values())


def dual(z):
    with torch.autograd.forward_ad.dual_level():
        return torch.autograd.forward_ad.make_dual(z, z)


def roundabout(z):
    z = z.detach().requires_grad_()
    return getattr(torch, "auto" + "grad").grad(z.sin().sum(), z)


@pytest.mark.parametrize(
    "cheat",
    [
        roundabout,
        lambda z: (z.requires_grad_() ** 2).sum().backward(),
        lambda z: torch.func.grad(lambda v: (v**2).sum())(z),
        lambda z: torch.func.vjp(torch.sin, z)[1](z),
        dual,
    ],
    ids=["roundabout", "backward", "grad", "vjp", "dual numbers"],
)
def test_an_engine_by_any_name_is_refused(cheat, no_engine):
    """Each of these would be seen in a formula by the test above."""
    with pytest.raises(AssertionError, match="the engine was asked"):
        cheat(torch.tensor([0.5, 1.0]))
