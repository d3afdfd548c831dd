"""Give every box of a picture its place, and lay the roads between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from handgrad.drawing.ink import Curve
from handgrad.drawing.layout import measure as size
from handgrad.drawing.layout.labels import bracketed, end_labels, label_roads
from handgrad.drawing.layout.layers import Plan, arrange
from handgrad.drawing.layout.measure import NOTE, PAD, Measure, Trunk
from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.layout.ports import Joint, across, joints
from handgrad.drawing.layout.routes import Knot, knots, lane
from handgrad.drawing.layout.scene import Box, Label, Road, Scene, touch
from handgrad.drawing.picture import Cell, Link, Picture

MORE = 24.0  # room given to a layer where words found no place
MOST_CROWDED = 12  # roads without a place for words, beyond which more room does not help


@dataclass(frozen=True, slots=True)
class Frame:
    """Where layers start and end, and the plan they belong to."""

    plan: Plan
    met: Sequence[Joint]
    start: Mapping[str, float]
    end: Mapping[str, float]
    drop: float


def compose(picture: Picture, measure: Measure, widest: float) -> Scene | None:
    """Return the picture with every place decided, or None if it is wider than allowed."""
    trunk = size.split_teeth(picture, hang=measure.hang)
    drop = max([measure.drop, *(_drop(link, measure) for _, link in trunk.teeth.values())])
    extents = {key: _extent(key, picture, trunk, measure, drop) for key in trunk.keys}
    pairs = [(link.source, link.target) for link in trunk.links]
    half = passing(measure)
    plan = arrange(
        trunk.keys,
        pairs,
        extents,
        (-half, half),
        measure.apart,
        measure.cap,
        [] if measure.room else size.spine(trunk, picture),
        measure.room,
        None if measure.labelled else size.MANY,
    )
    if not measure.flat and _width(plan, extents, half) > widest:
        return None
    met = joints(picture, trunk, plan, measure)
    extra = dict.fromkeys(trunk.keys, 0.0)  # room for words before a box's layer
    fewest = MOST_CROWDED
    while True:
        start, end = _levels(picture, trunk, plan, met, measure, extra)
        scene = _build(picture, trunk, measure, Frame(plan, met, start, end, drop))
        crowded = {trunk.links[i].target for i in scene.unlabelled if i < len(trunk.links)}
        if not crowded or len(scene.unlabelled) >= fewest:
            return scene if measure.flat else bracketed(scene, picture, measure)
        fewest = len(scene.unlabelled)
        for key in crowded:
            extra[key] += MORE


def _width(plan: Plan, extents: Mapping[str, tuple[float, float]], half: float) -> float:
    """Return how wide the layers are together, before anything is drawn."""
    reach = [(at, extents.get(key, (-half, half))) for key, at in plan.place.items()]
    return max(at + high for at, (_, high) in reach) - min(at + low for at, (low, _) in reach)


def passing(measure: Measure) -> float:
    """Return the half width of a road that passes through a layer."""
    return min(measure.half, 8.0) if measure.labelled else 4.0


def _drop(link: Link, measure: Measure) -> float:
    return width(link.local, "k") + 8 if not measure.flat and measure.labelled else 0.0


def _extent(
    key: str, picture: Picture, trunk: Trunk, measure: Measure, drop: float
) -> tuple[float, float]:
    """Return how far a box reaches across, with its words and what hangs on it."""
    cell, long = picture.cell(key), across(key, picture, trunk, measure)
    if not measure.flat:
        tooth = drop + measure.box if key in trunk.teeth else 0.0
        return (-long / 2, long / 2 + tooth)
    top = -size.axis(picture) - (long - size.height(picture)) / 2
    bottom = top + long
    if key in trunk.teeth:
        bottom += drop + size.height(picture) + NOTE
    elif cell.note:
        bottom += NOTE
    return (top - (NOTE + 4 if size.op_above(cell, picture, flat=True) else 0.0), bottom)


def _levels(
    picture: Picture,
    trunk: Trunk,
    plan: Plan,
    met: Sequence[Joint],
    measure: Measure,
    extra: Mapping[str, float],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return where each station starts and ends in the direction of the forward pass."""
    start: dict[str, float] = {}
    end: dict[str, float] = {}
    boxes, at = frozenset(trunk.keys), 0.0
    deep = measure.box if measure.flat else size.height(picture)
    for row in plan.layers:
        noted = not (measure.flat or trunk.straight) and any(
            picture.cell(key).note or (key in trunk.teeth and trunk.teeth[key][0].note)
            for key in row
            if key in boxes
        )
        at += max(extra.get(key, 0.0) for key in row)
        zone = NOTE if noted else 0.0
        for key in row:
            start[key] = at + (zone if key in boxes else 0.0)
            end[key] = at + zone + deep
        at += zone + deep + _gap(frozenset(row), trunk, plan, met, measure)
    return start, end


def _gap(
    row: frozenset[str], trunk: Trunk, plan: Plan, met: Sequence[Joint], measure: Measure
) -> float:
    """Return the room after a layer: enough for the words on its roads, more for bends."""
    longest, bent = 0.0, False
    for link, way, (leave, enter) in zip(trunk.links, plan.ways, met, strict=True):
        for i, (a, b) in enumerate(pairwise(way.stations)):
            if a not in row:
                continue
            last = i == len(way.stations) - 2
            turn = plan.place[b] - plan.place[a] + last * enter.offset - (i == 0) * leave.offset
            bent |= abs(turn) > 1
            longest = max(longest, width(link.local, link.cls) + (8 if link.cls == "k" else 7))
    room = max(measure.gap, longest) if measure.flat and measure.labelled else measure.gap
    return room + (measure.bend if bent else 0.0)


def _build(picture: Picture, trunk: Trunk, measure: Measure, frame: Frame) -> Scene:
    """Return boxes, roads and words of one attempt."""
    boxes: dict[str, Box] = {}
    for key in trunk.keys:
        boxes[key] = _box(key, picture, trunk, measure, frame)
        if key in trunk.teeth:
            tooth = trunk.teeth[key][0]
            boxes[tooth.key] = _tooth(tooth, boxes[key], picture, measure, frame.drop)
    lines: list[Road] = []
    half = passing(measure)
    for link, way, (leave, enter) in zip(trunk.links, frame.plan.ways, frame.met, strict=True):
        stops = knots(way.stations, frame.plan.place, frame.start, frame.end, leave, enter, half)
        lines.append(_road(link, stops, picture, flat=measure.flat))
    for key, (tooth, link) in trunk.teeth.items():
        lines.append(_hanging(link, boxes[tooth.key], boxes[key], picture, measure))
    labels = [label for box in boxes.values() for label in _captions(box, picture, measure)]
    labels = _uncrowded(labels, measure, spine=trunk.straight)
    first = trunk.keys[0]
    beside = not measure.flat and first in trunk.teeth
    labels += end_labels(boxes[first], picture, left=beside)
    shown = (
        lines if measure.labelled else [replace(r, link=replace(r.link, local="")) for r in lines]
    )
    roads, missing = label_roads(shown, list(boxes.values()), labels, measure.room)
    return Scene(tuple(boxes.values()), roads, tuple(labels), unlabelled=tuple(missing))


def _box(key: str, picture: Picture, trunk: Trunk, measure: Measure, frame: Frame) -> Box:
    cell, long = picture.cell(key), across(key, picture, trunk, measure)
    high = size.height(picture)
    place, start = frame.plan.place[key], frame.start[key]
    if measure.flat:
        x, y, wide, tall = start, place - size.axis(picture) - (long - high) / 2, measure.box, long
    else:
        x, y, wide, tall = place - long / 2, start, long, high
    title, op = size.fitted_row(cell, picture, wide - 2 * PAD, flat=measure.flat)
    return Box(cell, x, y, wide, tall, title, op)


def _tooth(cell: Cell, box: Box, picture: Picture, measure: Measure, drop: float) -> Box:
    title, op = size.fitted_row(cell, picture, measure.box - 2 * PAD, flat=measure.flat)
    high = size.height(picture)
    if measure.flat:
        x, y = box.middle - measure.box / 2, box.y + box.height + drop
    else:
        x, y = box.x + box.width + drop, box.y
    return Box(cell, x, y, measure.box, high, title, op)


def _road(link: Link, stops: Sequence[Knot], picture: Picture, *, flat: bool) -> Road:
    """Lay the lanes of a road; one without a way back keeps the value row, or the axis."""
    single = not link.trained or picture.show == "values" or picture.view == "values"
    side = -1 if flat and picture.show == "all" else 0
    forward = lane(stops, side if single else -1, flat=flat, reverse=False)
    back = lane(stops, 1, flat=flat, reverse=True) if link.back else None
    return Road(link, forward, back)


def _hanging(link: Link, tooth: Box, box: Box, picture: Picture, measure: Measure) -> Road:
    """Lay the road of an input that hangs on its operation."""
    down = not measure.flat
    if measure.flat:
        at, start, end, half = (
            box.middle,
            -tooth.y,
            -(box.y + box.height),
            size.half(picture, flat=False),
        )
    else:
        at, start, end, half = (
            tooth.y + size.axis(picture),
            -tooth.x,
            -(box.x + box.width),
            size.half(picture, flat=True),
        )
    stops = [Knot(start, at, half), Knot(end, at, half)]
    road = _road(link, stops, picture, flat=down)
    return replace(
        road,
        forward=_flip(road.forward, measure.flat) if road.forward else None,
        back=_flip(road.back, measure.flat) if road.back else None,
    )


def _flip(curve: Curve, upside: bool) -> Curve:
    """Mirror a lane that was laid against the direction of the forward pass."""
    return tuple((x, -y) if upside else (-x, y) for x, y in curve)


def _captions(box: Box, picture: Picture, measure: Measure) -> list[Label]:
    """Return the recorded name over a box and the word under (or over) a leaf."""
    found: list[Label] = []
    op = size.op_above(box.cell, picture, flat=measure.flat)
    if op:
        found.append(Label(box.middle, box.y - 13, op, "c"))
    if box.cell.note:
        y = box.y + box.height + 15 if measure.flat else box.y - 12
        found.append(Label(box.middle, y, box.cell.note, "n"))
    return found


def _uncrowded(labels: Sequence[Label], measure: Measure, *, spine: bool) -> list[Label]:
    """Return the words around boxes, recorded names cut where something may be in their way.

    Over a spine that is another name; elsewhere also the roads that bend beside the boxes.
    """
    room = measure.box + (measure.gap - 10 if spine else 8)
    kept: list[Label] = []
    for label in labels:
        near = (touch(label.rect, other.rect, 6) for other in labels if other is not label)
        free = label.cls != "c" or (spine and not any(near))
        kept.append(label if free else replace(label, words=fit(label.words, "c", room)))
    return kept
