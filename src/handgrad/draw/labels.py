"""Words around boxes and roads: where they stand so that nothing touches them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from handgrad.draw.ink import Curve, Point
from handgrad.draw.measure import ROW_LINES, Measure
from handgrad.draw.metrics import width
from handgrad.draw.picture import Picture
from handgrad.draw.scene import Box, Label, Rect, Road, bezier, lanes, samples, touch

_STEPS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9)
_CELL = 48.0  # side of the squares in which obstacles are looked up


class Obstacles:
    """What words must not touch; rectangles are kept by the squares they cover."""

    def __init__(self) -> None:
        self._squares: dict[tuple[int, int], list[tuple[Rect, float]]] = {}

    def add(self, rect: Rect, room: float) -> None:
        """Keep words ``room`` away from a rectangle."""
        for square in _squares(rect, room):
            self._squares.setdefault(square, []).append((rect, room))

    def add_lane(self, curve: Curve) -> None:
        """Keep words away from a lane."""
        points = samples(curve)
        for (ax, ay), (bx, by) in pairwise(points):
            self.add((min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)), 3.5)

    def free(self, rect: Rect) -> bool:
        """Tell whether words may stand there."""
        return not any(
            touch(rect, other, room)
            for square in _squares(rect, 0.0)
            for other, room in self._squares.get(square, ())
        )


def label_roads(
    roads: Sequence[Road], boxes: Sequence[Box], labels: Sequence[Label]
) -> tuple[tuple[Road, ...], list[int]]:
    """Return the roads with their words, and which found no free place for them."""
    taken = Obstacles()
    for box in boxes:
        taken.add(box.rect, 2.0)
    for label in labels:
        taken.add(label.rect, 2.0)
    for road in roads:
        for curve in lanes(road):
            taken.add_lane(curve)
    done: list[Road] = []
    missing: list[int] = []
    for index, road in enumerate(roads):
        label = None
        if road.link.local:
            label = next((n for n in _candidates(road) if taken.free(n.rect)), None)
            missing += [index] * (label is None)
        if label is not None:
            taken.add(label.rect, 3.0)
        done.append(replace(road, label=label))
    return tuple(done), missing


def _candidates(road: Road) -> Iterator[Label]:
    """Yield places for a road's words, the best first: at the middle of its backward lane."""
    words, cls = road.link.local, road.link.cls
    right = road.back[::-1] if road.back else road.forward
    left = road.forward or right
    if right is None or left is None:
        return
    (ax, ay), (bx, by) = right[0], right[-1]
    level = abs(by - ay) <= abs(bx - ax)
    for far in (0.0, 8.0, 18.0):
        for t in _STEPS:
            for (x, y), (u, v) in zip(_points(right, t), _points(left, t), strict=True):
                below = Label(x, y + 14 + far, words, cls)
                beside = Label(x + 9 + far, y, words, cls, "start")
                above = Label(u, v - 13 - far, words, cls)
                before = Label(u - 9 - far, v, words, cls, "end")
                yield from (below, above) if level else (beside, before)
                yield from (beside, before) if level else (below, above)


def _points(curve: Curve, t: float) -> list[Point]:
    """Return the points at ``t`` of each stretch of a curve."""
    if len(curve) == 2:
        (ax, ay), (bx, by) = curve
        return [(ax + (bx - ax) * t, ay + (by - ay) * t)]
    starts = range(0, len(curve) - 1, 3)
    return [bezier(curve[i], curve[i + 1], curve[i + 2], curve[i + 3], t) for i in starts]


def end_labels(root: Box, picture: Picture, *, left: bool) -> Iterator[Label]:
    """Name the rows of the boxes once, at the loss; at its left if something hangs there."""
    x, anchor = (root.x - 10, "end") if left else (root.x + root.width + 10, "start")
    for row, name, cls in ((1, "value", "n fw"), (2, "gradient", "n bk")):
        if picture.show != "structure" and row <= picture.rows:
            yield Label(x, root.y + ROW_LINES[row], name, cls, anchor)


def brackets(
    picture: Picture, boxes: Sequence[Box], rects: Sequence[Rect], measure: Measure
) -> tuple[list[Label], list[tuple[Point, ...]]]:
    """Span each group of boxes with a hairline bracket: over them, or at their left."""
    at = {box.cell.key: box for box in boxes}
    edge = min(rect[1 if measure.flat else 0] for rect in rects)
    labels: list[Label] = []
    rules: list[tuple[Point, ...]] = []
    ends: list[float] = []  # of the last bracket on each level
    spans = [(_span([at[k] for k in keys if k in at], measure), name)
             for name, keys in picture.groups if any(k in at for k in keys)]  # fmt: skip
    for (low, high), name in sorted(spans):
        middle, long = (low + high) / 2, width(name, "n")
        left, right = min(low, middle - long / 2), max(high, middle + long / 2)
        level = next((i for i, end in enumerate(ends) if end + 6 <= left), len(ends))
        ends[level : level + 1] = [right]
        foot = edge - (11 if measure.flat else 20) - 38 * level
        legs = [(low, foot), (low, foot - 7), (high, foot - 7), (high, foot)]
        rules.append(tuple(legs if measure.flat else [(c, f) for f, c in legs]))
        word = foot - (21 if measure.flat else 20)
        x, y = (middle, word) if measure.flat else (word, middle)
        labels.append(Label(x, y, name, "n", turned=not measure.flat))
    return labels, rules


def _span(boxes: Sequence[Box], measure: Measure) -> tuple[float, float]:
    first, last = (0, 2) if measure.flat else (1, 3)
    return min(b.rect[first] for b in boxes), max(b.rect[last] for b in boxes)


def _squares(rect: Rect, room: float) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = rect
    for i in range(int((left - room) // _CELL), int((right + room) // _CELL) + 1):
        for j in range(int((top - room) // _CELL), int((bottom + room) // _CELL) + 1):
            yield i, j
