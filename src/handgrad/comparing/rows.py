"""Measure how far apart the columns of a comparison are, quantity by quantity."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from handgrad.comparing.digits import finite
from handgrad.errors import InputError, ShapeMismatchError
from handgrad.numbers.floats import FORMATS, Format, nearest, steps_between, ulps_from
from handgrad.numbers.reading import Numbers, read

Value = float | Fraction | None
REFERENCE = "PyTorch Gradient"  # the column that the others are held against
LISTED = 8  # arrays of up to this many numbers get a row for each number


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One quantity, or the worst number of a large array, as every column has it.

    Attributes:
        quantity: Its name, with an index such as ``w[2]`` for a part of an array.
        numbers: In the order of the columns; None where a column has no number.
            ``-0.0`` stays what it is.
        form: The format whose ulps are counted, the coarsest of the row; None
            if all numbers are exact.
        absolute: Largest distance between two columns.
        relative: ``absolute`` in units of the largest number, or of ``floor``.
        apart: The two columns that are furthest apart; None if none are.
        ulps: Largest distance between columns of the row's format, counted in
            floats; None if fewer than two columns have that format.
        exact_ulps: Distance from a column that is not of the format (a rational,
            50 digits, a wider float), in ulps there: PyTorch's distance if it is
            among the columns of the format, else the largest.
        exact: Names of those columns, with which no bits can be shared.
        same_bits: Whether the columns of the row's format have the same bits,
            in every number the row stands for.
        nearest: Whether they are the floats nearest to the exact numbers beside
            them, in every number the row stands for.
        reason: Why the bits differ, in the words of the caller.
        count: How many numbers the row stands for; everything above but
            ``same_bits`` and ``nearest`` is said of one of them, the furthest by distance.
        same: How many of those have the same bits in all such columns.
        most_ulps: The largest ``ulps`` among all those numbers, often of a
            smaller number than the one that is shown.
        nan: Whether any of the numbers is not a number.
    """

    quantity: str
    numbers: tuple[Value, ...]
    form: str | None
    absolute: float
    relative: float
    apart: tuple[str, str] | None
    ulps: int | None
    exact_ulps: float | None
    exact: tuple[str, ...]
    same_bits: bool
    nearest: bool
    reason: str | None
    count: int
    same: int
    most_ulps: int | None
    nan: bool


def quantities(columns: Mapping[str, Any]) -> dict[str, list[Numbers | None]]:
    """Turn columns of quantities into quantities of columns."""
    tables: dict[str, Mapping[str, Any]] = {
        column: value if isinstance(value, Mapping) else {"value": value}
        for column, value in columns.items()
    }
    first, names = next((column, list(table)) for column, table in tables.items())
    for column, table in tables.items():
        if set(table) != set(names):
            missing = sorted(set(names) ^ set(table))
            raise InputError(
                f"Columns '{first}' and '{column}' have different quantities: "
                f"{', '.join(missing)} is only in one of them. Give every column the same "
                "quantities, and None where it has no number."
            )
    if not names:
        raise InputError(
            "Cannot compare columns without a quantity: every one is an empty mapping. Give each "
            "the same quantities, such as {'w': w.grad}."
        )
    result: dict[str, list[Numbers | None]] = {}
    for name in names:
        cells: dict[str, Numbers | None] = {
            column: None if table[name] is None else read(table[name], f"'{name}' of '{column}'")
            for column, table in tables.items()
        }
        _same_shape(name, cells)
        result[name] = list(cells.values())
    return result


def _same_shape(name: str, cells: Mapping[str, Numbers | None]) -> None:
    given = {column: cell.shape for column, cell in cells.items() if cell is not None}
    if len(given) < 2:
        raise InputError(
            f"Only {len(given)} column(s) have a number for '{name}': agreement needs two. "
            "Leave the quantity out, or give a second column a number for it."
        )
    first = next(iter(given))
    for column, shape in given.items():
        if shape != given[first]:
            raise ShapeMismatchError(
                f"Cannot compare '{name}': it has shape {given[first]} in '{first}' and {shape} "
                f"in '{column}', and nothing is broadcast here, because broadcasting compares "
                f"numbers that do not belong together. Write .reshape({given[first]}) in "
                f"'{column}' if they do belong together in this order."
            )


def measure(
    quantity: str,
    columns: tuple[str, ...],
    cells: list[Numbers | None],
    floor: float,
    reason: str | None,
) -> list[Row]:
    filled = [cell for cell in cells if cell is not None]
    forms = [FORMATS[cell.form] for cell in filled if cell.form is not None]
    form = min(forms, key=lambda form: form.precision, default=None)
    has = [form is not None and cell is not None and cell.form == form.name for cell in cells]
    first, *_ = filled
    count = len(first.values)
    places = range(count) if count <= LISTED or not all(has) else _unequal(filled)
    rows: list[Row] = []
    for place in places:
        numbers = tuple(None if cell is None else cell.values[place] for cell in cells)
        name = quantity + first.label(place)
        rows.append(_row(name, columns, numbers, has, form, floor, reason))
    return rows if count <= LISTED else [_summary(rows, count)]


def _unequal(cells: list[Numbers]) -> list[int]:
    """Find the places that need a look: not all columns equal, or a zero with its sign.

    The first place is always among them, to stand for the array if all are equal.
    """
    values = zip(*(cell.values for cell in cells), strict=True)
    return [
        place
        for place, (first, *rest) in enumerate(values)
        if place == 0 or not first or any(number != first for number in rest)
    ]


def _summary(rows: list[Row], count: int) -> Row:
    """Let the worst row of an array stand for all of them: nan first, then distance.

    Rows are given for some places only; at all the others the bits are the same.
    """
    worst = max(rows, key=_distance_from_agreement)
    return replace(
        worst,
        same_bits=all(row.same_bits for row in rows),
        nearest=all(row.nearest for row in rows),
        count=count,
        same=count - len(rows) + sum(row.same for row in rows),
        most_ulps=max((row.ulps for row in rows if row.ulps is not None), default=None),
    )


def _distance_from_agreement(row: Row) -> tuple[bool, float, bool]:
    return row.nan, row.relative, not row.same_bits


def _row(
    quantity: str,
    columns: tuple[str, ...],
    numbers: tuple[Value, ...],
    has_form: list[bool],
    form: Format | None,
    floor: float,
    reason: str | None,
) -> Row:
    given = [(n, v) for n, v in zip(columns, numbers, strict=True) if v is not None]
    of_form, others = _split(columns, numbers, has_form)
    floats = list(of_form.values())
    nan = any(number != number for _, number in given)
    counted = None if nan else form  # no step leads to nan
    first, last = min(given, key=_number), max(given, key=_number)
    absolute = math.nan if nan else _distance(first[1], last[1])
    largest = max(floor, *(_size(number) for _, number in given))
    same_bits = not nan and len(floats) >= 2 and len(set(map(float.hex, floats))) == 1
    return Row(
        quantity=quantity,
        numbers=numbers,
        form=None if form is None else form.name,
        absolute=absolute,
        relative=_relative(absolute, largest),
        apart=None if absolute == 0.0 else (first[0], last[0]),
        ulps=(ulps := counted and _steps(floats, counted)),
        most_ulps=ulps,
        exact_ulps=counted and _exact_ulps(of_form, list(others.values()), counted),
        exact=tuple(others),
        same_bits=same_bits,
        nearest=counted is None or _nearest(floats, list(others.values()), counted),
        reason=reason,
        count=1,
        same=int(same_bits),
        nan=nan,
    )


def _split(
    columns: tuple[str, ...], numbers: tuple[Value, ...], has_form: list[bool]
) -> tuple[dict[str, float], dict[str, float | Fraction]]:
    """Part the columns of the row's format from those that are exact beside it."""
    of_form: dict[str, float] = {}
    others: dict[str, float | Fraction] = {}
    for name, number, has in zip(columns, numbers, has_form, strict=True):
        if number is not None and has:
            of_form[name] = float(number)
        elif number is not None:
            others[name] = number
    return of_form, others


def _number(item: tuple[str, float | Fraction]) -> float | Fraction:
    return item[1]


def _distance(a: float | Fraction, b: float | Fraction) -> float:
    if a == b:
        return 0.0
    if not (finite(a) and finite(b)):
        return math.inf
    return _size(Fraction(b) - Fraction(a))


def _size(number: float | Fraction) -> float:
    try:
        return abs(float(number))
    except OverflowError:  # a rational beyond the largest float64
        return math.inf


def _relative(absolute: float, largest: float) -> float:
    if absolute == 0.0 or not math.isfinite(absolute):
        return absolute
    return absolute / largest


def _steps(floats: list[float], form: Format) -> int | None:
    if len(floats) < 2:
        return None
    return steps_between(min(floats), max(floats), form)


def _nearest(floats: list[float], others: list[float | Fraction], form: Format) -> bool:
    """Tell whether all floats are what the exact numbers round to."""
    rounded = [nearest(Fraction(n), form) if finite(n) else float(n) for n in others]
    return all(value == truth for value in floats for truth in rounded)


def _exact_ulps(
    of_form: dict[str, float], others: list[float | Fraction], form: Format
) -> float | None:
    """Measure how far the floats are from the exact numbers: PyTorch's, where there is one."""
    distances: list[float] = []
    floats = [of_form[REFERENCE]] if REFERENCE in of_form else list(of_form.values())
    for truth in others:
        for value in floats:
            if not (finite(value) and finite(truth)):
                distances.append(0.0 if value == truth else math.inf)
            else:
                distances.append(_size(ulps_from(value, Fraction(truth), form)))
    return max(distances, default=None)
