"""The second stage of a trace: describe what was noted, and number it as the engine runs it."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch.autograd.graph import Node as LiveNode

from handgrad.graph.records import Saved, Spec
from handgrad.tracing import torch_private
from handgrad.tracing.arrays import spec_of
from handgrad.tracing.discovery import Discovery, discover
from handgrad.tracing.engine import engine_order, parts
from handgrad.tracing.notes import NO_NODE, Notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all nodes of one recorded name share."""

    op: str
    recorded: str
    leaf: bool
    saved: tuple[Saved, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A graph as integers, one entry a node, numbered as the engine runs them.

    Attributes:
        kinds: What there is to say of each kind of node.
        specs: Each shape, dtype and device that occurs.
        kind: Position in ``kinds``.
        spec: Position in ``specs``, or several for several outputs.
        part: Where a node's edges are in ``source`` and ``output``, by slot.
        source: The node at each edge.
        output: Which output of that node.
        leaf: The position in ``kinds`` of leaves, if there is one.
    """

    kinds: Sequence[Kind]
    specs: Sequence[Spec]
    kind: Sequence[int]
    spec: Sequence[int | tuple[int, ...]]
    part: Sequence[slice]
    source: Sequence[int]
    output: Sequence[int]
    leaf: int | None

    def __len__(self) -> int:
        return len(self.kind)

    def outputs(self, key: int) -> tuple[Spec, ...]:
        """Return shape and dtype of each output of a node."""
        spec = self.spec[key]
        return (self.specs[spec],) if isinstance(spec, int) else tuple(self.specs[i] for i in spec)

    def edges(self, key: int) -> list[tuple[int, int]]:
        """Return source and output of each edge of a node, by slot."""
        part = self.part[key]
        return list(zip(self.source[part], self.output[part], strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walked graph: the live nodes, their keys, those of leaves, and the structure.

    Held for the time of one call only: the nodes keep all activations alive.
    """

    live: Sequence[LiveNode]
    key: dict[LiveNode, int]
    leaves: Sequence[int]
    structure: Structure


def walk(root: LiveNode) -> Walk:
    """Visit every node behind a root and number them as the engine runs them.

    Raises:
        GraphTooLargeError: As ``discover``.
    """
    return arranged(discover(root))


def arranged(discovery: Discovery) -> Walk:
    """Number discovered nodes as the engine runs them."""
    structure, order = described(discovery.notes)
    live = [discovery.live[number] for number in order]
    return Walk(
        live=live,
        key={node: key for key, node in enumerate(live)},
        leaves=[key for key, kind in enumerate(structure.kind) if kind == structure.leaf],
        structure=structure,
    )


def described(notes: Notes) -> tuple[Structure, list[int]]:
    """Return the structure in the engine's order, and that order of the noted numbers."""
    order, part = engine_order(notes), parts(notes)
    key = [0] * len(order)
    for k, number in enumerate(order):
        key[number] = k
    key.append(NO_NODE)  # found at -1, so that NO_NODE stays what it is
    structure = Structure(
        kinds=[_kind(name, type_) for name, type_ in notes.names],
        specs=[spec_of(*form) for form in notes.forms],
        kind=[notes.kind[number] for number in order],
        spec=[notes.form[number] for number in order],
        part=[part[number] for number in order],
        source=[key[number] for number in notes.source],
        output=notes.output,
        leaf=notes.leaf,
    )
    return structure, order


def _kind(name: str, type_: type) -> Kind:
    recorded = name.rpartition("::")[2]
    stem = recorded.rstrip("0123456789").removesuffix("Backward")
    return Kind(
        op=stem or recorded,
        recorded=recorded,
        leaf=name == torch_private.LEAF_NAME,
        saved=tuple(
            Saved(name=saved, kind="tensor" if tensors else "setting")
            for saved, tensors in torch_private.saved_names(type_)
        ),
    )
