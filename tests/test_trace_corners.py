"""Graphs that few people record, and surroundings that trace() must not mind."""

import random
import threading

import torch

from handgrad import (
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
