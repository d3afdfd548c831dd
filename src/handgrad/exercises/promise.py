"""What an exercise promises before anybody answers it, and the answers it knows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from handgrad.errors import InputError
from handgrad.exercises import patterns as _patterns
from handgrad.exercises.patterns import Value
from handgrad.suggestions import unknown

SIGN = "The size is right. Look at the sign."
COARSE = "Right so far, but too coarse: {digits} decimals are asked for."


@dataclass(frozen=True, slots=True)
class Verdict:
    """One attempt that an exercise knows: its values field by field, and what to say to it."""

    name: str
    values: tuple[Value, ...]
    patterns: tuple[str, ...]
    words: str


def verdict(name: str, values: tuple[Value, ...], words: str, digits: int) -> Verdict:
    """Build a verdict on the attempts that mean these values."""
    return Verdict(name, values, tuple(_patterns.pattern(v, digits) for v in values), words)


def plain(value: Any) -> Value:
    """Turn tensors and number types into Python's own."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Sequence):
        return tuple(plain(part) for part in cast(Sequence[Any], value))
    return float(value)


def by_field(key: str, fields: tuple[str, ...], given: Any) -> tuple[Value, ...]:
    """Return the values field by field; ``InputError`` if the fields are others."""
    if fields == ("",):
        return (plain(given),)
    table: Mapping[str, Any] = {}
    said = repr(given)
    if isinstance(given, Mapping):
        table = cast(Mapping[str, Any], given)
        said = f"the fields {', '.join(map(str, table))}"
    if set(table) != set(fields):
        raise InputError(
            f"Exercise {key!r} has the fields {', '.join(fields)}, but was given {said}. Write "
            f"{{{', '.join(f'{name!r}: ...' for name in fields)}}}."
        )
    return tuple(plain(table[name]) for name in fields)


def matches(pattern: str, texts: list[str]) -> bool:
    """Say whether one of the readings of an attempt is what the pattern asks for."""
    return any(re.fullmatch(pattern, text) for text in texts)


def is_number(value: Value) -> bool:
    """Say whether a value is a number, True and False not being any."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def nearly(value: Value, digits: int, known: tuple[Verdict, ...]) -> list[Verdict]:
    """Return what can be said of any number: it is too coarse, or its sign is wrong.

    Where the exercise itself has something to say, it says that.
    """
    if not is_number(value):
        return []
    found: list[Verdict] = []
    coarse = _patterns.coarser(value, digits)
    if coarse is not None:
        words = COARSE.format(digits=digits)
        found.append(Verdict("too coarse", coarse[:1], coarse[1:], words))
    if value:
        found.append(verdict("other sign", (-value,), SIGN, digits))
    return [
        one
        for one in found
        if not any(matches(k.patterns[0], _patterns.readings(one.values[0])) for k in known)
    ]


def keep(
    key: str, answer: Verdict, wrong: tuple[Verdict, ...], digits: int, choices: tuple[str, ...]
) -> None:
    """Raise unless the answer passes and every wrong one is told from it and from the rest."""
    every = (answer, *wrong)
    _enough(key, wrong)
    for value in (value for known in every for value in known.values):
        if _patterns.on_the_edge(value, digits):
            raise InputError(
                f"Exercise {key!r} asks for {value!r} to {digits} decimals, where rounding noise "
                f"decides the last digit. Ask for digits={digits + 1}, or change the numbers."
            )
        if choices and str(value) not in choices:
            raise unknown(f"choice of exercise {key!r}", value, choices)
    for known in every:
        texts = [_patterns.readings(value) for value in known.values]
        taken = [other.name for other in every if all(map(matches, other.patterns, texts))]
        if taken != [known.name]:
            others = ", ".join(repr(name) for name in taken if name != known.name)
            said = ", ".join(_patterns.text(value, digits) for value in known.values)
            raise InputError(
                f"Exercise {key!r} cannot tell {known.name!r} ({said}) from "
                f"{others or 'anything'}. Choose other numbers, or ask for more digits."
            )
    _secret(key, answer, wrong, digits)


def _enough(key: str, wrong: tuple[Verdict, ...]) -> None:
    if len(wrong) < 2:
        raise InputError(
            f"Exercise {key!r} names {len(wrong)} wrong answer(s), and at least two are needed: "
            "they prove that the checker can say no. Add wrong={'name': (value, hint)}."
        )
    hints = [known.words for known in wrong]
    if not all(hints) or len(set(hints)) < len(hints):
        raise InputError(
            f"Exercise {key!r} has an empty hint, or the same hint twice. Say to each wrong "
            "answer what its own mistake is."
        )


def _secret(key: str, answer: Verdict, wrong: tuple[Verdict, ...], digits: int) -> None:
    """Raise if a hint holds the digits that are asked for."""
    for value in answer.values:
        if not isinstance(value, float) or not digits:
            continue
        said = _patterns.text(value, digits)
        for known in wrong:
            if said in known.words or said.replace("−", "-") in known.words:
                raise InputError(
                    f"Exercise {key!r} gives its answer {said} away in the hint for "
                    f"{known.name!r}. Say what to look at instead."
                )
