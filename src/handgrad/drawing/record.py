"""``draw_record``: what autograd wrote down, and nothing else: no value, no tensor."""

from collections.abc import Sequence
from dataclasses import replace

from handgrad.drawing import graph_figure
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.folding import folded
from handgrad.drawing.ink import arrow
from handgrad.drawing.layout.measure import Measure
from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.layout.scene import Box, Label, Road, Scene
from handgrad.drawing.picture import Cell, Link, Picture
from handgrad.drawing.tables import table
from handgrad.drawing.words import listed
from handgrad.errors import KindError
from handgrad.graph import Graph, Node

NONE = "None"


def draw_record(graph: Graph, *, title: str, description: str | None = None) -> Drawing:
    """Draw the record alone: the nodes that autograd made, and the edges between them.

    No box is a tensor, and no number is kept. Each operation points to what made
    its inputs; an input that needs no gradient is an edge to None. At the ends
    stand accumulators, which add what arrives to their leaf's ``.grad``.

    Args:
        graph: From ``trace``. Graphs of more than 60 boxes are folded by module,
            where ``trace`` was given one.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the graph.

    Returns:
        A wide and an upright drawing, with the edges as a table.

    Raises:
        KindError: If it is no graph.
        GraphTooLargeError: If there are more boxes than can be read.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w, x = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0)
        >>> draw_record(trace((w * x - 10.0) ** 2), title="The record").description
        'The record of 4 nodes, none of them a tensor: Pow, Sub, Mul and AccumulateGrad. 3 edges \
lead from the loss back to the leaf; 2 lead to None.'
    """
    if not isinstance(graph, Graph):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise KindError(
            f"draw_record() draws what trace() returns, but got a {type(graph).__name__}. "
            'Call draw_record(trace(loss), title="What PyTorch wrote down").'
        )
    check_words(title, description)
    small = folded(graph)
    said = description or _words(small)

    def pictures(merge: bool) -> Picture:
        return _picture(small)

    root = small.nodes[0].name
    wide = _recorded(graph_figure.wide_scene(pictures, [_flat()]), root)
    tall = _recorded(graph_figure.tall_scene(pictures, [_down(small)]), root)
    return Drawing(
        title,
        said,
        graph_figure.inked(wide, title, said, _body(wide)),
        graph_figure.inked(tall, title, said, _body(tall)),
        _table(small, title),
    )


def _flat() -> graph_figure.Choice:
    """Return the way to draw from left to right: closer together than with values."""
    return 86.0, 140.0, Measure(flat=True, box=86.0, gap=40.0, bend=26.0, drop=34.0,
                                apart=(28.0, 14.0), half=7.0)  # fmt: skip


def _down(graph: Graph) -> graph_figure.Choice:
    """Return the way to draw downwards, in boxes as wide as the longest name."""
    box = max(width(node.op, "c") for node in graph.nodes) + 14.0
    return box, box, Measure(flat=False, box=box, gap=36.0, bend=22.0, drop=52.0,
                             apart=(20.0, 10.0), half=11.0)  # fmt: skip


def _picture(graph: Graph) -> Picture:
    """Return a box for each node, and one, to be taken away, for each edge to None."""
    cells = [_cell(node) for node in graph.nodes]
    links: list[Link] = []
    for node, edge in graph.edges:
        source = str(edge.source)
        if edge.source is None:
            source = f"{node.key}.{edge.slot}"
            cells.append(Cell(key=source, kind="frozen", title=NONE, name=NONE))
        local = f"[{edge.output}]" if edge.output else ""
        links.append(Link(source=source, target=str(node.key), slot=edge.slot, local=local,
                          trained=edge.source is not None, back=False))  # fmt: skip
    return Picture(tuple(cells), tuple(links), "structure", "values", rows=0)


def _cell(node: Node) -> Cell:
    leaf = node.kind == "leaf"
    return Cell(
        key=str(node.key),
        kind="leaf" if leaf else "tensor",
        title=node.op,
        name=node.name or f"{node.op} {node.key}",
        note=f"to {node.name}.grad" if leaf and node.name else "",
    )


def _recorded(scene: Scene, root: str | None) -> Scene:
    """Return a scene in which None is a word, not a box, and the loss has its ``grad_fn``."""
    gone = {box.cell.key: box for box in scene.boxes if box.cell.kind == "frozen"}
    boxes = tuple(_box(box) for box in scene.boxes if box.cell.key not in gone)
    labels = [*scene.labels]
    labels += [_none(road, gone[road.link.source]) for road in scene.roads
               if road.link.source in gone]  # fmt: skip
    if root:
        first = next(box for box in boxes if box.cell.key == "0")
        labels.append(Label(first.middle, first.y + first.height + 15, f"{root}.grad_fn", "n"))
    changed = replace(scene, boxes=boxes, labels=tuple(labels))
    return changed.settled(scene.width, left=scene.width > graph_figure.PHONE)


def _box(box: Box) -> Box:
    """Return a box as a node of the record: cornered, its name as code."""
    cell = replace(box.cell, kind="operation")
    return replace(box, cell=cell, title="", op=fit(box.cell.title, "c", box.width - 8))


def _body(scene: Scene) -> str:
    """Draw every edge from an operation to what made its input, then the nodes."""
    parts: list[str] = []
    for road in scene.roads:
        cls = "back" if road.link.trained else "rule dashed"
        lane = arrow(road.forward[::-1], cls) if road.forward else ""
        words = graph_figure.drawn_label(road.label) if road.label else ""
        parts.append(f'<g data-edge="{road.link.target}.{road.link.slot}">{lane}{words}</g>')
    parts += [
        graph_figure.drawn_box(box).replace('class="c"', 'class="c dark"') for box in scene.boxes
    ]
    parts += [graph_figure.drawn_label(label) for label in scene.labels]
    return "".join(parts)


def _none(road: Road, box: Box) -> Label:
    """Return the word at which an edge to None ends, where its box would have been."""
    x, y = road.forward[0] if road.forward else (box.middle, box.y)
    if abs(x - box.x) < 1.0:  # it comes from the left
        return Label(x + 6, y, NONE, "g none", "start")
    if abs(x - box.x - box.width) < 1.0:
        return Label(x - 6, y, NONE, "g none", "end")
    return Label(x, y + (11 if y <= box.y + box.height / 2 else -11), NONE, "g none")


def _words(graph: Graph) -> str:
    """Say the nodes and count the edges."""
    live = sum(edge.source is not None for _, edge in graph.edges)
    lost = len(graph.edges) - live
    leaves = sum(node.kind == "leaf" for node in graph.nodes)
    names = listed(_grouped([node.op for node in graph.nodes]))
    ends = "the leaf" if leaves == 1 else f"{leaves} leaves"
    count = len(graph.nodes)
    none = f"; {lost} lead{'s' * (lost == 1)} to None" if lost else ""
    return (
        f"The record of {count} nodes, none of them a tensor: {names}. "
        f"{live} edges lead from the loss back to {ends}{none}."
    )


def _grouped(names: Sequence[str]) -> list[str]:
    """Return each name once, in order, with how often it is there."""
    counts = {name: names.count(name) for name in names}
    return [name if count == 1 else f"{count} {name}" for name, count in counts.items()]


def _table(graph: Graph, title: str) -> str:
    """Return a row for each node, with the nodes its edges lead to."""
    numbers = {node.key: f"{node.op} {place + 1}" for place, node in enumerate(graph.nodes)}
    rows = [
        [
            numbers[node.key],
            ", ".join(NONE if e.source is None else numbers[e.source] for e in node.edges)
            or (f"adds to {node.name}.grad" if node.name else "adds to its leaf's .grad"),
        ]
        for node in graph.nodes
    ]
    return table(title, ["node", "its edges lead to"], rows, words=2)
