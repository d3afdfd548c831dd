"""A figure's numbers as an HTML table, for readers who cannot see it."""

from collections.abc import Sequence

from handgrad.drawing.ink import plain


def table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1
) -> str:
    """Return a table whose first column heads its rows.

    Args:
        title: The figure's title, by which the table is announced.
        heads: One name a column.
        rows: The cells, as many a row as there are heads.
        words: How many columns from the left hold words; the rest are numbers,
            set to the right.

    Example:
        >>> table("T", ["w", "L"], [["3", "30.25"]])[-71:]
        '<tr><th scope="row">3</th><td class="r">30.25</td></tr></tbody></table>'
    """
    sides = ["" if place < words else ' class="r"' for place in range(len(heads))]
    head = "".join(
        f'<th scope="col"{side}>{plain(name)}</th>' for side, name in zip(sides, heads, strict=True)
    )
    body = "".join(_row(row, sides) for row in rows)
    return (
        f'<table aria-label="{plain(title, quote=True)}, as a table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _row(cells: Sequence[str], sides: Sequence[str]) -> str:
    first, *rest = (plain(cell) for cell in cells)
    others = "".join(f"<td{side}>{cell}</td>" for side, cell in zip(sides[1:], rest, strict=True))
    return f'<tr><th scope="row">{first}</th>{others}</tr>'
