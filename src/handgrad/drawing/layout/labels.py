"""Words around boxes and roads: where they stand so that nothing touches them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from handgrad.drawing.ink import Curve, Point
from handgrad.drawing.layout.measure import ROW_LINES, Measure
from handgrad.drawing.layout.metrics import width
from handgrad.drawing.layout.scene import (
    Box,
    Label,
    Rect,
    Road,
    Scene,
    bezier,
    lanes,
    samples,
    touch,
)
from handgrad.drawing.picture import Link, Picture

_STEPS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9)
_UPRIGHT = ("beside", "before", "below", "above")
_CELL = 48.0  # side of the squares in which obstacles are looked up


class Obstacles:
    """What words must not touch; rectangles are kept by the squares they cover."""

    def __init__(self, room: float | None) -> None:
        self._room = room
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
        if self._room is not None and not 0 <= rect[0] <= rect[2] <= self._room:
            return False
        return not any(
            touch(rect, other, room)
            for square in _squares(rect, 0.0)
            for other, room in self._squares.get(square, ())
        )


def label_roads(
    roads: Sequence[Road],
    boxes: Sequence[Box],
    labels: Sequence[Label],
    room: float | None,
) -> tuple[tuple[Road, ...], list[int]]:
    """Return the roads with their words, and which found no free place for them."""
    taken = Obstacles(room)
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
    right = road.back[::-1] if road.back else road.forward
    left = road.forward or right
    if right is None or left is None:
        return
    (ax, ay), (bx, by) = right[0], right[-1]
    level = abs(by - ay) <= abs(bx - ax)
    kinds = ("below", "above", "beside", "before") if level else _UPRIGHT
    for far in (0.0, 8.0, 18.0):
        for kind in kinds:
            for t in _STEPS:
                for point in _points(left if kind in ("above", "before") else right, t):
                    yield _near(point, kind, far, road.link)


def _near(point: Point, kind: str, far: float, link: Link) -> Label:
    """Return a road's words on one side of a point of its lane."""
    x, y = point
    if kind in ("below", "above"):
        return Label(x, y + (14 + far if kind == "below" else -13 - far), link.local, link.cls)
    x, anchor = (x + 9 + far, "start") if kind == "beside" else (x - 9 - far, "end")
    return Label(x, y, link.local, link.cls, anchor)


def _points(curve: Curve, t: float) -> list[Point]:
    """Return the points at ``t`` of each stretch of a curve, the longest stretch first."""
    if len(curve) == 2:
        curve = (curve[0], curve[0], curve[1], curve[1])
    stretches = [curve[i : i + 4] for i in range(0, len(curve) - 1, 3)]
    stretches.sort(key=lambda s: -abs(s[3][0] - s[0][0]) - abs(s[3][1] - s[0][1]))
    points: list[Point] = []
    for a, b, c, d in stretches:
        whole = b == a and c == d  # a straight line: equal steps along it
        points.append(
            (a[0] + (d[0] - a[0]) * t, a[1] + (d[1] - a[1]) * t) if whole else bezier(a, b, c, d, t)
        )
    return points


def end_labels(root: Box, picture: Picture, *, left: bool) -> Iterator[Label]:
    """Name the rows of the boxes once, at the loss; at its left if something hangs there."""
    x, anchor = (root.x - 10, "end") if left else (root.x + root.width + 10, "start")
    for row, name, cls in ((1, "value", "n fw"), (2, "gradient", "n bk")):
        if picture.show != "structure" and row <= picture.rows:
            yield Label(x, root.y + ROW_LINES[row], name, cls, anchor)


def bracketed(scene: Scene, picture: Picture, measure: Measure) -> Scene:
    """Span each group of boxes with a hairline bracket: over them, or at their left."""
    at = {box.cell.key: box for box in scene.boxes}
    edge = min(rect[1 if measure.flat else 0] for rect in scene.rects())
    labels: list[Label] = []
    rules: list[tuple[Point, ...]] = []
    ends: list[float] = []  # of the last bracket on each level
    spans = [
        (_span([at[k] for k in keys if k in at], measure), name)
        for name, keys in picture.groups
        if any(k in at for k in keys)
    ]
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
    return replace(scene, labels=(*scene.labels, *labels), rules=(*scene.rules, *rules))


def _span(boxes: Sequence[Box], measure: Measure) -> tuple[float, float]:
    first, last = (0, 2) if measure.flat else (1, 3)
    return min(b.rect[first] for b in boxes), max(b.rect[last] for b in boxes)


def _squares(rect: Rect, room: float) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = rect
    for i in range(int((left - room) // _CELL), int((right + room) // _CELL) + 1):
        for j in range(int((top - room) // _CELL), int((bottom + room) // _CELL) + 1):
            yield i, j
