"""Third opinions on a gradient, from values of the forward pass alone."""

from handgrad.neuron.witnesses.digits import witness_digits
from handgrad.neuron.witnesses.methods import METHODS, fused_multiply_add, gradients
from handgrad.neuron.witnesses.slopes import (
    Difference,
    central_difference,
    complex_step,
    exact_slope,
    fifty_digits,
)

__all__ = [
    "METHODS",
    "Difference",
    "central_difference",
    "complex_step",
    "exact_slope",
    "fifty_digits",
    "fused_multiply_add",
    "gradients",
    "witness_digits",
]
