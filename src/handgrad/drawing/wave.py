"""``draw_wave``: the backward pass as frames, one for each node that runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from handgrad.drawing import graph_figure
from handgrad.drawing.drawing import Drawing, check_words
from handgrad.drawing.frames import Frame, scenes, strip
from handgrad.drawing.ink import arrow, line, plain
from handgrad.drawing.layout.scene import Road, Scene, samples
from handgrad.drawing.numbers import content, factor, number
from handgrad.drawing.picture import Cell, Link, Picture
from handgrad.drawing.style import STYLE
from handgrad.drawing.tables import table
from handgrad.drawing.words import listed
from handgrad.errors import GraphTooLargeError, KindError
from handgrad.graph import Edge, Graph, Node

MOST = 24  # nodes: more frames than that nobody steps through


@dataclass(frozen=True, slots=True)
class Wave(Drawing):
    """A backward pass: a strip of all frames, and each frame as a figure of its own.

    As a figure all frames stand under one another; a page's script may show one
    at a time. Each is ``class="frame"`` with its number in ``data-frame``.

    Attributes:
        frames: Before the first node runs, and after each.
    """

    frames: tuple[Drawing, ...] = ()

    def _repr_html_(self) -> str:
        shown = "".join(
            f'<div class="frame" data-frame="{place}">'
            f'<p class="said">{plain(frame.description)}</p>'
            f"{frame.svg_wide.replace(STYLE, '') if place else frame.svg_wide}"
            f"{frame.svg_tall.replace(STYLE, '')}</div>"
            for place, frame in enumerate(self.frames)
        )
        full = ' full" role="img"' in self.svg_wide
        return (
            f'<div class="drawing wave{" wide" * full}" data-frames="{len(self.frames)}">{shown}'
            '<details class="text"><summary>The figure as a table</summary>'
            '<div class="scroll" tabindex="0" role="group" '
            f'aria-label="{plain(self.title, quote=True)}, as a table">{self.table}</div>'
            "</details></div>"
        )


def draw_wave(
    graph: Graph,
    *,
    titles: Mapping[str, str] | None = None,
    title: str,
    description: str | None = None,
) -> Wave:
    """Draw the backward pass step by step, in one layout.

    A frame shows the gradients that have arrived, and the node that has just run,
    outlined: it multiplies its own by the local derivative on each of its edges
    and sends the product on. A node that several paths lead to waits until all have arrived.

    Args:
        graph: From ``trace``, of at most 24 nodes.
        titles: What stands in the boxes, by name or key, as ``{"z": "z = u + b"}``.
        title: What the figure is, for a screen reader; not empty.
        description: What it shows; by default made from the numbers.

    Returns:
        All frames as one figure; ``frames`` has each as a figure of its own.

    Raises:
        KindError: If it is no graph.
        GraphTooLargeError: If it has more than 24 nodes, or is too broad.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> u = w * 2.0
        >>> wave = draw_wave(trace(u**2, names={"w": w, "u": u}), title="Backward")
        >>> for frame in wave.frames:
        ...     print(frame.description)
        Step 0 of 3. Backward starts with 1.0000 at Pow.
        Step 1 of 3. Pow runs: u is sent 1.0000 × 12.0000 = 12.0000.
        Step 2 of 3. Mul runs: w is sent 12.0000 × 2.0000 = 24.0000.
        Step 3 of 3. The accumulator of w adds 24.0000 to w.grad.
    """
    _check(graph)
    check_words(title, description)
    picture = _picture(graph, titles or {})
    wide, tall = map(_about_gradients, scenes(picture))
    words = [_said(graph, step) for step in range(len(graph) + 1)]
    steps = table(title, ["step", "runs", "and sends"], _rows(graph), words=3)
    said = description or _words(graph)
    frames = tuple(
        _frame(graph, (wide, tall), step, f"{title}, step {step}", words[step], steps)
        for step in range(len(graph) + 1)
    )
    strips = [
        strip(scene, [Frame(_body(graph, scene, n), said) for n, said in enumerate(words)],
              title, said)
        for scene in (wide, tall)
    ]  # fmt: skip
    return Wave(title, said, strips[0], strips[1], steps, frames)


def _check(graph: object) -> None:
    if not isinstance(graph, Graph):
        raise KindError(
            f"draw_wave() draws what trace() returns, but got a {type(graph).__name__}. "
            'Call draw_wave(trace(loss), title="The backward pass").'
        )
    if len(graph) > MOST:
        raise GraphTooLargeError(
            f"This backward pass has {len(graph)} steps, and nobody looks at more than {MOST} "
            "frames. Draw a part of the graph, or single steps with draw(graph, step=3, ...)."
        )


def _picture(graph: Graph, titles: Mapping[str, str]) -> Picture:
    """Return the nodes with the gradients they will have at the end; frozen inputs take no part."""
    cells: list[Cell] = []
    for node in graph.nodes:
        own = titles.get(node.name or "") or titles.get(str(node.key)) or node.name or ""
        kind = "leaf" if node.kind == "leaf" else "operation"
        cells.append(Cell(key=str(node.key), kind=kind, title=own, name=_name(node),
                          op="" if own else node.op, rows=(_gradient(node),)))  # fmt: skip
    links = [
        Link(source=str(edge.source), target=str(node.key), slot=edge.slot, local=_local(edge))
        for node, edge in graph.edges
        if edge.source is not None
    ]
    return Picture(tuple(cells), tuple(links), "values", "recorded", rows=1)


def _gradient(node: Node) -> tuple[str, str]:
    """Return what a node's gradient row says once all has arrived."""
    said = [content(array, spec) for array, spec in zip(
        (*node.gradients, *[None] * len(node.outputs)), node.outputs, strict=False)]  # fmt: skip
    known = len(said) == 1 and said[0] is not None
    return (str(said[0]), "g") if known else ("arrived", "g none")


def _local(edge: Edge) -> str:
    """Return what stands at an edge: × its local derivative, if that is one number."""
    one = edge.local is not None and len(edge.local.data) == 1
    return f"× {factor(edge.local.data[0])}" if one and edge.local else ""


def _about_gradients(scene: Scene) -> Scene:
    """Return a scene whose one row is called what it holds here."""
    labels = tuple(
        replace(label, words="gradient", cls="n bk") if label.cls == "n fw" else label
        for label in scene.labels
    )
    return replace(scene, labels=labels).settled(scene.width, left=scene.width > graph_figure.PHONE)


def _frame(
    graph: Graph, sheets: Sequence[Scene], step: int, title: str, words: str, steps: str
) -> Drawing:
    wide, tall = (
        graph_figure.inked(scene, title, words, _body(graph, scene, step)) for scene in sheets
    )
    return Drawing(title, words, wide, tall, steps)


def _body(graph: Graph, scene: Scene, step: int) -> str:
    """Draw the state after so many nodes have run."""
    parts = [_road(road, step) for road in scene.roads]
    for box in scene.boxes:
        key = int(box.cell.key)
        done = [int(road.link.target) < step for road in scene.roads
                if road.link.source == box.cell.key]  # fmt: skip
        waiting = ("waiting" if any(done) else "", "g none")
        rows = box.cell.rows if all(done) else (waiting,)
        cell = replace(box.cell, rows=rows, now=key == step - 1)
        state = "now" if cell.now else "ran" if key < step else "ready" if all(done) else "waits"
        drawn = graph_figure.drawn_box(replace(box, cell=cell))
        parts.append(drawn.replace("<g ", f'<g data-state="{state}" ', 1))
    parts += [graph_figure.drawn_label(label) for label in scene.labels]
    return "".join(parts)


def _road(road: Road, step: int) -> str:
    """Draw an edge as a hairline until its operation has run, then as an arrow to the input."""
    lane = (road.forward or ())[::-1]
    key = int(road.link.target)
    if key >= step:
        drawn = line(samples(lane), "rule")
    else:
        label = graph_figure.drawn_label(road.label) if road.label and key == step - 1 else ""
        drawn = arrow(lane, "back") + label
    return f'<g data-edge="{road.link.target}.{road.link.slot}">{drawn}</g>'


def _said(graph: Graph, step: int) -> str:
    """Say what the node does that runs in this step."""
    head = f"Step {step} of {len(graph)}. "
    if not step:
        seed = _number(graph.nodes[0])
        begins = f"with {seed} at" if seed else "at"
        return f"{head}Backward starts {begins} {_name(graph.nodes[0])}."
    node = graph.nodes[step - 1]
    if node.kind == "leaf":
        name = f"{node.name}.grad" if node.name else "its leaf's .grad"
        owner = f" of {node.name}" if node.name else ""
        amount = _number(node) or "what has arrived"
        return f"{head}The accumulator{owner} adds {amount} to {name}."
    told = [edge for edge in node.edges
            if edge.source is not None or (edge.constant and edge.constant.name)]  # fmt: skip
    sent = "; ".join(_sent(graph, node, edge) for edge in told)
    return f"{head}{node.op} runs: {sent}."


def _sent(graph: Graph, node: Node, edge: Edge) -> str:
    """Say what one edge carries."""
    if edge.source is None:
        return f"{edge.constant.name if edge.constant else 'a constant'} is sent nothing"
    source = graph.node(edge.source)
    others = [other for _, other in graph.edges if other.source == edge.source]
    upstream = node.gradients[0] if len(node.gradients) == 1 else None
    local = edge.local
    amount = "its gradient"
    if upstream and local and len(upstream.data) == len(local.data) == 1:
        product = upstream.data[0] * local.data[0]
        amount = f"{factor(upstream.data[0])} × {factor(local.data[0])} = {number(product)}"
    share = ", one of the parts it waits for" if len(others) > 1 else ""
    return f"{_name(source)} is sent {amount}{share}"


def _number(node: Node) -> str:
    """Return a node's gradient if it is a single number."""
    gradient = node.gradients[0] if len(node.gradients) == 1 else None
    return number(gradient.data[0]) if gradient and len(gradient.data) == 1 else ""


def _name(node: Node) -> str:
    return node.name or node.op


def _rows(graph: Graph) -> list[list[str]]:
    """Return a row for each step of the table."""
    rows: list[list[str]] = []
    for step in range(len(graph) + 1):
        said = _said(graph, step).split(". ", 1)[1].rstrip(".")
        runs, _, sends = said.partition(" runs: ")
        rows.append([str(step), runs if sends else "", sends or said])
    return rows


def _words(graph: Graph) -> str:
    """Say the order, and what arrives at the leaves."""
    order = listed([node.op for node in graph.nodes])
    ends = [
        f"{node.name}.grad = {_number(node)}"
        for node in graph.nodes
        if node.kind == "leaf" and node.name and _number(node)
    ]
    arrived = f" In the end {listed(ends)}." if ends else ""
    return f"The backward pass in {len(graph)} steps: {order}.{arrived}"
