"""Words around boxes and roads: where they stand so that nothing touches them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil, floor

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
    heights,
    lanes,
)
from handgrad.drawing.picture import Picture

_STEPS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9)
_FARTHER = (0.0, 8.0, 18.0)  # from the place that is nearest to an edge
_LANE = 3.5  # words keep so far from the middle of a lane
_ROW = 3.0  # height of a row of pixels
_WEIGHTS = [  # of the four control points, at eight places of a cubic
    ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
    for t in (n / 8 for n in range(1, 9))
]


class Occupancy:
    """Which pixels words must not touch: a whole number for each row, with a bit for each column.

    Rows are three units high and columns one wide. A place is free if no row has one of its bits.

    Source:
        Kittivorawong, Moritz, Wongsuphasawat & Heer (2020), *Fast and flexible
        overlap detection for chart labeling with occupancy bitmap*.
    """

    def __init__(self, left: float, room: float | None) -> None:
        """Begin with an empty sheet: nothing stands left of ``left``; ``room`` is its width."""
        self._left = floor(left)
        self._room = room
        self._rows: dict[int, int] = {}

    def add(self, rect: Rect, room: float) -> None:
        """Keep words ``room`` away from a rectangle."""
        left, top, right, bottom = rect
        bits = (1 << ceil(right + room) - self._left) - (1 << floor(left - room) - self._left)
        rows = self._rows
        for row in range(floor((top - room) / _ROW), ceil((bottom + room) / _ROW)):
            rows[row] = rows.get(row, 0) | bits

    def add_edge(self, edge: Road) -> None:
        """Keep words away from an edge, and from between its lanes."""
        curves = [[curve[0], *_outline(curve)] for curve in lanes(edge)]
        if len(curves) == 2 and len(curves[0]) == len(curves[1]):
            self._add_band(curves[0], curves[1][::-1])
        else:
            for curve in curves:
                self._add_band(curve, curve)

    def _add_band(self, one: Sequence[Point], other: Sequence[Point]) -> None:
        (ax, ay), (bx, by) = one[0], other[0]
        for (x, y), (u, v) in zip(one[1:], other[1:], strict=True):
            rect = (min(ax, bx, x, u), min(ay, by, y, v), max(ax, bx, x, u), max(ay, by, y, v))
            self.add(rect, _LANE)
            ax, ay, bx, by = x, y, u, v

    def free(self, rect: Rect) -> bool:
        """Tell whether words may stand there."""
        left, top, right, bottom = rect
        if self._room is not None and not 0 <= left <= right <= self._room:
            return False
        rows, first = self._rows, floor(left) - self._left
        bits = (1 << ceil(right) - self._left) - (1 << first)
        for row in range(floor(top / _ROW), ceil(bottom / _ROW)):
            if rows.get(row, 0) & bits:
                return False
        return True


def _outline(curve: Curve) -> list[Point]:
    """Return points along a curve without the first: eight on a bend, the ends of the rest."""
    if len(curve) == 2:
        return [curve[1]]
    points: list[Point] = []
    for i in range(0, len(curve) - 1, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve[i : i + 4]
        if (bx, by) == (cx, cy):
            points.append((dx, dy))
        else:
            points += [
                (a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy)
                for a, b, c, d in _WEIGHTS
            ]
    return points


def label_roads(
    roads: Sequence[Road],
    boxes: Sequence[Box],
    labels: Sequence[Label],
    fixed: Mapping[int, Label],
    room: float | None,
) -> tuple[tuple[Road, ...], list[int]]:
    """Return the edges with their words, and which found no free place for them.

    ``fixed`` are the words that have a place already, by the place of their edge.
    """
    around = [x for road in roads for curve in lanes(road) for x, _ in curve]
    around += [box.x for box in boxes] + [label.rect[0] for label in labels]
    longest = max([width(road.link.local, road.link.cls) for road in roads], default=0.0)
    taken = Occupancy(min(around) - longest - 40.0, room)
    for box in boxes:
        taken.add(box.rect, 2.0)
    for label in (*labels, *fixed.values()):
        taken.add(label.rect, 2.0)
    for road in roads:
        taken.add_edge(road)
    done: list[Road] = []
    missing: list[int] = []
    for index, road in enumerate(roads):
        label = fixed.get(index)
        if label is None and road.link.local:
            label = _placed(road, taken)
            if label is None:
                missing.append(index)
            else:
                taken.add(label.rect, 3.0)
        done.append(replace(road, label=label) if label is not None else road)
    return tuple(done), missing


def _placed(edge: Road, taken: Occupancy) -> Label | None:
    """Return an edge's words at the best free place: at the middle of its backward lane."""
    right = edge.back[::-1] if edge.back else edge.forward
    left = edge.forward or right
    if right is None or left is None:
        return None
    words, cls = edge.link.local, edge.link.cls
    long = width(words, cls)
    high, low = heights(cls)
    (ax, ay), (bx, by) = right[0], right[-1]
    kinds = ("below", "above", "beside", "before")
    if abs(by - ay) > abs(bx - ax):
        kinds = ("beside", "before", "below", "above")
    pieces = {"beside": _pieces(right), "before": _pieces(left)}
    pieces |= {"below": pieces["beside"], "above": pieces["before"]}
    for far in _FARTHER:
        for kind in kinds:
            dx, dy, anchor = _beside(kind, far)
            out = {"start": 0.0, "middle": long / 2, "end": long}[anchor]
            for t in _STEPS:
                for piece in pieces[kind]:
                    point = _at(piece, t, kind)
                    if point is None:
                        continue
                    x, y = point[0] + dx, point[1] + dy
                    if taken.free((x - out, y - high, x - out + long, y + low)):
                        return Label(x, y, words, cls, anchor)
    return None


def _beside(kind: str, far: float) -> tuple[float, float, str]:
    """Return how far words stand from a point of a lane, and where they are anchored."""
    if kind == "below":
        return 0.0, 14.0 + far, "middle"
    if kind == "above":
        return 0.0, -13.0 - far, "middle"
    return (9.0 + far, 0.0, "start") if kind == "beside" else (-9.0 - far, 0.0, "end")


def _pieces(curve: Curve) -> list[Curve]:
    """Return the pieces of a curve, the longest first."""
    if len(curve) == 2:
        return [(curve[0], curve[0], curve[0], curve[1])]
    found = [curve[i : i + 4] for i in range(0, len(curve) - 1, 3)]
    return sorted(found, key=lambda s: -abs(s[3][0] - s[0][0]) - abs(s[3][1] - s[0][1]))


def _at(piece: Curve, t: float, kind: str) -> Point | None:
    """Return the point at ``t`` of a piece, if words of this kind can stand there at all.

    A straight piece has nothing but itself over and under it, or beside it.
    """
    a, b, c, d = piece
    if b != c:
        return bezier(a, b, c, d, t)
    level = a[1] == d[1]
    if level == (kind in ("beside", "before")):
        return None
    return a[0] + (d[0] - a[0]) * t, a[1] + (d[1] - a[1]) * t


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
