"""What is found in the graph of one loss: where tensors stand, what flows, where it dies."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from torch.nn.parameter import is_lazy

from handgrad.diagnosing import flow as _flow
from handgrad.diagnosing.flow import Flow, Origin, Origins, Place, Visit
from handgrad.diagnosing.measures import are_equal, is_broken, is_nan, is_zero, size, uneven
from handgrad.diagnosing.memory import Map
from handgrad.diagnosing.naming import Known, shortest
from handgrad.diagnosing.opaque import closed_nodes, may_return_none, wrapper
from handgrad.diagnosing.saved import SavedTensors
from handgrad.diagnosing.slopes import CARRIERS
from handgrad.errors import HandgradError
from handgrad.tracing import lines, rules, torch_private
from handgrad.tracing.notes import NO_NODE
from handgrad.tracing.structure import Walk
from handgrad.tracing.torch_private import Gradient

_WORDS = {"target": "labels", "indices": "index", "mask": "mask", "condition": "condition"}


@dataclass(frozen=True, slots=True)
class Own:
    """A tensor that a module keeps and that stands in the graph with a history."""

    name: str
    place: Place


NOISE = 64.0
"""What is left of numbers that cancel is rounding, up to so many epsilons of their size."""


class Findings:
    """The graph of one loss, walked once, and swept when something asks for it.

    Held for the time of one diagnosis: it keeps live nodes.
    """

    def __init__(
        self,
        loss: torch.Tensor,
        walk: Walk,
        subjects: Sequence[torch.Tensor],
        known: Known,
        *,
        run_my_code: bool,
    ) -> None:
        self.loss = loss
        self.walk = walk
        self.known = known
        self.kept = SavedTensors(walk)
        self.subjects = frozenset(walk.key[t.grad_fn] for t in subjects if t.grad_fn in walk.key)
        self.leaves = {id(torch_private.variable(walk.live[key])): key for key in walk.leaves}
        self.run_my_code = run_my_code

    # Where tensors stand, and what they are called

    def place(self, tensor: torch.Tensor) -> Place | None:
        """Find a tensor in the graph, by identity; of an operation's results, those in use."""
        place = self._anywhere(tensor)
        return place if place is None or place[0] in self._leaf_keys else self._used(place)

    def _anywhere(self, tensor: torch.Tensor) -> Place | None:
        node = self._maker(tensor)
        if node is None:
            key = self.leaves.get(id(tensor))
            return None if key is None else (key, 0)
        key = self.walk.key.get(node)
        return None if key is None else (key, tensor.output_nr)

    def _used(self, place: Place) -> Place | None:
        return place if place in self._in_use else None

    @staticmethod
    def _maker(tensor: torch.Tensor) -> Any:
        try:
            return tensor.grad_fn
        except RuntimeError:  # a view that lost its history
            return None

    def maker(self, tensor: torch.Tensor) -> int | None:
        """Return the operation of the graph that made a tensor, in use or not."""
        node = self._maker(tensor)
        return self.walk.key.get(node) if node is not None else None

    @cached_property
    def _leaf_keys(self) -> frozenset[int]:
        return frozenset(self.leaves.values())

    @cached_property
    def _in_use(self) -> frozenset[Place]:
        structure = self.walk.structure
        edges = zip(structure.source, structure.output, strict=True)
        return frozenset(((0, self.loss.output_nr), *edges))

    @cached_property
    def names(self) -> Mapping[Place, str]:
        """Name the places at which tensors stand that the caller has a name for."""
        found: dict[Place, list[str]] = {}
        for name, tensor in self.known:
            place = self._anywhere(tensor)
            if place is not None:
                found.setdefault(place, []).append(name)
        return {place: shortest(names) for place, names in found.items()}

    def name_of(self, key: int) -> str | None:
        """Return what the caller calls a node's output, if it has one name."""
        names = [name for (where, _), name in self.names.items() if where == key]
        return names[0] if len(names) == 1 else None

    def input_name(self, origin: Origin) -> str | None:
        """Return what the caller calls the tensor that an operation takes in a slot."""
        if origin.slot is None:
            return None
        return self.names.get(self.walk.structure.edges(origin.key)[origin.slot])

    def called(self, tensor: torch.Tensor) -> str | None:
        """Return what the caller calls a saved tensor: by identity, by place, or by memory."""
        if (name := self.known.called(tensor)) is not None:
            return name
        place = self._anywhere(tensor)
        return self.names.get(place) if place is not None else self._same_memory(tensor)

    def zero_factor(self, origin: Origin) -> tuple[str, torch.Tensor] | None:
        """Return a saved tensor of zeros other than the input itself, if just one has a name."""
        found: list[tuple[str, torch.Tensor]] = []
        key, slot = origin.key, origin.slot
        mine = None if slot is None else self.walk.structure.edges(key)[slot]
        for word in self.kept.names(key):
            for tensor in self.kept.tensors(key, word):
                if self._anywhere(tensor) == mine or not is_zero(tensor):
                    continue
                name = self.called(tensor) or self._viewed(tensor)
                if name is not None:
                    known = next((t for n, t in self.known if n == name), tensor)
                    found.append((name, known))
        return found[0] if len(found) == 1 else None

    def _viewed(self, tensor: torch.Tensor) -> str | None:
        """Name the tensor of which a saved one is a transposed or reshaped view."""
        base = torch_private.base(tensor)
        return None if base is None else self.called(base)

    def op(self, key: int) -> str:
        """Return an operation's short name."""
        return self.kept.op(key)

    def line(self, key: int) -> str | None:
        """Return the line that recorded a node, if anomaly mode was on then."""
        return lines.line(torch_private.traceback(self.walk.live[key]))

    def describe(self, key: int) -> str:
        """Name a node so that a reader finds it in the program, or else in a traced graph."""
        structure = self.walk.structure
        kind = structure.kinds[structure.kind[key]]
        name, line = self.name_of(key), self.line(key)
        where = f"recorded at {line}" if line else ""
        if kind.leaf:
            shape = str(structure.outputs(key)[0].shape)
            return name or f"a leaf (node {key} of trace, shape {shape})"
        if name:
            return f"the {kind.op} that made {name}{f' ({where})' if where else ''}"
        shapes = ", ".join(str(spec.shape) for spec in structure.outputs(key))
        where = f", {where}" if where else ""
        return f"{kind.op} (node {key} of trace, {kind.recorded}, output {shapes}{where})"

    # What cannot be looked into

    @cached_property
    def closed(self) -> Mapping[int, HandgradError]:
        """Say which operations are not to be asked, and why."""
        return closed_nodes(self.walk, self.kept, run_my_code=self.run_my_code)

    @cached_property
    def hiding(self) -> list[int]:
        """List the operations that may have used tensors which no edge leads to."""
        return [key for key, node in enumerate(self.walk.live) if torch_private.is_python(node)]

    # What flows

    def _visits(self) -> Iterator[Visit]:
        return _flow.visits(self.walk, self.loss, self.closed, {})

    @cached_property
    def flow(self) -> Flow:
        """Send a gradient of one from the loss to the leaves, outside the engine."""
        refusals: dict[int, HandgradError] = {}
        found = _flow.visits(self.walk, self.loss, self.closed, refusals)
        flow = _flow.measured(found, self.walk, self.subjects)
        flow.refusals = refusals
        return flow

    def refusal(self, key: int) -> HandgradError | None:
        """Say why the gradient at a node is not known; None if it is."""
        blocked = self.flow.blocked.get(key)
        return self.flow.refusals[min(blocked)] if blocked else None

    @cached_property
    def _dead(self) -> tuple[Origins, dict[int, tuple[Gradient, ...]]]:
        return _flow.origins(self._visits(), self.walk, is_zero, infects=False)

    @property
    def dead(self) -> Origins:
        """By node at which only zeros arrive, the operations that made them zeros."""
        return self._dead[0]

    @property
    def arrived_at_dead(self) -> dict[int, tuple[Gradient, ...]]:
        """By operation that made zeros, the gradients that had arrived there."""
        return self._dead[1]

    @cached_property
    def _broken(self) -> tuple[Origins, dict[int, tuple[Gradient, ...]]]:
        return _flow.origins(self._visits(), self.walk, is_broken, infects=True)

    @property
    def broken(self) -> Origins:
        """By node at which something not finite arrives, the operations that made it so."""
        return self._broken[0]

    @property
    def arrived_at_broken(self) -> dict[int, tuple[Gradient, ...]]:
        """By operation that made something not finite, the gradients that had arrived there."""
        return self._broken[1]

    def ask(self, origin: Origin, gradients: Sequence[Gradient]) -> Gradient:
        """Ask an operation what it would send to one input, were these to arrive."""
        if origin.slot is None or torch_private.is_python(self.walk.live[origin.key]):
            return None
        try:
            return rules.call(self.walk.live[origin.key], gradients)[origin.slot]
        except HandgradError:
            return None

    def sent_dtype(self, origin: Origin) -> str:
        """Return the dtype of what an operation sends to one input."""
        assert origin.slot is not None
        source, number = self.walk.structure.edges(origin.key)[origin.slot]
        return self.walk.structure.outputs(source)[number].dtype

    @cached_property
    def drowned(self) -> Origins:
        """By node at which rounding errors alone arrive, where all else cancelled."""
        here: Origins = {}
        coming: dict[int, list[tuple[float, float, frozenset[Origin]]]] = {}
        structure = self.walk.structure
        for visit in self._visits():
            key = visit.key
            arrived = max((size(g) for g in visit.arrived if g is not None), default=0.0)
            if origins := _noise(key, arrived, coming.pop(key, [])):
                here[key] = origins
            for slot, (gradient, (source, _)) in enumerate(
                zip(visit.sent, structure.edges(key), strict=False)
            ):
                if gradient is None or source == NO_NODE or not gradient.is_floating_point():
                    continue
                origin = Origin(key, slot)
                mine = here.get(key) or (
                    frozenset((origin,)) if self._is_noise(origin, visit.arrived, gradient) else ()
                )
                eps = torch.finfo(gradient.dtype).eps
                coming.setdefault(source, []).append((size(gradient), eps, frozenset(mine)))
        return here

    def _is_noise(self, origin: Origin, arrived: tuple[Gradient, ...], sent: torch.Tensor) -> bool:
        """Tell whether what an operation sends is rounding, against what others would bring."""
        found = size(sent)
        if not found or self.op(origin.key) in _CANNOT_CANCEL:
            return False
        other = self.ask(origin, [None if g is None else uneven(g) for g in arrived])
        if other is None or is_broken(other):
            return False
        return found <= NOISE * torch.finfo(sent.dtype).eps * size(other)

    # What the graph uses and has

    @cached_property
    def leaves_with_grad(self) -> int:
        """Count the leaves that have a gradient stored."""
        leaves = (torch_private.variable(self.walk.live[key]) for key in self.leaves.values())
        return sum(leaf.grad is not None for leaf in leaves)

    @cached_property
    def _past_functions(self) -> frozenset[int]:
        """Keys that the gradient reaches without passing a user-written Function."""
        return self._reached(lambda key: not may_return_none(self.walk.live[key]))

    @cached_property
    def _past_python(self) -> frozenset[int]:
        """Keys that the gradient reaches without passing any Function, of torch's either."""
        return self._reached(lambda key: not torch_private.is_python(self.walk.live[key]))

    def behind_python(self, key: int) -> bool:
        """Tell whether each way to a node passes a Function, of the user's or of torch's."""
        return key not in self._past_python

    def _reached(self, passes: Callable[[int], bool]) -> frozenset[int]:
        reached = {0}
        for key in range(len(self.walk.live)):
            if key in reached and passes(key):
                reached.update(source for source, _ in self.walk.structure.edges(key))
        return frozenset(reached - {NO_NODE})

    def behind_functions(self, key: int) -> bool:
        """Tell whether each way to a node passes a user-written Function, which may return None."""
        return key not in self._past_functions

    def on_each_way(self, ops: frozenset[str], target: int) -> list[int]:
        """List operations of these kinds one of which each way to a node passes; else nothing."""
        free = self._reached(lambda key: self.op(key) not in ops)
        if target in free:
            return []
        return [key for key in sorted(free) if self.op(key) in ops and self.leads(key, target)]

    def on_some_way(self, ops: frozenset[str], target: int) -> list[int]:
        """List the operations of these kinds that a way to a node passes."""
        keys = range(target)
        return [key for key in keys if self.op(key) in ops and self.leads(key, target)]

    def leads(self, key: int, target: int) -> bool:
        """Tell whether a way leads from one node to another."""
        return key in self._leading(target)

    def _leading(self, target: int) -> frozenset[int]:
        if target not in self._ways:
            leading = {target}
            for key in reversed(range(target)):
                if any(source in leading for source, _ in self.walk.structure.edges(key)):
                    leading.add(key)
            self._ways[target] = frozenset(leading)
        return self._ways[target]

    @cached_property
    def _ways(self) -> dict[int, frozenset[int]]:
        return {}

    def feeders(self, key: int) -> list[int]:
        """List the operations that computed with a node's output, past those that only carry."""
        found, waiting, done = list[int](), [key], set[int]()
        structure = self.walk.structure
        while waiting:
            here = waiting.pop()
            for user in range(here):
                if user in done or here not in (source for source, _ in structure.edges(user)):
                    continue
                done.add(user)
                (waiting if self.op(user) in CARRIERS else found).append(user)
        return sorted(found)

    @cached_property
    def earlier_pass(self) -> frozenset[int]:
        """List freed nodes that a pass from elsewhere has freed: what leads there is held still."""
        freed: set[int] = set()
        reached: set[int] = set()
        for key in range(len(self.walk.live)):
            if key in reached or key in self.kept.held:
                reached.update(source for source, _ in self.walk.structure.edges(key))
            if key in reached and key in self.kept.freed:
                freed.add(key)
        return frozenset(freed)

    @cached_property
    def behind_freed(self) -> frozenset[int]:
        """Keys that the gradient reaches through an operation that was freed."""
        reached: set[int] = set()
        for key in range(len(self.walk.live)):
            if key in reached or key in self.kept.freed:
                reached.update(source for source, _ in self.walk.structure.edges(key))
        return frozenset(reached)

    @cached_property
    def only_behind_freed(self) -> frozenset[int]:
        """Keys to which every way passes an operation that was freed."""
        free = self._reached(lambda key: key not in self.kept.freed)
        return frozenset(range(len(self.walk.live))) - free

    def broken_before(self, key: int) -> str:
        """Say where numbers came from that an operation saved and that are not finite."""
        node = self.walk.live[key]
        broken = [tensor for tensor in self.kept.broken(key) if self._maker(tensor) is not node]
        if not broken:
            return ""
        for tensor in broken:
            if (name := self.called(tensor)) is not None:
                return f", in {name}"
            maker = self.maker(tensor)
            if maker is not None and maker != key:
                before = (k for k in self._leading_from(maker) if self.kept.was_broken(k))
                first = max(before, default=maker)
                return f", and {self.describe(first)} is where they began"
        return " "

    def gave_nan(self, key: int) -> bool:
        """Tell whether an operation's own result, which it saved, is NaN somewhere."""
        node = self.walk.live[key]
        return any(is_nan(t) for t in self.kept.broken(key) if self._maker(t) is node)

    def ways(self, target: int) -> list[int]:
        """List the operations that a way to a node passes."""
        return sorted(key for key in self._leading(target) if key != target)

    def _leading_from(self, key: int) -> list[int]:
        """List what a node was computed from, itself included."""
        reached = {key}
        for here in range(key, len(self.walk.live)):
            if here in reached:
                reached.update(source for source, _ in self.walk.structure.edges(here))
        return sorted(reached - {NO_NODE})

    def _same_memory(self, tensor: torch.Tensor) -> str | None:
        names = [
            name
            for name, other in self.known
            if other.layout is torch.strided
            and not is_lazy(other)
            and other.numel() == tensor.numel() > 0
            and other.dtype == tensor.dtype
            and wrapper(other) is None
            and other.data_ptr() == tensor.data_ptr()
        ]
        return shortest(names) if names else None

    @cached_property
    def untracked_saved(self) -> list[tuple[int, torch.Tensor]]:
        """List saved tensors that stand at an edge without gradient, with their node."""
        structure = self.walk.structure
        found: list[tuple[int, torch.Tensor]] = []
        for key in range(len(self.walk.live)):
            if NO_NODE not in (source for source, _ in structure.edges(key)):
                continue
            found += [
                (key, tensor)
                for name in self.kept.names(key)
                for tensor in self.kept.tensors(key, name)
                if tensor.grad_fn is None and id(tensor) not in self.leaves
            ]
        return found

    @cached_property
    def has_constants(self) -> bool:
        """Tell whether any operation has an input that no gradient goes to."""
        return NO_NODE in self.walk.structure.source

    def uses_as_index(self, tensor: torch.Tensor) -> tuple[int, str] | None:
        """Return the operation that saved whole numbers, and its word for them."""
        for key in range(len(self.walk.live)):
            for name in self.kept.names(key):
                if any(kept is tensor for kept in self.kept.tensors(key, name)):
                    return key, _WORDS.get(name, name)
        return None

    def lookup(self, leaf: torch.Tensor | None) -> int | None:
        """Return an operation that looks rows of a leaf up."""
        if leaf is None or (place := self.place(leaf)) is None:
            return None
        users = (
            key
            for key in range(place[0])
            if self.op(key) in ("Embedding", "EmbeddingBag")
            and place in self.walk.structure.edges(key)
        )
        return next(users, None)

    @cached_property
    def boundary(self) -> tuple[str | None, int]:
        """Name the tensor behind which an earlier pass has freed the graph, and its operation."""
        inner = {key for key in self.names if key[0] in self.earlier_pass}
        if inner:
            place = min(inner)
            return self.names[place], place[0]
        first = min(self.earlier_pass)
        outer = [p for p in self.names if p[0] not in self.kept.held and self.leads(p[0], first)]
        place = max(outer, default=None)
        if place is None or place[0] == 0:
            return None, first
        return self.names[place], place[0]

    def computed_once(self, paths: Set[str]) -> list[Own]:
        """List attributes and buffers of modules that are in the graph with their history."""
        return [
            Own(name, place)
            for place, name in self.names.items()
            if place[0] not in self._leaf_keys and name.rpartition(".")[0] in paths
        ]

    def stale_casts(self, leaf: int) -> list[int]:
        """List casts of a leaf whose recorded result is not what the same cast gives now."""
        casts = self._casts.get(leaf, ())
        variable = torch_private.variable(self.walk.live[leaf]) if casts else None
        if variable is None or variable.layout is not torch.strided or variable.is_meta:
            return []
        return [key for key in casts if self._is_stale(key, variable)]

    def old_casts(self, leaf: int) -> list[int]:
        """List casts of a leaf after which other things were recorded before this graph used it."""
        return [key for key in self._casts.get(leaf, ()) if self.foreign_after(key)]

    def foreign_after(self, key: int) -> int:
        """Count what was recorded between an operation and its first use, and is not in here."""
        users = (
            user
            for user in range(key)
            if any(source == key for source, _ in self.walk.structure.edges(user))
        )
        used = min((torch_private.sequence(self.walk.live[user]) for user in users), default=0)
        made = torch_private.sequence(self.walk.live[key])
        return sum(number not in self._sequence_numbers for number in range(made + 1, used))

    @cached_property
    def _sequence_numbers(self) -> frozenset[int]:
        return frozenset(map(torch_private.sequence, self.walk.live))

    @cached_property
    def _casts(self) -> dict[int, list[int]]:
        """List the casts of each leaf."""
        found: dict[int, list[int]] = {}
        for key in range(len(self.walk.live)):
            if self.op(key) == "ToCopy":
                for source, _ in self.walk.structure.edges(key):
                    if source in self._leaf_keys:
                        found.setdefault(source, []).append(key)
        return found

    def _is_stale(self, cast_key: int, variable: torch.Tensor) -> bool:
        for result, steps in self._uses_of(cast_key):
            now = variable.detach().to(result.dtype)
            for step in steps:
                now = step(now)
            if now.shape == result.shape and not are_equal(now, result):
                return True
        return False

    def _uses_of(self, cast_key: int) -> Iterator[tuple[torch.Tensor, list[Any]]]:
        """Read the results of a cast that operations have saved, straight or transposed."""
        node = self.walk.live[cast_key]
        for key in range(cast_key):
            for name in self.kept.names(key):
                for tensor in self.kept.tensors(key, name):
                    made = self._maker(tensor)
                    if made is node:
                        yield tensor.detach(), []
                    elif _is_transposed(made, node):
                        yield tensor.detach(), [torch.t]

    def kept_on_ctx(self, leaf: int) -> list[tuple[int, int, str]]:
        """List operations that use as a constant what a Function kept on its ctx."""
        found: list[tuple[int, int, str]] = []
        for owner in self.hiding:
            if not self.leads(owner, leaf):
                continue
            for word, tensor in torch_private.tensors_on_ctx(self.walk.live[owner]):
                key = self.constants.get(id(tensor)) or self.untracked_memory.overlapping(tensor)
                if key is not None and not tensor.requires_grad:
                    found.append((key, owner, word))
        return found

    @cached_property
    def untracked_memory(self) -> Map:
        """Say where saved tensors without gradient lie."""
        return Map(self.untracked_saved)

    @cached_property
    def leaf_memory(self) -> Map:
        """Say where the leaves lie."""
        return Map(
            (key, torch_private.variable(self.walk.live[key])) for key in self.leaves.values()
        )

    @cached_property
    def constants(self) -> dict[int, int]:
        """By identity, the saved tensors that stand at an edge without gradient."""
        return {id(tensor): key for key, tensor in self.untracked_saved}

    @cached_property
    def constant_views(self) -> dict[int, int]:
        """By identity, the tensors of which such a constant is a view."""
        return {id(torch_private.base(tensor)): key for key, tensor in self.untracked_saved}

    @cached_property
    def _by_numbers(self) -> dict[object, list[tuple[int, torch.Tensor]]]:
        leaves = (
            (key, torch_private.variable(self.walk.live[key])) for key in self.leaves.values()
        )
        found: dict[object, list[tuple[int, torch.Tensor]]] = {}
        for key, tensor in (*leaves, *self.untracked_saved):
            found.setdefault(_print_of(tensor), []).append((key, tensor))
        return found

    def twin(self, tensor: torch.Tensor) -> int | None:
        """Return the node at another tensor with the same shape and numbers: a hint, no proof.

        Numbers that are all alike, as all ones, are no hint.
        """
        alike = self._by_numbers.get(_print_of(tensor), ())
        same = [key for key, other in alike if are_equal(other, tensor)]
        return same[0] if same and _tells_apart(tensor) else None


_CANNOT_CANCEL = frozenset(("Mul", "Relu", "Tanh", "Sigmoid", "Exp", "Neg", "View", "T", "Add"))
"""Frequent operations that send each number on by itself; sums over copies apart."""


def _noise(
    key: int, arrived: float, coming: list[tuple[float, float, frozenset[Origin]]]
) -> frozenset[Origin]:
    """Say which operations left rounding errors only of what meets at a node; none if more."""
    real = [part for part in coming if part[0] > 0]
    if not real:
        return frozenset()
    if all(origins for _, _, origins in real):
        return frozenset(one for _, _, origins in real for one in origins)
    largest, eps = max(size for size, _, _ in real), max(eps for _, eps, _ in real)
    together = len(real) > 1 and 0 < arrived <= NOISE * eps * largest
    return frozenset((Origin(key),)) if together else frozenset()


def _is_transposed(made: Any, node: Any) -> bool:
    """Tell whether an operation only transposes what another one made."""
    if made is None or not made.name().startswith("TBackward"):
        return False
    return bool(made.next_functions[0][0] is node)


def _tells_apart(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor's numbers are not all one."""
    flat = tensor.detach().reshape(-1)
    return flat.numel() > 1 and bool((flat != flat[0]).any())


def _print_of(tensor: torch.Tensor) -> object:
    """Return what equal tensors have in common, to compare few of many."""
    if is_lazy(tensor) or wrapper(tensor):
        return None  # nothing can have computed with it, or its numbers are not here
    kind = (tensor.shape, tensor.dtype, tensor.layout, tensor.device)
    if tensor.layout is not torch.strided or tensor.is_meta or not tensor.numel():
        return (*kind, id(tensor))
    sample = tensor.detach().reshape(-1)[:: max(1, tensor.numel() // 8)]
    return (*kind, *cast(list[complex], cast(Any, sample).tolist()))
