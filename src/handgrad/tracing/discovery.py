"""Walk a live graph once and note its structure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.autograd.graph import Node as LiveNode

from handgrad.errors import GraphTooLargeError, UnsupportedNodeError
from handgrad.tracing import torch_private
from handgrad.tracing.stack import ALWAYS_SAFE, safe_depth
from handgrad.tracing.structure import NO_NODE, Structure
from handgrad.tracing.torch_private import LEAF_NAME, metadata, sequence


@dataclass(slots=True, kw_only=True)
class Walk:
    """A walked graph: the live nodes, their numbers, and their structure.

    Held for the time of one call only: the nodes keep all activations alive.
    """

    live: list[LiveNode]
    key: dict[LiveNode, int]
    structure: Structure

    def leaves(self) -> list[int]:
        """List the numbers of the nodes where gradients end."""
        leaf = self.structure.leaf
        return [number for number, kind in enumerate(self.structure.kind) if kind == leaf]

    def arranged(self) -> "Walk":
        """Number the nodes as the engine runs them."""
        structure, order = self.structure.arranged()
        live = [self.live[i] for i in order]
        key = {node: k for k, node in enumerate(live)}
        return Walk(live=live, key=key, structure=structure)


def walk(root: LiveNode) -> Walk:
    """Visit every node behind a root and number them as the engine runs them.

    Raises:
        GraphTooLargeError: As ``discover``.
    """
    return discover(root).arranged()


def discover(root: LiveNode, *, max_nodes: int | None = None) -> Walk:
    """Visit every node behind a root; nodes are numbered as found, ``arranged()`` can wait.

    Raises:
        GraphTooLargeError: If the graph is too deep for this thread's stack, or
            has more than ``max_nodes`` nodes; not many more were touched.
        UnsupportedNodeError: If a nested tensor is among its outputs.
    """
    found = _Discovery(max_nodes)
    try:
        found.run(root)
    except RuntimeError as error:  # a nested tensor of the older kind has no shape at all
        raise _nested() from error
    return Walk(live=found.live, key=found.number, structure=found.structure)


def _nested() -> UnsupportedNodeError:
    return UnsupportedNodeError(
        "A nested tensor has no single shape, so its operations cannot be told of by their shapes. "
        "Compute the loss from the padded tensor, as in torch.nested.to_padded_tensor(x, 0.0), or "
        "from each part alone, x.unbind(), and trace that."
    )


class _Discovery:
    """The memory of a walk. Its loop is most of the time that a trace takes."""

    def __init__(self, max_nodes: int | None) -> None:
        self.max_nodes = max_nodes
        self.structure = Structure()
        self.live: list[LiveNode] = []
        self.number: dict[LiveNode, int] = {}
        self.kinds: dict[object, int] = {}
        self.facts: dict[tuple[Any, ...], int] = {}

    def run(self, root: LiveNode) -> None:
        """Go on from the node found last until none is left; each node is touched once."""
        structure, number, live, note = self.structure, self.number, self.live, self._notes()
        popped, first = structure.popped.append, structure.first.append
        source, output = structure.source.append, structure.output.append
        count = 0
        note(root)
        stack, enough = [0], self._room()
        while stack:
            i = stack.pop()
            popped(i)
            first(count)
            for node, nr in live[i].next_functions:
                count += 1
                output(nr)
                if node is None:
                    source(NO_NODE)
                    continue
                k = number.get(node)
                if k is None:
                    k = len(live)
                    if note(node) != structure.leaf:
                        stack.append(k)
                source(k)
            if len(live) > enough:
                enough = self._room()

    def _notes(self) -> Callable[[LiveNode], int]:
        """Return what notes a new node's name, priority and output shapes, and returns its kind.

        A function within a function, because it finds its names faster.
        """
        structure, number, live = self.structure, self.number, self.live
        add_live, add_kind, add_minus = live.append, structure.kind.append, structure.minus.append
        add_spec, known_spec, new_spec = structure.spec.append, self.facts.get, self._spec
        known_kind, new_kind = self.kinds.get, self._kind

        def note(node: LiveNode) -> int:
            kind = known_kind(type(node))
            if kind is None:
                kind = new_kind(node)
            number[node] = len(live)
            add_live(node)
            add_kind(kind)
            add_minus(-sequence(node))
            metas = metadata(node)
            if len(metas) == 1:
                (meta,) = metas
                facts = (meta.dtype, meta.device, *meta.shape)
                spec = known_spec(facts)
                add_spec(new_spec(facts) if spec is None else spec)
            else:
                several = [(meta.dtype, meta.device, *meta.shape) for meta in metas]
                add_spec(tuple(map(new_spec, several)))
            return kind

        return note

    def _spec(self, facts: tuple[Any, ...]) -> int:
        number = self.facts.setdefault(facts, len(self.facts))
        if any(type(length) is not int for length in facts[2:]):
            raise _nested()
        if number == len(self.structure.facts):
            self.structure.facts.append(facts)
        return number

    def _kind(self, node: LiveNode) -> int:
        """Number a kind of node: one per type, but generic types have nodes of many names."""
        name = node.name()
        kind = self.kinds.get(name)
        if kind is None:
            kind = self.kinds[name] = len(self.structure.names)
            self.structure.names.append((name, type(node)))
            if name == LEAF_NAME:
                self.structure.leaf = kind
        if not torch_private.is_generic(node):
            self.kinds[type(node)] = kind
        return kind

    def _room(self) -> int:
        """Return how many nodes may be touched before this must be asked again.

        A path gets longer by at most one with each node, so that with room for
        so many more nothing can go wrong; how long it is, only integers say.
        """
        count, most = len(self.live), self.max_nodes
        limit = safe_depth() if count > ALWAYS_SAFE else ALWAYS_SAFE
        depth = self.structure.depth() if count > limit else count
        if depth <= limit and (most is None or count <= most):
            room = count + limit - depth
            return room if most is None else min(room, most)
        if depth > limit:
            raise GraphTooLargeError(
                f"The graph is more than {limit} operations deep, and this thread's stack is too "
                "small to free a deeper one once Python has looked at its nodes (torch would "
                "crash). Build, trace and drop it in a thread with a larger stack: "
                "threading.stack_size(512 * 1024**2), then threading.Thread(target=...)."
            )
        raise GraphTooLargeError(
            f"The graph has more than max_nodes={most} nodes. Trace a smaller loss, or raise "
            "max_nodes."
        )
