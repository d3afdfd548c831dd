r"""Answers as regular expressions: one rule for the browser, the page's script and the notebook.

A number is right if, rounded to the asked decimals, it has the digits of the
answer: ``1.3677``, ``1.36768`` and ``1,3677`` are the same answer. The patterns mean
the same to Python's ``re`` and to a browser's ``pattern`` attribute.
"""

import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, cast

Value = Any  # int, float, str, bool, None, or a tuple of such

MINUS = r"[\-−–]"
POINT = r"[.,]"
POWER = r"\s*(?:[eE]|[×x*·]\s*10\s*(?:\^|\*\*)?)\s*"
LARGE = 1e7  # from here on a float is asked for in powers of ten
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FRACTION = re.compile(r"\s*([+\-−–]?)\s*(\d+)\s*/\s*(\d+)\s*")


def pattern(value: Value, digits: int, point: str = POINT) -> str:
    """Return the expression that an attempt must match as a whole to count as ``value``.

    Example:
        >>> bool(re.fullmatch(pattern(-1.36767, 4), " −1,3677"))
        True
        >>> bool(re.fullmatch(pattern(-1.36767, 4), "-1.3676"))
        False
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _sequence(list(cast(Sequence[Any], value)), digits)
    if value is None or isinstance(value, bool | str):
        return rf"\s*{_words(str(value))}\s*"
    if isinstance(value, int):
        return rf"\s*{_sign(value)}{_whole(abs(value))}\s*"
    if math.isnan(value):
        return rf"\s*{_words('nan')}\s*"
    if math.isinf(value):
        return rf"\s*{_sign(value)}(?:∞|{_words('inf')}(?:{_words('inity')})?)\s*"
    if powers(value, digits):
        return rf"\s*{_sign(value)}{_scientific(value, digits, point)}\s*"
    return rf"\s*{_sign(_rounded(value, digits))}(?:{_magnitude(value, digits, point)})\s*"


def text(value: Value, digits: int) -> str:
    """Return a value as a reader would write it, with a true minus sign.

    Example:
        >>> text(-1.36767, 4), text((2, 3), 4), text(9.1234e-14, 3)
        ('−1.3677', '(2, 3)', '9.12 × 10⁻¹⁴')
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        parts = [text(part, digits) for part in cast(Sequence[Any], value)]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    if value is None or isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value).replace("-", "−").replace("inf", "∞")
    if powers(value, digits):
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(RAISED)}".replace("-", "−")
    rounded = _rounded(value, digits)
    return f"{rounded if rounded else abs(rounded):.{digits}f}".replace("-", "−")


def readings(attempt: Any) -> list[str]:
    """Return the texts as which an attempt is held against a pattern.

    Example:
        >>> readings(0.25), readings(" 3/4 ")
        (['0.25', '2.50000000000000000e-01'], [' 3/4 ', '0.750000000000'])
    """
    if isinstance(attempt, str):
        found = FRACTION.fullmatch(attempt)
        if not found or not int(found[3]):
            return [attempt]
        sign = "-" if found[1] in "-−–" and found[1] else ""
        return [attempt, f"{sign}{int(found[2]) / int(found[3]):.12f}"]
    if attempt is None or isinstance(attempt, bool | int):
        return [str(attempt)]
    if isinstance(attempt, Sequence):
        return ["(" + ", ".join(readings(part)[0] for part in cast(Sequence[Any], attempt)) + ")"]
    number = float(attempt)
    if not math.isfinite(number):
        return [str(number)]
    near = [str(round(number))] if abs(number - round(number)) < 1e-9 else []
    return [format(Decimal(repr(number)), "f"), f"{number:.17e}", *near]


def coarser(value: Value, digits: int) -> tuple[str, str] | None:
    """Return the right number to too few decimals, if that differs: a text and an expression."""
    if isinstance(value, int | str | Sequence) or value is None or not math.isfinite(value):
        return None
    if powers(value, digits) or digits < 2:
        return None
    short = [f"{abs(_rounded(value, fewer)):.{fewer}f}" for fewer in range(1, digits)]
    kept = [word for word in short if Decimal(word) != abs(_rounded(value, digits))]
    forms = "|".join(word.replace(".", POINT) for word in kept)
    said = "−" * (value < 0) + kept[-1] if kept else ""
    return (said, rf"\s*{_sign(value)}(?:{forms})\s*") if kept else None


def powers(value: float, digits: int) -> bool:
    """Say whether a float is asked for in powers of ten, with ``digits`` significant digits."""
    return digits > 0 and value != 0 and not 10.0 ** (1 - digits) <= abs(value) < LARGE


def on_the_edge(value: Value, digits: int) -> bool:
    """Say whether rounding noise in a reader's sum could change the last asked digit."""
    if not isinstance(value, float) or not math.isfinite(value) or powers(value, digits):
        return False
    place = abs(Decimal(repr(value))).scaleb(digits) % 1
    return abs(place - Decimal("0.5")) < Decimal("1e-6")


def _sign(value: float | Decimal) -> str:
    if not value:
        return rf"(?:\+|{MINUS})?"
    return rf"{MINUS}\s*" if value < 0 else r"\+?\s*"


def _rounded(value: float, digits: int) -> Decimal:
    exact = Decimal(repr(value))
    return exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def _whole(size: int) -> str:
    """Match an integer, with or without separators between thousands."""
    groups = f"{size:,}".split(",")
    return r"0*" + r"[ ,_\u00a0\u2009\u202f]?".join(groups) + r"(?:\.0*)?"


def _magnitude(value: float, digits: int, point: str) -> str:
    """Match every decimal that rounds to the digits of ``value``, sign apart."""
    size = abs(_rounded(value, digits))
    whole, _, part = f"{size:.{digits}f}".partition(".")
    forms = [_lead(whole) + point + part + r"(?:[0-4]\d*)?" if part else ""]
    kept = part.rstrip("0")
    if kept and kept != part:
        forms.append(_lead(whole) + point + kept + "0*")
    elif not kept:
        forms.append(rf"0*{whole}(?:{point}0*)?" + rf"|{point}0+" * (whole == "0"))
    if not part:
        forms.append(rf"{_lead(whole)}{point}[0-4]\d*")
    if size:
        below, _, rest = f"{size - Decimal(1).scaleb(-digits):.{digits}f}".partition(".")
        forms.append(rf"{_lead(below)}{point}{rest}[5-9]\d*")
    return "|".join(form for form in forms if form)


def _lead(whole: str) -> str:
    """Match the digits before the point; a zero may be left out."""
    return "0*" if whole == "0" else f"0*{whole}"


def _scientific(value: float, digits: int, point: str) -> str:
    mantissa, _, exponent = f"{abs(value):.{digits - 1}e}".partition("e")
    power = int(exponent)
    forms = [f"(?:{_magnitude(float(mantissa), digits - 1, point)}){_exponent(power)}"]
    if float(mantissa) == 1:  # what rounds up to it may be written with the power below
        forms.append(f"9{point}{'9' * (digits - 1)}[5-9]\\d*{_exponent(power - 1)}")
    return f"(?:{'|'.join(forms)})"


def _exponent(power: int) -> str:
    sign = rf"{MINUS}\s*" if power < 0 else r"\+?"
    raised = str(power).translate(RAISED)
    return rf"(?:{POWER}{sign}0*{abs(power)}|\s*[×x*·]\s*10{raised})"


def _words(value: str) -> str:
    """Match words whatever their case and the width of their gaps."""
    letters = [
        f"[{c.lower()}{c.upper()}]" if c.lower() != c.upper() else _literal(c)
        for c in " ".join(value.split())
    ]
    return "".join(letters).replace(" ", r"\s+")


def _literal(character: str) -> str:
    """Escape what has a meaning, and nothing else: browsers refuse needless escapes."""
    return "\\" + character if character in r"\^$.*+?()[]{}|/" else character


def _sequence(values: list[Value], digits: int) -> str:
    parts = [pattern(value, digits, r"\.") for value in values]
    body = r"[,;]".join(parts) + (r"\s*,?" if parts else "")
    return rf"\s*[\(\[]?{body}\s*[\)\]]?\s*" if parts else r"\s*(?:\(\s*\)|\[\s*\])\s*"
