"""The parts of a graph, as frozen plain data: arrays, edges, nodes."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from handgrad.errors import InputError

Number = float | complex


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """Numbers with a shape, row-major; ``shape == ()`` is a single number.

    Attributes:
        shape: One length per axis.
        dtype: As torch calls it, without the prefix, such as ``"float32"``.
        data: All numbers, the last axis running fastest.

    Raises:
        InputError: If ``data`` does not hold as many numbers as ``shape`` says.

    Example:
        >>> Array(shape=(2, 2), dtype="float32", data=(1.0, 2.0, 3.0, 4.0)).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """

    shape: tuple[int, ...]
    dtype: str
    data: tuple[Number, ...]

    def __post_init__(self) -> None:
        if math.prod(self.shape) != len(self.data):
            raise InputError(
                f"An array of shape {self.shape} holds {math.prod(self.shape)} numbers, but "
                f"{len(self.data)} were given. Give one number per position, row by row."
            )

    def __eq__(self, other: object) -> bool:
        """Compare shape, dtype and numbers; nan is equal to nan."""
        if not isinstance(other, Array):
            return NotImplemented
        mine, theirs = (self.shape, self.dtype), (other.shape, other.dtype)
        return mine == theirs and (
            self.data == other.data or tuple(map(_word, self.data)) == tuple(map(_word, other.data))
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype, tuple(map(_word, self.data))))

    def item(self) -> Number:
        """Return the only number.

        Raises:
            InputError: If there is not exactly one.

        Example:
            >>> Array(shape=(), dtype="float32", data=(22.0,)).item()
            22.0
        """
        if len(self.data) != 1:
            raise InputError(
                f"This array has {len(self.data)} numbers (shape {self.shape}), so there is no "
                "single one to return. Use .tolist(), or .data for the flat numbers."
            )
        return self.data[0]

    def tolist(self) -> Any:
        """Return the numbers as lists in lists, one level per axis; a bare number for ``()``."""
        rows: list[Any] = list(self.data)
        for axis in range(len(self.shape) - 1, -1, -1):
            length, count = self.shape[axis], math.prod(self.shape[:axis])
            rows = [rows[i * length : (i + 1) * length] for i in range(count)]
        return rows[0]


def _word(number: Number) -> Number | str:
    """Give nan, which is unequal to itself and has many hashes, as a word."""
    return number if number == number else str(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Shape, dtype and device of one output of an operation."""

    shape: tuple[int, ...]
    dtype: str
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One thing an operation keeps for its backward rule.

    Attributes:
        name: As autograd calls it, without ``_saved_``, such as ``"other"``.
        kind: ``"tensor"``, ``"tensors"`` or ``"setting"`` (an exponent, a size).
        spec: Shape and dtype of a tensor, if it was looked at.
        setting: A setting's value as text, if it was looked at.
    """

    name: str
    kind: str
    spec: Spec | None = None
    setting: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """What stands at the end of PyTorch's ``(None, 0)`` edge, as far as it can be known.

    Autograd forgets which tensor it was, so this is evidence, not memory.

    Attributes:
        kind: ``"frozen"``: a tensor known by name that requires no gradient;
            ``"data"``: its numbers are known, not its name; ``"unknown"``.
        name: The tensor's name.
        value: Its numbers, if there are few.
        spec: Its shape and dtype.
        evidence: ``"saved"``: the operation kept this very tensor; ``"fits"``:
            of the tensors known by name it alone gives the recorded result;
            ``"none"``.
    """

    kind: Literal["frozen", "data", "unknown"]
    name: str | None = None
    value: Array | None = None
    spec: Spec | None = None
    evidence: Literal["saved", "fits", "none"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One dependence of a node's output on one of its inputs.

    ``slot`` is the input position, so ``x * x`` has two edges to ``x``, not one.

    Attributes:
        slot: Position among the operation's differentiable inputs.
        source: Key of the node that made the input; None for a constant.
        output: Which output of that node.
        constant: What is known about a constant input.
        local: Jacobian d(output)/d(input) of this one operation, with shape
            ``output.shape + input.shape`` (``()`` for scalars), at the recorded
            values; of the operation's output 0 if it has several.
        rest: The same for outputs 1, 2, ...
        flow: The gradient of the loss that this operation sends back here, in
            the shape of the input.
    """

    slot: int
    source: int | None
    output: int = 0
    constant: Constant | None = None
    local: Array | None = None
    rest: tuple[Array | None, ...] = ()
    flow: Array | None = None

    def local_of(self, output: int) -> Array | None:
        """Return the local derivative of the operation's given output."""
        return self.local if output == 0 else self.rest[output - 1] if self.rest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation or leaf recorded by autograd, without the live object.

    Attributes:
        key: Position in the order in which the engine runs the nodes; 0 is the
            loss, and every key is smaller than those of the node's inputs.
        op: Autograd's name without its suffix, for example ``"Mul"``.
        recorded: Autograd's full name, ``"MulBackward0"``.
        kind: ``"leaf"`` where the gradient ends in a tensor's ``.grad``.
        name: What the user calls the output (the first that has a name).
        aliases: Further names of the same tensor, sorted.
        names: All names of each output, sorted, if there are several outputs.
        outputs: One entry per output.
        values: The forward value of each output, where it is known.
        gradients: The gradient of the loss at each output, as it arrives.
        edges: One entry per differentiable input, ordered by slot.
        saved: What the operation keeps for its backward rule.
        line: File and line that recorded it, if anomaly mode was on.
        module: The module whose parameters it uses, if names came from one.
    """

    key: int
    op: str
    recorded: str
    kind: Literal["operation", "leaf"]
    name: str | None = None
    aliases: tuple[str, ...] = ()
    names: tuple[tuple[str, ...], ...] = ()
    outputs: tuple[Spec, ...] = ()
    values: tuple[Array | None, ...] = ()
    gradients: tuple[Array | None, ...] = ()
    edges: tuple[Edge, ...] = ()
    saved: tuple[Saved, ...] = ()
    line: str | None = None
    module: str | None = None

    def __post_init__(self) -> None:
        bad = [e.source for e in self.edges if e.source is not None and e.source <= self.key]
        if bad:
            raise InputError(
                f"Node {self.key} ({self.op}) depends on node {bad[0]}, but keys must grow away "
                f"from the loss (expected a key > {self.key}). Number the nodes in the order in "
                "which the engine runs them before building them."
            )
