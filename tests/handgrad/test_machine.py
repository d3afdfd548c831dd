"""The machine's side: PyTorch's own functions, and nothing of ours in its derivatives."""

import pytest
import torch

from handgrad import Neuron, autograd_gradients
from handgrad.neuron import by_pytorch, recipe

NAMES = ("w", "x", "b", "target", "u", "z", "prediction", "error", "loss")


def test_every_activation_and_loss_has_a_machine_of_its_own():
    assert set(by_pytorch.ACTIVATIONS) == set(recipe.ACTIVATIONS)
    assert {*by_pytorch.OF_ERROR, "logistic"} == set(recipe.LOSSES)


def test_names_and_shapes_are_those_of_the_hand():
    neuron = Neuron([1.0, -2.0], 0.5, activation="tanh")
    x, target = torch.ones(3, 2), torch.zeros(3)

    by_hand, by_pytorch = neuron.manual_gradients(x, target), autograd_gradients(neuron, x, target)

    assert list(by_hand) == list(by_pytorch) == [*NAMES[:-1], "losses", "loss"]
    assert [s.shape for s in by_hand.values()] == [s.shape for s in by_pytorch.values()]


def test_a_reader_can_do_the_same_with_backward():
    """What the function returns is what .grad would hold."""
    w, b = torch.tensor(0.7, requires_grad=True), torch.tensor(-0.2, requires_grad=True)
    ((torch.tanh(w * 1.3 + b) - 0.5) ** 2).backward()

    slopes = autograd_gradients(Neuron(0.7, -0.2, activation="tanh"), 1.3, 0.5)

    assert torch.equal(slopes["w"], w.grad)
    assert torch.equal(slopes["b"], b.grad)


def test_it_works_where_tracking_is_off_and_leaves_no_trace():
    neuron, x = Neuron(0.7, -0.2), torch.tensor(1.3, requires_grad=True)
    with torch.no_grad():
        slopes = autograd_gradients(neuron, x, 0.5)
        assert not torch.is_grad_enabled()

    assert x.grad is None
    assert not neuron.weights.requires_grad
    assert not any(slope.requires_grad for slope in slopes.values())


@pytest.mark.parametrize("loss", recipe.LOSSES)
def test_a_wrong_formula_of_ours_does_not_reach_it(loss, monkeypatch):
    """Mutating the hand's table changes nothing here: the two share no calculus."""
    from handgrad.neuron import formulas

    neuron = Neuron(0.7, -0.2, activation="tanh", loss=loss)
    before = autograd_gradients(neuron, 1.3, 0.5)
    monkeypatch.setattr(formulas, "ACTIVATIONS", {})
    monkeypatch.setattr(formulas, "LOSSES", {})
    after = autograd_gradients(neuron, 1.3, 0.5)

    assert all(torch.equal(before[name], after[name]) for name in before)
