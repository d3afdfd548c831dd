"""Where gradients die or blow up, by operation: why, and what to write instead, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remedy:
    """Why an operation's derivative is zero or not finite, and a spelling that is not.

    ``instead_of`` is how the operation is written, with ``z`` for its input;
    ``use`` replaces it. Both are empty where no spelling helps everywhere.
    """

    why: str
    instead_of: str = ""
    use: str = ""

    @property
    def repair(self) -> str:
        """Return the two lines that a diagnosis shows, or nothing."""
        return f"# instead of {self.instead_of}:\n{self.use}" if self.use else ""


def _steps(function: str) -> Remedy:
    return Remedy(
        "it is constant between its steps, so its slope is zero everywhere",
        f"torch.{function}(z)",
        f"(z + (torch.{function}(z) - z).detach())",
    )


def _saturated(function: str, call: str = "z") -> Remedy:
    arguments = call.replace("z", "z / z.detach().abs().max()", 1)
    return Remedy(
        "it is saturated: at inputs this large its slope rounds to zero",
        f"torch.{function}({call})",
        f"torch.{function}({arguments})",
    )


_DEAD = Remedy(
    "all its inputs are negative or zero, where its slope is zero",
    "torch.relu(z)",
    "torch.nn.functional.leaky_relu(z)",
)
_BOUNDS = Remedy(
    "all its inputs lie beyond its bounds, where its slope is zero",
    "torch.clamp(z, low, high)",
    "(low + (high - low) * torch.sigmoid(z))",
)
_OTHER_BRANCH = Remedy(
    "it took the other branch everywhere",
    "torch.where(chosen, z, other)",
    "torch.lerp(other, z, 0.5)",
)

DIES_AT = {
    "Relu": _DEAD,
    "Round": _steps("round"),
    "Floor": _steps("floor"),
    "Ceil": _steps("ceil"),
    "Trunc": _steps("trunc"),
    "Sign": Remedy(
        "it is constant on either side of zero, so its slope is zero",
        "torch.sign(z)",
        "torch.tanh(z)",
    ),
    "Clamp": _BOUNDS,
    "ClampMin": _BOUNDS,
    "ClampMax": _BOUNDS,
    "Hardtanh": _BOUNDS,
    "Hardsigmoid": _BOUNDS,
    "Where": _OTHER_BRANCH,
    "MaskedFill": _OTHER_BRANCH,
    "Sigmoid": _saturated("sigmoid"),
    "Tanh": _saturated("tanh"),
    "Softmax": _saturated("softmax", "z, dim=-1"),
    "LogSoftmax": _saturated("log_softmax", "z, dim=-1"),
    "Mul": Remedy("its other factor is zero"),
    "Pow": Remedy("its base is zero: the loss may already be at its minimum"),
    "Abs": Remedy("its input is zero, where PyTorch chooses the slope zero"),
    "Mv": Remedy("the matrix or vector it is multiplied with is zero"),
    "Mm": Remedy("the matrix it is multiplied with is zero"),
    "Addmm": Remedy("the matrix it is multiplied with is zero"),
}
"""What is known about operations that turn a gradient into zeros, by recorded name."""

BLOWS_UP_AT = {
    "Sqrt": Remedy("its slope at 0 is infinite", "torch.sqrt(z)", "torch.sqrt(z + 1e-12)"),
    "Rsqrt": Remedy("its slope at 0 is infinite", "torch.rsqrt(z)", "torch.rsqrt(z + 1e-12)"),
    "Log": Remedy("its slope at 0 is infinite", "torch.log(z)", "torch.log(z + 1e-12)"),
    "Div": Remedy("it divides by zero", "a / z", "a / (z + 1e-12)"),
    "Reciprocal": Remedy("it divides by zero", "1 / z", "1 / (z + 1e-12)"),
    "Pow": Remedy("its slope at 0 is infinite", "z**power", "(z + 1e-12) ** power"),
    "Exp": Remedy("its result overflows", "torch.exp(z)", "torch.exp(z.clamp(max=80))"),
    "Acos": Remedy(
        "its slope at -1 and 1 is infinite",
        "torch.acos(z)",
        "torch.acos(z.clamp(-0.999999, 0.999999))",
    ),
    "Asin": Remedy(
        "its slope at -1 and 1 is infinite",
        "torch.asin(z)",
        "torch.asin(z.clamp(-0.999999, 0.999999))",
    ),
    "Mul": Remedy("one of its factors is not finite"),
}
"""What is known about operations that turn a finite gradient into NaN or infinity."""
