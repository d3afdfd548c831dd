"""The engine's queue of nodes that are ready to run."""


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
