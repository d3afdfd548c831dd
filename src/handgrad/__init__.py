"""Read the graph PyTorch really recorded, and check its gradients by hand."""

from handgrad.comparing import Comparison, Row, compare
from handgrad.diagnosing import Diagnosis, Event, Reason, Watch, watch, why_no_grad
from handgrad.drawing import (
    Drawing,
    bars,
    draw,
    draw_activation,
    draw_curve,
    draw_nudge,
    draw_valley,
    walk,
)
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
from handgrad.exercises import Checker, Exercise, Response
from handgrad.graph import Array, Constant, Edge, Graph, Node, Saved, Spec
from handgrad.neuron import Neuron, autograd_gradients, fused_multiply_add
from handgrad.peeling import Group, Layer, Onion, Path, peel
from handgrad.tracing import local_vjp, trace

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Checker",
    "Comparison",
    "Constant",
    "Diagnosis",
    "Drawing",
    "Edge",
    "Event",
    "Exercise",
    "FreedGraphError",
    "Graph",
    "GraphTooLargeError",
    "Group",
    "HandgradError",
    "InputError",
    "KindError",
    "Layer",
    "MutatedGraphError",
    "NameClashError",
    "Neuron",
    "NoGraphError",
    "NoWitnessError",
    "Node",
    "NotConnectedError",
    "Onion",
    "Path",
    "Reason",
    "Response",
    "Row",
    "Saved",
    "ShapeMismatchError",
    "Spec",
    "TooManyPathsError",
    "UnsupportedNodeError",
    "VersionError",
    "Watch",
    "WitnessError",
    "autograd_gradients",
    "bars",
    "compare",
    "draw",
    "draw_activation",
    "draw_curve",
    "draw_nudge",
    "draw_valley",
    "fused_multiply_add",
    "local_vjp",
    "peel",
    "trace",
    "walk",
    "watch",
    "why_no_grad",
]
