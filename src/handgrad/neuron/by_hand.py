"""One neuron and its gradients, worked out by hand: tensors are plain arrays here."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from handgrad.errors import ShapeMismatchError
from handgrad.neuron import recipe
from handgrad.neuron.formulas import ACTIVATIONS, FORMULAS, LOSSES, Activation, Loss

__all__ = ["FORMULAS", "Neuron"]

Tensors = dict[str, torch.Tensor]
Style = Literal["textbook", "careful"]
STYLES = ("textbook", "careful")


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Neuron:
    """A neuron with a loss, and every partial derivative of that loss by hand.

    Per example: ``u = w x``, ``z = u.sum() + b``, ``prediction = activation(z)``,
    ``error = prediction - target``, then the loss. A batch has one loss per row,
    ``losses``, reduced to ``loss``.

    Args:
        weights: Shape ``()`` for one input, ``(k,)`` for ``k`` inputs; a tensor of
            float32 or float64, a Python float (torch's default dtype) or a list.
        bias: Shape ``()``.
        activation: identity, relu, leaky relu (slope 0.01), sigmoid, tanh,
            softplus, silu, gelu (exact, with erf) or sine.
        loss: squared error, absolute error, huber (threshold 1) or logistic
            (the prediction is a logit, the target a probability).
        reduction: How a batch becomes one loss: mean or sum.
        formulas: ``"textbook"`` multiplies in the order PyTorch does, and gets
            the same bits where that is possible; ``"careful"`` keeps its digits
            where a sigmoid or tanh saturates, where PyTorch loses them.

    Raises:
        InputError: For an unknown name, nan, infinities, or no numbers.
        KindError: For integers, and dtypes other than float32 and float64.
        ShapeMismatchError: For weights or bias of other shapes.

    Source:
        Rumelhart, Hinton & Williams (1986), *Learning representations by
        back-propagating errors*; per formula see ``FORMULAS``.

    Example:
        >>> neuron = Neuron(3.0, 1.0)
        >>> {name: value.item() for name, value in neuron.forward(2.0, 10.0).items()}
        {'u': 6.0, 'z': 7.0, 'prediction': 7.0, 'error': -3.0, 'loss': 9.0}
        >>> neuron.manual_gradients(2.0, 10.0)["w"]
        tensor(-12.)
    """

    weights: torch.Tensor
    bias: torch.Tensor
    activation: str
    loss: str
    reduction: str
    formulas: Style

    def __init__(
        self,
        weights: Any,
        bias: Any,
        *,
        activation: str = "identity",
        loss: str = "squared error",
        reduction: str = "mean",
        formulas: Style = "textbook",
    ) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("activation", recipe.known("activation", activation, recipe.ACTIVATIONS))
        put("loss", recipe.known("loss", loss, recipe.LOSSES))
        put("reduction", recipe.known("reduction", reduction, recipe.REDUCTIONS))
        put("formulas", recipe.known("style of formulas", formulas, STYLES))
        put("weights", recipe.array(weights, "weights"))
        put("bias", recipe.array(bias, "bias", self.weights.dtype))
        for name, tensor, most in (("weights", self.weights, 1), ("bias", self.bias, 0)):
            if tensor.dim() > most:
                raise ShapeMismatchError(
                    f"{name} has shape {tuple(tensor.shape)}, but one neuron has weights of shape "
                    f"() or (k,) and a bias of shape (). Write {name}[0] for the first of many."
                )

    def forward(self, x: Any, target: Any) -> Tensors:
        """Compute every intermediate value, by name, from the inside out.

        Args:
            x: Shape ``()`` or ``(n,)`` for one weight, ``(k,)`` or ``(n, k)`` for ``k``.
            target: Shape ``()`` for one example, ``(n,)`` for a batch.

        Returns:
            ``u`` (shape of x), ``z`` and ``prediction`` (shape of target),
            ``error`` (the same; not for the logistic loss, which has none),
            ``losses`` (for a batch) and ``loss`` (shape ``()``).

        Raises:
            ShapeMismatchError, KindError, InputError: See ``Neuron``.

        Example:
            >>> Neuron([1.0, 2.0], 0.5).forward([3.0, 4.0], 1.0)["z"]
            tensor(11.5000)
        """
        return self._forward(*recipe.example(self, x, target))

    def manual_gradients(self, x: Any, target: Any) -> Tensors:
        """Give the partial derivative of the loss by everything it is computed from.

        Args:
            x: As in ``forward``.
            target: As in ``forward``.

        Returns:
            The partials for ``w``, ``x``, ``b``, ``target`` and each name of
            ``forward``, each in the shape of the thing itself, in units of loss
            per unit of that thing. At a kink: the slope that ``FORMULAS`` names.

        Raises:
            ShapeMismatchError, KindError, InputError: See ``Neuron``.

        Example:
            >>> slopes = Neuron(0.7, -0.2, activation="tanh").manual_gradients(1.3, 0.5)
            >>> print(f"{slopes['w'].item():.4f} {slopes['b'].item():.4f}")
            0.1804 0.1388
        """
        x, target = recipe.example(self, x, target)
        return self._backward(x, target, self._forward(x, target))

    def _forward(self, x: torch.Tensor, target: torch.Tensor) -> Tensors:
        activation, loss = ACTIVATIONS[self.activation], LOSSES[self.loss]
        values: Tensors = {"u": self.weights * x}
        summed = values["u"].sum(-1) if self.weights.dim() else values["u"]
        values["z"] = summed + self.bias
        values["prediction"] = self._value(activation)(values["z"])
        if loss.of == "error":
            values["error"] = values["prediction"] - target
        each = self._value(loss)(values[loss.of], target)
        if target.dim():
            values["losses"] = each
            each = each.mean() if self.reduction == "mean" else each.sum()
        values["loss"] = each
        return values

    def _backward(self, x: torch.Tensor, target: torch.Tensor, values: Tensors) -> Tensors:
        activation, loss = ACTIVATIONS[self.activation], LOSSES[self.loss]
        slopes: Tensors = {"loss": torch.ones_like(values["loss"])}
        each = slopes["loss"]
        if target.dim():
            rows = target.numel() if self.reduction == "mean" else 1
            slopes["losses"] = each = (each / rows).expand_as(target).clone()
        slopes[loss.of] = self._pull(loss)(each, values[loss.of], target)
        if loss.pull_target is None:
            slopes["prediction"] = slopes["error"].clone()
            slopes["target"] = -slopes["error"]
        else:
            slopes["target"] = loss.pull_target(each, values["prediction"], target)
        z, prediction = values["z"], values["prediction"]
        slopes["z"] = self._pull(activation)(slopes["prediction"], z, prediction)
        slopes |= self._affine(x, slopes["z"])
        return {name: slopes[name] for name in (*recipe.INPUT_NAMES, *values)}

    def _affine(self, x: torch.Tensor, delta: torch.Tensor) -> Tensors:
        """Send the error signal through ``z = (w * x).sum() + b``: a sum copies, a product scales.

        A weight that several rows share gets the sum of what they send.
        """
        spread = delta.unsqueeze(-1).expand_as(x).clone() if self.weights.dim() else delta.clone()
        to_weights = spread * x
        batch = delta.dim() > 0
        return {
            "u": spread,
            "w": to_weights.sum(0) if batch else to_weights,
            "x": spread * self.weights,
            "b": delta.sum() if batch else delta.clone(),
        }

    def _value(self, formula: Activation | Loss) -> Any:
        careful = formula.careful_value if self.formulas == "careful" else None
        return careful or formula.value

    def _pull(self, formula: Activation | Loss) -> Any:
        careful = formula.careful_pull if self.formulas == "careful" else None
        return careful or formula.pull
