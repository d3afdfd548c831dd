"""A diagnosis changes nothing, agrees with autograd on random programs, and takes little time."""

import json
import math
import sys
import time
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from repairs import Program, quiet
from specimens import SPECIMENS, Specimen, W
from torch import nn
from torch.utils.checkpoint import checkpoint

import handgrad
from handgrad import watch, why_no_grad
from handgrad.diagnosing import findings
from handgrad.diagnosing.diagnosis import Diagnosis, Reason
from handgrad.diagnosing.verdicts import CONVERSIONS
from handgrad.errors import HandgradError, InputError, KindError

each = pytest.mark.parametrize("specimen", SPECIMENS.values(), ids=SPECIMENS)


def state_of(names: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Everything about the tensors of a program that a diagnosis could disturb."""
    return {
        name: (
            t.requires_grad,
            t.is_leaf,
            t.retains_grad,
            t.grad_fn,
            None if t.is_inference() else t._version,
            tuple(t._backward_hooks or ()),
            t.detach().clone().tolist(),
            t.grad.tolist() if (t.is_leaf or t.retains_grad) and t.grad is not None else None,
            id(t.grad) if (t.is_leaf or t.retains_grad) and t.grad is not None else None,
        )
        for name, t in names.items()
        if isinstance(t, torch.Tensor)
    }


def same(a: object, b: object) -> bool:
    return repr(a) == repr(b)  # NaN equals itself here


@each
def test_nothing_is_changed(specimen: Specimen):
    """Flags, versions, hooks, values, gradients and modes stay; asking twice is as once."""
    program = Program.start(specimen)
    before, modes = (
        state_of(program.names),
        (torch.is_grad_enabled(), torch.get_rng_state().tolist()),
    )

    first, second = program.ask(), program.ask()

    assert same(state_of(program.names), before)
    assert (torch.is_grad_enabled(), torch.get_rng_state().tolist()) == modes
    assert str(first) == str(second)


@each
def test_backward_after_a_diagnosis_has_the_same_bits(specimen: Specimen):
    """Run the program twice, once with a diagnosis before backward() is called again."""
    outcomes = []
    for asked in (False, True):
        torch.manual_seed(0)
        program = Program.start(specimen)
        if asked:
            program.ask()
        try:
            program.run("loss.backward()", "after")
            outcome = "ran"
        except (RuntimeError, AttributeError) as error:
            outcome = type(error).__name__
        outcomes.append((outcome, [row[6:8] for row in state_of(program.names).values()]))

    assert same(*outcomes)


def test_no_hook_runs_and_none_is_left():
    """Hooks belong to the engine, and the engine is not used."""
    calls: list[str] = []
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    h.register_hook(lambda g: calls.append("tensor"))
    w.register_post_accumulate_grad_hook(lambda p: calls.append("leaf"))
    loss = (h * h).sum()
    loss.grad_fn.register_prehook(lambda g: calls.append("prehook"))
    loss.grad_fn.register_hook(lambda i, o: calls.append("hook"))

    why_no_grad(w, loss)
    why_no_grad(h, loss)
    assert calls == []

    loss.backward()
    assert sorted(calls) == ["hook", "leaf", "prehook", "tensor"]


def test_nothing_is_kept_alive():
    """A diagnosis holds words only: what the graph had saved is freed with the graph."""
    import weakref

    w = torch.ones(3, requires_grad=True)
    h = w.exp()
    gone = weakref.ref(h)
    loss = (h * h).sum()
    diagnosis = why_no_grad(w, loss)
    del h, loss

    assert gone() is None
    assert diagnosis.codes[0] == "not-called"


def test_the_mode_of_the_caller_does_not_matter():
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    expected = str(why_no_grad(w, loss))

    with torch.no_grad():
        assert str(why_no_grad(w, loss)) == expected
    with torch.inference_mode():
        assert str(why_no_grad(w, loss)) == expected
    with watch() as seen:
        assert str(why_no_grad(w, loss)) == expected
    assert len(seen) == 0


# What is right needs no reason.


@pytest.mark.parametrize("keep", [True, False])
def test_fine_says_how_it_was_checked(keep: bool):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=keep)

    diagnosis = why_no_grad(w, loss)

    assert diagnosis.codes == ("fine" if keep else "present",)
    assert diagnosis.is_fine
    assert diagnosis.reasons[0].certainty == ("certain" if keep else "cannot be known")
    size, checked = diagnosis.reasons[0].evidence
    assert size == "a gradient of shape (2,), largest size 4, 0 of 2 zero"
    if keep:
        assert checked == "it equals a fresh gradient of loss bit for bit"
    else:
        assert checked == "not verified, because the graph is freed"


def test_fine_without_a_loss():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()

    evidence = why_no_grad(w).reasons[0].evidence
    assert evidence[1] == "not verified, because no loss was given to compare it with"


def test_a_gradient_that_no_pass_would_bring_is_not_compared():
    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: torch.Tensor) -> torch.Tensor:
            return z.clone()

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> None:
            return None

    w = torch.ones(3, requires_grad=True)
    w.grad = torch.ones(3)
    (reason,) = why_no_grad(w, Stop.apply(w).sum(), run_my_code=True).reasons

    assert (reason.code, reason.certainty) == ("present", "cannot be known")
    assert reason.evidence[1] == "a fresh gradient would be None"


@pytest.mark.parametrize(
    ("grad", "state"),
    [
        (None, "None"),
        ([0.0, 0.0], "all zero"),
        ([0.0, 1.0], "finite"),
        ([1.0, math.nan], "not finite"),
        ([-math.inf, 0.0], "not finite"),
        ([], "finite"),
    ],
)
def test_what_a_gradient_is_is_said_first(grad: list[float] | None, state: str):
    w = torch.ones(0 if grad == [] else 2, requires_grad=True)
    w.grad = None if grad is None else torch.tensor(grad)

    assert str(why_no_grad(w)).splitlines()[0] == f"w.grad: {state}"


def test_a_gradient_of_a_vector_loss_is_not_compared():
    """It depends on the gradient that was passed to backward()."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = w * w
    loss.backward(torch.tensor([5.0, 7.0]), retain_graph=True)

    (reason,) = why_no_grad(w, loss).reasons
    assert reason.certainty == "cannot be known"
    told = "the loss is not one real number, so it depends on the gradient passed in"
    assert reason.evidence[1] == told


def test_a_retained_gradient_is_compared_too():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * w
    h.retain_grad()
    loss = (h * h).sum()
    loss.backward(retain_graph=True)

    assert why_no_grad(h, loss).is_fine
    loss.backward(retain_graph=True)
    assert why_no_grad(h, loss).codes == ("accumulated", "differs")


def test_rounding_is_not_a_difference():
    """Gradients that differ in the last bit, as another order of sums gives, are fine."""
    w = torch.tensor([0.1, 0.2], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    w.grad = torch.nextafter(w.grad, torch.tensor(9.0))

    evidence = why_no_grad(w, loss).reasons[0].evidence
    assert evidence[1] == "it equals a fresh gradient of loss up to rounding"


def test_a_gradient_that_was_rounded_to_a_coarser_kind_is_fine():
    net = network()
    loss = net(torch.ones(4, 2)).sum()
    loss.backward(retain_graph=True)
    net.to(torch.bfloat16)

    assert "up to rounding" in str(why_no_grad(net[0].weight, loss))


def test_sparse_and_complex_and_empty_gradients():
    table = nn.Embedding(10, 3, sparse=True)
    loss = table(torch.tensor([1, 4, 4])).sum()
    loss.backward(retain_graph=True)
    z = torch.tensor([1 + 1j], requires_grad=True)
    length = (z.abs() ** 2).sum()
    length.backward(retain_graph=True)
    nothing = torch.empty(0, requires_grad=True)
    total = nothing.sum()
    total.backward(retain_graph=True)

    assert why_no_grad(table.weight, loss).is_fine
    assert why_no_grad(z, length).is_fine
    assert why_no_grad(nothing, total).is_fine


def test_a_sparse_gradient_without_an_entry_is_all_zero():
    table = nn.Embedding(10, 3, sparse=True)
    loss = table(torch.empty(0, dtype=torch.long)).sum()
    loss.backward(retain_graph=True)

    assert why_no_grad(table.weight, loss).state == "all zero"
    assert why_no_grad(table.weight, loss).codes == ("zero-flow",)


def test_a_gradient_of_another_shape_of_zero_differs():
    """A fresh gradient of zeros is no multiple of anything."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (torch.round(w)).sum()
    w.grad = torch.tensor([1.0, 1.0])

    assert why_no_grad(w, loss).codes == ("differs",)


def test_a_leaf_may_be_the_loss():
    """Its gradient is one, and is compared with one."""
    w = torch.tensor(3.0, requires_grad=True)
    w.backward()
    assert why_no_grad(w, w).is_fine
    assert "bit for bit" in str(why_no_grad(w, w))

    w.backward()
    assert why_no_grad(w, w).codes == ("accumulated", "differs")


def test_a_loss_that_keeps_its_gradient_has_it():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.retain_grad()
    loss.backward(retain_graph=True)

    assert "bit for bit" in str(why_no_grad(loss, loss))


def test_a_vector_asked_about_itself_is_no_start():
    w = torch.ones(3, requires_grad=True)
    h = w * 2

    assert why_no_grad(w, w).codes == ("loss-not-scalar",)
    assert why_no_grad(h, h).codes == ("not-retained", "loss-not-scalar")
    assert why_no_grad(h, h).reasons[0].repair == "h.retain_grad()"


@pytest.mark.parametrize(
    ("loss", "code"), [("h.sum().item()", "loss-is-number"), ("h.detach()", "loss-untracked")]
)
def test_a_result_whose_loss_is_no_start_is_told_both(loss: str, code: str):
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    cost = eval(loss)
    diagnosis = why_no_grad(h, cost)

    assert diagnosis.codes == ("not-retained", code)
    assert "backward" not in diagnosis.reasons[0].repair


def test_a_view_with_a_flag_of_its_own_is_a_leaf():
    """Its base is tracked later; the gradient reaches the view all the same."""
    base = torch.zeros(6)
    v = base[:3].requires_grad_()
    loss = (v + 1).pow(2).sum()
    base.requires_grad_()

    assert why_no_grad(v, loss).codes[0] == "not-called"
    loss.backward()
    assert v.grad is not None


def test_reasons_that_leave_the_same_traces_share_their_evidence():
    """It stands with the first; a hook stands with what it may have done."""
    u, v = (torch.tensor(number, requires_grad=True) for number in (1.0, 2.0))
    loss = u.sin() * v

    held = why_no_grad(u, loss).reasons

    assert [r.code for r in held] == ["not-called", "cleared", "left-out", "returned"]
    assert held[0].evidence == (
        "the graph still holds what it saved: nothing has run, or with retain_graph=True",
        "of the 1 other leaves of the graph, 0 have a .grad",
    )
    assert [r.evidence for r in held[1:]] == [(), (), ()]
    assert [r.repair.partition("\n")[0] for r in held] == [
        "loss.backward()", *["...  # compute loss again"] * 3
    ]  # fmt: skip

    u.register_hook(abs)
    u.register_post_accumulate_grad_hook(print)
    hooked = why_no_grad(u, loss).reasons
    assert hooked[0].evidence == held[0].evidence
    hint = "it has a hook that may clear it: abs, print"
    assert [r.evidence for r in hooked[1:]] == [(hint,), (), ()]

    loss.backward(inputs=[v])
    freed = why_no_grad(u, loss).reasons
    assert [r.code for r in freed] == ["cleared", "left-out", "returned", "failed"]
    assert freed[0].evidence == (
        "the graph was freed, so a backward pass or autograd.grad has run",
        "of the 1 other leaves of the graph, 1 have a .grad",
        hint,
    )
    assert {r.repair for r in freed[:3]} == {"...  # compute loss again\nloss.backward()"}


def test_where_a_tensor_went_is_told_whole():
    """Named is the operation that kept its memory, or how many leaves there are."""
    v = torch.tensor(2.0, requires_grad=True)
    viewed = torch.ones(3)
    loss = (viewed.view(3) * v).sum()
    viewed.requires_grad_()
    for reason in why_no_grad(viewed, loss).reasons:
        assert reason.evidence == (
            "Mul (node 1 of trace, MulBackward0, output (3,)) saved a view of it, on an edge "
            "without gradient",
        )

    part = v.detach().view(1).requires_grad_()
    (reason,) = why_no_grad(v, (part * 2.0).sum()).reasons
    assert reason.evidence == ("part lies on its memory",)

    stranger, u = torch.ones(1, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    (reason,) = why_no_grad(stranger, u * v, name="stranger").reasons
    assert reason.evidence == ("none of the 2 leaves behind loss is stranger",)


def test_a_view_that_nobody_recorded_is_no_loss():
    w = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        v = w[0]

    assert why_no_grad(v, v).codes == ("view-under-no-grad",)
    with torch.no_grad():
        lone = torch.ones(3, requires_grad=True)[0]
    seen = "it is a view of a tensor of shape (3,), which is tracked, yet it has no grad_fn"
    assert why_no_grad(lone).reasons[0].evidence == (seen,)
    (reason,) = why_no_grad(w, v).reasons
    assert reason.code == "not-in-graph"
    assert reason.evidence == ("v has requires_grad=True, but no operation recorded it",)
    with pytest.raises(RuntimeError):
        v.backward()


def test_tensors_without_numbers_are_answered():
    w = torch.ones(3, requires_grad=True, device="meta")
    loss = (w * w).sum()
    assert why_no_grad(w, loss).codes[0] == "not-called"
    loss.backward(retain_graph=True)

    assert why_no_grad(w, loss).state == "without numbers"
    assert why_no_grad(w, loss).reasons[0].certainty == "cannot be known"
    assert why_no_grad(w, loss).reasons[0].evidence == ("a meta tensor has no numbers",)


def test_half_precision_gradients_are_compared():
    w = torch.tensor([0.1, 3.0], dtype=torch.bfloat16, requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    assert why_no_grad(w, loss).is_fine
    loss.backward(retain_graph=True)
    assert why_no_grad(w, loss).codes[0] == "accumulated"


def test_a_result_of_a_very_long_history_is_answered():
    """It is not walked, because freeing what was walked would crash; nor need it be."""
    w = torch.ones((), requires_grad=True)
    h = w
    for _ in range(30_000):
        h = h + 1

    (reason,) = why_no_grad(h).reasons
    assert (reason.code, len(reason.evidence)) == ("not-retained", 1)
    assert why_no_grad(h, 1.0).reasons[0].repair == "h.retain_grad()"


def test_only_some_of_many_leaves_are_named():
    leaves = [torch.ones((), requires_grad=True) for _ in range(5)]
    a, b, c, d, e = leaves
    four, five = a + b + c + d, a + b + c + d + e

    assert "others" not in str(why_no_grad(four))
    came = why_no_grad(five).reasons[0].evidence[1]
    assert came.removesuffix(" and others").count(", ") == 3
    assert came.endswith(" and others")
    assert why_no_grad(a + b).reasons[0].evidence[1] in {
        "it came from a, b",
        "it came from b, a",
    }


CONVERTED: dict[str, Any] = {
    "ToCopy": torch.Tensor.double,
    "Mul": lambda t: t * 2.0,
    "Div": lambda t: t / 2.0,
    "Add": lambda t: t + 1.0,
    "Sub": lambda t: t - 1.0,
    "Neg": torch.neg,
    "Clone": torch.clone,
    "Alias": torch.ops.aten.alias,
    "View": lambda t: t.view(6),
    "UnsafeView": lambda t: torch.ops.aten._unsafe_view(t, [6]),
    "T": torch.t,
    "Transpose": lambda t: t.transpose(0, 1),
    "Permute": lambda t: t.permute(1, 0),
    "Squeeze": torch.squeeze,
    "Unsqueeze": lambda t: t.unsqueeze(0),
    "Expand": lambda t: t.expand(2, 3),
}


def test_every_conversion_is_asked_about():
    assert CONVERTED.keys() == CONVERSIONS


@pytest.mark.parametrize("op", CONVERTED)
def test_any_conversion_may_have_lost_the_leaf(op: str):
    """What is scaled, shifted, moved or reshaped at once was perhaps meant as the leaf."""
    lost = CONVERTED[op](torch.ones(2, 3, requires_grad=True))

    kept, moved = why_no_grad(lost).reasons

    assert (kept.code, moved.code) == ("not-retained", "leaf-lost")
    assert moved.evidence == (f"{op} made it from one leaf that nobody else names",)


def test_a_long_way_from_a_leaf_is_no_initialisation():
    """A few scalings may have been meant as one leaf; a computation was not."""

    def scaled(times: int) -> torch.Tensor:
        t = torch.ones(3, requires_grad=True)
        for _ in range(times):
            t = t * 0.9
        return t

    few, many = scaled(8), scaled(9)
    bent = torch.ones(3, requires_grad=True).exp()
    smaller = torch.ones(3, requires_grad=True)[:2]
    held = torch.ones(3, requires_grad=True)
    named = held * 2

    assert why_no_grad(few).codes == ("not-retained", "leaf-lost")
    new = scaled(1) + 1
    moved = why_no_grad(new).reasons
    assert moved[0].evidence[1] == "it came from an unnamed leaf of shape (3,)"
    assert moved[1].evidence == ("Mul and Add made it from one leaf that nobody else names",)
    for other in (many, bent, smaller, named):
        assert why_no_grad(other).codes == ("not-retained",)


def test_shared_memory_needs_an_address_and_an_overlap():
    flat = torch.zeros(6, requires_grad=True)
    first, second = flat.detach()[:3], flat.detach()[3:]
    first.requires_grad_()
    sparse = torch.eye(3).to_sparse()
    empty = flat.detach()[:0]
    columns = flat.detach().reshape(3, 2).T
    del flat
    tracked = torch.ones(3, requires_grad=True)

    assert tracked.is_leaf
    assert why_no_grad(second).codes == ("untracked",)
    assert why_no_grad(columns).codes == ("shares-memory",)
    assert why_no_grad(sparse).codes == ("untracked",)
    assert why_no_grad(empty).codes == ("untracked",)


def test_columns_that_lie_between_one_another_share_nothing():
    """Each stretch of memory holds the other's numbers, but no number is in both."""
    table, u = torch.randn(10, 2), torch.ones(10, requires_grad=True)
    x, w = table[:, 0], table[:, 1]
    w.requires_grad_()
    loss = (x * u).sum()

    assert why_no_grad(w, loss).codes == ("not-in-graph",)
    assert why_no_grad(x, loss).codes == ("untracked",)
    x.requires_grad_()
    assert why_no_grad(w, (x * x).sum()).codes == ("not-in-graph",)
    assert why_no_grad(w, (u * table[:, 1]).sum()).codes == ("used-but-detached",)
    assert why_no_grad(w, (u * table[:, 1:].expand(10, 10)).sum()).codes == ("used-but-detached",)


def test_neighbours_in_memory_share_nothing():
    flat, u = torch.zeros(6), torch.ones(3, requires_grad=True)
    first, second = flat[:3], flat[3:]
    second[0] = 1.0
    first.requires_grad_()
    assert why_no_grad(first, (u * second).sum()).codes == ("not-in-graph",)

    second.requires_grad_()
    assert why_no_grad(second, (u * flat[:3]).sum()).codes == ("not-in-graph",)


def test_a_single_number_may_lie_on_another_tensor_or_between_its_numbers():
    table, u = torch.arange(20.0).reshape(10, 2), torch.ones(10, requires_grad=True)
    column, inside, between = table[:, 0], table[4, 0], table[4, 1]
    some = table[3:6:2, 0]
    for tensor in (inside, between, some):
        tensor.requires_grad_()

    assert why_no_grad(inside, (u * column).sum()).codes == ("used-but-detached",)
    assert why_no_grad(some, (u * column).sum()).codes == ("used-but-detached",)
    assert why_no_grad(between, (u * column).sum()).codes == ("not-in-graph",)


def test_an_empty_part_of_a_tensor_lies_nowhere():
    w = torch.ones(6, requires_grad=True)
    nothing = w.detach()[2:2]

    assert why_no_grad(nothing, w.sum()).codes == ("untracked",)


def test_the_real_part_lies_on_every_second_number():
    z, u = torch.ones(3, dtype=torch.complex64), torch.ones(3, requires_grad=True)
    real, imaginary = z.real, z.imag
    del z
    real.requires_grad_()

    assert why_no_grad(real, (u * imaginary).sum()).codes[0] == "not-in-graph"
    whole = torch.view_as_complex(torch.stack([u.detach(), u.detach()], -1))
    part = whole.imag.requires_grad_()
    assert why_no_grad(part, (whole * u).abs().sum()).codes == ("used-but-detached",)


def test_saved_tensors_behind_hooks_are_not_read():
    """Reading them would run the user's code; that they are kept is seen all the same."""
    calls: list[str] = []
    w = torch.ones(3, requires_grad=True)
    v = torch.ones(3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: calls.append("x") or t):
        loss = (v * w.detach()).sum()

    assert why_no_grad(w, loss).codes == ("not-in-graph",)
    assert calls == []
    assert why_no_grad(v, loss).reasons[0].certainty == "one of"


def test_what_was_saved_but_is_no_input_was_not_used():
    """A batch norm saves its running mean, which has no edge that could carry a gradient."""
    norm, w = nn.BatchNorm1d(3).eval(), torch.randn(8, 3, requires_grad=True)
    loss = norm(w).sum()
    norm.running_mean.requires_grad_()

    assert why_no_grad(norm.running_mean, loss).codes[0] == "not-in-graph"


def test_what_was_saved_with_its_gradient_is_no_constant():
    """The edge without gradient is that of x, and h, whose memory d is, has one."""
    x, w = torch.ones(3), torch.ones(3, requires_grad=True)
    h = w * 2
    d = h.detach().requires_grad_()
    loss = torch.addcmul(x, h, h).sum()

    assert why_no_grad(d, loss).codes == ("not-in-graph",)


def test_a_copy_has_the_same_numbers_everywhere():
    """A few of them are compared first, and here those are the same."""
    w, v = torch.zeros(100, requires_grad=True), torch.zeros(100)
    v[1] = 1.0
    v.requires_grad_()
    double = w.detach().double().requires_grad_()

    assert why_no_grad(w, (v * 2).sum()).codes == ("not-in-graph",)
    assert why_no_grad(w, (double * 2).sum()).codes == ("not-in-graph",)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(3, device="meta"),
        lambda: torch.empty(0),
        lambda: torch.eye(3).to_sparse(),
    ],
    ids=["meta", "empty", "sparse"],
)
def test_without_numbers_in_rows_there_is_no_copy(make: Any):
    w, v = make().requires_grad_(), make().requires_grad_()

    assert why_no_grad(w, (v * 2).sum()).codes == ("not-in-graph",)


def test_half_a_graph_may_be_freed():
    """What is freed is said, and what is not on the way to it does not matter."""
    w = torch.ones(3, requires_grad=True)
    h = w.exp()
    h.sum().backward()
    loss = (h * 2).sum()
    w.grad = None

    assert why_no_grad(w, loss).codes == ("partly-freed", "not-called")
    w.grad = torch.zeros(3)
    assert why_no_grad(w, loss).codes == ("partly-freed", "zero-flow", "zero-written")


def test_what_came_before_the_freed_part_still_has_its_reason():
    w, u = torch.tensor([0.4], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    a = u.exp()
    a.sum().backward()
    loss = torch.round(w).sum() + (a * 2).sum()
    w.grad = torch.zeros(1)

    freed, reason = why_no_grad(w, loss).reasons
    assert freed.code == "partly-freed"
    assert (reason.code, reason.certainty) == ("zero-flow", "certain")
    assert "Round" in reason.evidence[0]


def test_a_freed_graph_cannot_tell_what_it_used():
    """What it had saved is gone, so only the absence of a path is certain."""
    w = torch.ones(3, requires_grad=True)
    v = torch.zeros(3, requires_grad=True)
    loss = (v * w.detach()).sum()
    assert why_no_grad(w, loss).codes == ("used-but-detached",)

    loss.backward()
    assert why_no_grad(w, loss).codes == ("not-in-graph",)


def test_gradients_that_meet_are_said_to_cancel():
    """No operation is blamed where good gradients add up to zero."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w.exp()
    loss = (h * 2 - h * 2).sum()
    loss.backward(retain_graph=True)
    (evidence,) = why_no_grad(w, loss).reasons[0].evidence

    assert (
        evidence == "the gradients that meet at the Exp that made h add up to zero: the ways cancel"
    )


@pytest.mark.parametrize(
    ("forward", "explained"),
    [
        ("(torch.relu(w) * torch.tensor([1.0, 0.0])).sum()", "negative or zero wherever a"),
        ("(w.sum() * torch.tensor([1.0, -1.0])).sum()", "cancels when it is added up"),
        ("(w * torch.tensor([0.0, 0.0])).sum()", "its other factor is zero"),
        ("(w**0).sum()", "its exponent is zero"),
        ("(w * 1e-30 * torch.tensor(1e-30)).sum()", "too small for float32"),
        ("torch.softmax(w[:, None], 1)[0].sum()", "has one entry only"),
        ("torch.log_softmax(w[:, None], 1).sum()", "it has one entry only"),
        ("nn.functional.linear(torch.ones(0, 2), w[None]).sum()", "its result is empty"),
    ],
)
def test_why_a_gradient_died_is_true(forward: str, explained: str):
    """What is said of an operation holds in each way in which it can send zeros."""
    w = torch.tensor([-1.0, 2.0], requires_grad=True)
    loss = eval(forward)
    loss.backward(retain_graph=True)

    (reason,) = why_no_grad(w, loss).reasons
    assert (reason.code, reason.certainty) == ("zero-flow", "certain")
    assert explained in "".join(reason.evidence)


@pytest.mark.parametrize(
    ("forward", "explained"),
    [
        ("torch.sqrt(w).sum()", "or lies outside of where it is defined"),
        ("(w * torch.tensor([math.inf, 1.0])).sum()", "are NaN or infinite already"),
        ("nn.functional.mse_loss(w, w * math.nan)", "are NaN or infinite already"),
        ("torch.exp(w * 100).sum()", "its result overflows"),
        ("(w**0.5).sum()", "at this base its slope is not finite"),
        ("(w * 1e30 * torch.tensor(1e30)).sum()", "too large for float32 and overflows"),
        ("(1e20 / (w * 1e-30)).sum()", "at or next to 0 is infinite"),
        (
            "nn.functional.nll_loss(w[None], torch.tensor([1]), torch.tensor([1.0, math.inf]))",
            "are NaN or infinite already",
        ),
    ],
)
def test_why_a_gradient_blew_up_is_true(forward: str, explained: str):
    """A forward pass that was broken already is not blamed on a slope."""
    w = torch.tensor([-1.0, 2.0], requires_grad=True)
    loss = eval(forward)
    loss.backward(retain_graph=True)

    (reason,) = why_no_grad(w, loss).reasons
    assert (reason.code, reason.certainty) == ("not-finite", "certain")
    assert explained in "".join(reason.evidence)


def test_two_operations_may_be_blamed_together():
    w = torch.tensor([0.4, 2.0], requires_grad=True)
    loss = torch.round(w).sum() + torch.sign(w).sum()
    loss.backward(retain_graph=True)
    (reason,) = why_no_grad(w, loss).reasons

    assert len(reason.evidence) == 2
    first = "# instead of torch.round(w):\n(w + (torch.round(w) - w).detach())"
    second = "# instead of torch.sign(w):\ntorch.tanh(w)"
    assert reason.repair in {f"{first}\n{second}", f"{second}\n{first}"}


def test_an_operation_without_a_repair_asks_for_the_line_unless_it_is_known():
    w = torch.tensor([0.0, 0.0], requires_grad=True)
    loss = (w * torch.zeros(2)).sum()
    loss.backward(retain_graph=True)
    (reason,) = why_no_grad(w, loss).reasons

    place = "Mul (node 1 of trace, MulBackward0, output (2,))"
    why = "its other factor is zero wherever a gradient arrives"
    assert reason.evidence == (f"{place} turned it into zeros: {why}",)
    assert "detect_anomaly" in reason.repair
    with quiet(), torch.autograd.detect_anomaly(check_nan=False):
        loss = (w * torch.zeros(2)).sum()
    loss.backward(retain_graph=True)
    assert why_no_grad(w, loss).reasons[0].repair == ""


def test_what_a_backward_pass_would_bring_is_told_beforehand():
    w = torch.tensor([1.0, 0.0], requires_grad=True)
    loss = (w * w * w).sum()
    told = "a backward pass would bring a gradient of shape (2,), largest size 3, 1 of 2 zero"

    assert why_no_grad(w, loss).facts[1] == told
    loss.backward()
    assert told not in str(why_no_grad(w, loss))
    assert "largest size 3, 1 of 2 zero" in str(why_no_grad(w, loss))


def outlook(w: torch.Tensor, loss: torch.Tensor) -> str:
    return why_no_grad(w, loss).facts[1].removeprefix("a backward pass would bring a gradient of ")


def test_sizes_are_told_in_words():
    one = torch.tensor(3.0, requires_grad=True)
    three = torch.tensor([0.0, 0.0, 4.0], requires_grad=True)
    none = torch.empty(0, requires_grad=True)

    assert outlook(one, one * one) == "6"
    assert outlook(three, three.sqrt().sum()) == "shape (3,), 2 of 3 numbers not finite"
    assert outlook(none, none.sum()) == "shape (0,), without a number that is not zero"


def test_how_many_numbers_are_not_finite_is_told():
    w = torch.tensor([0.0, 0.0, 4.0], requires_grad=True)
    loss = w.sqrt().sum()
    loss.backward(retain_graph=True)

    assert why_no_grad(w, loss).reasons[0].evidence[0] == "2 of 3 numbers are NaN or infinite"


def test_a_gradient_of_an_earlier_pass_is_told_from_a_fresh_one():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    bring = "a gradient of shape (2,), largest size 4, 0 of 2 zero"

    w.grad = torch.tensor([math.nan, 1.0])
    earlier = "a fresh gradient of loss is finite: an earlier pass brought it"
    assert why_no_grad(w, loss).reasons[0].evidence[1] == earlier
    w.grad = torch.zeros(2)
    would = f"a backward pass would bring {bring}"
    assert why_no_grad(w, loss).reasons[0].evidence == (would,)
    w.grad = torch.tensor([4.0, 8.0])
    twice, differs = why_no_grad(w, loss).reasons
    stored = bring.replace("size 4", "size 8")
    assert twice.evidence == ("it is 2 times a fresh gradient of loss",)
    assert differs.evidence == (f"loss would bring {bring}; stored is {stored}",)


def test_all_hooks_are_named():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.register_hook(torch.abs)
    w.register_hook(torch.neg)
    loss = (w * w).sum()
    w.grad = torch.tensor([1.0, 1.0])

    assert why_no_grad(w, loss).reasons[0].evidence == ("hooked to it: abs, neg",)


def test_a_sum_and_an_operation_may_be_blamed_together():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w.exp()
    loss = (h * 2 - h * 2).sum() + torch.round(w).sum()
    loss.backward(retain_graph=True)
    (reason,) = why_no_grad(w, loss).reasons
    cancelled, rounded = reason.evidence

    assert "that meet at the Exp that made h add up to zero" in cancelled
    assert rounded.startswith("Round (node")


@pytest.mark.parametrize(("times", "code"), [(1000, "accumulated"), (1001, "differs")])
def test_a_thousand_passes_are_recognised(times: int, code: str):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    w.grad *= times

    assert why_no_grad(w, loss).codes[0] == code


@pytest.mark.parametrize(("epsilons", "code"), [(4, "accumulated"), (8.6, "differs")])
def test_a_sum_of_many_passes_may_be_rounded(epsilons: float, code: str):
    """Up to eight epsilons of the sum, however many passes there were."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    w.grad = torch.tensor([200.0, 400.0]) * (1 + epsilons * torch.finfo(w.dtype).eps)

    assert why_no_grad(w, loss).codes[0] == code


@pytest.mark.parametrize("numbers", [[1.0], [2.0, 2.0, 2.0, 2.0]])
def test_a_gradient_of_another_shape_differs(numbers: list[float]):
    """A parameter that was resized after the forward pass keeps its old graph."""
    w = torch.ones(3, requires_grad=True)
    loss = (w * 2).sum()
    w.data = torch.tensor(numbers)
    w.grad = torch.tensor(numbers)

    assert why_no_grad(w, loss).codes == ("differs",)


@pytest.mark.parametrize("factor", [0.5, 1.5, 2.01, -1.0, -2.0, 1.0001])
def test_other_multiples_are_no_accumulation(factor: float):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    w.grad *= factor

    assert why_no_grad(w, loss).codes == ("differs",)


def test_inside_a_transformation():
    seen: list[tuple[str, ...]] = []

    def compute(t: torch.Tensor) -> torch.Tensor:
        (reason,) = why_no_grad(t).reasons
        seen.append((reason.code, *reason.evidence))
        return (t * t).sum()

    w = torch.ones(3, requires_grad=True)
    gradient = torch.func.grad(compute)(w)

    assert seen == [("inside-transform", "torch.func wraps it")]
    assert gradient.tolist() == [2.0, 2.0, 2.0]


def test_a_function_on_the_way_is_named():
    w = torch.ones(3, requires_grad=True)

    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: torch.Tensor) -> torch.Tensor:
            return z.clone()

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> None:
            return None

    loss = (Stop.apply(w * 2.0) * 3.0).sum()
    text = str(why_no_grad(w, loss, run_my_code=True))

    assert "Stop (node 2 of trace" in text
    assert [n.op for n in handgrad.trace(loss, values=False).nodes][2] == "Stop"


def test_only_the_function_that_stops_is_blamed():
    """Operations behind it pass on nothing because nothing arrives."""
    w = torch.ones(3, requires_grad=True)

    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return z + y

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> tuple[None, torch.Tensor]:
            return None, g

    v = torch.ones(3, requires_grad=True)
    loss = (Stop.apply(w.exp().tanh() * 2.0, v) * 3.0).sum()
    (reason,) = why_no_grad(w, loss, run_my_code=True).reasons

    assert len(reason.evidence) == 1
    assert reason.evidence[0].startswith("Stop (node 2 ")
    assert why_no_grad(v, loss).codes[0] == "not-called"


def test_a_backward_rule_that_raises_is_no_verdict():
    class Raises(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: torch.Tensor) -> torch.Tensor:
            return z.clone()

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError("no")

    w = torch.ones(3, requires_grad=True)
    loss = Raises.apply(w).sum()
    diagnosis = why_no_grad(w, loss, run_my_code=True)

    assert {reason.certainty for reason in diagnosis.reasons} == {"cannot be known"}
    assert "ZeroDivisionError: no" in str(diagnosis)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_are_answered(reentrant: bool):
    w = torch.ones(3, requires_grad=True)
    loss = checkpoint(lambda t: (t * t).sum(), w, use_reentrant=reentrant)
    before = why_no_grad(w, loss)
    loss.backward()
    after = why_no_grad(w, loss)

    assert before.codes[0] == "not-called"
    assert before.reasons[0].certainty == ("cannot be known" if reentrant else "one of")
    assert after.is_fine
    assert w.grad.tolist() == [2.0, 2.0, 2.0]


def test_what_a_checkpoint_would_compute_again_is_left_alone():
    """A second forward pass would move the statistics of a batch norm."""
    norm, w = nn.BatchNorm1d(3), torch.randn(8, 3, requires_grad=True)
    loss = checkpoint(lambda t: norm(t * t).exp().sum(), w, use_reentrant=False)
    state = {name: value.clone() for name, value in norm.state_dict().items()}
    text = str(why_no_grad(w, loss))
    why_no_grad(norm, loss)

    assert all(torch.equal(value, state[name]) for name, value in norm.state_dict().items())
    told = "What ExpBackward0 saved is computed again by checkpoint() when it is asked for, so it"
    assert f"seen: {told} was not asked.\n" in text
    loss.backward(retain_graph=True)
    assert why_no_grad(w, loss).reasons[0].certainty == "cannot be known"


def test_a_subclass_of_tensor_is_not_told_of_it():
    calls: list[str] = []

    class Loud(torch.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            calls.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    w = torch.ones(3).as_subclass(Loud).requires_grad_()
    loss = (w * w).sum()
    calls.clear()

    assert why_no_grad(w, loss).codes[0] == "not-called"
    assert calls == []


def test_a_compiled_function_is_answered():
    compiled = torch.compile(lambda t: (t * t).sum(), backend="aot_eager")
    w = torch.ones(3, requires_grad=True)
    with quiet():
        loss = compiled(w)
    assert why_no_grad(w, loss).codes[0] == "not-called"
    loss.backward()
    assert w.grad.tolist() == [2.0, 2.0, 2.0]


def test_the_line_is_named_where_it_was_recorded():
    w = torch.tensor([-1.0], requires_grad=True)
    with quiet(), torch.autograd.detect_anomaly(check_nan=False):
        loss = torch.relu(w).sum()
    loss.backward(retain_graph=True)

    assert "recorded at test_diagnose.py:" in str(why_no_grad(w, loss))
    assert "loss = torch.relu(w).sum()" in str(why_no_grad(w, loss))


# Modules


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))


def test_a_module_gives_a_table():
    net = network()
    net[0].bias.requires_grad_(False)
    loss = net(torch.ones(4, 2)).sum()
    loss.backward(retain_graph=True)
    net[2].bias.grad = None

    diagnosis = why_no_grad(net, loss)

    assert [part.subject for part in diagnosis.parts] == [n for n, _ in net.named_parameters()]
    assert diagnosis.part("0.bias").codes == ("frozen-parameter",)
    assert diagnosis.part("2.weight").is_fine
    assert diagnosis.part("2.bias").codes[0] == "not-called"
    assert not diagnosis.is_fine
    assert str(diagnosis).splitlines()[0].startswith("net: 4 parameters: 2 fine")
    assert "net[0].bias.requires_grad_()" in diagnosis.part("0.bias").reasons[0].repair


def test_a_module_whose_gradients_are_all_there_is_fine():
    net = network()
    loss = net(torch.ones(4, 2)).sum()
    loss.backward(retain_graph=True)

    assert why_no_grad(net, loss).is_fine


def test_an_unknown_part_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"no parameter called 'weight'. It has: 0.weight, 0.bias"):
        why_no_grad(network()).part("weight")


@pytest.mark.parametrize(
    ("held", "remedy"),
    [
        ("[nn.Linear(2, 2), nn.Linear(2, 2)]", "ModuleList"),
        ("{'a': nn.Linear(2, 2)}", "ModuleDict"),
        ("(nn.Parameter(torch.ones(2)),)", "ParameterList"),
        ("{'a': nn.Parameter(torch.ones(2))}", "ParameterDict"),
    ],
)
def test_parts_in_a_plain_container_are_found_and_registered(held: str, remedy: str):
    net = nn.Module()
    net.inner = nn.Module()
    net.inner.layers = eval(held)
    (reason,) = why_no_grad(net).reasons

    assert reason.code == "not-registered"
    assert remedy in reason.repair
    exec(reason.repair)
    assert list(net.parameters())
    assert why_no_grad(net).parts


def test_what_a_plain_container_hides_is_counted():
    net = nn.Module()
    net.inner = nn.Module()
    net.inner.kept = [nn.Linear(2, 2), nn.Linear(2, 2)]
    net.inner.mixed = [nn.Linear(2, 2), 3]
    net.inner.empty = []
    reason, mixed = why_no_grad(net).reasons

    assert reason.evidence == (
        "inner.kept is a plain list or dict of 2, invisible to parameters()",
    )
    assert reason.repair == "net.inner.kept = torch.nn.ModuleList(net.inner.kept)"
    assert mixed.evidence == (
        "inner.mixed is a plain list or dict of 2, 1 of which are invisible to parameters()",
    )


def test_where_something_is_hidden_is_told_as_a_program_says_it():
    net = nn.Module()
    net.inner = nn.Module()
    net.inner.last = nn.Module()
    net.inner.last.scale = torch.ones(2, requires_grad=True)
    net.inner.last.parts = {"a": [nn.Linear(2, 2)]}
    scale, parts = why_no_grad(net).reasons

    assert scale.evidence == (
        "inner.last.scale is a plain tensor with requires_grad=True, invisible to parameters()",
    )
    assert scale.repair == "net.inner.last.scale = torch.nn.Parameter(net.inner.last.scale)"
    assert parts.evidence == (
        "inner.last.parts['a'] is a plain list or dict of 1, invisible to parameters()",
    )
    source = "net.inner.last.parts['a']"
    assert parts.repair == f"net.inner.last.parts_a_parts = torch.nn.ModuleList({source})"


def test_a_list_that_holds_itself_is_looked_through_to_its_end():
    net = nn.Module()
    net.stages = []
    net.stages += [net.stages, [nn.Linear(2, 2)]]
    (reason,) = why_no_grad(net).reasons

    assert reason.evidence[0].startswith("stages[1] is a plain list")


HELD = {
    "layers and functions": "[nn.Linear(2, 2), torch.relu, nn.Linear(2, 2)]",
    "lists of layers": "[[nn.Linear(2, 2), nn.ReLU()], [nn.Linear(2, 2)]]",
    "a tuple of dicts": "({'a': nn.Linear(2, 2)}, {'b': nn.Linear(2, 2), 'size': 3})",
    "layers by number": "{0: nn.Linear(2, 2), 1: nn.Linear(2, 2)}",
    "a tensor": "torch.ones(2, requires_grad=True)",
    "tensors": "[torch.ones(2, requires_grad=True)]",
    "tensors by name": "{'a': torch.ones(2, requires_grad=True)}",
    "lists of parameters": "[[nn.Parameter(torch.ones(2))]]",
    "a private list": "[nn.Linear(2, 2)]",
}


@pytest.mark.parametrize(("kind", "held"), HELD.items(), ids=HELD)
@pytest.mark.parametrize("where", ["net.word", "net.inner.word", "net[0].word"])
def test_whatever_hides_parameters_is_found_and_registered(kind: str, held: str, where: str):
    """Once what is said is typed, all that was held is seen, and nothing is said any more."""
    net = nn.Sequential(nn.Identity())
    net.inner = nn.Identity()
    where = where.replace("word", "_word" if "private" in kind else "word")
    exec(f"{where} = {held}")

    diagnosis = why_no_grad(net)
    assert diagnosis.codes
    assert set(diagnosis.codes) == {"not-registered"}
    for reason in diagnosis.reasons:
        exec(reason.repair)
    assert len(list(net.parameters())) == held.count("Linear") * 2 or held.count("torch.ones")
    assert why_no_grad(net).codes == ()


def test_what_is_registered_elsewhere_is_not_hidden():
    """A list for convenience, a list of itself, and a result that a module remembers."""
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.GRU(2, 2))
    net.stages = [net[0], net[1], net[0].weight, net[1].running_mean]
    net.stages.append(net.stages)
    net.last = net[0](torch.ones(1, 2))
    net.sizes = {"a": [1, 2], "b": torch.ones(3)}

    assert why_no_grad(net).codes == ()


class Scaled(nn.Module):
    """A module whose weight, frozen, was scaled in place by another parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.weight = nn.Parameter(torch.ones(3), requires_grad=False)
        self.weight.mul_(self.scale)


def test_a_module_names_its_parameters_wherever_it_is_kept():
    kept, w = [Scaled()], torch.ones(3, requires_grad=True)
    loss = (kept[0].weight * w).sum()

    (reason,) = why_no_grad(kept[0], loss, name="part").part("weight").reasons

    assert reason.code == "not-retained"
    assert reason.evidence[1] == "it came from part.scale"
    assert "loss.backward()" in reason.repair
    assert "part.weight.retain_grad()" in reason.repair


def test_a_module_knows_what_its_caller_names():
    kept, factor = [nn.Linear(2, 1).requires_grad_(False)], torch.tensor(3.0, requires_grad=True)
    kept[0].weight.mul_(factor)
    cost = kept[0].weight.sum()

    (reason,) = why_no_grad(kept[0], cost).part("weight").reasons

    assert reason.evidence[1] == "it came from factor"
    assert "cost.backward()" in reason.repair


def test_a_module_whose_loss_is_too_deep_says_so(monkeypatch: pytest.MonkeyPatch):
    net = network()
    loss = net(torch.ones(4, 2)).sum()
    for _ in range(400):
        loss = loss * 1.0
    monkeypatch.setattr("handgrad.tracing.discovery.safe_depth", lambda: 400)

    for diagnosis in (why_no_grad(net, loss).parts[0], why_no_grad(net[0].weight, loss)):
        assert diagnosis.codes == ("too-deep",)


def test_a_deep_tensor_asked_about_itself_is_only_no_start(monkeypatch: pytest.MonkeyPatch):
    deep = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(400):
        deep = deep * 1.0
    deep.retain_grad()
    monkeypatch.setattr("handgrad.tracing.discovery.safe_depth", lambda: 400)

    assert why_no_grad(deep, deep).codes == ("loss-not-scalar",)


def test_a_module_without_parameters():
    net = nn.Sequential(nn.ReLU())
    (reason,) = why_no_grad(net).reasons

    assert reason.code == "no-parameters"
    assert reason.evidence == ("parameters() is empty",)
    exec(reason.repair)
    assert [part.subject for part in why_no_grad(net).parts] == ["weight"]
    assert why_no_grad(net).state == ""


# Names and wrong arguments


def test_names_come_from_the_caller_or_the_argument():
    w = torch.ones(3, requires_grad=True)
    cost = (w * w).sum()

    assert "cost.backward()" in why_no_grad(w, cost).reasons[0].repair
    assert why_no_grad(w, cost, name="weight").subject == "weight"
    net = network()
    assert why_no_grad(net[0].weight).subject == "net[0].weight"
    _hidden = cost
    assert "cost.backward()" in why_no_grad(w, _hidden).reasons[0].repair
    nameless = [why_no_grad(torch.ones(3), (w * w).sum()), why_no_grad(network())]
    assert [diagnosis.subject for diagnosis in nameless] == ["tensor", "network()"]
    assert nameless[0].reasons[0].repair.endswith("compute loss again\nloss.backward()")


def test_the_shortest_of_several_names_is_told():
    net = network()
    weight = net[0].weight

    assert why_no_grad(weight).subject == "weight"


def test_what_kind_of_tensor_it_is_is_told():
    w = torch.ones(3, 2, requires_grad=True)

    assert why_no_grad(w).facts == ("shape (3, 2), float32, leaf, requires_grad=True",)
    made = why_no_grad((w * 2).double(), w.sum()).facts[0]
    assert made == "shape (3, 2), float64, result of an operation, requires_grad=True"


def test_a_repair_reaches_the_tensor_as_a_program_does():
    """A part of a module has no attribute "0"; what the reader calls it is typed as it is."""
    net = network()
    net[0].bias.requires_grad_(False)

    assert "net[0].bias.req" in why_no_grad(net[0].bias).reasons[0].repair
    bias = net[0].bias
    assert "bias.req" in why_no_grad(bias).reasons[0].repair
    assert "first.req" in why_no_grad(net[0].bias, name="first").reasons[0].repair


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda w: why_no_grad([w]),
            KindError,
            "Cannot diagnose a list: only tensors have a .grad. Give one tensor, "
            "why_no_grad(w, loss), or a torch.nn.Module for a table of its parameters.",
        ),
        (
            lambda w: why_no_grad(w, [w]),
            KindError,
            "The loss is a list: no loss. Give the tensor that backward() is called on, "
            "why_no_grad(w, loss), or leave it out.",
        ),
        (
            lambda w: why_no_grad(w, network()),
            KindError,
            "The loss is a Sequential: a module, not what it returned. Give the tensor that "
            "backward() is called on, why_no_grad(w, loss), or leave it out.",
        ),
        (
            lambda w: why_no_grad(w, name=3),
            KindError,
            "The name is a int, but it is printed and typed. Give a word: "
            'why_no_grad(w, loss, name="w").',
        ),
        (
            lambda w: why_no_grad(w, name=" "),
            InputError,
            "The name is empty, so the diagnosis could not say what it is about. Give a word, "
            'name="w", or leave it out.',
        ),
    ],
)
def test_wrong_arguments_are_told(call: Any, kind: type[HandgradError], text: str):
    with pytest.raises(kind) as caught:
        call(torch.ones(3, requires_grad=True))
    assert str(caught.value) == text


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_nested_tensors_are_refused_with_what_to_ask_about(layout: torch.layout):
    parts = [torch.ones(2, 3), torch.ones(4, 3)]
    with quiet():
        t = torch.nested.nested_tensor(parts, layout=layout, requires_grad=True)
    with pytest.raises(KindError, match="parts of several lengths") as caught:
        why_no_grad(t)
    repair = str(caught.value).split("about that: ")[1].rstrip(".")
    names = {"t": t, "torch": torch}
    exec(repair, names)
    names["t"].sum().backward()

    assert why_no_grad(names["t"]).codes == ("present",)
    assert names["t"].shape == (2, 4, 3)


def test_a_loss_inside_a_transformation_is_refused():
    """Its graph is of another kind, so nothing that is said of it would be true."""
    w, net = torch.ones(3, requires_grad=True), network()
    told: list[str] = []

    def compute(t: torch.Tensor) -> torch.Tensor:
        for subject in (w, net):
            with pytest.raises(KindError) as caught:
                why_no_grad(subject, (t * w).sum())
            told.append(str(caught.value))
        return (t * w).sum()

    torch.func.grad(compute)(torch.ones(3))
    torch.func.vmap(compute)(torch.ones(2, 3))
    assert set(told) == {
        "The loss is a stand-in inside a torch.func transformation, which has graphs of its own "
        "and stores no .grad. Ask outside of it, about what it returned, or leave the loss out: "
        "why_no_grad(w)."
    }
    assert len(told) == 4


def test_parameters_without_a_shape_yet_are_answered():
    """A lazy module's parameters get theirs from the first input."""
    net, w = nn.LazyLinear(3), torch.ones(3, requires_grad=True)
    text = str(why_no_grad(net.weight, (w * w).sum()))

    assert "also: shape not known before the first forward pass, float32, leaf" in text
    assert [part.codes[0] for part in why_no_grad(net).parts] == ["not-called"] * 2
    assert why_no_grad(w, (w * w).sum()).codes[0] == "not-called"


@pytest.mark.parametrize("loss", [2.0, 1 + 1j, numpy.float32(2.0)])
def test_a_number_is_a_loss_that_has_lost_its_graph(loss: object):
    assert why_no_grad(torch.ones(3, requires_grad=True), loss).reasons[0].code == "loss-is-number"


def test_a_reason_cannot_be_surer_than_its_rule():
    with pytest.raises(InputError, match="'untracked' cannot be 'certain'"):
        Reason(code="untracked", certainty="certain", says="")
    with pytest.raises(InputError, match="closed"):
        Reason(code="no luck", certainty="certain", says="")


# Text and HTML


def test_html_is_well_formed_and_escaped():
    from xml.etree import ElementTree

    for program in map(Program.start, SPECIMENS.values()):
        ElementTree.fromstring(program.ask()._repr_html_())
    evil = Diagnosis(
        subject="<script>&",
        state="None",
        reasons=(
            Reason(code="fine", certainty="certain", says="<b>", evidence=("a<b",), repair="x < y"),
        ),
    )
    assert "<script>" not in evil._repr_html_()
    assert "<b>" not in evil._repr_html_()
    net = network()
    page = ElementTree.fromstring(why_no_grad(net)._repr_html_())
    assert len(page.findall(".//tbody/tr")) == 4
    assert page.find(".//caption") is not None
    assert " Or: torch.autograd.grad returned" in "".join(page.find(".//tbody/tr").itertext())


def test_a_diagnosis_is_json():
    net = network()
    plain = why_no_grad(net).to_dict()

    assert json.loads(json.dumps(plain)) == plain
    assert plain["parts"][0]["reasons"][0]["code"] == "not-called"


def test_no_text_has_an_address():
    for program in map(Program.start, SPECIMENS.values()):
        assert " at 0x" not in str(program.ask())


# A planted fault is seen


def test_a_wrong_place_of_death_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    """If zeros and numbers were confused, the specimens would name other operations."""
    monkeypatch.setattr(findings, "is_zero", lambda tensor: False)
    specimen = SPECIMENS["value: dead relu"]

    assert specimen.names not in str(Program.start(specimen).ask())


# Random programs with walls


STEPS = {
    "mul": lambda t, k: t * k,
    "add": lambda t, k: t + k,
    "tanh": lambda t, k: t.tanh(),
    "square": lambda t, k: t * t,
    "relu": lambda t, k: t.relu(),
    "exp": lambda t, k: t.clamp(-3, 3).exp(),
    "sqrt": lambda t, k: (t * t).sqrt(),
    "round": lambda t, k: t.round(),
    "sign": lambda t, k: t.sign(),
    "detach": lambda t, k: t.detach(),
    "data": lambda t, k: t.data * 1,
    "tensor": lambda t, k: t.detach().clone(),
    "compare": lambda t, k: (t > k).to(t.dtype),
    "long": lambda t, k: t.long().to(t.dtype),
    "no_grad": lambda t, k: torch.no_grad()(lambda: t * k)(),
    "zero": lambda t, k: t * 0,
}

programs = st.lists(
    st.tuples(
        st.sampled_from(sorted(STEPS)),
        st.sampled_from([-1.0, 0.5, 2.0]),
        st.integers(0, 5),  # which earlier value
        st.sampled_from(["chain", "chain", "sum", "product"]),
    ),
    min_size=1,
    max_size=6,
)


def build(steps: list[tuple[str, float, int, str]], leaves: list[torch.Tensor]) -> torch.Tensor:
    values = list(leaves)
    for step, constant, back, join in steps:
        made = STEPS[step](values[-1 - back % len(values)], constant)
        if join == "sum":
            made = made + values[-1]
        if join == "product":
            made = made * values[-1]
        values.append(made)
    return values[-1].sum()


def history(events: list[str], loss: torch.Tensor, leaves: list[torch.Tensor]) -> None:
    """What a learner may do after the forward pass."""
    if not loss.requires_grad:
        return
    for event in events:
        if event == "backward":
            loss.backward(retain_graph=True)
        if event == "backward for the first only":
            with quiet():
                if (
                    torch.autograd.grad(loss, leaves[0], retain_graph=True, allow_unused=True)[0]
                    is not None
                ):
                    loss.backward(inputs=leaves[:1], retain_graph=True)
        if event == "grad":
            torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        if event == "clear":
            for leaf in leaves:
                leaf.grad = None
        if event == "zero":
            for leaf in leaves:
                if leaf.grad is not None:
                    leaf.grad.zero_()


EVENTS = ["backward", "backward for the first only", "grad", "clear", "zero"]


@settings(deadline=None)
@given(
    steps=programs,
    numbers=st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0]), min_size=4, max_size=4),
    events=st.lists(st.sampled_from(EVENTS), max_size=3),
)
def test_the_verdict_is_consistent_with_autograd(
    steps: list[tuple[str, float, int, str]], numbers: list[float], events: list[str]
):
    """Whatever the walls, what a diagnosis is certain of is what autograd does."""
    a = torch.tensor(numbers[:2], dtype=torch.float64, requires_grad=True)
    b = torch.tensor(numbers[2:], dtype=torch.float64, requires_grad=True)
    leaves = [a, b]
    loss = build(steps, leaves)
    history(events, loss, leaves)

    for leaf in leaves:
        check_consistent(leaf, loss, events)


def truth(leaf: torch.Tensor, loss: torch.Tensor) -> torch.Tensor | None:
    """Ask the engine itself."""
    return torch.autograd.grad(loss, leaf, retain_graph=True, allow_unused=True)[0]


def check_consistent(leaf: torch.Tensor, loss: torch.Tensor, events: list[str]) -> None:
    diagnosis = why_no_grad(leaf, loss)
    first = diagnosis.reasons[0]
    if first.code == "loss-untracked":
        assert not loss.requires_grad
        return
    fresh = truth(leaf, loss)
    absent = {"not-in-graph", "used-but-detached", "flag-set-too-late"}
    assert (fresh is None) == (first.code in absent)
    if fresh is None:
        return
    if leaf.grad is None:
        assert "not-called" in diagnosis.codes
        assert why_is_in(diagnosis.codes, events)
        return
    value_is_consistent(first, leaf.grad, fresh, events)


def why_is_in(codes: tuple[str, ...], events: list[str]) -> bool:
    """The true history is among the reasons that leave the same traces."""
    ran = [event for event in events if event.startswith("backward")]
    true = {
        "not-called": not ran,
        "returned": "grad" in events,
        "left-out": "backward for the first only" in events,
        "cleared": "clear" in events and bool(ran),
    }
    return any(holds and code in codes for code, holds in true.items())


def value_is_consistent(
    first: Reason, grad: torch.Tensor, fresh: torch.Tensor, events: list[str]
) -> None:
    match first.code:
        case "fine":
            assert torch.allclose(grad, fresh)
            assert grad.any()
        case "zero-flow":
            assert not fresh.any()
        case "zero-written":
            assert not grad.any()
            assert fresh.any()
            assert "zero" in events
        case "not-finite":
            assert not grad.isfinite().all()
        case "accumulated":
            assert sum(event.startswith("backward") for event in events) >= 2
            assert not torch.allclose(grad, fresh)
        case code:
            raise AssertionError(code)


@settings(deadline=None)
@given(
    steps=programs, numbers=st.lists(st.sampled_from([-2.0, 0.0, 0.5, 3.0]), min_size=2, max_size=2)
)
def test_where_the_flow_dies_it_dies(
    steps: list[tuple[str, float, int, str]], numbers: list[float]
):
    """Each operation that is blamed gets a gradient that is not zero, and sends only zeros."""
    w = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    loss = build(steps, [w])
    if not loss.requires_grad or (fresh := truth(w, loss)) is None or not fresh.isfinite().all():
        return
    if fresh.any():
        return
    loss.backward(retain_graph=True)
    flows = {node.key: node for node in handgrad.trace(loss, values=True).nodes}

    (reason,) = why_no_grad(w, loss).reasons

    assert reason.code == "zero-flow"
    assert reason.evidence
    for line in reason.evidence:
        key = int(line.split("(node ")[1].split()[0])
        if "meet at" in line:
            arriving = [edge.flow for n in flows.values() for edge in n.edges if edge.source == key]
            assert any(flow is not None and any(flow.data) for flow in arriving)
            assert not any(any(array.data) for array in flows[key].gradients if array is not None)
            continue
        assert any(any(array.data) for array in flows[key].gradients if array is not None)
        assert any(edge.flow and not any(edge.flow.data) for edge in flows[key].edges)


# Time


@pytest.fixture
def one_thread():
    """On a busy machine torch's threads wait for one another longer than they compute."""
    if sys.gettrace() is not None:
        pytest.skip("coverage makes Python slow, and not torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("scale", "most"), [(2.0, 12), (1.0, 20)], ids=["all fine", "mostly dead"])
def test_a_thousand_parameters_take_a_few_backwards(scale: float, most: float):
    """One walk and one sweep serve all; a second sweep finds where flows die."""
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Sequential(nn.Linear(32, 32), nn.Tanh()) for _ in range(500)))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter *= scale
    loss = net(torch.ones(8, 32)).sum()
    backward: list[float] = []
    asked: list[float] = []
    for _ in range(9):
        net.zero_grad()
        start = time.perf_counter()
        loss.backward(retain_graph=True)
        middle = time.perf_counter()
        diagnosis = why_no_grad(net, loss)
        backward.append(middle - start)
        asked.append(time.perf_counter() - middle)

    assert len(diagnosis.parts) == 1000
    assert diagnosis.is_fine is (scale == 2.0)
    assert min(asked) < most * min(backward), (asked, backward)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("ran", [True, False])
def test_time_grows_with_the_graph_and_not_its_square(ran: bool):
    """Eight times the parameters cost about eight times as much, and not 64 times."""

    def cost(depth: int) -> float:
        net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth)))
        for parameter in net.parameters():
            nn.init.constant_(parameter, 0.25)  # rows that add up to one: no gradient vanishes
        loss = net(torch.ones(2, 4)).sum()
        if ran:
            loss.backward(retain_graph=True)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            why_no_grad(net, loss)
            times.append(time.perf_counter() - start)
        return min(times)

    cost(5)
    assert cost(800) < 24 * cost(100)


def test_setup_text_is_shared():
    """The specimens' common beginning is a program of its own."""
    assert math.isclose(Program.start(Specimen(setup=W, codes=())).names["loss"].item(), -1.5)


def test_half_complex_gradients_are_compared():
    with quiet():
        z = torch.ones(2, dtype=torch.chalf, requires_grad=True)
        loss = z.to(torch.complex64).abs().sum()
        loss.backward(retain_graph=True)
        diagnosis = why_no_grad(z, loss)
        w = torch.ones(2, requires_grad=True)
        cast = (w.chalf() * w.chalf()).to(torch.complex64).abs().sum()
        cast.backward(retain_graph=True)

        assert why_no_grad(w, cast).codes == ("fine",)
    assert diagnosis.codes == ("fine",)
