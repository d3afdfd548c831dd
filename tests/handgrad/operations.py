"""Watch a program run, and know each operation a second time, without the recorded graph.

One call of an operation below autograd makes one node, so that what the node says of
its local derivatives can be held against the operation itself, differentiated forward.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

Place = tuple[Any, int]  # a node and which of its outputs, or a leaf and 0


def _distances(x: torch.Tensor, y: torch.Tensor, p: float, mode: int | None) -> torch.Tensor:
    """Distances between rows; torch.func repeats the first row of the built-in's derivative."""
    return (x[:, None] - y[None]).abs().pow(p).sum(-1).pow(1 / p)


IN_OTHER_WORDS = {torch.ops.aten._cdist_forward.default: _distances}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it was called: what made each tensor it was given, and a copy of it."""

    func: Callable[..., Any]
    inputs: tuple[Any, ...]
    places: tuple[Place | None, ...]
    structure: Any
    random: torch.Tensor

    def jacobian(self, position: int, output: int) -> tuple[torch.Tensor, str]:
        """Differentiate one output in one input; say by which mode.

        Forward mode shares no formula with the recorded rule. Where torch has none,
        the operation in other words is differentiated, or reverse mode is all there is.
        """
        func = IN_OTHER_WORDS.get(self.func, self.func)

        def function(tensor: torch.Tensor) -> torch.Tensor:
            inputs = [one.clone() if isinstance(one, torch.Tensor) else one for one in self.inputs]
            inputs[position] = tensor.clone()
            args, kwargs = tree_unflatten(inputs, self.structure)
            torch.set_rng_state(self.random)
            found = func(*args, **kwargs)
            return found if isinstance(found, torch.Tensor) else list(found)[output]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = torch.func.jacfwd(function, randomness="same")(self.inputs[position])
            except (RuntimeError, NotImplementedError):
                return torch.func.jacrev(function)(self.inputs[position]), "reverse"
        return found, "forward" if func is self.func else "other words"


class Watch(TorchDispatchMode):
    """Collects, by node, the operations that run inside it.

    ``carried`` are the outputs of nodes through which a gradient can come at all: that
    of a mean kept beside a norm is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[Any, Operation] = {}
        self.carried: set[Place] = set()
        self.last: tuple[Operation, list[torch.Tensor]] | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.settle()
        flat, structure = tree_flatten((args, kwargs or {}))
        operation = Operation(
            func,
            tuple(_copy(one) for one in flat),
            tuple(place(one) if isinstance(one, torch.Tensor) else None for one in flat),
            structure,
            torch.get_rng_state(),
        )
        result = func(*args, **(kwargs or {}))
        found = [one for one in tree_flatten(result)[0] if isinstance(one, torch.Tensor)]
        self.last = operation, found
        return result

    def settle(self) -> None:
        """Note which node the last operation made: autograd writes it after the call."""
        if self.last is not None:
            operation, results = self.last
            for result in results:
                if result.grad_fn is not None:
                    self.made.setdefault(result.grad_fn, operation)
                    self.carried.add((result.grad_fn, result.output_nr))
        self.last = None

    def __exit__(self, *what: Any) -> None:
        super().__exit__(*what)
        self.settle()


def _copy(one: Any) -> Any:
    return one.detach().clone() if isinstance(one, torch.Tensor) else one


def place(tensor: torch.Tensor) -> Place | None:
    """Say where a tensor's gradient goes: to an output of a node, or to a leaf."""
    if not tensor.requires_grad:
        return None
    return (tensor.grad_fn, tensor.output_nr) if tensor.grad_fn is not None else (tensor, 0)


def positions(operation: Operation, live: Any) -> Iterator[tuple[int, int]]:
    """Pair the slots of a node with the positions of the operation's inputs."""
    free = [
        (position, found) for position, found in enumerate(operation.places) if found is not None
    ]
    for slot, (source, output) in enumerate(live.next_functions):
        if source is None:
            continue
        leaf = getattr(source, "variable", None)
        for at, (position, (maker, nr)) in enumerate(free):
            if (maker is source and nr == output) or (leaf is not None and maker is leaf):
                yield slot, position
                del free[at]
                break
