"""What an operation keeps of a constant is found by the operation's own names, whoever made it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from handgrad import trace
from handgrad.tracing.constants import ARGUMENTS


def layer(x: Any, weight: Any, bias: Any) -> Any:
    return F.layer_norm(x, x.shape[1:], weight, bias)


def batch(x: Any, weight: Any, bias: Any) -> Any:
    return F.batch_norm(x, None, None, weight, bias, training=True)


def group(x: Any, weight: Any, bias: Any) -> Any:
    return F.group_norm(x, 2, weight, bias)


def city_block(x: Any, y: Any) -> Any:
    return torch.cdist(x, y, p=1.0)


CALLS: dict[str, tuple[Any, ...]] = {  # how to record each operation: a function, and shapes
    **{
        op: (function, (3,), (3,))
        for op, function in {
            "Mul": torch.mul, "Div": torch.div, "Maximum": torch.maximum, "Pow": torch.pow,
            "Minimum": torch.minimum, "Atan2": torch.atan2, "LinalgCross": torch.linalg.cross,
            "Fmax": torch.fmax, "Fmin": torch.fmin, "Dot": torch.dot, "MseLoss": F.mse_loss,
            "HuberLoss": F.huber_loss, "SmoothL1Loss": F.smooth_l1_loss,
            "BinaryCrossEntropy": F.binary_cross_entropy,
            "BinaryCrossEntropyWithLogits": F.binary_cross_entropy_with_logits,
        }.items()
    },
    "Mm": (torch.mm, (2, 3), (3, 2)),
    "Bmm": (torch.bmm, (2, 2, 3), (2, 3, 2)),
    "Mv": (torch.mv, (2, 3), (3,)),
    "Addmm": (torch.addmm, (2, 2), (2, 3), (3, 2)),
    "Addmv": (torch.addmv, (2,), (2, 3), (3,)),
    "Addr": (torch.addr, (2, 3), (2,), (3,)),
    "Baddbmm": (torch.baddbmm, (2, 2, 2), (2, 2, 3), (2, 3, 2)),
    "Addbmm": (torch.addbmm, (2, 2), (2, 2, 3), (2, 3, 2)),
    "Addcmul": (torch.addcmul, (3,), (3,), (3,)),
    "Addcdiv": (torch.addcdiv, (3,), (3,), (3,)),
    "Lerp": (torch.lerp, (3,), (3,), (3,)),
    "PreluKernel": (F.prelu, (2, 2), (1,)),
    "Convolution": (F.conv1d, (1, 1, 4), (1, 1, 2), (1,)),
    "NativeLayerNorm": (layer, (2, 4), (4,), (4,)),
    "NativeBatchNorm": (batch, (3, 2), (2,), (2,)),
    "NativeGroupNorm": (group, (2, 4), (4,), (4,)),
    "ScaledDotProductFlashAttentionForCpu": (
        F.scaled_dot_product_attention, (1, 1, 2, 4), (1, 1, 2, 4), (1, 1, 2, 4)
    ),
    "Cdist": (city_block, (4, 2), (4, 2)),
    "EuclideanDist": (torch.cdist, (30, 2), (30, 2)),
}  # fmt: skip
SLOTS = [
    pytest.param(op, slot, name is not None, id=f"{op}-{slot}")
    for names, ops in ARGUMENTS.items()
    for op in ops.split()
    for slot, name in enumerate(names)
]


def test_every_operation_of_the_table_is_asked():
    assert sorted(CALLS) == sorted(op for ops in ARGUMENTS.values() for op in ops.split())


@pytest.mark.parametrize(("op", "slot", "kept"), SLOTS)
def test_an_unnamed_constant_is_read_from_the_node(op: str, slot: int, kept: bool):
    """Its numbers are those of the argument in its slot, or nothing is told."""
    function, *shapes = CALLS[op]
    torch.manual_seed(0)
    tensors = [torch.rand(shape) * 0.8 + 0.1 for shape in shapes]
    for number, tensor in enumerate(tensors):
        tensor.requires_grad_(number != slot)

    graph = trace(function(*tensors), names={}, values=True)

    (node,) = [node for node in graph.nodes if node.op == op]
    (constant,) = [edge.constant for edge in node.edges if edge.source is None]
    assert constant is not None
    if kept:
        assert constant.evidence == "saved"
        assert constant.value is not None
        assert list(constant.value.data) == tensors[slot].flatten().tolist()
    else:
        assert constant.value is None
