"""A live graph as plain integers, as a walk notes it."""

import math
from dataclasses import dataclass, field
from typing import Any

NO_NODE = -1
"""The source of PyTorch's ``(None, 0)`` edge."""


@dataclass(slots=True, kw_only=True)
class Notes:
    """What a walk notes, by the numbers in which it meets the nodes; 0 is the root.

    Attributes:
        names: Autograd's name and the type of each kind of node.
        forms: Each dtype, device and shape that occurs, in one tuple.
        kind: Of each node, the position in ``names``.
        form: Of each node, the position in ``forms``, or several for several outputs.
        minus: Of each node, minus the engine's priority.
        popped: The nodes in the order in which their edges were noted.
        first: Where the edges of each of these begin.
        source: Of each edge, the node that it leads to.
        output: Of each edge, which output of that node.
        leaf: The position in ``names`` of leaves, once there is one.
    """

    names: list[tuple[str, type]] = field(default_factory=list[tuple[str, type]])
    forms: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    kind: list[int] = field(default_factory=list[int])
    form: list[int | tuple[int, ...]] = field(default_factory=list[int | tuple[int, ...]])
    minus: list[int] = field(default_factory=list[int])
    popped: list[int] = field(default_factory=list[int])
    first: list[int] = field(default_factory=list[int])
    source: list[int] = field(default_factory=list[int])
    output: list[int] = field(default_factory=list[int])
    leaf: int | None = None

    def __len__(self) -> int:
        return len(self.kind)


def count_numbers(notes: Notes) -> int:
    """Count the numbers in all outputs of all nodes."""
    sizes = [math.prod(shape) for _, _, *shape in notes.forms]
    forms = ((form,) if isinstance(form, int) else form for form in notes.form)
    return sum(sizes[number] for several in forms for number in several)
