"""Named numbers in, a verdict out: who agrees with whom, and how closely."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from handgrad.comparing import table as _table
from handgrad.comparing.digits import digits
from handgrad.comparing.rows import Row, measure, quantities
from handgrad.errors import InputError, KindError, NoWitnessError, WitnessError
from handgrad.suggestions import unknown

Claim = Literal["same bits", "agree", "differ"]
CLAIMS = ("same bits", "agree", "differ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What ``compare`` found; it exists only if the claim was true.

    Attributes:
        title: Caption of the table, or None.
        columns: The names of the witnesses.
        rows: One per quantity, see ``Row``.
        claim: What the caller said would be seen.
        verdict: What was seen: ``"same bits"``, ``"within tolerance"`` or
            ``"differ, as claimed"``.
        rtol: The relative tolerance that was asked for.
        floor: The size below which a number counts as zero.
        furthest: Quantity and two columns with the largest relative distance.

    Example:
        >>> seen = compare({"hand": 0.3, "sum": 0.1 + 0.2}, rtol=1e-15, floor=1.0)
        >>> seen.verdict, seen.rows[0].ulps
        ('within tolerance', 1)
    """

    title: str | None
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    claim: Claim
    verdict: str
    rtol: float
    floor: float
    furthest: tuple[str, str, str] | None

    def row(self, quantity: str) -> Row:
        """Return the row of a quantity; ``InputError`` if there is none."""
        for row in self.rows:
            if row.quantity == quantity:
                return row
        raise unknown("quantity", quantity, [row.quantity for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON can hold it, numbers as their decimal digits."""
        return _table.as_dict(self)

    def to_text(self) -> str:
        """Return the table for a terminal."""
        return _table.as_text(self)

    def to_html(self) -> str:
        """Return the table for a page: differing digits underlined, usable on a phone."""
        return _table.as_html(self)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/plain": self.to_text(),
            "text/html": self.to_html(),
            "application/vnd.handgrad.comparison+json": self.to_dict(),
        }


def compare(
    witnesses: Mapping[str, Any],
    *,
    rtol: float,
    floor: float,
    claim: Claim = "agree",
    title: str | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Comparison:
    """Set named witnesses side by side, and raise unless the claim about them holds.

    There is no absolute tolerance: ``floor`` says instead, in the unit of the
    numbers, below which size a number counts as zero. Neither has a default,
    because a default is how a slope that is five times too large passes.

    Args:
        witnesses: Column name to a number, or to a mapping from quantity to
            number. A number is a Python float (float64), a tensor of any shape
            (float16, bfloat16, float32, float64; detached and copied), a
            ``Fraction``, an mpmath number, or a nested list of such. All columns
            have the same quantities and shapes; nothing is broadcast. A quantity
            that a column does not have is ``None``.
        rtol: Largest relative distance that counts as agreement.
        floor: Size, in the unit of the numbers, that counts as zero: distances
            are measured against the largest number or ``floor``.
        claim: ``"agree"``: all within ``rtol``. ``"same bits"``: moreover all
            columns of a row's format have the same bits (at least two must have
            it); -0.0 and 0.0 do not. ``"differ"``: each row has two columns that
            do not agree. nan never satisfies any claim.
        title: Caption of the table; a full stop at its end is added where it is shown.
        reasons: Quantity to the reason why its bits differ, for the last column.

    Returns:
        The table as a value that shows itself in a notebook.

    Raises:
        WitnessError: If the claim does not hold.
        ShapeMismatchError: If two columns have different shapes, such as
            ``(3,)`` and ``(3, 1)``.
        KindError: For integers, complex numbers and other things without ulps.
        InputError: For fewer than two columns, empty tensors, unequal
            quantities, a negative or nan ``rtol`` or ``floor``, an unknown claim.
        NoWitnessError: If ``"same bits"`` is claimed of a row in which fewer
            than two columns have bits to compare.

    Source:
        Goldberg (1991), section 1.2, for ulps and relative error.

    Example:
        >>> import torch
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> (w * 2.0 - 10.0).square().backward()
        >>> print(compare({"hand": -16.0, "PyTorch": w.grad.double()}, rtol=0.0, floor=1.0))
        Quantity   hand  PyTorch  Ulps
        value     -16.0    -16.0     0
        Verdict: same bits.
    """
    _check(witnesses, rtol, floor, claim)
    columns = tuple(witnesses)
    table = quantities(witnesses)
    reasons = dict(reasons or {})
    for key in reasons:
        if key not in table:
            raise unknown("quantity in reasons", key, list(table))
    measured = {
        quantity: measure(quantity, columns, cells, floor, reasons.get(quantity))
        for quantity, cells in table.items()
    }
    for quantity, of_quantity in measured.items():
        for row in of_quantity:
            _judge(quantity, row, columns, rtol, claim)
    rows = [row for of_quantity in measured.values() for row in of_quantity]
    worst = max(rows, key=lambda row: row.relative)
    return Comparison(
        title=title.removesuffix(".") if title else title,
        columns=columns,
        rows=tuple(rows),
        claim=claim,
        verdict=_verdict(rows, claim),
        rtol=rtol,
        floor=floor,
        furthest=None if worst.apart is None else (worst.quantity, *worst.apart),
    )


def _check(witnesses: Mapping[str, Any], rtol: float, floor: float, claim: str) -> None:
    if not isinstance(cast(object, witnesses), Mapping):
        raise KindError(
            f"Cannot compare a {type(witnesses).__name__}: who found a number has to be named. "
            "Give a column to each: compare({'by hand': 2.0, 'PyTorch Gradient': w.grad}, …)."
        )
    if claim not in CLAIMS:
        raise unknown("claim", claim, CLAIMS)
    for name, value in {"rtol": rtol, "floor": floor}.items():
        if not (isinstance(cast(object, value), (int, float)) and 0.0 <= value < math.inf):
            raise InputError(
                f"Cannot compare with {name}={value!r}: a distance is never below zero "
                f"and must be finite to mean anything. Write {name}=0.0 or more."
            )
    if len(witnesses) < 2:
        raise InputError(
            f"Cannot compare {len(witnesses)} column(s) ({next(iter(witnesses), 'none')}): "
            "agreement needs two. Add a witness, such as {'PyTorch Gradient': w.grad}."
        )


def _judge(quantity: str, row: Row, columns: tuple[str, ...], rtol: float, claim: Claim) -> None:
    """Raise unless the row is as claimed."""
    if row.nan:
        raise WitnessError(
            f"nan among the witnesses of '{row.quantity}': {_said(row, columns)}. nan never "
            "passes, because it is near nothing, itself included. If nan is what you want to "
            "show, write assert number.isnan() instead of a comparison."
        )
    agrees = row.relative <= rtol
    if claim == "differ":
        if agrees:
            raise WitnessError(
                f"'{row.quantity}' was claimed to differ, but its witnesses agree to "
                f"{row.relative:.2g} (allowed {rtol:.2g}): {_said(row, columns)}. Claim "
                "'agree', or look for the reason why the difference has gone."
            )
    elif not agrees:
        raise WitnessError(_disagreement(row, columns, rtol))
    if claim == "same bits":
        _judge_bits(quantity, row, columns)


def _disagreement(row: Row, columns: tuple[str, ...], rtol: float) -> str:
    first, last = cast(tuple[str, str], row.apart)  # numbers that disagree are two
    return (
        f"Witnesses disagree on '{row.quantity}' by {row.absolute:.3g}, which is "
        f"{row.relative:.2g} of their size (allowed {rtol:.2g}): {_said(row, columns)}. "
        f"Furthest apart: {first} and {last}. If only a finite difference is off, look for a "
        "kink within its step; else check the formula behind the odd one out."
    )


def _judge_bits(quantity: str, row: Row, columns: tuple[str, ...]) -> None:
    if row.ulps is None:
        raise NoWitnessError(
            f"Cannot claim the same bits for '{row.quantity}': fewer than two columns are "
            f"{row.form or 'floats'} ({_said(row, columns)}), and only numbers of one format "
            "can share bits. Claim 'agree', or give two columns the same dtype."
        )
    if not row.same_bits:
        zeros = " The zeros differ in sign." if row.most_ulps == 0 else ""
        found = f"The bits of '{row.quantity}' differ, by {row.ulps} ulp(s)"
        if row.count != 1:
            found = (
                f"The bits of {row.count - row.same:,} of {row.count:,} numbers differ, by at most "
                f"{row.most_ulps:,} ulp(s); furthest by distance is '{row.quantity}'"
            )
        raise WitnessError(
            f"{found}: {_said(row, columns)}.{zeros} If the order of rounding explains "
            f"it, claim 'agree' and say so: reasons={{{quantity!r}: 'why'}}."
        )


def _said(row: Row, columns: tuple[str, ...]) -> str:
    pairs = zip(columns, digits(row.numbers, row.form), strict=True)
    return ", ".join(f"{name}={text}" for name, text in pairs if text)


def _verdict(rows: list[Row], claim: Claim) -> str:
    if claim == "differ":
        return "differ, as claimed"
    return "same bits" if all(row.same_bits for row in rows) else "within tolerance"
