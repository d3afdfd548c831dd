"""Every derivative of this package that was worked out by hand, in one table.

Tensors are plain arrays here: their history is never read or written. A formula
comes as a *pull*: given the gradient ``g`` that arrives at a function's output, it
gives the gradient at the input, ``g`` times the slope, multiplied in the order
that PyTorch's kernels use. Where that order loses digits there is a second,
careful pull.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

Tensor = torch.Tensor
Unary = Callable[[Tensor], Tensor]
Binary = Callable[[Tensor, Tensor], Tensor]
Pull = Callable[[Tensor, Tensor, Tensor], Tensor]

LEAK = 0.01
HALF_ROOT = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
PYTORCH_SOFTPLUS_ENDS = 20.0  # above, PyTorch returns z itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Kink:
    """A point without a slope, and the slope that is chosen there."""

    at: float
    slope: float
    between: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """An activation and its slope.

    Attributes:
        value: ``prediction`` from ``z``.
        pull: ``(g, z, prediction)`` to the gradient at ``z``.
        latex: The function and its slope.
        source: Author, year, section of the slope.
        bits: Whether PyTorch's bits can be met, and why not.
        kinks: Where there is no slope, and the choice made there (PyTorch's).
        careful_value: As ``value``, where that loses digits; else None.
        careful_pull: As ``pull``, where that loses digits; else None.
    """

    value: Unary
    pull: Pull
    latex: tuple[str, str]
    source: str
    bits: str
    kinks: tuple[Kink, ...] = ()
    careful_value: Unary | None = None
    careful_pull: Pull | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A loss per example and its slope.

    Attributes:
        of: What it is a function of: ``"error"`` (prediction minus target) or
            ``"prediction"`` (and the target separately).
        value: From ``of`` and the target to the loss of each example.
        pull: ``(g, of, target)`` to the gradient at ``of``.
        pull_target: The same for the target, if the loss is not a function of
            the error; else None, and the target gets minus the error's gradient.
        careful_value, careful_pull: As in ``Activation``.
    """

    of: str
    value: Binary
    pull: Pull
    latex: tuple[str, str]
    source: str
    bits: str
    kinks: tuple[Kink, ...] = ()
    pull_target: Pull | None = None
    careful_value: Binary | None = None
    careful_pull: Pull | None = None


def _softplus(z: Tensor) -> Tensor:
    return z.clamp(min=0.0) + torch.log1p(torch.exp(-z.abs()))


def _sigmoid(z: Tensor) -> Tensor:
    return torch.exp(z.clamp(max=0.0)) / (1.0 + torch.exp(-z.abs()))


def _pull_sigmoid(g: Tensor, z: Tensor, p: Tensor) -> Tensor:
    small = torch.exp(-z.abs())
    return g * (small / ((1.0 + small) * (1.0 + small)))


def _pull_tanh(g: Tensor, z: Tensor, p: Tensor) -> Tensor:
    small = torch.exp(-2.0 * z.abs())
    return g * (4.0 * small / ((1.0 + small) * (1.0 + small)))


def _pull_softplus(g: Tensor, z: Tensor, p: Tensor) -> Tensor:
    grown = torch.exp(z.clamp(max=PYTORCH_SOFTPLUS_ENDS))
    return torch.where(z > PYTORCH_SOFTPLUS_ENDS, g * _sigmoid(z), g * grown / (grown + 1.0))


def _pull_silu(g: Tensor, z: Tensor, p: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return g * s * (1.0 + z * (1.0 - s))


def _careful_pull_silu(g: Tensor, z: Tensor, p: Tensor) -> Tensor:
    s = _sigmoid(z)
    return g * (s * (1.0 + z * _sigmoid(-z)))


def _density(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * (z * z)) * DENSITY_AT_0


def _pull_gelu(g: Tensor, z: Tensor, p: Tensor) -> Tensor:
    return g * (0.5 * (1.0 + torch.erf(z * HALF_ROOT)) + z * _density(z))


def _careful_density(z: Tensor) -> Tensor:
    """As ``_density``, but exp(−z²/2) does not magnify the rounding of z² by z² itself."""
    near = z.clamp(-40.0, 40.0)  # the density underflows before
    coarse = (16.0 * near).round() / 16.0  # few bits: its square is exact
    fine = -0.5 * ((near - coarse) * (near + coarse))
    return torch.exp(-0.5 * (coarse * coarse)) * torch.exp(fine) * DENSITY_AT_0


def _careful_gelu(z: Tensor) -> Tensor:
    return z * (0.5 * torch.erfc(-z * HALF_ROOT))


def _careful_pull_gelu(g: Tensor, z: Tensor, p: Tensor) -> Tensor:
    return g * (0.5 * torch.erfc(-z * HALF_ROOT) + z * _careful_density(z))


def _huber(e: Tensor, t: Tensor) -> Tensor:
    size = e.abs()
    return torch.where(size <= 1.0, 0.5 * e * e, size - 0.5)


def _logistic(p: Tensor, t: Tensor) -> Tensor:
    return (1.0 - t) * p - (p.clamp(max=0.0) - torch.log1p(torch.exp(-p.abs())))


def _careful_logistic(p: Tensor, t: Tensor) -> Tensor:
    return (1.0 - t) * _softplus(p) + t * _softplus(-p)


def _careful_pull_logistic(g: Tensor, p: Tensor, t: Tensor) -> Tensor:
    return g * ((1.0 - t) * _sigmoid(p) - t * _sigmoid(-p))


SAME = "same bits as PyTorch"
ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(
        value=lambda z: z.clone(),
        pull=lambda g, z, p: g.clone(),
        latex=(r"\hat y = z", r"\hat y' = 1"),
        source="Rumelhart, Hinton & Williams (1986), p. 534",
        bits=SAME,
    ),
    "relu": Activation(
        value=lambda z: z.clamp(min=0.0),
        pull=lambda g, z, p: torch.where(z <= 0.0, 0.0, g),
        latex=(r"\hat y = \max(0, z)", r"\hat y' = [z > 0]"),
        source="Nair & Hinton (2010), section 2; slope at 0: Goodfellow et al. (2016), section 6.3",
        bits=SAME,
        kinks=(Kink(at=0.0, slope=0.0, between=(0.0, 1.0)),),
    ),
    "leaky relu": Activation(
        value=lambda z: torch.maximum(z, z * LEAK),
        pull=lambda g, z, p: torch.where(z > 0.0, g, g * LEAK),
        latex=(r"\hat y = \max(z, 0.01 z)", r"\hat y' = [z > 0] + 0.01\,[z \le 0]"),
        source="Maas, Hannun & Ng (2013), section 2",
        bits=SAME,
        kinks=(Kink(at=0.0, slope=LEAK, between=(LEAK, 1.0)),),
    ),
    "sigmoid": Activation(
        value=torch.sigmoid,
        pull=lambda g, z, p: g * (1.0 - p) * p,
        latex=(r"\hat y = \frac{1}{1 + e^{-z}}", r"\hat y' = \hat y (1 - \hat y)"),
        source="Bishop (2006), section 4.3.2, eq. 4.88",
        bits=SAME + "; for large z both lose digits in 1 − ŷ, the careful form does not",
        careful_value=_sigmoid,
        careful_pull=_pull_sigmoid,
    ),
    "tanh": Activation(
        value=torch.tanh,
        pull=lambda g, z, p: g * (1.0 - p * p),
        latex=(r"\hat y = \tanh z", r"\hat y' = 1 - \hat y^2"),
        source="Olver et al. (2010), section 4.34",
        bits="PyTorch rounds 1 − ŷ² once, as a fused multiply-add; we round ŷ² and then 1 − ŷ²",
        careful_pull=_pull_tanh,
    ),
    "softplus": Activation(
        value=_softplus,
        pull=_pull_softplus,
        latex=(r"\hat y = \ln(1 + e^z)", r"\hat y' = \frac{e^z}{1 + e^z}"),
        source="Goodfellow, Bengio & Courville (2016), section 3.10",
        bits="PyTorch has its own exponential, and above z = 20 it returns z with slope 1",
        careful_pull=lambda g, z, p: g * _sigmoid(z),
    ),
    "silu": Activation(
        value=lambda z: z * torch.sigmoid(z),
        pull=_pull_silu,
        latex=(r"\hat y = z\,\sigma(z)", r"\hat y' = \sigma(z)\,(1 + z\,(1 - \sigma(z)))"),
        source="Elfwing, Uchibe & Doya (2018), section 2",
        bits="PyTorch fuses 1 + z(1 − σ), and has its own exponential",
        careful_value=lambda z: z * _sigmoid(z),
        careful_pull=_careful_pull_silu,
    ),
    "gelu": Activation(
        value=lambda z: z * (0.5 * (1.0 + torch.erf(z * HALF_ROOT))),
        pull=_pull_gelu,
        latex=(
            r"\hat y = z\,\Phi(z)",
            r"\hat y' = \Phi(z) + \frac{z}{\sqrt{2\pi}}\,e^{-z^2/2}",
        ),
        source="Hendrycks & Gimpel (2016), section 2; slope of erf: Olver et al. (2010), 7.10",
        bits="PyTorch fuses Φ + zφ; for z far below 0 both lose digits in 1 + erf",
        careful_value=_careful_gelu,
        careful_pull=_careful_pull_gelu,
    ),
    "sine": Activation(
        value=torch.sin,
        pull=lambda g, z, p: g * torch.cos(z),
        latex=(r"\hat y = \sin z", r"\hat y' = \cos z"),
        source="Olver et al. (2010), section 4.20",
        bits=SAME,
    ),
}
LOSSES: dict[str, Loss] = {
    "squared error": Loss(
        of="error",
        value=lambda e, t: e * e,
        pull=lambda g, e, t: g * (2.0 * e),
        latex=(r"L = e^2", r"L' = 2e"),
        source="Goodfellow, Bengio & Courville (2016), section 5.1.4",
        bits=SAME,
    ),
    "absolute error": Loss(
        of="error",
        value=lambda e, t: e.abs(),
        pull=lambda g, e, t: g * e.sign(),
        latex=(r"L = |e|", r"L' = \operatorname{sign} e"),
        source="Rockafellar (1970), section 23",
        bits=SAME,
        kinks=(Kink(at=0.0, slope=0.0, between=(-1.0, 1.0)),),
    ),
    "huber": Loss(
        of="error",
        value=_huber,
        pull=lambda g, e, t: g * e.clamp(-1.0, 1.0),
        latex=(
            r"L = \tfrac12 e^2 \text{ if } |e| \le 1, \text{ else } |e| - \tfrac12",
            r"L' = \max(-1, \min(1, e))",
        ),
        source="Huber (1964), section 1; Hastie, Tibshirani & Friedman (2009), section 10.6",
        bits=SAME,
    ),
    "logistic": Loss(
        of="prediction",
        value=_logistic,
        pull=lambda g, p, t: g * (torch.sigmoid(p) - t),
        latex=(r"L = \ln(1 + e^{\hat y}) - t\,\hat y", r"L' = \sigma(\hat y) - t"),
        source="Bishop (2006), section 4.3.2, eq. 4.91",
        bits=SAME + "; near a target of 1 both lose digits in σ − t, the careful form does not",
        pull_target=lambda g, p, t: -p * g,
        careful_value=_careful_logistic,
        careful_pull=_careful_pull_logistic,
    ),
}
FORMULAS: dict[str, Activation | Loss] = {**ACTIVATIONS, **LOSSES}
