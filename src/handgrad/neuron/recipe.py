"""What a neuron is made of, and the checks its ingredients pass; no calculus here.

The hand, PyTorch's autograd and the witnesses read the same recipe, and share
nothing else.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from handgrad.errors import InputError, KindError, ShapeMismatchError
from handgrad.suggestions import unknown

DTYPES = (torch.float32, torch.float64)
ACTIVATIONS = (
    "identity",
    "relu",
    "leaky relu",
    "sigmoid",
    "tanh",
    "softplus",
    "silu",
    "gelu",
    "sine",
)
LOSSES = ("squared error", "absolute error", "huber", "logistic")
REDUCTIONS = ("mean", "sum")
PARTS = ("weights", "bias", "activation", "loss", "reduction")
INPUT_NAMES = ("w", "x", "b", "target")


class Recipe(Protocol):
    """A neuron as plain ingredients: numbers and names, no derivatives."""

    @property
    def weights(self) -> torch.Tensor:
        """Shape ``()`` for one input, ``(k,)`` for ``k``."""
        ...

    @property
    def bias(self) -> torch.Tensor:
        """Shape ``()``."""
        ...

    @property
    def activation(self) -> str:
        """One of ``ACTIVATIONS``."""
        ...

    @property
    def loss(self) -> str:
        """One of ``LOSSES``."""
        ...

    @property
    def reduction(self) -> str:
        """One of ``REDUCTIONS``; how the rows of a batch become one loss."""
        ...


def known(what: str, name: str, names: Sequence[str]) -> str:
    """Return a name that is in the list; else ``InputError`` with the nearest one.

    Example:
        >>> known("activation", "tanh", ACTIVATIONS)
        'tanh'
    """
    if name not in names:
        raise unknown(what, name, names)
    return name


def array(value: Any, name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Copy a float, a list of floats or a tensor into a plain, finite, untracked tensor.

    Args:
        value: What the reader gave.
        name: How an error calls it.
        dtype: The dtype it must have. A Python float takes it (or torch's
            default); a tensor must already have it.

    Raises:
        KindError: For integers, and for a dtype other than the one asked for.
        InputError: For an empty tensor, nan and infinities.
    """
    if isinstance(value, torch.Tensor):
        tensor = value.detach().clone()
        _check_dtype(tensor, name, dtype)
    else:
        _check_python(value, name)
        tensor = torch.tensor(value, dtype=dtype or torch.get_default_dtype())
    if tensor.numel() == 0:
        raise InputError(
            f"{name} is empty (shape {tuple(tensor.shape)}): a neuron without numbers has no "
            f"gradient, and the mean over no rows is nan. Give {name} at least one number."
        )
    if not torch.isfinite(tensor).all():
        _complain_about_nonfinite(tensor, name)
    return tensor


def example(recipe: Recipe, x: Any, target: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Check one example or a batch against a neuron, and copy it.

    Args:
        recipe: The neuron.
        x: Shape ``()`` or ``(n,)`` for one weight; ``(k,)`` or ``(n, k)`` for ``k``.
        target: Shape ``()`` for one example, ``(n,)`` for a batch.

    Raises:
        ShapeMismatchError: For any other pair of shapes; nothing is broadcast.
        KindError, InputError: As ``array``; KindError for what is no neuron.
    """
    if missing := [part for part in PARTS if not hasattr(recipe, part)]:
        raise KindError(
            f"The neuron is a {type(recipe).__name__}, which has no {missing[0]}. Give a Neuron: "
            "Neuron(0.7, -0.2, activation='tanh')."
        )
    dtype = recipe.weights.dtype
    inputs, wanted = array(x, "x", dtype), array(target, "target", dtype)
    per_example = tuple(recipe.weights.shape)
    seen = tuple(inputs.shape)
    batch = seen[: len(seen) - len(per_example)]
    if seen != batch + per_example or len(batch) > 1:
        raise ShapeMismatchError(
            f"x has shape {seen}, but a neuron with weights of shape {per_example} reads one "
            f"example of shape {per_example} or a batch of shape {_shape('n', per_example)}. "
            f"Write x.reshape({', '.join(map(str, (-1, *per_example)))}) if x is a batch."
        )
    if tuple(wanted.shape) != batch:
        raise ShapeMismatchError(
            f"target has shape {tuple(wanted.shape)}, but x of shape {seen} asks for {batch}, "
            "one target per example. Broadcasting would set every prediction against every "
            f"target. Write target.reshape({batch})."
        )
    return inputs, wanted


def _shape(*parts: Any) -> str:
    first, rest = parts
    return f"({', '.join([first, *map(str, rest)])}{'' if rest else ','})"


def _check_dtype(tensor: torch.Tensor, name: str, dtype: torch.dtype | None) -> None:
    if tensor.dtype not in DTYPES:
        why = (
            "slopes are limits of small steps, which integers cannot take"
            if not tensor.is_floating_point() and not tensor.is_complex()
            else "the formulas are checked in float32 and float64 only"
        )
        raise KindError(
            f"{name} has dtype {tensor.dtype}: {why}. Write {name}.to(torch.float64), or "
            "3.0 instead of 3."
        )
    if dtype is not None and tensor.dtype != dtype:
        raise KindError(
            f"{name} has dtype {tensor.dtype}, but the weights have {dtype}: mixing them would "
            f"round or widen silently. Write {name}.to({dtype})."
        )


def _check_python(value: Any, name: str) -> None:
    level = [value]
    while any(isinstance(item, (list, tuple)) for item in level):
        level = [inner for item in level for inner in _items(item)]
    for item in level:
        if not isinstance(item, float):
            whose = "" if item is value else f"where {item!r} is "
            number = f"{float(item)!r}" if isinstance(item, int) else "torch.tensor(...)"
            raise KindError(
                f"{name} is {value!r}, {whose}of type {type(item).__name__}: a slope needs "
                "numbers that can change by a small step, so floats. Write "
                f"{number} instead of {item!r}."
            )


def _items(item: Any) -> Sequence[Any]:
    return item if isinstance(item, (list, tuple)) else [item]  # pyright: ignore


def _complain_about_nonfinite(tensor: torch.Tensor, name: str) -> None:
    index = tuple(int(i) for i in torch.nonzero(~torch.isfinite(tensor))[0])
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    raise InputError(
        f"{place} is {tensor[index].item()}: no slope exists there, and one such number "
        f"spoils every gradient of the batch. Find where it arose, or leave the row out: "
        f"{name}[{name}.isfinite()]."
    )
