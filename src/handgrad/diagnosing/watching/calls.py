"""What one call of torch does to tracked tensors: which go in, and what stops them."""

from typing import Any, cast

import torch

from handgrad.diagnosing.watching.walls import COPIES, FIRST_ONLY, FORGETS, NUMBERS, Wall

_PROPERTIES = {
    ("__get__", "data"): "data",
    ("__set__", "requires_grad"): "requires_grad",
    ("__set__", "data"): ".data =",
    ("__get__", "grad"): ".grad",
    ("__set__", "grad"): ".grad =",
    ("__get__", "shape"): ".shape",
}
"""Properties that matter, by how they are used."""


def name_of(func: Any) -> str:
    """Name an operation; a property's getter goes by the property's name if it matters."""
    name = getattr(func, "__name__", "")
    if name in ("__get__", "__set__"):
        of = getattr(getattr(func, "__self__", None), "__name__", "")
        return _PROPERTIES.get((name, of), name)
    return name


def tracked(name: str, args: Any, kwargs: Any) -> list[torch.Tensor]:
    """List the tracked tensors whose numbers go in."""
    if name in FIRST_ONLY:
        return _tensors(args[:1])
    if name == "new_tensor":
        return _tensors(args[1:]) + _tensors(kwargs.values())
    return _tensors(args) + _tensors(kwargs.values())


def _tensors(things: Any) -> list[torch.Tensor]:
    return [tensor for tensor in all_tensors(things) if tensor.requires_grad]


def all_tensors(things: Any) -> list[torch.Tensor]:
    """List the tensors in arguments or results, also in lists within lists."""
    found: list[torch.Tensor] = []
    stack = list(things)
    while stack:
        thing = stack.pop(0)
        if isinstance(thing, torch.Tensor):
            found.append(thing)
        elif isinstance(thing, list | tuple):
            stack[:0] = cast(Any, thing)
    return found


def wall(name: str, args: Any, result: Any, given: list[torch.Tensor]) -> Wall | None:
    """Say which wall stands between the tracked arguments and the result, if one does."""
    if name in NUMBERS:
        return "number"
    if name == "requires_grad":
        return None if args[1] else "asked"
    tensors = all_tensors([result])
    if torch.is_inference_mode_enabled() and tensors and name not in FORGETS | COPIES:
        return "inference"
    if not tensors or any(_linked(tensor, given) for tensor in tensors):
        return None
    if name in FORGETS:
        return "asked"
    if name in COPIES or name == "__deepcopy__":
        return "copy"
    return "no slope" if torch.is_grad_enabled() else "switched off"


def written(name: str, args: Any) -> torch.Tensor | None:
    """Return the tensor that an operation writes into: in place, or by the setter of ``.data``."""
    in_place = name.endswith("_") and not name.endswith("__")
    if not (in_place or name in (".data =", "__setitem__")) or not args:
        return None
    return args[0] if isinstance(args[0], torch.Tensor) else None


def listed(args: Any) -> bool | None:
    """Tell whether a call was given a list of tensors; None if a list of anything else."""
    if not args or not isinstance(args[0], list | tuple):
        return False
    things = cast(list[object], args[0])
    return True if all(isinstance(thing, torch.Tensor) for thing in things) else None


def positions(name: str, result: Any) -> list[torch.Tensor]:
    """List the integers that came with values that have a slope, as from ``max(dim)``."""
    if not isinstance(result, tuple) or name == "broadcast_tensors":
        return []
    tensors = all_tensors([result])
    return [t for t in tensors if not (t.is_floating_point() or t.is_complex())]


def _linked(result: torch.Tensor, given: list[torch.Tensor]) -> bool:
    """Tell whether a result is in the graph: recorded, or one of the tracked arguments."""
    if not result.requires_grad:
        return False
    return not result.is_leaf or any(result is argument for argument in given)
