"""Named numbers in, a verdict out: who agrees with whom, and how closely."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from handgrad.comparing import table as _table
from handgrad.comparing.digits import digits
from handgrad.comparing.rows import REFERENCE, Row, measure, quantities
from handgrad.errors import InputError, KindError, NoWitnessError, WitnessError
from handgrad.suggestions import unknown

Claim = Literal["same bits", "agree", "differ"]
CLAIMS = ("same bits", "agree", "differ")
HAND, WITNESS = "My Manual Calculation", "Witness"


class NotGiven:
    """The default of a column: None would also be what a missing ``.grad`` is."""

    def __repr__(self) -> str:
        return "not given"


NOT_GIVEN = NotGiven()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What ``compare`` found; it exists only if the claim was true.

    Attributes:
        title: Caption of the table, or None.
        columns: Their names.
        rows: One per quantity, see ``Row``.
        claim: What the caller said would be seen.
        verdict: What was seen: ``"same bits"``, ``"within tolerance"`` or
            ``"differ, as claimed"``.
        rtol: The relative tolerance that was asked for, if any was.
        floor: The size below which a number counts as zero, likewise.
        furthest: Quantity and two columns with the largest relative distance.

    Example:
        >>> seen = compare(columns={"literal": 0.3, "sum": 0.1 + 0.2}, rtol=1e-15, floor=1.0)
        >>> seen.verdict, seen.rows[0].ulps
        ('within tolerance', 1)
    """

    title: str | None
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    claim: Claim
    verdict: str
    rtol: float | None
    floor: float | None
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
    title: str | None = None,
    *,
    by_hand: Any = NOT_GIVEN,
    by_pytorch: Any = NOT_GIVEN,
    witness: Any = NOT_GIVEN,
    columns: Mapping[str, Any] | None = None,
    rtol: float | None = None,
    floor: float | None = None,
    claim: Claim | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Comparison:
    """Set columns of numbers side by side, and raise unless the claim about them holds.

    Without tolerances the claim is that the bits are equal. There is no absolute
    tolerance: ``floor`` says instead, in the unit of the numbers, below which size
    a number counts as zero. Neither has a default, because a default is how a
    slope that is five times too large passes.

    Args:
        title: Caption of the table; a full stop at its end is added where it is shown.
        by_hand: The column "My Manual Calculation": a number, or a mapping from
            quantity to number. A number is a Python float (float64), a tensor of
            any shape (float16, bfloat16, float32, float64; detached and copied), a
            ``Fraction``, an mpmath number, or a nested list of such. All columns
            have the same quantities and shapes; nothing is broadcast. A quantity
            that a column does not have is ``None``.
        by_pytorch: The column "PyTorch Gradient".
        witness: The column "Witness".
        columns: Further columns, by their names.
        rtol: Largest relative distance that counts as agreement; goes with ``floor``.
        floor: Size, in the unit of the numbers, that counts as zero: distances
            are measured against the largest number or ``floor``.
        claim: ``"same bits"``, which is claimed where there are no tolerances: all
            columns of a row's format have the same bits (at least two must have
            it; -0.0 and 0.0 do not share bits), and are the floats nearest to the
            exact numbers beside them; with tolerances, these need only agree.
            ``"agree"``, which is claimed with tolerances: all are within ``rtol``.
            ``"differ"``: each row has two columns that do not agree, or without
            tolerances, that are not equal. nan never satisfies any claim.
        reasons: Quantity to the reason why its bits differ, for the last column.

    Returns:
        The table as a value that shows itself in a notebook.

    Raises:
        WitnessError: If the claim does not hold.
        ShapeMismatchError: If two columns have different shapes, such as
            ``(3,)`` and ``(3, 1)``.
        KindError: For integers, complex numbers and other things without ulps.
        InputError: For fewer than two columns, empty tensors, unequal
            quantities, one tolerance without the other, a negative or nan one, an
            unknown claim.
        NoWitnessError: If ``"same bits"`` is claimed of a row in which fewer
            than two columns have bits to compare.

    Source:
        Goldberg (1991), section 1.2, for ulps and relative error.

    Example:
        >>> import torch
        >>> w = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
        >>> (w * 2.0 - 10.0).square().backward()
        >>> print(compare("A slope", by_hand={"∂L/∂w": -16.0}, by_pytorch={"∂L/∂w": w.grad}))
        A slope
        Quantity  My Manual Calculation  PyTorch Gradient  Ulps
        ∂L/∂w                     -16.0             -16.0     0
        Verdict: same bits.
    """
    given = _columns(title, by_hand, by_pytorch, witness, columns)
    asked = _claim(claim, rtol, floor)
    names = tuple(given)
    table = quantities(given)
    reasons = dict(reasons or {})
    for key in reasons:
        if key not in table:
            raise unknown("quantity in reasons", key, list(table))
    measured = {
        quantity: measure(quantity, names, cells, floor or 0.0, reasons.get(quantity))
        for quantity, cells in table.items()
    }
    for quantity, of_quantity in measured.items():
        for row in of_quantity:
            _judge(quantity, row, names, rtol, asked)
    rows = [row for of_quantity in measured.values() for row in of_quantity]
    worst = max(rows, key=lambda row: row.relative)
    return Comparison(
        title=title.removesuffix(".") if title else title,
        columns=names,
        rows=tuple(rows),
        claim=asked,
        verdict=_verdict(rows, asked),
        rtol=rtol,
        floor=floor,
        furthest=None if worst.apart is None else (worst.quantity, *worst.apart),
    )


def _columns(
    title: object, by_hand: Any, by_pytorch: Any, witness: Any, others: object
) -> dict[str, Any]:
    """Return the columns that were given, by their names: the three usual ones first."""
    if title is not None and not isinstance(title, str):
        raise KindError(
            f"The title is a {type(title).__name__}, but it is printed over the table. Name the "
            "columns instead: compare(by_hand=2.0, by_pytorch=w.grad), or "
            "compare(columns={'float32': a, 'float64': b})."
        )
    if others is not None and not isinstance(others, Mapping):
        raise KindError(
            f"Cannot compare a {type(others).__name__}: who found a number has to be named. "
            "Give a column to each: compare(columns={'by hand': 2.0, 'by machine': w.grad})."
        )
    usual = {HAND: by_hand, REFERENCE: by_pytorch, WITNESS: witness}
    given = {name: column for name, column in usual.items() if column is not NOT_GIVEN}
    further = dict(cast("Mapping[str, Any]", others or {}))
    if twice := sorted(given.keys() & further.keys()):
        raise InputError(
            f"The column '{twice[0]}' is given twice: in columns=, and by its keyword. "
            "Give another name to one of them, or leave it out."
        )
    given |= further
    for name, column in given.items():
        if column is None:
            raise InputError(
                f"The column '{name}' is None, so nobody would be compared with it. If it is a "
                ".grad, ask why_no_grad(tensor, loss); else leave the column out."
            )
    if len(given) < 2:
        raise InputError(
            f"Cannot compare {len(given)} column(s) ({next(iter(given), 'none')}): "
            "agreement needs two. Add one, such as by_pytorch=w.grad."
        )
    return given


def _claim(claim: Claim | None, rtol: float | None, floor: float | None) -> Claim:
    """Return what is claimed, if it can be claimed with these tolerances."""
    if claim is not None and claim not in CLAIMS:
        raise unknown("claim", claim, CLAIMS)
    if (rtol is None) != (floor is None):
        has, lacks = ("rtol", "floor") if floor is None else ("floor", "rtol")
        raise InputError(
            f"Cannot compare with {has} and no {lacks}: a relative distance needs a size below "
            "which a number counts as zero, and that size a distance. Give both, such as "
            "rtol=1e-12, floor=1.0, or neither to claim equal bits."
        )
    for name, value in (("rtol", rtol), ("floor", floor)):
        if value is not None and not (
            isinstance(cast(object, value), (int, float)) and 0.0 <= value < math.inf
        ):
            raise InputError(
                f"Cannot compare with {name}={value!r}: a distance is never below zero "
                f"and must be finite to mean anything. Write {name}=0.0 or more."
            )
    if claim == "agree" and rtol is None:
        raise InputError(
            "Cannot claim 'agree' without tolerances: how near is near? Give both, such as "
            "rtol=1e-12, floor=1.0, or leave the claim out to claim equal bits."
        )
    return claim or ("same bits" if rtol is None else "agree")


def _judge(
    quantity: str, row: Row, columns: tuple[str, ...], rtol: float | None, claim: Claim
) -> None:
    """Raise unless the row is as claimed."""
    if row.nan:
        raise WitnessError(
            f"nan among the numbers of '{row.quantity}': {_said(row, columns)}. nan never "
            "passes, because it is near nothing, itself included. If nan is what you want to "
            "show, write assert number.isnan() instead of a comparison."
        )
    agrees = row.relative <= (rtol or 0.0)
    if claim == "differ":
        if agrees:
            raise WitnessError(
                f"'{row.quantity}' was claimed to differ, but its columns agree to "
                f"{row.relative:.2g} (allowed {rtol or 0.0:.2g}): {_said(row, columns)}. Claim "
                "'agree', or look for the reason why the difference has gone."
            )
        return
    if rtol is not None and not agrees:
        raise WitnessError(_disagreement(row, columns, rtol))
    if claim == "same bits":
        _judge_bits(quantity, row, columns)
        if rtol is None and not row.nearest:
            raise WitnessError(_not_nearest(quantity, row, columns))


def _disagreement(row: Row, columns: tuple[str, ...], rtol: float) -> str:
    first, last = cast(tuple[str, str], row.apart)  # numbers that disagree are two
    return (
        f"Columns disagree on '{row.quantity}' by {row.absolute:.3g}, which is "
        f"{row.relative:.2g} of their size (allowed {rtol:.2g}): {_said(row, columns)}. "
        f"Furthest apart: {first} and {last}. If only a finite difference is off, look for a "
        "kink within its step; else check the formula behind the odd one out."
    )


def _judge_bits(quantity: str, row: Row, columns: tuple[str, ...]) -> None:
    if row.ulps is None:
        raise NoWitnessError(
            f"Cannot claim the same bits for '{row.quantity}': fewer than two columns are "
            f"{row.form or 'floats'} ({_said(row, columns)}), and only numbers of one format "
            "can share bits. Give tolerances, such as rtol=1e-12, floor=1.0, with the claim "
            "'agree', or give two columns the same dtype."
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
            f"it, give tolerances and say so: rtol=1e-12, floor=1.0, "
            f"reasons={{{quantity!r}: 'why'}}."
        )


def _not_nearest(quantity: str, row: Row, columns: tuple[str, ...]) -> str:
    return (
        f"'{row.quantity}' has the same bits, but they are not those of the {row.form} nearest to "
        f"{' and '.join(row.exact)}: {_said(row, columns)}. If rounding explains it, give "
        f"tolerances and say so: rtol=1e-12, floor=1.0, reasons={{{quantity!r}: 'why'}}."
    )


def _said(row: Row, columns: tuple[str, ...]) -> str:
    pairs = zip(columns, digits(row.numbers, row.form), strict=True)
    return ", ".join(f"{name}={text}" for name, text in pairs if text)


def _verdict(rows: list[Row], claim: Claim) -> str:
    if claim == "differ":
        return "differ, as claimed"
    return "same bits" if all(row.same_bits for row in rows) else "within tolerance"
