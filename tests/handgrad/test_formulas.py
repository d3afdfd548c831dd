"""The table of formulas: what each gives, what it prints, and where it comes from."""

import math
import re
from fractions import Fraction

import pytest
import torch

from handgrad import Neuron
from handgrad.neuron import formulas, recipe
from handgrad.neuron.formulas import ACTIVATIONS, FORMULAS, LOSSES
from handgrad.neuron.witnesses import forward
from handgrad.neuron.witnesses.forward import DIGITS, Sides
from handgrad.neuron.witnesses.slopes import mpmath, to_mpmath
from handgrad.numbers.floats import FORMATS, spacing
from handgrad.numbers.reading import read

DTYPES = {"float32": torch.float32, "float64": torch.float64}
POINTS = [
    *(0.0, 1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.75, 1.0, 1.25, 2.0, 3.5, 5.0, 9.0, 13.0, 17.0),
    *(19.9, 20.0, 20.1, 30.0, 36.9, 38.5, 88.5, 95.0, 103.0, 700.0, 709.5, 740.0, 744.0),
    *(1e4, 1e10, 1e30),
]
STEPS = 8  # ulps that a value may be off


def both_sides(dtype):
    """The points and their negatives, as the format has them."""
    return torch.tensor([s * v for v in POINTS for s in (1.0, -1.0)], dtype=dtype)


def true_value(function, *at):
    """What fifty digits say the function is, as a fraction."""
    with mpmath.workdps(400):
        exact = function(*(to_mpmath(Fraction(number)) for number in at))
    return read(exact, "value").values[0]


def apart(value, truth, form, least=0):
    """How far a value is from the truth, in steps of the format at that size."""
    return abs(Fraction(value) - truth) / spacing(max(abs(truth), least), form)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_value_of_each_activation(name, dtype):
    formula, form = ACTIVATIONS[name], FORMATS[dtype]
    z = both_sides(DTYPES[dtype])
    textbook = formula.value(z).tolist()
    careful = (formula.careful_value or formula.value)(z).tolist()

    for i, at in enumerate(z.tolist()):
        truth = true_value(lambda v: forward.ACTIVATIONS[name](DIGITS, v, Sides()), at)
        steps = Fraction(STEPS)
        if name == "gelu":  # rounding z / √2 shifts erfc by z² as much
            steps *= Fraction(max(1.0, at * at))
        if abs(truth) < torch.finfo(z.dtype).smallest_normal:  # z times a number of few bits
            steps *= Fraction(max(1.0, abs(at)))
        assert apart(careful[i], truth, form) <= steps, at
        assert apart(textbook[i], truth, form, Fraction(max(1.0, abs(at)))) <= STEPS, at


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_the_value_of_each_loss(name, dtype):
    formula, form = LOSSES[name], FORMATS[dtype]
    points = both_sides(DTYPES[dtype])
    points = points[points.abs() < math.sqrt(torch.finfo(DTYPES[dtype]).max)]
    for target in torch.tensor([0.0, 1.0, 0.25], dtype=points.dtype):
        textbook = formula.value(points, target).tolist()
        careful = (formula.careful_value or formula.value)(points, target).tolist()
        for i, at in enumerate(points.tolist()):
            if name == "logistic":
                truth = true_value(lambda p, t: forward._logistic(DIGITS, p, t), at, target.item())
            else:
                truth = true_value(lambda e: forward.OF_ERROR[name](DIGITS, e, Sides()), at)
            assert apart(careful[i], truth, form) <= STEPS, (at, target)
            least = Fraction(max(1.0, abs(at)))
            assert apart(textbook[i], truth, form, least) <= STEPS, (at, target)


@pytest.mark.parametrize("style", ["textbook", "careful"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_neuron_takes_its_values_from_the_table(reduction, style):
    x = torch.tensor([-60.0, 0.5, 3.0], dtype=torch.float64)
    target = torch.tensor([0.0, 1.0, 0.25], dtype=torch.float64)
    neuron = Neuron(
        torch.tensor(1.5, dtype=torch.float64),
        0.25,
        activation="gelu",
        loss="logistic",
        reduction=reduction,
        formulas=style,
    )
    gelu, logistic = ACTIVATIONS["gelu"], LOSSES["logistic"]
    careful = style == "careful"

    values = neuron.forward(x, target)

    z = 1.5 * x + 0.25
    prediction = (gelu.careful_value if careful else gelu.value)(z)
    losses = (logistic.careful_value if careful else logistic.value)(prediction, target)
    assert torch.equal(values["prediction"], prediction)
    assert torch.equal(values["losses"], losses)
    total = losses.mean() if reduction == "mean" else losses.sum()
    assert torch.equal(values["loss"], total)
    assert (prediction[0] == 0.0) is not careful


# ---------------------------------------------------------------- slopes


@pytest.mark.parametrize("name", FORMULAS)
def test_a_kink_at_zero_is_declared_where_the_slope_jumps(name):
    """Autograd's slopes on both sides of zero tell it apart from a bend."""
    beside = torch.tensor([-1e-9, 1e-9], dtype=torch.float64, requires_grad=True)
    target = () if name in ACTIVATIONS else (torch.zeros(2, dtype=torch.float64),)

    FORMULAS[name].value(beside, *target).sum().backward()

    jump = (beside.grad[1] - beside.grad[0]).abs().item()
    assert (jump > 0.1) == any(kink.at == 0.0 for kink in FORMULAS[name].kinks), jump


@pytest.mark.parametrize("name", [n for n, formula in FORMULAS.items() if formula.kinks])
def test_a_kink_lies_between_the_slopes_beside_it(name):
    table = forward.ACTIVATIONS if name in ACTIVATIONS else forward.OF_ERROR
    (kink,) = FORMULAS[name].kinks
    step = Fraction(1, 2**60)

    slopes = [
        (table[name](forward.RATIONAL, kink.at + 2 * s * step, Sides()) - here) / (s * step)
        for s in (-1, 1)
        for here in [table[name](forward.RATIONAL, kink.at + s * step, Sides())]
    ]

    assert kink.between == tuple(map(float, slopes))
    assert kink.between[0] <= kink.slope <= kink.between[1]


def test_the_slope_of_softplus_is_a_sigmoid_where_pytorch_gives_up():
    """Above 20 the textbook's slope is the careful one; up to 20 it is what PyTorch computes."""
    z = torch.linspace(18.0, 22.0, 4000, dtype=torch.float64)
    z = torch.cat([z, torch.full((100,), 20.0, dtype=torch.float64)])
    tracked = z.clone().requires_grad_()
    torch.nn.functional.softplus(tracked).sum().backward()
    g = torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(0))
    formula = ACTIVATIONS["softplus"]
    above = z > formulas.PYTORCH_SOFTPLUS_ENDS

    slopes = formula.pull(g, z, formula.value(z))

    assert torch.equal(above, tracked.grad == 1.0)
    assert torch.equal(slopes[above], formula.careful_pull(g, z, formula.value(z))[above])
    grown = torch.exp(z[~above])
    assert torch.equal(slopes[~above], g[~above] * grown / (grown + 1.0))


# ---------------------------------------------------------------- what is printed

PYTHON = [  # from the TeX of the table to Python, in this order
    (r"\\hat y", "p"),
    (r"\\text\{ if \} (.*), \\text\{ else \}", r" if \1 else "),
    (r"\\tfrac12 (?=e)", "0.5*"),
    (r"\\tfrac12", "0.5"),
    (r"\\le", "<="),
    (r"\\(ln|max|min|sigma|Phi)\b ?", r"\1"),
    (r"\\(sin|cos|tanh) z", r"\1(z)"),
    (r"\\operatorname\{sign\} e", "sign(e)"),
    (r"\|e\|", "abs(e)"),
    (r"\[([^]]*)\]", r"(\1)"),
    (r"\\pi", "pi"),
    (r"\\,|(?<=\d) (?=z)|(?<=\d)(?=e|pi)|(?<=p) (?=\()|(?<=\)) (?=\()", "*"),
    (r"\be\^(?!2)(\w|\{([^{}]*)\})", lambda m: f"exp({m[2] or m[1]})"),
    (r"\^(\d)", r"**\1"),
    (r"(?<=z)\*\*2/2", "**2/2"),
    (r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)"),
    (r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))"),
]


def sigma(z):
    return 1.0 / (1.0 + math.exp(-z))


WORDS = {
    **{name: getattr(math, name) for name in ("exp", "sqrt", "pi", "sin", "cos", "tanh")},
    "ln": math.log,
    "abs": abs,
    "max": max,
    "min": min,
    "sigma": sigma,
    "Phi": lambda z: 0.5 * math.erfc(-z / math.sqrt(2.0)),
    "sign": lambda e: (e > 0) - (e < 0),
}


def read_tex(tex, of):
    """Read a printed formula as a function, by the few rules above and no other."""
    left, _, right = tex.partition(" = ")
    assert left == of
    for pattern, python in PYTHON:
        right = re.sub(pattern, python, right)
    return lambda **values: float(eval(right, {"__builtins__": {}}, {**WORDS, **values}))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("z", [-2.3, -0.7, 0.4, 1.9])
def test_the_printed_activation_is_the_computed_one(name, z):
    formula, at = ACTIVATIONS[name], torch.tensor(z, dtype=torch.float64)
    value, slope = map(read_tex, formula.latex, (r"\hat y", r"\hat y'"))
    prediction = formula.value(at)

    assert value(z=z) == pytest.approx(prediction.item(), rel=1e-13)
    computed = formula.pull(torch.ones_like(at), at, prediction).item()
    assert slope(z=z, p=prediction.item()) == pytest.approx(computed, rel=1e-13)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("of", [-2.3, -0.7, 0.4, 1.9])
def test_the_printed_loss_is_the_computed_one(name, of):
    formula, at = LOSSES[name], torch.tensor(of, dtype=torch.float64)
    value, slope = map(read_tex, formula.latex, ("L", "L'"))
    words = {"e": of} if formula.of == "error" else {"p": of, "t": 0.25}
    target = torch.tensor(0.25, dtype=torch.float64)

    assert value(**words) == pytest.approx(formula.value(at, target).item(), rel=1e-13)
    computed = formula.pull(torch.ones_like(at), at, target).item()
    assert slope(**words) == pytest.approx(computed, rel=1e-13)


def test_a_wrong_print_is_seen():
    value, slope = (read_tex(tex, tex.split(" = ")[0]) for tex in (r"L = e^2", r"L' = 2e"))

    assert (value(e=3.0), slope(e=3.0)) == (9.0, 6.0)
    with pytest.raises(SyntaxError):
        read_tex(r"L = e^2?", "L")(e=3.0)


def test_every_name_a_neuron_knows_has_a_formula():
    assert tuple(ACTIVATIONS) == tuple(recipe.ACTIVATIONS)
    assert tuple(LOSSES) == tuple(recipe.LOSSES)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_says_who_and_where(name):
    one = r"[A-Z]\w+(, \w+)*( & \w+| et al\.)? \(\d{4}\), (section |p\. )?[\d.]+(, eq\. [\d.]+)?"
    told = FORMULAS[name].source

    for part in told.split("; "):
        assert re.fullmatch(rf"(slope (at 0|of erf): )?{one}", part), part


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_says_how_near_to_pytorch_it_is(name):
    told = FORMULAS[name].bits

    assert re.fullmatch(r"same bits as PyTorch(; (near|for) .* does not)?|PyTorch \w+ .*\w", told)
    assert ("does not" in told) <= (FORMULAS[name].careful_pull is not None)
