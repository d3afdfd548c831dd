"""Products and sums of Jacobians, rounded after every step as their own dtype rounds."""

import math
from collections.abc import Callable

from handgrad.graph.records import Array
from handgrad.numbers.floats import FORMATS, Format, steps_between

MOST_WORK = 2_000_000
"""A single product of more multiplications than this is not formed."""


def rounder(dtype: str) -> Callable[[float], float]:
    """Return the rounding of a dtype, for exact results of one operation on its floats.

    A product or sum of two of its floats that was first rounded to float64 and
    then by this is correctly rounded: 53 bits are at least 2 * 24 + 2.

    Source:
        Figueroa (1995), *When is double rounding innocuous?*, SIGNUM Newsletter 30(3).

    Example:
        >>> rounder("float16")(1 / 3)
        0.333251953125
        >>> rounder("float16")(65520.0)
        inf
    """
    form = FORMATS[dtype]
    if dtype == "float64":
        return float
    return lambda value: _rounded(value, form)


def _rounded(value: float, form: Format) -> float:
    most = 2.0 ** (form.highest + 1)
    if value == 0.0 or not abs(value) < most:
        return value if value == 0.0 or math.isnan(value) else math.copysign(math.inf, value)
    exponent = max(math.frexp(value)[1], form.lowest + 1) - form.precision
    steps = round(math.ldexp(value, -exponent))  # round() takes ties to even, as IEEE 754 does
    result = math.copysign(math.ldexp(steps, exponent), value)
    return math.copysign(math.inf, value) if abs(result) >= most else result


def identity(shape: tuple[int, ...], dtype: str) -> Array:
    """Return d(v)/d(v): shape ``shape + shape``, or the bare 1 where there is one number."""
    count = math.prod(shape)
    if count == 1:
        return Array(shape=shape, dtype=dtype, data=(1.0,))
    data = tuple(1.0 if row == column else 0.0 for row in range(count) for column in range(count))
    return Array(shape=shape + shape, dtype=dtype, data=data)


def formed(outer: Array | None, inner: Array | None, shared: tuple[int, ...]) -> Array | None:
    """Multiply two Jacobians, if both are there and it is not too much."""
    if outer is None or inner is None or work(outer, inner, shared) > MOST_WORK:
        return None
    return product(outer, inner, shared)


def work(outer: Array, inner: Array, shared: tuple[int, ...]) -> int:
    """Count the multiplications of a product."""
    return len(outer.data) * len(inner.data) // max(1, math.prod(shared))


def product(outer: Array, inner: Array, shared: tuple[int, ...]) -> Array:
    """Multiply two Jacobians, outer layer left.

    Args:
        outer: d(a)/d(b), of shape ``a.shape + b.shape``.
        inner: d(b)/d(c), of shape ``b.shape + c.shape``.
        shared: ``b.shape``.

    Returns:
        d(a)/d(c), of shape ``a.shape + c.shape``, in the dtype of ``inner``:
        each product and each sum is rounded, sums run from left to right.

    Example:
        >>> row = Array(shape=(2,), dtype="float64", data=(1.0, 2.0))
        >>> matrix = Array(shape=(2, 2), dtype="float64", data=(1.0, 10.0, 100.0, 1000.0))
        >>> product(row, matrix, (2,)).tolist()
        [201.0, 2010.0]
    """
    to_float = rounder(inner.dtype)
    keep = len(outer.shape) - len(shared)
    middle, columns = math.prod(shared), math.prod(inner.shape[len(shared) :])
    data: list[float] = []
    for number in range(math.prod(outer.shape[:keep])):
        row = _real(outer)[number * middle : (number + 1) * middle]
        for column in range(columns):
            total = 0.0
            for position, (a, b) in enumerate(zip(row, _real(inner)[column::columns], strict=True)):
                term = to_float(a * b)
                total = to_float(total + term) if position else term
            data.append(total)
    shape = outer.shape[:keep] + inner.shape[len(shared) :]
    return Array(shape=shape, dtype=inner.dtype, data=tuple(data))


def total(terms: list[Array]) -> Array:
    """Add arrays of one shape from first to last, rounding every sum."""
    first, *others = terms
    to_float = rounder(first.dtype)
    data = _real(first)
    for term in others:
        data = tuple(to_float(a + b) for a, b in zip(data, _real(term), strict=True))
    return Array(shape=first.shape, dtype=first.dtype, data=data)


def distance(a: Array, b: Array) -> int | None:
    """Return the largest distance of two arrays' numbers in ulps; None beside a lone nan."""
    form = FORMATS[b.dtype]
    steps = 0
    for x, y in zip(_real(a), _real(b), strict=True):
        if math.isnan(x) and math.isnan(y):
            continue
        if math.isnan(x) or math.isnan(y):
            return None
        steps = max(steps, steps_between(x, y, form))
    return steps


def same_bits(a: Array, b: Array) -> bool:
    """Tell whether all numbers are equal, signs of zeros included; nan is equal to nan."""
    return all(
        (math.isnan(x) and math.isnan(y)) or (x == y and math.copysign(1, x) == math.copysign(1, y))
        for x, y in zip(_real(a), _real(b), strict=True)
    )


def sizes(array: Array | None) -> Array | None:
    """Return a Jacobian without the signs of its numbers."""
    if array is None:
        return None
    return Array(shape=array.shape, dtype=array.dtype, data=tuple(map(abs, _real(array))))


def largest(array: Array) -> float:
    """Return the size of the largest number."""
    return max(map(abs, _real(array)), default=0.0)


def _real(array: Array) -> tuple[float, ...]:
    return array.data  # pyright: ignore[reportReturnType] # complex arrays do not come here
