"""A graph in a sentence a screen reader can speak, and as a table."""

from collections.abc import Sequence

from handgrad.draw.ink import plain
from handgrad.draw.numbers import content, jacobian
from handgrad.draw.picture import Picture, Show
from handgrad.graph import Edge, Graph, Node

MOST = 60  # words in a description
_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten",
           "Eleven", "Twelve")  # fmt: skip


def describe(graph: Graph, picture: Picture) -> str:
    """Say what a figure shows, numbers first, in under 60 words."""
    count = len(picture.cells)
    boxes = f"{_COUNTS[count] if count < len(_COUNTS) else count} box{'es' * (count != 1)}."
    root, leaves = graph.nodes[0], [node for node in graph.nodes if node.kind == "leaf"]
    if leaves and picture.show == "all":
        said = [*_values(graph), *_gradients(graph, picture.show), *_frozen(picture)]
        full = " ".join([boxes, *said])
        if len(full.split()) < MOST:
            return full
    edges = sum(len(node.edges) for node in graph.nodes)
    loss = f"{_name(root)}{_equals(root.values, ' = ')}"
    start = f"{boxes[:-1]} and {edges} edges, from the loss {loss} back to"
    blocks = [_name(node) for node in graph.nodes if not node.recorded]
    if blocks:
        inner = f"{blocks[0]} to {blocks[-1]}" if len(blocks) > 1 else blocks[0]
        return f"{start} its inputs. Modules are folded into one box each: {inner}."
    if 0 < len(leaves) <= 6:
        names = listed([_name(n) + _equals(n.gradients, " with gradient ", picture.show == "all")
                         for n in leaves])  # fmt: skip
        return " ".join([f"{start} {names}.", *_frozen(picture)])
    return f"{start} {len(leaves)} trainable leaves."


def _values(graph: Graph) -> list[str]:
    """Say the forward pass along the longest run of names."""
    root = graph.nodes[0]
    inner = [_name(n) for n in reversed(graph.nodes[1:]) if n.kind == "operation"]
    leaves = [_name(n) for n in reversed(graph.nodes) if n.kind == "leaf"]
    through = f" through {listed(inner)}" if inner else ""
    return [f"Values run from {listed(leaves)}{through} to {_name(root)}"
            f"{_equals(root.values, ' = ')};"]  # fmt: skip


def _gradients(graph: Graph, show: Show) -> list[str]:
    """Say the gradients, nodes with the same number together."""
    found: dict[str, list[str]] = {}
    for node in graph.nodes:
        said = _equals(node.gradients, "")
        if said:
            found.setdefault(said, []).append(_name(node))
    if show != "all" or not found:
        return ["no gradient is shown."]
    return [f"gradients run back, {listed([f'{n} at {listed(w)}' for n, w in found.items()])}."]


def _frozen(picture: Picture) -> list[str]:
    names = [cell.name for cell in picture.cells if cell.kind == "frozen"]
    if not names:
        return []
    return [f"No gradient goes to {listed(list(dict.fromkeys(names)))}: None."]


def table(graph: Graph, title: str) -> str:
    """Return the figure as an HTML table: a row for each node, the loss first."""
    head = '<tr><th scope="col">node</th><th scope="col">operation</th><th scope="col" class="r">value</th><th scope="col" class="r">gradient</th><th scope="col">local derivatives</th></tr>'  # noqa: E501
    rows = "".join(_table_row(node, graph) for node in graph.nodes)
    return (
        f'<table aria-label="{plain(title, quote=True)}, as a table"><thead>{head}</thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _table_row(node: Node, graph: Graph) -> str:
    cells = [
        f'<th scope="row"><i>{plain(_name(node))}</i></th>',
        f"<td>{plain(node.op if node.kind == 'operation' else 'leaf')}</td>",
        f'<td class="r">{_equals(node.values, "") or _shapes(node)}</td>',
        f'<td class="r">{_equals(node.gradients, "") or _shapes(node)}</td>',
        f"<td>{plain('; '.join(_edge(edge, node, graph) for edge in node.edges))}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _edge(edge: Edge, node: Node, graph: Graph) -> str:
    if edge.source is None:
        name = edge.constant.name if edge.constant else None
        return f"to {name or 'a constant'}: not recorded"
    local = jacobian(edge.local, node.outputs[0] if node.outputs else None) or "not computed"
    return f"to {_name(graph.nodes[edge.source])}: {local}"


def _name(node: Node) -> str:
    return node.name or f"{node.op if node.kind == 'operation' else 'leaf'} {node.key}"


def _equals(arrays: Sequence[object], before: str, wanted: bool = True) -> str:
    said = [content(array, None) for array in arrays if array is not None]  # type: ignore[arg-type]
    return before + ", ".join(s for s in said if s) if wanted and any(said) else ""


def _shapes(node: Node) -> str:
    return ", ".join(content(None, spec) or "" for spec in node.outputs)


def listed(parts: Sequence[str]) -> str:
    """Join words as a sentence does."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
