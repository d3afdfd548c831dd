"""The last stage of a trace: put what was read together as the nodes of a ``Graph``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from handgrad.graph.records import Edge, Node
from handgrad.tracing.constants import UNKNOWN
from handgrad.tracing.names import Words
from handgrad.tracing.notes import NO_NODE, Notes
from handgrad.tracing.reading import Reading
from handgrad.tracing.structure import Structure, described


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is known of single nodes besides their structure, by their numbers.

    Attributes:
        words: What the user calls the outputs.
        reading: Their numbers.
        lines: Where the nodes were recorded.
        modules: Whose parameters they use.
    """

    words: Words
    reading: Reading
    lines: Mapping[int, str]
    modules: Mapping[int, str]

    def renumbered(self, order: Sequence[int]) -> "Knowledge":
        """Give nodes whose numbers were not read their places in an order as their numbers."""
        key = {number: k for k, number in enumerate(order)}
        return replace(
            self,
            words={(key[number], output): words for (number, output), words in self.words.items()},
            lines={key[number]: line for number, line in self.lines.items()},
        )


@dataclass(frozen=True, slots=True)
class Arranged:
    """A structure and what is known of its nodes, made into nodes when they are asked for."""

    structure: Structure
    knowledge: Knowledge

    def __len__(self) -> int:
        return len(self.structure)

    def nodes(self) -> tuple[Node, ...]:
        """Make the nodes."""
        return tuple(_node(self.structure, key, self.knowledge) for key in range(len(self)))


@dataclass(frozen=True, slots=True)
class Unarranged:
    """The same of a graph whose nodes still have the numbers of their discovery."""

    notes: Notes
    knowledge: Knowledge

    def __len__(self) -> int:
        return len(self.notes)

    def nodes(self) -> tuple[Node, ...]:
        """Number the nodes as the engine runs them, and make them."""
        structure, order = described(self.notes)
        return Arranged(structure, self.knowledge.renumbered(order)).nodes()


def _node(structure: Structure, key: int, knowledge: Knowledge) -> Node:
    kind, outputs = structure.kinds[structure.kind[key]], structure.outputs(key)
    names = tuple(knowledge.words.get((key, number), ()) for number in range(len(outputs)))
    called = next(filter(None, names), ())
    reading = knowledge.reading
    derivatives = reading.derivatives.get(key)
    return Node(
        key=key,
        op=kind.op,
        recorded=kind.recorded,
        kind="leaf" if kind.leaf else "operation",
        name=called[0] if called else None,
        aliases=called[1:],
        names=names if len(outputs) > 1 and any(names) else (),
        outputs=outputs,
        values=reading.values.get(key, ()),
        gradients=derivatives.gradients if derivatives else (),
        edges=tuple(
            _edge(key, slot, *place, reading) for slot, place in enumerate(structure.edges(key))
        ),
        saved=reading.saved.get(key, kind.saved),
        line=knowledge.lines.get(key),
        module=knowledge.modules.get(key),
    )


def _edge(key: int, slot: int, source: int, output: int, reading: Reading) -> Edge:
    if source == NO_NODE:
        known = reading.constants.get((key, slot), UNKNOWN)
        return Edge(slot=slot, source=None, constant=known)
    derivatives = reading.derivatives.get(key)
    if derivatives is None:
        return Edge(slot=slot, source=source, output=output)
    local, *rest = derivatives.jacobians[slot]
    return Edge(
        slot=slot,
        source=source,
        output=output,
        local=local,
        rest=tuple(rest),
        flow=derivatives.flows[slot],
    )
