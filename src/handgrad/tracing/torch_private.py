"""Every private name of torch that handgrad uses, under a plain name."""

import inspect
import operator
import re
import warnings
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

GRAD_SWITCH = "_set_grad_enabled"
"""The name of the function that every switch of gradient mode ends in."""

LOADER = "_load_from_state_dict"
"""The name of the method by which a module copies what it loads."""

sequence: Callable[[Node], int] = operator.methodcaller("_sequence_nr")
"""Return the engine's priority: of the ready nodes it runs the highest first."""

_leaf_hooks: Callable[[Node], tuple[Any, Any]] = operator.attrgetter(
    "variable._backward_hooks", "variable._post_accumulate_grad_hooks"
)

metadata: Callable[[Node], Sequence[Any]] = operator.attrgetter("_input_metadata")
"""Return shape, dtype and device of each output, as the engine checks them."""

OLDEST, NEWEST = "2.10", "2.15"
"""The versions of torch between which handgrad is tested; newer ones may work as well."""

_NEEDED = (
    "Tensor.grad_dtype",
    "Tensor._backward_hooks",
    "Tensor.__torch_dispatch__",
    "Tensor._base",
    "Tensor._is_view",
    "Tensor._is_zerotensor",
    "Tensor._post_accumulate_grad_hooks",
    "Tensor._version",
    "_C.DisableTorchFunction",
    "_C._autograd.SavedTensor.unpack_hook",
    "_C._current_graph_task_id",
    "_C._functorch.is_functorch_wrapped_tensor",
    "_C._is_torch_function_enabled",
    "_C._len_torch_dispatch_stack",
    "_is_functional_tensor",
    "autograd.function.BackwardCFunction",
    "is_autocast_enabled",
    "overrides.TorchFunctionMode",
    "utils._python_dispatch._disable_current_modes",
    "utils.weak.WeakTensorKeyDictionary",
)
"""What is read of torch and not promised by it, by its name below ``torch``."""

_NEEDED_OF_A_NODE = (
    "__call__",
    "_input_metadata",
    "_sequence_nr",
    "metadata",
    "name",
    "next_functions",
)


def check_version(node: object, namespace: object = torch) -> None:
    """Raise unless this torch has every name that is used here and not promised by PyTorch.

    Raises:
        VersionError: Names what is missing, and the versions that have it.
    """
    missing = [f"torch.{name}" for name in _NEEDED if not _has(namespace, name)]
    missing += [f"grad_fn.{name}" for name in _NEEDED_OF_A_NODE if not _has(node, name)]
    if missing:
        raise VersionError(
            f"torch {torch.__version__} lacks {', '.join(missing)}, with which handgrad reads "
            f"recorded graphs. Install a version that has them: {OLDEST} or newer, "
            f'python -m pip install "torch>={OLDEST}".'
        )
    if told := untested():
        warnings.warn(f"{told} It may work as well.", stacklevel=2)


def _has(thing: object, name: str) -> bool:
    try:
        operator.attrgetter(name)(thing)
    except AttributeError:
        return False
    return True


def untested() -> str:
    """Return one sentence if this torch is newer than all that were tested, or nothing."""
    if _release(torch.__version__) <= _release(NEWEST):
        return ""
    return (
        f"torch {torch.__version__} is newer than {NEWEST}, the newest that handgrad was tested "
        "with."
    )


def _release(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:2])


def is_leaf(node: Node) -> bool:
    """Tell whether a node only adds to a leaf's ``.grad``; such a node must never be called."""
    return node.name() == LEAF_NAME


def is_generic(node: Node) -> bool:
    """Tell whether torch has no type of its own for a node, so that only its name tells it."""
    return type(node).__name__ == "CppFunction"


def is_python(node: Node) -> bool:
    """Tell whether a node is a ``torch.autograd.Function`` written in Python."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


def is_reentrant(node: Node) -> bool:
    """Tell whether a Python Function is a checkpoint that runs a backward pass of its own."""
    return cast(Any, node)._forward_cls is CheckpointFunction


def declines_zeros(node: Node) -> bool:
    """Tell whether a Python Function asked for None, not zeros, where no gradient arrives.

    Its own code says so; what torch keeps of it can only be written.
    """
    function = cast(Any, node)._forward_cls
    code = (inspect.unwrap(rule).__code__ for rule in (function.forward, function.setup_context))
    return any("set_materialize_grads" in names.co_names for names in code)


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


def is_hooked_leaf(node: Node) -> bool:
    """Tell whether the tensor of a leaf's node has such functions; asked of every leaf."""
    before, after = _leaf_hooks(node)
    return bool(before or after)


def base(tensor: torch.Tensor) -> Gradient:
    """Return the tensor that a view looks into, if PyTorch keeps account of it."""
    private = cast(Any, tensor)
    return private._base if not tensor.is_inference() and private._is_view() else None


def start(tensor: torch.Tensor) -> Node | None:
    """Return the operation that made a tracked tensor; of a leaf, a view of it that is made here.

    None for a view that has its flag from its base alone: no gradient can reach it.
    """
    if tensor.grad_fn is not None:
        return tensor.grad_fn
    with torch.enable_grad():
        made = tensor.view_as(tensor).grad_fn
    return made if made is not None and made.next_functions[0][0] is not None else None


def in_backward() -> bool:
    """Tell whether this code is run by the engine, inside a backward pass."""
    return _C._current_graph_task_id() != -1


def seed(output: torch.Tensor) -> torch.Tensor:
    """Return the gradient that ``backward()`` starts with: ones."""
    return torch.ones_like(output, memory_format=torch.preserve_format)


def is_wrapped(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor lives inside a ``torch.func`` transformation."""
    return _C._functorch.is_functorch_wrapped_tensor(tensor)


def is_functional(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor stands for another while a program is made free of in-place changes."""
    return bool(cast(Any, torch)._is_functional_tensor(tensor))


def has_own_rules(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor's class decides itself what an operation on it does."""
    ours, plain = cast(Any, type(tensor)), cast(Any, torch.Tensor)
    return ours.__torch_dispatch__ is not plain.__torch_dispatch__


def version(tensor: torch.Tensor) -> int:
    """Count how often a tensor was changed in place; -1 where torch does not count."""
    return -1 if tensor.is_inference() else tensor._version


def tensors_on_ctx(node: Node) -> list[tuple[str, torch.Tensor]]:
    """List the tensors that a Python Function kept as attributes of its ctx."""
    held = cast(dict[str, object], vars(node))
    return [(word, thing) for word, thing in held.items() if isinstance(thing, torch.Tensor)]


def home(node: Node) -> str:
    """Return the module in which a Python Function was written."""
    return str(cast(Any, node)._forward_cls.__module__)


@contextmanager
def undisturbed() -> Generator[None]:
    """Compute as the engine does, whatever modes the caller is in; restores them after."""
    if is_undisturbed():
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(_C.DisableTorchFunction())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(cast(Any, torch).utils._python_dispatch._disable_current_modes())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


def is_undisturbed() -> bool:
    """Tell whether nothing is left to switch off, so that many calls in a row cost little."""
    return not (
        _C._is_torch_function_enabled()
        or torch.is_grad_enabled()
        or torch.is_inference_mode_enabled()
        or _C._len_torch_dispatch_stack()
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
    with explained(node):
        kept = getattr(node, full)
    return several(kept)


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
    with explained(node):
        kept = getattr(node, full)
    return several(kept)


def several(kept: Any) -> tuple[Any, ...]:
    """Return what torch gives as one thing, a list or a tuple as a tuple."""
    return tuple(kept) if type(kept) in (tuple, list) else (kept,)


def setting(node: Node, name: str) -> Any:
    """Read a saved setting, such as an exponent."""
    return getattr(node, f"_saved_{name}")


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """Return plain numbers in rows: no sparsity, no pending conjugation, no history."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor._is_zerotensor():
        tensor = torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    return tensor.resolve_conj().resolve_neg()


@contextmanager
def explained(node: Node) -> Generator[None]:
    """Turn torch's errors into ours: what was seen, why, what to type."""
    try:
        yield
    except Exception as error:
        raise explain(node, error) from error


def explain(node: Node, error: Exception) -> HandgradError:
    """Say what an error of torch's means here."""
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
        f"{error}. Trace its structure with trace(loss, values=False). {untested()}".rstrip()
    )


check_version(torch.ones((), requires_grad=True).mul(2.0).grad_fn)
