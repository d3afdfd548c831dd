"""``draw_matrix``: a layer as a grid of numbers, the signal beside it, their product below."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from handgrad.drawing.canvas import Canvas
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.ink import num
from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.layout.scene import Label
from handgrad.drawing.numbers import trimmed
from handgrad.drawing.pair import pair
from handgrad.drawing.tables import table
from handgrad.errors import InputError, ShapeMismatchError

HIGH, PAD, GAP = 34.0, 12.0, 22.0  # of a row; beside a number; between signal and matrix
LEAST = 40.0  # width of a column
HEAD, NAMED, FOOT = 28.0, 18.0, 16.0  # over the rows, for names of columns, over the product
BRACKET = 6.0
MOST_ROWS, MOST = 12, 4096  # rows on a sheet; numbers in a matrix
DOTS = "…"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the two sheets show."""

    matrix: Sequence[Sequence[float]]
    signal: Sequence[float] | None
    product: Sequence[float]
    rows: Sequence[str]
    columns: Sequence[str]
    names: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Grid:
    """What of a matrix fits on a sheet, and where it stands; None is what was left out."""

    rows: Sequence[int | None]
    columns: Sequence[int | None]
    cell: float
    signal: float  # right edge of the column of the signal
    left: float  # of the matrix
    top: float

    def x(self, place: int) -> float:
        """Return the middle of a column."""
        return self.left + self.cell * (place + 0.5)

    def y(self, place: int) -> float:
        """Return the middle of a row."""
        return self.top + HIGH * (place + 0.5)

    @property
    def right(self) -> float:
        """The right edge of the matrix."""
        return self.left + self.cell * len(self.columns)

    @property
    def bottom(self) -> float:
        """The lower edge of the matrix."""
        return self.top + HIGH * len(self.rows)


def draw_matrix(
    matrix: Sequence[Sequence[float]],
    *,
    signal: Sequence[float] | None = None,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    names: tuple[str, str, str] = ("v", "J", "v J"),
    title: str,
    description: str | None = None,
) -> Drawing:
    """Draw a layer as a grid of numbers, and what a signal makes of it.

    Each number of the signal stands beside the row that it weighs; the rows,
    so weighed, add up to the product below. A row is the more orange the larger
    its weight is; one that is weighed with 0 is faint. A signal of one 1 and
    zeros lights a single row, which then is the product.

    Args:
        matrix: Rows of numbers, all of one length.
        signal: One number for each row.
        rows: What the rows are called.
        columns: What the columns are called.
        names: What signal, matrix and product are called.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        A wide and an upright drawing, with all numbers as a table. Of what does
        not fit on a sheet the middle is left out.

    Raises:
        ShapeMismatchError: If rows, signal or names are not as many as needed.
        InputError: If there are no numbers, too many, or one is not finite.

    Example:
        >>> draw_matrix([[1, 0], [2, 3]], signal=[0, 1], title="One row").description
        'J has 2 rows and 2 columns: 1, 0; 2, 3. v is 0, 1. v J is 2, 3: row 2 of J.'
    """
    check_words(title, description)
    facts = _facts(matrix, signal, rows, columns, names)
    return pair(
        lambda room: _sheet(facts, room),
        title=title,
        description=description or _words(facts),
        table=_table(facts, title),
    )


def _facts(
    matrix: Sequence[Sequence[float]],
    signal: Sequence[float] | None,
    rows: Sequence[str],
    columns: Sequence[str],
    names: tuple[str, str, str],
) -> Facts:
    """Check the numbers and multiply."""
    numbers = [[float(value) for value in row] for row in matrix]
    lengths = {len(row) for row in numbers}
    weights = None if signal is None else [float(value) for value in signal]
    high, wide = len(numbers), max(lengths, default=0)
    asked = {
        "a signal of": (None if weights is None else len(weights), high),
        "names of its rows:": (len(rows) or None, high),
        "names of its columns:": (len(columns) or None, wide),
    }
    for what, (have, need) in asked.items():
        if have is not None and have != need:
            raise ShapeMismatchError(
                f"The matrix has {high} rows and {wide} columns, but {what} {have}. Give {need}, "
                "one for each."
            )
    if len(lengths) > 1:
        raise ShapeMismatchError(
            f"The rows of the matrix have {sorted(lengths)} numbers. Give every row the same."
        )
    flat = [value for row in (*numbers, weights or []) for value in row]
    if not wide or high * wide > MOST or not all(map(isfinite, flat)):
        raise InputError(
            f"Cannot draw a matrix of {high} rows and {wide} columns: it takes 1 to {MOST} "
            "numbers, all finite. Draw a part of it, or its size with draw_shapes."
        )
    product = [sum(v * row[n] for v, row in zip(weights or [], numbers, strict=False))
               for n in range(wide)]  # fmt: skip
    return Facts(numbers, weights, product, rows, columns, names)


def _sheet(facts: Facts, room: float) -> Canvas:
    """Draw the grid on a sheet of a width."""
    grid = _grid(facts, room)
    below = FOOT + HIGH if facts.signal is not None else 0.0
    canvas = Canvas(room, grid.bottom + below + 4.0)
    _lights(canvas, facts, grid)
    _brackets(canvas, grid)
    canvas.write(Label((grid.left + grid.right) / 2, 9.0, facts.names[1], "t"))
    for place, column in enumerate(grid.columns):
        if column is not None and facts.columns:
            name = fit(facts.columns[column], "n", grid.cell - 4)
            canvas.write(Label(grid.x(place), grid.top - 14.0, name, "n"))
    for place, row in enumerate(grid.rows):
        canvas.open(f'data-row="{"" if row is None else row}"')
        _row(canvas, facts, grid, place, row)
        canvas.close()
    if facts.signal is not None:
        canvas.write(Label(grid.signal, 9.0, facts.names[0], "t bk", "end"))
        _product(canvas, facts, grid)
    return canvas


def _grid(facts: Facts, room: float) -> Grid:
    """Return as many columns as fit, and where they stand."""
    row_names = max((width(name, "n") for name in facts.rows), default=0.0)
    names = min(row_names, room / 4) + (PAD if facts.rows else 0.0)
    weights = [trimmed(value) for value in facts.signal or ()]
    beside = max((width(words, "k") for words in (*weights, facts.names[0], facts.names[2])),
                 default=0.0) + GAP if weights else BRACKET  # fmt: skip
    left = names + beside
    widest = max(width(trimmed(v), "v") for row in (*facts.matrix, facts.product) for v in row)
    cell = max(LEAST, widest + PAD)
    fits = max(3, int((room - left - BRACKET - 1.0) // cell))
    rows, columns = (_some(len(facts.matrix), MOST_ROWS), _some(len(facts.matrix[0]), fits))
    return Grid(rows, columns, min(cell, (room - left - BRACKET - 1.0) / len(columns)),
                left - GAP, left, HEAD + NAMED * bool(facts.columns))  # fmt: skip


def _some(count: int, most: int) -> list[int | None]:
    """Return places, those in the middle left out if there are too many."""
    if count <= most:
        return list(range(count))
    return [*range(most - 2), None, count - 1]


def _lights(canvas: Canvas, facts: Facts, grid: Grid) -> None:
    """Tint each row by its weight."""
    largest = max(map(abs, facts.signal or ()), default=0.0)
    for place, row in enumerate(grid.rows):
        if not largest or row is None or not facts.signal or not facts.signal[row]:
            continue
        weight = abs(facts.signal[row]) / largest
        canvas.parts.append(
            f'<rect class="lit" data-decor="" x="{num(grid.left)}" '
            f'y="{num(grid.y(place) - HIGH / 2 + 2)}" width="{num(grid.right - grid.left)}" '
            f'height="{num(HIGH - 4)}" fill-opacity="{num(0.16 * weight)}"/>'
        )


def _brackets(canvas: Canvas, grid: Grid) -> None:
    """Enclose the matrix as on paper."""
    for x, inner in ((grid.left, BRACKET), (grid.right, -BRACKET)):
        top, foot = grid.top, grid.bottom
        canvas.stroke([(x + inner, top), (x, top), (x, foot), (x + inner, foot)], "rule")


def _row(canvas: Canvas, facts: Facts, grid: Grid, place: int, row: int | None) -> None:
    """Write a row: its name, its weight and its numbers."""
    y = grid.y(place)
    weight = None if facts.signal is None or row is None else facts.signal[row]
    if row is not None and facts.rows:
        canvas.write(Label(0.0, y, fit(facts.rows[row], "n", canvas.width / 4), "n", "start"))
    if facts.signal is not None:
        words = DOTS if weight is None else trimmed(weight)
        canvas.write(Label(grid.signal, y, words, "k bk", "end"))
    for column, value in enumerate(grid.columns):
        said = DOTS if row is None or value is None else trimmed(facts.matrix[row][value])
        canvas.write(Label(grid.x(column), y, said, "a" if weight == 0.0 or said == "0" else "k"))


def _product(canvas: Canvas, facts: Facts, grid: Grid) -> None:
    """Write the product under the columns."""
    y = grid.bottom + FOOT + HIGH / 2
    canvas.stroke([(grid.left, grid.bottom + FOOT), (grid.right, grid.bottom + FOOT)], "rule")
    canvas.write(Label(grid.signal, y, facts.names[2], "t bk", "end"))
    for place, column in enumerate(grid.columns):
        said = DOTS if column is None else trimmed(facts.product[column])
        canvas.write(Label(grid.x(place), y, said, "k bk"))


def _words(facts: Facts) -> str:
    """Say the numbers if they are few, and what the signal picks."""
    v, name, result = facts.names
    high, wide = len(facts.matrix), len(facts.matrix[0])
    said = f"{name} has {high} rows and {wide} columns"
    if high * wide <= 16:
        said += ": " + "; ".join(_listed(row) for row in facts.matrix)
    if facts.signal is None:
        return f"{said}."
    if max(high, wide) > 8:
        return f"{said}. {v} has {high} numbers, {result} has {wide}{_picked(facts)}."
    return (
        f"{said}. {v} is {_listed(facts.signal)}. {result} is {_listed(facts.product)}"
        f"{_picked(facts)}."
    )


def _picked(facts: Facts) -> str:
    """Say which row a signal of one 1 and zeros picks."""
    weights = facts.signal or ()
    one = [place for place, weight in enumerate(weights) if weight]
    if len(one) == 1 and weights[one[0]] == 1.0:
        return f": row {one[0] + 1} of {facts.names[1]}"
    return ""


def _listed(values: Sequence[float]) -> str:
    return ", ".join(map(trimmed, values))


def _table(facts: Facts, title: str) -> str:
    """Return a row for each row, its weight first, and the product last."""
    columns = facts.columns or [f"column {n + 1}" for n in range(len(facts.matrix[0]))]
    weighed = facts.signal is not None
    rows = [
        [facts.rows[n] if facts.rows else f"row {n + 1}",
         *([trimmed(facts.signal[n])] if facts.signal is not None else []), *map(trimmed, row)]
        for n, row in enumerate(facts.matrix)
    ]  # fmt: skip
    if weighed:
        rows.append([facts.names[2], "", *map(trimmed, facts.product)])
    return table(title, [facts.names[1], *([facts.names[0]] if weighed else []), *columns], rows)
