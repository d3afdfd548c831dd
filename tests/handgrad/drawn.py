"""Read a drawing back: what is where, measured with the fonts' own widths."""

import html
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from fontTools.ttLib import TTFont

from handgrad.graph.graph import Array, Constant, Edge, Graph, Node, Spec

SIZES = {"t": 16, "v": 17, "g": 17, "k": 15, "n": 14, "a": 14, "c": 13}
FACES = {
    "roman": ("fontpkg_source_serif_4", "SourceSerif4[opsz,wght].ttf", {"opsz": 16, "wght": 400}),
    "strong": ("fontpkg_source_serif_4", "SourceSerif4[opsz,wght].ttf", {"opsz": 16, "wght": 600}),
    "italic": (
        "fontpkg_source_serif_4",
        "SourceSerif4-Italic[opsz,wght].ttf",
        {"opsz": 16, "wght": 400},
    ),
    "code": ("fontpkg_source_code_pro", "SourceCodePro[wght].ttf", {"wght": 400}),
}
SCALAR = Spec(shape=(), dtype="float64")


@cache
def advances(face: str) -> dict[int, float]:
    """Return the width of every character that a face has, in units of the font size."""
    package, name, place = FACES[face]
    home = Path(find_spec(package).origin).parent
    file = next(home.rglob(name.replace("[", "[[]")))
    with TTFont(file, lazy=True) as font:
        unit, glyphs = font["head"].unitsPerEm, font.getGlyphSet(location=place)
        return {code: glyphs[glyph].width / unit for code, glyph in font.getBestCmap().items()}


def face(cls: str) -> str:
    if cls[0] == "c":
        return "code"
    if cls[0] in "tn" or "none" in cls.split():
        return "italic"
    return "strong" if cls[0] == "v" else "roman"


def real_width(words: str, cls: str) -> float:
    """Return the length of a text; characters that the face lacks are one em wide."""
    known = advances(face(cls))
    return SIZES[cls[0]] * sum(known.get(ord(letter), 1.0) for letter in words)


@dataclass(frozen=True)
class Words:
    text: str
    cls: str
    rect: tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """What an SVG shows, in its own units."""

    width: float
    height: float
    boxes: list[tuple[float, float, float, float]]
    words: list[Words]
    forward: list[list[tuple[float, float]]]
    back: list[list[tuple[float, float]]]
    title: str
    description: str


def read(svg: str) -> Picture:
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
    _, _, width, height = map(float, root.get("viewBox").split())
    boxes, words, forward, back = [], [], [], []
    for element in root.iter():
        cls = (element.get("class") or "").split()
        if element.tag == "rect":
            x, y, w, h = (float(element.get(k)) for k in ("x", "y", "width", "height"))
            boxes.append((x, y, x + w, y + h))
        elif element.tag == "g":
            turned = re.match(r"rotate\(-90 (\S+) (\S+)\)", element.get("transform") or "")
            words += [_words(e, turned) for e in element if e.tag == "text"]
        elif element.tag == "path" and not {"tip", "head", "dots"} & set(cls):
            if "fwd" in cls:
                forward.append(points(element.get("d")))
            if "back" in cls:
                back.append(points(element.get("d")))
    words += [_words(e, None) for e in root if e.tag == "text"]
    return Picture(
        width, height, boxes, words, forward, back, root.findtext("title"), root.findtext("desc")
    )


def _words(element, turned) -> Words:
    cls, text = element.get("class"), "".join(element.itertext())
    size, long = SIZES[cls[0]], real_width(text, cls)
    x, base = float(element.get("x")), float(element.get("y"))
    left = x - {None: long / 2, "start": 0.0, "end": long}[element.get("text-anchor")]
    tall, deep = (0.67, 0.0) if re.fullmatch(r"[0-9.−∞ ×e=]*", text) else (0.74, 0.2)
    rect = (left, base - tall * size, left + long, base + deep * size)
    if turned:
        cx, cy = map(float, turned.groups())
        left, top, right, bottom = rect
        rect = (cx + (top - cy), cy - (right - cx), cx + (bottom - cy), cy - (left - cx))
    return Words(text, cls, rect)


def points(d: str) -> list[tuple[float, float]]:
    """Return points along a path of M, L and C commands, about two pixels apart."""
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", d)]
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    if "C" not in d:
        return [
            (ax + (bx - ax) * t / 40, ay + (by - ay) * t / 40)
            for (ax, ay), (bx, by) in pairwise(corners)
            for t in range(41)
        ]
    found = [corners[0]]
    for i in range(0, len(corners) - 1, 3):
        a, b, c, e = corners[i : i + 4]
        for n in range(1, 41):
            t, s = n / 40, 1 - n / 40
            w = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
            found.append(
                tuple(sum(k * p[axis] for k, p in zip(w, (a, b, c, e), strict=True))
                      for axis in (0, 1))
            )  # fmt: skip
    return found


def overlap(one, other, room: float = 0.0) -> bool:
    return (
        one[0] < other[2] - room
        and other[0] < one[2] - room
        and one[1] < other[3] - room
        and other[1] < one[3] - room
    )


def inside(inner, outer, margin: float = 0.0) -> bool:
    return (
        inner[0] >= outer[0] + margin
        and inner[1] >= outer[1] + margin
        and inner[2] <= outer[2] - margin
        and inner[3] <= outer[3] - margin
    )


def faults(svg: str) -> list[str]:
    """Return everything that is clipped, overlaps, or ends in the air."""
    shown = read(svg)
    sheet = (0.0, 0.0, shown.width, shown.height)
    found = [f"box off the sheet: {b}" for b in shown.boxes if not inside(b, sheet)]
    found += [f"text off the sheet: {w}" for w in shown.words if not inside(w.rect, sheet, -0.5)]
    for i, box in enumerate(shown.boxes):
        found += [f"boxes touch: {box} {b}" for b in shown.boxes[i + 1 :] if overlap(box, b, -4)]
    for i, words in enumerate(shown.words):
        homes = [box for box in shown.boxes if overlap(words.rect, box)]
        if homes and not (len(homes) == 1 and inside(words.rect, homes[0], 2)):
            found.append(f"text over a box's edge: {words} {homes}")
        found += [f"texts overlap: {words} {w}" for w in shown.words[i + 1 :]
                  if overlap(words.rect, w.rect)]  # fmt: skip
    for lane in (*shown.forward, *shown.back):
        found += _lane_faults(lane, shown)
    return found


def plot_faults(svg: str) -> list[str]:
    """Return every word that is off the sheet, or touches another word or a stroke of data."""
    shown = read(svg)
    sheet = (0.0, 0.0, shown.width, shown.height)
    found = [f"text off the sheet: {w}" for w in shown.words if not inside(w.rect, sheet, -0.5)]
    for i, words in enumerate(shown.words):
        found += [f"texts overlap: {words} {w}" for w in shown.words[i + 1 :]
                  if overlap(words.rect, w.rect)]  # fmt: skip
        found += [
            f"a stroke at {lane[0]} goes through {words}"
            for lane in (*shown.forward, *shown.back)
            if any(within(point, words.rect) for point in lane)
        ]
    for lane in (*shown.forward, *shown.back):
        found += [f"a stroke leaves the sheet at {p}" for p in lane if not inside((*p, *p), sheet)]
    return found


def fields(svg: str) -> list:
    """Return, for each plot of a sheet, a function from its numbers to the sheet."""
    return [_field(json.loads(html.unescape(m))) for m in re.findall(r'data-plot="([^"]*)"', svg)]


def _field(facts):
    (x1, x2), (y1, y2) = facts["x"], facts["y"]
    return lambda x, y: (
        facts["left"] + facts["width"] * (x - x1) / (x2 - x1),
        facts["top"] + facts["height"] * (1 - (y - y1) / (y2 - y1)),
    )


def strokes(svg: str, cls: str) -> list[list[tuple[float, float]]]:
    """Return the broken lines of a class, as points."""
    paths = re.findall(rf'class="{cls}" d="M([^"Z]*)"', svg)
    return [[tuple(map(float, p.split())) for p in path.split("L")] for path in paths]


def texts(svg: str) -> list[str]:
    """Return all words of a sheet."""
    return [html.unescape(re.sub("<[^>]*>", "", t)) for t in re.findall(r"<text.*?</text>", svg)]


def spots(svg: str, cls: str = "spot fw") -> list[tuple[float, float]]:
    """Return the middles of the points of a class."""
    found = re.findall(rf'<circle class="{cls}" cx="([-\d.]+)" cy="([-\d.]+)"', svg)
    return [(float(x), float(y)) for x, y in found]


def _lane_faults(lane, shown: Picture) -> list[str]:
    found = []
    x1, y1 = min(p[0] for p in lane), min(p[1] for p in lane)
    x2, y2 = max(p[0] for p in lane), max(p[1] for p in lane)
    around = (x1, y1, x2, y2)
    found += [
        f"lane {lane[0]}-{lane[-1]} through text {words}"
        for words in shown.words
        if overlap(around, words.rect, -1) and any(within(point, words.rect) for point in lane)
    ]
    found += [
        f"lane {lane[0]}-{lane[-1]} through box {box}"
        for box in shown.boxes
        if any(within(point, box, 3) for point in lane)
    ]
    for x, y in (lane[0], lane[-1]):
        near = min(_to_edge(x, y, box) for box in shown.boxes)
        if near > 8.1:  # a heavy line ends at its head's base, 8 before the edge
            found.append(f"lane ends in the air, {near:.1f} from a box: {(x, y)}")
    return found


def _to_edge(x: float, y: float, box) -> float:
    left, top, right, bottom = box
    outside = max(left - x, x - right, top - y, y - bottom, 0.0)
    return outside or min(x - left, right - x, y - top, bottom - y)


def within(point, rect, margin: float = 0.0) -> bool:
    left, top, right, bottom = rect
    return left + margin < point[0] < right - margin and top + margin < point[1] < bottom - margin


def scalar(value: float | None) -> Array | None:
    return None if value is None else Array(shape=(), dtype="float64", data=(value,))


@dataclass(frozen=True)
class Op:
    """One operation for ``graph_of``: its inputs are places in the list before it, or names."""

    op: str
    inputs: tuple[int | str, ...] = ()
    name: str | None = None
    value: float | None = 0.5


def graph_of(*ops: Op, slope: float = 0.25) -> Graph:
    """Build a graph from operations, inputs first; an operation without inputs is a leaf."""
    last = len(ops) - 1
    reach = {last}
    for place in range(last, -1, -1):
        if place in reach:
            reach |= {i for i in ops[place].inputs if isinstance(i, int)}
    order = sorted(reach, reverse=True)
    key = {place: number for number, place in enumerate(order)}
    return Graph([_node(ops[place], key[place], key, slope) for place in order])


def _node(op: Op, key: int, keys: dict[int, int], slope: float) -> Node:
    edges = []
    for slot, source in enumerate(op.inputs):
        if isinstance(source, int):
            edges.append(Edge(slot=slot, source=keys[source], local=scalar(slope)))
        else:
            kind = "frozen" if source else "unknown"
            constant = Constant(kind=kind, name=source or None, value=scalar(1.5))
            edges.append(Edge(slot=slot, source=None, constant=constant))
    return Node(
        key=key,
        op=op.op if op.inputs else "AccumulateGrad",
        recorded=f"{op.op}Backward0",
        kind="operation" if op.inputs else "leaf",
        name=op.name,
        outputs=(SCALAR,),
        values=(scalar(op.value),),
        gradients=(scalar(-op.value if op.value is not None else None),),
        edges=tuple(edges),
    )


NEURON = graph_of(
    Op("", name="w", value=0.7),
    Op("", name="b", value=-0.2),
    Op("Mul", (0, "x"), "u", 1.05),
    Op("Add", (2, 1), "z", 0.85),
    Op("Sigmoid", (3,), "p", 0.7006),
    Op("Sub", (4, "y"), "e", -0.2994),
    Op("Pow", (5,), "L", 0.0897),
)
"""The book's neuron: two trained leaves, two constants, five operations."""
