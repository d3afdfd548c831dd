"""Assign every edge its ports: where it leaves its source and enters its target."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from handgrad.drawing.layout import measure as size
from handgrad.drawing.layout.layers import Layering
from handgrad.drawing.layout.measure import Measure, Trunk
from handgrad.drawing.layout.routes import Port, Side, share
from handgrad.drawing.picture import Picture

Joint = tuple[Port, Port]  # where a road leaves its source, where it enters its target


def joints(
    picture: Picture, trunk: Trunk, layering: Layering, place: Sequence[float], measure: Measure
) -> list[Joint]:
    """Return both ports of every road of the trunk.

    The roads at one side of a box stand in the order in which they come, so
    that none crosses another right at the box.
    """
    leaving, entering = trunk.leaving, trunk.entering
    chains = layering.chains
    slim = {v for row in layering.layers if min(row) >= layering.boxes for v in row}

    def words_only(chain: Sequence[int]) -> bool:
        return all(vertex in slim for vertex in chain[1:-1])

    out: dict[int, Port] = {}
    into: dict[int, Port] = {}
    for found, ends, at, step in ((out, leaving, 0, 1), (into, entering, -1, -2)):
        for key, indices in ends.items():
            if not indices:
                continue
            next_stop = {i: chains[i][step] for i in indices}
            order = sorted(indices, key=lambda i: (place[next_stop[i]], i))
            merged = not measure.labelled and len(order) > size.MANY
            bundles = [order] if merged else _bundles(order, next_stop, layering.boxes)
            here = place[chains[indices[0]][at]]
            leans = [place[next_stop[same[0]]] - here for same in bundles]
            side = _side(key, picture, trunk, measure)
            for same, port in zip(bundles, share(side, leans), strict=True):
                found.update(dict.fromkeys(same, port))
    for i, link in enumerate(trunk.links):
        stops = chains[i]
        if words_only(stops) and abs(place[stops[0]] - place[stops[-1]]) < 1:
            alone = len(leaving[link.source]) == 1, len(entering[link.target]) == 1
            if alone == (True, False) and _holds(link.source, into[i], picture, measure):
                out[i] = into[i]
            elif alone == (False, True) and _holds(link.target, out[i], picture, measure):
                into[i] = out[i]
    for indices in leaving.values():
        _parallel(indices, entering, trunk, out, into)
    for i, chain in enumerate(chains):
        if len(chain) > 2 and words_only(chain):  # as narrow at its ends as beside its words
            out[i], into[i] = (
                replace(port, half=min(port.half, size.passing(measure)))
                for port in (out[i], into[i])
            )
    return [(out[i], into[i]) for i in range(len(trunk.links))]


def _bundles(order: Sequence[int], stops: Mapping[int, int], boxes: int) -> list[list[int]]:
    """Take roads together that pass the next layer as one: they share a port."""
    same = groupby(order, key=lambda i: (stops[i] >= boxes, stops[i] if stops[i] >= boxes else i))
    return [list(roads) for _, roads in same]


def across(key: str, picture: Picture, trunk: Trunk, measure: Measure) -> float:
    """Return the length of the sides of a box where roads come and go."""
    least = size.height(picture) if measure.flat else measure.box
    came, went = len(trunk.entering[key]), len(trunk.leaving[key])
    if not measure.labelled:
        came, went = (1 if n > size.MANY else n for n in (came, went))
    return max(least, max(came, went) * size.CROWD[0 if measure.flat else 1] + 2 * size.ROUND)


def _side(key: str, picture: Picture, trunk: Trunk, measure: Measure) -> Side:
    long = across(key, picture, trunk, measure)
    corner = size.ROUND if picture.cell(key).round else 5.0
    centre = size.height(picture) / 2 - size.axis(picture) if measure.flat else 0.0
    words = 20.0 if measure.flat and picture.show == "all" and measure.labelled else 7.0
    beside = 0.0 if measure.flat or corner > 5 else long / 2 - 14
    return Side(long - 2 * corner, centre, measure.half, words, beside if beside >= 28 else 0.0)


def _holds(key: str, port: Port, picture: Picture, measure: Measure) -> bool:
    """Tell whether a box's side is straight where a port would be."""
    corner = size.ROUND if picture.cell(key).round else 5.0
    centre = size.height(picture) / 2 - size.axis(picture) if measure.flat else 0.0
    side = size.height(picture) if measure.flat else measure.box
    return abs(port.offset - centre) + port.half <= side / 2 - corner


def _parallel(
    indices: Sequence[int],
    entering: Mapping[str, Sequence[int]],
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
