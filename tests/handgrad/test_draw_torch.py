"""Drawings of graphs that PyTorch really recorded."""

import pytest
import torch
from drawn import faults, read
from torch import nn

from handgrad import draw, peel, trace
from handgrad.drawing.numbers import number


def scalar(value, **more):
    return torch.tensor(value, dtype=torch.float64, **more)


def neuron():
    w, b = scalar(0.7, requires_grad=True), scalar(-0.2, requires_grad=True)
    x, y = scalar(1.5), scalar(1.0)
    u = w * x
    z = u + b
    p = torch.sigmoid(z)
    e = p - y
    L = e**2
    return trace(L)


def swish():
    z = scalar(1.5, requires_grad=True)
    s = torch.sigmoid(z)
    L = z * s
    return trace(L)


def split():
    x = torch.arange(4.0, requires_grad=True)
    a, b = x.split(2)
    L = (a * b).sum()
    return trace(L)


def perceptron():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    return trace(((model(torch.randn(5, 3)) - 1) ** 2).mean(), names=model)


def two_layers():
    torch.manual_seed(1)
    x, y = scalar(1.5), scalar(1.0)
    w1, w2, b1, b2, v1, v2, c = torch.randn(7, dtype=torch.float64).unbind()
    for parameter in (w1, w2, b1, b2, v1, v2, c):
        parameter.requires_grad_()
    h1, h2 = torch.tanh(w1 * x + b1), torch.tanh(w2 * x + b2)
    L = (v1 * h1 + v2 * h2 + c - y) ** 2
    return trace(L)


def transformer():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    return trace(model(torch.randn(2, 5, 16)).sum(), names=model)


GRAPHS = {f.__name__: f for f in (neuron, swish, split, perceptron, two_layers, transformer)}


@pytest.mark.parametrize("name", GRAPHS)
def test_recorded_graphs_are_drawn_without_a_fault(name):
    drawing = draw(GRAPHS[name](), title=name)
    assert faults(drawing.svg_wide) == faults(drawing.svg_tall) == []


def test_the_figure_shows_the_recorded_numbers():
    graph = neuron()
    said = [words.text for words in read(draw(graph, title="One neuron").svg_wide).words]

    assert number(graph.node("w").gradients[0].item()) in said
    assert {"frozen", "None", "w", "x", "L", "Sigmoid"} <= set(said)
    assert "−0.1884" in said  # by hand: 2 (0.7006 - 1) 0.2098 1.5


def test_the_onion_of_the_neuron_has_three_rings():
    groups = {"loss": ["L", "e"], "activation": ["p"], "affine": ["z", "u"]}
    drawing = draw(peel(neuron(), "w", groups=groups), title="The onion of one neuron")

    assert drawing.svg_wide.count('class="ring"') == 3
    assert drawing.description.startswith(
        "3 nested rings around w. From the outside in: loss, −0.5989; activation, 0.2098; "
    )


def test_a_branch_is_drawn_as_a_sum():
    graph = swish()
    drawing = draw(peel(graph, "z"), title="Two paths", path_names=graph)

    assert "z.grad = 1.0413" in drawing.svg_wide
    assert "2 paths to z" in drawing.description


def test_the_transformer_is_folded():
    assert "Modules are folded into one box each" in draw(transformer(), title="T").description
