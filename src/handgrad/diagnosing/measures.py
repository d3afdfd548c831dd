"""How large a tensor's numbers are, in one number."""

import math
from typing import Any, cast

import torch


def size(tensor: torch.Tensor) -> float:
    """Return the largest size among a tensor's numbers; NaN if one is NaN, 0 if there are none."""
    values = numbers(tensor)
    return float(_largest(values)) if values.numel() else 0.0


def is_zero(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor has numbers and all are zero; sparse ones by what they hold."""
    return tensor.numel() > 0 and size(tensor) == 0


def is_nan(tensor: torch.Tensor) -> bool:
    """Tell whether any number is NaN."""
    return math.isnan(size(tensor))


def is_broken(tensor: torch.Tensor) -> bool:
    """Tell whether any number is NaN or infinite."""
    return not math.isfinite(size(tensor))


def _largest(values: torch.Tensor) -> torch.Tensor:
    return cast(Any, torch.linalg).vector_norm(values, math.inf)  # NaN, if one is NaN


def numbers(tensor: torch.Tensor) -> torch.Tensor:
    """Return a gradient's numbers without history; of a sparse one, those it holds."""
    plain = tensor.detach()
    return plain.coalesce().values() if plain.layout is torch.sparse_coo else plain
