"""Graphs that few people record, and surroundings that trace() must not mind."""

import inspect
import json
import pickle
import random
import threading
import weakref
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from handgrad import (
    FreedGraphError,
    Graph,
    GraphTooLargeError,
    MutatedGraphError,
    UnsupportedNodeError,
    local_vjp,
    peel,
    trace,
)
from handgrad.tracing import rules
from handgrad.tracing.discovery import discover
from handgrad.tracing.engine import depth
from handgrad.tracing.names import scope
from handgrad.tracing.saved import is_emptied
from handgrad.tracing.stack import ALWAYS_SAFE, safe_depth


def leaf(value, **options):
    return torch.tensor(value, requires_grad=True, **options)


def flow(graph, name):
    (gradient,) = graph.node(name).gradients
    return None if gradient is None else list(gradient.data)


# What else the caller's variables hold


def multi_view():
    """One of several views of a base that was changed since."""
    first, _ = (base := leaf([1.0, 2.0]) * 1).unbind(0)
    base.mul_(2)
    return first


def view_without_history():
    """A view made under no_grad of a base that was changed since."""
    base = leaf([1.0, 2.0]) * 1
    with torch.no_grad():
        view = base[:1]
    base.mul_(2)
    return view


class Unmade(nn.Module):
    """A module whose own __init__ has not run."""

    def __init__(self):
        pass


class Something:
    """What a weak reference may outlive."""


def dead_proxy():
    return weakref.proxy(Something())


def left_over():
    """A tensor that outlived the torch.func transformation around it."""
    kept = []
    torch.vmap(lambda row: (kept.append(row), row * 2)[1])(torch.ones(2, 2))
    return kept[0]


def without_numbers():
    with FakeTensorMode():
        return torch.ones(2)


@pytest.mark.parametrize(
    "odd",
    [multi_view, view_without_history, Unmade, dead_proxy, left_over, without_numbers],
)
def test_other_variables_of_the_caller_do_not_matter(odd):
    """A notebook is full of things; none of them keeps a graph from being read."""
    bystander = odd()  # noqa: F841
    w, x = leaf([1.0, 2.0]), torch.tensor([3.0, 4.0])

    graph = trace((w * x).sum())

    assert flow(graph, "w") == [3.0, 4.0]
    assert graph.nodes[1].edges[1].constant.name == "x"


def test_a_python_without_frames_has_no_names(monkeypatch):
    """CPython has them; the language does not promise any."""
    monkeypatch.setattr("inspect.currentframe", lambda: None)
    w = leaf(1.0)

    assert [node.name for node in trace(w * 2).nodes] == [None, None]


def test_the_variables_of_a_frame_are_cleared_only_where_they_are_a_copy(monkeypatch):
    """From Python 3.13 on they are the frame's own, and refuse it."""
    code = SimpleNamespace(co_flags=inspect.CO_OPTIMIZED)
    frame = SimpleNamespace(f_globals={}, f_locals={"w": 1}, f_code=code)

    monkeypatch.setattr("sys.version_info", (3, 13))
    assert scope(frame) == frame.f_locals == {"w": 1}
    monkeypatch.setattr("sys.version_info", (3, 12, 9))
    assert scope(frame) == {"w": 1}
    assert frame.f_locals == {}


@pytest.mark.parametrize("view", [multi_view, view_without_history])
def test_a_view_that_lost_its_history_is_explained(view):
    for ask in (trace, lambda tensor: local_vjp(tensor, torch.ones(()))):
        with pytest.raises(MutatedGraphError) as caught:
            ask(lost := view())
        assert str(caught.value) == (
            f"This tensor of shape {tuple(lost.shape)} is a view whose base was changed in place "
            "afterwards, so PyTorch no longer knows how it was computed. Take the view again after "
            "the change, or replace the change by a new tensor. PyTorch says: "
            f"{caught.value.__cause__}"
        )


def test_a_constant_is_not_tried_where_its_sum_would_have_another_shape(monkeypatch):
    """A column of the caller's, added to a row, would be a table, for which memory may not do."""
    column, row = torch.zeros(300, 1), torch.ones(100)  # noqa: F841
    w = leaf([0.5] * 100)
    total = w.exp() + row
    add, made = torch.add, list[tuple[torch.Tensor, ...]]()
    monkeypatch.setattr(
        torch, "add", lambda *args, **how: (made.append(args), add(*args, **how))[1]
    )

    graph = trace(total.sum())

    (sum_node,) = [node for node in graph.nodes if node.op == "Add"]
    assert sum_node.edges[1].constant.name == "row"
    assert [candidate.shape for _, candidate in made] == [(100,)]


def test_a_leaf_frozen_after_it_was_used_keeps_its_place():
    """Its gradient arrives, but backward() no longer writes it; both are said."""
    w, x = leaf(3.0), leaf(2.0)
    loss = w * x
    w.requires_grad_(False)

    graph = trace(loss)
    loss.backward()

    assert peel(graph, "w").gradient.item() == 2.0
    assert w.grad is None
    assert graph.remarks == (
        "No gradient is asked for any more at w, since requires_grad was switched off: "
        "backward() leaves .grad as it is, whatever flows there.",
    )


# Modes and moments


def counting():
    return FlopCounterMode(display=False)


@pytest.mark.parametrize("mode", [FakeTensorMode, counting])
def test_dispatch_modes_of_the_caller_do_not_matter(mode):
    w = leaf([[1.0, 2.0]])
    loss = (w @ w.T).sum()

    with mode() as active:
        graph = trace(loss)

    assert flow(graph, "w") == [2.0, 4.0]
    assert not isinstance(active, FlopCounterMode) or active.get_total_flops() == 0


def test_a_hook_may_not_ask_while_a_backward_pass_runs():
    """The engine leaves out what its own pass has no need of: a gradient of 0 was told for 12."""
    w, x = leaf(2.0), leaf(2.0)
    other, seen, refused = w * w * 3, [], []

    def hook(_):
        seen.append(trace(other))
        with pytest.raises(UnsupportedNodeError) as caught:
            local_vjp(other, torch.tensor(1.0))
        refused.append(str(caught.value))

    (h := x * x).register_hook(hook)
    torch.autograd.grad(h * 2, x)

    assert seen[0].reason == "unsupported"
    assert refused == [
        "MulBackward0 cannot be asked while a backward pass runs, as in a hook: PyTorch then "
        "leaves out what that pass has no need of. Ask before backward() or after it."
    ]
    assert flow(trace(other), "w") == [12.0]


# Tensors of other kinds


class Pair(torch.Tensor):
    """A subclass around a tensor, whose own memory is empty."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        plain = [arg.inner if isinstance(arg, Pair) else arg for arg in args]
        found = func(*plain, **(kwargs or {}))
        return cls(found) if isinstance(found, torch.Tensor) else found


def pair():
    return Pair(torch.ones(2)).requires_grad_()


def fake():
    return without_numbers().requires_grad_()


@pytest.mark.parametrize("make", [pair, fake])
def test_tensors_without_numbers_of_their_own_leave_the_structure(make):
    w = make()
    loss = (w * w).sum()

    assert [node.op for node in trace(loss).nodes] == ["Sum", "Mul", "AccumulateGrad"]
    with pytest.raises(UnsupportedNodeError) as caught:
        trace(loss, values=True)
    why = caught.value.__cause__
    assert str(caught.value) == (
        f"The numbers of a {type(w).__name__} of shape () cannot be read: torch raised "
        f"{type(why).__name__}: {why}. Call trace(loss, values=False), or compute the loss from "
        "plain tensors."
    )


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_are_refused(layout):
    """They have no single shape to be told."""
    w = torch.nested.nested_tensor(
        [torch.ones(2), torch.ones(3)], layout=layout, requires_grad=True
    )

    with pytest.raises(UnsupportedNodeError) as caught:
        trace(w * w)
    assert str(caught.value) == (
        "A nested tensor has no single shape, so its operations cannot be told of by their shapes. "
        "Compute the loss from the padded tensor, as in torch.nested.to_padded_tensor(x, 0.0), or "
        "from each part alone, x.unbind(), and trace that."
    )


def test_zeros_that_torch_never_wrote_down_are_zeros():
    """The rule of sgn answers with a tensor without memory."""
    w = leaf([1.0, -2.0])

    graph = trace((torch.sgn(w) * w).sum())

    assert flow(graph, "w") == [1.0, -1.0]


def test_a_kept_tensor_without_a_single_memory_is_no_freed_one():
    """A sparse table has its places and its numbers apart."""
    table, w = torch.eye(2).to_sparse(), leaf([[1.0], [2.0]])

    graph = trace(torch.sparse.mm(table, w).sum(), names={"w": w})

    assert graph.detail == "values"
    assert flow(graph, "w") == [1.0, 1.0]
    assert is_emptied(table) is False


@pytest.mark.parametrize("numbers", [[1.0, 2.0], [1.0]])
def test_memory_that_was_given_back_is_not_read(numbers):
    """torch itself crashes there, in backward() too."""
    w = leaf(numbers)
    h = w * 2
    loss = (h * h).sum()
    h.untyped_storage().resize_(0)

    assert trace(loss, names={}).reason == "freed"
    with pytest.raises(FreedGraphError) as caught:
        trace(loss, values=True)
    assert str(caught.value) == (
        "The memory of a tensor that MulBackward0 had saved was given back: its storage has no "
        "bytes, and torch crashes where it is read. Trace before that, or fill the memory again."
    )


# Threads


def scattered(seed):
    """A graph that threads recorded one after the other, each counting its nodes from 0."""
    rng, made = random.Random(seed), list[torch.Tensor]()
    w = torch.tensor(rng.uniform(-2, 2), dtype=torch.float64, requires_grad=True)
    shared = [w, w * 1.1, (w * 0.3).sin()]
    factor = torch.tensor(1.3, dtype=torch.float64)  # its slot is before the tracked one's
    steps = (lambda a, b: a * b, lambda a, b: a + factor * b, lambda a, b: a.tanh() - b.sin())

    def record():
        own = list(shared)
        for _ in range(rng.randint(1, 8)):
            own.append(rng.choice(steps)(rng.choice(own), rng.choice(own)))
        made.append(own[-1])
        if rng.random() < 0.5:
            shared.append(own[-1])

    for _ in range(rng.randint(2, 7)):
        thread = threading.Thread(target=record)
        thread.start()
        thread.join()
    return sum(one * rng.random() for one in made), w


def test_threads_that_count_alike_are_taken_as_the_engine_takes_them():
    """Gradients are added in its order, so sums have its bits: in 8 of 150 they had not."""
    for seed in range(150):
        loss, w = scattered(seed)

        graph = trace(loss, names={"w": w})
        loss.backward()

        assert flow(graph, "w") == [w.grad.item()], seed


# Numbers that are not


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64])
def test_graphs_with_nan_are_equal_to_themselves(dtype):
    """Traced twice, through JSON, through pickle; and hashed so."""
    w = torch.tensor([1.0, 0.0], dtype=dtype, requires_grad=True)
    loss = (w * complex("nan+1j") if dtype.is_complex else w * float("nan")).abs().sum()

    graph, again = trace(loss, names={"w": w}), trace(loss, names={"w": w})

    assert graph == again
    assert hash(graph) == hash(again)
    assert Graph.from_dict(json.loads(json.dumps(graph.to_dict(), allow_nan=False))) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph
    assert graph != trace((w * 2).abs().sum(), names={"w": w})


# Functions in Python


class NoZeros(torch.autograd.Function):
    """Wants None where no gradient arrives."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.set_materialize_grads(False)
        return x * 2, y * 3

    @staticmethod
    def backward(ctx, g, h):
        return None if g is None else g * 2, None if h is None else h * 3


class NoZerosApart(NoZeros):
    """The same, with its setup apart."""

    @staticmethod
    def forward(x, y):
        return x * 2, y * 3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)


@pytest.mark.parametrize("function", [NoZeros, NoZerosApart])
def test_a_function_that_wants_no_zeros_gets_none(function):
    """Where nothing flows, nothing is told, as .grad stays None."""
    x, y = leaf(1.0), leaf(2.0)
    loss = function.apply(x, y)[0] * 2

    graph = trace(loss)
    loss.backward()

    assert flow(graph, "x") == [x.grad.item()] == [4.0]
    assert flow(graph, "y") is y.grad is None


def test_zeros_for_a_function_are_on_its_device():
    """A rule is given zeros where no gradient arrives; here where nothing has numbers."""

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            assert h.device == g.device
            return g * 2 + h * 3

    x = torch.ones(2, device="meta", requires_grad=True)

    (gradient,) = local_vjp(Both.apply(x)[0], torch.ones(2, device="meta"))

    assert gradient.device.type == "meta"


@pytest.mark.parametrize("answer", [lambda g: g, lambda g: (g, g, g)], ids=["one", "three"])
def test_a_rule_with_too_few_or_too_many_gradients_is_refused(answer):
    """As backward() does."""

    class Miscounted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return answer(g)

    loss = Miscounted.apply(leaf(1.0), leaf(2.0)) * 2

    with pytest.raises(
        UnsupportedNodeError, match=r"gradients for 2 inputs, which backward\(\) refuses too\. "
    ):
        trace(loss, values=True)
    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        loss.backward()


# Chance


def test_a_checkpoint_that_draws_other_numbers_is_refused():
    """Nothing is left drawn, so that backward() draws what it would have drawn."""
    w = leaf([1.0] * 8)
    torch.manual_seed(1)
    loss = checkpoint(
        lambda t: F.dropout(t * 2) * t, w, use_reentrant=False, preserve_rng_state=False
    ).sum()
    before = torch.get_rng_state()

    with pytest.raises(UnsupportedNodeError) as caught:
        trace(loss, values=True)
    assert str(caught.value) == (
        "Reading the graph drew random numbers, as a checkpoint without its own does, so what "
        "backward() finds need not be what was found here. Record it with checkpoint(..., "
        "preserve_rng_state=True), or trace(loss, values=False)."
    )

    assert torch.equal(torch.get_rng_state(), before)


# Outputs and sizes


def second_order_convolution():
    x, w = torch.randn(1, 1, 3, 3), leaf([[[[0.5, 1.0], [-1.0, 2.0]]]])
    (slope,) = torch.autograd.grad(F.conv2d(x, w).tanh().sum(), w, create_graph=True)
    return slope.square().sum(), w


def second_order_norm():
    w = leaf([[0.5, 1.0, 3.0], [1.0, 2.0, 5.0]])
    (slope,) = torch.autograd.grad(F.layer_norm(w, (3,)).square().sum(), w, create_graph=True)
    return slope.square().sum(), w


@pytest.mark.parametrize("make", [second_order_convolution, second_order_norm])
def test_outputs_that_were_never_made_are_not_asked_about(make):
    """A rule of second order has outputs for gradients that nobody wanted."""
    loss, w = make()

    graph = trace(loss, names={"w": w}, values=True)
    loss.backward()

    assert flow(graph, "w") == w.grad.flatten().tolist()


def test_an_output_without_a_rule_hides_none_that_has_one():
    """Nobody uses the first output; the second has its local derivative."""

    class SecondOnly(NoZeros):
        @staticmethod
        def backward(ctx, g, h):
            if g is not None:
                raise ValueError("no rule")
            return None, h * 3

    graph = trace(SecondOnly.apply(leaf(1.0), leaf(2.0))[1] * 2)

    edge = graph.nodes[1].edges[1]
    assert edge.local_of(0) is None
    assert edge.local_of(1).item() == 3.0


def test_local_derivatives_need_no_square_of_the_output():
    """A column of 60,000 numbers, and none, ask for no table of 60,000 by 60,000."""
    empty, long = leaf([]), torch.ones(60_000, requires_grad=True)
    joined = trace(torch.cat([long, empty]).sum(), values=True)

    assert joined.nodes[1].edges[0].local is None
    assert flow(joined, "empty") == []

    w = leaf(2.0)
    spread = trace(w.expand(5_000).sum(), names={"w": w}, values=True)

    assert spread.nodes[1].edges[0].local.data == (1.0,) * 5_000


class Finer(torch.autograd.Function):
    """A rule that answers in more digits than it was asked in."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g.double() * 2.1


@pytest.mark.parametrize("stored", [torch.float64, torch.float32, torch.bfloat16, None])
@pytest.mark.parametrize("own", [torch.float32, torch.float64])
def test_a_leaf_may_store_its_gradient_in_another_dtype(own, stored):
    """The flow has the bits of ``.grad``, in its dtype; local derivatives keep the leaf's."""
    w = leaf([1.1, 2.3], dtype=own)
    loss = (w * w).sum() + (w * 1.7).sum() + Finer.apply(w).sum()
    w.grad_dtype = stored

    graph = trace(loss)

    (gradient,) = graph.node("w").gradients
    locals_ = [e.local for n in graph.nodes for e in n.edges if e.source == graph.node("w").key]
    loss.backward()
    assert gradient.dtype == str(w.grad.dtype).removeprefix("torch.")
    assert list(gradient.data) == w.grad.tolist()
    assert {local.dtype for local in locals_ if local} == {str(own).removeprefix("torch.")}


class Turned(torch.autograd.Function):
    """A rule that answers a real question with a complex number."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 1j


def test_a_real_leaf_takes_no_complex_gradient_though_it_takes_any_dtype():
    w = leaf([1.1, 2.3])
    loss = Turned.apply(w).sum()
    w.grad_dtype = None
    turned = loss.grad_fn.next_functions[0][0]

    with pytest.raises(UnsupportedNodeError, match="a complex gradient for a real input"):
        rules.call(turned, (torch.ones(2),), as_stored=True)
    with pytest.raises(RuntimeError):
        loss.backward()


def test_a_rule_answers_in_either_dtype():
    """In the leaf's own, or in that of its ``.grad`` if asked so."""
    w = leaf([1.1, 2.3])
    loss = (w * 2.0).sum()
    w.grad_dtype = torch.bfloat16
    product = loss.grad_fn.next_functions[0][0]

    (own, _), (stored, _) = (
        rules.call(product, (torch.ones(2),), as_stored=as_stored) for as_stored in (False, True)
    )

    assert (own.dtype, stored.dtype) == (torch.float32, torch.bfloat16)


# The walk and its limits


def test_each_of_torchs_nameless_types_keeps_its_own_name():
    """Several operations share one Python type, and not one name."""
    w = leaf([1.0, 2.0])
    (a,), (b,) = torch._foreach_exp([w * 1]), torch._foreach_sin([w * 2])

    ops = [node.op for node in trace((a * b).sum(), values=False).nodes]

    assert type(a.grad_fn) is type(b.grad_fn)
    assert ops == ["Sum", "Mul", "ForeachSin", "Mul", "ForeachExp", "Mul", "AccumulateGrad"]


def test_an_operation_of_a_new_thread_stands_before_what_it_used():
    """A new thread counts from zero, so that its operation looks older than its own input."""
    made = []
    leaf(1.0).exp()  # so that this thread has counted further than a new one will
    older = leaf(1.0).sin()
    thread = threading.Thread(target=lambda: made.append(older.exp()))
    thread.start()
    thread.join()

    assert made[-1].grad_fn._sequence_nr() <= older.grad_fn._sequence_nr()
    ops = [node.op for node in trace(made[-1], values=False).nodes]
    assert ops == ["Exp", "Sin", "AccumulateGrad"]


def test_the_structure_alone_says_which_output_an_edge_leads_to():
    w = leaf([1.0, 2.0])

    graph = trace(w.mul(2.0).unbind()[1].exp(), values=False)

    (edge,) = graph.node(0).edges
    assert (graph.node(edge.source).op, edge.output) == ("Unbind", 1)


@pytest.mark.parametrize(("count", "is_formed"), [(4096, True), (4097, False)])
def test_a_local_derivative_by_one_number_has_as_many_numbers_as_the_result(count, is_formed):
    w = leaf(2.0)

    graph = trace((w * torch.ones(count)).sum(), names={})

    (edge,) = [edge for edge in graph.node(1).edges if edge.source is not None]
    assert (edge.local is not None) is is_formed


def test_the_depth_is_that_of_the_longest_path():
    """Constants, which lead nowhere, are no steps of any path."""
    c = leaf(1.0)
    for _ in range(20):
        c = c * 1.0
    side = c.sin().exp()
    for _ in range(10):
        c = c * 2.0

    assert depth(discover((side + c).grad_fn).notes) == 1 + 10 + 20 + 1


def test_a_graph_may_have_as_many_nodes_as_are_allowed():
    """Also where the question falls on the very last node."""
    y = leaf(1.0)
    for _ in range(ALWAYS_SAFE):
        y = y.sin()

    assert len(trace(y, values=False, max_nodes=ALWAYS_SAFE + 1)) == ALWAYS_SAFE + 1
    with pytest.raises(GraphTooLargeError, match="more than max_nodes=256 nodes"):
        trace(y, values=False, max_nodes=ALWAYS_SAFE)


def test_a_graph_as_deep_as_is_safe_may_still_be_too_large(monkeypatch):
    """Then it is said to be too large, not too deep."""
    monkeypatch.setattr("handgrad.tracing.discovery.safe_depth", lambda: ALWAYS_SAFE + 1)
    y = leaf(1.0)
    for _ in range(2 * ALWAYS_SAFE):
        y = y.sin()

    with pytest.raises(GraphTooLargeError, match="more than max_nodes=256 nodes"):
        trace(y, values=False, max_nodes=ALWAYS_SAFE)


def test_the_stack_is_asked_about_seldom(monkeypatch):
    """Once there is room for so many nodes, nobody asks before they are there."""
    asked = []
    monkeypatch.setattr(
        "handgrad.tracing.discovery.safe_depth", lambda: asked.append(None) or safe_depth()
    )
    y = leaf(1.0)
    for _ in range(3000):
        y = y * y

    assert len(trace(y, values=False)) == 3001
    assert 1 <= len(asked) <= 4
