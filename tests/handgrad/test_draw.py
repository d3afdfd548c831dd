"""What a drawing of a graph shows, refuses, and keeps the same."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from drawn import NEURON, SCALAR, Op, faults, graph_of, read, scalar
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad import Drawing, draw
from handgrad.drawing.folding import MOST, boxes, folded
from handgrad.drawing.numbers import number
from handgrad.drawing.style import STYLE
from handgrad.errors import GraphTooLargeError, InputError, KindError
from handgrad.graph.graph import Array, Constant, Edge, Graph, Node, Spec

SWISH = graph_of(Op("", name="z"), Op("Sigmoid", (0,), "s"), Op("Mul", (0, 1), "L"))
SQUARE = graph_of(Op("", name="a"), Op("Mul", (0, 0), "y"))


def both(graph, **settings):
    drawing = draw(graph, title="A graph", **settings)
    return read(drawing.svg_wide), read(drawing.svg_tall)


def texts(shown):
    return [words.text for words in shown.words]


@pytest.mark.parametrize("graph", [NEURON, SWISH, SQUARE], ids=["neuron", "swish", "square"])
def test_every_edge_is_a_road_and_every_gradient_has_a_way_back(graph):
    for shown in both(graph):
        assert len(shown.forward) == len(graph.edges)
        assert len(shown.back) == sum(edge.source is not None for _, edge in graph.edges)


def test_an_input_used_twice_has_two_roads():
    for shown in both(SQUARE):
        assert len(shown.forward) == len(shown.back) == 2
        assert texts(shown).count("0.2500") == 2


@pytest.mark.parametrize("graph", [NEURON, SQUARE], ids=["full", "column"])
def test_a_wide_drawing_starts_at_the_edge_of_its_text(graph):
    """One that is narrower than the text column too: its caption starts there."""
    shown, _ = both(graph)

    assert min(box[0] for box in shown.boxes) == 1.0


def test_every_number_stands_in_both_drawings():
    for shown in both(NEURON):
        for node in NEURON.nodes:
            assert number(node.values[0].item()) in texts(shown)
            assert number(node.gradients[0].item()) in texts(shown)


def test_frozen_inputs_are_dashed_and_say_none():
    svg = draw(NEURON, title="A graph").svg_wide

    assert svg.count('class="node leaf frozen"') == 2
    assert svg.count('class="fwd dashed"') == 2
    assert texts(read(svg)).count("None") == texts(read(svg)).count("frozen") == 2


def test_groups_are_spanned_by_brackets():
    groups = {"affine": ["u", "z"], "loss": ["e", "L"]}
    drawing = draw(NEURON, title="A graph", groups=groups)

    for svg in (drawing.svg_wide, drawing.svg_tall):
        assert svg.count('class="rule"') == 2
        assert {"affine", "loss"} <= set(texts(read(svg)))
        assert faults(svg) == []


def test_titles_replace_names_and_are_not_code():
    titles = {"u": 'u < w & "x"', "L": "L = e²"}
    for shown in both(NEURON, titles=titles):
        assert {"L = e²", 'u < w & "x"'} <= set(texts(shown))


def test_the_popular_picture_has_the_same_places():
    """Tensors are the boxes, operations stand on the roads, and nothing has moved."""
    recorded, popular = both(NEURON)[0], both(NEURON, view="values")[0]
    moved = {
        (round(a[0] - b[0], 2), round(a[1] - b[1], 2))
        for a, b in zip(recorded.boxes, popular.boxes, strict=True)
    }

    assert len(moved) == 1
    assert popular.back == []
    operations = [words.text for words in popular.words if words.cls == "c"]
    assert sorted(operations) == ["Add", "Mul", "Pow", "Sigmoid", "Sub"]


def test_the_wave_of_backward_goes_back_one_node_at_a_time():
    lanes = [len(both(NEURON, step=step)[0].back) for step in range(len(NEURON) + 1)]
    grown = [sum(e.source is not None for n in NEURON.nodes[:k] for e in n.edges)
             for k in range(len(NEURON) + 1)]  # fmt: skip

    assert lanes == grown
    assert draw(NEURON, title="A graph", step=3).svg_wide.count(" now") == 1 + STYLE.count(" now")
    assert "waiting" in texts(both(SWISH, step=1)[0])


def test_places_stay_while_the_wave_goes():
    frames = [both(NEURON, step=step)[0].boxes for step in range(len(NEURON) + 1)]
    assert all(frame == frames[0] for frame in frames)


def test_tensors_show_their_shapes_and_jacobians_their_sizes():
    many = Spec(shape=(2, 3), dtype="float32")
    leaf = Node(key=1, op="AccumulateGrad", recorded="AccumulateGrad", kind="leaf", name="W",
                outputs=(many,), values=(None,), gradients=(Array(
                    shape=(2, 3), dtype="float32", data=(0.0,) * 6),))  # fmt: skip
    jacobian = Array(shape=(2, 3), dtype="float32", data=(1.0,) * 6)
    edge = Edge(slot=0, source=1, local=jacobian)
    root = Node(key=0, op="Sum", recorded="SumBackward0", kind="operation", outputs=(SCALAR,),
                values=(scalar(1.0),), gradients=(scalar(1.0),), edges=(edge,))  # fmt: skip

    for shown in both(Graph([root, leaf])):
        assert texts(shown).count("(2, 3)") == 2
        assert "1 × 6" in texts(shown)


def test_outputs_of_one_operation_are_told_apart():
    half = Spec(shape=(2,), dtype="float32")
    leaf = Node(key=2, op="AccumulateGrad", recorded="AccumulateGrad", kind="leaf", name="x",
                outputs=(Spec(shape=(4,), dtype="float32"),))  # fmt: skip
    split = Node(key=1, op="Split", recorded="SplitBackward0", kind="operation",
                 outputs=(half, half), names=(("a",), ("b",)),
                 edges=(Edge(slot=0, source=2),))  # fmt: skip
    root = Node(key=0, op="Mul", recorded="MulBackward0", kind="operation", outputs=(SCALAR,),
                values=(scalar(2.0),), edges=(Edge(slot=0, source=1), Edge(
                    slot=1, source=1, output=1)))  # fmt: skip

    for shown in both(Graph([root, split, leaf])):
        assert "a, b" in texts(shown)
        assert "[1]" in texts(shown)


def test_a_graph_without_numbers_is_drawn_as_structure():
    bare = Graph([replace(node, values=(), gradients=(), edges=tuple(
        replace(edge, local=None) for edge in node.edges)) for node in NEURON.nodes])  # fmt: skip

    for shown in both(bare):
        assert "value" not in texts(shown)
        assert len(shown.back) == 6
        assert not any(re.fullmatch(r"−?\d+\.\d{4}", text) for text in texts(shown))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-0.5988657, "−0.5989"), (0.0, "0.0000"), (-0.0, "−0.0000"), (1e-300, "1.00e−300"),
        (-1e-5, "−1.00e−5"), (float("nan"), "NaN"), (-float("inf"), "−∞"), (99999.5, "99999.5000"),
        (123456.0, "1.23e5"), (3, "3"), (True, "True"), (1 - 2j, "1.00 − 2.00i"),
    ],
)  # fmt: skip
def test_numbers_have_one_format(value, words):
    assert number(value) == words


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_only_zero_reads_as_zero(value):
    digits = number(value).lstrip("−")
    assert (digits == "0.0000") == (value == 0)
    assert number(value).startswith("−") == (str(value)[0] == "-")


def test_words_say_the_numbers_in_under_sixty_words():
    words = draw(NEURON, title="One neuron").description

    assert len(words.split()) < 60
    assert words.startswith(
        "Nine boxes. Values run from w and b through u, z, p and e to L = 0.0897;"
    )
    assert "−0.0897 at L" in words
    assert words.endswith("No gradient goes to y and x: None.")


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 40))
def test_words_stay_short(count):
    chain = graph_of(Op("", name="x"), *[Op("Sin", (i,), f"s{i}") for i in range(count)])
    assert len(draw(chain, title="A chain").description.split()) < 60


def test_the_table_holds_every_node_and_edge():
    table = ElementTree.fromstring(draw(NEURON, title="One <neuron>").table)
    rows = table.findall("tbody/tr")

    names = [node.name for node in NEURON.nodes]
    assert [row.findtext("th/i") for row in rows] == [*names, "y", "x"]
    assert rows[len(names) - 1].findall("td")[2].text == "−0.7000"
    assert rows[1].findall("td")[3].text == "to p: 0.2500; to y: not recorded"
    assert [cell.text for cell in rows[-1].findall("td")] == ["frozen", "1.5000", "None", None]


@pytest.mark.parametrize("show", ["values", "structure"])
def test_what_a_figure_does_not_show_is_not_said_either(show):
    """Neither in the words nor in the table; the popular picture knows no gradient."""
    drawing = draw(NEURON, title="One neuron", show=show, view="values")
    heads = [head.text for head in ElementTree.fromstring(drawing.table).findall("thead/tr/th")]

    assert heads == ["node", "operation", *(["value"] if show == "values" else []), "inputs"]
    assert "gradients run back" not in drawing.description
    assert "None" not in drawing.description
    assert "0.2500" not in drawing.table + drawing.description
    assert ("0.8500" in drawing.table) == (show == "values")


def test_after_some_steps_only_what_arrived_is_said():
    drawing = draw(NEURON, title="One neuron", step=1)
    rows = ElementTree.fromstring(drawing.table).findall("tbody/tr")

    assert "gradients run back, −0.0897 at L and 0.2994 at e." in drawing.description
    assert [row.findall("td")[2].text for row in rows] == [
        *("−0.0897", "0.2994", None, None, None, None, None, "None", "None")
    ]


def test_a_drawing_is_accessible_and_complete_in_itself():
    drawing = draw(NEURON, title="A < B", description="Words & numbers")
    for svg in (drawing.svg_wide, drawing.svg_tall):
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == read(svg).title == "A < B"
        assert read(svg).description == "Words & numbers"
        assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_equal_figures_share_a_page():
    """Nothing has an id, the style comes once, and no landmark is added."""
    html = draw(NEURON, title="A graph")._repr_html_()

    assert not re.search(r'\sid="', html)
    assert html.count("<style>") == 1
    assert 'role="region"' not in html


def test_style_touches_nothing_but_the_figure():
    rules = re.sub(r"@(media|supports)[^{]*\{((?:[^{}]*\{[^{}]*\})*)\}", r"\2", STYLE)
    selectors = re.findall(r"([^{}]+)\{", rules.replace("<style>", ""))

    assert len(selectors) > 25
    for selector in ",".join(selectors).split(","):
        assert re.search(r"(^|\s)\.hg\b", selector.strip()), selector


def test_colours_come_from_classes():
    for svg in (draw(NEURON, title="A graph").svg_wide, draw(SWISH, title="A graph").svg_tall):
        assert not re.findall(r'(?:fill|stroke|style)="', svg)


def test_equal_graphs_give_equal_bytes_whatever_the_hash_seed():
    """A set walked in an order that depends on hashes would change bytes between builds."""
    code = (
        "import sys; sys.path[:0] = [{tests!r}]\n"
        "from test_draw_fit import SHAPES\nfrom handgrad.drawing import draw\nimport hashlib\n"
        "html = ''.join(draw(g, title='A graph')._repr_html_() for g in SHAPES.values())\n"
        "print(hashlib.sha256(html.encode()).hexdigest())"
    ).format(tests=__file__.rpartition("/")[0])
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
            capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip

    assert len(seen) == 1


def test_save_writes_what_stands_alone(tmp_path):
    drawing = draw(SWISH, title="A graph")
    drawing.save(tmp_path / "wide.svg")
    drawing.save(tmp_path / "tall.svg", upright=True)

    assert (tmp_path / "wide.svg").read_text("utf-8") == drawing.svg_wide + "\n"
    assert read((tmp_path / "tall.svg").read_text("utf-8")).width == 342


@pytest.mark.parametrize("title", ["", "  ", None, 3])
def test_a_figure_without_a_title_is_refused(title):
    with pytest.raises(InputError, match=r"needs a title.*title=\"The graph of one neuron\""):
        draw(NEURON, title=title)


@pytest.mark.parametrize("thing", [None, "graph", 3.0, [NEURON]])
def test_other_things_are_refused(thing):
    with pytest.raises(KindError, match=r"draws what trace\(\) or peel\(\) returns, but got a"):
        draw(thing, title="A graph")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"show": "everything"}, "'all', 'values', 'structure'"),
        ({"view": "tensors"}, "'recorded', 'values'"),
        ({"description": " "}, "cannot be empty"),
        ({"step": 8}, "from 0 .* to 7"),
        ({"step": -1}, "from 0 .* to 7"),
        ({"step": True}, "from 0 .* to 7"),
        ({"groups": {"loss": ["q"]}}, "No node is called 'q'"),
    ],
)
def test_unknown_settings_are_refused(setting, words):
    with pytest.raises(InputError, match=words):
        draw(NEURON, title="A graph", **setting)


def model(blocks, *, named):
    """Stack blocks of four operations and a weight each, with or without module names."""
    nodes, count = [], 5 * blocks
    spec = Spec(shape=(4, 8), dtype="float32")
    for block in range(blocks):
        home = f"layers.{blocks - 1 - block}"
        for part in range(4):
            key = 5 * block + part
            following = key + (1 if part < 3 else 2)
            edges = [Edge(slot=0, source=following)] if following < count else []
            if part == 3:
                edges.insert(0, Edge(slot=1 if edges else 0, source=key + 1))
            edges = [replace(edge, slot=slot) for slot, edge in enumerate(edges)]
            nodes.append(Node(key=key, op="Mul", recorded="MulBackward0", kind="operation",
                              outputs=(spec,), edges=tuple(edges),
                              module=home if named and part == 3 else None))  # fmt: skip
        nodes.append(Node(key=5 * block + 4, op="AccumulateGrad", recorded="AccumulateGrad",
                          kind="leaf", name=f"{home}.weight" if named else None,
                          outputs=(spec,)))  # fmt: skip
    return Graph(nodes)


def test_large_graphs_are_folded_by_module():
    large = model(30, named=True)
    drawing = draw(large, title="A model")

    assert boxes(large.nodes) > MOST >= boxes(folded(large).nodes)
    assert {f"layers.{i}" for i in range(1, 29)} <= set(texts(read(drawing.svg_tall)))
    assert "folded" in drawing.description
    for svg in (drawing.svg_wide, drawing.svg_tall):
        assert faults(svg) == []


def test_folding_never_closes_a_circle():
    """A block with another in the middle of it stays open, or the order would be lost."""
    spec = Spec(shape=(8,), dtype="float32")
    nodes = [Node(key=key, op="Mul", recorded="MulBackward0", kind="operation", outputs=(spec,),
                  edges=(Edge(slot=0, source=key + 1),) if key < 79 else (),
                  module=("a" if key % 2 else "b") if key < 60 else f"c{key // 2}")
             for key in range(80)]  # fmt: skip

    with pytest.raises(GraphTooLargeError, match=r"needs 80 boxes.*Folding its modules leaves 7\d"):
        folded(Graph(nodes))


def test_large_graphs_without_modules_are_refused():
    with pytest.raises(GraphTooLargeError, match=r"needs 100 boxes.*trace\(loss, names=model\)"):
        draw(model(20, named=False), title="A model")


def test_sixty_boxes_are_drawn():
    """As many boxes as a figure holds, with roads that pass many layers."""
    ops = [Op("", name=f"w{i}") for i in range(8)]
    ops += [Op("Mul", (i - 1, i - 8)) if i % 3 else Op("Sin", (i - 1,)) for i in range(8, MOST)]
    graph = graph_of(*ops)
    drawing = draw(graph, title="A large graph")

    assert 55 <= len(graph) <= MOST
    assert faults(drawing.svg_wide) == []
    assert faults(drawing.svg_tall) == []


def test_constants_with_one_name_are_one_box_where_boxes_are_scarce():
    """Beside its operation each use has a box; in layers all uses share one."""
    few, many = (
        graph_of(
            *[Op("", name=f"w{i}") for i in range(count)],
            *[Op("Mul", (i, "x")) for i in range(count)],
            Op("Stack", tuple(range(count, 2 * count))),
        )
        for count in (2, 6)
    )

    assert texts(both(few)[0]).count("x") == 2
    assert [texts(shown).count("x") for shown in both(many)] == [1, 1]


def test_a_drawing_is_a_value():
    one, two = (draw(SWISH, title="A graph") for _ in range(2))
    assert one == two
    assert isinstance(one, Drawing)
    assert repr(one).startswith("<Drawing 'A graph': Three boxes.")


def test_unknown_constants_are_drawn_without_inventing_anything():
    edges = (Edge(slot=0, source=1, local=scalar(1.0)),
             Edge(slot=1, source=None, constant=Constant(kind="unknown")))  # fmt: skip
    graph = Graph([replace(SWISH.nodes[0], edges=edges), replace(SWISH.nodes[2], key=1)])
    for shown in both(graph):
        assert {"constant", "not kept", "None"} <= set(texts(shown))
