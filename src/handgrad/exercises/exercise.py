"""Exercises that know their answer, and why the usual wrong answers are wrong."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from handgrad.exercises import patterns, promise
from handgrad.exercises.patterns import Value
from handgrad.exercises.promise import Verdict
from handgrad.suggestions import unknown

MIME = "application/vnd.handgrad.exercise+json"
NUMBER = r"[\s\d.,eExX×*·^+\-−–_\/⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*\d[\s\d.,⁰¹²³⁴⁵⁶⁷⁸⁹]*"
READABLE = rf"\s*(?:{NUMBER}|[Nn]one|{patterns.MINUS}?\s*(?:inf|∞)|[Nn]a[Nn])\s*"
UNREAD = "That does not read as a number. Write one, such as −0.5 or 3/4."
AGAIN = "Not yet. The hint may help."
EMPTY = "Write your answer in place of the dots, and run the cell again."


@dataclass(frozen=True, slots=True)
class Response:
    """What an exercise says to an attempt; shows itself in a notebook.

    Attributes:
        right: Whether the attempt was accepted.
        words: Why not, or what was accepted.
        name: The named wrong answer that the attempt is, if it is one.
    """

    right: bool
    words: str
    name: str | None = None

    def __str__(self) -> str:
        return f"{'✓' if self.right else '≠'} {self.words}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


@dataclass(frozen=True, slots=True, init=False)
class Exercise:
    """A question's answer, with at least two wrong answers and a hint for each.

    An exercise can only be built if it keeps its promise: the answer is accepted,
    each wrong one is rejected with a hint of its own, and no hint gives the answer
    away.

    Args:
        key: Name of the exercise on its page, such as ``"two-layers-deep"``.
        answer: A number, a word, ``None``, or a tuple of such in one field, such as
            ``(2, 3)``; or a mapping from field to answer for several fields. An
            ``int`` must be met exactly, a ``float`` after rounding to ``digits``.
        wrong: Name to ``(value, hint)``; the name is for the author, the hint for
            the reader.
        digits: Decimals that are asked of a float. One that would keep only a
            digit or two of them, or has more than seven before the point, is
            asked for in powers of ten with this many significant digits.
        choices: The possible answers, where the reader is to choose.
        unit: What the number counts, shown after the field.

    Raises:
        InputError: If the promise is not kept; the text says which part.

    Example:
        >>> slope = Exercise(
        ...     "slope-of-a-square",
        ...     answer=-12.0,
        ...     wrong={
        ...         "no inner slope": (-6.0, "That is the outer slope. What is inside?"),
        ...         "squared again": (36.0, "That is the loss. How fast does it change?"),
        ...     },
        ...     digits=1,
        ... )
        >>> slope.check("-6")
        ≠ That is the outer slope. What is inside?
        >>> slope.check(2 * (1 - 4) * 2).right
        True
    """

    key: str
    fields: tuple[str, ...]
    answer: Verdict
    wrong: tuple[Verdict, ...]
    digits: int
    choices: tuple[str, ...]
    unit: str | None

    def __init__(
        self,
        key: str,
        *,
        answer: Value | Mapping[str, Value],
        wrong: Mapping[str, tuple[Value | Mapping[str, Value], str]],
        digits: int = 4,
        choices: Sequence[str] | None = None,
        unit: str | None = None,
    ) -> None:
        fields = tuple(cast(Mapping[str, Value], answer)) if isinstance(answer, Mapping) else ("",)
        right = promise.by_field(key, fields, answer)
        expected = ", ".join(
            f"{field} {patterns.text(value, digits)}".strip()
            for field, value in zip(fields, right, strict=True)
        )
        words = f"Yes: {expected}{f' {unit}' if unit else ''}."
        set_once = object.__setattr__
        set_once(self, "key", key)
        set_once(self, "fields", fields)
        set_once(self, "answer", promise.verdict("answer", right, words, digits))
        set_once(
            self,
            "wrong",
            tuple(
                promise.verdict(name, promise.by_field(key, fields, value), hint.strip(), digits)
                for name, (value, hint) in wrong.items()
            ),
        )
        set_once(self, "digits", digits)
        set_once(self, "choices", tuple(map(str, choices or ())))
        set_once(self, "unit", unit)
        promise.keep(key, self.answer, self.wrong, digits, self.choices)

    def check(self, attempt: Any = ..., **fields: Any) -> Response:
        """Say whether an attempt is right and, if not, what to look at.

        Args:
            attempt: A number, a tensor with one, a word, a text as on the page
                (``"−1.3677"``, ``"3/4"``); for several fields a mapping.
            **fields: The fields of such a mapping.

        Example:
            >>> two = Exercise("two", answer=2, wrong={
            ...     "one": (1, "Count the other one too."), "three": (3, "One is counted twice.")})
            >>> two.check(3)
            ≠ One is counted twice.
        """
        if fields:
            attempt = fields
        if attempt is ...:
            return Response(False, EMPTY)
        read = [
            [*patterns.readings(part)] for part in promise.by_field(self.key, self.fields, attempt)
        ]
        for verdict in (self.answer, *self.wrong, *_nearly(self)):
            if all(map(promise.matches, verdict.patterns, read)):
                return Response(verdict is self.answer, verdict.words, verdict.name)
        if _numeric(self) and not all(re.fullmatch(READABLE, part[0]) for part in read):
            return Response(False, UNREAD)
        if len(self.fields) > 1:
            missed = [
                name
                for name, form, part in zip(self.fields, self.answer.patterns, read, strict=True)
                if not promise.matches(form, part)
            ]
            return Response(False, f"Not yet. Look again at {', '.join(missed)}.")
        return Response(False, AGAIN)

    def to_dict(self) -> dict[str, Any]:
        """Return what the book's page needs, as JSON can hold it."""
        known = (*self.wrong, *_nearly(self))
        return {
            "key": self.key,
            "fields": [
                {
                    "name": name,
                    "pattern": form,
                    "placeholder": "" if self.choices else _placeholder(value, self.digits),
                }
                for name, form, value in zip(
                    self.fields, self.answer.patterns, self.answer.values, strict=True
                )
            ],
            "choices": list(self.choices),
            "unit": self.unit,
            "answer": [patterns.text(value, self.digits) for value in self.answer.values],
            "right": self.answer.words,
            "known": [
                {
                    "name": verdict.name,
                    "patterns": list(verdict.patterns),
                    "text": [patterns.text(value, self.digits) for value in verdict.values],
                    "words": verdict.words,
                }
                for verdict in known
            ],
            "wrong": len(self.wrong),
            "readable": READABLE if _numeric(self) else None,
            "unread": UNREAD,
            "again": AGAIN,
        }

    def __str__(self) -> str:
        return f"Exercise {self.key!r}: check({self.key!r}, ...)"

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), MIME: self.to_dict()}


class Checker:
    """The exercises of one notebook, by their keys.

    Example:
        >>> check = Checker()
        >>> check.add(Exercise("two", answer=2, wrong={
        ...     "one": (1, "Count the other one too."), "three": (3, "One is counted twice.")}))
        Exercise 'two': check('two', ...)
        >>> check("two", 1)
        ≠ Count the other one too.
    """

    def __init__(self) -> None:
        self._exercises: dict[str, Exercise] = {}

    def add(self, exercise: Exercise) -> Exercise:
        """Remember an exercise, and return it."""
        self._exercises[exercise.key] = exercise
        return exercise

    def __call__(self, key: str, attempt: Any = ..., **fields: Any) -> Response:
        """Check an attempt at the exercise with this key; ``InputError`` if there is none."""
        if key not in self._exercises:
            raise unknown("exercise", key, self._exercises)
        return self._exercises[key].check(attempt, **fields)


def _numeric(exercise: Exercise) -> bool:
    return not exercise.choices and all(
        value is None or promise.is_number(value) for value in exercise.answer.values
    )


def _nearly(exercise: Exercise) -> list[Verdict]:
    if len(exercise.fields) > 1 or exercise.choices:
        return []
    known = (exercise.answer, *exercise.wrong)
    return promise.nearly(exercise.answer.values[0], exercise.digits, known)


def _placeholder(value: Value, digits: int) -> str:
    if isinstance(value, tuple):
        return ", ".join("…" for _ in cast(tuple[Any, ...], value))
    if not promise.is_number(value):
        return "0" if value is None else "word"
    if isinstance(value, int) or not digits:
        return "0"
    return f"0.{'0' * (digits - 1)}e0" if patterns.powers(value, digits) else f"0.{'0' * digits}"
