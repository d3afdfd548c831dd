"""Draw a graph twice from the same data: wide for a page, upright for a phone."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from handgrad.drawing.ink import arrow, line, num, sheet, text, upright
from handgrad.drawing.layout import measure as size
from handgrad.drawing.layout.layers import assign
from handgrad.drawing.layout.measure import ROW_LINES, Measure, Trunk, box_width
from handgrad.drawing.layout.metrics import width
from handgrad.drawing.layout.place import Sketch, compose
from handgrad.drawing.layout.rows import in_rows
from handgrad.drawing.layout.scene import Box, Label, Road, Scene
from handgrad.drawing.picture import Picture
from handgrad.errors import GraphTooLargeError

FULL, COLUMN, PHONE = 892, 620, 342  # widths of the page, its text column, and a phone's
MOST_ROADS = 8  # on one side of a box, beyond which words beside them cannot be told apart
MOST_ABREAST = 5  # boxes over one another in a drawing that runs from left to right
Choice = tuple[float, float, Measure]  # least and most width of a box, and the distances
Pictures = Callable[[bool], Picture]  # with or without named constants merged


def wide(pictures: Pictures, title: str, words: str) -> str:
    """Return the drawing for a page: from left to right if that fits, else downwards."""
    return inked(wide_scene(pictures), title, words)


def tall(pictures: Pictures, title: str, words: str) -> str:
    """Return the drawing for a phone: downwards, as few boxes in a row as it takes."""
    return inked(tall_scene(pictures), title, words)


def wide_scene(pictures: Pictures, first: Sequence[Choice] = ()) -> Scene:
    """Return the boxes and edges of the drawing for a page; what is ``first`` is tried first."""
    scene = _best(chain(first, _wide_choices()), pictures, FULL)
    # it starts at the text's edge, as its caption does
    return scene.settled(COLUMN if scene.width <= COLUMN else FULL, left=True)


def tall_scene(pictures: Pictures, first: Sequence[Choice] = ()) -> Scene:
    """Return the boxes and edges of the drawing for a phone; what is ``first`` is tried first."""
    return _best(chain(first, _tall_choices()), pictures, PHONE).settled(PHONE)


def _flat(least: float, most: float) -> Choice:
    return (
        least,
        most,
        Measure(flat=True, box=86, gap=62, bend=30, drop=52, apart=(34, 16), half=12.5),
    )


def _down(
    least: float, most: float, *, hang: bool = False, labelled: bool = True, **more: Any
) -> Choice:
    plain: dict[str, Any] = {"apart": (24.0, 10.0) if labelled else (16.0, 5.0), "drop": 74.0}
    return least, most, Measure(flat=False, box=86, gap=46, bend=24, half=11, hang=hang,
                                labelled=labelled, **(plain | more))  # fmt: skip


def _wide_choices() -> Iterator[Choice]:
    """Yield the ways to draw on a page, the best first."""
    room = FULL - 4
    yield _flat(86, 150)
    for packed, hang in ((False, True), (False, False), (True, False), (True, True)):
        yield _down(108, 150, hang=hang, room=room, packed=packed, apart=(40.0, 16.0))
    yield from _bare(room)


def _tall_choices() -> Iterator[Choice]:
    """Yield the ways to draw on a phone, the best first."""
    room = PHONE - 4
    yield _down(108, 124, hang=True, room=room)
    yield _down(86, 104, hang=True, drop=62, room=room)
    yield _down(86, 90, room=room)
    yield _down(86, 90, hang=True, drop=62, room=room, packed=True)
    yield _down(86, 90, room=room, packed=True)
    yield from _bare(room)


def _bare(room: float) -> Iterator[Choice]:
    """Yield the ways to draw many roads: close together, numbers left to the table."""
    for narrow in (False, True):
        yield _down(86, 90, labelled=False, room=room, packed=narrow)


def _best(choices: Iterator[Choice], pictures: Pictures, room: float) -> Scene:
    """Return the first way that fits with all words, else the first that fits without."""
    spare: Scene | None = None
    sketches: dict[bool, Sketch] = {}
    for least, most, choice in choices:
        hang = choice.hang
        sketch = sketches.setdefault(hang, Sketch(pictures(not hang), hang=hang))
        picture, trunk = sketch.picture, sketch.trunk
        box = box_width(picture, least, most, flat=choice.flat)
        measure = replace(choice, box=box, half=size.half(picture, flat=choice.flat))
        if choice.labelled and _crowd(trunk) > MOST_ROADS:
            continue
        if choice.flat and not _fits(picture, trunk, measure, room):
            continue
        scene = compose(sketch, measure, room)
        if scene is not None and choice.flat:
            scene = in_rows(scene, picture, measure, room, most=None if trunk.straight else 1)
        scene = scene.settled(0) if scene is not None else None
        if scene is None or scene.width > room:
            continue
        if not scene.unlabelled:
            return scene
        spare = spare or scene
    if spare is None:
        msg = (
            f"Cannot draw this graph {room} pixels wide: too many of its values are in use at "
            "the same time to stand side by side. Draw a part of it, or trace it with names "
            "from a module so that its blocks can be folded."
        )
        raise GraphTooLargeError(msg)
    return spare


def _crowd(trunk: Trunk) -> int:
    """Count the roads on the busiest side of a box."""
    return max(map(len, (*trunk.leaving.values(), *trunk.entering.values())))


def _fits(picture: Picture, trunk: Trunk, measure: Measure, room: float) -> bool:
    """Tell at once whether a flat drawing can fit: a spine in rows, other graphs in one."""
    if trunk.straight:
        return True
    levels = Counter(assign(trunk.keys, trunk.pairs).values())
    end = 10 + width("gradient", "n") if picture.rows == 2 else 0
    long = len(levels) * measure.box + (len(levels) - 1) * measure.gap + end + 1
    return long <= room and max(levels.values()) <= MOST_ABREAST


def inked(scene: Scene, title: str, words: str, shown: str | None = None) -> str:
    """Return a scene as a drawing, or what else is ``shown`` in its place.

    Its width says for which of the three sheets it is.
    """
    kinds = {FULL: "dag wide-only full", COLUMN: "dag wide-only column"}
    kind = kinds.get(int(scene.width), "dag tall-only tall")
    return sheet(kind, scene.width, scene.height, title, words,
                 body(scene) if shown is None else shown)  # fmt: skip


def body(scene: Scene) -> str:
    """Return what a scene shows, without its sheet."""
    parts = [_road(road) for road in scene.roads]
    parts += [drawn_box(box) for box in scene.boxes]
    parts += [line(points, "rule") for points in scene.rules]
    parts += [drawn_label(label) for label in scene.labels]
    return "".join(parts)


def _road(road: Road) -> str:
    parts: list[str] = []
    if road.forward:
        parts.append(arrow(road.forward, "fwd" if road.link.trained else "fwd dashed"))
    if road.back:
        parts.append(arrow(road.back, "back"))
    if road.label:
        parts.append(drawn_label(road.label))
    link = road.link
    return f'<g data-edge="{link.target}.{link.slot}">{"".join(parts)}</g>'


def drawn_label(label: Label) -> str:
    """Return words at their place."""
    if label.turned:
        return upright(label.x, label.y, label.words, label.cls)
    return text(label.x, label.y, label.words, label.cls, label.anchor)


def drawn_box(box: Box) -> str:
    """Return a box with its title and its rows."""
    cell = box.cell
    cls = "node" + {"leaf": " leaf", "frozen": " leaf frozen"}.get(cell.kind, "")
    cls += " now" if cell.now else ""
    radius = (20.0 if cell.rows else 12.0) if cell.round else 5.0
    top = box.y + (box.height - size.HEIGHTS[len(cell.rows)]) / 2
    parts = [
        f'<rect class="{cls}" x="{num(box.x)}" y="{num(box.y)}" width="{num(box.width)}" '
        f'height="{num(box.height)}" rx="{num(radius)}"/>',
        *_heading(box, top + (ROW_LINES[0] if cell.rows else size.HEIGHTS[0] / 2)),
    ]
    for (words, style), at in zip(cell.rows, ROW_LINES[1:], strict=False):
        if words:
            parts.append(text(box.middle, top + at, words, style))
    return f'<g data-node="{cell.key}">{"".join(parts)}</g>'


def _heading(box: Box, y: float) -> Sequence[str]:
    """Write title and recorded name side by side, together in the middle."""
    if not (box.title and box.op):
        words, cls = (box.title, "t") if box.title else (box.op, "c")
        return [text(box.middle, y, words, cls)] if words else []
    long = width(box.title, "t"), width(box.op, "c")
    left = box.middle - (sum(long) + 7) / 2
    return [
        text(left, y, box.title, "t", "start"),
        text(left + sum(long) + 7, y, box.op, "c", "end"),
    ]
