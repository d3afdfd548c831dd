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
