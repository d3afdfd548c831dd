"""Four ways to find a slope without knowing any rule of differentiation.

Each looks at values of the function only, so none can share a mistake with a
formula worked out by hand, nor with PyTorch. Each refuses where it is blind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath as untyped  # pyright: ignore[reportMissingTypeStubs]

from handgrad.errors import NoWitnessError

mpmath: Any = untyped

DIGITS = 50
PRECISIONS = (90, 180, 360, 540, 1080, 2160)  # decimal digits to try, until two agree
SURE_OF_ZERO = 540  # with fewer digits, a slope of 1e-300 may cancel to zero twice
BELOW_FLOATS = -330  # ten to this is zero in every format
TINY_STEP = Fraction(1, 2**4000)  # smaller than any distance between float64 products
COMPLEX_STEP = 1e-100
SEE = "see 'How far to trust a slope' in the book."


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A central difference: the slope, the step that was best, an estimate of the error."""

    slope: float
    step: float
    error: float


def exact_slope(
    function: Callable[[Fraction], Fraction], at: Fraction, step: Fraction = TINY_STEP
) -> Fraction:
    """Find the slope of a piecewise quadratic function, exactly, from rational values.

    The one-sided three-point difference has no error for a polynomial of degree
    two. It is taken to the right and to the left, with two steps each, and all
    four must be the same fraction.

    Args:
        function: From ``Fraction`` to ``Fraction``; piecewise of degree 2 at most.
        at: Where.
        step: So small that no other kink is within two steps.

    Raises:
        NoWitnessError: At a kink, and if the function is not piecewise quadratic.

    Source:
        Fornberg (1988), *Generation of Finite Difference Formulas on
        Arbitrarily Spaced Grids*, table 3.

    Example:
        >>> exact_slope(lambda w: (w * 2 - 10) ** 2, Fraction(3))
        Fraction(-16, 1)
    """

    def one_sided(h: Fraction) -> Fraction:
        return (4 * function(at + h) - 3 * middle - function(at + 2 * h)) / (2 * h)

    middle = function(at)
    right, left = one_sided(step), one_sided(-step)
    if right != one_sided(step / 2) or left != one_sided(-step / 2):
        raise NoWitnessError(
            "No exact slope: the difference quotients with two steps differ, so the function "
            "is not quadratic here and a difference is only near its slope. Ask "
            "fifty_digits() instead; " + SEE
        )
    if right != left:
        raise NoWitnessError(
            f"No slope exists here: it is {float(left):.6g} from the left and "
            f"{float(right):.6g} from the right, a kink. PyTorch and a formula pick one of "
            "them; a witness may not. Ask again at z + 1e-3 and at z - 1e-3, or read the pick "
            "in FORMULAS[...].kinks."
        )
    return right


def fifty_digits(function: Callable[[Any], Any], at: Any) -> Any:
    """Find the slope of a smooth function to 50 digits, with mpmath.

    The argument takes a step along the imaginary axis, far below the last digit
    carried; the slope is the imaginary part of the value, and nothing cancels.
    It is computed again with twice the digits and a step that is smaller
    accordingly, until two answers agree in 50 digits. A slope below 1e-330 is 0.

    Args:
        function: From an mpmath number to an mpmath number, complex too, made of
            mpmath's own functions; analytic near ``at``.
        at: A float, a ``Fraction``, an mpmath number, or a function without
            arguments that gives one at the precision of the moment.

    Returns:
        An mpmath number.

    Raises:
        NoWitnessError: If no two precisions agree.

    Source:
        Squire & Trapp (1998), *Using Complex Variables to Estimate Derivatives
        of Real Functions*, section 2.

    Example:
        >>> print(mpmath.nstr(fifty_digits(mpmath.tanh, 0.5), 20))
        0.78644773296592741015
    """
    before: Any = None
    for precision in PRECISIONS:
        with mpmath.workdps(precision):
            point = at() if callable(at) else to_mpmath(at)
            step = mpmath.mpf(10) ** -(precision // 3)
            slope = mpmath.im(function(mpmath.mpc(point, step))) / step
            near = mpmath.mpf(10) ** -DIGITS * abs(slope)
            if before is not None and slope != 0 and abs(slope - before) <= near:
                return slope
            if precision >= SURE_OF_ZERO and abs(slope) < mpmath.mpf(10) ** BELOW_FLOATS:
                return mpmath.mpf(0)
            before = slope
    raise NoWitnessError(
        f"No {DIGITS} digits of the slope at {at!r}: answers with {PRECISIONS[-2]} and "
        f"{PRECISIONS[-1]} digits still differ, so the function changes too fast or is not "
        "smooth here. Ask nearer to zero, or ask central_difference(); " + SEE
    )


def complex_step(
    function: Callable[[complex], complex], at: float, step: float = COMPLEX_STEP
) -> float:
    """Find the slope of an analytic function from one complex float, without cancellation.

    Args:
        function: Analytic near ``at``, and written for complex numbers. Not for
            max, abs, or anything that looks at the real part only: such a
            function has no imaginary part to read.
        at: Where.
        step: Along the imaginary axis.

    Returns:
        The slope; a slope below about 1e-220 underflows on its way and reads 0.

    Raises:
        NoWitnessError: If the function drops the imaginary part, if steps of two
            sizes disagree, or if it overflows.

    Source:
        Squire & Trapp (1998), section 2.

    Example:
        >>> import cmath
        >>> complex_step(cmath.sin, 1.0)
        0.5403023058681398
    """
    try:
        value = function(complex(at, step))
        again = function(complex(at, step / 1024)).imag / (step / 1024)
    except OverflowError as error:
        raise NoWitnessError(
            f"No complex step at {at!r}: the function overflows there ({error}). Ask "
            "fifty_digits() instead, whose numbers have no largest one; " + SEE
        ) from error
    if not isinstance(value, complex):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise NoWitnessError(
            f"No complex step at {at!r}: the function returned a {type(value).__name__}, so the "
            "imaginary part, which carries the slope, was dropped (abs and max do this). Write "
            "it with cmath, or ask central_difference(); " + SEE
        )
    slope = value.imag / step
    if not abs(slope - again) <= 1e-13 * abs(slope):
        raise NoWitnessError(
            f"No complex step at {at!r}: steps of {step:g} and {step / 1024:g} give {slope!r} and "
            f"{again!r}, so one of them is too large, or the slope too small for a float64. Ask "
            "fifty_digits() instead; " + SEE
        )
    return slope


def central_difference(function: Callable[[float], float], at: float) -> Difference:
    """Find a slope by two neighbouring values, with the step that balances its two errors.

    A large step bends away from the tangent, a small one drowns in rounding. All
    steps ``2**-1 ... 2**-50`` (of ``max(1, abs(at))``) are tried; the best is the
    one whose slope differs least from its neighbours' plus what rounding can do.

    Args:
        function: From float to float; at a kink the result is a mean of two
            slopes, and nothing here can tell.
        at: Where.

    Returns:
        The slope, the step, and an estimate of the error, all float64.

    Source:
        Gill, Murray, Saunders & Wright (1983), *Computing Forward-Difference
        Intervals for Numerical Optimization*, section 2.

    Example:
        >>> import math
        >>> found = central_difference(math.sin, 1.0)
        >>> abs(found.slope - math.cos(1.0)) < 1e-9
        True
    """
    scale = max(1.0, abs(at))
    steps = [scale * 2.0**-power for power in range(1, 51)]
    slopes: list[float] = []
    noise: list[float] = []
    for step in steps:
        above, below = at + step, at - step
        high, low = function(above), function(below)
        width = above - below  # what the step became after rounding
        slopes.append((high - low) / width)
        noise.append(2.0**-52 * (abs(high) + abs(low)) / width)
    best = min(
        (max(abs(slopes[i] - slopes[i - 1]), abs(slopes[i] - slopes[i + 1])) + noise[i], i)
        for i in range(1, len(steps) - 1)
    )
    return Difference(slope=slopes[best[1]], step=steps[best[1]], error=best[0])


def to_mpmath(number: Any) -> Any:
    """Turn a float, a Fraction or an mpmath number into mpmath's, at its current precision."""
    if isinstance(number, Fraction):
        return mpmath.mpf(number.numerator) / number.denominator
    return mpmath.mpf(number)
