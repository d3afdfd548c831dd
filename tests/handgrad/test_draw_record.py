"""Laws of the record alone: its nodes are operations, its edges lead back, no tensor is a box."""

import math
import re

import pytest
from drawn import NEURON, Op, faults, graph_of, read, texts

from handgrad import draw_record
from handgrad.errors import InputError, KindError

SQUARE = graph_of(Op("", name="a"), Op("Mul", (0, 0), "y"))
DIAMOND = graph_of(
    Op("", name="w"),
    Op("Mul", (0, "")),
    Op("Sigmoid", (1,)),
    Op("Mul", (1, 2)),
    Op("Tanh", (1,)),
    Op("Add", (3, 4)),
)
LONG = graph_of(Op("", name="x"), *[Op("Sin", (i,)) for i in range(13)])
GRAPHS = {"neuron": NEURON, "square": SQUARE, "diamond": DIAMOND, "long": LONG}


def both(graph):
    figure = draw_record(graph, title="T")
    return figure.svg_wide, figure.svg_tall


@pytest.mark.parametrize("name", GRAPHS)
def test_every_node_is_a_box_and_every_edge_leads_back(name):
    graph = GRAPHS[name]
    live = sum(edge.source is not None for _, edge in graph.edges)

    for svg in both(graph):
        shown = read(svg)
        assert len(shown.boxes) == len(graph.nodes)
        assert len(shown.back) == live
        assert shown.forward == []
        assert svg.count('class="rule dashed"') == len(graph.edges) - live
        assert texts(svg).count("None") == len(graph.edges) - live
        assert faults(svg) == []


def test_an_edge_starts_at_its_operation_and_ends_at_what_made_its_input():
    for svg in both(NEURON):
        boxes = {
            key: (float(x) + float(w) / 2, float(y) + float(h) / 2)
            for key, x, y, w, h in re.findall(
                r'data-node="(\d+)"><rect class="node" x="(\S+)" y="(\S+)" width="(\S+)" '
                r'height="(\S+)"', svg)
        }  # fmt: skip
        lanes = re.findall(r'data-edge="(\d+)\.\d+"><path class="back" d="M([^"]*)"', svg)
        assert len(lanes) == 6
        for operation, lane in lanes:
            numbers = [float(number) for number in re.findall(r"[-\d.]+", lane)]
            points = list(zip(numbers[::2], numbers[1::2], strict=True))
            sources = [str(e.source) for e in NEURON.node(int(operation)).edges]
            assert _nearest(points[0], boxes) == operation
            assert _nearest(points[-1], boxes) in sources


def _nearest(point, boxes):
    return min(boxes, key=lambda key: math.dist(point, boxes[key]))


def test_no_number_and_no_tensor_is_shown():
    for svg in both(NEURON):
        assert not any(re.search(r"\d", words) for words in texts(svg))
        assert not {"u", "z", "p", "e", "L", "x", "y"} & set(texts(svg))
        assert {"Pow", "Sub", "Sigmoid", "Add", "Mul", "to w.grad", "L.grad_fn"} <= set(texts(svg))
        assert (
            "leaf" not in re.sub("<style>.*?</style>", "", svg, flags=re.DOTALL).split("<desc>")[0]
        )
        assert 'rx="20"' not in svg


def test_the_words_count_and_the_table_has_the_edges():
    figure = draw_record(NEURON, title="T")

    assert figure.description == (
        "The record of 7 nodes, none of them a tensor: Pow, Sub, Sigmoid, Add, Mul "
        "and 2 AccumulateGrad. 6 edges lead from the loss back to 2 leaves; 2 lead to None."
    )
    assert '<th scope="row">Sub 2</th><td>Sigmoid 3, None</td>' in figure.table
    assert "<td>adds to w.grad</td>" in figure.table


def test_names_are_text_not_markup():
    graph = graph_of(Op("", name="<w>"), Op("Mul", (0, "x & y"), "<L>"))
    figure = draw_record(graph, title="<i>")

    for markup in (figure.svg_wide, figure.svg_tall, figure.table):
        assert not re.search("<w>|<L>|<i>|& y", markup)


def test_what_is_no_graph_is_refused():
    with pytest.raises(KindError, match="draws what trace"):
        draw_record("loss", title="T")
    with pytest.raises(InputError, match="needs a title"):
        draw_record(NEURON, title="")


def test_equal_records_are_equal_bytes():
    assert draw_record(DIAMOND, title="T") == draw_record(DIAMOND, title="T")
