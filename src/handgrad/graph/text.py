"""A graph told as text and as a small table."""

from collections.abc import Sequence
from html import escape

from handgrad.graph.records import Array, Edge, Node, Spec

MOST = 6  # numbers shown of one array


def as_text(nodes: Sequence[Node], remarks: Sequence[str]) -> str:
    """One line a node: key, name, operation, shape, value, gradient, inputs."""
    rows = [_cells(node) for node in nodes]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    padded = (zip(row, widths, strict=True) for row in rows)
    lines = ["  ".join(cell.ljust(width) for cell, width in row).rstrip() for row in padded]
    return "\n".join([*lines, *remarks])


def as_html(nodes: Sequence[Node], remarks: Sequence[str]) -> str:
    """The same as a table with heads."""
    heads = ("node", "name", "operation", "shape", "value", "gradient", "inputs")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{cells[0]}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
        + "</tr>"
        for cells in map(_cells, nodes)
    )
    notes = "".join(f"<p>{escape(remark)}</p>" for remark in remarks)
    return (
        f'<table class="graph"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}'
    )


def number_text(array: Array | None) -> str:
    """Write the numbers to six digits, the first few of many; nothing for None."""
    if array is None:
        return ""
    shown = ", ".join(f"{value:.6g}" for value in array.data[:MOST])
    if not array.shape:
        return shown
    return f"[{shown}{', …' if len(array.data) > MOST else ''}]"


def page_text(array: Array | None) -> str:
    """Write a number for a page: four decimals and the true minus sign, where they can hold it."""
    if array is not None and not array.shape:
        value = array.data[0]
        if not isinstance(value, complex) and (not value or 5e-5 <= abs(value) < 1e5):
            return f"{value:.4f}".replace("-", "−")
    return number_text(array).replace("-", "−")


def _cells(node: Node) -> tuple[str, ...]:
    named = [name for names in node.names for name in names]
    named = named or [name for name in (node.name, *node.aliases) if name]
    return (
        str(node.key),
        ", ".join(named),
        "leaf" if node.kind == "leaf" else node.op,
        "; ".join(map(_shape, node.outputs)),
        _all(node.values),
        _all(node.gradients),
        ", ".join(map(_input, node.edges)),
    )


def _all(arrays: Sequence[Array | None]) -> str:
    return "; ".join(text for text in map(number_text, arrays) if text)


def _shape(spec: Spec) -> str:
    return f"{spec.dtype} {spec.shape}"


def _input(edge: Edge) -> str:
    local = f" (×{number_text(edge.local)})" if edge.local else ""
    if edge.source is not None:
        return f"{edge.source}{f'.{edge.output}' if edge.output else ''}{local}"
    known = edge.constant
    return (known and (known.name or number_text(known.value))) or "constant"
