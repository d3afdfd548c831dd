"""Ask recorded operations for their vector-Jacobian products.

A recorded node, called with a gradient for each of its outputs, returns the
gradient for each of its inputs. The call frees nothing and runs no hook,
because hooks belong to the engine. What the engine does to each result
afterwards (sum over broadcast axes, dtype) is done here too, so that results
have the engine's bits.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, cast

import torch
from torch.autograd.graph import Node

from handgrad.errors import HandgradError, UnsupportedNodeError
from handgrad.tracing.torch_private import (
    Gradient,
    declines_zeros,
    explain,
    in_backward,
    is_leaf,
    is_python,
    is_reentrant,
    is_undisturbed,
    metadata,
    several,
    undisturbed,
    variable,
)


def call(
    node: Node, cotangents: Sequence[Gradient], *, as_stored: bool = False
) -> tuple[Gradient, ...]:
    """Ask a recorded operation for its vector-Jacobian product, with the engine's bits.

    Args:
        node: Any node but a leaf's.
        cotangents: One gradient or None per output; at least one is given.
        as_stored: Whether a leaf gets its gradient in the dtype of its ``.grad``,
            which ``Tensor.grad_dtype`` may set apart from its own.

    Returns:
        One gradient or None per entry of ``node.next_functions``.

    Raises:
        FreedGraphError: If a backward pass freed what the node had saved.
        MutatedGraphError: If a saved tensor was changed in place since.
        UnsupportedNodeError: If the node cannot be asked outside the engine.
    """
    if not is_undisturbed():
        with undisturbed():
            return call(node, cotangents, as_stored=as_stored)
    if in_backward():
        raise UnsupportedNodeError(
            f"{node.name()} cannot be asked while a backward pass runs, as in a hook: PyTorch then "
            "leaves out what that pass has no need of. Ask before backward() or after it."
        )
    edges = node.next_functions
    try:
        ask = _python if is_python(node) else _native
        results = ask(node, cotangents)
        return tuple(
            None
            if result is None or source is None
            else _as_engine(result, metadata(source)[number], source if as_stored else None)
            for result, (source, number) in zip_longest(results[: len(edges)], edges)
        )
    except HandgradError:
        raise
    except Exception as error:
        raise explain(node, error) from error


def _native(node: Node, cotangents: Sequence[Gradient]) -> tuple[Gradient, ...]:
    return several(cast(Any, node)(*cotangents))


def _python(node: Node, cotangents: Sequence[Gradient]) -> tuple[Gradient, ...]:
    """Call a Python Function's rule as the engine does: zeros for holes, live slots out."""
    function = cast(Any, node)
    if is_reentrant(node):
        raise UnsupportedNodeError(
            "A reentrant checkpoint hides its operations and runs a backward pass of its own "
            "that writes to .grad, so it cannot be asked for a local derivative. Record it "
            "with checkpoint(..., use_reentrant=False) instead."
        )
    whole = cotangents
    if not declines_zeros(node):
        whole = [
            zeros(meta) if given is None else given
            for given, meta in zip(cotangents, metadata(node), strict=True)
        ]
    needed = function.needs_input_grad
    results = several(function.apply(*whole))
    if len(results) < len(needed) or any(r is not None for r in results[len(needed) :]):
        raise TypeError(
            f"{len(results)} gradients for {len(needed)} inputs, which backward() refuses too"
        )
    live = iter([r for r, needs in zip(results, needed, strict=False) if needs])
    return tuple(None if source is None else next(live, None) for source, _ in node.next_functions)


def zeros(meta: Any) -> torch.Tensor:
    """Return a gradient of nothing for an output or input described by its metadata."""
    return torch.zeros(tuple(meta.shape), dtype=meta.dtype, device=meta.device)


def _as_engine(result: torch.Tensor, meta: Any, goal: Node | None) -> torch.Tensor:
    """Finish a result as the engine's ``validate_outputs`` does, for the node that it goes to."""
    shape, dtype = tuple(meta.shape), meta.dtype
    if goal is not None and is_leaf(goal) and (leaf := variable(goal)).grad_dtype != leaf.dtype:
        dtype = leaf.grad_dtype  # it was set; else it counts what the leaf was when recorded
    if result.shape != shape:
        result = result.sum_to_size(shape)
    if result.is_complex() and not meta.dtype.is_complex:
        raise TypeError("a complex gradient for a real input, which backward() refuses too")
    return result if dtype is None else result.to(dtype)  # None: the leaf takes any
