"""A figure with every place decided: boxes, roads and words, still without ink."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from handgrad.drawing.ink import Curve, Point
from handgrad.drawing.layout.metrics import SIZES, width
from handgrad.drawing.picture import Cell, Link

Rect = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Label:
    """Words at a point; ``turned`` words run upwards around it, ``names`` in them are italic."""

    x: float
    y: float
    words: str
    cls: str
    anchor: str = "middle"
    turned: bool = False
    names: tuple[str, ...] = ()

    @property
    def rect(self) -> Rect:
        """The room the words take at most."""
        long = width(self.words, self.cls)
        high, low = heights(self.cls)
        if self.turned:
            return (self.x - high, self.y - long / 2, self.x + low, self.y + long / 2)
        left = self.x - {"start": 0.0, "middle": long / 2, "end": long}[self.anchor]
        return (left, self.y - high, left + long, self.y + low)


@dataclass(frozen=True, slots=True)
class Box:
    """One node at its place."""

    cell: Cell
    x: float
    y: float
    width: float
    height: float
    title: str
    op: str = ""

    @property
    def rect(self) -> Rect:
        """Left, top, right and bottom."""
        return (self.x, self.y, self.x + self.width, self.y + self.height)

    @property
    def middle(self) -> float:
        """Half way between left and right."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Road:
    """A link with its two lanes; each lane ends where its arrow points."""

    link: Link
    forward: Curve | None
    back: Curve | None
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a drawing shows, and how large it is."""

    boxes: tuple[Box, ...]
    roads: tuple[Road, ...]
    labels: tuple[Label, ...]
    rules: tuple[tuple[Point, ...], ...] = ()
    width: float = 0.0
    height: float = 0.0
    unlabelled: tuple[int, ...] = ()  # roads that found no place for their words

    def rects(self) -> Iterator[Rect]:
        """All the room that is taken."""
        yield from (box.rect for box in self.boxes)
        yield from (label.rect for label in self.labels)
        yield from (road.label.rect for road in self.roads if road.label is not None)
        for points in (*self.rules, *(lane for road in self.roads for lane in lanes(road))):
            xs, ys = zip(*points, strict=True)
            yield (min(xs), min(ys), max(xs), max(ys))

    def settled(self, widest: float, *, left: bool = False) -> "Scene":
        """Return the scene moved into a sheet: 1 from its left edge, or in its middle."""
        lefts, tops, rights, bottoms = zip(*self.rects(), strict=True)
        wide = max(rights) - min(lefts) + 2
        dx = 1 - min(lefts) + (0.0 if left else max(0.0, (widest - wide) / 2))
        dy = 1 - min(tops)
        moved = self.moved(dx, dy)
        return replace(moved, width=max(wide, widest), height=ceil(max(bottoms) - min(tops) + 2))

    def moved(self, dx: float, dy: float) -> "Scene":
        """Return the scene somewhere else."""

        def go(points: tuple[Point, ...]) -> tuple[Point, ...]:
            return tuple((x + dx, y + dy) for x, y in points)

        def word(label: Label) -> Label:
            return replace(label, x=label.x + dx, y=label.y + dy)

        return replace(
            self,
            boxes=tuple(replace(box, x=box.x + dx, y=box.y + dy) for box in self.boxes),
            roads=tuple(
                replace(
                    road,
                    forward=go(road.forward) if road.forward else None,
                    back=go(road.back) if road.back else None,
                    label=word(road.label) if road.label else None,
                )
                for road in self.roads
            ),
            labels=tuple(map(word, self.labels)),
            rules=tuple(map(go, self.rules)),
        )


def heights(cls: str) -> tuple[float, float]:
    """Return how far words reach over and under their line: accents and descenders."""
    size = SIZES[cls[0]]
    return 0.47 * size, 0.56 * size


def lanes(road: Road) -> tuple[Curve, ...]:
    """Return the lanes that a road has."""
    return tuple(lane for lane in (road.forward, road.back) if lane)


def samples(curve: Curve, apart: float = 4.0) -> list[Point]:
    """Return points along a curve, about so far apart where it bends."""
    if len(curve) == 2:
        return list(curve)
    points = [curve[0]]
    for i in range(0, len(curve) - 1, 3):
        a, b, c, d = curve[i : i + 4]
        if b == c:  # a straight piece
            points.append(d)
            continue
        steps = max(2, ceil((abs(d[0] - a[0]) + abs(d[1] - a[1])) / apart))
        points += [bezier(a, b, c, d, n / steps) for n in range(1, steps + 1)]
    return points


def bezier(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    """Return the point of a cubic at ``t`` between 0 and 1."""
    s = 1 - t
    wa, wb, wc, wd = s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t
    return (
        wa * a[0] + wb * b[0] + wc * c[0] + wd * d[0],
        wa * a[1] + wb * b[1] + wc * c[1] + wd * d[1],
    )


def touch(one: Rect, other: Rect, room: float = 0.0) -> bool:
    """Tell whether two rectangles come nearer to each other than ``room``."""
    return (
        one[0] - room < other[2]
        and other[0] - room < one[2]
        and one[1] - room < other[3]
        and other[1] - room < one[3]
    )
