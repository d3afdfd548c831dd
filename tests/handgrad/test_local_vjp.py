"""One operation's own rule: the engine's bits, and nothing else touched."""

import re
import tomllib
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from torch.utils.checkpoint import checkpoint

from handgrad import (
    FreedGraphError,
    InputError,
    KindError,
    MutatedGraphError,
    NoGraphError,
    ShapeMismatchError,
    UnsupportedNodeError,
    VersionError,
    local_vjp,
)
from handgrad.tracing import torch_private

ONE = torch.tensor(1.0)
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def leaf(value, **options):
    return torch.tensor(value, requires_grad=True, **options)


def test_the_bias_passes_the_signal_on_unchanged():
    """AddBackward0 sends 1 to both of its inputs."""
    z = leaf(6.0) + leaf(0.5)

    assert [g.item() for g in local_vjp(z, ONE)] == [1.0, 1.0]
    assert [g.item() for g in local_vjp(z.grad_fn, ONE)] == [1.0, 1.0]


def test_it_is_the_rule_of_one_operation_only():
    """For x * sin(x), an engine call between the edges mixes the two inputs; this does not."""
    x = leaf(0.5)
    sine = x.sin()
    product = x * sine

    by_x, by_sine = local_vjp(product, ONE)

    assert by_x.item() == sine.item()
    assert by_sine.item() == x.item()


@given(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32))
def test_it_is_linear_in_powers_of_two(a, g):
    """Scaling the cotangent by two scales the answer, exactly."""
    y = leaf(a) * leaf(1.7)

    once, twice = local_vjp(y, torch.tensor(g)), local_vjp(y, torch.tensor(2 * g))

    assert [2 * one.item() for one in once] == [two.item() for two in twice]


def test_broadcast_axes_are_summed_and_dtypes_are_the_inputs():
    """As the engine finishes what an operation returns."""
    row, column = leaf([[1.0, 2.0]]), leaf([[3.0], [4.0]], dtype=torch.float64)
    y = row * column

    by_row, by_column = local_vjp(y, torch.ones(2, 2, dtype=torch.float64))

    assert (by_row.tolist(), by_row.dtype) == ([[7.0, 7.0]], torch.float32)
    assert (by_column.tolist(), by_column.dtype) == ([[3.0], [3.0]], torch.float64)


def test_a_real_input_of_a_complex_operation_gets_a_real_gradient():
    """The imaginary part ends there."""
    x = leaf(2.0)
    y = x * torch.tensor(1 + 3j)

    (gradient, constant) = local_vjp(y, torch.tensor(1 + 1j))

    assert gradient.dtype == torch.float32
    (expected,) = torch.autograd.grad(y, x, torch.tensor(1 + 1j))
    assert gradient.item() == expected.item()
    assert constant is None


def test_outputs_are_asked_one_by_one_or_together():
    """A tensor stands for its own output; a node takes one cotangent for each."""
    x = leaf([1.0, 2.0, 3.0])
    first, second = x.split([1, 2])

    (by_second,) = local_vjp(second, torch.tensor([5.0, 6.0]))
    (by_both,) = local_vjp(first.grad_fn, torch.tensor([4.0]), torch.tensor([5.0, 6.0]))
    (by_one,) = local_vjp(first.grad_fn, torch.tensor([4.0]), None)

    assert by_second.tolist() == [0.0, 5.0, 6.0]
    assert by_both.tolist() == [4.0, 5.0, 6.0]
    assert by_one.tolist() == [4.0, 0.0, 0.0]


def test_nothing_is_freed_written_or_fired():
    """Ten times the same bits, no hook, no .grad, no history; backward() works after."""
    fired = []
    x = leaf([0.3, 0.7])
    y = x.exp()
    y.retain_grad()
    y.register_hook(fired.append)
    y.grad_fn.register_hook(lambda *_: fired.append(1))
    y.grad_fn.register_prehook(lambda *_: fired.append(1))
    x.register_hook(fired.append)

    answers = [local_vjp(y, torch.ones(2))[0] for _ in range(10)]

    assert fired == []
    assert x.grad is None
    assert y.grad is None
    assert all(torch.equal(answer, answers[0]) for answer in answers)
    assert not answers[0].requires_grad
    y.sum().backward()
    assert torch.equal(x.grad, answers[0])


class Halves(torch.autograd.Function):
    """Takes a number among its arguments; uses only one of its outputs' gradients."""

    @staticmethod
    def forward(ctx, scale, x, flag, y):
        ctx.save_for_backward(x, y)
        ctx.scale = scale
        return x * scale, y * scale

    @staticmethod
    def backward(ctx, g, h):
        assert g is not None
        assert h is not None
        return None, g * ctx.scale, None, h * ctx.scale


def test_python_functions_get_zeros_and_drop_their_other_arguments():
    """As under the engine: no hole goes in, and only tensor arguments have a place."""
    x, y = leaf([1.0]), leaf([2.0])
    a, _ = Halves.apply(0.5, x, "flag", y)

    by_x, by_y = local_vjp(a, torch.tensor([4.0]))

    assert by_x.tolist() == [2.0]
    assert by_y.tolist() == [0.0]


def test_constants_of_python_functions_stay_empty():
    """A tensor that requires no gradient keeps its slot."""
    x = leaf([1.0])
    a, b = Halves.apply(0.5, x, "flag", torch.tensor([2.0]))

    assert local_vjp(a, torch.tensor([4.0]))[1] is None
    assert len(a.grad_fn.next_functions) == 2
    assert b.requires_grad


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: (3.0,), KindError, "got an object of type float"),
        (lambda: (leaf(1.0), ONE), NoGraphError, "it is a leaf"),
        (lambda: (torch.ones(1), ONE), NoGraphError, "it is not tracked"),
        (lambda: (leaf(1.0) * 2,), InputError, "1 in all, but got 0"),
        (lambda: ((leaf(1.0) * 2).grad_fn, ONE, ONE), InputError, "1 in all, but got 2"),
        (lambda: (leaf(1.0) * 2, None), InputError, "are None, so nothing can be sent on"),
        (lambda: (leaf(1.0) * 2, 1.0), KindError, "Cotangent 0 .* is of type float"),
        (lambda: (leaf(1.0) * 2, torch.ones(2)), ShapeMismatchError, "nothing is broadcast"),
        (lambda: (leaf([1.0]) * 2, torch.ones(1, 1)), ShapeMismatchError, r"shape \(1, 1\), but"),
        (lambda: (leaf(1.0) * 2, ONE.double()), KindError, "is torch.float64 on cpu"),
        (
            lambda: ((leaf(1.0) * 2).grad_fn.next_functions[0][0], ONE),
            UnsupportedNodeError,
            "calling it would write to the leaf's .grad",
        ),
    ],
)
def test_what_cannot_be_asked_is_explained(ask, error, words):
    """What was seen, why, and what to type."""
    with pytest.raises(error, match=words):
        local_vjp(*ask())


def test_freed_and_mutated_operations_are_explained():
    """Operations that save nothing still answer after a free."""
    w = leaf([1.0, 2.0])
    h = w.exp()
    total = h.sum()
    total.backward()
    with pytest.raises(FreedGraphError, match="freed what ExpBackward0 had saved"):
        local_vjp(h, torch.ones(2))
    assert local_vjp(total, ONE)[0].tolist() == [1.0, 1.0]

    again = w.exp()
    node = again.grad_fn
    again.mul_(2)
    with pytest.raises(MutatedGraphError, match="by a new tensor"):
        local_vjp(node, torch.ones(2))


def test_reentrant_checkpoints_and_functorch_are_refused():
    """Both would answer something else than what was asked."""
    y = checkpoint(torch.sin, leaf([1.0]) * 1, use_reentrant=True)
    with pytest.raises(UnsupportedNodeError, match="use_reentrant=False"):
        local_vjp(y, torch.ones(1))

    seen = []

    def inside(x):
        with pytest.raises(UnsupportedNodeError, match=r"inside a torch\.func transformation"):
            local_vjp(x * 2, torch.ones(1))
        seen.append(1)
        return x.sum()

    torch.func.grad(inside)(torch.ones(1))
    assert seen == [1]


def test_a_torch_without_the_private_names_is_refused_at_import():
    """The error names all that is missing, and what the package asks for, to be installed."""
    wanted = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    (torch_wanted,) = [text for text in wanted if text.startswith("torch")]
    install = f'pip install "{torch_wanted}"'

    with pytest.raises(VersionError) as caught:
        torch_private.check_version(object(), namespace=object())
    said = str(caught.value)
    assert all(name in said for name in ("torch.Tensor.grad_dtype", "grad_fn._sequence_nr"))
    assert said.count("torch.") >= len(torch_private._NEEDED)
    assert install in said
    assert install in VersionError.__doc__
    assert torch_wanted == f"torch>={torch_private.OLDEST}"
    assert Requirement(torch_wanted).specifier.contains(torch.__version__)


@pytest.mark.parametrize("name", torch_private._NEEDED)
def test_each_missing_name_is_told_alone(name):
    """A torch without the one name, and with all others, is refused for that one."""

    class Without:
        """Passes every attribute on, but the last of one path."""

        def __init__(self, thing, path):
            self.thing, self.path = thing, path

        def __getattr__(self, attribute):
            first, _, rest = self.path.partition(".")
            if attribute != first:
                return getattr(self.thing, attribute)
            if not rest:
                raise AttributeError(attribute)
            return Without(getattr(self.thing, attribute), rest)

    node = (leaf(1.0) * 2).grad_fn
    with pytest.raises(VersionError, match=rf"lacks torch\.{re.escape(name)}, with which"):
        torch_private.check_version(node, namespace=Without(torch, name))


@pytest.mark.parametrize("version", ["2.9.1", "2.10.0+cpu", "2.13.0", "2.15.1+cu130"])
def test_a_tested_or_older_torch_gets_no_remark(version, monkeypatch):
    monkeypatch.setattr(torch, "__version__", version)

    assert torch_private.untested() == ""


@pytest.mark.parametrize("version", ["2.16.0", "2.16.0.dev20270101+cpu", "3.0.0a0"])
def test_a_newer_torch_gets_one_remark(version, monkeypatch):
    """Once, at import, as a warning; and where an operation cannot be asked."""
    monkeypatch.setattr(torch, "__version__", version)
    node = (leaf(1.0) * 2).grad_fn
    remark = f"torch {version} is newer than 2.15, the newest that handgrad was tested with."

    with pytest.warns(UserWarning, match=re.escape(remark)) as seen:
        torch_private.check_version(node)
    assert len(seen) == 1
    assert remark in str(torch_private.explain(node, RuntimeError("something new")))
