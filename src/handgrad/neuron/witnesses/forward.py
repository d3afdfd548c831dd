"""The neuron's forward pass once more, for numbers of any kind, without its slopes.

It belongs to the witnesses: nothing here is shared with ``neuron`` or ``machine``.
"""

import cmath
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from handgrad.neuron.witnesses.slopes import mpmath, to_mpmath


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What a forward pass asks of its numbers, besides + − × ÷."""

    number: Callable[[Fraction], Any]
    exp: Callable[[Any], Any]
    log1p: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    sin: Callable[[Any], Any]
    normal: Callable[[Any], Any]
    real: Callable[[Any], Any]


def _none(_: Any) -> Any:
    raise ArithmeticError("not a function of this arithmetic; refused before it is asked for")


RATIONAL = Arithmetic(
    number=lambda n: n,
    exp=_none,
    log1p=_none,
    tanh=_none,
    sin=_none,
    normal=_none,
    real=lambda n: n,
)
DIGITS = Arithmetic(
    number=to_mpmath,
    exp=mpmath.exp,
    log1p=mpmath.log1p,
    tanh=mpmath.tanh,
    sin=mpmath.sin,
    normal=lambda z: mpmath.erfc(-z / mpmath.sqrt(2)) / 2,
    real=mpmath.re,
)
COMPLEX = Arithmetic(
    number=complex,
    exp=cmath.exp,
    log1p=_none,
    tanh=cmath.tanh,
    sin=cmath.sin,
    normal=_none,
    real=lambda n: n.real,
)
FLOAT = Arithmetic(
    number=float,
    exp=math.exp,
    log1p=math.log1p,
    tanh=math.tanh,
    sin=math.sin,
    normal=lambda z: math.erfc(-z / math.sqrt(2.0)) / 2.0,
    real=lambda n: n,
)


@dataclass(slots=True)
class Sides:
    """On which side of each kink and each seam a forward pass went: -1, 0 or 1.

    A kink has no slope; a seam has one, but a bend in it.
    """

    kinks: list[int] = field(default_factory=list[int])
    seams: list[int] = field(default_factory=list[int])


def _side(number: Any) -> int:
    return (number > 0) - (number < 0)


def _relu(m: Arithmetic, z: Any, below: Any, sides: Sides) -> Any:
    sides.kinks.append(_side(m.real(z)))
    return z if m.real(z) > 0 else below


def _sigmoid(m: Arithmetic, z: Any) -> Any:
    if m.real(z) < 0:  # the same function twice, so that neither exponential overflows
        grown = m.exp(z)
        return grown / (1 + grown)
    return 1 / (1 + m.exp(-z))


def _softplus(m: Arithmetic, z: Any) -> Any:
    return m.log1p(m.exp(z)) if m.real(z) < 0 else z + m.log1p(m.exp(-z))


ACTIVATIONS: dict[str, Callable[[Arithmetic, Any, Sides], Any]] = {
    "identity": lambda m, z, sides: z,
    "relu": lambda m, z, sides: _relu(m, z, 0 * z, sides),
    "leaky relu": lambda m, z, sides: _relu(m, z, z / 100, sides),
    "sigmoid": lambda m, z, sides: _sigmoid(m, z),
    "tanh": lambda m, z, sides: m.tanh(z),
    "softplus": lambda m, z, sides: _softplus(m, z),
    "silu": lambda m, z, sides: z * _sigmoid(m, z),
    "gelu": lambda m, z, sides: z * m.normal(z),
    "sine": lambda m, z, sides: m.sin(z),
}


def _absolute(m: Arithmetic, e: Any, sides: Sides) -> Any:
    sides.kinks.append(_side(m.real(e)))
    return e if m.real(e) > 0 else -e


def _huber(m: Arithmetic, e: Any, sides: Sides) -> Any:
    size = e if m.real(e) > 0 else -e
    sides.seams.append(_side(m.real(size) - 1))
    return e * e / 2 if m.real(size) <= 1 else size - m.number(Fraction(1, 2))


def _logistic(m: Arithmetic, p: Any, t: Any) -> Any:
    """Compute softplus(p) − t p in a form that does not cancel at t = 1."""
    return (1 - t) * _softplus(m, p) + t * _softplus(m, -p)


OF_ERROR: dict[str, Callable[[Arithmetic, Any, Sides], Any]] = {
    "squared error": lambda m, e, sides: e * e,
    "absolute error": _absolute,
    "huber": _huber,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One number of the computation: ``Place("x", 2, 0)`` is input 0 of example 2."""

    name: str
    row: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """A neuron and its examples as exact numbers."""

    weights: tuple[Fraction, ...]
    bias: Fraction
    inputs: tuple[tuple[Fraction, ...], ...]
    targets: tuple[Fraction, ...]
    activation: str
    loss: str
    mean: bool

    def rows(self, place: Place) -> Iterator[int]:
        """Name the examples whose loss a number can change."""
        shared = place.name in ("w", "b")
        yield from range(len(self.inputs)) if shared else (place.row,)

    def loss_as_function(self, m: Arithmetic, place: Place, value: Any, sides: Sides) -> Any:
        """Compute the loss with one number replaced, without the rows it cannot change."""
        if place.name == "loss":
            return value
        total: Any = 0
        for row in self.rows(place):
            met = Sides()
            total = total + self._row(m, row, place, value, met)["losses"]
            sides.kinks += met.kinks
            sides.seams += met.seams
        return total / len(self.inputs) if self.mean else total

    def value_at(self, m: Arithmetic, place: Place) -> Any:
        """Compute the number itself, as the forward pass makes it."""
        if place.name == "loss":  # every row's; column -1 replaces nothing
            return self.loss_as_function(m, Place(name="w", column=-1), None, Sides())
        found: Any = self._row(m, place.row, None, None, Sides())[place.name]
        return found[place.column] if place.name in ("w", "x", "u") else found

    def _row(
        self, m: Arithmetic, row: int, place: Place | None, value: Any, sides: Sides
    ) -> dict[str, Any]:
        """Run one example; from a replaced number on, forget the kinks before it."""

        def here(name: str, computed: Any, column: int = 0) -> Any:
            if place is None or place.name != name or place.column != column:
                return computed
            sides.kinks.clear()
            sides.seams.clear()
            return value

        w = [here("w", m.number(n), j) for j, n in enumerate(self.weights)]
        x = [here("x", m.number(n), j) for j, n in enumerate(self.inputs[row])]
        b = here("b", m.number(self.bias))
        u = [here("u", w[j] * x[j], j) for j in range(len(w))]
        z = here("z", sum(u[1:], u[0]) + b)
        prediction = here("prediction", ACTIVATIONS[self.activation](m, z, sides))
        target = here("target", m.number(self.targets[row]))
        values = {
            "w": w,
            "x": x,
            "b": b,
            "u": u,
            "z": z,
            "prediction": prediction,
            "target": target,
        }
        if self.loss == "logistic":
            each = _logistic(m, prediction, target)
        else:
            values["error"] = here("error", prediction - target)
            each = OF_ERROR[self.loss](m, values["error"], sides)
        values["losses"] = here("losses", each)
        return values
