"""The zoo: small programs over every family of operations, and four whole models.

A program is a function of named tensors. All of them are differentiable; other
arguments are closed over. Inputs are drawn from a fixed seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

Tensor = torch.Tensor


@dataclass(frozen=True)
class Program:
    """A function, the shapes of its inputs, and how its derivative is known a second time.

    Attributes:
        name: What a failing test calls it.
        f: The function; takes tensors by position.
        shapes: Shape of each differentiable input, by name.
        span: Between which numbers inputs are drawn.
        same: The same function in other words, where torch.func has no rule
            (or a wrong one) for the first wording.
        forward: Whether torch has a forward-mode rule for it, which shares no
            formula with the backward rule; else its reverse mode is the witness.
        cancels: Small entries of the Jacobian are differences of large numbers,
            so distances count in ulps of its largest entry.
        complex: No product of real local derivatives exists.
    """

    name: str
    f: Callable[..., Tensor]
    shapes: dict[str, tuple[int, ...]]
    span: tuple[float, float] = (-2.0, 2.0)
    same: Callable[..., Tensor] | None = None
    forward: bool = True
    cancels: bool = False
    complex: bool = False

    def inputs(self, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """Draw the inputs, tracked."""
        generator = torch.Generator().manual_seed(len(self.name) + 7)
        drawn = {
            name: torch.rand(shape, generator=generator, dtype=torch.float64)
            for name, shape in self.shapes.items()
        }
        low, high = self.span
        return {
            name: (low + (high - low) * unit).to(dtype).requires_grad_()
            for name, unit in drawn.items()
        }


PROGRAMS: list[Program] = []


def program(
    name: str,
    f: Callable[..., Tensor],
    *,
    span: tuple[float, float] = (-2.0, 2.0),
    same: Callable[..., Tensor] | None = None,
    forward: bool = True,
    cancels: bool = False,
    complex: bool = False,
    **shapes: tuple[int, ...],
) -> None:
    """Put a program into the zoo."""
    PROGRAMS.append(Program(name, f, shapes, span, same, forward, cancels, complex))


POSITIVE, UNIT = (0.2, 3.0), (-0.9, 0.9)
V, M, S = (3,), (2, 3), ()

# Arithmetic
program("add", lambda x, y: x + y, x=V, y=V)
program("add scaled", lambda x, y: torch.add(x, y, alpha=2.5), x=V, y=V)
program("add a number", lambda x: x + 3, x=S)
program("sub", lambda x, y: x - y, x=V, y=V)
program("sub from a number", lambda x: 1 - x, x=V)
program("mul", lambda x, y: x * y, x=V, y=V)
program("mul twice the same", lambda x: x * x, x=V)
program("div", lambda x, y: x / y, span=POSITIVE, x=V, y=V)
program("div a number", lambda x: 2 / x, span=POSITIVE, x=V)
program("remainder", lambda x: torch.remainder(x, 0.7), x=V)
program("fmod", lambda x: torch.fmod(x, 0.7), x=V)
program("neg", lambda x: -x, x=V)
program("reciprocal", torch.reciprocal, span=POSITIVE, x=V)
program("abs", torch.abs, x=V)
program("sign is flat", lambda x: torch.sign(x) + x, x=V)
program("addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.5), x=V, y=V, z=V)
program("addcdiv", lambda x, y, z: torch.addcdiv(x, y, z), span=POSITIVE, x=V, y=V, z=V)
program("lerp", lambda x, y, z: torch.lerp(x, y, z), x=V, y=V, z=V)
program("lerp by a number", lambda x, y: torch.lerp(x, y, 0.3), x=V, y=V)
program("maximum", torch.maximum, x=V, y=V)
program("minimum", torch.minimum, x=V, y=V)
program("clamp", lambda x: x.clamp(-1, 1), x=V)
program("hypot", torch.hypot, x=V, y=V)
program("in place", lambda x: (x * 2).add_(1).mul_(3), x=V)

# Powers, exponentials, trigonometry
program("square", lambda x: x**2, x=V)
program("cube", lambda x: x**3, x=S)
program("power of tensors", lambda x, y: x**y, span=POSITIVE, x=V, y=V)
program("number to a power", lambda x: 2.0**x, x=V)
program("sqrt", torch.sqrt, span=POSITIVE, x=V)
program("rsqrt", torch.rsqrt, span=POSITIVE, x=V)
program("exp", torch.exp, x=V)
program("exp2", torch.exp2, x=V)
program("expm1", torch.expm1, x=V)
program("log", torch.log, span=POSITIVE, x=V)
program("log2", torch.log2, span=POSITIVE, x=V)
program("log10", torch.log10, span=POSITIVE, x=V)
program("log1p", torch.log1p, span=POSITIVE, x=V)
program("xlogy", torch.xlogy, span=POSITIVE, x=V, y=V)
program("logaddexp", torch.logaddexp, x=V, y=V)
program("sin", torch.sin, x=V)
program("cos", torch.cos, x=V)
program("tan", torch.tan, span=UNIT, x=V)
program("asin", torch.asin, span=UNIT, x=V)
program("acos", torch.acos, span=UNIT, x=V)
program("atan", torch.atan, x=V)
program("atan2", torch.atan2, span=POSITIVE, x=V, y=V)
program("sinh", torch.sinh, x=V)
program("cosh", torch.cosh, x=V)
program("atanh", torch.atanh, span=UNIT, x=V)
program("asinh", torch.asinh, x=V)
program("sinc", torch.sinc, span=POSITIVE, x=V)
program("erf", torch.erf, x=V)
program("erfc", torch.erfc, x=V)
program("lgamma", torch.lgamma, span=POSITIVE, x=V)
program("digamma", torch.digamma, span=POSITIVE, x=V)
program("i0", torch.special.i0, span=POSITIVE, x=V)

# Activations
program("sigmoid", torch.sigmoid, x=V)
program("logsigmoid", F.logsigmoid, x=V)
program("tanh", torch.tanh, x=V)
program("relu", torch.relu, x=V)
program("leaky relu", lambda x: F.leaky_relu(x, 0.1), x=V)
program("prelu", F.prelu, x=(2, 3), a=(3,))
program("elu", F.elu, x=V)
program("selu", F.selu, x=V)
program("celu", F.celu, x=V)
program("gelu", F.gelu, x=V)
program("gelu by tanh", lambda x: F.gelu(x, approximate="tanh"), x=V)
program("silu", F.silu, x=V)
program("mish", F.mish, cancels=True, x=V)
program("softplus", F.softplus, x=V)
program("softsign", F.softsign, x=V)
program("hardtanh", F.hardtanh, x=V)
program("hardsigmoid", F.hardsigmoid, x=V)
program("hardswish", F.hardswish, x=V)
program("threshold", lambda x: F.threshold(x, 0.1, 0.0), x=V)
program("glu", F.glu, x=(2, 4))
program("softshrink", F.softshrink, x=V)

program("one of a list at once", lambda x, y: torch.mul(*torch._foreach_exp([x, y])) + x, x=V, y=V)

# Reductions
program("sum", torch.sum, x=M)
program("sum of rows", lambda x: x.sum(0), x=M)
program("sum kept", lambda x: x.sum(1, keepdim=True), x=M)
program("mean", torch.mean, x=M)
program("mean of columns", lambda x: x.mean(1), x=M)
program("prod", torch.prod, x=V)
program("prod of rows", lambda x: x.prod(0), x=M)
program("var", torch.var, x=M)
program("std", lambda x: x.std(1), x=M)
program("max of all", torch.max, x=M)
program("max of rows", lambda x: x.max(0).values, x=M)
program("amax", lambda x: x.amax(1), x=M)
program("min of rows", lambda x: x.min(1).values, x=M)
program("median", lambda x: x.median(1).values, x=M)
program("topk", lambda x: x.topk(2, 1).values, x=M)
program("sort", lambda x: x.sort(1).values, x=M)
program("cumsum", lambda x: x.cumsum(0), x=M)
program("cumprod", lambda x: x.cumprod(0), x=M)
program("logsumexp", lambda x: x.logsumexp(1), x=M)
program("norm", torch.linalg.vector_norm, x=M)
program("norm one", lambda x: torch.linalg.vector_norm(x, 1), x=M)
program("trace of a matrix", torch.trace, x=(3, 3))

# Shapes, views, broadcasts
program("broadcast add", lambda x, y: x + y, x=(2, 1), y=(1, 3))
program("broadcast mul", lambda x, y: x * y, x=S, y=M)
program("expand", lambda x: x.expand(2, 3), x=V)
program("reshape", lambda x: x.reshape(3, 2), x=M)
program("transpose", lambda x: x.t(), x=M)
program("permute", lambda x: x.permute(2, 0, 1), x=(2, 1, 3))
program("squeeze", lambda x: x.squeeze(1), x=(2, 1))
program("unsqueeze", lambda x: x.unsqueeze(0), x=V)
program("flip", lambda x: x.flip(0), x=V)
program("roll", lambda x: x.roll(1), x=V)
program("repeat", lambda x: x.repeat(2), x=V)
program("diagonal", torch.diag, x=(3, 3))
program("upper triangle", torch.triu, x=(3, 3))
program("unfold", lambda x: x.unfold(0, 2, 1), x=(4,))
program("as strided", lambda x: x.as_strided((2, 2), (1, 1)), x=V)
program("pad", lambda x: F.pad(x, (1, 1)), x=V)
program("pad by reflection", lambda x: F.pad(x, (1, 1), mode="reflect"), x=(1, 1, 4))
program("contiguous", lambda x: x.t().contiguous(), x=M)
program("to float64", lambda x: x.double() * 2, x=V)
program("mixed dtypes", lambda x, y: x * y.double(), x=V, y=V)

# Indexing, joining, splitting
program("index", lambda x: x[1], x=V)
program("slice", lambda x: x[:, 1:], x=M)
program("gather", lambda x: x.gather(1, torch.tensor([[0, 2], [1, 1]])), x=M)
program("index select", lambda x: x.index_select(0, torch.tensor([1, 1, 0])), x=M)
program("index by a list", lambda x: x[torch.tensor([0, 0, 2])], x=V)
program("mask", lambda x: x[x.detach() > 0].sum() + x.sum(), x=V)
program("masked fill", lambda x: x.masked_fill(torch.tensor([True, False, False]), 1.5), x=V)
program("where", lambda x, y: torch.where(x.detach() > 0, x, y), x=V, y=V)
program("scatter add", lambda x, y: x.scatter_add(0, torch.tensor([0, 0, 2]), y), x=V, y=V)
program("index put", lambda x, y: x.index_put((torch.tensor([0, 2]),), y), x=V, y=(2,))
program("index add", lambda x, y: x.index_add(0, torch.tensor([0, 0]), y), x=V, y=(2,))
program("cat", lambda x, y: torch.cat([x, y]), x=V, y=(2,))
program("stack", lambda x, y: torch.stack([x, y]), x=V, y=V)
program("split", lambda x: (lambda a, b: a * b.exp())(*x.split(2)), x=(4,))
program("split, one part used", lambda x: x.split(2)[1] * 3, x=(4,))
program("unbind", lambda x: (lambda a, b: a - b * b)(*x.unbind(0)), x=M)
program("chunk", lambda x: (lambda a, b: a / b)(*x.chunk(2)), span=POSITIVE, x=(4,))


def written_into(x: Tensor, y: Tensor) -> Tensor:
    """Write into a slice, which records CopySlices."""
    z = x * 1.5
    z[1:] = y**2
    return z


program("write into a slice", written_into, x=V, y=(2,))
program("multiply a view in place", lambda x: (lambda z: (z[0].mul_(3), z)[1])(x * 1.0), x=V)
program("embedding", lambda w: F.embedding(torch.tensor([1, 1, 0]), w), w=(3, 2))

# Linear algebra
program("mm", lambda x, y: x @ y, x=M, y=(3, 2))
program("mv", lambda x, y: x @ y, x=M, y=V)
program("dot", torch.dot, x=V, y=V)
program("outer", torch.outer, x=V, y=(2,))
program("bmm", torch.bmm, x=(2, 2, 3), y=(2, 3, 2))
program("matmul broadcast", torch.matmul, x=(2, 2, 3), y=(3, 2))
program("addmm", lambda b, x, y: torch.addmm(b, x, y, beta=0.5, alpha=2), b=(2,), x=M, y=(3, 2))
program("baddbmm", torch.baddbmm, b=(1, 2, 2), x=(1, 2, 3), y=(1, 3, 2))
program("linear", F.linear, x=M, w=(4, 3), b=(4,))
program("linear of three axes", F.linear, x=(2, 2, 3), w=(4, 3), b=(4,))
program("bilinear", F.bilinear, x=(2, 3), y=(2, 2), w=(2, 3, 2), b=(2,))
program("einsum", lambda x, y: torch.einsum("ij,kj->ik", x, y), x=M, y=(4, 3))
program("cross", lambda x, y: torch.linalg.cross(x, y), x=V, y=V)
program("det", torch.linalg.det, x=(3, 3))
program("inverse", torch.linalg.inv, x=(2, 2))
program("solve", torch.linalg.solve, x=(2, 2), y=(2,))
program(
    "cholesky", lambda x: torch.linalg.cholesky(x @ x.t() + torch.eye(2, dtype=x.dtype)), x=(2, 2)
)
program("svd values", torch.linalg.svdvals, x=(2, 3))
program("matrix exponential", torch.linalg.matrix_exp, cancels=True, x=(2, 2))
program(  # torch.func.jacrev of cdist is wrong in 2.13: every output gets the first one's row
    "cdist", torch.cdist, same=lambda x, y: (x[:, None] - y).square().sum(-1).sqrt(), x=M, y=(2, 3)
)
program("kron", torch.kron, x=V, y=(2,))

# Normalisation, probability, losses
program("softmax", lambda x: x.softmax(1), x=M)
program("log softmax", lambda x: x.log_softmax(1), x=M)
program("layer norm", lambda x, w, b: F.layer_norm(x, (3,), w, b), cancels=True, x=M, w=V, b=V)
program(
    "batch norm",
    lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
    cancels=True,
    x=(4, 2),
    w=(2,),
    b=(2,),
)
program(
    "group norm", lambda x, w, b: F.group_norm(x, 2, w, b), cancels=True, x=(2, 8), w=(8,), b=(8,)
)
program("instance norm", F.instance_norm, cancels=True, x=(1, 2, 4))
program("rms norm", lambda x, w: F.rms_norm(x, (3,), w), cancels=True, x=M, w=V)
program("cosine similarity", F.cosine_similarity, x=M, y=M)
program("normalize", F.normalize, x=M)
program("mse loss", F.mse_loss, x=V, y=V)
program("l1 loss", F.l1_loss, x=V, y=V)
program("huber loss", F.huber_loss, x=V, y=V)
program("smooth l1 loss", F.smooth_l1_loss, x=V, y=V)
program("cross entropy", lambda x: F.cross_entropy(x, torch.tensor([2, 0])), x=M)
program("cross entropy with soft targets", F.cross_entropy, span=POSITIVE, x=M, y=M)
program(
    "bce with logits",
    lambda x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x) * 0.3),
    cancels=True,
    x=V,
)
program("bce", lambda x: F.binary_cross_entropy(x.sigmoid(), torch.full_like(x, 0.4)), x=V)
program("kl divergence", lambda x, y: F.kl_div(x, y, reduction="sum"), span=POSITIVE, x=V, y=V)
program("triplet loss", F.triplet_margin_loss, x=M, y=M, z=M)
program(
    "dropout with a fixed mask", lambda x: x * torch.tensor([0.0, 2.0, 2.0], dtype=x.dtype), x=V
)

# Convolution, pooling, attention, signal
program("conv1d", F.conv1d, x=(1, 2, 5), w=(2, 2, 3), b=(2,))
program(
    "conv2d", lambda x, w, b: F.conv2d(x, w, b, padding=1), x=(1, 1, 3, 3), w=(2, 1, 3, 3), b=(2,)
)
program(
    "conv2d with strides", lambda x, w: F.conv2d(x, w, stride=2), x=(1, 1, 4, 4), w=(1, 1, 2, 2)
)
program("transposed conv2d", F.conv_transpose2d, x=(1, 1, 2, 2), w=(1, 2, 2, 2))
program("max pool", lambda x: F.max_pool2d(x, 2), x=(1, 1, 4, 4))
program("average pool", lambda x: F.avg_pool2d(x, 2), x=(1, 1, 4, 4))
program("adaptive pool", lambda x: F.adaptive_avg_pool2d(x, 2), x=(1, 1, 4, 4))
program("interpolate", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), x=(1, 1, 2, 2))
program(
    "grid sample",
    lambda x: F.grid_sample(x, torch.zeros(1, 2, 2, 2, dtype=x.dtype), align_corners=False),
    x=(1, 1, 3, 3),
    forward=False,
)
program(
    "attention", F.scaled_dot_product_attention, cancels=True, q=(1, 2, 3), k=(1, 2, 3), v=(1, 2, 3)
)
program("pixel shuffle", lambda x: F.pixel_shuffle(x, 2), x=(1, 4, 1, 1))
program("fft power", lambda x: torch.fft.rfft(x).abs() ** 2, complex=True, x=(4,))
program("complex middle", lambda x, y: (torch.complex(x, y) ** 2).real, complex=True, x=V, y=V)


class Cubed(torch.autograd.Function):
    """A rule written in Python."""

    @staticmethod
    def forward(ctx, x, scale):
        """Cube and scale."""
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x**3

    @staticmethod
    def backward(ctx, g):
        """Scale by the slope."""
        (x,) = ctx.saved_tensors
        return g * 3 * ctx.scale * x**2, None


class Both(torch.autograd.Function):
    """Two outputs; the engine fills in zeros for the one that is not used."""

    @staticmethod
    def forward(ctx, x, y):
        """Give sum and product."""
        ctx.save_for_backward(x, y)
        return x + y, x * y

    @staticmethod
    def backward(ctx, g, h):
        """Add both contributions."""
        x, y = ctx.saved_tensors
        return g + h * y, g + h * x


program("function of one's own", lambda x: Cubed.apply(x, 0.5), same=lambda x: 0.5 * x**3, x=V)
program(
    "function with two outputs",
    lambda x, y: Both.apply(x, y)[1] * 2,
    same=lambda x, y: x * y * 2,
    x=V,
    y=V,
)
program(
    "function, both outputs",
    lambda x, y: torch.mul(*Both.apply(x, y)),
    same=lambda x, y: (x + y) * (x * y),
    x=V,
    y=V,
)

# Shapes of graphs
program("diamond", lambda x: x.exp() + x.sin(), x=S)
program("uneven diamond", lambda x: (lambda h: h + torch.tanh(h * h))(x * 2), x=S)
program("used three times", lambda x: x * x + x.sin() * x, x=S)
program(
    "sigmoid of a product, reused", lambda w, x: torch.sigmoid(w * x) * (w * x) + w**2, w=S, x=S
)
program("a loop", lambda x: (lambda y: [y := y + y * 0.5 for _ in range(12)][-1])(x), x=S)


@dataclass(frozen=True)
class Model:
    """A module, its input, and how its loss is computed."""

    name: str
    module: nn.Module
    loss: Callable[[nn.Module], Tensor]


class Lstm(nn.Module):
    """Two layers of LSTM and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(3, 4, num_layers=2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Read the last step."""
        return self.head(self.cells(x)[0][:, -1])


class ConvNet(nn.Module):
    """Convolution, batch norm, a residual block, pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
        )
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Pool over the plane."""
        x = self.first(x)
        return self.head(F.relu(x + self.block(x)).mean((2, 3)))


class Checkpointed(nn.Module):
    """A block that recomputes what it does not keep."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep nothing of the first layer."""
        return self.b(checkpoint(lambda t: self.a(t).tanh(), x, use_reentrant=False))


def models() -> list[Model]:
    """Build the whole models, from a fixed seed that is put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        x, image, words = torch.randn(4, 3), torch.randn(2, 1, 6, 6), torch.randn(2, 5, 8)
        encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=False),
            2,
            enable_nested_tensor=False,
        )
        mlp = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 2))
        steps = torch.randn(2, 4, 3)
        return [
            Model("mlp", mlp, lambda m: F.cross_entropy(m(x), torch.tensor([0, 1, 1, 0]))),
            Model("lstm", Lstm(), lambda m: m(steps).pow(2).mean()),
            Model("transformer encoder", encoder, lambda m: m(words).square().mean()),
            Model("conv net", ConvNet(), lambda m: F.cross_entropy(m(image), torch.tensor([0, 2]))),
            Model("checkpointed", Checkpointed(), lambda m: m(x).pow(2).sum()),
        ]
