"""What autograd recorded, as frozen plain data: no tensors, no live nodes."""

from dataclasses import dataclass
from typing import Literal

Number = float | complex


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """Numbers with a shape, row-major; ``shape == ()`` is a single number."""

    shape: tuple[int, ...]
    dtype: str
    data: tuple[Number, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Shape, dtype and device of one output of an operation."""

    shape: tuple[int, ...]
    dtype: str
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One thing an operation keeps for its backward rule."""

    name: str
    kind: str
    spec: Spec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """What stands at the end of PyTorch's ``(None, 0)`` edge, as far as it can be known."""

    kind: Literal["frozen", "data", "unknown"]
    name: str | None = None
    value: Array | None = None
    spec: Spec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One dependence of a node's output on one of its inputs.

    ``slot`` is the input position, so ``x * x`` has two edges to ``x``, not one.
    """

    slot: int
    source: int | None
    output: int = 0
    constant: Constant | None = None
    local: Array | None = None
    flow: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation or leaf recorded by autograd, without the live object."""

    key: int
    op: str
    recorded: str
    kind: Literal["operation", "leaf"]
    name: str | None = None
    aliases: tuple[str, ...] = ()
    outputs: tuple[Spec, ...] = ()
    values: tuple[Array | None, ...] = ()
    gradients: tuple[Array | None, ...] = ()
    edges: tuple[Edge, ...] = ()
    saved: tuple[Saved, ...] = ()
    line: str | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """A recorded graph: node 0 is the loss, keys follow the engine's order."""

    nodes: tuple[Node, ...]
