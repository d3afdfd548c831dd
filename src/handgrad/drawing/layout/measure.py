"""The choices a drawing is made with, and what they make of one box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.picture import Cell, Link, Picture

HEIGHTS = (36.0, 58.0, 84.0)  # of a box with no, one, two rows under its title
AXES = (18.0, 41.0, 53.5)  # from the top of a box to the middle between its lanes
ROW_LINES = (17.0, 41.0, 66.0)  # of title, value and gradient, from the top
NOTE = 20.0  # room for a line over or under a box
PAD = 6.0  # from a box's edge to its words
CROWD = (13.0, 15.0)  # least room for each of many roads at a box: flat, down
MANY = 4  # roads of one box that are told apart even where space is scarce
ROUND = 14.0  # how far from a leaf's corner a road may end without a gap to its edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The choices of one drawing; ``flat`` ones run from left to right, others down.

    Attributes:
        box: Width of every box.
        gap: Between two layers whose roads are straight.
        bend: The same where a road bends.
        drop: Between a box and the input that hangs on it.
        apart: Between two boxes of a layer, and between a road and its neighbours.
        half: From a road's axis to each of its lanes.
        hang: Whether inputs used once hang on the box they enter.
        labelled: Whether edges carry their local derivatives.
        packed: Whether layers are kept narrow, at the price of more of them.
        room: To keep within across.
    """

    flat: bool
    box: float
    gap: float
    bend: float
    drop: float
    apart: tuple[float, float]
    half: float
    hang: bool = True
    labelled: bool = True
    packed: bool = False
    room: float | None = None


@dataclass(frozen=True, slots=True)
class Trunk:
    """A picture without the inputs that hang on the operation they enter.

    Attributes:
        keys: The boxes, each consumer before what it consumes.
        links: The edges between them.
        teeth: What hangs, by the box it hangs on.
        leaving: The places in ``links`` of the edges that leave a box.
        entering: The same of those that enter it.
    """

    keys: tuple[str, ...]
    links: tuple[Link, ...]
    teeth: Mapping[str, tuple[Cell, Link]]
    leaving: Mapping[str, Sequence[int]] = field(init=False)
    entering: Mapping[str, Sequence[int]] = field(init=False)

    def __post_init__(self) -> None:
        leaving: dict[str, list[int]] = {key: [] for key in self.keys}
        entering: dict[str, list[int]] = {key: [] for key in self.keys}
        for index, link in enumerate(self.links):
            leaving[link.source].append(index)
            entering[link.target].append(index)
        object.__setattr__(self, "leaving", leaving)
        object.__setattr__(self, "entering", entering)

    @property
    def straight(self) -> bool:
        """Whether nothing is left but one path: the spine."""
        ends = (*self.leaving.values(), *self.entering.values())
        return all(len(links) <= 1 for links in ends)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Source and target of each edge."""
        return [(link.source, link.target) for link in self.links]


def split_teeth(picture: Picture, *, hang: bool) -> Trunk:
    """Take the inputs that are used once, and beside another input, off the picture.

    Of an operation's inputs one stays at least, a trainable one if there is
    one, so that the path from the parameter to the loss is the spine.
    """
    entering: dict[str, list[Link]] = {cell.key: [] for cell in picture.cells}
    leaving: dict[str, int] = {}
    for link in picture.links:
        entering[link.target].append(link)
        leaving[link.source] = leaving.get(link.source, 0) + 1
    cells = picture.by_key
    teeth: dict[str, tuple[Cell, Link]] = {}
    for key, links in entering.items() if hang else ():
        free = [n for n in links if not entering[n.source] and leaving[n.source] == 1]
        if len(free) == len(links):
            stay = next((n for n in free if cells[n.source].kind == "leaf"), free[0] if free else 0)
            free = [n for n in free if n is not stay]
        if free:
            teeth[key] = (cells[free[0].source], free[0])
    gone = {cell.key for cell, _ in teeth.values()}
    links = tuple(link for link in picture.links if link.source not in gone)
    if picture.view == "values":  # an operation has one name, however many roads lead to it
        named: dict[str, Link] = {}
        for link in links:
            named.setdefault(link.target, link)
        links = tuple(n if named[n.target] is n else replace(n, local="") for n in links)
        teeth = {key: (cell, replace(link, local="")) for key, (cell, link) in teeth.items()}
    return Trunk(tuple(cell.key for cell in picture.cells if cell.key not in gone), links, teeth)


def spine(trunk: Trunk, picture: Picture) -> list[int]:
    """Return the links of the longest path from a trainable leaf to the loss."""
    cells, entering = picture.by_key, trunk.entering
    long: dict[str, tuple[int, int | None]] = {}  # steps to the farthest leaf; first link there
    for key in _inputs_first(trunk):
        reached = [
            (long[trunk.links[i].source][0] + 1, i)
            for i in entering[key]
            if long[trunk.links[i].source][0] >= 0
        ]
        best = max(reached, key=lambda pair: (pair[0], -pair[1]), default=None)
        long[key] = best or (0 if cells[key].kind != "frozen" else -1, None)
    path: list[int] = []
    step = long[trunk.keys[0]][1]
    while step is not None:
        path.append(step)
        step = long[trunk.links[step].source][1]
    return path


def _inputs_first(trunk: Trunk) -> tuple[str, ...]:
    """Return the keys so that every input comes before what it enters."""
    constants = [key for key in trunk.keys if "." in key]
    return (*constants, *(key for key in reversed(trunk.keys) if "." not in key))


def box_width(picture: Picture, least: float, most: float, *, flat: bool) -> float:
    """Return the width all boxes share: no row is cut, and titles only beyond ``most``."""
    rows = [width(words, cls) for cell in picture.cells for words, cls in cell.rows]
    names = [title_width(cell, picture, flat=flat) for cell in picture.cells]
    return max(least, max(rows, default=0.0) + 2 * PAD, min(max(names) + 2 * PAD, most))


def title_width(cell: Cell, picture: Picture, *, flat: bool) -> float:
    """Return how long the first row of a box is, uncut."""
    title, op = first_row(cell, picture, flat=flat)
    return width(title, "t") + width(op, "c") + (7.0 if title and op else 0.0)


def first_row(cell: Cell, picture: Picture, *, flat: bool) -> tuple[str, str]:
    """Return title and recorded name in a box's first row.

    The recorded name stands over the box if the box has a title and runs flat;
    it is left out where the title is a formula, which says the same.
    """
    if picture.view == "values" or not cell.op:
        return cell.title, ""
    if not cell.title:
        return "", cell.op
    return cell.title, "" if flat or "=" in cell.title else cell.op


def op_above(cell: Cell, picture: Picture, *, flat: bool) -> str:
    """Return the recorded name if it stands over the box."""
    return cell.op if flat and cell.title and picture.view == "recorded" else ""


def fitted_row(cell: Cell, picture: Picture, room: float, *, flat: bool) -> tuple[str, str]:
    """Return title and recorded name as they fit; the name goes before the title is cut."""
    title, op = first_row(cell, picture, flat=flat)
    if title and op and width(title, "t") + 7 + width(op, "c") > room:
        op = ""
    return fit(title, "t", room) if title else "", fit(op, "c", room) if op else ""


def height(picture: Picture) -> float:
    """Return the height of an ordinary box."""
    return HEIGHTS[picture.rows]


def axis(picture: Picture) -> float:
    """Return the distance from a box's top to the axis of a flat road."""
    if picture.show == "structure":
        return HEIGHTS[picture.rows] / 2
    return AXES[picture.rows]


def half(picture: Picture, *, flat: bool) -> float:
    """Return the distance from a road's axis to its lanes."""
    if not flat:
        return 11.0
    return 12.5 if picture.show != "structure" else 7.0 + 3.0 * picture.rows


def passing(measure: Measure) -> float:
    """Return the half width of a road that passes through a layer."""
    return min(measure.half, 8.0) if measure.labelled else 4.0
