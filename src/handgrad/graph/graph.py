"""What autograd recorded, as one frozen value: no tensors, no live nodes."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn, Protocol, Self

from handgrad.errors import InputError, KindError, TooManyPathsError
from handgrad.graph import paths
from handgrad.graph.json import node_from_plain, node_to_plain
from handgrad.graph.records import Array, Constant, Edge, Node, Number, Saved, Spec
from handgrad.graph.text import as_html, as_text

__all__ = ["Array", "Constant", "Edge", "Graph", "Node", "Number", "Saved", "Spec"]


class Columns(Protocol):
    """A compact record that can be told out as nodes."""

    def __len__(self) -> int: ...
    def nodes(self) -> tuple[Node, ...]: ...


class Graph:
    """A recorded graph: node 0 is the loss, keys follow the engine's order.

    Equal if all nodes and facts are equal; hashable; cannot be changed.

    Args:
        nodes: In the order of their keys, 0 first.
        output: Which output of node 0 the traced tensor is.
        detail: ``"values"`` if values, local derivatives and flows were read
            where they are small enough; ``"structure"`` if only shapes were.
        reason: Why there is only structure: ``"asked"``, ``"large"``,
            ``"freed"``, ``"mutated"``, ``"hooks"`` or ``"unsupported"``.
        remarks: What a reader of the numbers must know, in sentences.
        unplaced: Names given by the user for which no place was found.

    Raises:
        KindError: If ``nodes`` is no sequence of nodes.
        InputError: If keys are out of order or an edge leads to no node.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> [node.op for node in trace((w * 2.0 - 10.0) ** 2).nodes]
        ['Pow', 'Sub', 'Mul', 'AccumulateGrad']
    """

    __slots__ = ("_columns", "_nodes", "detail", "output", "reason", "remarks", "unplaced")

    output: int
    detail: Literal["values", "structure"]
    reason: str | None
    remarks: tuple[str, ...]
    unplaced: tuple[str, ...]
    _columns: Columns | None
    _nodes: tuple[Node, ...] | None

    def __init__(
        self,
        nodes: Sequence[Node],
        *,
        output: int = 0,
        detail: Literal["values", "structure"] = "values",
        reason: str | None = None,
        remarks: Sequence[str] = (),
        unplaced: Sequence[str] = (),
    ) -> None:
        _check(nodes)
        facts = (tuple(nodes), None, output, detail, reason, tuple(remarks), tuple(unplaced))
        self._fill(*facts)

    @classmethod
    def from_columns(cls, columns: Columns, **facts: Any) -> Self:
        """Keep a compact record and tell it out as nodes when they are first asked for."""
        graph = cls.__new__(cls)
        plain = {"output": 0, "detail": "structure", "reason": None, "remarks": (), "unplaced": ()}
        graph._fill(None, columns, *(plain | facts).values())
        return graph

    def _fill(self, *facts: Any) -> None:
        order = ("_nodes", "_columns", "output", "detail", "reason", "remarks", "unplaced")
        for name, fact in zip(order, facts, strict=True):
            object.__setattr__(self, name, fact)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, ``nodes[k].key == k``."""
        if self._nodes is None:
            assert self._columns is not None
            object.__setattr__(self, "_nodes", self._columns.nodes())
            object.__setattr__(self, "_columns", None)
        assert self._nodes is not None
        return self._nodes

    @property
    def root(self) -> Node:
        """The node that made the traced tensor."""
        return self.nodes[0]

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The nodes where gradients end in a tensor's ``.grad``."""
        return tuple(node for node in self.nodes if node.kind == "leaf")

    @property
    def edges(self) -> tuple[tuple[Node, Edge], ...]:
        """Every edge with the node that it belongs to, in the order of keys and slots."""
        return tuple((node, edge) for node in self.nodes for edge in node.edges)

    def node(self, name: str | int) -> Node:
        """Find a node by its name, an alias, or its key.

        Raises:
            InputError: If there is none; says which names there are.

        Example:
            >>> import torch
            >>> from handgrad import trace
            >>> w = torch.tensor(3.0, requires_grad=True)
            >>> trace(w * w).node("w").key
            1
        """
        return self.nodes[self.place(name)[0]]

    def place(self, name: str | int) -> tuple[int, int]:
        """Find the key and the output number that a name or a key stands for.

        Raises:
            InputError: If nothing has this name or key.
        """
        if isinstance(name, int) and not isinstance(name, bool):
            if not 0 <= name < len(self):
                raise InputError(
                    f"There is no node {name}: keys run from 0 (the loss) to {len(self) - 1}. "
                    "Print graph.to_text() to see them."
                )
            return name, self.output if name == 0 else 0
        for node in self.nodes:
            for output, names in enumerate(node.names):
                if name in names:
                    return node.key, output
            if isinstance(name, str) and (name == node.name or name in node.aliases):
                return node.key, self.output if node.key == 0 else 0
        raise self._unknown(name)

    def _unknown(self, name: object) -> InputError:
        every = (n for node in self.nodes for n in ((node.name or "", *node.aliases), *node.names))
        known = sorted({name for names in every for name in names if name})
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        if not isinstance(name, str):
            hint = f"A node is found by its name or its key, not by type {type(name).__name__}. "
        elif name in self.unplaced:
            hint = "It was given to trace(), but its tensor has no place in this graph. "
        return InputError(
            f"No node is called {name!r}. {hint}"
            + (f"Names here: {', '.join(known)}. " if known else "No node has a name. ")
            + 'Give names to trace(), as in trace(loss, names={"w": w}), or use a key.'
        )

    def paths_count(self, name: str | int) -> int:
        """Count the paths from the loss to a node, without listing them.

        Returns:
            An exact integer; two edges between the same nodes are two paths.

        Raises:
            InputError: If nothing has this name or key.

        Example:
            >>> import torch
            >>> from handgrad import trace
            >>> y = x = torch.tensor(1.0, requires_grad=True)
            >>> for _ in range(60):
            ...     y = y + y * 0.5
            >>> trace(y).paths_count("x") == 2**60
            True
        """
        return paths.count(self.nodes, self.place(name))

    def paths(self, name: str | int, *, max_paths: int = 1000) -> tuple[tuple[Edge, ...], ...]:
        """List the paths from the loss to a node, each as its edges, loss first.

        Returns:
            The paths in the order of their slots, the first slots first.

        Raises:
            TooManyPathsError: If there are more than ``max_paths``; nothing is listed then.
            InputError: If nothing has this name or key, or ``max_paths`` is no number.
        """
        place = self.place(name)
        count = self.paths_count(name)
        if count > paths.limit(max_paths):
            raise TooManyPathsError(
                f"{count} paths lead from the loss to {name!r}, more than max_paths={max_paths}. "
                "Their sum needs no list: peel(graph, wrt).nodewise adds at every node, as "
                "backward() does. Raise max_paths to list them all the same."
            )
        return paths.listed(self.nodes, (0, self.output), place)

    def to_text(self) -> str:
        """Tell the graph as text, one line a node, numbers to six digits."""
        return as_text(self.nodes, self.remarks)

    def _repr_html_(self) -> str:
        return as_html(self.nodes, self.remarks)

    def to_dict(self) -> dict[str, Any]:
        """Give the graph as strict JSON can hold it; ``from_dict`` reads it back, equal."""
        facts = {name: getattr(self, name) for name in ("output", "detail", "reason")}
        lists = {name: list(getattr(self, name)) for name in ("remarks", "unplaced")}
        return {"nodes": [node_to_plain(node) for node in self.nodes], **facts, **lists}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` gave.

        Raises:
            InputError: If a part is missing or does not fit the others.
        """
        try:
            facts = dict(plain)
            nodes = [node_from_plain(node) for node in facts.pop("nodes")]
            return cls(nodes, **facts)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"This is not what Graph.to_dict() gives ({type(error).__name__}: {error}). "
                "Write it anew with json.dumps(graph.to_dict())."
            ) from error

    def __len__(self) -> int:
        return len(self._columns if self._nodes is None else self._nodes)  # type: ignore[arg-type]

    def _key(self) -> tuple[Any, ...]:
        return self.nodes, self.output, self.detail, self.reason, self.remarks, self.unplaced

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Graph) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"A Graph cannot be changed (tried to set {name!r}).")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A Graph cannot be changed (tried to delete {name!r}).")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        leaves = ", ".join(node.name or f"node {node.key}" for node in self.leaves)
        return f"<Graph of {len(self)} nodes behind {self.root.op}; leaves: {leaves or 'none'}>"

    __str__ = to_text


def _check(nodes: Sequence[Node]) -> None:
    """Raise unless keys count from 0 and every edge leads to an output that exists."""
    if not isinstance(nodes, Sequence) or not all(isinstance(node, Node) for node in nodes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise KindError(
            f"A graph is made of Node values, in the order of their keys, but got "
            f"{type(nodes).__name__}. Call trace(loss) to get one."
        )
    if not nodes:
        raise InputError("A graph needs at least one node, the loss. Call trace(loss) to get one.")
    for key, node in enumerate(nodes):
        if node.key != key:
            raise InputError(
                f"Node number {key} has the key {node.key}. Give nodes in the order of their keys."
            )
        for edge in node.edges:
            if edge.source is None:
                continue
            if edge.source >= len(nodes):
                raise InputError(
                    f"Node {key} ({node.op}) depends on node {edge.source}, but there are only "
                    f"{len(nodes)} nodes. Add the missing node or drop the edge."
                )
