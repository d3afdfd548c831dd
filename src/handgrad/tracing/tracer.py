"""Read a live tensor's recorded graph as frozen plain data."""

import inspect
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.autograd.graph import Node as LiveNode

from handgrad.errors import InputError, KindError, NoGraphError, UnsupportedNodeError
from handgrad.graph.graph import Graph
from handgrad.tracing.assembly import Arranged, Knowledge, Unarranged
from handgrad.tracing.discovery import discover
from handgrad.tracing.lines import lines
from handgrad.tracing.live import maker
from handgrad.tracing.names import Names, collect, modules, place
from handgrad.tracing.notes import Notes, count_numbers
from handgrad.tracing.reading import Reading, read
from handgrad.tracing.structure import Walk, arranged
from handgrad.tracing.torch_private import is_wrapped, traceback

NamesLike = Mapping[str, torch.Tensor] | nn.Module | Iterable[tuple[str, torch.Tensor]]

SMALL_NODES = 1000
"""``values="auto"`` reads numbers of graphs with at most so many nodes ..."""
SMALL_NUMBERS = 16_384
"""... whose tensors have together at most so many numbers."""


def trace(
    output: torch.Tensor,
    *,
    names: NamesLike | None = None,
    values: Literal["auto"] | bool = "auto",
    max_nodes: int | None = None,
) -> Graph:
    """Read the graph PyTorch recorded behind a tensor, and leave everything as it was.

    Nothing is freed, changed or fired: ``backward()`` works after it and gives
    the same bits, hooks do not run, ``.grad`` is not touched.

    Args:
        output: The loss, or any tensor with a history. Gradients flow from a
            real tensor of one number; others have local derivatives only.
        names: Mapping from name to tensor, a module, or pairs such as
            ``model.named_parameters()``; else the variables where ``trace`` is
            called. Names of intermediate tensors also give their values.
        values: True reads values, local derivatives and gradients of every
            node (Jacobians up to 65,536 numbers), False only the structure,
            ``"auto"`` decides by size and says in ``Graph.reason`` what it did.
        max_nodes: Refuse larger graphs. However many nodes there are, a graph
            deeper than the thread's stack can free is refused.

    Returns:
        The graph; node 0 made ``output`` and keys follow the engine's order.
        An edge's ``local`` is in units of output per unit of input, at the
        recorded values; its ``flow`` is the gradient sent back along it.

    Raises:
        KindError: If ``output`` is not one tensor, or ``names`` holds others.
        NoGraphError: If nothing was recorded behind it.
        MutatedGraphError: If it is a view whose base was changed in place since.
        GraphTooLargeError: If the graph is too deep or too large.
        FreedGraphError, MutatedGraphError, UnsupportedNodeError: With
            ``values=True``, if the numbers cannot be read.

    Source:
        Chain rule on graphs: Griewank & Walther (2008), *Evaluating
        Derivatives*, 2nd ed., section 3.2.

    Example:
        >>> w, x = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0)
        >>> loss = (w * x - 10.0) ** 2
        >>> print(trace(loss).to_text())
        0  loss  Pow   float32 ()  16  1    1 (×-8)
        1        Sub   float32 ()  -4  -8   2 (×1), constant
        2        Mul   float32 ()      -8   3 (×2), x
        3  w     leaf  float32 ()  3   -16
    """
    root = _root(output)
    _check(values, max_nodes)
    here = inspect.currentframe()
    named = collect(names, here and here.f_back)
    found = discover(root, max_nodes=max_nodes)
    reading = _refused(found.notes, values)
    homes: dict[int, str] = {}
    if reading is None or isinstance(names, nn.Module):
        graph = arranged(found)
        places = place(named, graph)
        if isinstance(names, nn.Module):
            homes = modules(graph, places)
        if reading is None:
            reading = read(graph, places, output, anyhow=values is True)
    else:
        graph = found  # its order can wait until somebody asks for the nodes
        places = place(named, graph)
    has_lines = reading.reason is None or bool(traceback(root))
    knowledge = Knowledge(
        words=places.words,
        reading=reading,
        lines=lines(graph.live) if has_lines else {},
        modules=homes,
    )
    unplaced: tuple[str, ...] = ()
    if names is not None and not isinstance(names, nn.Module):
        unplaced = _unplaced(places, reading)
        if places.strangers:
            warnings.warn(_stranger(places.strangers), stacklevel=2)
    return Graph.from_columns(
        Arranged(graph.structure, knowledge)
        if isinstance(graph, Walk)
        else Unarranged(graph.notes, knowledge),
        output=output.output_nr,
        detail="structure" if reading.reason else "values",
        reason=reading.reason,
        remarks=reading.remarks,
        unplaced=unplaced,
    )


def _root(output: object) -> LiveNode:
    """Return the node that made a tensor, or say why there is none."""
    if not isinstance(output, torch.Tensor):
        raise KindError(
            "trace() reads the graph of one tensor, but got an object of type "
            f"{type(output).__name__}. Call it with the loss: trace(loss)."
        )
    if is_wrapped(output):
        raise UnsupportedNodeError(
            "This tensor lives inside a torch.func transformation (grad, vmap, jvp ...), whose "
            "graph ends with the transformation. Trace outside of it: compute the loss with "
            "plain tensors that require gradients, then call trace(loss)."
        )
    if output.is_inference():
        raise NoGraphError(
            "This tensor was made under torch.inference_mode(), which records nothing. Compute "
            "the loss outside of inference_mode, then call trace(loss)."
        )
    node = maker(output)
    if node is not None:
        return node
    if output.requires_grad:
        raise NoGraphError(
            f"This tensor of shape {tuple(output.shape)} is a leaf: you made it, no operation "
            "did, so there is no graph behind it. Trace something computed from it, such as "
            "trace((w ** 2).sum())."
        )
    if not torch.is_grad_enabled():
        raise NoGraphError(
            "Cannot trace this tensor: recording is switched off here, as by no_grad, and nothing "
            f"was recorded of it (requires_grad={output.requires_grad}). Compute it where "
            "recording is on, as in with torch.enable_grad(): loss = ..., then call trace(loss)."
        )
    raise NoGraphError(
        "Cannot trace this tensor: it has no grad_fn. Nothing it was computed from requires a "
        "gradient, or it was cut off: by no_grad, detach(), .data, .item(), NumPy, or a step to "
        f"whole numbers (dtype={output.dtype}, requires_grad={output.requires_grad}, "
        f"is_leaf={output.is_leaf}). Set requires_grad=True on the weight before computing the "
        "loss, or see where it was cut off: with handgrad.watch() as seen."
    )


def _check(values: object, max_nodes: Any) -> None:
    if not (isinstance(values, str | bool) and values in ("auto", True, False)):
        raise InputError(
            f'values may be "auto", True or False, not {values!r}. Leave it out to let the size '
            "of the graph decide."
        )
    if max_nodes is not None and not (type(max_nodes) is int and max_nodes > 0):
        raise InputError(
            f"max_nodes is a number of nodes, 1 or more, not {max_nodes!r}. Leave it out for no "
            "limit but the stack's."
        )


def _refused(notes: Notes, values: object) -> Reading | None:
    """Say why only the structure will be read, if that is known beforehand."""
    if values is False:
        return Reading(reason="asked")
    if any(str(device) == "meta" for _, device, *_ in notes.forms):
        what = "tensors on the device 'meta' have no numbers"
        if values is True:
            raise UnsupportedNodeError(
                f"No values can be read: {what}. Call trace(loss, values=False)."
            )
        return Reading(reason="unsupported", remarks=(f"Only the structure was read: {what}.",))
    if values is True:
        return None
    if len(notes) > SMALL_NODES:
        size = f"{len(notes)} nodes (more than {SMALL_NODES})"
    elif (count := count_numbers(notes)) > SMALL_NUMBERS:
        size = f"{count} numbers in its tensors (more than {SMALL_NUMBERS})"
    else:
        return None
    remark = (
        f"Only the structure was read: the graph has {size}. "
        "Call trace(loss, values=True) to read the numbers too."
    )
    return Reading(reason="large", remarks=(remark,))


def _unplaced(places: Names, reading: Reading) -> tuple[str, ...]:
    """List the names that stand nowhere in the graph, as far as is known."""
    placed = {constant.name for constant in reading.constants.values()}
    others = (name for name, _ in places.constants if name not in placed)
    return (*places.strangers, *others)


def _stranger(names: Sequence[str]) -> str:
    return (
        f"The graph has no place for {', '.join(names)}: the traced tensor was not computed from "
        "it, or was computed from a copy. Ask why_no_grad(tensor, loss) for the reason."
    )
