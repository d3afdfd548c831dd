"""Which port of its boxes each road gets."""

from collections.abc import Mapping, Sequence

from handgrad.draw import measure as size
from handgrad.draw.layers import Plan
from handgrad.draw.measure import Measure, Trunk
from handgrad.draw.picture import Picture
from handgrad.draw.roads import Port, Side, share

Joint = tuple[Port, Port]  # where a road leaves its source, where it enters its target


def joints(picture: Picture, trunk: Trunk, plan: Plan, measure: Measure) -> list[Joint]:
    """Return both ports of every road of the trunk.

    The roads at one side of a box stand in the order in which they come, so
    that none crosses another right at the box.
    """
    leaving: dict[str, list[int]] = {}
    entering: dict[str, list[int]] = {}
    for index, link in enumerate(trunk.links):
        leaving.setdefault(link.source, []).append(index)
        entering.setdefault(link.target, []).append(index)
    out: dict[int, Port] = {}
    into: dict[int, Port] = {}
    for found, ends, step in ((out, leaving, 1), (into, entering, -2)):
        for key, indices in ends.items():
            near = {i: plan.place[plan.ways[i].stations[step]] for i in indices}
            order = sorted(indices, key=lambda i: (near[i], i))
            leans = [near[i] - plan.place[key] for i in order]
            side = _side(key, picture, trunk, measure)
            found.update(zip(order, share(side, leans), strict=True))
    for key, indices in leaving.items():
        _parallel(key, indices, entering, trunk, out, into)
    return [(out[i], into[i]) for i in range(len(trunk.links))]


def across(key: str, picture: Picture, trunk: Trunk, measure: Measure) -> float:
    """Return the length of the sides of a box where roads come and go."""
    least = size.height(picture) if measure.flat else measure.box
    came = sum(link.target == key for link in trunk.links)
    went = sum(link.source == key for link in trunk.links)
    return max(least, max(came, went) * size.CROWD[0 if measure.flat else 1] + 2 * size.ROUND)


def _side(key: str, picture: Picture, trunk: Trunk, measure: Measure) -> Side:
    long = across(key, picture, trunk, measure)
    corner = size.ROUND if picture.cell(key).kind in ("leaf", "frozen") else 5.0
    centre = size.height(picture) / 2 - size.axis(picture) if measure.flat else 0.0
    words = 20.0 if measure.flat and picture.show == "all" and measure.labelled else 7.0
    beside = 0.0 if measure.flat or corner > 5 else long / 2 - 14
    return Side(long - 2 * corner, centre, measure.half, words, beside if beside >= 28 else 0.0)


def _parallel(
    key: str,
    indices: Sequence[int],
    entering: Mapping[str, list[int]],
    trunk: Trunk,
    out: dict[int, Port],
    into: dict[int, Port],
) -> None:
    """Let roads that alone join the same two boxes run straight (changes ``into``, ``out``)."""
    targets = {trunk.links[i].target for i in indices}
    if len(targets) == 1 and len(indices) > 1 and entering[targets.pop()] == list(indices):
        for i in indices:
            narrow = min(out[i], into[i], key=lambda port: abs(port.offset))
            half = min(out[i].half, into[i].half)
            out[i] = into[i] = Port(narrow.offset, half)
