"""The structure of a graph as plain integers, told out as nodes when asked for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handgrad.graph.records import Constant, Edge, Node, Saved, Spec
from handgrad.tracing import torch_private
from handgrad.tracing.ready import Ready

NO_NODE = -1
"""The source of PyTorch's ``(None, 0)`` edge."""

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
    """A graph as integers, one entry a node.

    The edges of node ``i`` are ``source[part[i]]``, by slot. Nodes are numbered
    as they were found, until ``arranged()`` numbers them as the engine runs them.

    Attributes:
        names: Autograd's name and the type of each kind of node.
        facts: Each dtype, device and shape that occurs, in one tuple.
        kind: Position in ``names``.
        spec: Position in ``facts``, or several for several outputs.
        popped: The nodes in the order in which their edges were noted.
        first: Where the edges of each of these begin.
        part: Where a node's edges are; filled when arranged.
        source: The node at each edge.
        output: Which output of that node.
        minus: Minus the engine's priority.
        leaf: The position in ``names`` of leaves, once there is one.
        is_arranged: Whether nodes are numbered as the engine runs them.
    """

    names: list[tuple[str, type]] = field(default_factory=list[tuple[str, type]])
    facts: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    kind: list[int] = field(default_factory=list[int])
    spec: list[int | tuple[int, ...]] = field(default_factory=list[int | tuple[int, ...]])
    popped: list[int] = field(default_factory=list[int])
    first: list[int] = field(default_factory=list[int])
    part: list[slice] = field(default_factory=list[slice])
    source: list[int] = field(default_factory=list[int])
    output: list[int] = field(default_factory=list[int])
    minus: list[int] = field(default_factory=list[int])
    leaf: int | None = None
    is_arranged: bool = False
    described: list[Kind] = field(default_factory=list[Kind])
    shapes: list[Spec] = field(default_factory=list[Spec])

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def specs(self) -> list[Spec]:
        """Describe each shape, dtype and device that occurs, in the order of ``facts``."""
        if not self.shapes:
            self.shapes[:] = [spec_of(*fact) for fact in self.facts]
        return self.shapes

    def outputs(self, number: int) -> tuple[Spec, ...]:
        """Return shape and dtype of each output of a node."""
        spec = self.spec[number]
        specs = self.specs
        return (specs[spec],) if isinstance(spec, int) else tuple(specs[i] for i in spec)

    def edges(self, number: int) -> list[tuple[int, int]]:
        """Return source and output of each edge of a node, by slot."""
        part = self.part[number]
        return list(zip(self.source[part], self.output[part], strict=True))

    @property
    def kinds(self) -> list[Kind]:
        """Describe each kind of node, in the order of ``names``."""
        if not self.described:
            self.described[:] = [_kind(name, type_) for name, type_ in self.names]
        return self.described

    def size(self) -> int:
        """Count the numbers in all outputs of all nodes."""
        return sum(math.prod(spec.shape) for i in range(len(self)) for spec in self.outputs(i))

    def _parts(self) -> list[slice]:
        """Say where each node's edges are, as far as they were noted."""
        parts = [slice(0)] * len(self)
        bounds = [*self.first, len(self.source)]
        for p, i in enumerate(self.popped):
            parts[i] = slice(bounds[p], bounds[p + 1])
        return parts

    def engine_order(self) -> list[int]:
        """Return the nodes in the order in which the engine runs them.

        Of the ready nodes it runs the one recorded last, leaves before all
        others. Leaves that become ready together are taken by slot; nothing
        depends on their order.
        """
        leaf, minus, part = self.leaf, self.minus, self._parts()
        operations = [i for i, kind in enumerate(self.kind) if kind != leaf]
        operations.sort(key=minus.__getitem__)
        if len({*map(minus.__getitem__, operations)}) < len(operations):
            return self._ready_order()  # recorded by several threads, which count alike
        last: dict[int, int] = {}  # of each leaf, the last operation that depends on it
        for p, i in enumerate(operations):
            mine = minus[i]
            for k in self.source[part[i]]:
                if k == NO_NODE:
                    continue
                if self.kind[k] == leaf:
                    last.pop(k, None)
                    last[k] = p
                elif minus[k] <= mine:  # recorded by several threads
                    return self._ready_order()
        order: list[int] = []
        done = 0
        for k, p in last.items():
            order += operations[done : p + 1]
            order.append(k)
            done = p + 1
        return order + operations[done:]

    def _ready_order(self) -> list[int]:
        """Run the engine's own loop, for graphs that several threads recorded."""
        waiting, part = [0] * len(self), self._parts()
        for k in self.source:
            if k != NO_NODE:
                waiting[k] += 1
        order: list[int] = []
        ready = Ready()
        ready.push(-self.minus[0], 0)
        while ready:
            i = ready.pop()
            order.append(i)
            for k in self.source[part[i]]:
                if k == NO_NODE:
                    continue
                waiting[k] -= 1
                if not waiting[k]:
                    ready.push(-self.minus[k], k)
        return order

    def depth(self) -> int:
        """Count the nodes of the longest path, as far as edges were noted."""
        depth, part = [1] * len(self), self._parts()
        for i in self.engine_order():
            deeper = depth[i] + 1
            for k in self.source[part[i]]:
                if k != NO_NODE and depth[k] < deeper:
                    depth[k] = deeper
        return max(depth)

    def arranged(self) -> tuple["Structure", list[int]]:
        """Number the nodes as the engine runs them; also return that order of old numbers."""
        order, part = self.engine_order(), self._parts()
        key = [0] * len(order)
        for k, i in enumerate(order):
            key[i] = k
        key.append(NO_NODE)  # found at -1, so that NO_NODE stays what it is
        new = Structure(
            names=self.names,
            facts=self.facts,
            leaf=self.leaf,
            kind=[self.kind[i] for i in order],
            spec=[self.spec[i] for i in order],
            part=[part[i] for i in order],
            source=[key[i] for i in self.source],
            output=self.output,
            is_arranged=True,
        )
        return new, order

    def nodes(self, facts: Mapping[int, Mapping[str, Any]]) -> tuple[Node, ...]:
        """Tell an arranged structure out, with what is known about single nodes."""
        kinds = self.kinds
        return tuple(
            self._node(key, kinds[kind], facts.get(key)) for key, kind in enumerate(self.kind)
        )

    def _node(self, key: int, kind: Kind, facts: Mapping[str, Any] | None) -> Node:
        fields: dict[str, Any] = {"saved": kind.saved}
        fields.update(facts or {})
        if "edges" not in fields:
            fields["edges"] = tuple(
                Edge(slot=slot, source=source, output=output)
                if source != NO_NODE
                else Edge(slot=slot, source=None, constant=UNKNOWN)
                for slot, (source, output) in enumerate(self.edges(key))
            )
        return Node(
            key=key,
            op=kind.op,
            recorded=kind.recorded,
            kind="leaf" if kind.leaf else "operation",
            outputs=self.outputs(key),
            **fields,
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """A structure and facts, told out once; facts are by the structure's numbers."""

    structure: Structure
    facts: Mapping[int, Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.structure)

    def nodes(self) -> tuple[Node, ...]:
        """Number the nodes as the engine runs them and tell them out."""
        if self.structure.is_arranged:
            return self.structure.nodes(self.facts)
        structure, order = self.structure.arranged()
        return structure.nodes({k: self.facts[i] for k, i in enumerate(order) if i in self.facts})


def spec_of(dtype: object, device: object, *shape: int) -> Spec:
    """Describe an output in plain words and numbers."""
    return Spec(shape=shape, dtype=str(dtype).removeprefix("torch."), device=str(device))


def _kind(name: str, type_: type) -> Kind:
    recorded = name.rpartition("::")[2]
    stem = recorded.rstrip("0123456789").removesuffix("Backward")
    saved = tuple(
        Saved(name=saved, kind="tensor" if tensors else "setting")
        for saved, tensors in torch_private.saved_names(type_)
    )
    return Kind(
        op=stem or recorded, recorded=recorded, leaf=name == torch_private.LEAF_NAME, saved=saved
    )
