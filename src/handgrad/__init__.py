"""Read the graph PyTorch really recorded, and check its gradients by hand."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handgrad.compare import Comparison, compare
    from handgrad.diagnose import why_no_grad
    from handgrad.diagnosis import Diagnosis, Reason
    from handgrad.draw import Drawing, draw, draw_activation, draw_curve, draw_nudge
    from handgrad.errors import (
        FreedGraphError,
        GraphTooLargeError,
        HandgradError,
        InputError,
        KindError,
        MutatedGraphError,
        NameClashError,
        NoGraphError,
        NotConnectedError,
        NoWitnessError,
        ShapeMismatchError,
        TooManyPathsError,
        UnsupportedNodeError,
        VersionError,
        WitnessError,
    )
    from handgrad.exercise import Checker, Exercise
    from handgrad.graph import Graph
    from handgrad.machine import autograd_gradients
    from handgrad.neuron import Neuron
    from handgrad.onion import Onion
    from handgrad.peel import peel
    from handgrad.trace import trace
    from handgrad.vjp import local_vjp
    from handgrad.watch import watch

__version__ = "0.1.0"

_HOME = {
    "Checker": "exercise",
    "Comparison": "compare",
    "Drawing": "draw",
    "Diagnosis": "diagnosis",
    "Exercise": "exercise",
    "FreedGraphError": "errors",
    "Graph": "graph",
    "GraphTooLargeError": "errors",
    "HandgradError": "errors",
    "InputError": "errors",
    "KindError": "errors",
    "MutatedGraphError": "errors",
    "NameClashError": "errors",
    "Neuron": "neuron",
    "NoGraphError": "errors",
    "NoWitnessError": "errors",
    "NotConnectedError": "errors",
    "Onion": "onion",
    "Reason": "diagnosis",
    "ShapeMismatchError": "errors",
    "TooManyPathsError": "errors",
    "UnsupportedNodeError": "errors",
    "VersionError": "errors",
    "WitnessError": "errors",
    "autograd_gradients": "machine",
    "compare": "compare",
    "draw": "draw",
    "draw_activation": "draw",
    "draw_curve": "draw",
    "draw_nudge": "draw",
    "local_vjp": "vjp",
    "peel": "peel",
    "trace": "trace",
    "watch": "watch",
    "why_no_grad": "diagnose",
}

__all__ = [
    "Checker",
    "Comparison",
    "Diagnosis",
    "Drawing",
    "Exercise",
    "FreedGraphError",
    "Graph",
    "GraphTooLargeError",
    "HandgradError",
    "InputError",
    "KindError",
    "MutatedGraphError",
    "NameClashError",
    "Neuron",
    "NoGraphError",
    "NoWitnessError",
    "NotConnectedError",
    "Onion",
    "Reason",
    "ShapeMismatchError",
    "TooManyPathsError",
    "UnsupportedNodeError",
    "VersionError",
    "WitnessError",
    "autograd_gradients",
    "compare",
    "draw",
    "draw_activation",
    "draw_curve",
    "draw_nudge",
    "local_vjp",
    "peel",
    "trace",
    "watch",
    "why_no_grad",
]


class _Package(ModuleType):
    """Keep ``handgrad.compare`` the function, although a module has the same name.

    Python sets a module as an attribute of its package when it is first
    imported; which of the two a reader got would depend on who imported what.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'handgrad' has no attribute {name!r}")
    return getattr(import_module(f"handgrad.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


sys.modules[__name__].__class__ = _Package
