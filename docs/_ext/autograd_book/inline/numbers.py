"""How a value is set in a sentence: one way for the whole book.

Runs in the chapter's own process, so it knows nothing but the language itself.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
POWER = re.compile(r"(?P<digits>\d(?:[\d.]*\d)?)[eE](?P<power>[+-]?\d+)")
MOST_DIGITS = 6  # of a float that nobody gave a format
SPACE = "\u00a0"  # keeps what belongs together on one line


def typeset(value: Any, form: str = "") -> str:
    """Return a value as a reader should see it in a sentence.

    Args:
        value: A number, a tensor with one number, a fraction, a text, a truth
            value, None, or a list or tuple of these.
        form: A format as after the colon of an f-string; it applies to each
            number of a list.

    Raises:
        TypeError: If the value is none of these.
        ValueError: If a float has more digits than a sentence should have, and
            no format; or if the format does not fit the value.

    Example:
        >>> typeset(-1234567), typeset(-0.5), typeset(1.25e-8, ".1e"), typeset(0.6, ".0%")
        ('−1,234,567', '−0.5', '1.2\\xa0×\\xa010⁻⁸', '60\\xa0%')
    """
    if isinstance(value, list | tuple):
        return ", ".join(typeset(item, form) for item in value)
    number = _plain(value)
    if isinstance(number, str):
        return format(number, form)
    if number is None or isinstance(number, bool):
        return str(number)
    if not isinstance(number, int | float | complex | Fraction):
        raise TypeError(
            f"gives a {type(value).__name__}{_shape(value)}, which no sentence can show; "
            "write an expression that gives a number or a text"
        )
    return _typography(format(number, form) if form else _unformatted(number))


def _plain(value: Any) -> Any:
    """Return the number in a tensor or array of shape (); anything else as it is."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    if type(value).__module__.partition(".")[0] == "mpmath":
        return float(value)
    return value


def _shape(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return "" if shape is None else f" of shape {tuple(shape)}"


def _unformatted(number: complex | Fraction) -> str:
    if isinstance(number, int):
        return f"{number:,}"
    if not isinstance(number, float):
        return str(number)
    if number.is_integer() and abs(number) < 1e15:
        return f"{number:,.0f}"
    text = repr(number)
    if len(re.sub(r"e.*|[^\d]|^[-0.]+", "", text)) > MOST_DIGITS:
        raise ValueError(f"is {text}, too long for a sentence; give it a format, such as :.4f")
    return text


def _typography(text: str) -> str:
    """Set the minus, powers of ten, percent, and what is not a finite number."""
    text = POWER.sub(_power, text)
    text = re.sub(r"-(?=[\d.i(])", "−", text)
    text = re.sub(r"\s*%", SPACE + "%", text)
    return re.sub(r"\bnan\b", "NaN", re.sub(r"\binf\b", "∞", text))


def _power(found: re.Match[str]) -> str:
    power = str(int(found["power"])).translate(SUPERSCRIPT)
    return f"10{power}" if found["digits"] == "1" else f"{found['digits']}{SPACE}×{SPACE}10{power}"
