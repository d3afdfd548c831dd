"""A graph is a value: it cannot be broken, changed, or told wrongly."""

import copy
import json
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handgrad import Graph, HandgradError, InputError, TooManyPathsError, trace
from handgrad.graph.records import Array, Constant, Edge, Node, Saved, Spec


def node(key, *sources, kind="operation", name=None):
    edges = tuple(Edge(slot=slot, source=source) for slot, source in enumerate(sources))
    outputs = (Spec(shape=(), dtype="float32"),)
    return Node(
        key=key, op="Op", recorded="OpBackward0", kind=kind, name=name, outputs=outputs, edges=edges
    )


DIAMOND = Graph([node(0, 1, 2), node(1, 3), node(2, 3), node(3, kind="leaf", name="w")])


# Arrays


@given(st.lists(st.integers(0, 3), max_size=4).map(tuple))
def test_lists_are_what_torch_makes_of_the_same_numbers(shape):
    """tolist() nests as torch does, for every shape with up to four axes."""
    numbers = torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)

    array = Array(shape=shape, dtype="float64", data=tuple(numbers.flatten().tolist()))

    assert array.tolist() == numbers.tolist()


def test_an_array_must_have_as_many_numbers_as_its_shape_says():
    """A broken value cannot be built."""
    with pytest.raises(InputError, match=r"shape \(2, 3\) holds 6 numbers, but 1 were given"):
        Array(shape=(2, 3), dtype="float32", data=(1.0,))


def test_item_is_the_only_number():
    """Also of (1, 1); never the first of many."""
    assert Array(shape=(1, 1), dtype="float32", data=(2.5,)).item() == 2.5
    with pytest.raises(InputError, match=r"has 2 numbers .* Use \.tolist\(\)"):
        Array(shape=(2,), dtype="float32", data=(1.0, 2.0)).item()


# What cannot be built, cannot be changed


def test_an_edge_cannot_point_back():
    """Keys grow away from the loss, so no graph has a circle."""
    with pytest.raises(InputError, match=r"Node 2 .* depends on node 2, but keys must grow"):
        node(2, 2)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([], "at least one node"),
        ([node(1)], "Node number 0 has the key 1"),
        ([node(0, 1)], "depends on node 1, but there are only 1 nodes"),
        ([node(0, 1), node(1), node(1)], "Node number 2 has the key 1"),
    ],
)
def test_a_graph_with_gaps_cannot_be_built(nodes, words):
    """Nobody downstream checks again."""
    with pytest.raises(InputError, match=words):
        Graph(nodes)


def test_records_cannot_be_changed():
    """Frozen, slotted, and equal when equal."""
    edge = Edge(slot=0, source=1)

    with pytest.raises(FrozenInstanceError):
        edge.slot = 2
    assert edge == Edge(slot=0, source=1)
    assert edge != replace(edge, output=1)
    assert hash(edge) == hash(Edge(slot=0, source=1))


def test_graphs_are_equal_when_every_part_is():
    """Also to a copy; not to another kind of thing."""
    twin = Graph(DIAMOND.nodes)

    assert twin == DIAMOND == copy.deepcopy(DIAMOND)
    assert hash(twin) == hash(DIAMOND)
    assert Graph(DIAMOND.nodes, remarks=["different"]) != DIAMOND
    assert Graph(DIAMOND.nodes, output=1) != DIAMOND
    assert DIAMOND != "diamond"
    assert repr(DIAMOND) == "<Graph of 4 nodes behind Op; leaves: w>"


# Questions


def test_nodes_are_found_by_name_and_key():
    """And what is not there is explained, with the nearest name."""
    assert DIAMOND.node("w") is DIAMOND.node(3) is DIAMOND.nodes[3]
    assert [leaf.key for leaf in DIAMOND.leaves] == [3]
    assert [(n.key, e.source) for n, e in DIAMOND.edges] == [(0, 1), (0, 2), (1, 3), (2, 3)]
    for wrong, words in (
        ("W", "No node is called 'W'. Names here: w"),
        (4, "There is no node 4: keys run from 0 .* to 3"),
        (-1, "There is no node -1"),
        (True, "not by type bool"),
        (1.0, "not by type float"),
        (None, "not by type NoneType"),
    ):
        with pytest.raises(InputError, match=words):
            DIAMOND.node(wrong)
    with pytest.raises(InputError, match="No node has a name"):
        Graph([node(0)]).node("w")
    with pytest.raises(InputError, match="Did you mean 'weight'"):
        Graph([node(0, name="weight")]).node("weigth")


def test_paths_are_counted_by_edges_and_listed_in_order():
    """Two edges between the same nodes are two paths."""
    twice = Graph([node(0, 1, 1), node(1, 2, 2), node(2, kind="leaf")])

    assert DIAMOND.paths_count("w") == 2
    assert DIAMOND.paths_count(0) == 1
    assert twice.paths_count(2) == 4
    assert [[e.slot for e in path] for path in twice.paths(2)] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert DIAMOND.paths(0) == ((),)
    with pytest.raises(TooManyPathsError, match=r"4 paths .* more than max_paths=3"):
        twice.paths(2, max_paths=3)


@given(st.integers(1, 200))
def test_doubling_doubles_the_paths(count):
    """Exact integers, however many: 2 ** 200 has 61 digits."""
    chain = [node(key, key + 1, key + 1) for key in range(count)]

    assert Graph([*chain, node(count, kind="leaf")]).paths_count(count) == 2**count


def test_paths_to_one_output_are_not_paths_to_another():
    """The second half of a split has its own paths."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    first, second = x.split(1)

    graph = trace((first * first * second).sum())

    assert graph.paths_count("first") == 2
    assert graph.paths_count("second") == 1
    assert graph.paths_count("x") == 3


# Telling


def test_text_has_one_line_a_node():
    """Names, shapes and numbers, to six digits, and the remarks below."""
    graph = Graph(
        [
            replace(
                node(0, 1, None, name="L"),
                values=(Array(shape=(), dtype="float32", data=(1 / 3,)),),
            ),
            node(1, kind="leaf", name="w"),
        ],
        remarks=["A remark."],
    )

    assert graph.to_text().split("\n") == [
        "0  L  Op    float32 ()  0.333333    1, constant",
        "1  w  leaf  float32 ()",
        "A remark.",
    ]
    assert str(graph) == graph.to_text()


def test_html_escapes_names():
    """A name cannot become markup."""
    html = Graph([node(0, name="<b>&")], remarks=["a < b"])._repr_html_()

    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html
    assert "a &lt; b" in html
    assert html.count('<th scope="col">') == 7


def test_long_arrays_are_cut_and_it_shows():
    """Six numbers, then an ellipsis."""
    value = Array(shape=(7,), dtype="float32", data=tuple(map(float, range(7))))

    text = Graph([replace(node(0), values=(value,))]).to_text()

    assert "[0, 1, 2, 3, 4, 5, …]" in text


# JSON

floats = st.floats() | st.complex_numbers()
arrays = st.lists(floats, max_size=3).map(
    lambda data: Array(shape=(len(data),), dtype="complex128", data=tuple(data))
)
maybe = st.none() | arrays
specs = st.builds(Spec, shape=st.tuples(st.integers(0, 3)), dtype=st.just("float32"))
constants = st.builds(
    Constant,
    kind=st.sampled_from(["frozen", "data", "unknown"]),
    name=st.none() | st.text(),
    value=maybe,
    spec=st.none() | specs,
    evidence=st.sampled_from(["saved", "fits", "none"]),
)


@st.composite
def graphs(draw):
    """Draw graphs with every field filled or empty."""
    count = draw(st.integers(1, 4))
    nodes = []
    for key in range(count):
        sources = st.none() if key == count - 1 else st.none() | st.integers(key + 1, count - 1)
        edges = tuple(
            Edge(
                slot=slot,
                source=draw(sources),
                output=draw(st.integers(0, 1)),
                constant=draw(st.none() | constants),
                local=draw(maybe),
                rest=tuple(draw(st.lists(maybe, max_size=2))),
                flow=draw(maybe),
            )
            for slot in range(draw(st.integers(0, 2)))
        )
        nodes.append(
            Node(
                key=key,
                op="Op",
                recorded="OpBackward0",
                kind=draw(st.sampled_from(["operation", "leaf"])),
                name=draw(st.none() | st.text(min_size=1)),
                aliases=tuple(draw(st.lists(st.text(), max_size=1))),
                names=draw(st.just(()) | st.just((("a",), ())) | st.just(((), ("b", "c")))),
                outputs=tuple(draw(st.lists(specs, max_size=2))),
                values=tuple(draw(st.lists(maybe, max_size=2))),
                gradients=tuple(draw(st.lists(maybe, max_size=2))),
                edges=edges,
                saved=(Saved(name="self", kind="tensor", spec=draw(st.none() | specs)),),
                line=draw(st.none() | st.text()),
                module=draw(st.none() | st.text()),
            )
        )
    return Graph(nodes, output=draw(st.integers(0, 1)), reason=draw(st.none() | st.just("large")))


@given(graphs())
def test_json_gives_every_graph_back(graph):
    """Strict JSON: no nan, no infinities, nothing lost. nan is compared by its text."""
    plain = json.dumps(graph.to_dict(), allow_nan=False)

    again = Graph.from_dict(json.loads(plain))

    assert repr(again.nodes) == repr(graph.nodes)
    assert (again.output, again.reason) == (graph.output, graph.reason)


@pytest.mark.parametrize("plain", [{}, {"nodes": [{}]}, {"nodes": [], "colour": 1}])
def test_what_is_no_graph_is_explained(plain):
    """Missing and surplus parts."""
    with pytest.raises(InputError, match=r"not what Graph\.to_dict\(\) gives"):
        Graph.from_dict(plain)


JUNK = [None, 3, 1.5, "w", object(), lambda: 0, {"a": 1}, ["w"], [None], [{"key": 0}]]


@pytest.mark.parametrize("junk", JUNK, ids=[f"junk {number}" for number in range(len(JUNK))])
def test_junk_is_never_a_stranger_s_traceback(junk):
    """Whatever is given, the error is ours."""
    plain = {"key": 0, "op": "Mul", "recorded": "MulBackward0", "kind": "leaf"}
    number = "many" if junk == 3 else junk
    calls = [
        lambda: Graph(junk),
        lambda: Graph([junk]),
        lambda: Graph.from_dict(junk),
        lambda: Graph.from_dict({"nodes": junk}),
        lambda: Graph.from_dict({"nodes": [junk]}),
        lambda: Graph.from_dict({"nodes": [{**plain, "edges": [junk]}]}),
        lambda: DIAMOND.paths("w", max_paths=number),
    ]

    for call in calls:
        with pytest.raises(HandgradError):
            call()
