"""One neuron's gradients by hand, by PyTorch and by witnesses: three answers that never meet."""

from handgrad.neuron.by_hand import Neuron
from handgrad.neuron.by_pytorch import autograd_gradients
from handgrad.neuron.formulas import ACTIVATIONS, FORMULAS, LOSSES
from handgrad.neuron.witnesses import fused_multiply_add, witness_digits

__all__ = [
    "ACTIVATIONS",
    "FORMULAS",
    "LOSSES",
    "Neuron",
    "autograd_gradients",
    "fused_multiply_add",
    "witness_digits",
]
