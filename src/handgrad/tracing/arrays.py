"""Copy a live tensor's numbers and form out as plain data."""

from typing import Any

import torch

from handgrad.errors import UnsupportedNodeError
from handgrad.graph.records import Array, Spec
from handgrad.tracing import torch_private


def spec_of(dtype: object, device: object, *shape: int) -> Spec:
    """Describe an output in plain words and numbers."""
    return Spec(shape=shape, dtype=str(dtype).removeprefix("torch."), device=str(device))


def array(tensor: torch.Tensor | None, most: int) -> Array | None:
    """Copy a tensor's numbers out, if there are at most so many.

    Raises:
        UnsupportedNodeError: If the tensor has none that Python can read.
    """
    if tensor is None or tensor.numel() > most:
        return None
    dtype = str(tensor.dtype).removeprefix("torch.")
    try:
        flat: Any = torch_private.dense(tensor).reshape(-1)
        data = tuple(flat.tolist())
    except Exception as error:
        raise UnsupportedNodeError(
            f"The numbers of a {type(tensor).__name__} of shape {tuple(tensor.shape)} cannot be "
            f"read: torch raised {type(error).__name__}: {error}. Call trace(loss, values=False), "
            "or compute the loss from plain tensors."
        ) from error
    return Array(shape=tuple(tensor.shape), dtype=dtype, data=data)
