"""Third opinions on a neuron's gradients, from values of its forward pass alone.

No rule of differentiation is written down here, by hand or by machine: slopes
are read off the function itself, in four arithmetics, and each refuses where it
could not see. The methods are good for:

| method | numbers | error | not for |
|---|---|---|---|
| exact | fractions | none | anything with e, tanh, sin; kinks |
| fifty digits | mpmath | below 1e-50 | kinks |
| complex step | complex float64 | a few ulps | kinks, softplus, gelu, huber, logistic |
| central difference | float64 | about 1e-10 of the loss | kinks and seams within its step |
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, cast

from handgrad.errors import NoWitnessError, ShapeMismatchError
from handgrad.neuron import recipe
from handgrad.neuron.witnesses.forward import (
    COMPLEX,
    DIGITS,
    FLOAT,
    RATIONAL,
    Ingredients,
    Place,
    Sides,
)
from handgrad.neuron.witnesses.slopes import (
    Difference,
    central_difference,
    complex_step,
    exact_slope,
    fifty_digits,
)
from handgrad.numbers.floats import FORMATS, nearest
from handgrad.numbers.reading import read
from handgrad.suggestions import unknown

__all__ = [
    "METHODS",
    "Difference",
    "central_difference",
    "complex_step",
    "exact_slope",
    "fifty_digits",
    "fused_multiply_add",
    "gradients",
]

Slope = Callable[[Ingredients, Place], Any]
RATIONAL_NAMES = ("identity", "relu", "leaky relu", "squared error", "absolute error", "huber")
ANALYTIC_NAMES = ("identity", "sigmoid", "tanh", "silu", "sine", "squared error")
WHY_NOT_COMPLEX = {
    "relu": "it asks whether z > 0, and complex numbers have no order",
    "leaky relu": "it asks whether z > 0, and complex numbers have no order",
    "softplus": "PyTorch's softplus is not one analytic function (it becomes z above 20), "
    "and cmath has no log1p",
    "gelu": "cmath has no erf, and PyTorch's takes real numbers only",
    "absolute error": "the absolute value of a complex number is real: the slope is dropped",
    "huber": "it asks whether |e| > 1, and the absolute value drops the imaginary part",
    "logistic": "it is a softplus, and cmath has no log1p",
}


def gradients(
    neuron: recipe.Recipe,
    x: Any,
    target: Any,
    *,
    method: str,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Give the partials of a neuron's loss as a witness sees them, or refuse.

    The neuron is taken at its word: the exact numbers in its tensors, and the
    mathematical functions, not their rounded versions. So a witness says what
    the gradient *is*, and the distance to it is the rounding of whoever computed.

    Args:
        neuron: Anything with weights, bias, activation, loss and reduction.
        x: As in ``Neuron.forward``.
        target: As in ``Neuron.forward``.
        method: ``"exact"``, ``"fifty digits"``, ``"complex step"`` or
            ``"central difference"``.
        names: Which partials; all that ``Neuron.manual_gradients`` names if None.

    Returns:
        Name to a number, or to nested lists in the shape of the thing, made of
        ``Fraction``, of mpmath numbers, or of floats. ``compare`` reads them all.

    Raises:
        NoWitnessError: Where the method may not be used, see the module.
        InputError: For an unknown method or name.
        ShapeMismatchError, KindError: As ``Neuron.forward``.

    Source:
        Griewank & Walther (2008), *Evaluating Derivatives*, chapter 1, on
        differencing; per method see ``handgrad.neuron.witnesses.slopes``.

    Example:
        >>> from handgrad.neuron import Neuron
        >>> gradients(Neuron(3.0, 1.0), 2.0, 10.0, method="exact", names=["w", "b"])
        {'w': Fraction(-12, 1), 'b': Fraction(-6, 1)}
    """
    if method not in tuple(METHODS):
        raise unknown("method", method, METHODS)
    x, target = recipe.example(neuron, x, target)
    slope, allowed = METHODS[method]
    for used in (neuron.activation, neuron.loss):
        if used not in allowed:
            raise NoWitnessError(_refusal(method, used))
    ingredients = _ingredients(neuron, x, target)
    shapes = _shapes(neuron, x, target)
    wanted = list(shapes) if names is None else list(names)
    for name in wanted:
        if name not in shapes:
            raise unknown("quantity", name, shapes)
    return {
        name: _nested(
            [slope(ingredients, place) for place in _places(name, shapes[name], ingredients)],
            shapes[name],
        )
        for name in wanted
    }


def fused_multiply_add(a: Any, b: Any, c: Any) -> Any:
    """Compute ``a * b + c`` with one rounding, as a processor's fused instruction does.

    The sum is formed exactly, as a fraction, and rounded once to the format of
    ``a``; ``a * b + c`` in torch rounds twice.

    Args:
        a: A tensor of float16, bfloat16, float32 or float64, any shape.
        b: The same shape and dtype.
        c: The same shape and dtype.

    Returns:
        A tensor like ``a``.

    Raises:
        ShapeMismatchError: If shapes or dtypes differ; nothing is broadcast.
        KindError, InputError: For integers, complex, sparse or empty tensors.

    Source:
        IEEE 754-2019, section 5.4.1, fusedMultiplyAdd.

    Example:
        >>> import torch
        >>> p = torch.tensor(0.62, dtype=torch.float64)
        >>> once, twice = fused_multiply_add(-p, p, torch.ones_like(p)), 1 - p * p
        >>> once.item(), twice.item()
        (0.6156, 0.6155999999999999)
    """
    first, second, third = (read(part, name) for part, name in ((a, "a"), (b, "b"), (c, "c")))
    kinds = [(part.form, part.shape) for part in (first, second, third)]
    if kinds[0] != kinds[1] or kinds[0] != kinds[2] or first.form is None:
        raise ShapeMismatchError(
            f"Cannot fuse a * b + c of kinds {kinds}: one dtype and one shape are needed, "
            "because the result is rounded once to that dtype. Write torch.ones_like(a) for a "
            "one, and .expand_as(a) to broadcast on purpose."
        )
    form = FORMATS[first.form]
    sums = [
        nearest(Fraction(p) * Fraction(q) + Fraction(r), form)
        for p, q, r in zip(first.values, second.values, third.values, strict=True)
    ]
    return a.new_tensor(sums).reshape(first.shape)


def _exact(ingredients: Ingredients, place: Place) -> Fraction:
    return exact_slope(
        lambda value: ingredients.loss_as_function(RATIONAL, place, value, Sides()),
        ingredients.value_at(RATIONAL, place),
    )


def _digits(ingredients: Ingredients, place: Place) -> Any:
    sides = Sides()

    def loss(value: Any) -> Any:
        sides.kinks.clear()
        return ingredients.loss_as_function(DIGITS, place, value, sides)

    slope = fifty_digits(loss, lambda: ingredients.value_at(DIGITS, place))
    if 0 in sides.kinks:
        raise NoWitnessError(
            f"No slope exists for '{place.name}' here: {ingredients.activation} with "
            f"{ingredients.loss} is exactly at a kink. PyTorch and a formula pick a slope; a "
            "witness may not. Ask again with another x, or read FORMULAS[...].kinks."
        )
    return slope


def _complex(ingredients: Ingredients, place: Place) -> float:
    return complex_step(
        lambda value: ingredients.loss_as_function(COMPLEX, place, value, Sides()),
        ingredients.value_at(FLOAT, place),
    )


def _central(ingredients: Ingredients, place: Place) -> float:
    def loss(value: float, sides: Sides | None = None) -> float:
        return ingredients.loss_as_function(FLOAT, place, value, sides or Sides())

    at = ingredients.value_at(FLOAT, place)
    try:
        found = central_difference(loss, at)
        met = [Sides() for _ in range(3)]
        for sides, value in zip(met, (at - 2 * found.step, at, at + 2 * found.step), strict=True):
            loss(value, sides)
        size = max(1.0, abs(loss(at))) / max(1.0, abs(at))
    except (OverflowError, ValueError) as error:  # math.sin(inf)
        raise NoWitnessError(
            f"No central difference for '{place.name}' at {at!r}: the forward pass overflows "
            f"there ({error}). Ask method='fifty digits' instead."
        ) from error
    if any(sides != met[1] for sides in met) or 0 in met[1].kinks + met[1].seams:
        raise NoWitnessError(
            f"No central difference for '{place.name}' at {at!r}: a kink of "
            f"{ingredients.activation} or {ingredients.loss} lies within its step of "
            f"{found.step:.2g}, and the quotient would be a mean of two slopes. Ask "
            "method='exact' or 'fifty digits', or move x away from the kink."
        )
    if not found.error <= 1e-3 * (abs(found.slope) + 1e-3 * size):
        raise NoWitnessError(
            f"No central difference for '{place.name}' at {at!r}: with the best step, "
            f"{found.step:.2g}, the slope {found.slope:.3g} is uncertain by {found.error:.2g}. "
            "Ask method='fifty digits' instead."
        )
    return found.slope


METHODS: dict[str, tuple[Slope, tuple[str, ...]]] = {
    "exact": (_exact, RATIONAL_NAMES),
    "fifty digits": (_digits, recipe.ACTIVATIONS + recipe.LOSSES),
    "complex step": (_complex, ANALYTIC_NAMES),
    "central difference": (_central, recipe.ACTIVATIONS + recipe.LOSSES),
}


def _refusal(method: str, name: str) -> str:
    why = WHY_NOT_COMPLEX.get(name, "")
    if method == "exact":
        why = "its values are not fractions, even where its argument is one"
    return (
        f"The {method} witness may not be used with {name}: {why}. Write method='fifty digits' "
        "or method='central difference' instead."
    )


def _ingredients(neuron: recipe.Recipe, x: Any, target: Any) -> Ingredients:
    weights = _fractions(neuron.weights.reshape(-1))
    flat = _fractions(x.reshape(-1))
    width = len(weights)
    return Ingredients(
        weights=weights,
        bias=_fractions(neuron.bias.reshape(-1))[0],
        inputs=tuple(flat[start : start + width] for start in range(0, len(flat), width)),
        targets=_fractions(target.reshape(-1)),
        activation=neuron.activation,
        loss=neuron.loss,
        mean=neuron.reduction == "mean",
    )


def _fractions(flat: Any) -> tuple[Fraction, ...]:
    return tuple(Fraction(value) for value in cast("list[float]", flat.tolist()))


def _shapes(neuron: recipe.Recipe, x: Any, target: Any) -> dict[str, tuple[int, ...]]:
    """Name every partial, with the shape of its thing, in the order the neuron names them."""
    per_example = tuple(target.shape)
    shapes: dict[str, tuple[int, ...]] = {
        "w": tuple(neuron.weights.shape),
        "x": tuple(x.shape),
        "b": (),
        "target": per_example,
        "u": tuple(x.shape),
        "z": per_example,
        "prediction": per_example,
    }
    if neuron.loss != "logistic":
        shapes["error"] = per_example
    if per_example:
        shapes["losses"] = per_example
    return {**shapes, "loss": ()}


def _places(name: str, shape: Sequence[int], ingredients: Ingredients) -> Iterator[Place]:
    count = 1
    for length in shape:
        count *= length
    width = len(ingredients.weights) if name in ("x", "u") else 1
    for place in range(count):
        if name == "w":
            yield Place(name=name, column=place)
        else:
            yield Place(name=name, row=place // width, column=place % width)


def _nested(flat: list[Any], shape: Sequence[int]) -> Any:
    for length in reversed(shape[1:]):
        flat = [flat[start : start + length] for start in range(0, len(flat), length)]
    return flat if shape else flat[0]
