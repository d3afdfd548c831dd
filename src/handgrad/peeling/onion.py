"""The chain rule of one gradient, layer by layer, as frozen plain data."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from handgrad.graph.records import Array
from handgrad.graph.text import number_text, page_text

LAYOUT = (
    "d(output)/d(input): the output's axes first, then the input's, row-major; outer layer left"
)
FAR = 4096
"""Where all that is left is rounding, a distance of so many ulps is not told."""

Writer = Callable[[Array | None], str]
HEADS = ("layer", "operation", "local derivative", "product so far", "flow", "ulps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One operation on the way from the loss to ``wrt``.

    Attributes:
        node: Key of the operation.
        name: What the user calls its output.
        op: Autograd's name of it, such as ``"Mul"``.
        slot: Which of its inputs the way goes through.
        local: d(its output)/d(that input).
        product: d(loss)/d(that input), as the product of this and all outer layers.
        flow: The same as the engine computes it, with the engine's bits.
        ulps: How far the two are apart; None where one is missing, or nan and the other not.
    """

    node: int
    name: str | None
    op: str
    slot: int
    local: Array | None
    product: Array | None
    flow: Array | None
    ulps: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Neighbouring layers seen as one, such as "loss" or "affine".

    Attributes:
        name: As given to ``peel``.
        layers: Positions in ``Onion.layers``.
        local: The product of their local derivatives.
        product: The product of this and all outer groups.
        flow: The engine's gradient behind the group's last layer.
        ulps: Distance of ``product`` and ``flow``.
    """

    name: str
    layers: tuple[int, ...]
    local: Array | None
    product: Array | None
    flow: Array | None
    ulps: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One way from the loss to ``wrt``.

    Attributes:
        nodes: Keys, from the loss to ``wrt``.
        names: What each is called: by the user, else its operation, such as ``"Mul"``.
        slots: For each node but the last, the input that the way goes through.
        product: The product of the local derivatives; None where one is missing.
    """

    nodes: tuple[int, ...]
    names: tuple[str, ...]
    slots: tuple[int, ...]
    product: Array | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Onion:
    """The gradient of the loss by one tensor, taken apart.

    Attributes:
        wrt: Name of the tensor, or ``"node 7"``.
        layers: From the loss inwards, if exactly one path leads to ``wrt``.
        groups: Neighbouring layers taken together, if asked for.
        path_count: How many paths there are, exactly.
        paths: All of them, unless there are more than were allowed.
        gradient: The flow, which is ``.grad`` bit for bit; None if the traced
            tensor is not a single real number.
        product: The sum over all paths of the products of local derivatives.
        nodewise: The same sum, added at every node as reverse mode does.
        ulps: Distance of ``product`` and ``gradient``.
        same_bits: Whether they are equal to the last bit.
        cancelled: How large the terms are, if all that is left of them in ``product`` and
            ``gradient`` is rounding, so that no distance of the two means anything.
        layout: How the axes of Jacobians are laid out.
    """

    wrt: str
    layers: tuple[Layer, ...]
    groups: tuple[Group, ...]
    path_count: int
    paths: tuple[Path, ...]
    gradient: Array | None
    product: Array | None
    nodewise: Array | None
    ulps: int | None
    same_bits: bool | None
    cancelled: float | None = None
    layout: str = LAYOUT

    def to_text(self) -> str:
        """Tell the onion as text: its layers, or its paths and their sum."""
        heads, rows = self._table()
        table = [heads, *rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n".join([*lines, self._sum()])

    __str__ = to_text

    def _repr_html_(self) -> str:
        heads, rows = self._table(page_text)
        words = 2 if self.layers else 1  # columns before the numbers
        right = ["" if i < words else ' class="r"' for i in range(len(heads))]
        head = "".join(
            f'<th scope="col"{side}>{escape(text)}</th>'
            for text, side in zip(heads, right, strict=True)
        )
        body = "".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(
                f"<td{side}>{escape(cell)}</td>" for cell, side in zip(rest, right[1:], strict=True)
            )
            + "</tr>"
            for first, *rest in rows
        )
        return (
            f'<table class="onion"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            f"<p>{escape(self._sum(page_text))}</p>"
        )

    def _table(self, write: Writer = number_text) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        if self.layers:
            rounded = self.cancelled is not None
            return HEADS, [_row(layer, write, rounded=rounded) for layer in self.layers]
        rows = [(" → ".join(path.names), write(path.product)) for path in self.paths]
        return ("path", "product of local derivatives"), rows

    def _sum(self, write: Writer = number_text) -> str:
        ways = "1 path" if self.path_count == 1 else f"{self.path_count} paths"
        listed = "" if self.paths else ", too many to list"
        found = write(self.product) or "not formed"
        text = f"d loss / d {self.wrt}: {ways}{listed}; sum of products {found}"
        if self.gradient is None:
            return text
        if self.cancelled is not None:
            left = f"terms of up to {self.cancelled:.6g} cancel, and both are rounding errors"
            return f"{text}; flow {write(self.gradient)}; {left}"
        bits = "same bits" if self.same_bits else f"{self.ulps} ulp{'s' * (self.ulps != 1)} apart"
        bits = bits if self.ulps is not None else "no distance"
        return f"{text}; flow {write(self.gradient)}; {bits}"


def _row(layer: Layer, write: Writer, *, rounded: bool) -> tuple[str, ...]:
    far = rounded and layer.ulps is not None and layer.ulps >= FAR
    return (
        layer.name or f"node {layer.node}",
        layer.op,
        write(layer.local),
        write(layer.product),
        write(layer.flow),
        "rounding" if far else "" if layer.ulps is None else str(layer.ulps),
    )
