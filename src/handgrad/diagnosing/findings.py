"""What a sweep through the graph of a loss finds out: gradients, and where they die."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import torch
from torch.nn.parameter import is_lazy

from handgrad.diagnosing.measures import is_broken, is_zero
from handgrad.diagnosing.memory import Map
from handgrad.diagnosing.saved import Kept
from handgrad.errors import (
    FreedGraphError,
    HandgradError,
    MutatedGraphError,
    UnsupportedNodeError,
)
from handgrad.tracing import evidence, torch_private
from handgrad.tracing.discovery import Walk
from handgrad.tracing.structure import NO_NODE
from handgrad.tracing.sweep import Visit, sweep
from handgrad.tracing.torch_private import Gradient

Place = tuple[int, int]
Origins = dict[int, frozenset[int]]


@dataclass(slots=True, kw_only=True)
class Flow:
    """What arrived where, until a node refused.

    Attributes:
        fresh: At each leaf and subject, the gradient that a backward pass would bring now.
        silent: By node that nothing arrives at, the operations that returned None.
        refusal: Why the sweep had to stop, if it did; what came before it stands.
    """

    fresh: dict[Place, Gradient] = field(default_factory=dict[Place, Gradient])
    silent: Origins = field(default_factory=Origins)
    refusal: HandgradError | None = None


class Findings:
    """The graph of one loss, walked once, and swept when something asks for it.

    Held for the time of one diagnosis: it keeps live nodes.
    """

    def __init__(self, loss: torch.Tensor, walk: Walk, subjects: Sequence[torch.Tensor]) -> None:
        self.loss = loss
        self.walk = walk
        self.kept = Kept(walk)
        self.inner = {walk.key[t.grad_fn] for t in subjects if t.grad_fn in walk.key}
        self.leaves = {id(torch_private.variable(walk.live[key])): key for key in walk.leaves()}

    def place(self, tensor: torch.Tensor) -> Place | None:
        """Find a tensor in the graph, by identity; of an operation's results, those in use."""
        if tensor.grad_fn is None:
            key = self.leaves.get(id(tensor))
            return None if key is None else (key, 0)
        key = self.maker(tensor)
        place = None if key is None else (key, tensor.output_nr)
        return place if place in self._in_use else None

    def maker(self, tensor: torch.Tensor) -> int | None:
        """Return the operation of the graph that made a tensor, in use or not."""
        return self.walk.key.get(tensor.grad_fn) if tensor.grad_fn is not None else None

    @cached_property
    def _in_use(self) -> frozenset[Place]:
        structure = self.walk.structure
        edges = zip(structure.source, structure.output, strict=True)
        return frozenset(((0, self.loss.output_nr), *edges))

    @cached_property
    def flow(self) -> Flow:
        """Send a gradient of one from the loss to the leaves, outside the engine."""
        flow, structure = Flow(), self.walk.structure
        silent: dict[int, set[int]] = {}
        try:
            for key, arrived, sent in self._sweep():
                if not sent or key in self.inner:
                    flow.fresh |= {(key, nr): gradient for nr, gradient in enumerate(arrived)}
                if all(gradient is None for gradient in arrived):
                    flow.silent[key] = frozenset(silent.get(key, ()))
                culprits = flow.silent.get(key) or {key}
                for gradient, (source, _) in zip(sent, structure.edges(key), strict=True):
                    if gradient is None:
                        silent.setdefault(source, set()).update(culprits)
        except (FreedGraphError, MutatedGraphError, UnsupportedNodeError) as error:
            flow.refusal = error.with_traceback(None)
        return flow

    def _sweep(self) -> Iterator[Visit]:
        """Sweep as far as that runs no forward pass again, which could change more than time."""
        visits = sweep(self.walk, torch_private.seed(self.loss), self.loss.output_nr)
        for key, node in enumerate(self.walk.live):
            if key == self.kept.first_recomputed:
                raise UnsupportedNodeError(
                    f"What {node.name()} saved is computed again by checkpoint() when it is "
                    "asked for, so it was not asked."
                )
            yield next(visits)

    @cached_property
    def dead(self) -> Origins:
        """By node at which only zeros arrive, the operations that made them zeros."""
        return self._origins(is_zero, all)

    @cached_property
    def broken(self) -> Origins:
        """By node at which something not finite arrives, the operations that made it so."""
        return self._origins(is_broken, any)

    def _origins(
        self, bad: Callable[[torch.Tensor], bool], of: Callable[[list[bool]], bool]
    ) -> Origins:
        """Follow what is bad back to the operation that received good and sent bad.

        Where good gradients meet and only their sum is bad, the origin is ``~key``
        of the node at which they meet.
        """
        origins: Origins = {}
        coming: dict[int, set[int]] = {}
        structure = self.walk.structure
        try:
            for key, arrived, sent in self._sweep():
                given = [bad(gradient) for gradient in arrived if gradient is not None]
                if given and of(given):
                    origins[key] = frozenset(coming.get(key, ())) or frozenset({~key})
                for gradient, (source, _) in zip(sent, structure.edges(key), strict=True):
                    if gradient is not None and bad(gradient):
                        coming.setdefault(source, set()).update(origins.get(key, {key}))
        except (FreedGraphError, MutatedGraphError, UnsupportedNodeError):
            pass  # the same refusal as in ``flow``, which says it
        return origins

    @cached_property
    def leaves_with_grad(self) -> int:
        """Count the leaves that have a gradient stored."""
        leaves = (torch_private.variable(self.walk.live[key]) for key in self.leaves.values())
        return sum(leaf.grad is not None for leaf in leaves)

    @cached_property
    def _past_functions(self) -> frozenset[int]:
        """Keys that the gradient reaches without passing a user-written Function."""
        reached = {0}
        for key, node in enumerate(self.walk.live):
            if key in reached and not torch_private.is_python(node):
                reached.update(source for source, _ in self.walk.structure.edges(key))
        return frozenset(reached)

    @cached_property
    def behind_freed(self) -> frozenset[int]:
        """Keys that the gradient reaches through an operation that was freed."""
        reached: set[int] = set()
        for key in range(len(self.walk.live)):
            if key in reached or self.kept.is_freed(key):
                reached.update(source for source, _ in self.walk.structure.edges(key))
        return frozenset(reached)

    def behind_functions(self, key: int) -> bool:
        """Tell whether each way to a node passes a user-written Function, which may return None."""
        return key not in self._past_functions

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
        """Return the node at another tensor with the same shape and numbers: a hint, no proof."""
        alike = self._by_numbers.get(_print_of(tensor), ())
        same = (key for key, other in alike if torch.equal(other.detach(), tensor.detach()))
        return next(same, None)

    def describe(self, key: int) -> str:
        """Name a node so that a reader finds it in a traced graph or in the program."""
        structure = self.walk.structure
        kind = structure.kinds[structure.kind[key]]
        shapes = ", ".join(str(spec.shape) for spec in structure.outputs(key))
        line = evidence.line(torch_private.traceback(self.walk.live[key]))
        where = f", recorded at {line}" if line else ""
        if kind.leaf:
            return f"a leaf (node {key} of trace, shape {shapes})"
        return f"{kind.op} (node {key} of trace, {kind.recorded}, output {shapes}{where})"

    def op(self, key: int) -> str:
        """Return an operation's short name."""
        structure = self.walk.structure
        return structure.kinds[structure.kind[key]].op


def _print_of(tensor: torch.Tensor) -> object:
    """Return what equal tensors have in common, to compare few of many."""
    if is_lazy(tensor):
        return None  # nothing can have computed with it
    kind = (tensor.shape, tensor.dtype, tensor.layout, tensor.device)
    if tensor.layout is not torch.strided or tensor.is_meta or not tensor.numel():
        return (*kind, id(tensor))
    sample = tensor.detach().reshape(-1)[:: max(1, tensor.numel() // 8)]
    return (*kind, *cast(list[complex], cast(Any, sample).tolist()))
