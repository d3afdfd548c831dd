"""How far apart two floats are, counted in the floats between them, exactly.

An *ulp* (unit in the last place) is the step from one float of a format to the
next. Everything here is integer and rational arithmetic: nothing is rounded
unless the function says so.
"""

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A binary floating-point format.

    Attributes:
        name: As in ``torch.float32``, without ``torch.``.
        precision: Significant bits, the hidden one included.
        lowest: Exponent of the smallest normal number, ``2 ** lowest``.
        highest: Exponent of the largest numbers.
    """

    name: str
    precision: int
    lowest: int
    highest: int


FORMATS = {
    "float16": Format(name="float16", precision=11, lowest=-14, highest=15),
    "bfloat16": Format(name="bfloat16", precision=8, lowest=-126, highest=127),
    "float32": Format(name="float32", precision=24, lowest=-126, highest=127),
    "float64": Format(name="float64", precision=53, lowest=-1022, highest=1023),
}


def order(value: float, form: Format) -> int:
    """Number the floats of a format: neighbours get neighbouring integers, both zeros get 0.

    Args:
        value: A float of the format, or an infinity; not nan.
        form: The format that ``value`` belongs to.

    Returns:
        How many steps lead from zero to ``value``; negative below zero.

    Source:
        Goldberg (1991), *What Every Computer Scientist Should Know About
        Floating-Point Arithmetic*, section 1.2.

    Example:
        >>> order(1.0, FORMATS["float16"]) - order(0.99951171875, FORMATS["float16"])
        1
        >>> order(5e-324, FORMATS["float64"])
        1
    """
    size = abs(value)
    per_octave = 1 << (form.precision - 1)
    if math.isinf(size):
        steps = (form.highest - form.lowest + 2) * per_octave
    else:
        fraction, exponent = math.frexp(size)
        octave = exponent - 1 - form.lowest  # 0 holds the smallest normal numbers
        if size == 0.0 or octave < 0:
            steps = int(Fraction(size) / Fraction(2) ** (form.lowest - form.precision + 1))
        else:
            steps = octave * per_octave + int(math.ldexp(fraction, form.precision))
    return -steps if value < 0 else steps


def steps_between(a: float, b: float, form: Format) -> int:
    """Count the steps from one float of a format to another; 0 for ``-0.0`` and ``0.0``.

    Example:
        >>> steps_between(0.1 + 0.2, 0.3, FORMATS["float64"])
        1
        >>> steps_between(-5e-324, 5e-324, FORMATS["float64"])
        2
    """
    return abs(order(a, form) - order(b, form))


def spacing(value: Fraction, form: Format) -> Fraction:
    """Give the size of one ulp of the format at a rational number.

    Example:
        >>> spacing(Fraction(1), FORMATS["float64"]) == 2**-52
        True
    """
    exponent = min(max(_exponent(value), form.lowest), form.highest)
    return Fraction(2) ** (exponent - form.precision + 1)


def ulps_from(value: float, truth: Fraction, form: Format) -> Fraction:
    """Measure the distance of a finite float from an exact number, in ulps at that number.

    At most 1/2 means: correctly rounded.

    Example:
        >>> float(ulps_from(0.1, Fraction(1, 10), FORMATS["float64"]))
        0.4
    """
    return abs(Fraction(value) - truth) / spacing(truth, form)


def nearest(value: Fraction, form: Format) -> float:
    """Round an exact number once, to the nearest float of a format, ties to even.

    Returns:
        A float that the format holds; an infinity beyond its largest number.

    Source:
        IEEE 754-2019, section 4.3.1, roundTiesToEven.

    Example:
        >>> nearest(Fraction(1, 3), FORMATS["float16"])
        0.333251953125
    """
    exponent = max(_exponent(value), form.lowest)
    step = Fraction(2) ** (exponent - form.precision + 1)
    rounded = round(value / step) * step  # round() on a Fraction takes ties to even
    if abs(rounded) >= Fraction(2) ** (form.highest + 1):
        return -math.inf if rounded < 0 else math.inf
    return float(rounded)


def _exponent(value: Fraction) -> int:
    """Give ``floor(log2(abs(value)))``, and a very low number for zero."""
    if value == 0:
        return -(10**6)
    above, below = abs(value.numerator), value.denominator
    guess = above.bit_length() - below.bit_length()
    scaled = Fraction(above, below) / Fraction(2) ** guess
    return guess if scaled >= 1 else guess - 1
