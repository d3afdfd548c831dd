"""How large a tensor's numbers are, in one number."""

import math
from typing import Any, cast

import torch

_GOLDEN = (math.sqrt(5) - 1) / 2
"""Its multiples fall apart as evenly as those of any number."""

_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)


def size(tensor: torch.Tensor) -> float:
    """Return the largest size among a tensor's numbers; NaN if one is NaN, 0 if there are none."""
    values = numbers(tensor)
    if not values.numel():
        return 0.0
    if values.is_floating_point() or values.is_complex():
        return float(_largest(values))
    return float(values.abs().max() if values.dtype != torch.bool else values.any())


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
    if plain.layout is torch.strided:
        return plain
    if plain.layout is torch.sparse_coo:
        return plain.coalesce().values()
    return plain.values() if plain.layout in _COMPRESSED else plain.to_dense()


def uneven(tensor: torch.Tensor) -> torch.Tensor:
    """Multiply every number by another factor between 1/2 and 3/2, the same at every call."""
    if tensor.layout is torch.sparse_coo:
        held = tensor.coalesce()
        values = uneven(held.values())
        return cast(Any, torch).sparse_coo_tensor(
            held.indices(), values, held.shape, is_coalesced=True
        )
    if tensor.layout is not torch.strided:
        return tensor
    count = torch.arange(tensor.numel(), device=tensor.device, dtype=torch.float64)
    factors = 0.5 + (count * _GOLDEN).frac()
    return tensor * factors.reshape(tensor.shape).to(tensor.dtype)


def are_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Tell whether two tensors have the same shape and numbers; torch compares no half complex."""
    pair = [
        tensor.detach().to(torch.complex64) if tensor.dtype == torch.complex32 else tensor.detach()
        for tensor in (one, other)
    ]
    return torch.equal(*pair)
