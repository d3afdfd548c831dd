"""Walk a live graph once: its nodes in the engine's order, its structure as plain integers."""

from bisect import bisect_right
from dataclasses import dataclass
from heapq import heappop, heappush

from torch.autograd.graph import Node as LiveNode

from handgrad import _autograd
from handgrad._stack import ALWAYS_SAFE, safe_depth
from handgrad._structure import Kind, Structure
from handgrad.errors import GraphTooLargeError
from handgrad.records import Saved, Spec

LEAF = -_autograd.LEAF_SEQUENCE


@dataclass(slots=True, kw_only=True)
class Walk:
    """A walked graph: the live nodes by key, and their structure.

    Held for the time of one call only: the nodes keep all activations alive.
    """

    live: list[LiveNode]
    key: dict[LiveNode, int]
    structure: Structure


def walk(root: LiveNode, *, max_nodes: int | None = None) -> Walk:
    """Visit every node behind a root, in the order in which the engine would run them.

    Raises:
        GraphTooLargeError: If the graph is too deep for this thread's stack, or
            has more than ``max_nodes`` nodes; no more than that were touched.
    """
    found = _Discovery(root, max_nodes)
    found.run()
    return found.arranged(found.engine_order())


class _Discovery:
    """The walk's memory. Nodes have two numbers: ``j`` as found, later ``key`` as run."""

    def __init__(self, root: LiveNode, max_nodes: int | None) -> None:
        self.max_nodes = max_nodes
        self.live = [root]
        self.number = {root: 0}
        self.minus = [-_autograd.sequence(root)]  # the heap's priority, by j
        self.popped: list[int] = []  # operations as popped
        self.first: list[int] = []  # of each popped operation, where its edges begin
        self.source: list[int] = []
        self.output: list[int] = []
        self.leaf_last: dict[int, int] = {}  # a leaf's last edge: the engine runs it right after
        self.in_order = True  # every node was recorded after its inputs, by one counter

    def run(self) -> None:
        """Pop the most recently recorded node: all its consumers were recorded later.

        One long loop, because it is most of the time that a trace takes.
        """
        number, live, minus, leaf_last = self.number, self.live, self.minus, self.leaf_last
        source, output, first, popped = self.source, self.output, self.first, self.popped
        sequence, is_leaf = _autograd.sequence, _autograd.is_leaf
        depth, heap = [0], [(minus[0], 0)]
        limit, most = ALWAYS_SAFE, self.max_nodes or 1 << 62
        while heap:
            mine, j = heappop(heap)
            popped.append(j)
            first.append(len(source))
            deeper = depth[j] + 1
            if deeper > limit or len(live) > most or (len(live) > limit and not self.in_order):
                limit = self._allowed(deeper)
            for node, nr in live[j].next_functions:
                output.append(nr)
                if node is None:
                    source.append(-1)
                    continue
                k = number.get(node)
                if k is None:
                    k = number[node] = len(live)
                    live.append(node)
                    depth.append(deeper)
                    minus.append(-sequence(node))
                    if is_leaf(node):
                        leaf_last[k] = 0
                    else:
                        heappush(heap, (minus[k], k))
                elif depth[k] < deeper:
                    depth[k] = deeper
                if minus[k] <= mine:
                    if k in leaf_last:
                        leaf_last[k] = len(source)
                    else:
                        self.in_order = False
                source.append(k)
        first.append(len(source))

    def _allowed(self, depth: int) -> int:
        """Return the depth that this thread allows, or refuse the graph."""
        limit, most = safe_depth(), self.max_nodes
        depth, count = depth if self.in_order else len(self.live), len(self.live)
        if depth <= limit and (most is None or count <= most):
            return limit
        for held in (self.live, self.number):  # an error must not keep the graph alive
            held.clear()
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

    def engine_order(self) -> list[int]:
        """Return all ``j`` in the order in which the engine runs them."""
        if not self.in_order:
            return self._ready_order()
        order: list[int] = []
        done = 0
        for edge, leaf in sorted((edge, leaf) for leaf, edge in self.leaf_last.items()):
            runs = bisect_right(self.first, edge)  # the operations up to this edge's
            order += self.popped[done:runs]
            order.append(leaf)
            done = max(done, runs)
        return order + self.popped[done:]

    def _ready_order(self) -> list[int]:
        """Run the engine's own loop: of the nodes whose consumers are all done, the latest."""
        waiting = [0] * len(self.live)
        for k in self.source:
            if k >= 0:
                waiting[k] += 1
        place = {j: p for p, j in enumerate(self.popped)}
        order: list[int] = []
        heap, pushed = [(self.minus[0], 0, 0)], 0
        while heap:
            _, _, j = heappop(heap)
            order.append(j)
            if j not in place:
                continue
            for k in self.source[self.first[place[j]] : self.first[place[j] + 1]]:
                if k < 0:
                    continue
                waiting[k] -= 1
                if not waiting[k]:
                    pushed += 1
                    heappush(heap, (self.minus[k], pushed, k))
        return order

    def arranged(self, order: list[int]) -> Walk:
        """Renumber everything by key and read names and shapes."""
        place = {j: p for p, j in enumerate(self.popped)}
        key = [0] * len(order)
        for k, j in enumerate(order):
            key[j] = k
        key.append(-1)  # source -1, a constant, stays -1
        structure = Structure(kinds=[], specs=[])
        source, output, first = structure.source, structure.output, structure.first
        for j in order:
            first.append(len(source))
            p = place.get(j)
            if p is not None:
                part = slice(self.first[p], self.first[p + 1])
                source.extend([key[k] for k in self.source[part]])
                output.extend(self.output[part])
        first.append(len(source))
        live = [self.live[j] for j in order]
        _read(live, structure)
        return Walk(
            live=live, key={node: key[j] for node, j in self.number.items()}, structure=structure
        )


def _read(live: list[LiveNode], structure: Structure) -> None:
    """Read the name and the output shapes of each node; equal ones are kept once."""
    kinds: dict[str, int] = {}
    specs: dict[tuple[object, ...], int] = {}
    kind, spec, metadata = structure.kind, structure.spec, _autograd.metadata
    for node in live:
        name = node.name()
        number = kinds.get(name)
        if number is None:
            number = kinds[name] = len(kinds)
            structure.kinds.append(_kind(node))
        kind.append(number)
        numbers: list[int] = []
        for meta in metadata(node):
            facts = (meta.dtype, meta.device, *meta.shape)
            known = specs.get(facts)
            if known is None:
                known = specs[facts] = len(specs)
                structure.specs.append(spec_of(meta))
            numbers.append(known)
        spec.append(numbers[0] if len(numbers) == 1 else tuple(numbers))


def spec_of(meta: object) -> Spec:
    """Describe anything that has a shape, a dtype and a device."""
    shape, dtype, device = (getattr(meta, name) for name in ("shape", "dtype", "device"))
    return Spec(shape=tuple(shape), dtype=str(dtype).removeprefix("torch."), device=str(device))


def _kind(node: LiveNode) -> Kind:
    recorded = node.name().rsplit("::", 1)[-1]
    saved = _autograd.saved_names(type(node))
    return Kind(
        op=_op(recorded),
        recorded=recorded,
        leaf=_autograd.is_leaf(node),
        saved=tuple(
            Saved(name=name, kind="tensor" if tensors else "setting") for name, tensors in saved
        ),
    )


def _op(recorded: str) -> str:
    """Drop the suffix: ``MulBackward0`` is ``Mul``, a Function's ``MyFnBackward`` is ``MyFn``."""
    stem = recorded.rstrip("0123456789")
    return stem.removesuffix("Backward") or recorded
