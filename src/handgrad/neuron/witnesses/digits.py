"""The slopes of any function of named numbers, to many digits, from its values alone."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from handgrad.errors import InputError, KindError, NoWitnessError
from handgrad.neuron.witnesses.slopes import BELOW_FLOATS, SEE, SURE_OF_ZERO, mpmath, to_mpmath
from handgrad.suggestions import unknown

FINEST = 800  # steps shrink to ten to minus so much at most, until two answers agree
COARSE = (7, 9)  # decimal digits of steps at which arithmetic in floats does not show
NEAR = 1e-3  # how near a coarse slope has to be


def witness_digits(
    f: Callable[..., Any],
    /,
    *,
    names: Mapping[str, str] | None = None,
    digits: int = 50,
    **at: Any,
) -> dict[str, Any]:
    """Return the slopes of a function with respect to its named arguments, to 50 digits.

    One argument after another takes a tiny step to the right and to the left, in
    arithmetic of several times the digits; the step shrinks until two answers
    agree. No rule of differentiation is used, so that nothing is shared with a
    formula or with autograd.

    Args:
        f: Computes one number from mpmath numbers, with mpmath's functions
            (``mpmath.tanh``, not ``math.tanh``); called as ``f(**at)``.
        names: Argument to what its slope is called; only those named are
            returned. All arguments, by their own names, if None.
        digits: Significant decimal digits of each slope.
        **at: Where: floats, integers, fractions, mpmath numbers or tensors of one
            number, each taken at its word: 0.1 is the float, not one tenth.

    Returns:
        Name to an mpmath number, as ``compare(witness=...)`` reads it, in units of
        the result per unit of the argument. Zero means: below 1e-330.

    Raises:
        KindError: If the function returns a complex number, several numbers, or a
            Python float, which has only 16 digits; or if an argument is no number.
        InputError: If there is no argument, or a name that is none.
        NoWitnessError: At a kink, where the result is infinite or nan, and where
            no two steps agree.

    Source:
        Fornberg (1988), *Generation of Finite Difference Formulas on
        Arbitrarily Spaced Grids*, table 1.

    Example:
        >>> def loss(w, b):
        ...     return (mpmath.tanh(w * 2 + b) - 1) ** 2
        >>> slopes = witness_digits(loss, w=0.75, b=-0.25)
        >>> print(mpmath.nstr(slopes["w"], 20))
        -0.17017409119478542654
        >>> list(witness_digits(loss, names={"w": "∂L/∂w"}, w=0.75, b=-0.25))
        ['∂L/∂w']
    """
    _check(names, digits, at)
    point = {name: _read(name, value) for name, value in at.items()}
    wanted = {name: name for name in at} if names is None else names
    return {
        called: _slope(_along(f, point, name), point[name], name, digits)
        for name, called in wanted.items()
    }


def _check(names: Mapping[str, str] | None, digits: int, at: Mapping[str, Any]) -> None:
    if not at:
        raise InputError(
            "There is nothing to differentiate with respect to: no argument was named. Give the "
            "point by name: witness_digits(loss, w=0.7, b=-0.2)."
        )
    for name in names or ():
        if name not in at:
            raise unknown("argument", name, list(at))
    if type(digits) is not int or digits < 1:
        raise InputError(
            f"A slope has a whole number of digits, 1 or more, not {digits!r}. Leave it out for 50."
        )


def _read(name: str, value: Any) -> Fraction | Any:
    """Return the exact number that an argument is: a fraction, or mpmath's own."""
    if isinstance(value, mpmath.mpf):
        return value
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "item") and not tuple(shape):
        value = value.item()
    if isinstance(value, int | float | Fraction) and type(value) is not bool and _finite(value):
        return Fraction(value)
    raise KindError(
        f"The argument '{name}' is {value!r:.60}, of type {type(value).__name__}, but a slope is "
        f"taken at a finite number. Give a float, such as {name}=0.7; of a tensor with several "
        "numbers, name each one."
    )


def _finite(value: float | Fraction) -> bool:
    return isinstance(value, Fraction) or math.isfinite(value)


def _along(f: Callable[..., Any], point: Mapping[str, Any], name: str) -> Callable[[Any], Any]:
    """Return the function of one argument, at the precision of the moment."""

    def function(value: Any) -> Any:
        others = {other: to_mpmath(number) for other, number in point.items() if other != name}
        return _real(f(**others, **{name: value}))

    return function


def _real(result: Any) -> Any:
    """Return the result of a function if it is one real number of many digits."""
    if isinstance(result, mpmath.mpc):
        raise KindError(
            f"The function returned the complex number {mpmath.nstr(result, 6)}, and a complex "
            "result has no single slope. Return its part: mpmath.re(...), mpmath.im(...) or "
            "abs(...)."
        )
    if isinstance(result, mpmath.mpf):
        if mpmath.isfinite(result):
            return result
        raise NoWitnessError(
            f"No slope here: the function is {result} within a step of the point. Ask at another "
            "point, or about the part that is finite."
        )
    if isinstance(result, int) and not isinstance(result, bool):
        return mpmath.mpf(result)
    if isinstance(result, float):
        raise KindError(
            f"The function returned the Python float {result!r}, which has 16 digits and not more. "
            "Compute with mpmath's numbers and functions: mpmath.tanh(z), not math.tanh(z)."
        )
    raise KindError(
        f"The function returned a {type(result).__name__}, but a slope is that of one number. "
        "Return one mpmath number, such as the sum; ask for each part of a vector by a function "
        "of its own."
    )


def _slope(function: Callable[[Any], Any], at: Any, name: str, digits: int) -> Any:
    before: Any = None
    step = digits
    while step < FINEST + digits:
        precision = 3 * step + 20
        with mpmath.workdps(precision):
            left, right = _one_sided(function, at, step)
            slope = (left + right) / 2
            size = max(abs(left), abs(right))
            if abs(right - left) > mpmath.mpf(10) ** (-digits // 2) * max(size, 1):
                raise NoWitnessError(_kink(name, left, right))
            close = before is not None and abs(slope - before) <= size * mpmath.mpf(10) ** -digits
            zero = precision >= SURE_OF_ZERO and size < mpmath.mpf(10) ** BELOW_FLOATS
            if zero or (close and slope != 0):
                _check_coarse(function, at, slope, name)
                with mpmath.workdps(digits):
                    return mpmath.mpf(0) if zero else +slope
        before = slope
        step *= 2
    raise NoWitnessError(
        f"No {digits} digits of the slope with respect to '{name}': steps of ten to the "
        f"-{step // 4} and -{step // 2} still disagree, so the function changes too fast here or "
        "is not smooth. Ask for fewer digits, digits=20, or at another point; " + SEE
    )


def _one_sided(function: Callable[[Any], Any], at: Any, step: int) -> tuple[Any, Any]:
    """Return the slopes to the left and to the right, with a step of so many digits."""
    here = to_mpmath(at)
    length = mpmath.mpf(10) ** -step * (abs(here) or 1)
    middle = function(here)
    return (
        (middle - function(here - length)) / length,
        (function(here + length) - middle) / length,
    )


def _check_coarse(function: Callable[[Any], Any], at: Any, slope: Any, name: str) -> None:
    """Refuse what only looks flat, or steep, to a tiny step: arithmetic in floats on the way."""
    coarser, coarse = (sum(_one_sided(function, at, step)) / 2 for step in COARSE)
    bend = abs(coarser - coarse)  # how far a coarse slope may be off where nothing is wrong
    if abs(coarse - slope) > NEAR * max(abs(coarse), abs(slope)) + bend:
        raise NoWitnessError(
            f"No slope with respect to '{name}' can be trusted: it is {mpmath.nstr(slope, 6)} for "
            f"a tiny step and {mpmath.nstr(coarse, 6)} for one of 1e-{COARSE[1]}. If the function "
            "rounds to floats on its way, as math.tanh does, write mpmath.tanh; if it changes "
            "that fast, ask at another point."
        )


def _kink(name: str, left: Any, right: Any) -> str:
    return (
        f"No slope exists here with respect to '{name}': it is {mpmath.nstr(left, 6)} from the "
        f"left and {mpmath.nstr(right, 6)} from the right, a kink. PyTorch and a formula pick one "
        "of them; a witness may not. Ask at another point."
    )
