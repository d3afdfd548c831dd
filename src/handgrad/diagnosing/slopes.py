"""Where the slopes of torch's operations are zero, not finite or a choice, as one table.

Each kind of operation that autograd can record is in a row of ``SLOPES`` or in
``CARRIERS``, which only move, copy and add what arrives.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Fate = Literal["zero", "cancels", "not finite", "choice"]
"""What becomes of a gradient: zeros wherever it arrives; zeros, or a rounding error, only
together; NaN or infinity; a number that PyTorch chose where there is no slope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """What is known of some operations' slopes, and what to write instead.

    Attributes:
        ops: Recorded names, without the ending ``Backward0``.
        why: The reason, in words that follow the name of the operation.
        instead_of: How it is written; ``z`` is the tensor that gets the gradient.
        use: What brings a gradient that is finite and not zero; empty where that
            depends on what is meant.
        look: Where no other spelling helps, code that shows the cause.
        given: Code that sets ``z``, and other names, to numbers for which it happens.
        when: A condition that must hold, a key of ``conditions.CONDITIONS``; of several
            rows that fit, the first is told.
        slot: The input that it is true of; None for any.
        always: Whether it is so for all numbers.
        factor: Whether it multiplies with something saved that may be zero.
    """

    ops: tuple[str, ...]
    why: str
    instead_of: str = ""
    use: str = ""
    look: str = ""
    given: str = ""
    when: str = ""
    slot: int | None = None
    always: bool = False
    factor: bool = False

    def spells(self, op: str) -> bool:
        """Tell whether the spelling is that of an operation, and not of another of the row."""
        plain = self.instead_of.replace("_", "").replace(".", "").lower()
        short = op.removesuffix("2D").removesuffix("Min").removesuffix("Max").lower()
        return op == self.ops[0] or short in plain

    @property
    def repair(self) -> str:
        """Return the lines that a diagnosis shows, or nothing."""
        return f"# instead of {self.instead_of}:\n{self.use}" if self.use else self.look


_F = "torch.nn.functional"
_BELOW = "z = torch.tensor([-200.0, -300.0])"
_ABOVE = "z = torch.tensor([200.0, 300.0])"
_HUGE = "z = torch.tensor([1e30, 2e30])"
_NOUGHT = "z = torch.zeros(2)"
_TWO = "z = torch.tensor([1.0, 2.0])"
_SINGULAR = "z = torch.ones(2, 2)"
_SMALLER = "z / z.detach().abs().max()"
_WHERE = "wherever a gradient arrives"


# fmt: off
_ATTENTION = (
    "ScaledDotProductFlashAttentionForCpu", "ScaledDotProductFlashAttention",
    "ScaledDotProductEfficientAttention", "ScaledDotProductCudnnAttention",
    "ScaledDotProductFusedAttentionOverrideable", "FlashAttention", "EfficientAttention",
    "CudnnAttention",
)

_SELECTING = (
    "MaskedSelect", "Index", "UnsafeIndex", "UnsafeMaskedIndex", "IndexSelect", "Gather", "Take",
    "SparseMask",
)

_WRITING = (
    "Scatter", "IndexCopy", "IndexPut", "IndexPutImpl", "UnsafeIndexPut", "Put", "IndexFill",
    "SliceScatter", "SelectScatter", "DiagonalScatter", "AsStridedScatter", "MaskedScatter",
    "CopySlices", "UnsafeMaskedIndexPutAccumulate",
)

_WRITTEN = (
    "Scatter", "IndexCopy", "IndexPut", "IndexPutImpl", "UnsafeIndexPut", "Put", "IndexFill",
    "SliceScatter", "SelectScatter", "DiagonalScatter", "AsStridedScatter", "MaskedScatter",
    "CopySlices", "ScatterAdd", "IndexAdd",
)

_CHOOSING = (
    "Max", "Min", "Amax", "Amin", "Aminmax", "Median", "Nanmedian", "Mode", "Kthvalue", "Topk",
    "Sort", "Cummax", "Cummin",
)

_POOLING = (
    "MaxPool2D", "MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D",
    "AdaptiveMaxPool3D", "FractionalMaxPool2D", "FractionalMaxPool3D", "MkldnnMaxPool2D",
    "MkldnnMaxPool3D", "MaxUnpool2D", "MaxUnpool3D",
)

_QUANTISING = (
    "FakeQuantizePerTensorAffineCachemask", "FakeQuantizePerChannelAffineCachemask",
    "FakeQuantizePerTensorAffineCachemaskTensorQparams", "FusedMovingAvgObsFqHelper",
    "FakeQuantizeLearnablePerTensorAffine", "FakeQuantizeLearnablePerChannelAffine",
)

_CURVES = (
    "SpecialI1", "SpecialI1E", "SpecialEntr", "SpecialNdtri", "Acosh", "Atanh", "Log", "Log1P",
    "Log2", "Log10", "Sqrt", "Acos", "Asin", "Erfinv", "Tan", "Sinh",
)

_MATRIX_PRODUCTS = (
    "Mm", "Bmm", "Mv", "Matmul", "GroupedMm", "ForeachMm", "Addmm", "Addmv", "Addr", "Addbmm",
    "Baddbmm", "Linear", "LinearBackward", "MkldnnLinear", "Trilinear", "SparseAddmm",
    "SparseSampledAddmm", "SparseSparseMatmul", "SparseMmReduceImpl",
)

_CONVOLUTIONS = (
    "Convolution", "ConvolutionOverrideable", "ConvolutionBackward", "ConvTbc",
    "ConvolutionBackwardOverrideable", "ConvDepthwise2D", "ConvDepthwise3D", "CudnnConvolution",
    "CudnnConvolutionTranspose", "MiopenConvolution", "MiopenConvolutionTranspose",
    "MiopenDepthwiseConvolution", "MkldnnConvolution", "MpsConvolution", "MpsConvolutionBackward",
    "MpsConvolutionTranspose", "NnpackSpatialConvolution", "SlowConv2D", "SlowConv2DBackward",
    "SlowConv3D", "SlowConvDilated2D", "SlowConvDilated3D", "SlowConvTranspose2D",
    "SlowConvTranspose3D",
)

_RECURRENT = (
    "ThnnFusedGruCell", "ThnnFusedLstmCell", "CudnnRnn", "CudnnRnnBackward", "MiopenRnn",
    "MkldnnRnnLayer", "LstmMps",
)

_DECOMPOSITIONS = (
    "LinalgPinv", "LinalgLstsq", "LinalgInvEx", "LinalgSolveEx", "LinalgSolveTriangular",
    "TriangularSolve", "LinalgLuSolve", "LinalgLuFactorEx", "LinalgLu", "LuUnpack",
    "LinalgCholeskyEx", "Cholesky", "CholeskyInverse", "CholeskySolve", "LinalgEigh", "LinalgEig",
    "LinalgSvd", "LinalgQr", "LinalgHouseholderProduct", "Ormqr", "LinalgMatrixExp",
    "LinalgSlogdet",
)

_NORMS = (
    "NativeBatchNorm", "NativeBatchNormLegit", "BatchNormWithUpdate", "CudnnBatchNorm",
    "MiopenBatchNorm", "NativeLayerNorm", "NativeGroupNorm", "FusedRmsNorm",
)

_OTHER_NORMS = (
    "NativeBatchNormLegitNoTraining", "BatchNormNoUpdate", "BatchNormBackward",
    "NativeBatchNormBackward", "NativeLayerNormBackward", "CudnnBatchNormBackward",
    "MiopenBatchNormBackward",
)

_PIECEWISE_SLOPES = (
    "LeakyReluBackward", "HardtanhBackward", "HardshrinkBackward", "SoftshrinkBackward",
    "RreluWithNoiseBackward", "PreluKernelBackward", "HardswishBackward",
)

_PIECEWISE_LOSS_SLOPES = (
    "NllLossBackward", "NllLoss2DBackward", "SmoothL1LossBackward", "HuberLossBackward",
)

_POOLING_SLOPES = (
    "MaxPool2DBackward", "MaxPool2DWithIndicesBackward", "MaxPool3DWithIndicesBackward",
    "AdaptiveMaxPool2DBackward", "AdaptiveMaxPool3DBackward", "FractionalMaxPool2DBackward",
    "FractionalMaxPool3DBackward",
)

_SLOPES = (
    "EluBackward", "GeluBackward", "GluBackward", "LogSigmoidBackward", "MseLossBackward",
    "SigmoidBackward", "TanhBackward", "SoftplusBackward", "SoftmaxBackwardData",
    "LogSoftmaxBackwardData", "SoftMarginLossBackward", "BinaryCrossEntropyBackward",
    "CdistBackward", "PdistBackward", "EmbeddingBagBackward", "GridSampler2DBackward",
    "GridSampler3DBackward", "GridSampler2DCpuFallbackBackward", "CudnnGridSamplerBackward",
)

_NORMALISING = (
    "NativeLayerNorm", "NativeGroupNorm", "NativeBatchNorm", "NativeBatchNormLegit",
    "BatchNormWithUpdate", "CudnnBatchNorm", "MiopenBatchNorm",
)

_LENGTHS = (
    "LinalgVectorNorm", "Norm", "ForeachNorm", "Dist", "Cdist", "Pdist", "EuclideanDist",
)

_SOFTMAXES = (
    "Softmax", "LogSoftmax", "SafeSoftmax", "MaskedSoftmax", "SparseSoftmax", "SparseLogSoftmax",
    "Logsumexp", "Logcumsumexp", "Logaddexp", "Logaddexp2",
)

_OVERFLOWING_SLOPES = (
    "BinaryCrossEntropyBackward", "SoftMarginLossBackward", "EluBackward", "GeluBackward",
    "SigmoidBackward", "TanhBackward", "SoftplusBackward", "LogSigmoidBackward",
    "SoftmaxBackwardData", "LogSoftmaxBackwardData", "CdistBackward", "PdistBackward",
    "GluBackward", "MseLossBackward", "HardswishBackward", "EmbeddingBagBackward",
)

_INVERSES = (
    "LinalgInvEx", "LinalgSolveEx", "LinalgSolveTriangular", "TriangularSolve", "LinalgSlogdet",
    "LinalgDet",
)

_DIVIDING = (
    "NativeLayerNorm", "NativeGroupNorm", "NativeBatchNorm", "NativeBatchNormLegit",
    "BatchNormWithUpdate", "CudnnBatchNorm", "MiopenBatchNorm", "FusedRmsNorm",
    "NativeBatchNormLegitNoTraining", "BatchNormNoUpdate", "BatchNormBackward",
    "NativeBatchNormBackward", "NativeLayerNormBackward", "CudnnBatchNormBackward",
    "MiopenBatchNormBackward", "Renorm", "EmbeddingRenorm", "WeightNormInterface",
)
# fmt: on


def _steps() -> Iterable[Slope]:
    for function in ("round", "floor", "ceil", "trunc"):
        yield Slope(
            ops=(function.title(),),
            why="it is constant between its steps, so its slope is zero everywhere",
            instead_of=f"torch.{function}(z)",
            use=f"(z + (torch.{function}(z) - z).detach())",
            given="z = torch.tensor([0.3, 1.6])",
            always=True,
        )


def _saturated() -> Iterable[Slope]:
    """Functions that are flat far from zero: below, above, or both."""
    flat = (
        ("Sigmoid", "torch.sigmoid", _ABOVE),
        ("Tanh", "torch.tanh", _ABOVE),
        ("Erf", "torch.erf", _ABOVE),
        ("Erfc", "torch.erfc", _ABOVE),
        ("Exp", "torch.exp", _BELOW),
        ("Exp2", "torch.exp2", _BELOW),
        ("Expm1", "torch.expm1", _BELOW),
        ("Elu", f"{_F}.elu", _BELOW),
        ("Celu", f"{_F}.celu", _BELOW),
        ("Gelu", f"{_F}.gelu", _BELOW),
        ("Silu", f"{_F}.silu", _BELOW),
        ("Mish", f"{_F}.mish", _BELOW),
        ("Softplus", f"{_F}.softplus", _BELOW),
        ("LogSigmoid", f"{_F}.logsigmoid", _ABOVE),
        ("SpecialLogNdtr", "torch.special.log_ndtr", _ABOVE),
        ("Atan", "torch.atan", _HUGE),
        ("Asinh", "torch.asinh", _HUGE),
        ("Reciprocal", "torch.reciprocal", _HUGE),
        ("Rsqrt", "torch.rsqrt", "z = torch.tensor([1e34, 2e34])"),
        ("SpecialErfcx", "torch.special.erfcx", _HUGE),
        ("Sinc", "torch.sinc", _HUGE),
    )
    for op, function, given in flat:
        yield Slope(
            ops=(op,),
            why=f"it is saturated {_WHERE}: so far out its slope rounds to zero",
            instead_of=f"{function}(z)",
            use=f"{function}({_SMALLER})",
            given=given,
            when="far from zero",
        )


_ZERO = (
    *_steps(),
    Slope(
        ops=("Sign",),
        why="it is constant on either side of zero, so its slope is zero",
        instead_of="torch.sign(z)",
        use="torch.tanh(z)",
        given=_TWO,
        always=True,
    ),
    Slope(
        ops=("Sgn",),
        why="it is constant on either side of zero, so its slope is zero",
        instead_of="torch.sgn(z)",
        use="torch.tanh(z)",
        given=_TWO,
    ),
    Slope(
        ops=("Angle",),
        why="the angle of a real number is 0 or pi, constant on either side of zero",
        instead_of="torch.angle(z)",
        use="torch.angle(torch.complex(z, torch.ones_like(z)))",
        given=_TWO,
    ),
    Slope(
        ops=("Fill",),
        why="it overwrites every number with another, so nothing is left of the old ones",
        instead_of="torch.fill(z, 1.0)",
        use="z",
        given=_TWO,
        always=True,
    ),
    Slope(
        ops=("Zero",),
        why="it overwrites every number with zero, so nothing is left of the old ones",
        instead_of="z.clone().zero_()",
        use="z.clone()",
        given=_TWO,
        always=True,
    ),
    Slope(
        ops=("Uniform", "Random", "Geometric", "Cauchy", "Exponential", "LogNormal"),
        why="it overwrites every number with a random one, so nothing is left of the old ones",
        instead_of="z.clone().uniform_()",
        use="(z + torch.rand_like(z))",
        given=_TWO,
        always=True,
    ),
    Slope(
        ops=("Normal",),
        why="a drawn number does not move with mean or deviation as PyTorch records it",
        instead_of="torch.normal(z, 1.0)",
        use="(z + torch.randn_like(z))",
        given=_TWO,
        always=True,
    ),
    Slope(
        ops=("Bernoulli",),
        why="what is drawn is 0 or 1, which does not move with the probability",
        instead_of="torch.bernoulli(z)",
        use="(z + (torch.bernoulli(z) - z).detach())",
        given="z = torch.tensor([0.3, 0.6])",
        always=True,
    ),
    Slope(
        ops=("Poisson",),
        why="what is drawn is a whole number, which does not move with the rate",
        instead_of="torch.poisson(z)",
        use="(z + (torch.poisson(z) - z).detach())",
        given=_TWO,
        always=True,
    ),
    Slope(
        ops=("Eq", "Ge", "Gt", "Le", "Lt", "Ne"),
        why="a comparison jumps between 0 and 1, so its slope is zero",
        instead_of="z.clone().gt_(0)",
        use="torch.sigmoid(z)",
        given=_TWO,
        always=True,
    ),
    Slope(
        ops=("Nextafter",),
        why="only the direction is taken of this input, and a direction jumps",
        instead_of="torch.nextafter(other, z)",
        use="torch.lerp(other, z, 1e-6)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2)",
        slot=1,
    ),
    Slope(
        ops=("Copysign",),
        why="only the sign is taken of this input, and a sign jumps",
        instead_of="torch.copysign(other, z)",
        use="(other.abs() * torch.tanh(z))",
        given="z, other = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])",
        slot=1,
    ),
    Slope(
        ops=("Copysign",),
        why=f"its input is zero {_WHERE}, and PyTorch chooses the slope zero there",
        instead_of="torch.copysign(z, other)",
        use="((z.abs() + 1e-12) * torch.sign(other))",
        slot=0,
    ),
    Slope(
        ops=("Div",),
        why="it rounds its quotient to whole numbers, which jump",
        instead_of='torch.div(z, other, rounding_mode="floor")',
        use="torch.div(z, other)",
        given="z, other = torch.tensor([1.0, 5.0]), torch.tensor([2.0, 3.0])",
        when="rounds",
    ),
    Slope(
        ops=("Fmod", "Remainder"),
        why="its quotient lies between 0 and 1, where the rest does not depend on the divisor",
        instead_of="torch.remainder(other, z)",
        use="(other / z)",
        given="z, other = torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0])",
        slot=1,
    ),
    Slope(
        ops=("Relu",),
        why=f"its inputs are negative or zero {_WHERE}, and its slope is zero there",
        instead_of="torch.relu(z)",
        use=f"{_F}.leaky_relu(z)",
        given="z = torch.tensor([-1.0, -2.0])",
    ),
    Slope(
        ops=("LeakyRelu", "RreluWithNoise", "RreluWithNoiseFunctional"),
        why=f"its inputs are negative {_WHERE}, and the slope chosen for those is zero",
        instead_of=f"{_F}.leaky_relu(z, 0.0)",
        use=f"{_F}.leaky_relu(z)",
        given="z = torch.tensor([-1.0, -2.0])",
    ),
    Slope(
        ops=("PreluKernel",),
        why=f"its inputs are positive {_WHERE}, and its weight counts for negative ones only",
        slot=1,
    ),
    Slope(
        ops=("PreluKernel",),
        why=f"its inputs are negative {_WHERE}, and its weight is zero",
        instead_of=f"{_F}.prelu(z, weight)",
        use=f"{_F}.leaky_relu(z)",
        given="z, weight = torch.tensor([-1.0, -2.0]), torch.zeros(1, requires_grad=True)",
        slot=0,
    ),
    Slope(
        ops=("Threshold",),
        why=f"its inputs are at or below the threshold {_WHERE}, and are replaced by a constant",
        instead_of=f"{_F}.threshold(z, low, 0.0)",
        use=f"(low + {_F}.leaky_relu(z - low))",
        given="z, low = torch.tensor([1.0, 2.0]), 5.0",
    ),
    Slope(
        ops=("Hardshrink",),
        why=f"its inputs are so small {_WHERE} that it makes them zero",
        instead_of=f"{_F}.hardshrink(z)",
        use="(z * torch.sigmoid(9 * (z.abs() - 0.5)))",
        given="z = torch.tensor([0.1, -0.2])",
    ),
    Slope(
        ops=("Softshrink",),
        why=f"its inputs are so small {_WHERE} that it makes them zero",
        instead_of=f"{_F}.softshrink(z)",
        use=f"{_F}.tanhshrink(z)",
        given="z = torch.tensor([0.1, -0.2])",
    ),
    Slope(
        ops=("Clamp", "ClampMin", "ClampMax"),
        why=f"its inputs lie beyond its bounds {_WHERE}, and its slope is zero there",
        instead_of="torch.clamp(z, low, high)",
        use="(low + (high - low) * torch.sigmoid(z))",
        given="z, low, high = torch.tensor([1.0, 2.0]), 10.0, 20.0",
    ),
    Slope(
        ops=("Hardtanh",),
        why=f"its inputs lie at or beyond its bounds {_WHERE}, and its slope is zero there",
        instead_of=f"{_F}.hardtanh(z)",
        use="torch.tanh(z)",
        given="z = torch.tensor([1.0, 2.0])",
    ),
    Slope(
        ops=("Hardsigmoid",),
        why=f"its inputs lie at or beyond -3 and 3 {_WHERE}, and its slope is zero there",
        instead_of=f"{_F}.hardsigmoid(z)",
        use="torch.sigmoid(z)",
        given="z = torch.tensor([3.0, 4.0])",
    ),
    Slope(
        ops=("Hardswish",),
        why=f"its inputs are below -3 {_WHERE}, and its slope is zero there",
        instead_of=f"{_F}.hardswish(z)",
        use=f"{_F}.silu(z)",
        given="z = torch.tensor([-4.0, -5.0])",
    ),
    Slope(
        ops=("Glu",),
        why="one half is its gate, which is shut or saturated, or the other half is zero",
        instead_of=f"{_F}.glu(z)",
        use=f"{_F}.glu({_SMALLER})",
        given="z = torch.tensor([-200.0, -200.0])",
    ),
    *_saturated(),
    Slope(
        ops=("Sinc", "I0", "SpecialI0E", "Cos", "Cosh"),
        why=f"its input is at the top or the bottom of its curve {_WHERE}, where it is level",
        instead_of="torch.cos(z)",
        use="torch.cos(z + 0.1)",
        given=_NOUGHT,
    ),
    Slope(
        ops=("Sin",),
        why=f"its input is at the top or the bottom of its wave {_WHERE}, where it is level",
    ),
    Slope(
        ops=("Pow",),
        why="its exponent is zero, so it is constant",
        instead_of="z ** 0",
        use="z ** 1",
        given=_TWO,
        when="exponent zero",
        slot=0,
    ),
    Slope(
        ops=("Pow",),
        why=f"its base is zero {_WHERE}, where a power above 1 is level: with a square as the "
        "loss, the loss is at its minimum",
        instead_of="z ** 2",
        given=_NOUGHT,
        slot=0,
    ),
    Slope(
        ops=("Pow",),
        why="the power is zero or its base is 1 or 0, so the exponent does not matter",
        instead_of="other ** z",
        given="z, other = torch.tensor([1.0, 2.0]), torch.ones(2)",
        slot=1,
    ),
    Slope(
        ops=("Abs",),
        why=f"its input is zero {_WHERE}, and PyTorch chooses the slope zero at that kink",
        instead_of="torch.abs(z)",
        use="torch.abs(z + 1e-12)",
        given=_NOUGHT,
    ),
    Slope(
        ops=("LinalgVectorNorm", "Norm", "Dist", "Cdist", "Pdist", "EuclideanDist"),
        why="it counts what is not zero, and a count does not move",
        instead_of="torch.linalg.vector_norm(z, 0)",
        use="torch.linalg.vector_norm(z, 1)",
        given=_TWO,
        when="order zero",
    ),
    Slope(
        ops=("LinalgVectorNorm", "Norm", "ForeachNorm", "Dist", "Cdist", "Pdist", "EuclideanDist"),
        why="it is a length or a distance of zero, and PyTorch chooses the slope zero there",
        instead_of="torch.linalg.vector_norm(z)",
        use="torch.linalg.vector_norm(z + 1e-6)",
        given=_NOUGHT,
        when="result zero",
    ),
    Slope(
        ops=("LinalgVectorNorm", "Norm", "ForeachNorm", "Dist", "Cdist", "Pdist", "EuclideanDist"),
        why="where a gradient arrives the length is zero, or it does not depend on these numbers",
    ),
    Slope(
        ops=("Std", "StdMean", "Var", "VarMean"),
        why="all its numbers are equal: the spread is at its minimum, and the slope is zero",
        instead_of="torch.std(z)",
        given="z = torch.ones(3)",
    ),
    Slope(
        ops=("MseLoss",),
        why=f"its input equals the target {_WHERE}: the loss is at its minimum",
        instead_of=f"{_F}.mse_loss(z, target)",
        given="z, target = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])",
    ),
    Slope(
        ops=("SmoothL1Loss", "HuberLoss"),
        why=f"its input equals the target {_WHERE}: the loss is at its minimum",
        instead_of=f"{_F}.huber_loss(z, target)",
        given="z, target = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])",
    ),
    Slope(
        ops=("MultiMarginLoss", "MultilabelMarginLoss"),
        why="every example is right by more than the margin, and then this loss is constant",
        instead_of=f"{_F}.multi_margin_loss(z, target)",
        use=f"{_F}.cross_entropy(z, target)",
        given="z, target = torch.tensor([[5.0, 1.0]]), torch.tensor([0])",
    ),
    Slope(
        ops=("SoftMarginLoss",),
        why="every example is right by so much that its slope rounds to zero",
        instead_of=f"{_F}.soft_margin_loss(z, target)",
        use=f"{_F}.soft_margin_loss({_SMALLER}, target)",
        given="z, target = torch.tensor([200.0, 300.0]), torch.ones(2)",
    ),
    Slope(
        ops=("BinaryCrossEntropy",),
        why="its inputs equal the targets, or every weight is zero",
        instead_of=f"{_F}.binary_cross_entropy(z, target, weight)",
        use=f"{_F}.binary_cross_entropy(z, target)",
        given="z, target = torch.tensor([0.3, 0.6]), torch.tensor([1.0, 0.0])\n"
        "weight = torch.zeros(2)",
    ),
    Slope(
        ops=("BinaryCrossEntropyWithLogits",),
        why="its predictions equal the targets up to rounding, or every weight is zero",
        instead_of=f"{_F}.binary_cross_entropy_with_logits(z, target)",
        use=f"{_F}.binary_cross_entropy_with_logits({_SMALLER}, target)",
        given="z, target = torch.tensor([200.0, 300.0]), torch.ones(2)",
    ),
    Slope(
        ops=("NllLoss", "NllLoss2D"),
        why="no label was counted: every one is ignore_index, and the mean of none is NaN",
        instead_of=f"{_F}.nll_loss(z, target)",
        look="print((target >= 0).sum())",
        given="z, target = torch.tensor([[-0.1, -2.0]]), torch.tensor([-100])",
        when="all ignored",
    ),
    Slope(
        ops=("NllLoss", "NllLoss2D"),
        why="the class weights of all its labels are zero",
        instead_of=f'{_F}.nll_loss(z, target, weight, reduction="sum")',
        use=f'{_F}.nll_loss(z, target, reduction="sum")',
        given="z, target = torch.tensor([[-0.1, -2.0]]), torch.tensor([1])\n"
        "weight = torch.tensor([1.0, 0.0])",
    ),
    Slope(
        ops=("CtcLoss", "CudnnCtcLoss", "MiopenCtcLoss"),
        why="no target fits into its input, which must be at least as long, with one more step "
        "between equal labels; zero_infinity=True makes such losses zero",
    ),
    Slope(
        ops=("Softmax", "SafeSoftmax", "MaskedSoftmax", "SparseSoftmax"),
        why="it has one entry only, which is always 1",
        instead_of="torch.softmax(z, 1)",
        use="torch.sigmoid(z)",
        given="z = torch.tensor([[1.0], [2.0]])",
        when="one entry",
    ),
    Slope(
        ops=("LogSoftmax", "SparseLogSoftmax"),
        why="it has one entry only, whose probability is always 1",
        instead_of="torch.log_softmax(z, 1)",
        use=f"{_F}.logsigmoid(z)",
        given="z = torch.tensor([[1.0], [2.0]])",
        when="one entry",
    ),
    Slope(
        ops=("Softmax", "SafeSoftmax", "MaskedSoftmax", "SparseSoftmax"),
        why=f"it is saturated {_WHERE}: its largest entry is 1 and its slope rounds to zero",
        instead_of="torch.softmax(z, 0)",
        use=f"torch.softmax({_SMALLER}, 0)",
        given="z = torch.tensor([0.0, 200.0])",
        when="saturated",
    ),
    Slope(
        ops=("LogSoftmax", "SparseLogSoftmax"),
        why="its probabilities already are what the loss asks for, up to rounding",
        instead_of="torch.log_softmax(z, 0)[1]",
        use=f"torch.log_softmax({_SMALLER}, 0)[1]",
        given="z = torch.tensor([0.0, 200.0])",
        when="saturated",
    ),
    Slope(
        ops=("Logsumexp", "Logcumsumexp", "Logaddexp", "Logaddexp2"),
        why="another entry is so much larger that the share of this one underflows",
        instead_of="torch.logaddexp(z, other)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.tensor([200.0, 300.0])",
    ),
    Slope(
        ops=_ATTENTION,
        why="its weights cannot move: there is one key only, all values are equal, or the "
        "softmax inside is saturated",
    ),
    Slope(
        ops=("Maximum", "Fmax"),
        why=f"the other input is larger {_WHERE}",
        instead_of="torch.maximum(z, other)",
        use="torch.logaddexp(z, other)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])",
    ),
    Slope(
        ops=("Minimum", "Fmin"),
        why=f"the other input is smaller {_WHERE}",
        instead_of="torch.minimum(z, other)",
        use="-torch.logaddexp(-z, -other)",
        given="z, other = torch.tensor([5.0, 6.0]), torch.tensor([3.0, 4.0])",
    ),
    Slope(
        ops=("ForeachMaximum", "ForeachMinimum"),
        why=f"the other input won {_WHERE}",
    ),
    Slope(
        ops=("Where",),
        why=f"it took the other branch {_WHERE}",
        instead_of="torch.where(chosen, z, other)",
        use="torch.lerp(other, z, 0.5)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2)\nchosen = torch.tensor(False)",
    ),
    Slope(
        ops=("MaskedFill",),
        why="nothing was filled with this value",
        slot=1,
    ),
    Slope(
        ops=("MaskedFill",),
        why=f"its mask covers all entries {_WHERE}, and they are replaced by a constant",
        instead_of="z.masked_fill(mask, value)",
        use="torch.lerp(z, torch.full_like(z, value), 0.5)",
        given="z, mask, value = torch.tensor([1.0, 2.0]), torch.tensor([True, True]), 0.0",
        slot=0,
    ),
    Slope(
        ops=_SELECTING,
        why="it selected nothing",
        instead_of="z[mask]",
        given="z, mask = torch.tensor([1.0, 2.0]), torch.tensor([False, False])",
        when="nothing selected",
    ),
    Slope(
        ops=("Slice", "Select", "NarrowCopy", "Diagonal", "AsStrided", "Unfold", "Values"),
        why="it selected nothing",
        instead_of="z[2:]",
        given=_TWO,
        when="nothing selected",
    ),
    Slope(
        ops=("Embedding", "EmbeddingBag"),
        why="every index is padding_idx, whose row gets no gradient",
        instead_of=f"{_F}.embedding(index, z, padding_idx=0)",
        use=f"{_F}.embedding(index, z)",
        given="z, index = torch.ones(3, 2), torch.tensor([0, 0])",
        when="only padding",
    ),
    Slope(
        ops=("Embedding", "EmbeddingBag"),
        why="no index was looked up",
        when="nothing looked up",
    ),
    Slope(
        ops=("EmbeddingBag",),
        why="all that it adds up is zero, or is weighted with zero",
    ),
    Slope(
        ops=_WRITING,
        why=f"every entry was overwritten by others {_WHERE}",
        slot=0,
    ),
    Slope(
        ops=_WRITTEN,
        why=f"nothing that was written by it is in use {_WHERE}",
    ),
    Slope(
        ops=("CopyBackwards",),
        why="copy_() overwrote every number, so nothing is left of the old ones",
        instead_of="z.clone().copy_(other)",
        use="(z + other)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.ones(2)",
        slot=0,
    ),
    Slope(
        ops=("ScatterReduce", "IndexReduce", "SegmentReduce"),
        why="another entry of the group was chosen, or the products with the others are zero",
    ),
    Slope(
        ops=_CHOOSING,
        why="of its entries only the chosen ones get a gradient, and none arrives at these",
    ),
    Slope(
        ops=_POOLING,
        why="only the largest entry of a window gets a gradient, and none arrives at those",
    ),
    Slope(
        ops=("GridSampler2D", "GridSampler3D", "GridSampler2DCpuFallback", "CudnnGridSampler"),
        why='with mode="nearest" it jumps from pixel to pixel as the grid moves',
        instead_of=f'{_F}.grid_sample(image, z, mode="nearest", align_corners=False)',
        use=f'{_F}.grid_sample(image, z, mode="bilinear", align_corners=False)',
        given="z = torch.full((1, 1, 1, 2), 0.1)\nimage = torch.arange(9.0).view(1, 1, 3, 3)",
        when="nearest",
        slot=1,
    ),
    Slope(
        ops=("GridSampler2D", "GridSampler3D", "GridSampler2DCpuFallback", "CudnnGridSampler"),
        why="the image is level around every sampled point, or all points lie outside of it",
        instead_of=f"{_F}.grid_sample(image, z, align_corners=False)",
        use=f"{_F}.grid_sample(image, torch.tanh(z), align_corners=False)",
        given="z = torch.full((1, 1, 1, 2), 9.0)\nimage = torch.arange(9.0).view(1, 1, 3, 3)",
        slot=1,
    ),
    Slope(
        ops=("GridSampler2D", "GridSampler3D", "GridSampler2DCpuFallback", "CudnnGridSampler"),
        why="all sampled points lie outside of the image",
        slot=0,
    ),
    Slope(
        ops=("NativeDropout", "FusedDropout", "NativeDropoutBackward"),
        why="it dropped every entry",
    ),
    Slope(
        ops=_QUANTISING,
        why="its inputs lie beyond the range of the quantised numbers, and are clamped",
        instead_of="torch.fake_quantize_per_tensor_affine(z, 0.1, 0, 0, 255)",
        use="torch.fake_quantize_per_tensor_affine(z, 0.1, 128, 0, 255)",
        given="z = torch.tensor([-1.0, -2.0])",
    ),
    Slope(
        ops=("Logit",),
        why=f"its inputs are clamped to eps and 1 - eps {_WHERE}",
        instead_of="torch.logit(z, 1e-6)",
        use="torch.logit(torch.sigmoid(z), 1e-6)",
        given="z = torch.tensor([-1.0, 2.0])",
    ),
    Slope(
        ops=("Lerp",),
        why=f"its weight is 0 or 1 {_WHERE}, and takes the other end only; or both ends are equal",
        instead_of="torch.lerp(other, z, 0.0)",
        use="torch.lerp(other, z, 0.5)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2)",
    ),
    Slope(
        ops=("Mul", "Addcmul", "Dot", "Vdot", "Ldexp", "LinalgCross", "Polar"),
        why=f"its other factor is zero {_WHERE}",
        factor=True,
        instead_of="z * other",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2)",
    ),
    Slope(
        ops=("Prod", "Cumprod"),
        why="at least two of its factors are zero, so no single one matters",
        instead_of="torch.prod(z)",
        given="z = torch.zeros(3)",
    ),
    Slope(
        ops=("Div", "Addcdiv"),
        why="its divisor is infinite or so large that the slope rounds to zero",
        instead_of="z / other",
        given="z, other = torch.tensor([1.0, 2.0]), torch.full((2,), float('inf'))",
        slot=0,
    ),
    Slope(
        ops=("Div", "Addcdiv"),
        why=f"its numerator is zero {_WHERE}, so the divisor does not matter",
        instead_of="other / z",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2)",
    ),
    Slope(
        ops=("Atan2",),
        why="it lies on the axis where this coordinate does not turn the angle, or is so far out "
        "that the slope rounds to zero",
        instead_of="torch.atan2(other, z)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2)",
    ),
    Slope(
        ops=("Hypot",),
        why=f"this side is zero {_WHERE}, where the length is level",
        instead_of="torch.hypot(z, other)",
        given="z, other = torch.zeros(2), torch.ones(2)",
    ),
    Slope(
        ops=("Xlogy",),
        why="the logarithm of its second input is zero, as the input is 1",
        instead_of="torch.xlogy(z, other)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.ones(2)",
        slot=0,
    ),
    Slope(
        ops=("Xlogy", "SpecialXlog1Py"),
        why="its first input is zero, so the second does not matter",
        instead_of="torch.xlogy(other, z)",
        given="z, other = torch.tensor([2.0, 3.0]), torch.zeros(2)",
        slot=1,
    ),
    Slope(
        ops=("SpecialXlog1Py",),
        why="the logarithm of 1 + its second input is zero, as the input is 0",
        instead_of="torch.special.xlog1py(z, other)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2)",
        slot=0,
    ),
    Slope(
        ops=("Igamma", "Igammac", "SpecialZeta", "Polygamma", "Digamma", "Lgamma", "Mvlgamma"),
        why="so far out its slope rounds to zero, or it is level there",
    ),
    Slope(
        ops=_CURVES,
        why="at such inputs its slope rounds to zero, or it is level there",
    ),
    Slope(
        ops=_MATRIX_PRODUCTS,
        why=f"what it multiplies this input with is zero {_WHERE}, or empty",
        factor=True,
        instead_of="torch.mv(other, z)",
        given="z, other = torch.tensor([1.0, 2.0]), torch.zeros(2, 2)",
    ),
    Slope(
        ops=_CONVOLUTIONS,
        why="its weights, or for the weights its inputs, are zero or empty",
        factor=True,
        instead_of=f"{_F}.conv1d(z, other)",
        given="z, other = torch.ones(1, 1, 4), torch.zeros(1, 1, 2)",
    ),
    Slope(
        ops=_RECURRENT,
        why="its gates are shut or saturated, or its weights are zero",
    ),
    Slope(
        ops=("LinalgDet",),
        why="the matrix misses full rank by two or more, where the determinant is level",
        instead_of="torch.linalg.det(z)",
        given="z = torch.zeros(3, 3)",
    ),
    Slope(
        ops=_DECOMPOSITIONS,
        why="what it multiplies the gradient with, its result or its other matrix, is zero, or "
        "only what does not change the result arrives",
    ),
    Slope(
        ops=_NORMS,
        why="its scale is zero, or what it normalises has one number or equal numbers only",
        instead_of=f"{_F}.layer_norm(z, (2,), weight)",
        given="z, weight = torch.tensor([[1.0, 2.0]]), torch.zeros(2)",
    ),
    Slope(
        ops=_OTHER_NORMS,
        why="its scale is zero, or the numbers that it normalised are equal",
    ),
    Slope(
        ops=("Renorm", "EmbeddingRenorm", "WeightNormInterface"),
        why="the vector that it scales, or its scale, is zero",
    ),
    Slope(
        ops=("ThresholdBackward",),
        why="it is the slope of a relu, which is constant on either side of zero: its second "
        "derivative is zero",
        instead_of="torch.relu(z)",
        use=f"{_F}.softplus(z)",
    ),
    Slope(
        ops=_PIECEWISE_SLOPES,
        why="it is the slope of a function made of straight pieces, which is constant on each: "
        "its second derivative is zero",
        instead_of=f"{_F}.leaky_relu(z)",
        use=f"{_F}.softplus(z)",
    ),
    Slope(
        ops=_PIECEWISE_LOSS_SLOPES,
        why="it is the slope of a loss made of straight pieces, which is constant on each: its "
        "second derivative is zero",
    ),
    Slope(
        ops=_POOLING_SLOPES,
        why="it is the slope of a choice, and which entry is the largest does not move: its "
        "second derivative is zero",
    ),
    Slope(
        ops=_SLOPES,
        why="it is a first derivative that does not bend there, or whose own slope rounds to zero",
    ),
    Slope(
        ops=("NanToNum", "Nansum"),
        why=f"its inputs are NaN or infinite {_WHERE}, and were replaced by constants",
        instead_of="torch.nan_to_num(z)",
        use="z",
        given="z = torch.full((2,), float('nan'))",
    ),
    Slope(
        ops=("Triu", "Tril", "Trace"),
        why="this part of the matrix was made zero, or is not in the trace",
        instead_of="torch.triu(z, 5)",
        given="z = torch.ones(2, 2)",
    ),
    Slope(
        ops=("Nextafter",),
        why="it already is where it should step to",
    ),
    Slope(
        ops=("AsStrided", "UnsafeMaskedIndex", "SparseMask", "Values", "Unfold"),
        why="it takes other numbers than these, or its mask leaves nothing",
    ),
    Slope(
        ops=("StandardGamma", "StandardGammaGrad"),
        why="at such rates its slope rounds to zero",
    ),
)

_CANCELS = (
    Slope(
        ops=("Softmax", "SafeSoftmax", "MaskedSoftmax", "SparseSoftmax"),
        why="it gets the same gradient at all entries, while their sum is always one",
        instead_of="torch.softmax(z, 0).sum()",
        use="torch.softmax(z, 0)[0]",
        given=_TWO,
    ),
    Slope(
        ops=("LogSoftmax", "SparseLogSoftmax"),
        why="its probabilities already are what the loss asks for",
        instead_of="torch.log_softmax(z, 0).sum()",
        use="torch.log_softmax(z, 0)[0]",
        given="z = torch.zeros(2)",
    ),
    Slope(
        ops=_NORMALISING,
        why="it gets the same gradient at all entries that it normalises together, while their "
        "sum is constant",
        instead_of=f"{_F}.layer_norm(z, (3,)).sum()",
        given="z = torch.tensor([1.0, 2.0, 4.0])",
    ),
    Slope(
        ops=("FusedRmsNorm", "WeightNormInterface", "Renorm"),
        why="the gradient points along the vector, whose length does not matter after it",
    ),
    Slope(
        ops=("Std", "StdMean", "Var", "VarMean"),
        why="all entries move together, which changes no spread",
    ),
)


def _poles() -> Iterable[Slope]:
    """Functions with an infinite slope at the edge of where they are defined."""
    edges = (
        ("Acos", "torch.acos", "-1 and 1", "z * 0.999999", "1.0"),
        ("Asin", "torch.asin", "-1 and 1", "z * 0.999999", "1.0"),
        ("Atanh", "torch.atanh", "-1 and 1", "z * 0.999999", "1.0"),
        ("Erfinv", "torch.erfinv", "-1 and 1", "z * 0.999999", "1.0"),
        ("Acosh", "torch.acosh", "1", "z + 1e-6", "1.0"),
        ("Logit", "torch.logit", "0 and 1", "z * 0.999998 + 1e-6", "1.0"),
        ("SpecialNdtri", "torch.special.ndtri", "0 and 1", "z * 0.999998 + 1e-6", "1.0"),
        ("SpecialEntr", "torch.special.entr", "0", "z + 1e-12", "0.0"),
        ("Log", "torch.log", "or next to 0", "z + 1e-12", "0.0"),
        ("Log2", "torch.log2", "or next to 0", "z + 1e-12", "0.0"),
        ("Log10", "torch.log10", "or next to 0", "z + 1e-12", "0.0"),
        ("Log1P", "torch.log1p", "or next to -1", "z + 1e-6", "-1.0"),
        ("Sqrt", "torch.sqrt", "0", "z + 1e-12", "0.0"),
        ("Rsqrt", "torch.rsqrt", "0", "z + 1e-12", "0.0"),
        ("Reciprocal", "torch.reciprocal", "or next to 0", "z + 1e-12", "0.0"),
        ("Lgamma", "torch.lgamma", "0, -1, -2 and so on", "z + 1e-6", "0.0"),
        ("Digamma", "torch.digamma", "0, -1, -2 and so on", "z + 1e-6", "0.0"),
    )
    for op, function, where, inside, given in edges:
        yield Slope(
            ops=(op,),
            why=f"its slope at {where} is infinite",
            instead_of=f"{function}(z)",
            use=f"{function}({inside})",
            given=f"z = torch.tensor({given})",
        )


def _overflowing() -> Iterable[Slope]:
    for op, function in (
        ("Exp", "torch.exp"),
        ("Exp2", "torch.exp2"),
        ("Expm1", "torch.expm1"),
        ("Sinh", "torch.sinh"),
        ("Cosh", "torch.cosh"),
        ("I0", "torch.special.i0"),
        ("SpecialI1", "torch.special.i1"),
    ):
        yield Slope(
            ops=(op,),
            why="its result overflows",
            instead_of=f"{function}(z)",
            use=f"{function}(z.clamp(max=80))" if op != "Sinh" else "torch.sinh(z.clamp(-80, 80))",
            given="z = torch.tensor([200.0, 1.0])",
        )


_NOT_FINITE = (
    *_poles(),
    *_overflowing(),
    Slope(
        ops=("SpecialErfcx", "SpecialLogNdtr"),
        why="its result overflows, so far below zero",
        instead_of="torch.special.erfcx(z)",
        use="torch.special.erfcx(z.clamp(min=-8))",
        given="z = torch.tensor([-200.0, 1.0])",
    ),
    Slope(
        ops=("Div", "Addcdiv", "ForeachDiv"),
        why="it divides by zero or next to it",
        instead_of="z / other",
        use="z / (other + 1e-12)",
        given="z, other = torch.ones(2), torch.zeros(2)",
        slot=0,
    ),
    Slope(
        ops=("Div", "Addcdiv", "ForeachDiv"),
        why="it divides by zero or next to it",
        instead_of="other / z",
        use="other / (z + 1e-12)",
        given="z, other = torch.zeros(2), torch.ones(2)",
    ),
    Slope(
        ops=("Fmod", "Remainder"),
        why="it divides by zero",
        instead_of="torch.remainder(other, z)",
        use="torch.remainder(other, z + 0.1)",
        given="z, other = torch.zeros(2), torch.tensor([1.0, 2.0])",
    ),
    Slope(
        ops=("Pow", "ForeachPow"),
        why="at this base its slope is not finite: a power below 1 is infinitely steep at 0, and "
        "a negative base has only whole powers",
        instead_of="z ** power",
        use="(z + 1e-12) ** power",
        given="z, power = torch.tensor([0.0, 1.0]), 0.5",
        slot=0,
    ),
    Slope(
        ops=("Pow",),
        why="the slope by the exponent needs the logarithm of the base, which is not positive",
        instead_of="other ** z",
        use="other.abs() ** z",
        given="z, other = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, -2.0])",
        slot=1,
    ),
    Slope(
        ops=("Polygamma", "Mvlgamma", "SpecialZeta", "Igamma", "Igammac"),
        why="it has poles at 0, -1, -2 and so on, and its slope is not finite there",
        instead_of="torch.polygamma(1, z)",
        use="torch.polygamma(1, z + 1e-6)",
        given="z = torch.tensor([0.0, 1.0])",
    ),
    Slope(
        ops=("Abs", "Sgn"),
        why="of complex numbers so large or so small it cannot form the length",
    ),
    Slope(
        ops=("Hypot",),
        why="both sides are zero, where the length has a corner: the slope is 0/0",
        instead_of="torch.hypot(z, other)",
        use="torch.hypot(z + 1e-12, other)",
        given="z, other = torch.zeros(2), torch.zeros(2)",
    ),
    Slope(
        ops=("Atan2",),
        why="both coordinates are zero or next to it, where every angle is right",
        instead_of="torch.atan2(other, z)",
        use="torch.atan2(other + 1e-12, z)",
    ),
    Slope(
        ops=_LENGTHS,
        why="a power inside it overflows, or it divides by a number whose power underflows",
        instead_of="torch.linalg.vector_norm(z, 3)",
        use=f"torch.linalg.vector_norm({_SMALLER}, 3)",
        given=_HUGE,
    ),
    Slope(
        ops=("Std", "StdMean", "Var", "VarMean"),
        why="it has one number only, whose spread divides by n - 1 = 0",
        instead_of="torch.var(z)",
        use="torch.var(z, correction=0) + z.square().sum()",
        given="z = torch.tensor([1.0])",
        when="one number",
    ),
    Slope(
        ops=("Std", "StdMean", "Var", "VarMean"),
        why="its numbers are equal, or their squares overflow",
    ),
    Slope(
        ops=("Mean",),
        why="it is the mean of no numbers, which is 0/0",
        when="no numbers",
    ),
    Slope(
        ops=("Xlogy", "SpecialXlog1Py"),
        why="it takes the logarithm of zero, or of a negative number",
        instead_of="torch.xlogy(other, z)",
        use="torch.xlogy(other, z + 1e-12)",
        given="z, other = torch.zeros(2), torch.ones(2)",
    ),
    Slope(
        ops=_SOFTMAXES,
        why="all of its entries are -inf, as where a mask leaves none, or one is inf",
        instead_of="torch.softmax(z + mask, 0)",
        use="torch.softmax(z + mask.clamp(min=-1e9), 0)[0]",
        given="z, mask = torch.tensor([1.0, 2.0]), torch.full((2,), -float('inf'))",
    ),
    Slope(
        ops=_ATTENTION,
        why="a mask leaves a query no key, or its products overflow",
    ),
    Slope(
        ops=("NllLoss", "NllLoss2D"),
        why="the class weights of all its labels are zero, and their mean is 0/0",
        instead_of=f"{_F}.nll_loss(z, target, weight)",
        use=f"{_F}.nll_loss(z, target)",
        given="z, target = torch.tensor([[-0.1, -2.0]]), torch.tensor([1])\n"
        "weight = torch.tensor([1.0, 0.0])",
    ),
    Slope(
        ops=("CtcLoss", "CudnnCtcLoss", "MiopenCtcLoss"),
        why="no target fits into its input, so the loss is infinite; or its inputs are no "
        "logarithms of probabilities",
        instead_of=f"{_F}.ctc_loss(z, target, length, size)",
        use=f"{_F}.ctc_loss(z, target, length, size, zero_infinity=True) + z.mean()",
    ),
    Slope(
        ops=("BinaryCrossEntropy",),
        why="a probability is exactly 0 or 1",
        instead_of=f"{_F}.binary_cross_entropy(z, target)",
        use=f"{_F}.binary_cross_entropy(z.clamp(1e-6, 0.999999), target)",
    ),
    Slope(
        ops=_OVERFLOWING_SLOPES,
        why="a second derivative is formed there of numbers that are not finite or overflow",
    ),
    Slope(
        ops=("SoftMarginLoss", "Gelu", "Silu", "Mish", "Softplus", "Sinc", "Elu", "Celu", "Glu"),
        why="a power of its input overflows",
        instead_of=f"{_F}.soft_margin_loss(z, target)",
        use=f"{_F}.binary_cross_entropy_with_logits(z, (target + 1) / 2)",
        given="z, target = torch.tensor([-200.0, 1.0]), torch.ones(2)",
    ),
    Slope(
        ops=("Prod", "Cumprod", "ScatterReduce", "IndexReduce", "SegmentReduce"),
        why="the product of its factors overflows",
        instead_of="torch.prod(z)",
        use=f"torch.prod({_SMALLER})",
        given=_HUGE,
    ),
    Slope(
        ops=("Mul", "Addcmul", "Dot", "Vdot", "Ldexp", "Lerp", "LinalgCross", "Polar"),
        why="the product overflows",
    ),
    Slope(
        ops=_MATRIX_PRODUCTS,
        why="a sum of products overflows",
    ),
    Slope(
        ops=("LinalgCholeskyEx", "Cholesky", "CholeskyInverse", "CholeskySolve"),
        why="the matrix is not positive definite: its slope needs an inverse that does not exist",
        instead_of="torch.linalg.cholesky_ex(z).L",
        use="torch.linalg.cholesky_ex(z + torch.eye(z.shape[-1])).L",
        given=_SINGULAR,
    ),
    Slope(
        ops=("LinalgEigh", "LinalgEig"),
        why="two of the eigenvalues are equal, so their vectors are not determined",
        instead_of="torch.linalg.eigh(z).eigenvectors",
        use="torch.linalg.eigh(z + torch.diag(0.01 * torch.arange(len(z)))).eigenvectors",
        given="z = torch.eye(2)",
    ),
    Slope(
        ops=("LinalgSvd",),
        why="two of the singular values are equal, or one is zero: their vectors are not "
        "determined",
        instead_of="torch.linalg.svd(z).U",
        use="torch.linalg.svd(z + torch.diag(0.1 * torch.arange(len(z)))).U",
        given="z = torch.eye(2)",
    ),
    Slope(
        ops=("LinalgQr", "LinalgHouseholderProduct", "Ormqr", "Geqrf"),
        why="the matrix misses full rank: its slope needs an inverse that does not exist",
        instead_of="torch.linalg.qr(z).R",
        use="torch.linalg.qr(z + torch.eye(z.shape[-1])).R",
        given="z = torch.zeros(2, 2)",
    ),
    Slope(
        ops=("LinalgLu", "LinalgLuFactorEx", "LinalgLuSolve", "LuUnpack"),
        why="the matrix is singular: its slope needs an inverse that does not exist",
        instead_of="torch.linalg.lu_factor_ex(z).LU",
        use="torch.linalg.lu_factor_ex(z + torch.eye(z.shape[-1])).LU",
        given=_SINGULAR,
    ),
    Slope(
        ops=_INVERSES,
        why="the matrix is singular, or so near to it that its inverse overflows",
        instead_of="torch.linalg.inv_ex(z).inverse",
        use="torch.linalg.inv_ex(z + torch.eye(z.shape[-1])).inverse",
        given=_SINGULAR,
    ),
    Slope(
        ops=("LinalgPinv", "LinalgLstsq"),
        why="the matrix is so near to one of a lower rank that its inverse overflows",
    ),
    Slope(
        ops=("LinalgMatrixExp",),
        why="the exponential of the matrix overflows",
        instead_of="torch.linalg.matrix_exp(z)",
        use=f"torch.linalg.matrix_exp({_SMALLER})",
        given="z = torch.full((2, 2), 200.0)",
    ),
    Slope(
        ops=_DIVIDING,
        why="it divides by a spread or a length that is zero, or overflows",
        instead_of=f"{_F}.layer_norm(z, (2,), eps=0.0)",
        use=f"{_F}.layer_norm(z + torch.arange(2.0), (2,))[0]",
        given="z = torch.ones(2)",
    ),
)

_CHOICE = (
    Slope(
        ops=("Abs",),
        why="at 0 it has a corner, and PyTorch takes the slope 0 there",
        given="z = torch.tensor([0.0, 1.0])",
        instead_of="torch.abs(z)",
        when="input zero",
    ),
    Slope(
        ops=("Maximum", "Minimum"),
        why="its inputs are equal, and PyTorch gives each half of the gradient",
        instead_of="torch.maximum(z, other)",
        given="z, other = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0])",
        when="inputs equal",
    ),
    Slope(
        ops=("Fmax", "Fmin"),
        why="its inputs are equal, and PyTorch gives all of the gradient to the first",
        instead_of="torch.fmax(z, other)",
        given="z, other = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0])",
        when="inputs equal",
    ),
    Slope(
        ops=("Max", "Min", "Amax", "Amin", "Median", "Nanmedian"),
        why="several entries are equally large, and PyTorch gives each an equal share",
        instead_of="torch.amax(z)",
        given="z = torch.tensor([2.0, 1.0, 2.0])",
        when="result tied",
    ),
    Slope(
        ops=("Clamp", "ClampMin", "ClampMax"),
        why="it has a corner at its bounds, and PyTorch takes the slope 1 there",
        instead_of="torch.clamp(z, 0.0, 1.0)",
        given="z = torch.tensor([0.0, 0.5])",
        when="at a bound",
    ),
    Slope(
        ops=("Hardtanh", "Hardsigmoid", "Threshold", "LeakyRelu", "Hardswish"),
        why="it has a corner there, and PyTorch takes the slope of one side",
        instead_of=f"{_F}.leaky_relu(z)",
        given="z = torch.tensor([0.0, 0.5])",
        when="at a corner",
    ),
)

SLOPES: dict[Fate, tuple[Slope, ...]] = {
    "zero": _ZERO,
    "cancels": _CANCELS,
    "not finite": _NOT_FINITE,
    "choice": _CHOICE,
}

HAVE_EDGES = frozenset(op for row in _poles() for op in row.ops) | {"Pow"}
"""Functions that are not defined everywhere; beyond their edges they give NaN."""

ALWAYS_ZERO = frozenset(op for row in _ZERO if row.always for op in row.ops)
"""Operations that turn every gradient into zeros, whatever their numbers."""

MAY_DIE = frozenset(
    op for row in _ZERO if row.given and not row.when and row.slot is None for op in row.ops
) - {"Mul", "Mm", "Addmm", "Mv", "Bmm", "Linear", "Convolution", "Div"}
"""Operations that may turn a gradient into zeros; the most frequent are not told as hints."""

BLOWS_UP = frozenset(op for row in _NOT_FINITE if row.given for op in row.ops) - {
    "NativeLayerNorm",
    "NativeBatchNorm",
    "Gelu",
    "Silu",
}
"""Operations that may turn a gradient into NaN or infinity; the unlikely are not told as hints."""

# fmt: off
CARRIERS = frozenset((
    "AdaptiveAvgPool2D", "AdaptiveAvgPool2DBackward", "AdaptiveAvgPool3D",
    "AdaptiveAvgPool3DBackward", "Add", "AffineGridGenerator", "Alias", "AvgPool2D",
    "AvgPool2DBackward", "AvgPool3D", "AvgPool3DBackward", "BlockDiag", "Cat", "ChannelShuffle",
    "Chunk", "Clone", "Coalesce", "Col2Im", "Complex", "Conj", "ConjPhysical", "ConstantPadNd",
    "CudnnAffineGridGenerator", "Cumsum", "Deg2Rad", "DiagEmbed", "DiagonalBackward",
    "EmbeddingBagDenseBackward", "EmbeddingDenseBackward", "Expand", "FftC2C", "FftC2R", "FftR2C",
    "Flip", "Frac", "Frexp", "Im2Col", "LazyClone", "Lift", "LiftFresh", "MaskedScatterBackward",
    "Mean", "MkldnnAdaptiveAvgPool2D", "MkldnnReshape", "Neg", "NegView", "NestedFromPadded",
    "NestedFromPaddedTensor", "NestedGetValues", "NestedTensorFromMask",
    "NestedTensorFromTensorList", "NestedViewFromBuffer", "NestedViewFromJagged",
    "PackPaddedSequence", "Permute", "PinMemory", "PixelShuffle", "PixelUnshuffle", "Rad2Deg",
    "ReflectionPad1D", "ReflectionPad1DBackward", "ReflectionPad2D", "ReflectionPad2DBackward",
    "ReflectionPad3D", "ReflectionPad3DBackward", "Repeat", "ReplicationPad1D",
    "ReplicationPad1DBackward", "ReplicationPad2D", "ReplicationPad2DBackward",
    "ReplicationPad3D", "ReplicationPad3DBackward", "ReshapeAlias", "ReshapeCopy", "Roll",
    "Rot90", "Rsub", "SelectBackward", "SliceBackward", "SliceInverse", "SparseCompressedTensor",
    "SparseCooTensorWithDimsAndTensors", "SparseSum", "Split", "SplitWithSizes", "Squeeze",
    "Stack", "Sub", "Sum", "T", "ToCopy", "ToDense", "ToMkldnn", "ToPaddedTensor", "ToSparse",
    "ToSparseBsc", "ToSparseBsr", "ToSparseCsc", "ToSparseCsr", "Transpose", "Unbind",
    "UnfoldBackward", "UnsafeSplit", "UnsafeSplitWithSizes", "UnsafeView", "Unsqueeze",
    "UpsampleBicubic2D", "UpsampleBicubic2DAa", "UpsampleBicubic2DAaBackward",
    "UpsampleBicubic2DBackward", "UpsampleBilinear2D", "UpsampleBilinear2DAa",
    "UpsampleBilinear2DAaBackward", "UpsampleBilinear2DBackward", "UpsampleLanczos2DAa",
    "UpsampleLanczos2DAaBackward", "UpsampleLinear1D", "UpsampleLinear1DBackward",
    "UpsampleNearest1D", "UpsampleNearest1DBackward", "UpsampleNearest2D",
    "UpsampleNearest2DBackward", "UpsampleNearest3D", "UpsampleNearest3DBackward",
    "UpsampleNearestExact1D", "UpsampleNearestExact1DBackward", "UpsampleNearestExact2D",
    "UpsampleNearestExact2DBackward", "UpsampleNearestExact3D", "UpsampleNearestExact3DBackward",
    "UpsampleTrilinear3D", "UpsampleTrilinear3DBackward", "View", "ViewAsComplex", "ViewAsReal",
))
# fmt: on
"""Operations that move, copy, add or cast what arrives, whatever their numbers are."""
