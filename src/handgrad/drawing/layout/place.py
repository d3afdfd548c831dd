"""Give every box of a picture its place, and lay the roads between them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from handgrad.drawing.ink import Curve
from handgrad.drawing.layout import measure as size
from handgrad.drawing.layout.labels import bracketed, end_labels, label_roads
from handgrad.drawing.layout.layers import Layering, assign, layered, packed, with_rows
from handgrad.drawing.layout.measure import NOTE, PAD, Measure, Trunk
from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.layout.places import Room, places
from handgrad.drawing.layout.ports import Joint, across, joints
from handgrad.drawing.layout.routes import Knot, knots, lane
from handgrad.drawing.layout.scene import Box, Label, Road, Scene, touch
from handgrad.drawing.picture import Cell, Link, Picture

CROWD = 5  # edges beside one another that leave no room for words beside them
ROUNDS = 4  # of giving words a place of their own, where they found none
MOST_ROWS = 2  # of words between two layers, beyond which a drawing is too long to read
WORDS = 17.0  # room for a row of words between two layers
SLIM = 16.0  # from such a row to what stands over or under it
BESIDE = 9.0  # from a lane to the words on its right


@dataclass(frozen=True, slots=True)
class Frame:
    """Where everything of one attempt stands: across, and where layers start and end.

    ``kept`` are the edges whose words stand beside a vertex that keeps room for them.
    """

    layering: Layering
    place: Sequence[float]
    met: Sequence[Joint]
    start: Sequence[float]
    end: Sequence[float]
    drop: float
    kept: Mapping[int, int]


class Sketch:
    """A picture with the inputs that may hang taken off, and its layers, found once each."""

    def __init__(self, picture: Picture, *, hang: bool) -> None:
        """Take the inputs that hang off the picture, if they are to hang."""
        self.picture = picture
        self.trunk = size.split_teeth(picture, hang=hang)
        self.spine = size.spine(self.trunk, picture)
        self._layerings: dict[tuple[tuple[int, ...], bool], Layering] = {}

    def layering(self, measure: Measure, reach: Sequence[tuple[float, float]]) -> Layering:
        """Return the layers for one drawing."""
        trunk, bundled = self.trunk, not measure.labelled
        if measure.packed and measure.room is not None:
            boxes, edges = measure.apart
            wide = {
                key: high - low + boxes for key, (low, high) in zip(trunk.keys, reach, strict=True)
            }
            through = 2 * size.passing(measure) + edges
            layer = packed(
                trunk.keys, trunk.pairs, wide, through, measure.room + boxes, bundled=bundled
            )
        else:
            layer = assign(trunk.keys, trunk.pairs)
        wanted = (tuple(layer[key] for key in trunk.keys), bundled)
        if wanted not in self._layerings:
            bundle = size.MANY if bundled else None
            self._layerings[wanted] = layered(trunk.keys, trunk.pairs, layer, self.spine, bundle)
        return self._layerings[wanted]


def compose(sketch: Sketch, measure: Measure, widest: float) -> Scene | None:
    """Return the picture with every place decided, or None if it is wider than allowed.

    Words look for a free place beside their edge. Those that find none get one
    of their own, in a layer that their edge passes or in a row between two.
    """
    picture, trunk = sketch.picture, sketch.trunk
    drop = max([measure.drop, *(_drop(link, measure) for _, link in trunk.teeth.values())])
    half = size.passing(measure)
    extents = [_extent(key, picture, trunk, measure, drop) for key in trunk.keys]
    layering = sketch.layering(measure, extents)
    room = Room(
        reach=extents + [(-half, half)] * (len(layering.above) - len(extents)),
        boxes=measure.apart[0],
        edges=measure.apart[1],
        within=measure.room,
    )
    kept: dict[int, int] = {}
    if not measure.flat and room.least(layering) > widest:
        return None
    if not measure.flat and measure.labelled:
        crowded = _crowded(layering, trunk)
        reserved = _with_words(crowded, layering, kept, trunk, room, half, _ranks(layering))
        if reserved is None:
            return None
        layering, kept = reserved
    offsets: list[tuple[float, float]] | None = None
    scene: Scene | None = None
    for _ in range(ROUNDS):
        reach = extents + [(-half, half)] * (len(layering.above) - len(extents))
        for vertex, index in kept.items():
            reach[vertex] = (-half, half + BESIDE + _words(trunk.links[index]))
        room = replace(room, reach=reach)
        if not measure.flat and room.least(layering) > widest:
            break
        place = places(layering, room, _straight(sketch.spine, layering, offsets), offsets)
        met = joints(picture, trunk, layering, place, measure)
        offsets = [(leave.offset, enter.offset) for leave, enter in met]
        start, end = _levels(picture, trunk, layering, place, met, measure)
        frame = Frame(layering, place, met, start, end, drop, kept)
        scene = _build(picture, trunk, measure, frame)
        missing = [index for index in scene.unlabelled if index < len(trunk.links)]
        if not missing or measure.flat:
            break
        middles = _middles(layering, place, offsets)
        reserved = _with_words(missing, layering, kept, trunk, room, half, middles)
        if reserved is None:
            break
        layering, kept = reserved
    if scene is None or measure.flat:
        return scene
    return bracketed(scene, picture, measure)


def _crowded(layering: Layering, trunk: Trunk) -> list[int]:
    """Return the edges between neighbouring layers that many others run beside."""
    home = {vertex: i for i, row in enumerate(layering.layers) for vertex in row}
    running = Counter[int]()
    for chain in layering.chains:
        running.update(range(home[chain[0]], home[chain[-1]]))
    return [
        index
        for index, (link, chain) in enumerate(zip(trunk.links, layering.chains, strict=True))
        if link.local and max(len(chain) - 2, running[home[chain[0]]] - CROWD + 1) > 0
    ]


def _ranks(layering: Layering) -> list[dict[int, float]]:
    """Return for each layer the order of the edges after it, before anything has a place."""
    rank = [0.0] * len(layering.above)
    for row in layering.layers:
        for at, vertex in enumerate(row):
            rank[vertex] = at / len(row)
    return _middles(layering, rank, [(0.0, 0.0)] * len(layering.chains))


def _straight(
    spine: Sequence[int], layering: Layering, offsets: Sequence[tuple[float, float]] | None
) -> dict[int, float]:
    """Return the vertices of the spine, and how far from its line its edges pass."""
    found: dict[int, float] = {}
    for edge in spine:
        chain = layering.chains[edge]
        found |= dict.fromkeys(chain[1:-1], sum(offsets[edge]) / 2 if offsets else 0.0)
        found |= {chain[0]: 0.0, chain[-1]: 0.0}
    return found


def _words(link: Link) -> float:
    return width(link.local, link.cls)


def _with_words(
    missing: Sequence[int],
    layering: Layering,
    known: Mapping[int, int],
    trunk: Trunk,
    room: Room,
    half: float,
    middles: Sequence[Mapping[int, float]],
) -> tuple[Layering, dict[int, int]] | None:
    """Return layers in which these edges have a place for their words, and these places.

    None if they would need more rows than a drawing is readable with.

    An edge that passes a layer with room enough keeps its words there. For the
    others there are rows of words between their last layer but one and their target.
    """
    kept = dict(known)
    home = {vertex: i for i, row in enumerate(layering.layers) for vertex in row}
    widest = room.within if room.within is not None else inf
    used = [room.width(row, layering.boxes) for row in layering.layers]
    beside: dict[int, list[int]] = {}  # edges whose words stand in a gap, by the layer before it
    for index in missing:
        chain = layering.chains[index]
        needed = BESIDE + _words(trunk.links[index])
        middle = (home[chain[0]] + home[chain[-1]]) / 2
        free = [v for v in chain[1:-1] if v not in kept and used[home[v]] + needed <= widest]
        if free:
            vertex = min(free, key=lambda v: abs(home[v] - middle))
            kept[vertex] = index
            used[home[vertex]] += needed
        else:
            beside.setdefault(home[chain[-1]] - 1, []).append(index)
    words: list[list[int]] = []  # the edges whose words stand in each of the new rows
    count: dict[int, int] = {}
    for gap in sorted(beside):
        free = widest - len(middles[gap]) * (2 * half + room.edges)
        rows = _rows_of_words(beside[gap], trunk, free)
        if len(rows) > MOST_ROWS:
            return None
        count[gap] = len(rows)
        words += rows
    layering, added = with_rows(layering, count, middles)
    for row, edges in zip(added, words, strict=True):
        kept |= {row[edge]: edge for edge in edges}
    return layering, kept


def _middles(
    layering: Layering, place: Sequence[float], offsets: Sequence[tuple[float, float]]
) -> list[dict[int, float]]:
    """Return for each layer where the edges after it stand, half way to the next layer."""
    home = {vertex: i for i, row in enumerate(layering.layers) for vertex in row}
    middles: list[dict[int, float]] = [{} for _ in layering.layers]
    for index, (chain, (leave, enter)) in enumerate(zip(layering.chains, offsets, strict=True)):
        at = [place[vertex] for vertex in chain]
        at[0] += leave
        at[-1] += enter
        for layer, (a, b) in enumerate(pairwise(at), home[chain[0]]):
            middles[layer][index] = (a + b) / 2
    return middles


def _rows_of_words(indices: Sequence[int], trunk: Trunk, free: float) -> list[list[int]]:
    """Share edges among rows in each of which there is so much room for words."""
    rows: list[list[int]] = []
    left: list[float] = []
    for index in indices:
        needed = BESIDE + _words(trunk.links[index])
        row = next((i for i, room in enumerate(left) if needed <= room), None)
        if row is None:
            row = len(rows)
            rows.append([])
            left.append(free)
        rows[row].append(index)
        left[row] -= needed
    return rows


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
    layering: Layering,
    place: Sequence[float],
    met: Sequence[Joint],
    measure: Measure,
) -> tuple[list[float], list[float]]:
    """Return where each vertex starts and ends in the direction of the forward pass."""
    start = [0.0] * len(place)
    end = [0.0] * len(place)
    at, boxes = 0.0, layering.boxes
    gaps = _gaps(trunk, layering, place, met, measure)
    for row, gap in zip(layering.layers, gaps, strict=True):
        keys = [trunk.keys[vertex] for vertex in row if vertex < boxes]
        noted = not (measure.flat or trunk.straight) and any(
            picture.cell(key).note or (key in trunk.teeth and trunk.teeth[key][0].note)
            for key in keys
        )
        zone = NOTE if noted else 0.0
        deep = WORDS if not keys else measure.box if measure.flat else size.height(picture)
        for vertex in row:
            start[vertex] = at + (zone if vertex < boxes else 0.0)
            end[vertex] = at + zone + deep
        at += zone + deep + gap
    return start, end


def _gaps(
    trunk: Trunk,
    layering: Layering,
    place: Sequence[float],
    met: Sequence[Joint],
    measure: Measure,
) -> list[float]:
    """Return the room after each layer: enough for the words on its edges, more for bends."""
    home = {vertex: i for i, row in enumerate(layering.layers) for vertex in row}
    longest = [0.0] * len(layering.layers)
    bent = [False] * len(layering.layers)
    for link, chain, (leave, enter) in zip(trunk.links, layering.chains, met, strict=True):
        long = width(link.local, link.cls) + (8 if link.cls == "k" else 7)
        first, last = home[chain[0]], home[chain[-1]] - 1
        for layer, (a, b) in enumerate(pairwise(chain), first):
            turn = place[b] - place[a]
            turn += (layer == last) * enter.offset - (layer == first) * leave.offset
            bent[layer] |= abs(turn) > 1
            longest[layer] = max(longest[layer], long)
    slim = [all(vertex >= layering.boxes for vertex in row) for row in layering.layers] + [False]
    wide = measure.flat and measure.labelled
    gaps: list[float] = []
    for i, (long, bends) in enumerate(zip(longest, bent, strict=True)):
        gap = SLIM if slim[i] or slim[i + 1] else max(measure.gap, long) if wide else measure.gap
        gaps.append(gap + (measure.bend if bends else 0.0))
    return gaps


def _build(picture: Picture, trunk: Trunk, measure: Measure, frame: Frame) -> Scene:
    """Return boxes, roads and words of one attempt."""
    boxes: dict[str, Box] = {}
    for vertex, key in enumerate(trunk.keys):
        boxes[key] = _box(vertex, picture, trunk, measure, frame)
        if key in trunk.teeth:
            tooth = trunk.teeth[key][0]
            boxes[tooth.key] = _tooth(tooth, boxes[key], picture, measure, frame.drop)
    lines: list[Road] = []
    half = size.passing(measure)
    chains = frame.layering.chains
    for link, chain, (leave, enter) in zip(trunk.links, chains, frame.met, strict=True):
        stops = knots(chain, frame.place, frame.start, frame.end, leave, enter, half)
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
    fixed = {
        index: Label(
            frame.place[vertex] + half + BESIDE,
            (frame.start[vertex] + frame.end[vertex]) / 2,
            trunk.links[index].local,
            trunk.links[index].cls,
            "start",
        )
        for vertex, index in frame.kept.items()
    }
    roads, missing = label_roads(shown, list(boxes.values()), labels, fixed, measure.room)
    return Scene(tuple(boxes.values()), roads, tuple(labels), unlabelled=tuple(missing))


def _box(vertex: int, picture: Picture, trunk: Trunk, measure: Measure, frame: Frame) -> Box:
    key = trunk.keys[vertex]
    cell, long = picture.cell(key), across(key, picture, trunk, measure)
    high = size.height(picture)
    place, start = frame.place[vertex], frame.start[vertex]
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
