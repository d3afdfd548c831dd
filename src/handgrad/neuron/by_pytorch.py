"""The same neuron, differentiated by PyTorch: its own functions, its own backward."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from handgrad.neuron import recipe

Tensors = dict[str, torch.Tensor]
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda z: z.view_as(z),
    "relu": torch.relu,
    "leaky relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "silu": F.silu,
    "gelu": F.gelu,
    "sine": torch.sin,
}
OF_ERROR: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "squared error": torch.square,
    "absolute error": torch.abs,
    "huber": lambda e: F.huber_loss(e, torch.zeros_like(e), reduction="none"),
}


def autograd_gradients(neuron: recipe.Recipe, x: Any, target: Any) -> Tensors:
    """Give the partial derivative of the loss by everything it is computed from, by autograd.

    The forward pass is written with PyTorch's own functions and one call of
    ``torch.autograd.grad`` differentiates it; none of the formulas of
    ``handgrad.neuron.by_hand`` is used. Gradient mode is switched on for the call.

    Args:
        neuron: Anything with weights, bias, activation, loss and reduction.
        x: As in ``Neuron.forward``; its own history is not touched.
        target: As in ``Neuron.forward``.

    Returns:
        The names and shapes of ``Neuron.manual_gradients``.

    Raises:
        ShapeMismatchError, KindError, InputError: As ``Neuron.manual_gradients``.

    Source:
        Griewank & Walther (2008), *Evaluating Derivatives*, section 3.2.

    Example:
        >>> from handgrad.neuron import Neuron
        >>> autograd_gradients(Neuron(3.0, 1.0), 2.0, 10.0)["w"]
        tensor(-12.)
    """
    x, target = recipe.example(neuron, x, target)
    leaves = {"w": neuron.weights, "x": x, "b": neuron.bias, "target": target}
    with torch.enable_grad():
        tracked = {name: leaf.detach().clone().requires_grad_() for name, leaf in leaves.items()}
        values = _forward(neuron, tracked)
        everything = {**tracked, **values}
        slopes = torch.autograd.grad(values["loss"], list(everything.values()))
    return dict(zip(everything, slopes, strict=True))


def _forward(neuron: recipe.Recipe, leaves: Tensors) -> Tensors:
    values: Tensors = {"u": leaves["w"] * leaves["x"]}
    summed = values["u"].sum(-1) if leaves["w"].dim() else values["u"]
    values["z"] = summed + leaves["b"]
    values["prediction"] = ACTIVATIONS[neuron.activation](values["z"])
    if neuron.loss == "logistic":
        each = F.binary_cross_entropy_with_logits(
            values["prediction"], leaves["target"], reduction="none"
        )
    else:
        values["error"] = values["prediction"] - leaves["target"]
        each = OF_ERROR[neuron.loss](values["error"])
    if leaves["target"].dim():
        values["losses"] = each
        each = each.mean() if neuron.reduction == "mean" else each.sum()
    values["loss"] = each
    return values
