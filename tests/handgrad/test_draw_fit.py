"""Nothing in a drawing is clipped, overlaps or ends in the air, measured with the real fonts."""

import string
from itertools import pairwise

import pytest
from drawn import FACES, NEURON, Op, advances, faults, graph_of, read, real_width
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad import draw
from handgrad.drawing.layout.measure import Measure
from handgrad.drawing.layout.metrics import SIZES, fit, width
from handgrad.drawing.layout.place import Sketch, compose
from handgrad.drawing.picture import picture, wanted

SHAPES = {
    "neuron": NEURON,
    "same input twice": graph_of(Op("", name="a"), Op("Mul", (0, 0), "y")),
    "one leaf, one operation": graph_of(Op("", name="a"), Op("Exp", (0,))),
    "used twice": graph_of(Op("", name="z"), Op("Sigmoid", (0,), "s"), Op("Mul", (0, 1), "L")),
    "three times": graph_of(
        Op("", name="w"),
        Op("Mul", (0, "x")),
        Op("Sigmoid", (1,)),
        Op("Mul", (2, 1)),
        Op("Pow", (0,)),
        Op("Add", (3, 4)),
    ),
    "only constants beside": graph_of(
        Op("", name="w"), Op("Mul", ("", 0)), Op("Add", (1, "")), Op("Mul", ("c", 2))
    ),
    "wide sum": graph_of(*[Op("", name=f"w{i}") for i in range(9)], Op("Stack", tuple(range(9)))),
    "very wide sum": graph_of(
        *[Op("", name=f"w{i}") for i in range(50)], Op("Stack", tuple(range(50)))
    ),
    "very wide fan out": graph_of(
        Op("", name="w"), *[Op("Sin", (0,)) for _ in range(40)], Op("Stack", tuple(range(1, 41)))
    ),
    "fan out": graph_of(
        Op("", name="w"), *[Op("Sin", (0,), f"s{i}") for i in range(7)], Op("Stack", range(1, 8))
    ),
    "two layers": graph_of(
        *[Op("", name=n) for n in ("w1", "w2", "b1", "b2", "v1", "v2")],
        Op("Mul", (0, "x")),
        Op("Mul", (1, "x")),
        Op("Add", (6, 2)),
        Op("Add", (7, 3)),
        Op("Tanh", (8,), "h1"),
        Op("Tanh", (9,), "h2"),
        Op("Mul", (10, 4)),
        Op("Mul", (11, 5)),
        Op("Add", (12, 13), "s"),
        Op("Sub", (14, "y")),
        Op("Pow", (15,), "L"),
    ),
    "long chain": graph_of(Op("", name="x"), *[Op("Sin", (i,)) for i in range(13)]),
    "long spine": graph_of(
        Op("", name="w"), *[Op("Add", (i, "x" if i % 3 else "")) for i in range(9)]
    ),
    "long operations": graph_of(
        Op("", name="w"),
        *[Op("BinaryCrossEntropyWithLogits", (i, "x"), f"z{i}") for i in range(4)],
    ),
    "long operations aside": graph_of(
        Op("", name="w"),
        Op("NativeLayerNormalization", (0,), "n"),
        Op("BinaryCrossEntropy", (0,), "m"),
        Op("ReflectionPadded", (1, 2), "o"),
        Op("Mul", (0, 3), "L"),
    ),
    "values not known": graph_of(Op("", name="w", value=None), Op("Mul", (0, "x"), None, None)),
}


@pytest.mark.parametrize("name", FACES)
def test_no_character_is_wider_than_its_bound(name):
    """The width model is an upper bound for each character of each face."""
    cls = {"roman": "k", "italic": "t", "strong": "v", "code": "c"}[name]
    wide = {
        chr(code): (real, width(chr(code), cls) / SIZES[cls])
        for code, real in advances(name).items()
        if real > width(chr(code), cls) / SIZES[cls] + 1e-9
    }

    assert not {letter: pair for letter, pair in wide.items() if letter.isprintable()}


def test_bounds_are_not_idle():
    """A bound twice as wide as the text would widen every box: numbers are within 5 percent."""
    for words, cls in (("−0.5989", "k"), ("0.7006", "v"), ("gradient", "n"), ("Sigmoid", "c")):
        assert width(words, cls) <= 1.05 * real_width(words, cls)


@given(words=st.text(min_size=1, max_size=40), room=st.floats(20, 200))
def test_fitted_words_fit(words, room):
    assert width(fit(words, "t", room), "t") <= room


def drawings(graph, **settings):
    drawing = draw(graph, title="A graph", **settings)
    return {"wide": drawing.svg_wide, "tall": drawing.svg_tall}


@pytest.mark.parametrize("show", ["all", "values", "structure"])
@pytest.mark.parametrize("name", SHAPES)
def test_nothing_touches(name, show):
    for svg in drawings(SHAPES[name], show=show).values():
        assert faults(svg) == []


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_touches_in_the_popular_picture(name):
    for svg in drawings(SHAPES[name], view="values").values():
        assert faults(svg) == []


def test_sheets_have_the_widths_of_the_page():
    for graph in SHAPES.values():
        both = drawings(graph)
        assert read(both["tall"]).width == 342
        assert read(both["wide"]).width in (620, 892)


def test_the_neuron_fills_the_page_as_the_look_prescribes():
    """Six boxes of 86 with gaps of 62 in one line, and the words of both rows at the end."""
    wide = read(drawings(NEURON)["wide"])
    tops = [box[1] for box in wide.boxes]
    spine = sorted(box for box in wide.boxes if box[1] == min(tops))

    assert [box[2] - box[0] for box in spine] == [86] * 6
    assert [round(b[0] - a[2], 2) for a, b in pairwise(spine)] == [62] * 5
    assert {round(box[1] - spine[0][3], 2) for box in wide.boxes} == {52, -84}


def test_the_spine_is_straight_although_a_road_goes_round_it():
    graph = SHAPES["used twice"]
    for name, axis in (("wide", 1), ("tall", 0)):
        boxes = read(drawings(graph)[name]).boxes
        assert len({box[axis] for box in boxes}) == 1


def test_words_that_find_no_place_get_a_row_of_their_own():
    """Of five edges between the same two boxes only the outer two have room beside them."""
    graph = graph_of(Op("", name="a"), Op("Stack", (0,) * 5, "y"))
    shown = picture(graph, wanted(graph, "all", "recorded", {}, None), {}, merge=True)
    down = Measure(flat=False, box=108, gap=46, bend=24, drop=74, apart=(40.0, 16.0), half=11,
                   hang=False, room=888.0)  # fmt: skip
    scene = compose(Sketch(shown, hang=False), down, 892)

    assert scene is not None
    assert scene.unlabelled == ()
    assert len({road.label.y for road in scene.roads}) == 1


@pytest.mark.parametrize("name", ["used twice", "three times", "two layers", "fan out"])
def test_lanes_keep_their_distance_in_a_bend(name):
    """However steep a road bends, its two lanes do not run into one."""
    for svg in drawings(SHAPES[name]).values():
        shown = read(svg)
        for forward, back in zip(shown.forward, shown.back, strict=False):
            if faces(forward, back):
                apart = min(distance(point, back) for point in forward[2:-2])
                assert apart > 4


def faces(forward, back):
    """Tell whether two lanes belong to one road: each ends where the other starts."""
    return max(abs(forward[0][i] - back[-1][i]) + abs(forward[-1][i] - back[0][i])
               for i in (0, 1)) < 45  # fmt: skip


def distance(point, lane):
    return min(((point[0] - x) ** 2 + (point[1] - y) ** 2) ** 0.5 for x, y in lane)


NAMES = st.one_of(
    st.none(),
    st.text(string.ascii_letters + "_.<>&\"'ŷσ²中文", min_size=1, max_size=30),
)
VALUES = st.one_of(
    st.none(), st.floats(-200, 200), st.sampled_from([-0.0, 1e-300, -1e300, float("nan")]),
    st.sampled_from([float("inf"), -float("inf"), 12345.678, -99999.9]),
)  # fmt: skip


@st.composite
def graphs(draw_, largest=16):
    """Any acyclic graph: fan-in, fan-out, repeated inputs, constants, odd names and values."""
    leaves = draw_(st.integers(1, 4))
    ops = [Op("", name=draw_(NAMES), value=draw_(VALUES)) for _ in range(leaves)]
    for _ in range(draw_(st.integers(1, largest - leaves))):
        near = st.integers(max(0, len(ops) - 5), len(ops) - 1)
        first = draw_(near)
        rest = draw_(st.lists(st.one_of(near, st.sampled_from(["", "x"])), max_size=2))
        op = draw_(st.sampled_from(["Mul", "Add", "NativeLayerNorm", "X" * 30]))
        ops.append(Op(op, (first, *rest), draw_(NAMES), draw_(VALUES)))
    return graph_of(*ops, slope=draw_(st.floats(-500, 500)))


@settings(max_examples=25, deadline=None)
@given(graph=graphs(), show=st.sampled_from(["all", "values", "structure"]))
def test_nothing_touches_in_any_graph(graph, show):
    for svg in drawings(graph, show=show).values():
        assert faults(svg) == []
