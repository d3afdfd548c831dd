"""Read a live tensor's recorded graph as frozen plain data."""

import inspect
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from torch import nn
from torch.autograd.graph import Node as LiveNode

from handgrad.errors import (
    FreedGraphError,
    InputError,
    KindError,
    MutatedGraphError,
    NoGraphError,
    UnsupportedNodeError,
)
from handgrad.graph.graph import Graph
from handgrad.tracing import evidence, torch_private
from handgrad.tracing import names as _names
from handgrad.tracing.details import Facts, Limits, add_values, flows, lines, naming, read_details
from handgrad.tracing.discovery import Walk, discover
from handgrad.tracing.live import maker
from handgrad.tracing.names import Names
from handgrad.tracing.structure import Columns

NamesLike = Mapping[str, torch.Tensor] | nn.Module | Iterable[tuple[str, torch.Tensor]]

SMALL_NODES = 1000
"""``values="auto"`` reads numbers of graphs with at most so many nodes ..."""
SMALL_NUMBERS = 16_384
"""... whose tensors have together at most so many numbers."""

FEW = Limits(tensor=1024, jacobian=4096)
ALL = Limits(tensor=1 << 62, jacobian=65_536)

REASONS: dict[type[Exception], str] = {
    FreedGraphError: "freed",
    MutatedGraphError: "mutated",
    UnsupportedNodeError: "unsupported",
}

HOOKED = (
    "Only the structure was read: reading saved tensors here would run code of yours or of "
    "torch.utils.checkpoint (saved-tensor hooks). Call trace(loss, values=True) to allow that."
)


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
    named = _names.collect(names, here and here.f_back)
    walked = discover(root, max_nodes=max_nodes)
    refusal = _refusal(walked, values)
    if refusal is None or isinstance(names, nn.Module):
        walked = walked.arranged()
    placed = _names.place(named, walked)
    facts, reason, remarks = _facts(walked, placed, output, values, refusal)
    unplaced: tuple[str, ...] = ()
    if reason is None or torch_private.traceback(root):
        for key, line in lines(walked):
            facts.setdefault(key, {})["line"] = line
    if isinstance(names, nn.Module):
        for key, home in _names.modules(walked, placed).items():
            facts.setdefault(key, {})["module"] = home
    elif names is not None:
        unplaced = _unplaced(placed, facts)
        if placed.strangers:
            warnings.warn(_stranger(placed.strangers), stacklevel=2)
    return Graph.from_columns(
        Columns(walked.structure, facts),
        output=output.output_nr,
        detail="structure" if reason else "values",
        reason=reason,
        remarks=(*(_deviations(walked, placed) if reason is None else ()), *remarks),
        unplaced=unplaced,
    )


def _root(output: object) -> LiveNode:
    """Return the node that made a tensor, or say why there is none."""
    if not isinstance(output, torch.Tensor):
        raise KindError(
            "trace() reads the graph of one tensor, but got an object of type "
            f"{type(output).__name__}. Call it with the loss: trace(loss)."
        )
    if torch_private.is_wrapped(output):
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


def _refusal(walked: Walk, values: object) -> tuple[str, str | None] | None:
    """Say why only the structure will be read, if that is known beforehand: reason, remark."""
    structure = walked.structure
    if values is False:
        return "asked", None
    if any(spec.device == "meta" for spec in structure.specs):
        seen = "tensors on the device 'meta' have no numbers"
        if values is True:
            raise UnsupportedNodeError(
                f"No values can be read: {seen}. Call trace(loss, values=False)."
            )
        return "unsupported", f"Only the structure was read: {seen}."
    if values is True:
        return None
    if len(structure) > SMALL_NODES:
        seen = f"{len(structure)} nodes (more than {SMALL_NODES})"
    elif (count := structure.size()) > SMALL_NUMBERS:
        seen = f"{count} numbers in its tensors (more than {SMALL_NUMBERS})"
    else:
        return None
    return "large", (
        f"Only the structure was read: the graph has {seen}. "
        "Call trace(loss, values=True) to read the numbers too."
    )


def _facts(
    walked: Walk,
    placed: Names,
    output: torch.Tensor,
    values: object,
    refusal: tuple[str, str | None] | None,
) -> tuple[Facts, str | None, tuple[str, ...]]:
    """Read the numbers, unless there is a reason not to; return what was read and the reason."""
    if refusal is None:
        try:
            if values is True or not evidence.hooked(walked):
                limits = ALL if values is True else FEW
                facts = read_details(walked, placed, output, limits)
                return facts, None, _kinds_of_output(output)
            refusal = "hooks", HOOKED
        except tuple(REASONS) as error:
            if values is True:
                raise
            refusal = REASONS[type(error)], f"Only the structure was read. {error}"
    reason, remark = refusal
    facts = naming(walked, placed)
    if reason in ("freed", "mutated", "hooks"):  # what the user still holds can be shown
        add_values(walked, placed, output, facts, FEW)
    return facts, reason, (remark,) if remark else ()


def _kinds_of_output(output: torch.Tensor) -> tuple[str, ...]:
    if flows(output):
        return ()
    kind = "complex" if output.is_complex() else f"of shape {tuple(output.shape)}"
    return (
        f"No gradient flows: the traced tensor is {kind}, and backward() starts from one real "
        "number. Trace one, such as output.abs().sum(), for the flow.",
    )


def _deviations(walked: Walk, placed: Names) -> tuple[str, ...]:
    """Say where a hook, or a leaf frozen since, will make ``.grad`` differ from the flow."""
    leaves = {key: walked.live[key] for key in walked.leaves()}
    frozen = [key for key, node in leaves.items() if not torch_private.variable(node).requires_grad]
    still = _seen(((key, 0) for key in frozen), placed)
    hooked = [key for key, node in leaves.items() if torch_private.is_hooked_leaf(node)]
    places = {(key, 0) for key in hooked}
    places |= {place for place, tensor in placed.tensors.items() if torch_private.hooks(tensor)}
    seen = _seen(places, placed)
    found = (
        (
            still,
            f"No gradient is asked for any more at {still}, since requires_grad was switched off: "
            "backward() leaves .grad as it is, whatever flows there.",
        ),
        (
            seen,
            f"A hook is registered on {seen}: backward() runs it, so .grad may differ from "
            "the flow here, which is pure calculus.",
        ),
    )
    return tuple(remark for place, remark in found if place)


def _seen(places: Iterable[tuple[int, int]], placed: Names) -> str:
    """Call places by their names, or else by their nodes."""
    return ", ".join(placed.words.get(p, (f"node {p[0]}",))[0] for p in sorted(places))


def _unplaced(placed: Names, facts: Facts) -> tuple[str, ...]:
    """List the names that stand nowhere in the graph, as far as is known."""
    edges = (edge for some in facts.values() for edge in some.get("edges", ()))
    found = {edge.constant.name for edge in edges if edge.constant}
    return (*placed.strangers, *(name for name, _ in placed.constants if name not in found))


def _stranger(names: list[str]) -> str:
    return (
        f"The graph has no place for {', '.join(names)}: the traced tensor was not computed from "
        "it, or was computed from a copy. Ask why_no_grad(tensor, loss) for the reason."
    )
