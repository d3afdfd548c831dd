"""Fold the operations of one module into one box, where a graph is too large to read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from handgrad.errors import GraphTooLargeError
from handgrad.graph.graph import Graph
from handgrad.graph.records import Edge, Node

MOST = 60
"""Boxes that a reader can still follow."""


def folded(graph: Graph) -> Graph:
    """Return the graph itself if it is small, else with whole modules as single nodes.

    Modules are folded as deep in the model as gives few enough boxes. What has
    no parameters goes with the module that all its inputs come from.

    Raises:
        GraphTooLargeError: If no folding makes it small enough.
    """
    if boxes(graph.nodes) <= MOST:
        return graph
    homes = [_home(node) for node in graph.nodes]
    deepest = max((home.count(".") + 1 for home in homes if home), default=0)
    least = boxes(graph.nodes)
    for depth in range(deepest, 0, -1):
        nodes = _fold(graph.nodes, _blocks(graph.nodes, homes, depth))
        least = min(least, boxes(nodes))
        if boxes(nodes) <= MOST:
            return Graph(nodes, detail="structure", reason="large")
    msg = (
        f"This graph needs {boxes(graph.nodes)} boxes, and a figure holds {MOST}. "
        + (f"Folding its modules leaves {least}. " if deepest else "")
        + "Trace it with names from its module, as in trace(loss, names=model), so that modules "
        "can be folded into one box each, or draw a smaller part of the computation."
    )
    raise GraphTooLargeError(msg)


def boxes(nodes: Sequence[Node]) -> int:
    """Count the boxes that nodes and their constants need."""
    return len(nodes) + sum(edge.source is None for node in nodes for edge in node.edges)


def _home(node: Node) -> str | None:
    """Return the module that a node belongs to, a leaf by its name."""
    if node.module:
        return node.module
    name = node.name or ""
    return name.rsplit(".", 1)[0] if node.kind == "leaf" and "." in name else None


def _blocks(nodes: Sequence[Node], homes: Sequence[str | None], depth: int) -> dict[int, str]:
    """Return the block of each node that has one; the loss stays alone."""
    block: dict[int, str] = {}
    for node in reversed(nodes[1:]):
        home = homes[node.key]
        sources = {edge.source for edge in node.edges if edge.source is not None}
        if home:
            block[node.key] = ".".join(home.split(".")[:depth])
        elif node.kind == "operation" and sources:
            joined = {block.get(source) for source in sources}
            only = joined.pop() if len(joined) == 1 else None
            if only:
                block[node.key] = only
    sizes = Counter(block.values())
    return {key: name for key, name in block.items() if sizes[name] > 1}


def _fold(nodes: Sequence[Node], block: Mapping[int, str]) -> tuple[Node, ...]:
    """Return the nodes with each block as one; blocks that would close a circle stay open."""
    while True:
        owner = {node.key: block.get(node.key, node.key) for node in nodes}
        order, circles = _order(nodes, owner)
        if not circles:
            return _contract(nodes, owner, order)
        block = {key: name for key, name in block.items() if name not in circles}


def _order(
    nodes: Sequence[Node], owner: Mapping[int, str | int]
) -> tuple[dict[str | int, int], set[str | int]]:
    """Number the folded boxes, consumers first; return also what lies in circles."""
    sources: dict[str | int, set[str | int]] = {owner[node.key]: set() for node in nodes}
    for node in nodes:
        for edge in node.edges:
            if edge.source is not None and owner[edge.source] != owner[node.key]:
                sources[owner[node.key]].add(owner[edge.source])
    waiting = Counter(source for group in sources.values() for source in group)
    ready = [owner[0]]
    order: dict[str | int, int] = {}
    while ready:
        now = ready.pop(0)
        order[now] = len(order)
        for source in sorted(sources[now], key=str):
            waiting[source] -= 1
            if not waiting[source]:
                ready.append(source)
    stuck = {name: group for name, group in sources.items() if name not in order}
    while True:  # what only leads into a circle is not in one
        free = {name for name, group in stuck.items() if not group & stuck.keys()}
        if not free:
            return order, set(stuck)
        stuck = {name: group for name, group in stuck.items() if name not in free}


def _contract(
    nodes: Sequence[Node], owner: Mapping[int, str | int], order: Mapping[str | int, int]
) -> tuple[Node, ...]:
    members: dict[str | int, list[Node]] = {name: [] for name in order}
    for node in nodes:
        members[owner[node.key]].append(node)
    return tuple(_folded_node(name, members[name], owner, order) for name in order)


def _folded_node(
    name: str | int,
    members: Sequence[Node],
    owner: Mapping[int, str | int],
    order: Mapping[str | int, int],
) -> Node:
    """Return one box: a node with its edges renumbered, or a block with those that leave it."""
    outside: dict[tuple[int, int], Edge] = {}
    for node in members:
        for edge in node.edges:
            if edge.source is None or owner[edge.source] == name:
                continue
            key = (
                order[owner[edge.source]],
                0 if isinstance(owner[edge.source], str) else edge.output,
            )
            outside.setdefault(key, edge)
    edges = [
        Edge(slot=slot, source=source, output=output)
        for slot, (source, output) in enumerate(sorted(outside))
    ]
    if isinstance(name, int):
        kept = members[0]
        constants = [edge for edge in kept.edges if edge.source is None]
        bare = [replace(e, slot=len(edges) + i) for i, e in enumerate(constants)]
        return replace(kept, key=order[name], edges=(*edges, *bare), values=(), gradients=())
    last = members[0]
    return Node(
        key=order[name], op=f"{len(members)} nodes", recorded="", kind="operation", name=name,
        outputs=last.outputs[:1],
        edges=tuple(edges),
    )  # fmt: skip
