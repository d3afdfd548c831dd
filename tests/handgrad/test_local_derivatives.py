"""Every local derivative on every edge is the operation's own, found a second time."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
import torch
from operations import Watch, positions
from zoo import PROGRAMS, models

from handgrad import trace
from handgrad.graph.graph import Graph
from handgrad.graph.records import Array
from handgrad.tracing.structure import walk

BOUND = 4  # ulps
OWN_RULE = (torch.autograd.function.BackwardCFunction,)
NO_OPERATION = {"CopySlices"}  # it stands for a write into a view, which is another's node
NO_RULE = {("NativeGroupNorm", 1), ("NativeGroupNorm", 2)}  # mean and spread: torch sends nothing
CANCELS = {
    "BinaryCrossEntropyWithLogits": "σ(z) − y",
    "LinalgMatrixExp": "sums of powers with both signs",
    "LinalgSvd": "sums over singular vectors with both signs",
    "Mish": "two terms of opposite sign at its minimum",
    "NativeBatchNorm": "what the mean and the variance take away",
    "NativeGroupNorm": "what the mean and the variance take away",
    "NativeLayerNorm": "what the mean and the variance take away",
}
"""Operations whose entries are differences of larger numbers: ulps of the largest entry count."""


@dataclass
class Tally:
    """What was compared, and what could not be."""

    edges: int = 0
    entries: int = 0
    same: int = 0
    modes: Counter[str] = field(default_factory=Counter[str])
    furthest: dict[str, float] = field(default_factory=dict[str, float])
    small: dict[str, float] = field(default_factory=dict[str, float])
    left: Counter[str] = field(default_factory=Counter[str])

    def compare(self, op: str, found: torch.Tensor, expected: torch.Tensor) -> None:
        """Note how far two Jacobians are apart, by entry and by the largest entry."""
        assert found.shape == expected.shape, op
        self.edges += 1
        self.entries += found.numel()
        if found.numel() == 0:
            return
        steps = (order(found) - order(expected)).abs()
        self.same += int((steps == 0).sum())
        self.furthest[op] = max(self.furthest.get(op, 0), float(steps.max()))
        apart = float((found - expected).abs().max()) / 2**-52
        self.small[op] = max(self.small.get(op, 0.0), apart / (float(expected.abs().max()) or 1.0))

    def beyond(self) -> dict[str, float]:
        """Name the operations that are further off than they may be."""
        far = {op: n for op, n in self.furthest.items() if n > BOUND and op not in CANCELS}
        return far | {op: n for op, n in self.small.items() if n > BOUND}


def order(numbers: torch.Tensor) -> torch.Tensor:
    """Number all floats in their order, both zeros as 0; exact where two are close."""
    bits = numbers.contiguous().view(torch.int64)
    return torch.where(bits < 0, -(bits & (2**63 - 1)), bits)


def tensor(array: Array) -> torch.Tensor:
    return torch.tensor(array.data, dtype=getattr(torch, array.dtype)).reshape(array.shape)


def check(graph: Graph, watch: Watch, root: torch.Tensor, tally: Tally) -> None:
    """Hold each edge of a graph against the operation that made its node."""
    live = walk(root.grad_fn).live
    for node in graph.nodes:
        if node.kind == "leaf":
            continue
        recorded = live[node.key]
        if isinstance(recorded, OWN_RULE) or node.op in NO_OPERATION:
            tally.left[node.op] += 1
            continue
        operation = watch.made[recorded]
        at = dict(positions(operation, recorded))
        for edge in node.edges:
            if edge.source is None:
                continue
            for output in range(len(node.outputs)):
                if (recorded, output) not in watch.carried or (node.op, output) in NO_RULE:
                    continue
                local = edge.local_of(output)
                if local is None or "complex" in local.dtype:
                    tally.left[f"complex {node.op}"] += 1
                    continue
                expected, mode = operation.jacobian(at[edge.slot], output)
                if node.op == "LinalgCholeskyEx":  # of symmetric matrices: a symmetric gradient
                    expected = (expected + expected.transpose(-1, -2)) / 2
                tally.modes[mode] += 1
                tally.compare(node.op, tensor(local), expected)


@pytest.fixture(scope="module")
def tally():
    """All programs of the zoo, every edge of every node."""
    seen = Tally()
    for program in PROGRAMS:
        inputs = program.inputs(torch.float64)
        with Watch() as watch:
            output = program.f(*inputs.values())
        check(trace(output, names=inputs, values=True), watch, output, seen)
    return seen


def test_every_local_derivative_is_the_operation_s_own(tally):
    """Within 4 ulp of each entry; of the largest entry where an operation cancels."""
    assert tally.beyond() == {}


def test_the_comparison_is_broad(tally):
    """Hundreds of edges, nearly all by forward mode, and only what is named was left out."""
    assert tally.edges >= 450
    assert len(tally.furthest) >= 150
    assert tally.same / tally.entries > 0.9
    assert tally.modes["forward"] / tally.edges > 0.9
    own = {"Cubed", "Both"}
    assert {op for op in tally.left if not op.startswith("complex ")} <= NO_OPERATION | own


def test_no_excuse_is_idle(tally):
    """An operation that is said to cancel has an entry that is further off than 4 ulp."""
    assert {op for op in CANCELS if tally.furthest[op] <= BOUND} == set()


@pytest.mark.parametrize("name", [model.name for model in models()])
def test_whole_models_too(name):
    """Every edge of an MLP, an LSTM, a transformer, a conv net with batch norm."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        model = next(model for model in models() if model.name == name)
        with Watch() as watch:
            loss = model.loss(model.module)
    finally:
        torch.set_default_dtype(before)
    seen = Tally()
    check(trace(loss, names=model.module, values=True), watch, loss, seen)

    assert seen.beyond() == {}
    assert seen.edges >= 10


def test_a_wrong_local_derivative_would_be_seen():
    """A factor, a sign, a transposition, five ulps: each is more than is allowed."""
    right = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)
    for wrong in (right * 2, right.abs(), right.T, right + torch.eye(2) * 5 * 2**-52):
        tally = Tally()
        tally.compare("Mul", wrong.contiguous(), right)
        assert tally.beyond()
    tally = Tally()
    tally.compare("Mish", right + torch.eye(2) * 13 * 2**-52, right)
    assert tally.beyond()
