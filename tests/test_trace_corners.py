"""Graphs that few people record, and surroundings that trace() must not mind."""

import json
import pickle
import random
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint

from handgrad import (
    Graph,
    MutatedGraphError,
    UnsupportedNodeError,
    local_vjp,
    peel,
    trace,
)


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


@pytest.mark.parametrize("view", [multi_view, view_without_history])
def test_a_view_that_lost_its_history_is_explained(view):
    for ask in (trace, lambda tensor: local_vjp(tensor, torch.ones(()))):
        with pytest.raises(MutatedGraphError, match="view whose base was changed in place"):
            ask(view())


def test_a_constant_is_not_tried_where_its_sum_would_have_another_shape():
    """A column of the caller's, added to a row, would be a table of 10**14 numbers."""
    column = torch.zeros(1).expand(10**10, 1)  # noqa: F841
    w, row = leaf([0.5] * 10_000), torch.ones(10_000)

    graph = trace(((w.exp() + row).exp()).sum(), values=True)

    assert graph.node("w").gradients[0] is not None
    (add,) = [node for node in graph.nodes if node.op == "Add"]
    assert add.edges[1].constant.kind == "unknown"


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


# Threads


def scattered(seed):
    """A graph that threads recorded one after the other, each counting its nodes from 0."""
    rng, made = random.Random(seed), list[torch.Tensor]()
    w = torch.tensor(rng.uniform(-2, 2), dtype=torch.float64, requires_grad=True)
    shared = [w, w * 1.1, (w * 0.3).sin()]
    steps = (lambda a, b: a * b, lambda a, b: a + b * 1.3, lambda a, b: a.tanh() - b.sin())

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


# Chance


def test_a_checkpoint_that_draws_other_numbers_is_refused():
    """Nothing is left drawn, so that backward() draws what it would have drawn."""
    w = leaf([1.0] * 8)
    torch.manual_seed(1)
    loss = checkpoint(
        lambda t: F.dropout(t * 2) * t, w, use_reentrant=False, preserve_rng_state=False
    ).sum()
    before = torch.get_rng_state()

    with pytest.raises(UnsupportedNodeError, match=r"preserve_rng_state=True"):
        trace(loss, values=True)

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


def test_local_derivatives_need_no_square_of_the_output():
    """A column of 60,000 numbers, and none, ask for no table of 60,000 by 60,000."""
    empty, long = leaf([]), torch.ones(60_000, requires_grad=True)
    joined = trace(torch.cat([long, empty]).sum(), values=True)

    assert joined.nodes[1].edges[0].local is None
    assert flow(joined, "empty") == []

    w = leaf(2.0)
    spread = trace(w.expand(5_000).sum(), names={"w": w}, values=True)

    assert spread.nodes[1].edges[0].local.data == (1.0,) * 5_000
