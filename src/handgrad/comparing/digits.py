"""Which decimal digits to show, so that floats that differ look different."""

import math
from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction

from handgrad.numbers.floats import FORMATS, Format, nearest

ENOUGH = 17  # significant digits that name any float64
Value = float | Fraction | None


def digits(numbers: Sequence[Value], form: str | None) -> list[str]:
    """Write the numbers of a row alike: enough digits to tell the format's floats apart.

    A float of the format gets the shortest digits that name it, padded with
    zeros; any other number gets its true digits, to as many places as the rest,
    or 17 digits where there is no such float. If that would make an exact number
    look like a float that is not the nearest to it, all get 17 digits.

    Example:
        >>> digits([-0.1, Fraction(-1, 3), None], "float64")
        ['-0.1', '-0.3', '']
        >>> digits([0.1 + 0.2, 0.3, Fraction(3, 10)], "float64")
        ['0.30000000000000004', '0.30000000000000000', '0.30000000000000000']
        >>> digits([0.5, Fraction(1, 2) + Fraction(17, 10 * 2**53)], "float64")
        ['0.50000000000000000', '0.50000000000000019']
        >>> digits([1.5e-30, -0.0], "float64")
        ['1.5e-30', '-0']
    """
    named = [_named(number, form) for number in numbers]
    texts = _alike(numbers, named)
    if _hides_a_difference(numbers, named, texts, form):
        return _alike(numbers, named, enough=True)
    return texts


def _alike(
    numbers: Sequence[Value], named: Sequence[Decimal | None], *, enough: bool = False
) -> list[str]:
    tops = [_top(number) for number in numbers if number and finite(number)]
    shorts = [short for short in named if short is not None]
    counts = [(len(short.as_tuple().digits), short.adjusted()) for short in shorts]
    if tops and (enough or not shorts):
        counts += [(ENOUGH, max(tops))]
    if tops and (max(tops) >= 16 or max(tops) < -4 or max(tops) - min(tops) > 12):
        after = max([1, *(count - 1 for count, _ in counts)])
        return [_scientific(n, d, after) for n, d in zip(numbers, named, strict=True)]
    after = max([1, *(count - 1 - top for count, top in counts)])
    return [_fixed(n, d, after) for n, d in zip(numbers, named, strict=True)]


def _hides_a_difference(
    numbers: Sequence[Value], named: Sequence[Decimal | None], texts: list[str], form: str | None
) -> bool:
    """Tell whether an exact number looks like a float that is not the nearest to it."""
    floats = {t: n for n, d, t in zip(numbers, named, texts, strict=True) if d is not None}
    return any(
        number is not None
        and form is not None
        and short is None
        and text in floats
        and nearest(Fraction(number), FORMATS[form]) != floats[text]
        for number, short, text in zip(numbers, named, texts, strict=True)
    )


def finite(number: float | Fraction) -> bool:
    """Say whether a number is neither infinite nor nan; a rational never is, however large."""
    return isinstance(number, Fraction) or math.isfinite(number)


def rounded(number: float | Fraction, count: int) -> Decimal:
    """Round an exact number once, to a count of significant digits."""
    exact = Fraction(number)
    return Context(prec=count).divide(Decimal(exact.numerator), Decimal(exact.denominator))


def _named(number: Value, form: str | None) -> Decimal | None:
    """Give the shortest decimal that names a float of the format; None for anything else."""
    if number is None or form is None or not number or not finite(number):
        return None
    target: Format = FORMATS[form]
    if nearest(Fraction(number), target) != number:
        return None
    for count in range(1, ENOUGH):
        short = rounded(number, count)
        if nearest(Fraction(short), target) == number:
            return short
    return rounded(number, ENOUGH)


def _top(number: float | Fraction) -> int:
    return rounded(number, ENOUGH).adjusted()


def _fixed(number: Value, short: Decimal | None, after: int) -> str:
    if number is None:
        return ""
    if not number or not finite(number):
        return f"{float(number):.{after}f}"
    if short is None:
        short = Decimal(f"{round(Fraction(number) * 10**after)}e-{after}")
    return f"{short:.{after}f}"


def _scientific(number: Value, short: Decimal | None, after: int) -> str:
    if number is None:
        return ""
    if not number or not finite(number):
        return f"{float(number):.0f}"
    return f"{short if short is not None else rounded(number, after + 1):.{after}e}"
