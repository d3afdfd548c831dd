"""The order in which the engine runs the nodes of a graph, and how deep the graph is."""

from handgrad.tracing.notes import NO_NODE, Notes


def parts(notes: Notes) -> list[slice]:
    """Say where each node's edges are, as far as they were noted."""
    found = [slice(0)] * len(notes)
    bounds = [*notes.first, len(notes.source)]
    for position, number in enumerate(notes.popped):
        found[number] = slice(bounds[position], bounds[position + 1])
    return found


def engine_order(notes: Notes) -> list[int]:
    """Return the nodes in the order in which the engine runs them.

    Of the ready nodes it runs the one recorded last, leaves before all
    others. Leaves that become ready together are taken by slot; nothing
    depends on their order.
    """
    leaf, minus, part = notes.leaf, notes.minus, parts(notes)
    operations = [number for number, kind in enumerate(notes.kind) if kind != leaf]
    operations.sort(key=minus.__getitem__)
    if len({*map(minus.__getitem__, operations)}) < len(operations):
        return _ready_order(notes)  # recorded by several threads, which count alike
    last: dict[int, int] = {}  # of each leaf, the last operation that depends on it
    for position, number in enumerate(operations):
        mine = minus[number]
        for source in notes.source[part[number]]:
            if source == NO_NODE:
                continue
            if notes.kind[source] == leaf:
                last.pop(source, None)
                last[source] = position
            elif minus[source] <= mine:  # recorded by several threads
                return _ready_order(notes)
    order: list[int] = []
    done = 0
    for number, position in last.items():
        order += operations[done : position + 1]
        order.append(number)
        done = position + 1
    return order + operations[done:]


def _ready_order(notes: Notes) -> list[int]:
    """Run the engine's own loop, for graphs that several threads recorded."""
    waiting, part = [0] * len(notes), parts(notes)
    for source in notes.source:
        if source != NO_NODE:
            waiting[source] += 1
    order: list[int] = []
    ready = Ready()
    ready.push(-notes.minus[0], 0)
    while ready:
        number = ready.pop()
        order.append(number)
        for source in notes.source[part[number]]:
            if source == NO_NODE:
                continue
            waiting[source] -= 1
            if not waiting[source]:
                ready.push(-notes.minus[source], source)
    return order


def depth(notes: Notes) -> int:
    """Count the nodes of the longest path, as far as edges were noted."""
    depths, part = [1] * len(notes), parts(notes)
    for number in engine_order(notes):
        deeper = depths[number] + 1
        for source in notes.source[part[number]]:
            if source != NO_NODE and depths[source] < deeper:
                depths[source] = deeper
    return max(depths)


class Ready:
    """A heap that gives the highest priority first, and equal ones as the engine's does.

    Several threads number their nodes each from 0, so priorities can be equal. Which
    comes first is then a matter of how ``std::priority_queue`` moves its entries, and
    the order in which gradients are added depends on it.

    Source:
        ``std::push_heap`` and ``std::pop_heap`` of the GNU C++ library, ``bits/stl_heap.h``.

    Example:
        >>> ready = Ready()
        >>> for number, priority in enumerate((1, 1, 1, 2)):
        ...     ready.push(priority, number)
        >>> [ready.pop() for _ in range(4)]
        [3, 2, 0, 1]
    """

    def __init__(self) -> None:
        self.heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.heap)

    def push(self, priority: int, item: int) -> None:
        """Add an item."""
        self.heap.append((priority, item))
        self._rise(len(self.heap) - 1, (priority, item))

    def pop(self) -> int:
        """Take the item of the highest priority out."""
        heap = self.heap
        top, last = heap[0], heap.pop()
        hole, count = 0, len(heap)
        while (right := 2 * hole + 2) < count:
            child = right - 1 if heap[right][0] < heap[right - 1][0] else right
            heap[hole] = heap[child]
            hole = child
        if right == count:  # a left child alone
            heap[hole] = heap[right - 1]
            hole = right - 1
        if count:
            self._rise(hole, last)
        return top[1]

    def _rise(self, hole: int, entry: tuple[int, int]) -> None:
        heap = self.heap
        while hole and heap[(hole - 1) // 2][0] < entry[0]:
            heap[hole] = heap[(hole - 1) // 2]
            hole = (hole - 1) // 2
        heap[hole] = entry
