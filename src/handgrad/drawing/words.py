"""A graph in a sentence a screen reader can speak, and as a table."""

from collections.abc import Sequence

from handgrad.drawing.ink import plain
from handgrad.drawing.numbers import content
from handgrad.drawing.picture import Cell, Link, Picture
from handgrad.graph.graph import Graph, Node

MOST = 60  # words in a description
_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten",
           "Eleven", "Twelve")  # fmt: skip
_RIGHT = ' class="r"'


def describe(graph: Graph, picture: Picture) -> str:
    """Say what a figure shows, numbers first, in under 60 words."""
    count = len(picture.cells)
    boxes = f"{_COUNTS[count] if count < len(_COUNTS) else count} box{'es' * (count != 1)}."
    root, leaves = graph.nodes[0], [node for node in graph.nodes if node.kind == "leaf"]
    if leaves and picture.show != "structure":
        said = [_values(graph), _gradients(picture), *_frozen(picture)]
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


def _values(graph: Graph) -> str:
    """Say the forward pass along the longest run of names."""
    root = graph.nodes[0]
    inner = [_name(n) for n in reversed(graph.nodes[1:]) if n.kind == "operation"]
    leaves = [_name(n) for n in reversed(graph.nodes) if n.kind == "leaf"]
    through = f" through {listed(inner)}" if inner else ""
    return (
        f"Values run from {listed(leaves)}{through} to {_name(root)}{_equals(root.values, ' = ')};"
    )


def _gradients(picture: Picture) -> str:
    """Say the gradients that are shown, nodes with the same number together."""
    found: dict[str, list[str]] = {}
    for cell in picture.cells:
        for words, cls in cell.rows:
            if cls == "g":
                found.setdefault(words, []).append(cell.name)
    if not found:
        return "no gradient is shown."
    return f"gradients run back, {listed([f'{n} at {listed(w)}' for n, w in found.items()])}."


def _frozen(picture: Picture) -> list[str]:
    names = [cell.name for cell in picture.cells if cell.kind == "frozen"]
    if not names:
        return []
    listing = listed(list(dict.fromkeys(names)))
    return [f"No gradient goes to {listing}" + (": None." if picture.show == "all" else ".")]


def table(picture: Picture, title: str) -> str:
    """Return the figure as an HTML table: a row for each box, the loss first.

    It has what the figure has: no gradients beside a figure of values.
    """
    numbers = {"all": ("value", "gradient"), "values": ("value",), "structure": ("shape",)}
    shown = numbers[picture.show][: picture.rows]
    last = "local derivatives" if picture.show == "all" else "inputs"
    heads = [("node", ""), ("operation", ""), *((name, _RIGHT) for name in shown), (last, "")]
    head = "".join(f'<th scope="col"{side}>{name}</th>' for name, side in heads)
    rows = "".join(_table_row(cell, picture) for cell in picture.cells)
    return (
        f'<table aria-label="{plain(title, quote=True)}, as a table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _table_row(cell: Cell, picture: Picture) -> str:
    numbers = "".join(f"<td{_RIGHT}>{plain(words)}</td>" for words, _ in cell.rows)
    inputs = [_input(link, picture) for link in picture.links if link.target == cell.key]
    return (
        f'<tr><th scope="row"><i>{plain(cell.name)}</i></th><td>{plain(cell.op or cell.kind)}</td>'
        f"{numbers}<td>{plain('; '.join(inputs))}</td></tr>"
    )


def _input(link: Link, picture: Picture) -> str:
    name = picture.cell(link.source).name
    if picture.show != "all":
        return name
    return f"to {name}: {link.local or 'not computed' if link.trained else 'not recorded'}"


def _name(node: Node) -> str:
    return node.name or f"{node.op if node.kind == 'operation' else 'leaf'} {node.key}"


def _equals(arrays: Sequence[object], before: str, wanted: bool = True) -> str:
    said = [content(array, None) for array in arrays if array is not None]  # type: ignore[arg-type]
    return before + ", ".join(s for s in said if s) if wanted and any(said) else ""


def listed(parts: Sequence[str]) -> str:
    """Join words as a sentence does."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
