"""The structure of a graph as plain integers, told out as nodes when asked for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handgrad.records import Constant, Edge, Node, Saved, Spec

UNKNOWN = Constant(kind="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all nodes of one recorded name share."""

    op: str
    recorded: str
    leaf: bool
    saved: tuple[Saved, ...]


@dataclass(slots=True, kw_only=True)
class Structure:
    """A graph as integers, in the order of its keys; ``nodes()`` tells it out.

    Edge ``e`` of node ``key`` has ``first[key] <= e < first[key + 1]``; a
    source of -1 is PyTorch's ``(None, 0)`` edge.
    """

    kinds: list[Kind]
    specs: list[Spec]
    kind: list[int] = field(default_factory=list[int])
    spec: list[int | tuple[int, ...]] = field(default_factory=list[int | tuple[int, ...]])
    first: list[int] = field(default_factory=list[int])
    source: list[int] = field(default_factory=list[int])
    output: list[int] = field(default_factory=list[int])
    facts: Mapping[int, Mapping[str, Any]] = field(default_factory=dict[int, Mapping[str, Any]])

    def __len__(self) -> int:
        return len(self.kind)

    def outputs(self, key: int) -> tuple[Spec, ...]:
        """Return shape and dtype of each output of a node."""
        spec = self.spec[key]
        return (self.specs[spec],) if isinstance(spec, int) else tuple(self.specs[i] for i in spec)

    def edges(self, key: int) -> list[tuple[int, int]]:
        """Return source and output of each edge of a node, by slot."""
        part = slice(self.first[key], self.first[key + 1])
        return list(zip(self.source[part], self.output[part], strict=True))

    def numbers(self) -> int:
        """Count the numbers in all outputs of all nodes."""
        return sum(math.prod(spec.shape) for key in range(len(self)) for spec in self.outputs(key))

    def nodes(self) -> tuple[Node, ...]:
        """Tell the structure out, with the facts known about single nodes."""
        return tuple(self._node(key) for key in range(len(self)))

    def _node(self, key: int) -> Node:
        kind = self.kinds[self.kind[key]]
        plain: dict[str, Any] = {
            "saved": kind.saved,
            "edges": tuple(
                Edge(slot=slot, source=source, output=output)
                if source >= 0
                else Edge(slot=slot, source=None, constant=UNKNOWN)
                for slot, (source, output) in enumerate(self.edges(key))
            ),
        }
        return Node(
            key=key,
            op=kind.op,
            recorded=kind.recorded,
            kind="leaf" if kind.leaf else "operation",
            outputs=self.outputs(key),
            **(plain | dict(self.facts.get(key, {}))),
        )
