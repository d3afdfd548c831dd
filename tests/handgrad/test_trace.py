"""What trace() reads, what it leaves alone, and what it answers to bad input."""

import gc
import json
import linecache
import pickle
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import warnings
import weakref

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from handgrad import (
    FreedGraphError,
    Graph,
    GraphTooLargeError,
    InputError,
    KindError,
    MutatedGraphError,
    NameClashError,
    NoGraphError,
    UnsupportedNodeError,
    trace,
)
from handgrad.tracing.discovery import discover
from handgrad.tracing.engine import depth
from handgrad.tracing.stack import ALWAYS_SAFE, safe_depth, stack_size
from handgrad.tracing.structure import walk
from handgrad.tracing.sweep import sweep


def leaf(value, **options):
    return torch.tensor(value, requires_grad=True, **options)


def told(call, error):
    """Return the whole text of an error of exactly this class."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    return str(caught.value)


def seed_neuron():
    """Return the neuron of the book's first chapters, with all its variables."""
    w, b = leaf(3.0), leaf(0.5)
    x, y = torch.tensor(2.0), torch.tensor(1.0)
    u = w * x
    z = u + b
    e = z - y
    return {"w": w, "b": b, "x": x, "y": y, "u": u, "z": z, "e": e, "L": e**2}


# What is read


def test_the_seed_neuron_in_the_order_of_the_engine():
    """Pow, Sub, Add, the bias, Mul, the weight: five live edges and two constants."""
    names = seed_neuron()

    graph = trace(names["L"], names=names)

    assert [node.op for node in graph.nodes] == [
        "Pow",
        "Sub",
        "Add",
        "AccumulateGrad",
        "Mul",
        "AccumulateGrad",
    ]
    assert [node.name for node in graph.nodes] == ["L", "e", "z", "b", "u", "w"]
    assert [node.recorded for node in graph.nodes][:2] == ["PowBackward0", "SubBackward0"]
    live = [edge for _, edge in graph.edges if edge.source is not None]
    assert len(live) == 5
    assert [edge.constant.name for _, edge in graph.edges if edge.source is None] == ["y", "x"]
    assert [leaf.name for leaf in graph.leaves] == ["b", "w"]
    assert graph.root is graph.nodes[0]
    assert [node.values[0].item() for node in graph.nodes] == [30.25, 5.5, 6.5, 0.5, 6.0, 3.0]
    assert [node.gradients[0].item() for node in graph.nodes] == [1.0, 11.0, 11.0, 11.0, 11.0, 22.0]
    assert [edge.local.item() for edge in live] == [11.0, 1.0, 1.0, 1.0, 2.0]
    assert [edge.flow.item() for edge in live] == [11.0, 11.0, 11.0, 11.0, 22.0]


def test_an_input_used_twice_has_two_edges():
    """a * a has two edges to a, one per slot, and the gradient is their sum."""
    a = leaf(3.0)

    mul = trace(a * a).root

    assert [(edge.slot, edge.source, edge.flow.item()) for edge in mul.edges] == [
        (0, 1, 3.0),
        (1, 1, 3.0),
    ]


def test_leaves_that_are_ready_together_are_taken_by_slot():
    """Nothing depends on their order, which is why the readable one is told."""
    a, b, c, d = (leaf(1.0) for _ in range(4))

    graph = trace(torch.stack([a, b, c, d]))

    assert [node.name for node in graph.leaves] == ["a", "b", "c", "d"]


def test_every_output_of_an_operation_has_its_own_numbers():
    """split has one node, two tensors, two names, two gradients."""
    x = leaf([1.0, 2.0, 3.0, 4.0])
    head, tail = x.split(2)

    graph = trace((head * 2 + tail * 5).sum())

    split = graph.node("tail")
    assert split.op == "Split"
    assert split.names == (("head",), ("tail",))
    assert split.name == "head"
    assert graph.node("x").names == ()
    assert graph.place("head") == (split.key, 0)
    assert graph.place("tail") == (split.key, 1)
    assert [value.data for value in split.values] == [(1.0, 2.0), (3.0, 4.0)]
    assert [gradient.data for gradient in split.gradients] == [(2.0, 2.0), (5.0, 5.0)]
    (edge,) = split.edges
    assert edge.local_of(0).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert edge.local_of(1).tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_the_traced_tensor_may_be_a_later_output():
    """Tracing the second half starts at output 1."""
    x = leaf([1.0, 2.0])
    _, second = x.split(1)

    graph = trace(second)

    assert graph.output == 1
    assert graph.node("x").gradients[0].data == (0.0, 1.0)
    assert graph.root.gradients[0] is None
    assert graph.root.gradients[1].data == (1.0,)


def test_shapes_dtypes_and_devices():
    """Each output says what it is."""
    x = leaf([[1.0, 2.0]], dtype=torch.float64)

    specs = [node.outputs[0] for node in trace(x.float().sum()).nodes]

    assert [(spec.shape, spec.dtype, spec.device) for spec in specs] == [
        ((), "float32", "cpu"),
        ((1, 2), "float32", "cpu"),
        ((1, 2), "float64", "cpu"),
    ]


def test_saved_things_are_named_and_described():
    """A product keeps the other factor; a power keeps its base and its exponent."""
    w = leaf([1.0, 2.0])
    loss = ((w * torch.tensor([3.0, 4.0])) ** 3).sum()

    total, power, product, _ = trace(loss).nodes

    assert [(s.name, s.kind, s.setting) for s in power.saved] == [
        ("exponent", "setting", "3"),
        ("self", "tensor", None),
    ]
    assert [(s.name, s.spec.shape) for s in product.saved] == [("other", (2,))]
    assert [s.name for s in total.saved] == ["self_sym_sizes"]
    rough = trace(loss, values=False)
    assert [s.name for s in rough.nodes[2].saved] == ["other", "self"]


def test_saved_lists_are_not_taken_for_one_tensor():
    """An operation that keeps several tensors under one name says so."""
    x, row, column = leaf([[1.0, 2.0]]), torch.tensor([0]), torch.tensor([1])

    both, one = trace(x[row, column].sum()).nodes[1], trace(x[row].sum()).nodes[1]

    assert (both.saved[0].name, both.saved[0].kind) == ("indices", "tensors")
    assert (one.saved[0].name, one.saved[0].kind) == ("indices", "tensor")


def test_the_line_that_recorded_a_node_is_kept_by_anomaly_mode():
    """File, line and code, without the folders of this machine."""
    w = leaf(1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anomaly mode says that it is slow
        with torch.autograd.set_detect_anomaly(True, check_nan=False):
            doubled = w * 2
    after = doubled + 1

    graph = trace(after)

    assert graph.nodes[0].line is None
    assert graph.node("doubled").line.endswith(": doubled = w * 2")
    assert graph.node("doubled").line.startswith("test_trace.py:")


def test_the_line_is_the_users_not_torchs():
    """Frames inside torch are passed over."""
    net = nn.Linear(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.set_detect_anomaly(True, check_nan=False):
            out = net(torch.ones(1, 1))

    assert trace(out).root.line.endswith(": out = net(torch.ones(1, 1))")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("/tmp/ipykernel_12/345.py", "cell:2: y = w * 3"),
        ("/home/ann/torch_lessons/net.py", "net.py:2: y = w * 3"),
        ("/home/ann/torch/net.py", None),
    ],
)
def test_a_line_of_a_notebook_has_no_file(file, told, monkeypatch):
    """It is in a cell; and a folder whose name only begins with torch is the user's."""
    code = "\ny = w * 3\n"
    monkeypatch.setitem(linecache.cache, file, (len(code), None, code.splitlines(True), file))
    known = {"w": leaf(1.0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.set_detect_anomaly(True, check_nan=False):
            exec(compile(code, file, "exec"), known)

    line = trace(known["y"]).root.line

    assert line == told or (told is None and line.startswith("test_trace.py:"))


# Names


def test_names_come_from_the_callers_variables():
    """Tensors by identity, never by value; private names are passed over."""
    weight = leaf(2.0)
    same_number = leaf(2.0)
    _hidden = weight

    graph = trace(weight * 3)

    assert graph.nodes[1].name == "weight"
    assert "same_number" not in graph.to_text()
    assert "_hidden" not in graph.to_text()
    assert graph.unplaced == ()
    assert same_number is not weight


def test_two_names_of_one_tensor_are_sorted_and_both_found():
    """The first is shown; the other is an alias."""
    zebra = ant = leaf(2.0)

    graph = trace(zebra * 3)

    assert (graph.nodes[1].name, graph.nodes[1].aliases) == ("ant", ("zebra",))
    assert graph.node("zebra") is graph.node("ant")
    assert ant is zebra


def test_names_from_a_module_with_the_module_that_uses_them():
    """Parameters have their full names; operations know their module."""
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))

    graph = trace(net(torch.ones(1, 2)).sum(), names=net)

    assert {node.name for node in graph.leaves} == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert [node.module for node in graph.nodes if node.op == "Addmm"] == ["2", "0"]
    assert graph.root.module is None
    structure = trace(net(torch.ones(1, 2)).sum(), names=net, values=False)
    assert [n.module for n in structure.nodes] == [n.module for n in graph.nodes]


def test_an_operation_on_a_view_of_a_parameter_is_its_modules():
    """A layer without a bias multiplies by its transposed weight."""
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False))

    graph = trace(net(torch.ones(1, 2)).sum(), names=net)

    homes = [(node.op, node.module) for node in graph.nodes if node.kind == "operation"]
    assert homes == [
        ("Sum", None),
        ("Mm", "2"),
        ("T", "2"),
        ("Relu", None),
        ("Mm", "0"),
        ("T", "0"),
    ]
    alone = trace(net[0](torch.ones(1, 2)).sum(), names=net[0])
    assert [node.module for node in alone.nodes] == [None] * 4


def test_a_module_among_the_callers_variables_names_its_parameters():
    """net.weight; a variable's own name comes before its name in a module."""
    net = nn.Linear(2, 1)
    slope = net.weight

    graph = trace(net(torch.ones(1, 2)).sum())

    assert graph.node("slope").aliases == ("net.weight",)
    assert graph.node("net.bias").kind == "leaf"
    assert slope is net.weight


def test_tied_parameters_and_buffers_have_each_of_their_names():
    """A module would tell each of them once only."""
    net, data = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2)), torch.ones(2)
    net[1].weight = net[0].weight
    net.register_buffer("zebra", data)
    net.register_buffer("ant", data)

    graph = trace((net(torch.ones(1, 2)) * net.zebra).sum(), names=net)

    assert graph.node("0.weight").aliases == ("1.weight",)
    assert graph.nodes[1].edges[1].constant.name == "ant"


def test_names_may_be_pairs():
    """model.named_parameters() can be given as it is."""
    net = nn.Linear(2, 1)

    graph = trace(net(torch.ones(1, 2)).sum(), names=net.named_parameters())

    assert {node.name for node in graph.leaves} == {"weight", "bias"}


def test_an_empty_mapping_gives_no_names():
    """Nothing of the caller's variables is used then."""
    w = leaf(1.0)

    graph = trace(w * 2, names={})

    assert all(node.name is None for node in graph.nodes)
    assert [node.values[0].item() for node in graph.nodes] == [2.0, 1.0]


def test_a_name_for_a_tensor_that_is_not_there_is_said():
    """A tracked stranger warns; an unplaced constant is only listed."""
    w, stranger, data = leaf(1.0), leaf(2.0), torch.tensor(5.0)

    with pytest.warns(UserWarning, match="no place for stranger"):
        graph = trace(w * 2, names={"w": w, "stranger": stranger, "data": data})

    assert graph.unplaced == ("stranger", "data")
    with pytest.raises(InputError, match="its tensor has no place in this graph"):
        graph.node("stranger")


# Constants


def test_a_product_knows_its_constant_and_a_sum_can_be_fitted():
    """What was kept is certain; what alone gives the recorded bits is said to fit."""
    names = seed_neuron()

    graph = trace(names["L"], names=names)

    x, y = (graph.node(name).edges[1].constant for name in ("u", "e"))
    assert (x.kind, x.name, x.value.item(), x.evidence) == ("frozen", "x", 2.0, "saved")
    assert (x.spec.shape, x.spec.dtype, x.spec.device) == ((), "float32", "cpu")
    assert (y.kind, y.name, y.value.item(), y.evidence) == ("frozen", "y", 1.0, "fits")


def test_a_fitting_constant_must_be_the_only_one():
    """Two tensors that both fit leave it unknown; so does an unknown result."""
    p = leaf(3.0)
    y, twin = torch.tensor(1.0), torch.tensor(1.0)
    difference = p - y

    several = trace(difference, names={"p": p, "d": difference, "y": y, "twin": twin})
    blind = trace((p - y).exp(), names={"y": y})
    wrong_shape = trace(p - y, names={"p": p, "m": torch.ones(2, 3)})

    pair = p * torch.ones(2)
    unfit = trace(pair - y, names={"p": p, "pair": pair, "m": torch.ones(3)})

    assert unfit.root.edges[1].constant.kind == "unknown"
    assert several.root.edges[1].constant.kind == "unknown"
    assert blind.nodes[1].edges[1].constant.kind == "unknown"
    assert wrong_shape.root.edges[1].constant.kind == "unknown"


def test_of_several_names_of_a_constant_the_plainest_is_told():
    """As for leaves: a variable's own name comes before its name in a module."""
    w, x = leaf(3.0), torch.tensor(2.0)
    h = w * x
    known = {"a.b.x": x, "z.x": x, "zz": x, "z": x, "h": h}

    total, product, _ = trace(h + x, names=known).nodes

    assert product.edges[1].constant.name == "z"
    assert total.edges[1].constant.name == "z"


def test_a_constant_that_cannot_be_added_hides_no_other():
    """The first is passed over, the second fits."""
    pair, y = leaf([3.0, 4.0]), torch.tensor(1.0)
    difference = pair - y
    known = {"pair": pair, "difference": difference, "a": torch.ones(3), "y": y}

    assert trace(difference, names=known).root.edges[1].constant.name == "y"


def test_scaled_sums_are_fitted_with_their_factor():
    """alpha belongs to the recorded operation."""
    p, y = leaf(3.0), torch.tensor(1.5)
    first = torch.add(y, p, alpha=2)

    constant = trace(first).root.edges[0].constant

    assert (constant.name, constant.evidence) == ("y", "fits")


def test_a_constant_of_another_dtype_does_not_fit():
    """The sum would have another dtype than the recorded one."""
    p, y = leaf([3.0, 4.0]), torch.tensor([1.0, 1.0])
    difference = p - y
    known = {"p": p, "difference": difference, "y": y, "double": y.double()}

    assert trace(difference.sum(), names=known).nodes[1].edges[1].constant.name == "y"


def test_unnamed_numbers_are_data():
    """A literal factor is known by value; a literal summand is not known."""
    w = leaf(3.0)

    add, mul, _ = trace(w * 2.0 + 1.0).nodes

    assert mul.edges[1].constant.kind == "data"
    assert mul.edges[1].constant.value.item() == 2.0
    assert add.edges[1].constant.kind == "unknown"
    assert add.edges[1].constant.value is None


def test_a_frozen_layer_is_recognised_by_its_memory():
    """The transposed weight that a layer keeps is a view of the named parameter."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    net[1].requires_grad_(False)

    graph = trace(net(torch.ones(1, 2)).sum(), names=net)

    (addmm,) = [n for n in graph.nodes if n.op == "Addmm" and n.edges[0].source is None]
    bias, _, weight = addmm.edges
    assert (weight.constant.kind, weight.constant.name) == ("frozen", "1.weight")
    assert bias.constant.kind == "unknown"
    assert graph.unplaced == ()


def test_a_kept_input_of_an_uncommon_operation_is_matched_by_memory():
    """One constant edge and one kept named tensor: it is that tensor; nameless, nobody knows."""
    x, table = leaf([0.5, 0.25]), torch.tensor([1.0, 2.0])
    total = torch.xlogy(table, x).sum()

    assert trace(total).nodes[1].edges[0].constant.name == "table"
    assert trace(total, names={}).nodes[1].edges[0].constant.kind == "unknown"


def test_a_kept_input_is_matched_only_where_one_constant_could_be_it():
    """An uncommon operation of three inputs: one constant is known, two could be either."""
    x, weight = leaf([[1.0, 2.0]]), leaf([[[1.0], [3.0]]])
    data = torch.tensor([[5.0]])

    def constants(output):
        nodes = trace(output.sum(), names={"data": data}).nodes
        (edges,) = [node.edges for node in nodes if node.op == "Trilinear"]
        return [edge.constant and edge.constant.name for edge in edges]

    assert constants(nn.functional.bilinear(x, data, weight)) == [None, None, "data"]
    assert constants(nn.functional.bilinear(x, data, weight.detach())) == [None, None, None]


def test_equal_numbers_elsewhere_are_not_taken_for_the_constant():
    """Identity is memory, not value."""
    w, x = leaf([1.0, 2.0]), torch.tensor([3.0, 4.0])
    impostor = x.clone()

    constant = trace((w * x).sum(), names={"impostor": impostor}).nodes[1].edges[1].constant

    assert constant.kind == "data"
    assert constant.value.data == (3.0, 4.0)


def test_a_constant_without_numbers_is_nobodys():
    """No memory, no identity."""
    x, nothing = torch.ones(0, requires_grad=True), torch.ones(0)

    constant = trace((x * nothing).sum()).nodes[1].edges[1].constant

    assert (constant.kind, constant.name) == ("data", None)


def test_the_same_memory_read_otherwise_is_another_tensor():
    """A view as integers is not the factor."""
    w, x = leaf([1.0, 2.0]), torch.tensor([3.0, 4.0])

    constant = trace((w * x).sum(), names={"bits": x.view(torch.int32)}).nodes[1].edges[1].constant

    assert constant.kind == "data"


# Size


def test_large_tensors_leave_shapes_only_and_it_is_said():
    """auto reads small graphs; True reads all."""
    w = torch.ones(200, 100, requires_grad=True)
    loss = (w * 2).sum()

    few, every = trace(loss), trace(loss, values=True)

    assert (few.detail, few.reason) == ("structure", "large")
    assert "40001 numbers" in few.remarks[0]
    assert few.node("w").values == ()
    assert every.detail == "values"
    assert set(every.node("w").gradients[0].data) == {2.0}
    assert every.root.edges[0].local is not None  # 1 x 20,000 numbers
    assert every.nodes[1].edges[0].local is None  # 20,000 x 20,000 numbers


def test_many_nodes_leave_the_structure_only():
    """A thousand and one nodes are too many to read by themselves."""
    y = w = leaf(1.0)
    for _ in range(1000):
        y = y * 1.0

    graph = trace(y)

    assert (graph.reason, len(graph)) == ("large", 1001)
    assert "1001 nodes" in graph.remarks[0]
    assert graph.node("w").key == 1000
    assert w is not y


def test_a_thousand_nodes_and_sixteen_thousand_numbers_are_still_read():
    """The limits themselves are within."""
    y = leaf(1.0)
    for _ in range(999):
        y = y * 1.0
    w = torch.ones(16_384, requires_grad=True)

    assert trace(y).detail == "values"
    assert (graph := trace(w * 1.0)).detail == "structure"  # two such tensors
    assert graph.remarks == (
        "Only the structure was read: the graph has 32768 numbers in its tensors (more than "
        "16384). Call trace(loss, values=True) to read the numbers too.",
    )
    halves = torch.ones(8192, requires_grad=True) * 1.0
    assert trace(halves).detail == "values"
    one_more = torch.ones(5461, requires_grad=True).sin().sin()  # 3 x 5461 = 16,383
    assert trace(one_more.sum()).detail == "values"
    assert trace(one_more.sum() * 1.0).detail == "structure"
    assert trace(y * 1.0).remarks == (
        "Only the structure was read: the graph has 1001 nodes (more than 1000). "
        "Call trace(loss, values=True) to read the numbers too.",
    )


@pytest.mark.parametrize(("count", "read"), [(1024, True), (1025, False)])
def test_a_tensor_of_a_thousand_numbers_is_read_by_itself(count, read):
    """And each number of a larger one only on request."""
    w = torch.ones(count, requires_grad=True)
    loss = (w * 2.0).sum()

    assert (trace(loss).node("w").values[0] is not None) is read
    assert (trace(loss).node("w").gradients[0] is not None) is read
    assert trace(loss, values=True).node("w").values[0] is not None


@pytest.mark.parametrize(
    ("values", "side", "read"),
    [("auto", 64, True), ("auto", 65, False), (True, 256, True), (True, 257, False)],
)
def test_a_jacobian_has_a_largest_size(values, side, read):
    """4,096 numbers by itself, 65,536 on request; one row or column more is left out."""
    w = torch.ones(side, requires_grad=True)

    graph = trace((w * 2.0).sum(), values=values)

    assert (graph.nodes[1].edges[0].local is not None) is read


def test_one_output_may_be_too_large_and_the_next_is_not():
    """70 rows of 71 numbers are left out, one row of them is told."""
    head, tail = torch.ones(71, requires_grad=True).split([70, 1])

    split = trace(head.sum() * tail.sum(), names={"head": head}).node("head")

    assert split.edges[0].local_of(0) is None
    assert split.edges[0].local_of(1).shape == (1, 71)


def test_one_number_more_than_a_jacobian_may_have():
    for values, most in (("auto", 4096), (True, 65_536)):
        sizes = {
            count: trace(torch.ones(count, requires_grad=True).sum() * 1.0, values=values)
            for count in (most, most + 1)
        }
        kept = {count: graph.nodes[1].edges[0].local for count, graph in sizes.items()}
        assert kept[most] is not None
        assert kept[most + 1] is None


def test_structure_can_be_asked_for():
    """No numbers, but all names, shapes and edges, as with values."""
    names = seed_neuron()

    rough, fine = trace(names["L"], names=names, values=False), trace(names["L"], names=names)

    assert (rough.detail, rough.reason, rough.remarks) == ("structure", "asked", ())
    for a, b in zip(rough.nodes, fine.nodes, strict=True):
        assert (a.key, a.op, a.name, a.outputs) == (b.key, b.op, b.name, b.outputs)
        assert [(e.slot, e.source, e.output) for e in a.edges] == [
            (e.slot, e.source, e.output) for e in b.edges
        ]
        assert all(edge.constant.kind == "unknown" for edge in a.edges if edge.source is None)


TWICE = {
    "a product": lambda a: a * a,
    "a sum": lambda a: a + a,
    "a matrix product": lambda a: a.reshape(1, 1) @ a.reshape(1, 1),
    "two outputs": lambda a: torch.addcmul(a, *a.expand(2).chunk(2)),
    "again and again": lambda a: (a * a) * (a * a),
}


@pytest.mark.parametrize("build", TWICE.values(), ids=TWICE)
def test_the_structure_alone_keeps_both_edges_to_one_input(build):
    """Slots, sources and outputs, and so the count of paths, need no values."""
    a = leaf([3.0])
    loss = build(a).sum()

    rough, fine = trace(loss, names={"a": a}, values=False), trace(loss, names={"a": a})

    for one, other in zip(rough.nodes, fine.nodes, strict=True):
        assert [(e.slot, e.source, e.output) for e in one.edges] == [
            (e.slot, e.source, e.output) for e in other.edges
        ]
    assert rough.paths_count("a") == fine.paths_count("a") > 1


def test_vectors_have_local_derivatives_but_no_flow():
    """backward() would not start from them either."""
    w = leaf([1.0, 2.0])

    graph = trace(w**2)

    assert graph.root.edges[0].local.tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert graph.root.edges[0].flow is None
    assert graph.node("w").gradients == ()
    assert "No gradient flows: the traced tensor is of shape (2,)" in graph.remarks[0]


# What is left alone


def test_a_graph_keeps_no_activation_and_no_node_alive():
    """When the tensors go, everything goes, whatever was read."""
    for values in (False, "auto", True):
        w = torch.ones(50, requires_grad=True)
        hidden = w.exp()
        gone = [weakref.ref(hidden), weakref.ref(w)]

        graph = trace((hidden * hidden).sum(), values=values)
        del hidden, w
        gc.collect()

        assert [one() for one in gone] == [None, None]
        assert len(graph) == 4


def test_a_graph_costs_at_most_1500_bytes_a_node():
    """Told out as objects, with all that structure knows."""
    y = torch.ones(4, requires_grad=True)
    for _ in range(2500):
        y = torch.sin(y) * 1.5
    loss = y.sum()
    trace(loss, values=False)
    tracemalloc.start()
    try:
        graph = trace(loss, values=False)
        compact = tracemalloc.get_traced_memory()[0] / len(graph)
        told = len(graph.nodes)
        full = tracemalloc.get_traced_memory()[0] / told
    finally:
        tracemalloc.stop()

    assert compact < 400
    assert full < 1500


def test_modes_of_the_caller_are_as_before():
    """Inference mode, no_grad, autocast and function modes neither disturb nor change."""
    w = leaf([1.0, 2.0])
    loss = (w @ w) * 2
    plain = trace(loss)

    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        inside = trace(loss)
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
    with torch.no_grad():
        quiet = trace(loss)
        assert not torch.is_grad_enabled()
    calls = []

    class Spy(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            calls.append(function.__name__)
            return function(*args, **(kwargs or {}))

    with Spy():
        spied = trace(loss)

    assert inside == quiet == spied == plain
    assert "mul" not in calls


def test_a_sweep_computes_as_the_engine_in_any_mode():
    """Outside of trace() too: without history, in the dtype of the graph."""
    w = leaf([1.0, 2.0])
    loss = (w.exp() * w.exp()).sum()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        visits = list(sweep(walk(loss.grad_fn), torch.ones(())))

    loss.backward()

    ((_, (arrived,), _),) = [visit for visit in visits if not visit[2]]
    assert torch.equal(arrived, w.grad)
    assert not arrived.requires_grad


def test_an_error_restores_the_modes_too():
    """A rule that raises leaves grad mode on."""

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError("on purpose")

    y = Broken.apply(leaf(1.0))

    with pytest.raises(UnsupportedNodeError, match="ZeroDivisionError: on purpose"):
        trace(y, values=True)
    assert torch.is_grad_enabled()
    assert torch._C._is_torch_function_enabled()
    assert trace(y).reason == "unsupported"


def test_second_order_graphs_trace_like_any_other():
    """A gradient with create_graph=True has a graph of its own."""
    w = leaf(3.0)
    (slope,) = torch.autograd.grad(w**3, w, create_graph=True)

    graph = trace(slope)

    assert graph.node("w").gradients[0].item() == 18.0


# Answers to difficult graphs


def test_a_freed_graph_has_structure_and_the_users_own_values():
    """trace answers; asking for values raises; nodes that save nothing prove nothing."""
    names = seed_neuron()
    names["L"].backward()

    graph = trace(names["L"], names=names)

    assert (graph.detail, graph.reason) == ("structure", "freed")
    assert "retain_graph=True" in graph.remarks[0]
    assert graph.node("z").values[0].item() == 6.5
    assert graph.node("w").gradients == ()
    with pytest.raises(FreedGraphError, match="freed what PowBackward0 had saved"):
        trace(names["L"], values=True)


def test_a_freed_custom_function_is_noticed():
    """Python Functions keep tensors too."""

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    y = Square.apply(leaf(2.0))
    y.backward()

    assert trace(y).reason == "freed"


def test_a_mutated_saved_tensor_is_never_read_wrongly():
    """The error says which operation, and what to write instead."""
    w = leaf([1.0, 2.0])
    h = w.exp()
    loss = h.sum()
    h.add_(1)

    assert trace(loss).reason == "mutated"
    with pytest.raises(MutatedGraphError, match=r"ExpBackward0 .*changed in place.*x = x \+ y"):
        trace(loss, values=True)


def test_a_checkpoint_is_not_recomputed_unless_asked():
    """Non-reentrant: structure by default, all with values=True, and backward still works."""
    w, runs = leaf([0.5, 1.0]), []

    def block(x):
        runs.append(1)
        return (x.sin() * x).exp()

    loss = checkpoint(block, w * 2, use_reentrant=False).sum()
    assert trace(loss).reason == "hooks"
    assert len(runs) == 1

    graph = trace(loss, values=True)
    loss.backward()

    assert len(runs) > 1
    assert graph.node("w").gradients[0].data == tuple(w.grad.tolist())


def test_a_reentrant_checkpoint_is_refused_and_touches_no_gradient():
    """It would run a backward pass of its own, into the parameters."""
    net = nn.Linear(2, 2)
    x = leaf([[1.0, 2.0]])
    loss = checkpoint(net, x * 1, use_reentrant=True).sum()

    assert trace(loss).reason == "unsupported"
    assert told(lambda: trace(loss, values=True), UnsupportedNodeError) == (
        "A reentrant checkpoint hides its operations and runs a backward pass of its own that "
        "writes to .grad, so it cannot be asked for a local derivative. Record it with "
        "checkpoint(..., use_reentrant=False) instead."
    )
    assert net.weight.grad is None


def test_sparse_gradients_are_told_as_dense_numbers():
    """An embedding's sparse gradient, even where two of them meet."""
    table = nn.Embedding(3, 1, sparse=True)
    loss = table(torch.tensor([1, 1])).sum() + table(torch.tensor([0])).sum()

    graph = trace(loss, names=table)
    both = loss + table.weight.sum()
    mixed = trace(both, names=table)

    assert graph.node("weight").gradients[0].data == (1.0, 2.0, 0.0)
    turned = table.weight.sum() + table(torch.tensor([1, 1])).sum()
    sparse_first = trace(turned, names=table)
    (last,) = torch.autograd.grad(turned, table.weight)
    assert sparse_first.node("weight").gradients[0].data == tuple(last.flatten().tolist())
    (expected,) = torch.autograd.grad(both, table.weight)
    assert mixed.node("weight").gradients[0].data == tuple(expected.flatten().tolist())


def test_complex_graphs_have_flow_but_no_local_derivatives():
    """The flow of a real loss is PyTorch's; a complex output has none."""
    q = leaf(1 + 2j)
    loss = (q * q.conj()).real

    graph = trace(loss)
    loss.backward()

    assert graph.node("q").gradients[0].item() == q.grad.item()
    assert any(edge.local is None for _, edge in graph.edges)
    assert "complex" in trace(q * 2).remarks[0]
    assert Graph.from_dict(json.loads(json.dumps(graph.to_dict()))) == graph


def test_tensors_inside_torch_func_are_refused():
    """Their graph ends with the transformation."""
    caught = []

    def inside(x):
        with pytest.raises(UnsupportedNodeError, match="Trace outside of it") as error:
            trace((x**2).sum())
        caught.append(error)
        return (x**2).sum()

    torch.func.grad(inside)(torch.ones(2))

    assert len(caught) == 1


def test_a_hook_is_not_run_but_it_is_mentioned():
    """Flow is pure calculus; .grad is what the hook made of it."""
    w = leaf(3.0)
    w.register_hook(lambda g: g * 100)
    loss = w**2

    graph = trace(loss)
    loss.backward()

    assert graph.node("w").gradients[0].item() == 6.0
    assert w.grad.item() == 600.0
    assert graph.remarks == (
        "A hook is registered on w: backward() runs it, so .grad may differ from the flow here, "
        "which is pure calculus.",
    )
    assert trace(w * 2, names={}).remarks[0].startswith("A hook is registered on node 1:")
    assert trace(w * 2, values=False).remarks == ()  # nothing flows there


def test_a_compiled_graph_is_traced_as_one_operation():
    """aot_eager: one Python Function with the right flow; skipped where it cannot compile."""
    w = leaf([0.5, 1.0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loss = torch.compile(lambda x: (x.sin() * x).sum(), backend="aot_eager")(w)
    except Exception as error:
        pytest.skip(f"torch.compile does not work here: {type(error).__name__}")

    graph = trace(loss, names={"w": w})
    loss.backward()

    assert graph.root.op.startswith("CompiledFunction")
    assert graph.node("w").gradients[0].data == tuple(w.grad.tolist())


def test_an_offload_hook_is_not_run():
    """Saved-tensor hooks are code of the user's."""
    opened = []
    w = leaf([1.0, 2.0])
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: (opened.append(1), t)[1]):
        loss = (w**2).sum()

    assert trace(loss).reason == "hooks"
    assert opened == []
    assert trace(loss, values=True).detail == "values"
    assert opened != []


def test_graphs_of_tensors_without_numbers_have_structure():
    """The meta device."""
    w = torch.ones(2, device="meta", requires_grad=True)

    assert trace((w * 2).sum()).reason == "unsupported"
    with pytest.raises(UnsupportedNodeError, match="'meta' have no numbers"):
        trace((w * 2).sum(), values=True)


def test_nan_and_infinity_are_told_as_they_are():
    """And survive strict JSON."""
    x = leaf(0.0)

    graph = trace(x.sqrt() * float("nan"))

    plain = json.dumps(graph.to_dict(), allow_nan=False)
    assert Graph.from_dict(json.loads(plain)).to_text() == graph.to_text()
    assert "inf" in graph.to_text()


def test_empty_tensors_have_empty_gradients():
    """No number is a number of numbers."""
    x = torch.zeros(0, 3, requires_grad=True)

    graph = trace((x * 2).sum())

    assert graph.node("x").gradients[0].tolist() == []
    assert graph.root.edges[0].local.shape == (0, 3)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            lambda g: g * 1j,
            "it raised TypeError: a complex gradient for a real input, which backward() refuses "
            "too. Trace its structure",
        ),
        (lambda g: g[:1], "not expandable"),
    ],
)
def test_a_rule_that_the_engine_would_refuse_is_refused(rule, words):
    """Its answer fits no input; where nothing flows, it is asked for its local derivative."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return rule(g)

    vector = Wrong.apply(leaf([1.0, 2.0]))
    total = vector.sum()

    for output in (total, vector):
        assert words in told(lambda output=output: trace(output, values=True), UnsupportedNodeError)
    with pytest.raises(RuntimeError):
        total.backward()


def test_a_python_function_that_returns_nothing_stops_the_flow():
    """None from a rule is no gradient, as for the engine; fewer results than inputs are too."""

    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return None

    w = leaf(2.0)

    graph = trace(Stop.apply(w * 3) + w)

    assert graph.node("w").gradients[0].item() == 1.0
    stop = next(node for node in graph.nodes if node.op == "Stop")
    assert stop.edges[0].flow is None
    assert stop.edges[0].local.item() == 0.0


def test_graphs_recorded_by_two_threads_run_in_order():
    """Sequence numbers of another thread may be lower; the engine's own loop is run then."""
    w = leaf(2.0)
    for _ in range(50):
        h = (w * 3).exp()
    made = []
    thread = threading.Thread(target=lambda: made.append((h * h.sin() + h) * w))
    thread.start()
    thread.join()
    (loss,) = made

    graph = trace(loss)
    loss.backward()

    assert graph.node("w").gradients[0].item() == w.grad.item()
    keys = [(node.key, edge.source) for node, edge in graph.edges]
    assert all(source is None or source > key for key, source in keys)


# Bad input


def inferred():
    with torch.inference_mode():
        return leaf(2.0) * 2


MESSAGES = {
    "no tensor": (
        lambda: trace(3.0),
        KindError,
        "trace() reads the graph of one tensor, but got an object of type float. Call it with the "
        "loss: trace(loss).",
    ),
    "inside torch.func": (
        lambda: torch.func.grad(lambda x: trace((x**2).sum()))(torch.ones(2)),
        UnsupportedNodeError,
        "This tensor lives inside a torch.func transformation (grad, vmap, jvp ...), whose graph "
        "ends with the transformation. Trace outside of it: compute the loss with plain tensors "
        "that require gradients, then call trace(loss).",
    ),
    "inference mode": (
        lambda: trace(inferred()),
        NoGraphError,
        "This tensor was made under torch.inference_mode(), which records nothing. Compute the "
        "loss outside of inference_mode, then call trace(loss).",
    ),
    "a leaf": (
        lambda: trace(leaf([1.0, 2.0])),
        NoGraphError,
        "This tensor of shape (2,) is a leaf: you made it, no operation did, so there is no graph "
        "behind it. Trace something computed from it, such as trace((w ** 2).sum()).",
    ),
    "data": (
        lambda: trace(torch.ones(2)),
        NoGraphError,
        "Cannot trace this tensor: it has no grad_fn. Nothing it was computed from requires a "
        "gradient, or it was cut off: by no_grad, detach(), .data, .item(), NumPy, or a step to "
        "whole numbers (dtype=torch.float32, requires_grad=False, is_leaf=True). Set "
        "requires_grad=True on the weight before computing the loss, or see where it was cut off: "
        "with handgrad.watch() as seen.",
    ),
    "a result under no_grad": (
        lambda: torch.no_grad()(lambda: trace(leaf(1.0) * 2))(),
        NoGraphError,
        "Cannot trace this tensor: recording is switched off here, as by no_grad, and nothing was "
        "recorded of it (requires_grad=False). Compute it where recording is on, as in with "
        "torch.enable_grad(): loss = ..., then call trace(loss).",
    ),
    "values": (
        lambda: trace(leaf(1.0) * 2, values="yes"),
        InputError,
        "values may be \"auto\", True or False, not 'yes'. Leave it out to let the size of the "
        "graph decide.",
    ),
    "max_nodes": (
        lambda: trace(leaf(1.0) * 2, max_nodes=0),
        InputError,
        "max_nodes is a number of nodes, 1 or more, not 0. Leave it out for no limit but the "
        "stack's.",
    ),
    "names": (
        lambda: trace(leaf(1.0) * 2, names=3),
        KindError,
        "Names cannot be read from an object of type int. Give a mapping from name to tensor, as "
        'in trace(loss, names={"w": w}), a torch.nn.Module, or nothing to use the variables where '
        "trace() is called.",
    ),
    "no word": (
        lambda: trace(leaf(1.0) * 2, names={3: leaf(1.0)}),
        KindError,
        'A name must be a word, not 3. Give names as in trace(loss, names={"w": w}).',
    ),
    "a name of no tensor": (
        lambda: trace(leaf(1.0) * 2, names={"w": 3.0}),
        KindError,
        "The name 'w' was given to an object of type float, but only tensors have a place in a "
        'graph. Leave it out, or give the tensor: names={"w": tensor}.',
    ),
    "a name of two tensors": (
        lambda: trace(leaf(1.0) * 2, names=[("w", leaf(1.0)), ("w", leaf([2.0]))]),
        NameClashError,
        "The name 'w' was given to two tensors, of shapes () and (1,). Rename one of them.",
    ),
    "meta": (
        lambda: trace(torch.ones(2, device="meta", requires_grad=True).sum(), values=True),
        UnsupportedNodeError,
        "No values can be read: tensors on the device 'meta' have no numbers. Call trace(loss, "
        "values=False).",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_every_message_to_its_last_word(case):
    """What was seen, why, and what to type."""
    call, error, text = MESSAGES[case]

    assert told(call, error) == text


def test_every_remark_to_its_last_word():
    """What is missing from the graph, and how to get it."""
    w, stranger = leaf([1.0, 2.0]), leaf(1.0)
    other = leaf(5.0)
    freed = w.exp().sum()
    freed.backward()
    mutated = (h := w.exp()).sum()
    h.add_(1)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        hooked = (w**2).sum()
    meta = torch.ones(2, device="meta", requires_grad=True)

    for loss, error in ((freed, FreedGraphError), (mutated, MutatedGraphError)):
        why = told(lambda loss=loss: trace(loss, values=True), error)
        assert trace(loss).remarks == (f"Only the structure was read. {why}",)
    assert trace(hooked).remarks == (
        "Only the structure was read: reading saved tensors here would run code of yours or of "
        "torch.utils.checkpoint (saved-tensor hooks). Call trace(loss, values=True) to allow that.",
    )
    assert trace(meta.sum()).remarks == (
        "Only the structure was read: tensors on the device 'meta' have no numbers.",
    )
    assert trace(w * 2).remarks == (
        "No gradient flows: the traced tensor is of shape (2,), and backward() starts from one "
        "real number. Trace one, such as output.abs().sum(), for the flow.",
    )
    assert trace(leaf(1 + 1j) * 2).remarks == (
        "No gradient flows: the traced tensor is complex, and backward() starts from one real "
        "number. Trace one, such as output.abs().sum(), for the flow.",
    )
    with pytest.warns(UserWarning, match="no place") as caught:
        trace(w.sum(), names={"w": w, "stranger": stranger, "other": other})
    assert str(caught[0].message) == (
        "The graph has no place for stranger, other: the traced tensor was not computed from it, "
        "or was computed from a copy. Ask why_no_grad(tensor, loss) for the reason."
    )
    assert caught[0].filename == __file__  # the caller's line, not ours


@pytest.mark.parametrize("reason", ["mutated", "hooks", "freed"])
def test_what_the_user_still_holds_is_shown_without_the_graph(reason):
    """The user's own tensors have their values, whatever became of the saved ones."""
    w = leaf([1.0, 2.0])
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        h = w.exp() if reason == "hooks" else None
    h = w.exp() if h is None else h
    loss = h.sum()
    if reason == "mutated":
        h.add_(1)
    elif reason == "freed":
        loss.backward()

    graph = trace(loss)

    assert graph.reason == reason
    assert graph.node("w").values[0].tolist() == [1.0, 2.0]
    assert graph.root.values[0].item() == loss.item()
    nameless = trace(loss, names={})
    assert nameless.leaves[0].values[0].tolist() == [1.0, 2.0]
    assert nameless.root.values[0].item() == loss.item()


def test_every_hooked_tensor_is_named():
    """Leaves and results, in the order of the graph."""
    w, x = leaf(3.0), leaf(2.0)
    h = w * x
    for tensor in (w, h, x):
        tensor.register_hook(lambda g: g * 2)
    loss = h**2

    (remark,) = trace(loss, names={"w": w, "h": h, "x": x}).remarks

    assert remark.startswith("A hook is registered on h, w, x: backward() runs it")


def test_a_constant_with_a_place_is_not_unplaced():
    """Only names that stand nowhere are listed."""
    w, x, far = leaf(3.0), torch.tensor(2.0), torch.tensor(9.0)

    assert trace(w * x, names={"w": w, "x": x, "far": far}).unplaced == ("far",)


@pytest.mark.parametrize(
    ("output", "error", "words"),
    [
        (3.0, KindError, "one tensor, but got an object of type float"),
        ([torch.ones(1)], KindError, "type list. Call it with the loss"),
        (leaf(1.0), NoGraphError, "is a leaf: you made it"),
        (
            torch.ones(2),
            NoGraphError,
            r"requires_grad=False, is_leaf=True\). Set requires_grad=True",
        ),
        (torch.ones(2).argmax(), NoGraphError, "dtype=torch.int64"),
    ],
)
def test_what_has_no_graph_is_explained(output, error, words):
    """What was seen, why, and what to type."""
    with pytest.raises(error, match=words):
        trace(output)


def test_inference_tensors_are_explained():
    """Nothing was recorded there."""
    w = leaf(2.0)
    with torch.inference_mode():
        y = w * 2

    with pytest.raises(NoGraphError, match=r"made under torch.inference_mode\(\)"):
        trace(y)


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        (3, KindError, "cannot be read from an object of type int"),
        ("w", KindError, "type str"),
        (leaf([1.0]), KindError, "type Tensor"),
        ([1, 2], KindError, "type list"),
        ([("w",)], KindError, "type list"),
        ({3: leaf(1.0)}, KindError, "must be a word, not 3"),
        ({" ": leaf(1.0)}, KindError, "must be a word"),
        ({"w": 3.0}, KindError, "'w' was given to an object of type float"),
        (
            [("w", leaf(1.0)), ("w", leaf([2.0]))],
            NameClashError,
            r"two tensors, of shapes \(\) and",
        ),
    ],
)
def test_names_that_are_none_are_explained(names, error, words):
    """Each ends in something to type."""
    with pytest.raises(error, match=words):
        trace(leaf(1.0) * 2, names=names)


@pytest.mark.parametrize("values", ["yes", None, 2])
def test_values_must_be_one_of_three(values):
    """A misspelt setting is not taken for False."""
    with pytest.raises(InputError, match='may be "auto", True or False'):
        trace(leaf(1.0) * 2, values=values)


@pytest.mark.parametrize("count", [0, -1, 2.5, "many", True])
def test_max_nodes_must_be_a_number_of_nodes(count):
    """Zero is no limit that anything fits in."""
    with pytest.raises(InputError, match="1 or more"):
        trace(leaf(1.0) * 2, max_nodes=count)


def test_max_nodes_is_a_limit():
    """Exactly so many are fine."""
    loss = (leaf(1.0) * 2).exp()

    assert len(trace(loss, max_nodes=3)) == 3
    for most in (1, 2):
        assert told(lambda most=most: trace(loss, max_nodes=most), GraphTooLargeError) == (
            f"The graph has more than max_nodes={most} nodes. Trace a smaller loss, or raise "
            "max_nodes."
        )


# Depth: torch 2.13 crashes where a touched graph is too deep for the stack


def in_thread(ask):
    """Return what a function answers in a new thread."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def test_this_threads_stack_is_measured():
    """A thread with a small stack has a small limit, whatever the process has."""
    before = threading.stack_size(1 << 20)
    try:
        _, size, depth = in_thread(
            lambda: (threading.stack_size(before), stack_size(), safe_depth())
        )
    finally:
        threading.stack_size(before)

    assert (1 << 19) < size <= (1 << 20) + (1 << 16)
    assert ALWAYS_SAFE < depth < 3000
    assert safe_depth() > depth


def test_a_guess_is_made_where_the_system_cannot_be_asked(monkeypatch):
    """Half a megabyte, or what Python was told to give threads."""
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())

    assert in_thread(stack_size) == 512 * 1024
    assert in_thread(safe_depth) == 1310
    monkeypatch.setattr("handgrad.tracing.stack.stack_size", lambda: 1000)
    assert safe_depth() == 256


def test_many_nodes_in_few_layers_are_not_refused(monkeypatch):
    """Only depth uses the stack up; whether there is room is asked again on the way."""
    monkeypatch.setattr("handgrad.tracing.discovery.safe_depth", lambda: 300)
    w = leaf(1.0)
    wide = torch.stack([(w * float(i)).exp() for i in range(500)]).sum()

    assert len(trace(wide, values=False)) == 1003


def test_depth_counts_the_longest_path_not_the_nodes():
    """A wide graph of many nodes is not deep."""
    w = leaf(1.0)
    wide = torch.stack([(w * float(i)).exp() for i in range(500)]).sum()

    assert depth(discover(wide.grad_fn).notes) == 5
    assert len(trace(wide, values=False)) == 1003


def test_what_is_too_deep_is_refused(monkeypatch):
    """The limit, the reason and the way out; here with a limit that does no harm."""
    monkeypatch.setattr("handgrad.tracing.discovery.safe_depth", lambda: 400)
    chain = w = leaf(1.0)
    for _ in range(398):
        chain = chain * 1.0

    assert len(trace(chain, values=False)) == 399
    assert len(trace(chain + leaf(1.0), values=False)) == 401  # of which 400 in a row
    assert told(lambda: trace(chain.sin().sin(), values=False), GraphTooLargeError) == (
        "The graph is more than 400 operations deep, and this thread's stack is too small to free "
        "a deeper one once Python has looked at its nodes (torch would crash). Build, trace and "
        "drop it in a thread with a larger stack: threading.stack_size(512 * 1024**2), then "
        "threading.Thread(target=...)."
    )
    assert w.grad is None


def test_an_unlimited_stack_has_a_limit_here(monkeypatch):
    """A gigabyte is deep enough."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (-1, -1))

    assert stack_size() == 1 << 30


def test_other_systems_are_asked_in_their_own_words(monkeypatch):
    """macOS has one call for it, Linux has to be thanked; a failing call leads to the guess."""
    ended = []

    class Call:
        def __init__(self, answer):
            self.answer = answer

        def __call__(self, *_):
            return self.answer

    class Mac:
        pthread_self, pthread_get_stacksize_np = Call(1), Call(1 << 23)

    class Linux:
        pthread_self, pthread_getattr_np, pthread_attr_getstack = Call(1), Call(0), Call(0)
        pthread_attr_destroy = ended.append

    class Broken:
        pthread_self, pthread_getattr_np = Call(1), Call(22)
        pthread_attr_getstack = pthread_attr_destroy = Call(0)

    monkeypatch.setattr("ctypes.CDLL", lambda _: Broken())
    assert in_thread(stack_size) == 512 * 1024
    monkeypatch.setattr("ctypes.CDLL", lambda _: Linux())
    in_thread(stack_size)
    assert len(ended) == 1
    monkeypatch.setattr("ctypes.CDLL", lambda _: Mac())
    monkeypatch.setattr("sys.platform", "darwin")
    assert stack_size() == 1 << 23


def run(script: str, *, ulimit: int | None = None) -> subprocess.CompletedProcess[str]:
    head = "import torch, threading\nfrom handgrad import trace, GraphTooLargeError\n"
    body = head + textwrap.dedent(script)
    command = [sys.executable, "-W", "error", "-c", body]
    if ulimit:
        command = ["bash", "-c", f'ulimit -s {ulimit}; exec "$@"', "bash", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


CHAIN = """
def chain(n):
    y = w = torch.tensor(1.0, requires_grad=True)
    for _ in range(n):
        y = y * 1.0
    return y
def attempt(n):
    loss = chain(n)
    try:
        print("read", len(trace(loss, values=False)))
    except GraphTooLargeError as error:
        print("refused", "deep" in str(error), "threading.stack_size" in str(error))
    loss.backward()
    del loss
    print("alive")
"""


@pytest.mark.slow
def test_a_deep_graph_is_refused_and_nothing_crashes():
    """A hundred thousand operations in a row: an error, then backward(), then a clean end."""
    done = run(CHAIN + "attempt(100_000)")

    assert (done.returncode, done.stdout.split("\n")[:2]) == (0, ["refused True True", "alive"])


@pytest.mark.slow
def test_the_deepest_graph_allowed_is_freed_without_a_crash():
    """Just below the limit of this stack."""
    done = run(
        CHAIN
        + "from handgrad.tracing.stack import safe_depth\nattempt(safe_depth() - 1)\nattempt(50)"
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("read ")
    assert done.stdout.count("alive") == 2


@pytest.mark.slow
@pytest.mark.parametrize("size", [1 << 19, 1 << 20, 1 << 26])
def test_threads_with_their_own_stack_never_crash(size):
    """Small stacks refuse early, large ones read what the main thread would refuse."""
    done = run(
        CHAIN
        + f"""
threading.stack_size({size})
for n in (100, 1200, 2600, 5000, 60_000):
    thread = threading.Thread(target=attempt, args=(n,)); thread.start(); thread.join()
"""
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("alive") == 5
    assert done.stdout.count("refused") == {1 << 19: 3, 1 << 20: 2, 1 << 26: 0}[size]


@pytest.mark.slow
def test_a_wide_graph_of_a_hundred_thousand_nodes_is_read():
    """Its depth is small, so that the stack does not matter."""
    done = run(
        """
        w = torch.tensor(1.0, requires_grad=True)
        parts = [(w * float(i)).sin().exp() for i in range(33_000)]
        loss = torch.stack(parts).sum()
        del parts
        print(len(trace(loss, values=False)))
        loss.backward()
        """
    )

    assert (done.returncode, done.stdout.strip()) == (0, "99003")


def test_graphs_pickle_and_cannot_be_changed():
    """A graph is a value."""
    graph = trace(seed_neuron()["L"])

    assert pickle.loads(pickle.dumps(graph)) == graph
    assert hash(graph) == hash(pickle.loads(pickle.dumps(graph)))
    with pytest.raises(AttributeError, match="cannot be changed"):
        graph.output = 3
    with pytest.raises(AttributeError, match="cannot be changed"):
        del graph.output
