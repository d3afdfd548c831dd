"""One recorded operation's own derivative rule, asked directly."""

from typing import Any, cast

import torch
from torch.autograd.graph import Node

from handgrad.errors import (
    InputError,
    KindError,
    NoGraphError,
    ShapeMismatchError,
    UnsupportedNodeError,
)
from handgrad.tracing import rules, torch_private
from handgrad.tracing.live import maker


def local_vjp(
    node_or_tensor: Node | torch.Tensor, *cotangents: torch.Tensor | None
) -> tuple[torch.Tensor | None, ...]:
    """Ask one recorded operation what gradient it sends to each of its inputs.

    This is the vector-Jacobian product of that operation alone, with the bits
    that the engine would send on. Nothing is freed, written to or fired, and
    the call can be repeated.

    Args:
        node_or_tensor: A ``grad_fn``, or a tensor that has one.
        *cotangents: The gradient at each output of the operation, in the
            output's shape and dtype, or None for an output that gets none. For
            a tensor, one cotangent may be given: that of the tensor itself.

    Returns:
        One gradient, in the input's shape and dtype, or None per entry of
        ``grad_fn.next_functions``; None for constants.

    Raises:
        KindError: If the first argument is no node or tensor, or a cotangent
            is no tensor or of another dtype.
        NoGraphError: If the tensor is a leaf or has no history.
        InputError: If the number of cotangents is wrong, or all are None.
        ShapeMismatchError: If a cotangent has not the output's shape.
        UnsupportedNodeError: For a leaf's AccumulateGrad, which would write to
            ``.grad``, and for reentrant checkpoints.
        FreedGraphError: If a backward pass freed what the operation had saved.
        MutatedGraphError: If a saved tensor, or a view's base, was changed in place since.

    Source:
        Griewank & Walther (2008), *Evaluating Derivatives*, 2nd ed., section 3.2.

    Example:
        >>> x = torch.tensor(2.0, requires_grad=True)
        >>> product = x * 3.0
        >>> local_vjp(product, torch.tensor(1.0))
        (tensor(3.), None)
    """
    node, given = _asked(node_or_tensor, cotangents)
    if torch_private.is_leaf(node):
        raise UnsupportedNodeError(
            "AccumulateGrad is where a gradient ends: calling it would write to the leaf's .grad. "
            "Ask an operation instead, such as loss.grad_fn, or read node.variable for the leaf."
        )
    metas = torch_private.metadata(node)
    if len(given) != len(metas):
        raise InputError(
            f"{node.name()} takes one cotangent for each of its outputs, {len(metas)} in all, but "
            f"got {len(given)}. Give None for an output that gets no gradient."
        )
    if all(cotangent is None for cotangent in given):
        raise InputError(
            f"All cotangents of {node.name()} are None, so nothing can be sent on. Give at least "
            "one, such as torch.ones_like(output)."
        )
    for position, (cotangent, meta) in enumerate(zip(given, metas, strict=True)):
        _check(node, position, cotangent, meta)
    return rules.call(node, given)


def _asked(
    asked: Any, cotangents: tuple[torch.Tensor | None, ...]
) -> tuple[Node, tuple[torch.Tensor | None, ...]]:
    """Return the node, and one cotangent for each of its outputs where a tensor was given."""
    if isinstance(asked, Node):
        return asked, cotangents
    if not isinstance(asked, torch.Tensor):
        raise KindError(
            "local_vjp() asks a recorded operation, but got an object of type "
            f"{type(asked).__name__}. Pass a tensor that was computed, or its grad_fn, as in "
            "local_vjp(loss, torch.tensor(1.0))."
        )
    if torch_private.is_wrapped(asked):
        raise UnsupportedNodeError(
            "This tensor lives inside a torch.func transformation, whose graph ends with it. Ask "
            "outside: compute with plain tensors that require gradients, then call local_vjp()."
        )
    node = maker(asked)
    if node is None:
        kind = "a leaf" if asked.requires_grad else "not tracked"
        raise NoGraphError(
            f"No operation made this tensor: it is {kind} (shape {tuple(asked.shape)}, "
            f"requires_grad={asked.requires_grad}). Ask the result of an operation on a tensor "
            "with requires_grad=True."
        )
    count = len(torch_private.metadata(node))
    if len(cotangents) == 1 and count > 1:
        row: list[torch.Tensor | None] = [None] * count
        row[asked.output_nr] = cotangents[0]
        return node, tuple(row)
    return node, cotangents


def _check(node: Node, position: int, cotangent: object, meta: Any) -> None:
    if cotangent is None:
        return
    place = f"Cotangent {position} of {node.name()}"
    if not isinstance(cotangent, torch.Tensor):
        raise KindError(
            f"{place} is of type {type(cotangent).__name__}. Pass a tensor of shape "
            f"{tuple(meta.shape)} and dtype {meta.dtype}."
        )
    if tuple(cotangent.shape) != tuple(meta.shape):
        raise ShapeMismatchError(
            f"{place} has shape {tuple(cotangent.shape)}, but the output has shape "
            f"{tuple(meta.shape)}, and nothing is broadcast silently. Pass "
            f"cotangent.expand({tuple(meta.shape)}) if that is meant."
        )
    if cotangent.dtype != meta.dtype or cotangent.device != cast(torch.device, meta.device):
        raise KindError(
            f"{place} is {cotangent.dtype} on {cotangent.device}, but the output is {meta.dtype} "
            f"on {meta.device}. Pass cotangent.to({str(meta.device)!r}, {meta.dtype})."
        )
