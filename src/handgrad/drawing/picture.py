"""What a figure of a graph shows, before anything has a place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from handgrad.drawing.numbers import content, jacobian
from handgrad.graph.graph import Constant, Edge, Graph, Node

Show = Literal["all", "values", "structure"]
View = Literal["recorded", "values"]
Kind = Literal["operation", "leaf", "frozen", "block", "tensor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One box: an operation, a leaf, or a constant that no gradient comes back from.

    ``key`` is the node's position in the graph, or for a constant that of its
    first consumer and its slot there; ``rows`` are the texts under the title,
    each with its class.
    """

    key: str
    kind: Kind
    title: str
    name: str
    op: str = ""
    note: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    now: bool = False

    @property
    def round(self) -> bool:
        """Whether it is a tensor, with round corners, not an operation."""
        return self.kind in ("leaf", "frozen", "tensor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One road between two boxes, from an input to the result it goes into."""

    source: str
    target: str
    slot: int
    local: str = ""
    cls: str = "k"
    trained: bool = True
    back: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in engine order (the loss first) and the roads between them."""

    cells: tuple[Cell, ...]
    links: tuple[Link, ...]
    show: Show
    view: View
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rows: int = 2
    by_key: Mapping[str, Cell] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_key", {cell.key: cell for cell in self.cells})

    def cell(self, key: str) -> Cell:
        """Return the box with a key."""
        return self.by_key[key]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller asked for, once for all helpers."""

    show: Show
    view: View
    titles: Mapping[str, str]
    step: int | None
    shaped: bool  # whether any tensor has more than one number

    @property
    def rows(self) -> int:
        """How many rows a box has under its title."""
        return {"all": 2, "values": 1, "structure": int(self.shaped)}[self.show]

    def reached(self, key: int) -> bool:
        """Tell whether the engine has run a node by this step."""
        return self.step is None or key < self.step


def wanted(
    graph: Graph, show: Show, view: View, titles: Mapping[str, str], step: int | None
) -> Wanted:
    """Return what can be shown of what was asked for: no numbers where there are none."""
    known = any(any(node.values) or any(node.gradients) for node in graph.nodes)
    shaped = any(spec.shape for node in graph.nodes for spec in node.outputs)
    return Wanted(show if known else "structure", view, titles, step, shaped)


def picture(
    graph: Graph, wanted: Wanted, groups: Mapping[str, tuple[str, ...]], *, merge: bool
) -> Picture:
    """Return the boxes and roads of a graph.

    With ``merge`` a named constant that several operations use is one box;
    without, each use has its own box beside the operation.
    """
    consumers: dict[int, list[int]] = {}
    for node, edge in graph.edges:
        if edge.source is not None:
            consumers.setdefault(edge.source, []).append(node.key)
    cells = [_cell(node, consumers.get(node.key, []), wanted) for node in graph.nodes]
    links: list[Link] = []
    constants: dict[object, str] = {}
    for node, edge in graph.edges:
        source = str(edge.source)
        if edge.source is None:
            source, new = _constant(node, edge, wanted, constants, merge=merge)
            cells += new
        links.append(_link(node, edge, source, wanted))
    spans = tuple(
        (name, tuple(str(graph.place(member)[0]) for member in members))
        for name, members in groups.items()
    )
    return Picture(tuple(cells), tuple(links), wanted.show, wanted.view, spans, wanted.rows)


def _cell(node: Node, consumers: Sequence[int], wanted: Wanted) -> Cell:
    leaf = node.kind == "leaf"
    kind = "operation" if node.recorded else "block"
    name = node.name or ""
    title = wanted.titles.get(name) or wanted.titles.get(str(node.key)) or _outputs(node)
    return Cell(
        key=str(node.key),
        kind="leaf" if leaf else "tensor" if wanted.view == "values" else kind,
        title=title,
        name=name or (f"{node.op} {node.key}" if not leaf else f"leaf {node.key}"),
        op="" if leaf else node.op,
        note="trainable" if leaf else "",
        rows=_rows(node, consumers, wanted),
        now=wanted.step is not None and node.key == wanted.step - 1,
    )


def _outputs(node: Node) -> str:
    """Return what a node's output is called; of several outputs each by its first name."""
    if len(node.outputs) > 1 and any(node.names):
        return ", ".join(names[0] if names else "–" for names in node.names)
    return node.name or ""


def _rows(node: Node, consumers: Sequence[int], wanted: Wanted) -> tuple[tuple[str, str], ...]:
    count = max(1, len(node.outputs))
    values = (*node.values, *[None] * count)[:count]
    gradients = (*node.gradients, *[None] * count)[:count]
    specs = (*node.outputs, *[None] * count)[:count]
    if wanted.show == "structure":
        return ((_several([content(None, spec) or "()" for spec in specs], ""), "n"),)[
            : wanted.rows
        ]
    value = [content(v, s) for v, s in zip(values, specs, strict=True)]
    rows = [(_several(value, "not kept"), "v" if any(value) else "v none")]
    if wanted.show == "all":
        grad = [content(g, s) for g, s in zip(gradients, specs, strict=True)]
        rows.append(_gradient_row(grad, consumers, wanted))
    return tuple(rows)


def _gradient_row(
    grad: list[str | None], consumers: Sequence[int], wanted: Wanted
) -> tuple[str, str]:
    done = [wanted.reached(key) for key in consumers]
    if not all(done):
        return ("waiting" if any(done) else "", "g none")
    return (_several(grad, "not kept"), "g" if any(grad) else "g none")


def _several(parts: list[str | None], missing: str) -> str:
    if not any(parts):
        return missing if len(parts) == 1 else f"{len(parts)} outputs"
    joined = " | ".join(part or "–" for part in parts)
    return joined if len(joined) <= 19 else f"{len(parts)} outputs"


def _constant(
    node: Node, edge: Edge, wanted: Wanted, known: dict[object, str], *, merge: bool
) -> tuple[str, list[Cell]]:
    """Return the key of the box for an input without a gradient, and the box if new."""
    const = edge.constant or Constant(kind="unknown")
    key = f"{node.key}.{edge.slot}"
    if merge and const.name is not None:
        identity = (const.name, const.kind, repr(const.value))
        if identity in known:
            return known[identity], []
        known[identity] = key
    said = content(const.value, const.spec)
    rows = ((said or "not kept", "v" if said else "v none"), ("None", "g none"))
    if wanted.show == "structure":
        rows = ((content(None, const.spec) or "", "n"),)
    name = const.name or ""
    title = wanted.titles.get(name) or name or "constant"
    cell = Cell(
        key=key,
        kind="frozen",
        title=title,
        name=name or "a constant",
        note="frozen" if name else "",
        rows=rows[: wanted.rows],
    )
    return key, [cell]


def _link(node: Node, edge: Edge, source: str, wanted: Wanted) -> Link:
    trained, target = edge.source is not None, str(node.key)
    if wanted.view == "values":
        return Link(source=source, target=target, slot=edge.slot, local=node.op, cls="c",
                    trained=trained, back=False)  # fmt: skip
    back = trained and wanted.show != "values" and wanted.reached(node.key)
    local = ""
    if wanted.show == "all" and trained:
        local = jacobian(edge.local, node.outputs[0] if node.outputs else None)
        local = f"[{edge.output}] {local}".strip() if edge.output else local
    return Link(source=source, target=target, slot=edge.slot, local=local, trained=trained,
                back=back)  # fmt: skip
