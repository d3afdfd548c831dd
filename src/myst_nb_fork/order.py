"""In which order pages are read: Sphinx gives each parallel reader a run of the list."""

from __future__ import annotations

from collections.abc import Mapping

from sphinx.util.parallel import make_chunks


def spread(names: list[str], work: Mapping[str, float], readers: int) -> list[str]:
    """Return the names in an order that gives every reader about the same work.

    In the order of their names all chapters fall to one reader, and the pages that
    run nothing to the other.

    Args:
        names: The pages, in the order of their names.
        work: What each page takes, in any unit; 0 for a page not in it.
        readers: How many read at once.

    Example:
        >>> spread(["a", "b", "c", "d"], {"a": 3.0, "b": 2.0, "c": 2.0}, 2)
        ['a', 'd', 'b', 'c']
    """
    shares = [len(chunk) for chunk in make_chunks(names, readers)]
    taken: list[list[str]] = [[] for _ in shares]
    loads = [0.0] * len(shares)
    for name in sorted(names, key=lambda name: -work.get(name, 0.0)):
        free = [i for i, share in enumerate(shares) if len(taken[i]) < share]
        least = min(free, key=lambda i: loads[i])
        taken[least].append(name)
        loads[least] += work.get(name, 0.0)
    return [name for chunk in taken for name in sorted(chunk)]
