"""The pen: text, arrows, roads and the sheet, as strings of SVG.

Every shape is placed from a box's edge or a line of centres, never by eye.
Colours come from classes only; the classes live under ``.hg`` so that a style
sheet inside one figure touches nothing else on the page.
"""

import re
from collections.abc import Sequence
from html import escape
from math import hypot

from handgrad.drawing.layout.metrics import SIZES
from handgrad.drawing.style import STYLE

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD, HALF = 8.0, 4.0  # arrowhead: length, half its width
Point = tuple[float, float]
Curve = tuple[Point, ...]  # a start, then three control points for each cubic; two points: a line


MANY = 20  # points of a line that stands for a curve


def num(value: float) -> str:
    """Write a coordinate: at most two decimals, no trailing zeros.

    Example:
        >>> num(12.0), num(3.14159), num(-0.0)
        ('12', '3.14', '0')
    """
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def plain(words: str, *, quote: bool = False) -> str:
    """Escape words for SVG; what XML cannot hold becomes the replacement character.

    Example:
        >>> plain("a < b" + chr(0))
        'a &lt; b\ufffd'
    """
    return escape(_FORBIDDEN.sub("\ufffd", words), quote=quote)


def text(
    x: float, y: float, words: str, cls: str, anchor: str = "middle", names: Sequence[str] = ()
) -> str:
    """Write words centred on the line ``y``: figures and capitals are 0.66 em high.

    ``names`` that stand in the words as words of their own are italic.
    """
    base = y + 0.33 * SIZES[cls[0]]
    place = f' x="{num(x)}" y="{num(base)}"'
    end = "" if anchor == "middle" else f' text-anchor="{anchor}"'  # a sheet's words are centred
    said = _slanted(plain(words), names) if names else plain(words)
    return f'<text class="{cls}"{place}{end}>{said}</text>'


def _slanted(words: str, names: Sequence[str]) -> str:
    any_name = "|".join(re.escape(plain(name)) for name in names if name)
    return re.sub(rf"(?<![\w&])(?:{any_name})(?![\w;])", r'<tspan class="it">\g<0></tspan>', words)


def upright(x: float, y: float, words: str, cls: str) -> str:
    """Write words that run upwards, centred on the point."""
    return f'<g transform="rotate(-90 {num(x)} {num(y)})">{text(x, y, words, cls)}</g>'


def line(points: Sequence[Point], cls: str) -> str:
    """Draw a broken line through points; of many, each to a tenth of a pixel."""
    if len(points) > MANY:
        points = [(round(x, 1), round(y, 1)) for x, y in points]
    return f'<path class="{cls}" d="{_path(points[0], points[1:], curved=False)}"/>'


def arrow(curve: Curve, cls: str) -> str:
    """Draw one lane along a curve whose last stretch runs along an axis.

    The tip is exactly the last point. A ``back`` lane is heavy and has a filled
    head, at whose base the line ends; any other lane has an open head.
    """
    (px, py), (x, y) = curve[-2], curve[-1]
    dx, dy = _sign(x - px), _sign(y - py)
    if dx and dy:  # a slanting end: point along the longer of the two
        dx, dy = (dx, 0) if abs(x - px) > abs(y - py) else (0, dy)
    bx, by = x - dx * HEAD, y - dy * HEAD
    base = (bx - dy * HALF, by - dx * HALF)
    there = (dx * HEAD + dy * HALF, dy * HEAD + dx * HALF)
    back = (dy * HALF - dx * HEAD, dx * HALF - dy * HEAD)
    sides = f"M{_at(base)}l{_at(there)} {_at(back)}"  # one shape for all: a page packs better
    curved = len(curve) > 2
    if cls.startswith("back"):
        run = _path(curve[0], (*curve[1:-1], (bx, by)), curved=curved)
        return f'<path class="{cls}" d="{run}"/><path class="{cls} head" d="{sides}Z"/>'
    run = _path(curve[0], curve[1:], curved=curved)
    return f'<path class="{cls}" d="{run}"/><path class="{cls} tip" d="{sides}"/>'


def pointer(tail: Point, tip: Point, cls: str, head: float = HEAD) -> str:
    """Draw a straight arrow in any direction, its head filled; the tip is exactly ``tip``.

    One that is shorter than its head is drawn as a line alone.
    """
    dx, dy = tip[0] - tail[0], tip[1] - tail[1]
    long = hypot(dx, dy)
    if long <= head:
        return line((tail, tip), cls)
    dx, dy = dx / long, dy / long
    base = (tip[0] - dx * head, tip[1] - dy * head)
    half = head * HALF / HEAD
    left = (base[0] - dy * half, base[1] + dx * half)
    right = (base[0] + dy * half, base[1] - dx * half)
    return line((tail, base), cls) + (
        f'<path class="{cls} head" d="M{_at(left)}L{_at(tip)}L{_at(right)}Z"/>'
    )


def spot(point: Point, cls: str, radius: float) -> str:
    """Draw a point of a plot; a filled one keeps lines a little away from its edge."""
    place = f'cx="{num(point[0])}" cy="{num(point[1])}"'
    under = f'<circle class="under" data-decor="" {place} r="{num(radius + 1)}"/>'
    filled = "open" not in cls.split()
    shown = radius - 1 if filled else radius
    return f'{under * filled}<circle class="spot {cls}" {place} r="{num(shown)}"/>'


def sheet(kind: str, width: float, height: float, title: str, words: str, body: str) -> str:
    """Return one accessible drawing that needs nothing from outside.

    It carries no ``id``: its name and description are its own ``<title>`` and
    ``<desc>``, so any number of figures, even equal ones, share a page.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hg {kind}" role="img" '
        f'viewBox="0 0 {num(width)} {num(height)}" text-anchor="middle" '
        f'aria-label="{plain(title, quote=True)}">'
        f"<title>{plain(title)}</title><desc>{plain(words)}</desc>"
        f"{STYLE}{body}</svg>"
    )


def _path(start: Point, rest: Sequence[Point], *, curved: bool) -> str:
    if not curved:
        return f"M{_at(start)}" + "".join(f"L{_at(p)}" for p in rest)
    return f"M{_at(start)}" + "".join(
        f"C{_at(rest[i])} {_at(rest[i + 1])} {_at(rest[i + 2])}" for i in range(0, len(rest), 3)
    )


def _at(point: Point) -> str:
    return f"{num(point[0])} {num(point[1])}"


def _sign(value: float) -> int:
    return (value > 1e-9) - (value < -1e-9)
