"""``draw_paths``: every path through one graph in turn, its product, and the sum of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from handgrad.drawing import graph_figure
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.frames import Frame, scenes, strip
from handgrad.drawing.ink import arrow, line
from handgrad.drawing.layout.scene import Scene, samples
from handgrad.drawing.numbers import factor, number
from handgrad.drawing.picture import Cell, Link, Picture
from handgrad.drawing.tables import table
from handgrad.errors import GraphTooLargeError, InputError, KindError
from handgrad.graph import Edge, Graph

MOST = 8


@dataclass(frozen=True, slots=True)
class Way:
    """One path: the edges it takes, by operation and slot, what it passes, and its factors."""

    edges: frozenset[str]
    names: tuple[str, ...]
    factors: tuple[float, ...]

    @property
    def product(self) -> float:
        """The product of the local derivatives."""
        return prod(self.factors)

    def said(self, place: int) -> str:
        """Say the path's product."""
        if len(self.factors) == 1:
            return f"Path {place}: {number(self.product)}"
        factors = " × ".join(map(factor, self.factors))
        return f"Path {place}: {factors} = {number(self.product)}"

    def short(self, place: int) -> str:
        """Say it on a narrow sheet."""
        return f"Path {place}: {len(self.factors)} factors, {number(self.product)}"


def draw_paths(
    graph: Graph,
    wrt: str | int,
    *,
    titles: Mapping[str, str] | None = None,
    title: str,
    description: str | None = None,
) -> Drawing:
    """Draw one graph once for each path from the loss to a tensor, and add the products up.

    In each frame one path is orange, with the local derivative on each of its
    edges; their product is the path's share of the gradient. At the foot stands the sum.

    Args:
        graph: From ``trace``, of single real numbers.
        wrt: Name or key of the tensor that the paths lead to.
        titles: What stands in the boxes, by name or key.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        A wide and an upright drawing, with the paths as a table.

    Raises:
        KindError: If it is no graph.
        InputError: If nothing is called ``wrt``, or a local derivative on the way
            is not a single real number.
        GraphTooLargeError: If there are more than eight paths.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> x = torch.tensor(2.0, requires_grad=True)
        >>> u = x * x
        >>> figure = draw_paths(trace(u * x, names={"x": x, "u": u}), "x", title="Three paths")
        >>> figure.description
        '3 paths lead to x. Path 1: 2.0000 × 2.0000 = 4.0000. Path 2: 2.0000 × 2.0000 = 4.0000. \
Path 3: 4.0000. Together 12.0000.'
    """
    if not isinstance(graph, Graph):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise KindError(
            f"draw_paths() draws what trace() returns, but got a {type(graph).__name__}. "
            'Call draw_paths(trace(loss), "w", title="The paths to w").'
        )
    check_words(title, description)
    ways = _ways(graph, wrt)
    picture = _picture(graph, titles or {})
    said = description or _words(ways, wrt)
    foot = _foot(ways)
    wide, tall = (
        strip(
            scene,
            [
                Frame(_body(scene, way), way.said(place), way.short(place))
                for place, way in enumerate(ways, 1)
            ],
            title,
            said,
            foot,
        )
        for scene in scenes(picture)
    )
    return Drawing(title, said, wide, tall, _table(ways, title))


def _ways(graph: Graph, wrt: str | int) -> list[Way]:
    """Return the paths with their factors."""
    count = graph.paths_count(wrt)
    if count > MOST:
        raise GraphTooLargeError(
            f"{count} paths lead to {wrt!r}, and a figure holds {MOST}. Draw a part of the graph, "
            f"or peel(graph, {wrt!r}), whose sum does not list them."
        )
    return [_way(graph, path) for path in graph.paths(wrt)]


def _way(graph: Graph, path: Sequence[Edge]) -> Way:
    node, edges = graph.root, list[str]()
    names, factors = [_name(graph, node.key)], list[float]()
    for edge in path:
        local = edge.local.data if edge.local else ()
        if edge.source is None or len(local) != 1 or isinstance(local[0], complex):
            raise InputError(
                f"The way from {names[-1]} on has no single real number for a local derivative, "
                "so the products along paths are no numbers. Draw paths through a graph of "
                "single numbers, traced with values."
            )
        edges.append(f"{node.key}.{edge.slot}")
        factors.append(local[0])
        node = graph.node(edge.source)
        names.append(_name(graph, node.key))
    return Way(frozenset(edges), tuple(names), tuple(factors))


def _name(graph: Graph, key: int) -> str:
    node = graph.node(key)
    return node.name or node.op


def _picture(graph: Graph, titles: Mapping[str, str]) -> Picture:
    """Return the nodes by name, and the edges with their local derivatives."""
    cells: list[Cell] = []
    for node in graph.nodes:
        own = titles.get(node.name or "") or titles.get(str(node.key)) or node.name or ""
        cells.append(Cell(key=str(node.key), kind="leaf" if node.kind == "leaf" else "operation",
                          title=own, name=own or node.op, op="" if own else node.op))  # fmt: skip
    links = [
        Link(source=str(edge.source), target=str(node.key), slot=edge.slot,
             local=f"× {factor(edge.local.data[0])}"
             if edge.local and len(edge.local.data) == 1 else "")
        for node, edge in graph.edges
        if edge.source is not None
    ]  # fmt: skip
    return Picture(tuple(cells), tuple(links), "values", "recorded", rows=0)


def _body(scene: Scene, way: Way) -> str:
    """Draw a path as arrows with factors, every other edge as a hairline."""
    parts: list[str] = []
    on = [road for road in scene.roads if f"{road.link.target}.{road.link.slot}" in way.edges]
    for road in scene.roads:
        lane = (road.forward or ())[::-1]
        if road in on:
            label = graph_figure.drawn_label(road.label) if road.label else ""
            drawn = arrow(lane, "back") + label
        else:
            drawn = line(samples(lane), "rule")
        parts.append(f'<g data-edge="{road.link.target}.{road.link.slot}">{drawn}</g>')
    parts += [graph_figure.drawn_box(box) for box in scene.boxes]
    parts += [graph_figure.drawn_label(label) for label in scene.labels]
    return "".join(parts)


def _foot(ways: Sequence[Way]) -> str:
    """Return the sum of the products."""
    if not ways:
        return "No path: nothing arrives."
    total = number(sum(way.product for way in ways))
    if len(ways) == 1:
        return f"One path: {total}"
    return f"Together: {' + '.join(factor(way.product) for way in ways)} = {total}"


def _words(ways: Sequence[Way], wrt: str | int) -> str:
    """Say the paths and their sum."""
    heads = f"{len(ways)} path{'s lead' if len(ways) != 1 else ' leads'} to {wrt}."
    total = f"Together {number(sum(way.product for way in ways))}."
    return " ".join([heads, *(f"{way.said(n)}." for n, way in enumerate(ways, 1)), total])


def _table(ways: Sequence[Way], title: str) -> str:
    rows = [
        [str(place), " ← ".join(way.names[::-1]), " × ".join(map(factor, way.factors)),
         number(way.product)]
        for place, way in enumerate(ways, 1)
    ]  # fmt: skip
    rows.append(["all", "", "", number(sum(way.product for way in ways))])
    return table(title, ["path", "through", "local derivatives", "product"], rows, words=3)
