"""What the ladder beside an onion says: one step for each layer, or for each path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handgrad.drawing.numbers import content, factor, number
from handgrad.graph.graph import Array, Graph
from handgrad.peeling.onion import Group, Layer, Onion, Path

MOST_PATHS = 12  # listed in a figure; what is left is added up in one line


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the ladder.

    ``amount`` is where its bar starts and ends, in the unit of the gradient;
    ``dash`` tells the bars of different paths apart without colour.
    """

    head: str
    sum: str
    amount: tuple[float, float] | None = None
    dash: int = 0


@dataclass(frozen=True, slots=True)
class Ring:
    """One layer of the onion: its name, the formula of its slope, the slope."""

    name: str
    formula: str
    local: str


def rings(onion: Onion, titles: Mapping[str, str]) -> list[Ring]:
    """Return the layers from the outside in, grouped if the onion is."""
    found: list[Ring] = []
    for part in onion.groups or onion.layers:
        name = part.name or (part.op if isinstance(part, Layer) else "")
        plain = part.op if isinstance(part, Layer) and part.name else ""
        found.append(Ring(name, titles.get(name, plain), factor_text(part.local)))
    return found


def layer_steps(onion: Onion, titles: Mapping[str, str]) -> list[Step]:
    """Return the running product, layer by layer."""
    parts = onion.groups or onion.layers
    before = "1.0000"
    steps = [Step("backward starts with", before, (0.0, 1.0))]
    for ring, part in zip(rings(onion, titles), parts, strict=True):
        head = f"{ring.name}: {ring.formula}" if ring.formula else ring.name
        after = factor_text(part.product)
        steps.append(Step(head, f"{before} × {_bracketed(part)} = {after}", _bar(part.product)))
        before = after
    return steps


def path_steps(onion: Onion, titles: Mapping[str, str], graph: Graph | None) -> list[Step]:
    """Return the paths one after another, each bar starting where the last one ended."""
    if not onion.paths:
        total = factor_text(onion.nodewise or onion.product)
        head = f"{onion.path_count} paths, added where they meet"
        return [Step(head, total, _bar(onion.nodewise or onion.product))]
    shown = onion.paths if len(onion.paths) <= MOST_PATHS else onion.paths[: MOST_PATHS - 1]
    steps: list[Step] = []
    at: float | None = 0.0
    for index, path in enumerate(shown):
        value = _real(path.product)
        end = None if at is None or value is None else at + value
        amount = None if at is None or end is None else (at, end)
        said = _factors(path, graph) + factor_text(path.product)
        steps.append(Step(_way(path, titles), said, amount, index))
        at = end
    if len(shown) < len(onion.paths):
        total, rest = _real(onion.product), len(onion.paths) - len(shown)
        amount = None if at is None or total is None else (at, total)
        steps.append(Step(f"and {rest} more paths", "", amount, len(shown)))
    if len(onion.paths) > 1:
        joined = f"{len(onion.paths)} paths together"
        steps.append(Step(joined, factor_text(onion.product), _bar(onion.product)))
    return steps


def arrival(onion: Onion) -> str:
    """Return the last line: what has arrived at the tensor."""
    return f"{onion.wrt}.grad = {factor_text(onion.gradient or onion.product)}"


def factor_text(array: Array | None) -> str:
    """Write a scalar as a number, anything larger as its size."""
    return "not formed" if array is None else content(array, None) or "()"


def _bracketed(part: Layer | Group) -> str:
    local = part.local
    return factor(local.data[0]) if local and len(local.data) == 1 else factor_text(local)


def _factors(path: Path, graph: Graph | None) -> str:
    """Write the local derivatives along a path, the outermost first."""
    if graph is None:
        return ""
    said: list[str] = []
    for key, slot in zip(path.nodes, path.slots, strict=False):
        edge = next(edge for edge in graph.nodes[key].edges if edge.slot == slot)
        if edge.local is None or len(edge.local.data) != 1:
            return ""
        said.append((factor if said else number)(edge.local.data[0]))
    return " × ".join(said) + " = " if len(said) > 1 else ""


def _way(path: Path, titles: Mapping[str, str]) -> str:
    called = zip(path.nodes, path.names, strict=True)
    return " ← ".join(titles.get(name, titles.get(str(key), name)) for key, name in called)


def _real(array: Array | None) -> float | None:
    if array is None or len(array.data) != 1 or isinstance(array.data[0], complex):
        return None
    value = float(array.data[0])
    return value if abs(value) < float("inf") else None  # nan and inf have no length


def _bar(array: Array | None) -> tuple[float, float] | None:
    value = _real(array)
    return None if value is None else (0.0, value)


def span(steps: Sequence[Step], *, signed: bool) -> tuple[float, float]:
    """Return the range that the bars share; 1 is in it, so that equal lengths mean equal."""
    ends = [end for step in steps if step.amount for end in step.amount]
    if signed:
        low, high = min([0.0, *ends]), max([0.0, *ends])
        return (low, high) if high > low else (0.0, 1.0)
    return 0.0, max([1.0, *map(abs, ends)])
