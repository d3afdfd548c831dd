"""Layers, paths and their sum: two columns that must tell the same gradient."""

import math
import re
import struct
import sys
import time
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from handgrad import (
    FreedGraphError,
    InputError,
    KindError,
    MutatedGraphError,
    NotConnectedError,
    Onion,
    UnsupportedNodeError,
    peel,
    trace,
)
from handgrad.graph.records import Array
from handgrad.numbers.floats import FORMATS, nearest
from handgrad.peeling.products import distance, identity, product, rounder, same_bits, total


def leaf(value, **options):
    return torch.tensor(value, requires_grad=True, **options)


def neuron():
    """Return a sigmoid neuron with every variable named."""
    w, b = leaf(0.7), leaf(-0.2)
    x, y = torch.tensor(1.5), torch.tensor(1.0)
    u = w * x
    z = u + b
    p = torch.sigmoid(z)
    e = p - y
    return {"w": w, "b": b, "x": x, "y": y, "u": u, "z": z, "p": p, "e": e, "L": e**2}


GROUPS = {"loss": ["L", "e"], "activation": ["p"], "affine": ["z", "u"]}


# Layers


def test_layers_run_from_the_loss_inwards():
    """Name, local derivative, running product and flow of each."""
    names = neuron()
    graph = trace(names["L"], names=names)

    onion = peel(graph, "w")
    names["L"].backward()

    assert [layer.name for layer in onion.layers] == ["L", "e", "p", "z", "u"]
    assert [layer.op for layer in onion.layers] == ["Pow", "Sub", "Sigmoid", "Add", "Mul"]
    running = 1.0
    for layer in onion.layers:
        running = rounder("float32")(running * layer.local.item())
        assert layer.product.item() == running
        assert layer.ulps == abs(distance(layer.product, layer.flow))
    assert onion.gradient.item() == names["w"].grad.item()
    assert onion.path_count == 1
    assert onion.wrt == "w"


@pytest.mark.parametrize("wrt", ["w", "b", "x"])
def test_the_seed_neuron_gives_22_11_and_33(wrt):
    """w = 3, x = 2, b = 0.5, y = 1, all of them trainable."""
    w, x, b, y = leaf(3.0), leaf(2.0), leaf(0.5), torch.tensor(1.0)
    loss = (w * x + b - y) ** 2

    onion = peel(trace(loss), wrt)

    assert onion.product.item() == {"w": 22.0, "b": 11.0, "x": 33.0}[wrt]
    assert onion.same_bits
    assert onion.ulps == 0


def test_groups_take_neighbours_together():
    """Loss, activation, affine: their product is that of all layers."""
    names = neuron()
    graph = trace(names["L"], names=names)

    onion = peel(graph, "w", groups=GROUPS)

    assert [(g.name, g.layers) for g in onion.groups] == [
        ("loss", (0, 1)),
        ("activation", (2,)),
        ("affine", (3, 4)),
    ]
    assert [g.local.item() for g in onion.groups] == [
        onion.layers[0].local.item(),
        onion.layers[2].local.item(),
        1.5,
    ]
    assert onion.groups[-1].product == onion.product
    assert onion.groups[1].flow == onion.layers[2].flow
    bias = peel(graph, "b", groups=GROUPS)
    assert [(g.name, g.layers) for g in bias.groups][-1] == ("affine", (3,))
    middle = peel(graph, "z", groups=GROUPS)
    assert [g.name for g in middle.groups] == ["loss", "activation"]


def test_groups_of_vectors_multiply_matrices():
    """The local derivative of a group is the product of its layers' Jacobians."""
    w = leaf([1.0, 2.0, 3.0])
    h = torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]]) @ w
    loss = (h**2).sum()

    onion = peel(trace(loss), "w", groups={"loss": [0, 1], "inner": ["h"]})

    outer, inner = onion.groups
    assert outer.local.shape == (2,)
    assert inner.local.shape == (2, 3)
    assert outer.local.tolist() == (2 * h).tolist()


def test_a_group_of_three_layers_fits_matrices_of_three_sizes():
    """Each is multiplied by the next over the numbers that lie between them."""
    w = leaf([1.0, 2.0, 3.0])
    first = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    second = torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0], [1.0, 1.0]])
    third = torch.tensor([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 1.0, 2.0]])
    h = third @ (second @ (first @ w))

    onion = peel(trace(h.sum(), names={"w": w}), "w", groups={"sum": [0], "affine": [1, 2, 3]})

    assert onion.groups[1].local.tolist() == (third @ second @ first).tolist()


@pytest.mark.parametrize("sizes", [(2, 300), (300, 2)], ids=["inner", "outer"])
def test_a_group_with_a_jacobian_too_large_has_none(sizes):
    """Of 300 numbers by 300, which the trace did not form; the flow is there."""
    w = torch.ones(sizes[1], requires_grad=True)
    middle = w.exp().sum() * torch.ones(2) if sizes[0] == 2 else (w.sum() * torch.ones(300)).exp()

    onion = peel(trace(middle.sum()), "w", groups={"all": [0, 1, 2, 3]})

    assert onion.groups[0].local is None
    assert onion.groups[0].flow == onion.gradient


def test_the_limit_of_work_holds_for_groups(monkeypatch):
    """As for the product along the way."""
    w = leaf([1.0, 2.0, 3.0])
    graph = trace((w.exp() * 2).sum())
    groups = {"sum": [0], "inner": [1, 2]}

    monkeypatch.setattr(sys.modules["handgrad.peeling.products"], "MOST_WORK", 27)
    assert peel(graph, "w", groups=groups).groups[1].local is not None
    monkeypatch.setattr(sys.modules["handgrad.peeling.products"], "MOST_WORK", 26)
    assert peel(graph, "w", groups=groups).groups[1].local is None


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"loss": ["L", "e"], "rest": ["p", "z"]}, r"layer u \(Mul\) is in no group"),
        ({"a": ["L", "e", "p"], "b": ["p", "z", "u"]}, "is in 'a' and 'b'"),
        ({"affine": ["z", "u"], "loss": ["L", "e", "p"]}, "outermost group first"),
        ({"a": ["L", "p"], "b": ["e", "z", "u"]}, "from the loss inwards"),
        ({"a": ["L", "e", "p", "z", "nobody"]}, "No node is called 'nobody'"),
    ],
)
def test_groups_that_do_not_fit_are_explained(groups, words):
    """Every layer in exactly one group, neighbours together, outermost first."""
    names = neuron()

    with pytest.raises(InputError, match=words):
        peel(trace(names["L"], names=names), "w", groups=groups)


def test_layers_of_a_branching_graph_cannot_be_grouped():
    """There is no single way to group."""
    w = leaf(2.0)

    with pytest.raises(InputError, match="only where exactly one path leads"):
        peel(trace(w.exp() + w.sin()), "w", groups={"all": [0]})


# Paths


def test_a_branch_is_a_sum_of_products():
    """f = x²(x + 1) at 2: 12 along one way, 4 along the other, 16 together."""
    x = leaf(2.0)

    onion = peel(trace(x**2 * (x + 1)), "x")

    assert onion.layers == ()
    assert [path.product.item() for path in onion.paths] == [12.0, 4.0]
    assert onion.product.item() == onion.gradient.item() == 16.0
    assert [path.nodes[0] for path in onion.paths] == [0, 0]
    assert {path.nodes[-1] for path in onion.paths} == {trace(x**2 * (x + 1)).node("x").key}
    assert "2 paths" in onion.to_text()


def test_three_ways_of_the_sigmoid():
    """sigmoid(w x) · (w x) + w²: three products that the library's notes gave in advance."""
    w, x = leaf(3.0, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64)
    t = w * x

    onion = peel(trace(torch.sigmoid(t) * t + w**2), "w")

    assert sorted(path.product.item() for path in onion.paths) == pytest.approx(
        [0.02959811149631917, 1.9950547536867307, 6.0], rel=1e-14
    )
    assert onion.gradient.item() == 8.02465286518305


def test_paths_know_their_slots():
    """x * x has two paths through the same nodes."""
    x = leaf(3.0)

    onion = peel(trace(x * x), "x")

    assert [(path.nodes, path.slots) for path in onion.paths] == [((0, 1), (0,)), ((0, 1), (1,))]


def test_too_many_paths_are_counted_and_summed_but_not_listed():
    """Sixty doublings have 2^60 paths and answer at once."""
    x = leaf(1.0, dtype=torch.float64)
    y = x
    for _ in range(60):
        y = y + y * 0.5
    began = time.perf_counter()

    onion = peel(trace(y, names={"x": x}), "x")

    assert onion.path_count == 2**60
    assert onion.paths == ()
    assert onion.product == onion.nodewise
    assert onion.product.item() == pytest.approx(1.5**60, rel=1e-13)
    assert onion.gradient.item() == pytest.approx(1.5**60, rel=1e-13)
    assert "too many to list" in onion.to_text()
    assert time.perf_counter() - began < 5


def test_paths_are_counted_exactly():
    """Three to the 60th is no float: a count in floating point would be off by some."""
    y = w = leaf(1e-3)
    for _ in range(60):
        y = y + y * y
    graph = trace(y, names={"w": w}, values=True)

    assert float(3**60) != 3**60
    assert graph.paths_count("w") == peel(graph, "w").path_count == 3**60


@pytest.mark.parametrize("limit", [3, 4])
def test_the_limit_of_paths_is_the_users(limit):
    """Exactly so many are listed."""
    x = leaf(1.5)
    h = x * x

    onion = peel(trace(h * h), "x", max_paths=limit)

    assert len(onion.paths) == (4 if limit == 4 else 0)
    assert onion.product.item() == 4 * 1.5**3


def test_an_output_has_the_paths_that_lead_to_it():
    """The halves of a split are peeled apart."""
    x = leaf([2.0, 3.0])
    first, second = x.split(1)
    loss = (first * first * second).sum()
    graph = trace(loss)

    assert peel(graph, "first").gradient.data == (12.0,)
    assert peel(graph, "first").path_count == 2
    assert [layer.name for layer in peel(graph, "second").layers] == ["loss", None]
    assert peel(graph, "second").product.data == (4.0,)
    assert peel(graph, "x").product.data == (12.0, 4.0)


def test_a_layer_has_the_name_of_the_output_it_came_through():
    """Also where an operation has several outputs."""
    x = leaf([2.0, 3.0])
    first, second = x.split(1)

    onion = peel(trace((second * 5).sum()), "x")

    assert [layer.name for layer in onion.layers] == [None, None, "second"]
    assert first is not second


# What can be asked for


def test_the_loss_by_itself_is_one():
    """No layers, one empty path."""
    names = neuron()
    graph = trace(names["L"], names=names)

    onion = peel(graph, "L")

    assert (onion.product.item(), onion.gradient.item()) == (1.0, 1.0)
    assert onion.layers == ()
    assert onion.path_count == 1
    assert onion.paths[0].nodes == (0,)


def test_intermediates_and_keys_can_be_asked_for():
    """By name, by key, also where nothing has a name."""
    w = leaf(2.0)
    loss = (w * 3) ** 2
    graph = trace(loss, names={})

    assert peel(graph, 1).gradient.item() == 12.0
    assert peel(graph, 1).wrt == "node 1"
    assert peel(graph, 2).gradient.item() == 36.0
    assert peel(trace(loss, names={"h": w}), 2).wrt == "h"


def test_vectors_have_jacobians():
    """Of a tensor of many numbers: the product has its axes first, and nothing flows."""
    w = leaf([1.0, 2.0])
    matrix = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    onion = peel(trace(matrix @ w * 2), "w")

    assert onion.product.tolist() == (2 * matrix).tolist()
    assert onion.gradient is None
    assert onion.ulps is None
    assert onion.same_bits is None
    assert "row-major" in onion.layout
    assert "flow" not in onion.to_text().split("\n")[-1]


def test_one_number_in_a_box_is_a_loss_too():
    """backward() starts from shape (1, 1) as well; the product has the input's shape."""
    w = leaf([[3.0]])

    onion = peel(trace(w * w), "w")

    assert onion.product.shape == onion.gradient.shape == (1, 1)
    assert onion.same_bits


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_real_dtype_rounds_as_itself(dtype):
    """A product of exact powers of two is exact in each."""
    w = leaf(1.5, dtype=getattr(torch, dtype))

    onion = peel(trace((w * 2.0) * 4.0), "w")

    assert onion.product == Array(shape=(), dtype=dtype, data=(8.0,))
    assert onion.same_bits


def test_jacobians_too_large_to_form_leave_the_flow():
    """No product then, and it is said; .grad is still there."""
    w = torch.ones(100, 10, requires_grad=True)

    onion = peel(trace((w * 2).exp().sum()), "w")

    assert onion.product is None
    assert onion.ulps is None
    assert len(onion.gradient.data) == 1000
    assert "not formed" in onion.to_text()
    assert onion.paths[0].product is None


def test_work_has_a_limit(monkeypatch):
    """A product too large is not formed; of many large ones the first are."""
    x = leaf([1.0, 2.0, 3.0])
    graph = trace((x.exp() * x.sin()).sum())
    monkeypatch.setattr(sys.modules["handgrad.peeling.peeler"], "MOST_NUMBERS", 7)

    first, second = peel(graph, "x").paths
    monkeypatch.setattr(sys.modules["handgrad.peeling.products"], "MOST_WORK", 8)
    none = peel(graph, "x")

    assert first.product is not None
    assert second.product is None
    assert peel(graph, 0).product.item() == 1.0
    assert none.product is None
    assert none.gradient is not None


def test_long_chains_are_peeled_without_recursion():
    """Five thousand layers."""
    w = leaf(1.0)
    y = w
    for _ in range(5000):
        y = y * 1.0

    onion = peel(trace(y, names={"w": w}, values=True), "w")

    assert len(onion.layers) == 5000
    assert onion.product.item() == 1.0


def test_an_onion_shows_itself():
    """As text, as a table, with names escaped."""
    w = leaf(3.0)

    onion = peel(trace(w**2, names={"<w>": w}), "<w>")

    assert isinstance(onion, Onion)
    assert str(onion).split("\n")[-1] == (
        "d loss / d <w>: 1 path; sum of products 6; flow 6; same bits"
    )
    html = onion._repr_html_()
    assert "&lt;w&gt;" in html
    assert html.count("<tr>") == 2
    branching = peel(trace(w.sin() + w.exp()), "w")
    assert "→" in branching._repr_html_()
    assert "Add → Sin → w" in branching.to_text()


def test_the_distance_is_said_when_bits_differ():
    """nan has none."""
    onion = peel(trace(leaf(0.0).sqrt() * 0.0, names={}), 2)

    assert onion.same_bits
    assert math.isnan(onion.gradient.item())


# Bad input


@pytest.mark.parametrize(
    ("graph", "wrt", "error", "words"),
    [
        (lambda w: 3, "w", KindError, "object of type int. Call peel"),
        (lambda w: w * 2, "w", KindError, "object of type Tensor"),
        (lambda w: trace(w * 2, names={"w": w}), "v", InputError, "No node is called 'v'"),
        (lambda w: trace(w * 2, names={"w": w}), 7, InputError, "no node 7"),
        (lambda w: trace(w * 2, names={"w": w}), None, InputError, "by type NoneType"),
        (lambda w: trace(w * 2, values=False), 1, InputError, r"values=False. Call trace\(loss, v"),
    ],
)
def test_what_cannot_be_peeled_is_explained(graph, wrt, error, words):
    """What was seen, why, and what to type."""
    with pytest.raises(error, match=words):
        peel(graph(leaf(2.0)), wrt)


def test_frozen_tensors_have_no_onion():
    """The error says how to get one."""
    names = neuron()

    with pytest.raises(NotConnectedError, match=r"Set x.requires_grad_\(True\) before"):
        peel(trace(names["L"], names=names), "x")


def test_an_unused_output_is_not_connected():
    """Its node is there, but no path leads to it."""
    x = leaf([2.0, 3.0])
    first, second = x.split(1)

    with pytest.raises(NotConnectedError, match="this output of node 2 was not used"):
        peel(trace((first * 2).sum(), names={"second": second}), "second")


def test_graphs_without_numbers_say_why():
    """Freed, mutated, not to be asked, too large, hooked."""
    w = leaf([1.0, 2.0])
    h = w.exp()
    freed = h.sum()
    freed.backward()
    with pytest.raises(FreedGraphError, match="retain_graph=True"):
        peel(trace(freed), "w")

    h = w.exp()
    mutated = h.sum()
    h.add_(1)
    with pytest.raises(MutatedGraphError, match="changed in place"):
        peel(trace(mutated), "w")

    meta = torch.ones(2, device="meta", requires_grad=True)
    with pytest.raises(UnsupportedNodeError, match="'meta' have no numbers"):
        peel(trace((meta * 2).sum()), "meta")

    large = torch.ones(20_000, requires_grad=True)
    with pytest.raises(InputError, match=r"20001 numbers.*Call trace\(loss, values=True\)"):
        peel(trace(large.sum()), "large")


def test_complex_tensors_have_no_onion():
    """A convention is not a product of derivatives; real ends of complex graphs keep the flow."""
    q = leaf(1 + 1j)
    with pytest.raises(UnsupportedNodeError, match="conjugate Wirtinger"):
        peel(trace((q * q.conj()).real), "q")

    x = leaf(2.0)
    onion = peel(trace((torch.complex(x, x) ** 2).imag), "x")
    assert onion.product is None
    assert onion.gradient.item() == 8.0

    values, _ = torch.linalg.eigh(torch.complex(leaf([[2.0, 1.0], [1.0, 3.0]]), torch.zeros(2, 2)))
    onion = peel(trace((values * 2).sum(), names={"values": values}), "values")
    assert onion.product.tolist() == [2.0, 2.0]  # though the vectors beside them are complex


# Rounding: products in the dtype's own arithmetic

doubles = st.floats(allow_nan=False)


@pytest.mark.parametrize("dtype", FORMATS)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
@example(value=65519.999)
@example(value=65520.0)
@example(value=5.960464477539063e-08 * 1.5)
@example(value=-0.0)
def test_rounding_is_that_of_exact_arithmetic(dtype, value):
    """Once, to nearest, ties to even, gradual underflow, overflow to infinity."""
    expected = nearest(Fraction(value), FORMATS[dtype])

    rounded = rounder(dtype)(value)

    assert rounded == expected
    assert math.copysign(1, rounded) == math.copysign(1, value)


@given(doubles)
def test_rounding_to_single_is_what_the_machine_does(value):
    """struct packs as the hardware rounds."""
    assume(abs(value) < 3.4e38)

    assert rounder("float32")(value) == struct.unpack("f", struct.pack("f", value))[0]


floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(floats32, floats32)
def test_products_and_sums_have_torchs_bits(a, b):
    """One multiplication and one addition, in float32."""
    one, other = (Array(shape=(), dtype="float32", data=(v,)) for v in (a, b))

    for mine, theirs in (
        (product(one, other, ()), torch.tensor(a) * torch.tensor(b)),
        (total([one, other]), torch.tensor(a) + torch.tensor(b)),
    ):
        assert mine.item() == theirs.item()


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.data())
def test_products_are_matrix_products(rows, shared, columns, data):
    """Integers, so that torch's own order of sums does not matter."""
    draw = st.integers(-9, 9).map(float)

    def matrix(m, n):
        return data.draw(st.lists(draw, min_size=m * n, max_size=m * n))

    a, b = matrix(rows, shared), matrix(shared, columns)

    mine = product(
        Array(shape=(rows, shared), dtype="float64", data=tuple(a)),
        Array(shape=(shared, columns), dtype="float64", data=tuple(b)),
        (shared,),
    )

    expected = torch.tensor(a).reshape(rows, shared) @ torch.tensor(b).reshape(shared, columns)
    assert mine.tolist() == expected.tolist()


def test_every_sum_is_rounded():
    """Two half ulps, added one after the other, are lost in float32; added first they are not."""
    ones = Array(shape=(3,), dtype="float32", data=(1.0, 1.0, 1.0))
    parts = Array(shape=(3, 1), dtype="float32", data=(1.0, 2.0**-24, 2.0**-24))
    turned = Array(shape=(3, 1), dtype="float32", data=(2.0**-24, 2.0**-24, 1.0))

    assert product(ones, parts, (3,)).data == (1.0,)
    assert product(ones, turned, (3,)).data == (1.0 + 2.0**-23,)


def test_distances_and_bits():
    """Signed zeros differ in bits, not in size; nan is like nan, and like nothing else."""

    def array(*data):
        return Array(shape=(len(data),), dtype="float32", data=data)

    nan = math.nan
    assert distance(array(1.0, 2.0), array(1.0, 2.0 + 2**-22)) == 1
    assert distance(array(1.0, 2.0), array(1.0 + 2**-22, 2.0)) == 2
    assert distance(array(0.0), array(-0.0)) == 0
    assert not same_bits(array(0.0), array(-0.0))
    assert distance(array(nan), array(nan)) == 0
    assert same_bits(array(nan), array(nan))
    assert distance(array(nan), array(1.0)) is None
    assert not same_bits(array(nan), array(1.0))
    assert identity((2,), "float32").tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert identity((1, 1), "float32").shape == (1, 1)


# Random graphs

UNARY = [torch.sin, torch.tanh, torch.sigmoid, torch.exp, torch.neg, torch.square]
BINARY = [torch.add, torch.mul, torch.sub, torch.maximum]
SCALARS = st.floats(-1.5, 1.5, width=32)


@st.composite
def scalar_programs(draw):
    """Draw a branching program of scalars, as choices of operation and inputs."""
    count = draw(st.integers(1, 4))
    values = draw(st.lists(SCALARS, min_size=count, max_size=count))
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 99), st.integers(0, 99)),
            min_size=1,
            max_size=14,
        )
    )
    return values, steps, draw(st.sampled_from([torch.float32, torch.float64]))


def run(program):
    """Run a program; each step may use any earlier result, the last one is the loss."""
    values, steps, dtype = program
    leaves = [torch.tensor(value, dtype=dtype, requires_grad=True) for value in values]
    pool = list(leaves)
    for operation, i, j in steps:
        one, other = pool[-1 - i % min(len(pool), 4)], pool[j % len(pool)]
        pool.append(operation(one) if operation in UNARY else operation(one, other))
    return leaves, pool[-1]


def check_scalars(program):
    """Flow has the engine's bits; products lie within the rounding of their sum."""
    leaves, loss = run(program)
    assume(loss.grad_fn is not None)
    grads = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
    pairs = [(f"x{i}", one, g) for i, (one, g) in enumerate(zip(leaves, grads, strict=True))]
    used = [(name, one, grad) for name, one, grad in pairs if grad is not None]
    graph = trace(loss, names={name: one for name, one, _ in used}, values=True)

    for name, one, grad in used:
        onion = peel(graph, name, max_paths=200)

        assert same_bits(onion.gradient, replace(onion.gradient, data=(grad.item(),)))
        assert onion.path_count == graph.paths_count(name) == ways(loss, one)
        scale = sum(abs(path.product.item()) for path in onion.paths)
        if onion.paths and math.isfinite(scale) and math.isfinite(grad.item()):
            room = 100 * torch.finfo(one.dtype).eps * scale + 1e-30
            assert abs(onion.product.item() - grad.item()) <= room
            assert abs(onion.nodewise.item() - grad.item()) <= room


def ways(loss, one):
    """Count paths a second time: every edge carries the number one, on the live graph."""
    total, todo = 0, {loss.grad_fn: 1}
    while todo:
        node = max(todo, key=lambda n: n._sequence_nr() if n.next_functions else -1)
        count = todo.pop(node)
        if getattr(node, "variable", None) is one:
            total += count
        for source, _ in node.next_functions:
            if source is not None:
                todo[source] = todo.get(source, 0) + count
    return total


@given(scalar_programs())
@settings(max_examples=200, deadline=None)
def test_random_scalar_graphs(program):
    """Branching at random: the gradient to the last bit, the paths by another count."""
    check_scalars(program)


@pytest.mark.slow
@given(scalar_programs())
@settings(max_examples=4000, deadline=None)
def test_thousands_of_random_scalar_graphs(program):
    """The same, many times over."""
    check_scalars(program)


def six(one):
    """Take six numbers of a tensor, going round if it has fewer."""
    return one.flatten().repeat(6)[:6]


STEPS = {
    "add": lambda a, b: a + six(b).reshape(2, 3),
    "scale": lambda a, b: a * b.mean(),
    "outer": lambda a, b: torch.outer(six(a)[:2], six(b)[:3]),
    "matmul": lambda a, b: six(a).reshape(2, 3) @ six(b).reshape(3, 2) @ six(a).reshape(2, 3),
    "softmax": lambda a, b: a.softmax(-1) * b.amax(),
    "split": lambda a, b: torch.cat([*reversed(six(a).split(2))]).reshape(2, 3) * b.sum(),
    "norm": lambda a, b: a / (1 + b.square().sum()).sqrt(),
    "roll": lambda a, b: a.roll(1) - six(b)[0],
    "tanh": lambda a, b: torch.tanh(a).cumsum(0) + six(b)[1],
    "write": lambda a, b: a.clone().index_fill_(0, torch.tensor([0]), 0.5) + six(b)[2],
    "layer norm": lambda a, b: torch.layer_norm(a, a.shape[-1:]) * b.std(),
}


@st.composite
def tensor_programs(draw):
    """Draw a program over a few small tensors."""
    step = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9))
    seed = draw(st.integers(0, 2**16))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    return seed, dtype, draw(st.lists(step, min_size=1, max_size=6))


def check_tensors(program):
    """Every leaf's flow has the bits of its gradient."""
    seed, dtype, steps = program
    generator = torch.Generator().manual_seed(seed)
    leaves = [
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in ((2, 3), (3, 2), (5,))
    ]
    pool = list(leaves)
    for name, i, j in steps:
        pool.append(STEPS[name](six(pool[-1 - i % 2]).reshape(2, 3), pool[j % len(pool)]))
    loss = pool[-1].sum() + (pool[0] * 2).sum()
    grads = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
    used = {f"x{i}": one for i, one in enumerate(leaves) if grads[i] is not None}

    graph = trace(loss, names=used, values=True)

    for i, grad in enumerate(grads):
        if grad is not None:
            flow = graph.node(f"x{i}").gradients[0]
            assert same_bits(flow, replace(flow, data=tuple(grad.flatten().tolist())))


@given(tensor_programs())
@settings(max_examples=100, deadline=None)
def test_random_tensor_graphs(program):
    """Broadcasts, splits, products, in-place writes."""
    check_tensors(program)


@pytest.mark.slow
@given(tensor_programs())
@settings(max_examples=1000, deadline=None)
def test_thousands_of_random_tensor_graphs(program):
    """The same, many times over."""
    check_tensors(program)


def test_a_page_shows_an_onion_with_true_minus_signs_and_even_decimals():
    """Numbers stand under numbers; what four decimals cannot hold keeps its power of ten."""
    w = leaf(0.7)
    onion = peel(trace((torch.sigmoid(w) - 1.0) ** 2, names={"w": w}), "w")
    page = onion._repr_html_()

    assert f'<td class="r">{onion.gradient.item():.4f}</td>'.replace("-", "−") in page
    assert "-" not in re.sub(r"<[^>]*>", "", page)

    w = leaf(1e-9)
    assert "e−" in peel(trace(w * w, names={"w": w}), "w")._repr_html_()


def said(call, error):
    """Return the whole text of an error, by the innermost class that is raised."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    return str(caught.value)


def test_every_message_to_its_last_word():
    """What was seen, why, and what to type."""
    w = leaf(2.0)
    first, second = (x := leaf([2.0, 3.0])).split(1)
    q = leaf(1 + 1j)
    names = neuron()
    graph = trace(names["L"], names=names)

    assert said(
        lambda: peel(trace((first * 2).sum(), names={"s": second}), "s"), NotConnectedError
    ) == (
        "No path leads from the loss to 's': this output of node 2 was not used. Compute the loss "
        "from it, or peel another tensor."
    )
    assert said(lambda: peel(3, "w"), KindError) == (
        "peel() takes the graph apart that trace() read, but got an object of type int. Call "
        'peel(trace(loss), "w").'
    )
    assert said(lambda: peel(trace(w * 2, values=False), 1), InputError) == (
        "This graph has no local derivatives to peel. It was traced with values=False. Call "
        "trace(loss, values=True)."
    )
    assert said(lambda: peel(graph, "x"), NotConnectedError) == (
        "'x' is a constant here: it requires no gradient, so none flows to it. Set "
        "x.requires_grad_(True) before computing the loss to see one."
    )
    assert said(lambda: peel(trace((q * q.conj()).real), "q"), UnsupportedNodeError) == (
        "'q' is complex. PyTorch's gradient of a complex tensor is a convention (the conjugate "
        "Wirtinger derivative), not a product of local derivatives. Read it from "
        "graph.node('q').gradients, or peel the real and imaginary part."
    )
    assert said(lambda: peel(trace(x.exp().sum() + x.sum()), "x", groups={}), InputError) == (
        "Layers can be grouped only where exactly one path leads to the tensor, and not to the "
        "loss itself. Leave groups out and look at the paths, or peel a tensor beyond the branch."
    )
    assert said(lambda: peel(graph, "w", groups=["L"]), KindError) == (
        "Groups are given by name, each as a list of layers, but got ['L']. Write "
        'groups={"loss": ["L", "e"], "affine": ["z", "u"]}.'
    )
    assert said(lambda: peel(graph, "w", groups={"a": ["L", "e", "p", "z"]}), InputError) == (
        "The layer u (Mul) is in no group. Put every layer on the way into exactly one group, by "
        'its name or key, as in groups={"loss": ["L", "e"]}.'
    )
    wrong = {"b": ["p", "z", "u"], "a": ["L", "e"]}
    assert said(lambda: peel(graph, "w", groups=wrong), InputError) == (
        "Groups must follow the layers from the loss inwards, but the layers' groups are a, a, b, "
        "b, b. Name the outermost group first, and only neighbours together."
    )


def test_a_layer_without_a_name_is_called_by_its_node():
    """In the message too."""
    w = leaf(2.0)
    h = w * 3

    message = said(lambda: peel(trace(h.exp().sin(), names={"h": h}), 3, groups={}), InputError)

    assert message.startswith("The layer node 0 (Sin) is in no group.")


def test_graphs_without_numbers_say_only_why():
    """A freed, a changed and a meta graph get no advice that would not help."""
    w = leaf([1.0, 2.0])
    freed = w.exp().sum()
    freed.backward()
    meta = torch.ones(2, device="meta", requires_grad=True)

    for loss, error in ((freed, FreedGraphError), ((meta * 2).sum(), UnsupportedNodeError)):
        message = said(lambda loss=loss: peel(trace(loss), 1), error)
        (remark,) = trace(loss).remarks
        assert remark.startswith("Only the structure")
        assert message == f"This graph has no local derivatives to peel. {remark}"


def fans(*widths):
    """Return a loss with as many paths as the product of the widths."""
    y = w = leaf(1.0)
    for width in widths:
        y = torch.stack([y * 1.0 for _ in range(width)]).sum()
    return trace(y, names={"w": w})


def test_a_thousand_paths_are_listed_and_no_more():
    """Unless more are asked for."""
    thousand, more = fans(10, 10, 10), fans(7, 11, 13)

    assert len(peel(thousand, "w").paths) == 1000
    assert peel(more, "w").paths == ()
    assert peel(more, "w").path_count == 1001
    assert len(peel(more, "w", max_paths=1001).paths) == 1001
    assert peel(more, "w", max_paths=1000).product.item() == 1001.0


def branching():
    """Return graphs whose paths share beginnings, of several shapes and outputs."""
    m, v = leaf([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]]), leaf([0.5, -2.0, 1.5])
    h = m @ v
    top, _ = h.sort()
    one, two = (m * 2).split([1, 2], dim=1)
    deep = (h.exp() + h.sin()).cos()
    return {
        "matrix and vector": (h * h.sum()).sum() + (m.sum(0) * v).sum(),
        "sorted": (top * torch.tensor([1.0, 3.0]) + h).prod(),
        "two outputs": (one.sum() * two.exp()).sum() + two.sum().sin() * one.prod(),
        "late branch": (deep * deep.sum()).sum() + deep.prod(),
    }


@pytest.mark.parametrize("name", branching())
def test_every_path_is_the_product_of_its_own_edges(name):
    """However much of the way the path before had in common with it."""
    graph = trace(branching()[name], names={})
    for leaf_node in graph.leaves:
        onion = peel(graph, leaf_node.key)
        assert len(onion.paths) == onion.path_count >= 2
        for path in onion.paths:
            running, place = identity((), "float32"), (0, 0)
            for key, slot in zip(path.nodes, path.slots, strict=False):
                node = graph.nodes[key]
                edge = node.edges[slot]
                shape = node.outputs[place[1]].shape
                running = product(running, edge.local_of(place[1]), shape)
                place = (edge.source, edge.output)
            assert path.nodes[-1] == place[0] == leaf_node.key
            assert path.product == running


def test_work_may_be_just_as_much_as_allowed(monkeypatch):
    """The limit itself is still formed, and one number more ends the list of products."""
    x = leaf([1.0, 2.0, 3.0])
    graph = trace((x.exp() * x.sin()).sum())
    module = sys.modules["handgrad.peeling.peeler"]

    monkeypatch.setattr(sys.modules["handgrad.peeling.products"], "MOST_WORK", 9)
    assert peel(graph, "x").product is not None
    monkeypatch.setattr(sys.modules["handgrad.peeling.products"], "MOST_WORK", 8)
    assert peel(graph, "x").product is None
    monkeypatch.undo()

    formed = []
    for most in range(24):
        monkeypatch.setattr(module, "MOST_NUMBERS", most)
        paths = peel(graph, "x").paths
        formed.append(sum(path.product is not None for path in paths))
    assert formed == sorted(formed)
    numbers = [3, 3, 3, 3, 3, 3]  # the sum, then a product and a function on either path
    assert formed.index(1) == sum(numbers[:2])
    assert formed.index(2) == formed.index(1) + 6


def test_numbers_are_counted_as_they_are_formed(monkeypatch):
    """A path begins with two single numbers here and ends with two times three."""
    x = leaf([1.0, 2.0, 3.0])
    graph = trace((x.exp().sum() + x.sin().sum()).log())
    for most, formed in ((4, 0), (5, 1), (11, 1), (12, 2)):
        monkeypatch.setattr(sys.modules["handgrad.peeling.peeler"], "MOST_NUMBERS", most)
        assert sum(p.product is not None for p in peel(graph, "x").paths) == formed, most


def test_after_two_hundred_thousand_numbers_no_path_is_multiplied():
    """The first of two paths has 409 numbers, then 409 for every number of x: one too many."""
    x = torch.ones(488, requires_grad=True)

    first, second = peel(trace(torch.dot(x, x) * torch.ones(409)), "x").paths

    assert 409 + 409 * 488 == 200_001
    assert len(first.product.data) == 409 * 488
    assert second.product is None


def test_no_groups_were_asked_for():
    """Then there is an empty tuple, also where there are paths and no layers."""
    w = leaf(2.0)

    assert peel(trace(w.exp()), "w").groups == ()
    assert peel(trace(w.exp() + w), "w").groups == ()


def test_layers_of_a_node_with_several_outputs_have_their_own_names():
    """The second half of a split is called by its own name, and an unnamed one by none."""
    x = leaf([2.0, 3.0, 4.0, 5.0])
    one, two = x.split(2)

    named = peel(trace((two * 2).sum(), names={"one": one, "two": two, "x": x}), "x")
    unnamed = peel(trace((two * 2).sum(), names={"one": one, "x": x}), "x")

    assert [layer.name for layer in named.layers] == [None, None, "two"]
    assert [layer.name for layer in unnamed.layers] == [None, None, None]
    assert named.paths[0].names == ("Sum", "Mul", "two", "x")
    assert unnamed.paths[0].names == ("Sum", "Mul", "Split", "x")
    assert [layer.slot for layer in named.layers] == [0, 0, 0]
    assert named.layers[-1].local.shape == (2, 4)
    assert named.layers[-1].product.tolist() == [0.0, 0.0, 2.0, 2.0]


@pytest.mark.parametrize("most", [-1, 2.5, None, "all", True])
def test_what_is_no_number_of_paths_is_refused(most):
    w = leaf(3.0)

    with pytest.raises(InputError, match="max_paths is a number of paths"):
        peel(trace(w * 2.0, names={"w": w}), "w", max_paths=most)


@pytest.mark.parametrize("groups", [3, "L", ["L"], {"loss": "L"}, {"loss": 0}, {"loss": None}])
def test_what_are_no_groups_is_refused(groups):
    w = leaf(3.0)

    with pytest.raises(KindError, match="Groups are given by name, each as a list of layers"):
        peel(trace(w * 2.0, names={"w": w}), "w", groups=groups)


@pytest.mark.parametrize("norm", [torch.nn.LayerNorm(8), torch.nn.GroupNorm(2, 8)])
def test_what_is_left_of_terms_that_cancel_is_called_rounding(norm):
    """The outputs of a norm sum to a constant; no number of ulps would mean anything."""
    torch.manual_seed(0)
    x = torch.randn(3, 8, requires_grad=True)
    onion = peel(trace(norm(x).sum()), "x")

    assert "ulps apart" not in str(onion)
    if onion.cancelled is not None:
        assert "cancel, and both are rounding errors" in str(onion)
        assert onion.cancelled > 0.01


def test_terms_that_do_not_cancel_keep_their_distance():
    x = torch.tensor([0.3, 0.7], requires_grad=True)

    assert peel(trace((x.sin() * x).sum()), "x").cancelled is None
