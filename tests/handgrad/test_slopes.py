"""The table of slopes knows each operation of torch, and what it says holds where it is run."""

import re
from typing import Any

import pytest
import torch
from repairs import PAIR, quiet
from torch import nn

from handgrad import why_no_grad
from handgrad.diagnosing.conditions import CONDITIONS
from handgrad.diagnosing.slopes import CARRIERS, SLOPES, Fate, Slope

ROWS = [(fate, row) for fate, rows in SLOPES.items() for row in rows]
RUN = [(fate, row) for fate, row in ROWS if row.given and row.instead_of]
run = pytest.mark.parametrize(
    ("fate", "row"), RUN, ids=[f"{fate} {row.ops[0]} {n}" for n, (fate, row) in enumerate(RUN)]
)

NOT_OPERATIONS = {
    "AccumulateGrad",
    "DelayedError",
    "Error",
    "NotImplemented",
    "SendRpc",
    "UndefinedGrad",
}
"""What torch records beside its operations."""

RAISE = {"Unique", "Unique2", "UniqueConsecutive", "UniqueDim", "UniqueDimConsecutive"}
"""Operations whose derivative is not implemented, which a diagnosis says in torch's words."""


def recorded_names() -> set[str]:
    """List what torch can record, without the endings that tell its variants apart."""
    names = (name for name in dir(torch._C._functions) if not name.startswith("__"))
    plain = {re.sub(r"Backward\d*(_copy)?$", "", name) for name in names}
    nested = {name for name in plain if "AutogradNestedTensor" in name}
    tests = {name for name in plain if name.startswith("Test")}
    return plain - nested - tests


def test_each_operation_of_torch_is_in_the_table():
    """A new family shows here, on the torch that has it."""
    known = {op for _, row in ROWS for op in row.ops} | CARRIERS | RAISE | NOT_OPERATIONS

    assert recorded_names() - known == set()


def test_what_only_carries_has_no_slope_of_its_own():
    """Nothing is in both lists but what selects or casts, whose why depends on what arrives."""
    zero = {op for row in SLOPES["zero"] if not row.when for op in row.ops}

    assert zero & CARRIERS == set()


def test_a_missing_family_would_show():
    known = {op for _, row in ROWS for op in row.ops} - {"Relu"}

    assert "Relu" in recorded_names() - known - CARRIERS


def test_each_condition_is_used_and_exists():
    used = {row.when for _, row in ROWS if row.when}

    assert used == CONDITIONS.keys()


def start(row: Slope) -> dict[str, Any]:
    names: dict[str, Any] = {"torch": torch}
    exec(row.given, names)
    names["z"].requires_grad_()
    return names


def lossed(y: torch.Tensor, fate: Fate) -> torch.Tensor:
    """Add the entries, unevenly unless it is their sum that cancels."""
    weights = torch.ones(y.shape)
    if fate != "cancels" and y.numel():
        weights = 1 + (torch.arange(y.numel()) * 0.618).frac().reshape(y.shape)
    return (y * weights).sum()


def answer(row: Slope, fate: Fate) -> Any:
    names = start(row)
    torch.manual_seed(0)
    with quiet():
        loss = lossed(eval(row.instead_of, names), fate)
        if loss.requires_grad:
            loss.backward(retain_graph=True)
    z = names["z"]
    return why_no_grad(z, loss)


@run
def test_what_is_said_of_an_operation_happens(fate: Fate, row: Slope):
    diagnosis = answer(row, fate)
    codes = {
        "zero": {"zero-flow", "function-returned-none"},
        "cancels": {"zero-flow", "rounding-noise"},
        "not finite": {"not-finite"},
        "choice": {"fine"},
    }[fate]

    assert set(diagnosis.codes) <= codes
    assert (row.why in str(diagnosis)) or (row.factor and "is zero" in str(diagnosis))


@run
def test_what_is_to_be_written_instead_brings_a_gradient(fate: Fate, row: Slope):
    if not row.use:
        pytest.skip("no other spelling helps everywhere")
    names = start(row)
    torch.manual_seed(0)
    lossed(eval(row.use, names), "zero").backward()
    grad = names["z"].grad

    assert grad is not None
    assert grad.isfinite().all()
    assert grad.any()


@run
def test_what_is_shown_is_what_is_executed(fate: Fate, row: Slope):
    """The repair in the answer is the table's, with the caller's words in it."""
    if not row.use:
        pytest.skip("no other spelling helps everywhere")
    reasons = answer(row, fate).reasons
    pairs = PAIR.findall(reasons[0].repair)

    assert len(pairs) == 1
    names = start(row)
    torch.manual_seed(0)
    with quiet():
        lossed(eval(pairs[0][1], {**names, "names": names}), "zero").backward()
    assert names["z"].grad.isfinite().all()
    assert names["z"].grad.any()


def test_all_labels_ignored_shows_how_to_see_it():
    z = torch.tensor([[0.1, 0.2], [0.3, 0.1]], requires_grad=True)
    target = torch.tensor([-100, -100])
    loss = nn.functional.cross_entropy(z, target)
    loss.backward(retain_graph=True)
    (reason,) = why_no_grad(z, loss).reasons

    assert "the mean of none is NaN" in reason.evidence[0]
    assert reason.repair == "print((target >= 0).sum())"


def test_a_repair_is_spelled_as_the_operation_is_written():
    """A row may be of several operations, and its spelling of the first."""
    a = torch.zeros(2, 3, requires_grad=True)
    loss = torch.cdist(a, torch.zeros(1, 3)).sum()
    loss.backward(retain_graph=True)
    (reason,) = why_no_grad(a, loss).reasons

    assert "a length or a distance of zero" in reason.evidence[0]
    assert "vector_norm" not in reason.repair


@pytest.mark.parametrize("product", [torch.mm, torch.matmul])
def test_the_zero_factor_is_never_the_tensor_itself(product: Any):
    """Where all factors are zero, each is told of another one."""
    first, second = nn.Parameter(torch.zeros(2, 4)), nn.Parameter(torch.zeros(3, 2))
    loss = product(product(torch.ones(5, 4), first.t()), second.t()).sum()
    loss.backward(retain_graph=True)

    assert "its other factor, second, is zero" in str(why_no_grad(first, loss))
    assert "second, is zero" not in str(why_no_grad(second, loss))


def test_a_loss_that_is_nan_is_told_beside_gradients_that_are_fine():
    z = torch.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True)
    mask = torch.tensor([[False, False], [True, True]])
    loss = z.masked_fill(mask, -torch.inf).softmax(1).square().sum()
    loss.backward(retain_graph=True)

    assert "loss itself is nan" in why_no_grad(z, loss).facts
