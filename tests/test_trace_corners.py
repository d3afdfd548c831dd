"""Graphs that few people record, and surroundings that trace() must not mind."""

import json
import pickle
import random
import threading

import pytest
import torch

from handgrad import (
    Graph,
    trace,
)


def leaf(value, **options):
    return torch.tensor(value, requires_grad=True, **options)


def flow(graph, name):
    (gradient,) = graph.node(name).gradients
    return None if gradient is None else list(gradient.data)


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
