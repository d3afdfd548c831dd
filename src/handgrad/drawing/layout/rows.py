"""Set a flat scene in rows, as a text is set in lines, where one row is too long."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from handgrad.drawing.layout.labels import bracketed
from handgrad.drawing.layout.measure import Measure, axis
from handgrad.drawing.layout.routes import rounded
from handgrad.drawing.layout.scene import Box, Label, Road, Scene
from handgrad.drawing.picture import Picture

MARGIN = 34.0  # beside a row, for the road that comes from the row above
TURN = 26.0  # from a box to the axis of a road that turns beside it
LANE, RADIUS = 7.0, 8.0  # half a turning road's width, and of its corners
OVER, UNDER = 36.0, 26.0  # from the axis between two rows to what stands over and under it


def in_rows(
    scene: Scene, picture: Picture, measure: Measure, room: float, *, most: int | None
) -> Scene | None:
    """Return a scene in as few rows as fit, evenly filled, or None if that is impossible.

    Each row is read from left to right; a road leads back from the end of one
    to the start of the next. Only a spine can be set in more than one row.
    """
    spine = sorted({box.x for box in scene.boxes})
    for count in range(1, (most or len(spine)) + 1):
        long = ceil(len(spine) / count)
        starts = spine[::long]
        if len(starts) != count:
            continue
        parts = _cut(scene, starts)
        rows = [bracketed(part, picture, measure) for part in parts]
        if max(_width(row) for row in rows) + (2 * MARGIN if count > 1 else 2) <= room:
            return rows[0] if count == 1 else _stack(rows, scene, picture)
    return None


def _cut(scene: Scene, starts: Sequence[float]) -> list[Scene]:
    """Return what belongs to each row, where it was; roads between rows belong to none."""
    ends = [*(start - 1 for start in starts[1:]), float("inf")]

    def row(x: float) -> int:
        return next(i for i, end in enumerate(ends) if x < end)

    found: list[Scene] = []
    for i in range(len(starts)):
        boxes = tuple(box for box in scene.boxes if row(box.x) == i)
        mine = {box.cell.key for box in boxes}
        roads = tuple(r for r in scene.roads if {r.link.source, r.link.target} <= mine)
        labels = tuple(label for label in scene.labels if row(label.x) == i)
        found.append(Scene(boxes, roads, labels))
    return found


def _width(row: Scene) -> float:
    lefts, _, rights, _ = zip(*row.rects(), strict=True)
    return max(rights) - min(lefts)


def _stack(rows: Sequence[Scene], whole: Scene, picture: Picture) -> Scene:
    """Set rows under one another and join them."""
    placed: list[Scene] = []
    between: list[float] = []  # the axis of each road that leads back
    bottom = 0.0
    for row in rows:
        _, tops, _, bottoms = zip(*row.rects(), strict=True)
        left = min(box.x for box in row.boxes)
        top = bottom + (OVER + UNDER if placed else 0.0)
        if placed:
            between.append(bottom + OVER)
        placed.append(row.moved(MARGIN - left, top - min(tops)))
        bottom = top + max(bottoms) - min(tops)
    boxes = {box.cell.key: box for row in placed for box in row.boxes}
    home = {box.cell.key: i for i, row in enumerate(placed) for box in row.boxes}
    turns = [
        _turn(road, boxes, between[home[road.link.source]], picture)
        for road in whole.roads
        if home[road.link.source] != home[road.link.target]
    ]
    return Scene(
        tuple(box for row in placed for box in row.boxes),
        (*(road for row in placed for road in row.roads), *turns),
        tuple(label for row in placed for label in row.labels),
        tuple(rule for row in placed for rule in row.rules),
    )


def _turn(road: Road, boxes: dict[str, Box], level: float, picture: Picture) -> Road:
    """Lay a road from the end of one row back to the start of the next."""
    a, b = boxes[road.link.source], boxes[road.link.target]
    right, left = a.x + a.width, b.x
    from_y, to_y = a.y + axis(picture), b.y + axis(picture)
    half = abs(road.forward[0][1] - road.back[-1][1]) / 2 if road.forward and road.back else 0.0
    forward = _lane(right, left, from_y, to_y, level, half, LANE if half else 0.0)
    back = _lane(right, left, from_y, to_y, level, -half, -LANE)[::-1] if road.back else None
    label = None
    if road.label is not None:
        x = right + TURN - LANE - RADIUS
        label = Label(x, level - LANE - 13, road.link.local, road.link.cls, "end")
    return replace(road, forward=forward, back=back, label=label)


def _lane(
    right: float, left: float, from_y: float, to_y: float, level: float, half: float, lane: float
) -> tuple[tuple[float, float], ...]:
    """Return one lane of a turning road, on its left-hand side if positive."""
    out, into = right + TURN + lane, left - TURN + lane
    corners = [
        (right, from_y - half),
        (out, from_y - half),
        (out, level + lane),
        (into, level + lane),
        (into, to_y - half),
        (left, to_y - half),
    ]
    return rounded(corners, RADIUS)
