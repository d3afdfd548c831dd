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


def _saturated(function: str) -> Remedy:
    return Remedy(
        "it is saturated wherever a gradient arrives: its slope rounds to zero at such inputs",
        f"torch.{function}(z)",
        f"torch.{function}(z / z.detach().abs().max())",
    )


_DEAD = Remedy(
    "its inputs are negative or zero wherever a gradient arrives, and its slope is zero there",
    "torch.relu(z)",
    "torch.nn.functional.leaky_relu(z)",
)
_BOUNDS = Remedy(
    "its inputs lie beyond its bounds wherever a gradient arrives, and its slope is zero there",
    "torch.clamp(z, low, high)",
    "(low + (high - low) * torch.sigmoid(z))",
)
_OTHER_BRANCH = Remedy(
    "it took the other branch wherever a gradient arrives",
    "torch.where(chosen, z, other)",
    "torch.lerp(other, z, 0.5)",
)
_FACTOR = Remedy(
    "its other factor is zero or too small wherever a gradient arrives, or the products cancel"
)
_MATRIX = Remedy(
    "the matrix or vector it is multiplied with is zero or empty, or the products cancel"
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
    "Softmax": Remedy(
        "it is saturated, has one entry only, or gets the same gradient at all entries, while "
        "their sum is always one"
    ),
    "LogSoftmax": Remedy(
        "its probabilities already are what the loss asks for, as the only one of one entry is"
    ),
    "Mul": _FACTOR,
    "Pow": Remedy("its slope is zero at this base: the loss may already be at its minimum"),
    "Abs": Remedy(
        "its input is zero wherever a gradient arrives, and PyTorch chooses the slope zero there"
    ),
    "Mv": _MATRIX,
    "Mm": _MATRIX,
    "Addmm": _MATRIX,
}
"""What is known about operations that turn a gradient into zeros, by recorded name."""

BLOWS_UP_AT = {
    "Sqrt": Remedy("its slope at 0 is infinite", "torch.sqrt(z)", "torch.sqrt(z + 1e-12)"),
    "Rsqrt": Remedy("its slope at 0 is infinite", "torch.rsqrt(z)", "torch.rsqrt(z + 1e-12)"),
    "Log": Remedy("its slope at or next to 0 is infinite", "torch.log(z)", "torch.log(z + 1e-12)"),
    "Div": Remedy("it divides by zero or next to it", "a / z", "a / (z + 1e-12)"),
    "Reciprocal": Remedy("it divides by zero or next to it", "1 / z", "1 / (z + 1e-12)"),
    "Pow": Remedy("at this base its slope is not finite", "z**power", "(z + 1e-12) ** power"),
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
    "Mul": Remedy("the product overflows"),
}
"""What is known about operations that turn a finite gradient into NaN or infinity."""

BROKEN_BEFORE = Remedy("numbers that it saved in the forward pass are NaN or infinite already")
"""What an operation does whose forward pass was broken: nothing in its place would help."""
