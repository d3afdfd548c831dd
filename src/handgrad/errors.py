"""Every error handgrad raises. Each says what was seen, why, and what to type.

All derive from ``HandgradError`` and from the built-in exception that a
stranger would catch.
"""


class HandgradError(Exception):
    """Base of all errors of this package.

    Example:
        Catch it to catch every refusal, and nothing else:

        >>> from handgrad import HandgradError, Neuron
        >>> try:
        ...     Neuron(1.0, 0.0, activation="sigmod")
        ... except HandgradError as error:
        ...     print(str(error)[-23:])
        Did you mean 'sigmoid'?
    """


class NoGraphError(HandgradError, ValueError):
    """The tensor has no recorded history to read.

    Nothing that it was computed from asked for a gradient, so PyTorch wrote
    nothing down.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w = torch.tensor(3.0)
        >>> trace(w * 2.0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.NoGraphError: Cannot trace this tensor: it has no grad_fn...

        Ask for the gradient before computing:

        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> len(trace(w * 2.0))
        2
    """


class FreedGraphError(HandgradError, RuntimeError):
    """A backward pass has freed what the graph had saved.

    The nodes are still there, but the numbers that their derivatives need are
    gone after the first ``backward()``.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> loss = w * w
        >>> loss.backward()
        >>> trace(loss, values=True)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.FreedGraphError: A backward pass has freed what MulBackward0 had saved, ...

        Trace first, or compute the loss again:

        >>> graph = trace(w * w, values=True)
    """


class MutatedGraphError(HandgradError, RuntimeError):
    """A tensor that the graph had saved was changed in place.

    Its derivative would be taken at other numbers than the forward pass saw;
    PyTorch counts the versions of a tensor to notice.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> doubled = w * 2.0
        >>> loss = doubled * doubled
        >>> _ = doubled.add_(1.0)
        >>> trace(loss, values=True)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.MutatedGraphError: A tensor that MulBackward0 had saved was changed ...

        Make a new tensor instead of changing the old one:

        >>> doubled = w * 2.0
        >>> loss = doubled * doubled
        >>> doubled = doubled + 1.0
        >>> graph = trace(loss, values=True)
    """


class GraphTooLargeError(HandgradError, ValueError):
    """The graph is too deep to be walked safely, or too large to be drawn.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> total = torch.tensor(3.0, requires_grad=True)
        >>> for _ in range(20):
        ...     total = total + 1.0
        >>> trace(total, max_nodes=10)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.GraphTooLargeError: The graph has more than max_nodes=10 nodes. ...

        Trace a smaller loss, or allow more:

        >>> len(trace(total, max_nodes=100))
        21
    """


class NotConnectedError(HandgradError, ValueError):
    """No path leads from the output to the tensor asked for.

    Example:
        >>> import torch
        >>> from handgrad import peel, trace
        >>> w, x = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0)
        >>> peel(trace(w * x), "x")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.NotConnectedError: 'x' is a constant here: ...

        Let it ask for a gradient, and compute again:

        >>> _ = x.requires_grad_(True)
        >>> peel(trace(w * x), "x").gradient.item()
        3.0
    """


class TooManyPathsError(HandgradError, ValueError):
    """There are more paths than may be listed one by one.

    Every branch that meets again doubles them, and the gradient is their sum
    all the same: it is added up node by node, without a list.

    Example:
        >>> import torch
        >>> from handgrad import peel, trace
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> total = w
        >>> for _ in range(12):
        ...     total = total + total
        >>> graph = trace(total)
        >>> graph.paths("w")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.TooManyPathsError: 4096 paths lead from the loss to 'w', ...

        Ask for the sum, not for the list:

        >>> peel(graph, "w").gradient.item()
        4096.0
    """


class UnsupportedNodeError(HandgradError, TypeError):
    """A recorded node cannot be asked for its local derivative.

    Example:
        >>> import torch
        >>> from handgrad import local_vjp
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> loss = w * 2.0
        >>> leaf = loss.grad_fn.next_functions[0][0]
        >>> local_vjp(leaf, torch.tensor(1.0))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.UnsupportedNodeError: AccumulateGrad is where a gradient ends: ...

        Ask an operation:

        >>> local_vjp(loss.grad_fn, torch.tensor(1.0))[0]
        tensor(2.)
    """


class NameClashError(HandgradError, ValueError):
    """One name was given to two things, or a name to nothing.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> v = torch.tensor(2.0, requires_grad=True)
        >>> trace(w * v, names=[("w", w), ("w", v)])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        handgrad.errors.NameClashError: The name 'w' was given to two tensors, ...

        Give each its own:

        >>> [leaf.name for leaf in trace(w * v, names={"w": w, "v": v}).leaves]
        ['w', 'v']
    """


class ShapeMismatchError(HandgradError, ValueError):
    """Two shapes must be equal and are not; nothing is broadcast silently.

    A prediction of shape ``(3,)`` less a target of shape ``(3, 1)`` is a table of
    nine errors, six of which nobody asked for.

    Example:
        >>> import torch
        >>> from handgrad import Neuron
        >>> x, target = torch.ones(3), torch.ones(3, 1)
        >>> Neuron(2.0, 0.0).forward(x, target)  # doctest: +NORMALIZE_WHITESPACE
        Traceback (most recent call last):
        handgrad.errors.ShapeMismatchError: target has shape (3, 1), but x of shape (3,) asks
        for (3,), one target per example. Broadcasting would set every prediction against every
        target. Write target.reshape((3,)).

        >>> Neuron(2.0, 0.0).forward(x, target.reshape((3,)))["loss"]
        tensor(1.)
    """


class InputError(HandgradError, ValueError):
    """A number, name or setting is outside what the function accepts.

    Example:
        >>> from handgrad import Neuron
        >>> neuron = Neuron(float("nan"), 0.0)  # doctest: +NORMALIZE_WHITESPACE
        Traceback (most recent call last):
        handgrad.errors.InputError: weights is nan: no slope exists there, and one such number
        spoils every gradient of the batch. Find where it arose, or leave the row out:
        weights[weights.isfinite()].

        >>> neuron = Neuron(0.5, 0.0)
    """


class KindError(HandgradError, TypeError):
    """A value is of the wrong kind, such as integers where slopes are asked for.

    Example:
        >>> from handgrad import Neuron
        >>> neuron = Neuron(3, 0.0)  # doctest: +NORMALIZE_WHITESPACE
        Traceback (most recent call last):
        handgrad.errors.KindError: weights is 3, of type int: a slope needs numbers that can
        change by a small step, so floats. Write 3.0 instead of 3.

        >>> neuron = Neuron(3.0, 0.0)
    """


class NoWitnessError(HandgradError, ValueError):
    """A witness may not be used here: it could not see what it is asked about.

    Example:
        >>> from handgrad.neuron import Neuron, witnesses
        >>> neuron = Neuron(0.5, 0.0, activation="tanh")
        >>> witnesses.gradients(neuron, 1.0, 0.0, method="exact")  # doctest: +NORMALIZE_WHITESPACE
        Traceback (most recent call last):
        handgrad.errors.NoWitnessError: The exact witness may not be used with tanh: its values
        are not fractions, even where its argument is one. Write method='fifty digits' or
        method='central difference' instead.

        >>> slopes = witnesses.gradients(neuron, 1.0, 0.0, method="fifty digits")
        >>> print(f"{float(slopes['w']):.6f}")
        0.726862
    """


class WitnessError(HandgradError, AssertionError):
    """Witnesses that should agree do not, or the other way round.

    Example:
        The slope of (w · 2 − 10)² at w = 3 with the inner factor forgotten:

        >>> from handgrad import compare
        >>> slopes = {"by hand": -8.0, "PyTorch": -16.0}
        >>> compare(columns=slopes, rtol=1e-6, floor=1.0)  # doctest: +NORMALIZE_WHITESPACE
        Traceback (most recent call last):
        handgrad.errors.WitnessError: Columns disagree on 'value' by 8, which is 0.5 of their
        size (allowed 1e-06): by hand=-8.0, PyTorch=-16.0. Furthest apart: PyTorch and by hand.
        If only a finite difference is off, look for a kink within its step; else check the
        formula behind the odd one out.

        >>> slopes["by hand"] = 2 * (3.0 * 2.0 - 10.0) * 2.0
        >>> compare(columns=slopes, rtol=1e-6, floor=1.0).verdict
        'same bits'
    """


class VersionError(HandgradError, ImportError):
    """This torch lacks a name that handgrad reads graphs with and PyTorch does not promise.

    It is raised when the graph reader is first imported, before anything could be
    read wrongly, and names all that is missing. Install a version that has it:
    ``python -m pip install "torch>=2.10"``.
    """
