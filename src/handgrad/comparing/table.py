"""A comparison as text, as HTML and as JSON; which digits to underline."""

import html
import math
from typing import Any, Protocol

from handgrad.comparing.digits import digits
from handgrad.comparing.rows import REFERENCE, Row

NO_SCALE = "–"  # between zero and another number lie all the small floats


class Compared(Protocol):
    """What a table shows of a comparison."""

    @property
    def title(self) -> str | None: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def rows(self) -> tuple[Row, ...]: ...
    @property
    def claim(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def rtol(self) -> float | None: ...
    @property
    def floor(self) -> float | None: ...
    @property
    def furthest(self) -> tuple[str, str, str] | None: ...


def as_text(seen: Compared) -> str:
    """Set the table in columns of a terminal."""
    head, rows = _grid(seen)
    cells = [[cell.replace("\n", " ") for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    left = {0, len(head) - 1} if head[-1] == "Reason" else {0}
    lines = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([*([seen.title] if seen.title else []), *lines, f"Verdict: {seen.verdict}."])


def as_html(seen: Compared) -> str:
    """Set the table as HTML that keeps its roles when a phone turns it on its side."""
    head, rows = _grid(seen)
    right = range(1, len(head) - (head[-1] == "Reason"))
    heads = "".join(
        f'<th role="columnheader"{_right(i in right)}>{html.escape(name)}</th>'
        for i, name in enumerate(head)
    )
    body = "\n".join(
        _html_row(seen, row, cells, head, right) for row, cells in zip(seen.rows, rows, strict=True)
    )
    return (
        f'<div class="wide">\n<table class="turn" role="table">\n{_caption(seen)}\n'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}\n</tbody></table>\n</div>'
    )


def as_dict(seen: Compared) -> dict[str, Any]:
    """Return plain JSON; numbers are strings of decimal digits, with an ASCII minus."""
    return {
        "title": seen.title,
        "columns": list(seen.columns),
        "claim": seen.claim,
        "verdict": seen.verdict,
        "rtol": seen.rtol,
        "floor": seen.floor,
        "furthest": list(seen.furthest) if seen.furthest else None,
        "rows": [
            {
                "quantity": row.quantity,
                "numbers": dict(zip(seen.columns, digits(row.numbers, row.form), strict=True)),
                "format": row.form,
                "absolute": _json(row.absolute),
                "relative": _json(row.relative),
                "ulps": row.ulps,
                "exact_ulps": None if row.exact_ulps is None else _json(row.exact_ulps),
                "same_bits": row.same_bits,
                "nearest": row.nearest,
                "reason": row.reason,
                "count": row.count,
                "same": row.same,
                "most_ulps": row.most_ulps,
            }
            for row in seen.rows
        ],
    }


def _grid(seen: Compared) -> tuple[list[str], list[list[str]]]:
    """Lay out the cells; columns in which no row has anything are left out."""
    rows = seen.rows
    ulps = any(row.ulps is not None for row in rows)
    exact = any(row.exact_ulps is not None for row in rows)
    reasons = any(row.reason for row in rows)
    others = {name for row in rows for name in row.exact}
    witness = others.pop() if len(others) == 1 else "the exact"
    pytorch = REFERENCE in seen.columns
    measured = f"PyTorch from {witness}, ulps" if pytorch else f"Ulps from {witness}"
    head = ["Quantity", *seen.columns]
    head += ["Ulps"] * ulps + [measured] * exact + ["Reason"] * reasons
    return head, [
        [_quantity(row), *digits(row.numbers, row.form)]
        + [_ulps(row)] * ulps
        + [_exact_ulps(row)] * exact
        + [row.reason or ""] * reasons
        for row in rows
    ]


def _quantity(row: Row) -> str:
    if row.count == 1:
        return row.quantity
    same = f"{row.same:,} of {row.count:,} with the same bits"
    if row.same == row.count:
        return f"{row.quantity}, {same}"
    most = f", at most {row.most_ulps:,} ulps apart" if row.most_ulps != row.ulps else ""
    return f"{row.quantity}, the worst by distance ({same}{most})"


def _ulps(row: Row) -> str:
    if row.ulps is None:
        return ""
    if not row.ulps:
        zeros = not row.same_bits and row.most_ulps == 0
        return "0, but the zeros differ in sign" if zeros else "0"
    return NO_SCALE if 0.0 in row.numbers else f"{row.ulps:,}"


def _exact_ulps(row: Row) -> str:
    if row.exact_ulps is None:
        return ""
    return NO_SCALE if row.exact_ulps and 0.0 in row.numbers else _short(row.exact_ulps)


def _short(ulps: float) -> str:
    return f"{ulps:,.0f}" if ulps >= 999.5 else f"{ulps:.3g}"


def _caption(seen: Compared) -> str:
    forms = sorted({row.form for row in seen.rows if row.form})
    ulp = f" An ulp is the step from one {' or '.join(forms)} to the next." if forms else ""
    title = f"<b>{html.escape(seen.title)}.</b> " if seen.title else ""
    return f"<caption>{title}Verdict: {seen.verdict}.{ulp}</caption>"


def _html_row(seen: Compared, row: Row, cells: list[str], head: list[str], right: range) -> str:
    width = len(seen.columns)
    model = seen.columns.index(REFERENCE) if REFERENCE in seen.columns else 0
    reference = cells[1 + model]
    out = [f'<th role="rowheader" scope="row">{_html_quantity(cells[0])}</th>']
    for i, cell in enumerate(cells[1:], start=1):
        inner = _underlined(cell, reference) if i <= width else html.escape(cell)
        out.append(
            f'<td role="cell"{_right(i in right)} data-of="{html.escape(head[i])}">'
            + (f"<span>{inner}</span>" if cell else "")
            + "</td>"
        )
    return f'<tr role="row">{"".join(out)}</tr>'


def _right(yes: bool) -> str:
    return ' class="r"' if yes else ""


def _html_quantity(text: str) -> str:
    """Set a symbol in italics, the words after its comma upright."""
    symbol, comma, words = text.partition(",")
    name, bracket, index = symbol.partition("[")
    italic = "∂" in name or len(name) == 1
    return (f"<i>{html.escape(name)}</i>" if italic else html.escape(name)) + html.escape(
        bracket + index + comma + words
    )


def _underlined(text: str, reference: str) -> str:
    """Mark the runs of characters that differ from the reference, and typeset the rest."""
    if not reference or text == reference:
        return _typeset(text)
    mantissa, _, exponent = text.partition("e")
    model, _, scale = reference.partition("e")
    if len(mantissa) != len(model) or exponent != scale:
        return f"<u>{_typeset(text)}</u>"
    out: list[str] = []
    inside = False
    for here, there in zip(mantissa, model, strict=True):
        if (here != there) != inside:
            out.append("<u>" if not inside else "</u>")
            inside = not inside
        out.append(_typeset(here))
    return "".join(out) + "</u>" * inside + (_power(exponent) if exponent else "")


def _typeset(text: str) -> str:
    """Use the true minus sign, and powers of ten instead of an ``e``."""
    if text in ("inf", "-inf"):
        return text.replace("-", "−").replace("inf", "∞")
    mantissa, _, exponent = text.partition("e")
    return html.escape(mantissa).replace("-", "−") + (_power(exponent) if exponent else "")


def _power(exponent: str) -> str:
    return f" × 10<sup>{str(int(exponent)).replace('-', '−')}</sup>"


def _json(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)
