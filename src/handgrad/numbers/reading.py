"""Numbers of any kind, read once into plain Python: shape, format, values."""

import numbers
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import torch

from handgrad.errors import InputError, KindError, ShapeMismatchError

FLOATS = {
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.float32: "float32",
    torch.float64: "float64",
}
FAR = 20_000  # octaves from 1, where no float of any format comes near


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Numbers in row-major order; ``form`` is None if they are exact, not floats."""

    shape: tuple[int, ...]
    form: str | None
    values: tuple[float | Fraction, ...]

    def label(self, place: int) -> str:
        """Name the place of one number, such as ``[1, 0]``; nothing for a single number."""
        index: list[int] = []
        for length in reversed(self.shape):
            place, here = divmod(place, length)
            index.insert(0, here)
        return f"[{', '.join(map(str, index))}]" if index else ""


def read(value: Any, what: str) -> Numbers:
    """Read a float, a rational, an mpmath number, a tensor or a nested list of them.

    Args:
        value: What the caller gave.
        what: How an error names it, for example ``"'w' of 'PyTorch'"``.

    Raises:
        KindError: For integers, complex numbers, sparse tensors and anything else
            that has no distance in ulps.
        InputError: If there are no numbers in it.
    """
    if isinstance(value, torch.Tensor):
        return _read_tensor(value, what)
    shape, flat = _flatten(value, what)
    if not flat:
        raise InputError(_empty(what, shape))
    if all(isinstance(item, float) for item in flat):
        return Numbers(shape=shape, form="float64", values=tuple(map(float, flat)))
    return Numbers(shape=shape, form=None, values=tuple(_exact(item, what) for item in flat))


def _read_tensor(tensor: torch.Tensor, what: str) -> Numbers:
    if tensor.dtype not in FLOATS:
        raise KindError(
            f"Cannot count ulps for {what}: its dtype is {tensor.dtype}, and only float16, "
            "bfloat16, float32 and float64 have steps to count. Write "
            f"{'.real and .imag' if tensor.is_complex() else '.to(torch.float64)'} first."
        )
    if tensor.layout != torch.strided:
        raise KindError(
            f"Cannot compare {what}: it is stored as {tensor.layout}, where some numbers are "
            "left out. Write .to_dense() first."
        )
    if tensor.numel() == 0:
        raise InputError(_empty(what, tuple(tensor.shape)))
    flat = cast("Any", tensor.detach().cpu().reshape(-1))
    return Numbers(
        shape=tuple(tensor.shape), form=FLOATS[tensor.dtype], values=tuple(flat.tolist())
    )


def _flatten(value: Any, what: str) -> tuple[tuple[int, ...], list[Any]]:
    """Flatten nested lists of one length per level, level by level."""
    shape: list[int] = []
    level: list[Any] = [value]
    while level and all(isinstance(item, (list, tuple)) for item in level):
        lengths = {len(item) for item in level}
        if len(lengths) > 1:
            raise ShapeMismatchError(
                f"Cannot read {what}: lists of different lengths {sorted(lengths)} stand side "
                "by side, so it has no shape. Give every row the same length."
            )
        shape.append(lengths.pop())
        level = [inner for item in level for inner in item]
    return tuple(shape), level


def _exact(item: Any, what: str) -> Fraction | float:
    """Turn one number into the rational it is; infinities and nan stay floats."""
    if isinstance(item, float):
        return item if item != item or item in (float("inf"), float("-inf")) else Fraction(item)
    if isinstance(item, numbers.Rational) and not isinstance(item, numbers.Integral):
        return Fraction(int(item.numerator), int(item.denominator))
    parts = getattr(item, "_mpf_", None)  # mpmath's numbers, without importing mpmath
    if parts is not None:
        sign, mantissa, exponent, _ = parts
        if not mantissa and exponent:
            return float(item)
        # e ** -1e38 is a number to mpmath, but as a fraction it would fill the memory
        exponent = min(max(int(exponent), -FAR), FAR)
        return (-1) ** sign * int(mantissa) * Fraction(2) ** exponent
    raise KindError(
        f"Cannot compare {what}: {item!r} is of type {type(item).__name__}, and only floats, "
        f"tensors, Fractions and mpmath numbers have a distance in ulps. {_repair(item)}"
    )


def _repair(item: Any) -> str:
    if isinstance(item, numbers.Integral):
        return f"Write {float(item)!r} or Fraction({int(item)})."
    if isinstance(item, numbers.Complex):
        return "Compare .real and .imag one by one."
    if hasattr(item, "__array__"):
        return "Write torch.as_tensor(...) around it."
    return "Write a float such as 3.0, or torch.tensor(...)."


def _empty(what: str, shape: tuple[int, ...]) -> str:
    return (
        f"Cannot compare {what}: it holds no numbers (shape {shape}), and agreement about "
        "nothing proves nothing. Check the slice that made it, or leave it out."
    )
