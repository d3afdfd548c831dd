"""``draw_shapes``: tensors as boxes whose sides are to scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from handgrad.drawing.canvas import Canvas
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.ink import num
from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.layout.scene import Label
from handgrad.drawing.numbers import size
from handgrad.drawing.pair import pair
from handgrad.drawing.tables import table
from handgrad.errors import InputError

SIDES = (200.0, 170.0, 140.0)  # of the longest side: the first at which all stand side by side
THIN = 2.0  # a side that is thinner is drawn so thick, to be seen
GAP, LINES, LINE = 28.0, 3, 20.0  # between boxes; lines of words under a box, and their height
MOST = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """A tensor's name and lengths, seen as rows and columns."""

    name: str
    lengths: tuple[int, ...]

    @property
    def sides(self) -> tuple[int, int]:
        """Columns and rows: the last axis across, all others upwards."""
        if not self.lengths:
            return 1, 1
        return self.lengths[-1], prod(self.lengths[:-1])

    @property
    def words(self) -> tuple[str, str, str]:
        """What stands under the box."""
        count = prod(self.lengths)
        return self.name, size(self.lengths), f"{count:,} number{'s' * (count != 1)}"


def draw_shapes(
    shapes: Mapping[str, Sequence[int]], *, title: str, description: str | None = None
) -> Drawing:
    """Draw tensors as boxes to one scale, so that their sizes can be compared.

    The last axis runs across, all others together run down. A side too thin to be
    seen is drawn two pixels thick.

    Args:
        shapes: Name to shape, from left to right.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        A wide and an upright drawing, with shapes and counts as a table.

    Raises:
        InputError: If there is no shape, too many, or a length is not a positive whole number.

    Example:
        >>> draw_shapes({"v": (1, 1000), "J": (1000, 1000)}, title="Never formed").description
        'To scale: v (1, 1000), 1,000 numbers; J (1000, 1000), 1,000,000 numbers.'
    """
    check_words(title, description)
    found = [Shape(name, tuple(lengths)) for name, lengths in shapes.items()]
    bad = [shape for shape in found if any(not _whole(length) for length in shape.lengths)]
    if bad or not 1 <= len(found) <= MOST:
        seen = f"{bad[0].name!r} is {bad[0].lengths!r}" if bad else f"there are {len(found)} shapes"
        raise InputError(
            f"Cannot draw '{title}': {seen}, and it takes 1 to {MOST} shapes of positive whole "
            'lengths. Write {"J": (1000, 1000), "v": (1, 1000)}.'
        )
    said = "; ".join(f"{s.words[0]} {s.words[1]}, {s.words[2]}" for s in found)
    rows = [[shape.name, *shape.words[1:]] for shape in found]
    return pair(
        lambda room: _sheet(found, room),
        title=title,
        description=description or f"To scale: {said}.",
        table=table(title, ["tensor", "shape", "size"], rows),
    )


def _whole(length: object) -> bool:
    return isinstance(length, int) and not isinstance(length, bool) and length > 0


def _sheet(shapes: Sequence[Shape], room: float) -> Canvas:
    """Draw the boxes in rows, standing on one line."""
    longest = max(max(shape.sides) for shape in shapes)
    scales = [min(side, room - 2.0) / longest for side in SIDES]
    scale = next((s for s in scales if len(_lines(shapes, s, room)) == 1), scales[0])
    lines = _lines(shapes, scale, room)
    tops: list[float] = [0.0]
    for line in lines:
        tall = max(_sides(shape, scale)[1] for shape in line)
        tops.append(tops[-1] + tall + 12.0 + LINES * LINE + GAP)
    canvas = Canvas(room, tops[-1] - GAP + 2.0)
    for line, top in zip(lines, tops, strict=False):
        floor = top + max(_sides(shape, scale)[1] for shape in line) + 1.0
        x = 1.0
        for shape in line:
            x = _box(canvas, shape, scale, x, floor, room)
    return canvas


def _lines(shapes: Sequence[Shape], scale: float, room: float) -> list[list[Shape]]:
    """Return the shapes line by line, as many in each as fit."""
    lines: list[list[Shape]] = [[]]
    used = 1.0
    for shape in shapes:
        wide = _wide(shape, scale)
        if lines[-1] and used + wide > room - 1.0:
            lines.append([])
            used = 1.0
        lines[-1].append(shape)
        used += wide + GAP
    return lines


def _sides(shape: Shape, scale: float) -> tuple[float, float]:
    across, down = shape.sides
    return max(THIN, across * scale), max(THIN, down * scale)


def _wide(shape: Shape, scale: float) -> float:
    words = max(width(line, cls) for line, cls in zip(shape.words, "tkn", strict=True))
    return max(_sides(shape, scale)[0], words)


def _box(canvas: Canvas, shape: Shape, scale: float, x: float, floor: float, room: float) -> float:
    """Draw a box that stands on the floor, its words under it, and return where the next begins."""
    wide, high = _sides(shape, scale)
    canvas.parts.append(
        f'<rect class="node leaf" x="{num(x)}" y="{num(floor - high)}" width="{num(wide)}" '
        f'height="{num(high)}"/>'
    )
    for n, (words, cls) in enumerate(zip(shape.words, "tkn", strict=True)):
        y = floor + 18.0 + n * LINE
        canvas.write(Label(x, y, fit(words, cls, room - x - 1.0), cls, "start"))
    return x + _wide(shape, scale) + GAP
