"""Every private name of torch that handgrad uses, and the calls of recorded nodes.

A recorded node, called with a gradient for each of its outputs, returns the
gradient for each of its inputs: its vector-Jacobian product. The call frees
nothing and runs no hook, because hooks belong to the engine. What the engine
does to each result afterwards (sum over broadcast axes, real part, dtype) is
done here too, so that results have the engine's bits.
"""

import operator
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch.autograd.graph import Node
from torch.utils.checkpoint import CheckpointFunction

from handgrad.errors import (
    FreedGraphError,
    HandgradError,
    MutatedGraphError,
    UnsupportedNodeError,
    VersionError,
)

Gradient = torch.Tensor | None

_C: Any = cast(Any, torch)._C

LEAF_NAME = "torch::autograd::AccumulateGrad"
"""The name of the node at every leaf, which adds to ``.grad``; it must never be called."""

sequence: Callable[[Node], int] = operator.methodcaller("_sequence_nr")
"""Return the engine's priority: of the ready nodes it runs the highest first."""

_tensor_hooks: Callable[[torch.Tensor], tuple[Any, Any]] = operator.attrgetter(
    "_backward_hooks", "_post_accumulate_grad_hooks"
)

metadata: Callable[[Node], Sequence[Any]] = operator.attrgetter("_input_metadata")
"""Return shape, dtype and device of each output, as the engine checks them."""

_NEEDED = ("_sequence_nr", "_input_metadata", "next_functions", "name", "metadata", "__call__")


def check_version(node: object, namespace: object = _C) -> None:
    """Raise unless this torch has every private name that is used here.

    Raises:
        VersionError: Names what is missing, and the versions that have it.
    """
    missing = [name for name in _NEEDED if not hasattr(node, name)]
    missing += [
        name for name in ("DisableTorchFunction", "_functorch") if not hasattr(namespace, name)
    ]
    if missing:
        raise VersionError(
            f"torch {torch.__version__} lacks {', '.join(missing)}, with which handgrad reads "
            "recorded graphs. Install a version that it was tested with: "
            'python -m pip install "torch>=2.13,<2.14".'
        )


def is_leaf(node: Node) -> bool:
    """Tell whether a node only adds to a leaf's ``.grad``; such a node must never be called."""
    return node.name() == LEAF_NAME


def is_generic(node: Node) -> bool:
    """Tell whether torch has no type of its own for a node, so that only its name tells it."""
    return type(node).__name__ == "CppFunction"


def is_python(node: Node) -> bool:
    """Tell whether a node is a ``torch.autograd.Function`` written in Python."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


def variable(node: Node) -> torch.Tensor:
    """Return the very leaf tensor whose ``.grad`` the node adds to."""
    return cast(Any, node).variable


def traceback(node: Node) -> Sequence[str]:
    """Return the frames in which a node was recorded, if anomaly mode was on then."""
    return cast(Any, node).metadata.get("traceback_", ())


def hooks(tensor: torch.Tensor) -> tuple[str, ...]:
    """Name the functions that the user has hooked to a tensor's gradient."""
    private = cast(Any, tensor)
    found: dict[int, Any] = {
        **(private._backward_hooks or {}),
        **(private._post_accumulate_grad_hooks or {}),
    }
    return tuple(getattr(hook, "__name__", type(hook).__name__) for hook in found.values())


def base(tensor: torch.Tensor) -> Gradient:
    """Return the tensor that a view looks into, if PyTorch keeps account of it."""
    private = cast(Any, tensor)
    return private._base if not tensor.is_inference() and private._is_view() else None


def in_backward() -> bool:
    """Tell whether this code is run by the engine, inside a backward pass."""
    return _C._current_graph_task_id() != -1


def seed(output: torch.Tensor) -> torch.Tensor:
    """Return the gradient that ``backward()`` starts with: ones."""
    return torch.ones_like(output, memory_format=torch.preserve_format)


def is_wrapped(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor lives inside a ``torch.func`` transformation."""
    return _C._functorch.is_functorch_wrapped_tensor(tensor)


@contextmanager
def undisturbed() -> Generator[None]:
    """Compute as the engine does, whatever modes the caller is in; restores them after."""
    if _is_undisturbed():
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(_C.DisableTorchFunction())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


def _is_undisturbed() -> bool:
    """Tell whether nothing is left to switch off, so that many calls in a row cost little."""
    return not (
        _C._is_torch_function_enabled()
        or torch.is_grad_enabled()
        or torch.is_inference_mode_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.is_autocast_enabled("cuda")
    )


def saved_names(kind: type[Any]) -> tuple[tuple[str, bool], ...]:
    """List what nodes of a type keep: name, and whether it is tensors that are kept."""
    if issubclass(kind, torch.autograd.function.BackwardCFunction):
        return (("tensors", True),)
    names = vars(kind)
    found = (name.removeprefix("_saved_") for name in names if name.startswith("_saved_"))
    return tuple((name, f"_raw_saved_{name}" in names) for name in sorted(found))


def raw_saved(node: Node, name: str) -> tuple[Any, ...]:
    """Return the keepers of a saved tensor or list, without unpacking them.

    Raises:
        FreedGraphError: If they were freed.
    """
    full = "_raw_saved_tensors" if is_python(node) else f"_raw_saved_{name}"
    with _explained(node):
        kept = getattr(node, full)
    return _several(kept)


def has_hook(keeper: Any) -> bool:
    """Tell whether reading a saved tensor would run code, as checkpointing does."""
    return keeper.unpack_hook is not None


def saved(node: Node, name: str) -> tuple[Gradient, ...]:
    """Read saved tensors; runs their hooks if they have any.

    Raises:
        FreedGraphError: If they were freed.
        MutatedGraphError: If one was changed in place since.
    """
    full = "saved_tensors" if is_python(node) else f"_saved_{name}"
    with _explained(node):
        kept = getattr(node, full)
    return _several(kept)


def _several(kept: Any) -> tuple[Any, ...]:
    return tuple(kept) if type(kept) in (tuple, list) else (kept,)


def setting(node: Node, name: str) -> Any:
    """Read a saved setting, such as an exponent."""
    return getattr(node, f"_saved_{name}")


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """Return plain numbers in rows: no sparsity, no pending conjugation, no history."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    return tensor.resolve_conj().resolve_neg()


def call(node: Node, cotangents: Sequence[Gradient]) -> tuple[Gradient, ...]:
    """Ask a recorded operation for its vector-Jacobian product, with the engine's bits.

    Args:
        node: Any node but a leaf's.
        cotangents: One gradient or None per output; at least one is given.

    Returns:
        One gradient or None per entry of ``node.next_functions``.

    Raises:
        FreedGraphError: If a backward pass freed what the node had saved.
        MutatedGraphError: If a saved tensor was changed in place since.
        UnsupportedNodeError: If the node cannot be asked outside the engine.
    """
    results = _call_python(node, cotangents) if is_python(node) else _call_native(node, cotangents)
    edges = node.next_functions
    padded = (*results, *(None for _ in range(len(edges) - len(results))))
    with _explained(node):
        return tuple(
            None if result is None or source is None else _as_engine(result, metadata(source)[nr])
            for result, (source, nr) in zip(padded, edges, strict=False)
        )


def _call_native(node: Node, cotangents: Sequence[Gradient]) -> tuple[Gradient, ...]:
    with undisturbed(), _explained(node):
        results = cast(Any, node)(*cotangents)
    return _several(results)


def _call_python(node: Node, cotangents: Sequence[Gradient]) -> tuple[Gradient, ...]:
    """Call a Python Function's rule as the engine does: no holes in, none but live slots out."""
    function = cast(Any, node)
    if function._forward_cls is CheckpointFunction:
        raise UnsupportedNodeError(
            "A reentrant checkpoint hides its operations and runs a backward pass of its own "
            "that writes to .grad, so it cannot be asked for a local derivative. Record it "
            "with checkpoint(..., use_reentrant=False) instead."
        )
    whole = [
        torch.zeros(tuple(meta.shape), dtype=meta.dtype, device=meta.device)
        if given is None
        else given
        for given, meta in zip(cotangents, metadata(node), strict=True)
    ]
    with undisturbed(), _explained(node):
        results = function.apply(*whole)
    results = _several(results)
    live = iter([r for r, needs in zip(results, function.needs_input_grad, strict=False) if needs])
    return tuple(None if source is None else next(live, None) for source, _ in node.next_functions)


def _as_engine(result: torch.Tensor, meta: Any) -> torch.Tensor:
    """Finish a result as the engine's ``validate_outputs`` does."""
    shape = tuple(meta.shape)
    with undisturbed():
        if result.shape != shape:
            result = result.sum_to_size(shape)
        if result.is_complex() and not meta.dtype.is_complex:
            raise TypeError("a complex gradient for a real input, which backward() refuses too")
        return result if result.dtype == meta.dtype else result.to(meta.dtype)


@contextmanager
def _explained(node: Node) -> Generator[None]:
    """Turn torch's errors into ours: what was seen, why, what to type."""
    try:
        yield
    except Exception as error:
        raise _explain(node, error) from error


def _explain(node: Node, error: Exception) -> HandgradError:
    text, name = str(error), node.name()
    if "backward through the graph a second time" in text:
        return FreedGraphError(
            f"A backward pass has freed what {name} had saved, so its derivative can no longer be "
            "read. Trace before backward(), or keep the graph with "
            "loss.backward(retain_graph=True)."
        )
    if "modified by an inplace operation" in text:
        return MutatedGraphError(
            f"A tensor that {name} had saved was changed in place afterwards, so its derivative "
            "would be taken at other numbers. Replace the in-place change (x += y, x.add_(y)) by "
            f"a new tensor (x = x + y). PyTorch says: {text.split(' Hint:')[0]}"
        )
    return UnsupportedNodeError(
        f"{name} could not be asked for its local derivative: it raised {type(error).__name__}: "
        f"{error}. Trace its structure with trace(loss, values=False)."
    )


check_version(torch.ones((), requires_grad=True).mul(2.0).grad_fn)
