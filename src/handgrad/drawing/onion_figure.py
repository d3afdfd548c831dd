"""Draw an onion: rings with the ladder of running products, or the sum over paths."""

from collections.abc import Mapping, Sequence
from math import sqrt

from handgrad.drawing.graph_figure import COLUMN, FULL, PHONE
from handgrad.drawing.ink import line, num, sheet, text
from handgrad.drawing.layout.metrics import fit
from handgrad.drawing.steps import Ring, Step, arrival, layer_steps, path_steps, rings, span
from handgrad.errors import GraphTooLargeError
from handgrad.graph.graph import Graph
from handgrad.peeling.onion import Onion

CORE, STEP, LIFT = 32.0, 36.0, 6.0  # radius of the core, more per ring, rise per ring
PITCH, ROOM, LEADER = 66.0, 264.0, 72.0  # from row to row, of a bar, from the rings to the rows
MOST_RINGS, MOST_STEPS = 5, 60
DASHES = ("", "9 3", "3 3", "14 3 3 3", "6 2 2 2")


def wide(onion: Onion, titles: Mapping[str, str], graph: Graph | None, title: str,
         words: str) -> str:  # fmt: skip
    """Return the drawing for a page: rings at the left, the ladder level with them."""
    found, steps = _content(onion, titles, graph)
    if not found:
        body, height = _ladder(steps, onion, 1.0, 36.0, COLUMN - 2, signed=not onion.layers)
        return sheet("onion wide-only column", COLUMN, height, title, words, body)
    first = CORE + STEP * len(found)
    x, floor = 2 * first + LEADER, 2 * first + LEADER
    width = COLUMN if x + ROOM <= COLUMN else FULL
    body, marks = _rings(found, onion.wrt, first + 1, floor, STEP)
    heights = [marks[0][0] - 70, *(y for y, _, _ in marks[:-1])]
    for y, cy, r in marks:
        rim = first + 1 + sqrt(r * r - (y - cy) ** 2)
        body += f'<circle class="dot" cx="{num(rim)}" cy="{num(y)}" r="2.5"/>'
        body += line([(rim, y), (x - 12, y)], "rule")
    unit = span(steps, signed=False)
    for i, (y, step) in enumerate(zip(heights, steps, strict=True)):
        body += _row(i, x, y, ROOM, width - x, step, unit)
    body += _end(x, marks[-1][0], onion, width - x)
    kind = "onion wide-only " + ("column" if width == COLUMN else "full")
    return sheet(kind, width, floor + 2, title, words, body)


def tall(onion: Onion, titles: Mapping[str, str], graph: Graph | None, title: str,
         words: str) -> str:  # fmt: skip
    """Return the drawing for a phone: rings above, the ladder under them."""
    found, steps = _content(onion, titles, graph)
    body, top = "", 36.0
    if found:
        step = min(STEP, (PHONE / 2 - 1 - CORE) / len(found))
        first = CORE + step * len(found)
        body, _ = _rings(found, onion.wrt, PHONE / 2, 2 * first + 1, step)
        top = 2 * first + 52
    rows, height = _ladder(steps, onion, 1.0, top, PHONE - 2, signed=not onion.layers)
    return sheet("onion tall-only tall", PHONE, height, title, words, body + rows)


def _content(
    onion: Onion, titles: Mapping[str, str], graph: Graph | None
) -> tuple[list[Ring], list[Step]]:
    """Return the rings, if they are few enough to be drawn, and the steps of the ladder."""
    parts = onion.groups or onion.layers
    if len(parts) > MOST_STEPS:
        msg = (
            f"Cannot draw an onion of {len(parts)} layers: at most {MOST_STEPS} can be read. Take "
            'layers together, as in peel(graph, "w", groups={"loss": [...], "neuron": [...]}).'
        )
        raise GraphTooLargeError(msg)
    steps = layer_steps(onion, titles) if parts else path_steps(onion, titles, graph)
    return (rings(onion, titles) if len(parts) <= MOST_RINGS else []), steps


def _rings(
    found: Sequence[Ring], core: str, cx: float, floor: float, step: float
) -> tuple[str, list[tuple[float, float, float]]]:
    """Return the rings, and for each and the core: label height, centre, radius."""
    radii = [CORE + step * (len(found) - i) for i in range(len(found) + 1)]
    centres = [floor - i * LIFT - r for i, r in enumerate(radii)]
    parts: list[str] = []
    marks: list[tuple[float, float, float]] = []
    for i, (r, cy) in enumerate(zip(radii, centres, strict=True)):
        inner = i == len(found)
        cls = "ring core" if inner else "ring"
        ring = f'<circle class="{cls}" cx="{num(cx)}" cy="{num(cy)}" r="{num(r)}"/>'
        y = cy if inner else (cy - r + centres[i + 1] - radii[i + 1]) / 2
        if inner:
            parts.append(ring + text(cx, y, fit(core, "t", 2 * r - 8), "t"))
        else:
            chord = 2 * sqrt(max(0.0, r * r - (abs(y - 17 - cy)) ** 2)) - 10
            ring += text(cx, y - 10, fit(found[i].name, "n", chord), "n")
            ring += text(cx, y + 10, found[i].local, "k")
            parts.append(f'<g data-layer="{i}">{ring}</g>')
        marks.append((y, cy, r))
    return "".join(parts), marks


def _ladder(
    steps: Sequence[Step], onion: Onion, x: float, top: float, room: float, *, signed: bool
) -> tuple[str, float]:
    """Return all rows under one another, and where they end."""
    unit = span(steps, signed=signed)
    bars = min(room, 400.0)
    parts = [_row(i, x, top + PITCH * i, bars, room, step, unit) for i, step in enumerate(steps)]
    if unit[0] < 0:
        zero = x + bars * -unit[0] / (unit[1] - unit[0])
        ends = (top + 8, top + PITCH * (len(steps) - 1) + 22)
        parts.insert(0, line([(zero, ends[0]), (zero, ends[1])], "rule"))
    last = top + PITCH * (len(steps) - 1) + 46
    parts.append(_end(x, last, onion, room))
    return "".join(parts), last + 14


def _end(x: float, y: float, onion: Onion, room: float) -> str:
    """Return the last line: what arrives at the core."""
    words = text(x, y, fit(arrival(onion), "k", room), "k bk", "start")
    return f'<g data-end="">{words}</g>'


def _row(
    i: int, x: float, y: float, bars: float, room: float, step: Step, unit: tuple[float, float]
) -> str:
    """Return two lines and a bar, whose length is the amount on the unit's scale."""
    said = text(x, y - 21, fit(step.head, "n", room), "n", "start")
    said += text(x, y, fit(step.sum, "k", room), "k", "start")
    if step.amount is None:
        return f'<g data-row="{i}">{said}</g>'
    low, high = unit
    start, end = step.amount
    if low == 0.0 and start == 0.0:
        end = abs(end)
    scale = bars / (high - low)
    left = x + scale * (min(start, end) - low)
    long = scale * abs(end - start)
    dash = DASHES[step.dash % len(DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    bar = f'<path class="amount" d="M{num(left)} {num(y + 15)}h{num(long)}"{dashed}/>'
    return f'<g data-row="{i}">{said}{bar}</g>'
