"""What a live tensor tells of itself, where torch may refuse to answer."""

import torch
from torch.autograd.graph import Node

from handgrad.errors import MutatedGraphError


def maker(tensor: torch.Tensor) -> Node | None:
    """Return the node that made a tensor; None for a leaf.

    Raises:
        MutatedGraphError: If it is a view that lost its history.
    """
    try:
        return tensor.grad_fn
    except RuntimeError as error:
        raise MutatedGraphError(
            f"This tensor of shape {tuple(tensor.shape)} is a view whose base was changed in place "
            "afterwards, so PyTorch no longer knows how it was computed. Take the view again after "
            f"the change, or replace the change by a new tensor. PyTorch says: {error}"
        ) from error


def address(tensor: torch.Tensor) -> int | None:
    """Return where a tensor's numbers begin; None if it has no memory of its own."""
    try:
        real = tensor.untyped_storage().device.type != "meta"  # that of a fake tensor is not
        return tensor.data_ptr() if real else None
    except RuntimeError:  # torch.func's tensors have none at all
        return None


def is_emptied(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor's memory was given back; torch crashes where it is read."""
    try:
        return tensor.numel() > 0 and tensor.untyped_storage().nbytes() == 0
    except RuntimeError:  # it has no single memory
        return False
