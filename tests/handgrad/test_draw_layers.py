"""The layout's promises: layers, distances, crossings, room."""

from itertools import pairwise

import pytest
from drawn import Op, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.drawing.layout.layers import arrange, assign, crossings
from handgrad.drawing.layout.measure import Measure, split_teeth
from handgrad.drawing.layout.places import settle
from handgrad.drawing.layout.ports import joints
from handgrad.drawing.picture import picture, wanted


@st.composite
def acyclic(draw):
    """Keys from the loss to the inputs, and links from inputs to what they enter."""
    count = draw(st.integers(2, 14))
    links = []
    for source in range(1, count):
        targets = draw(st.lists(st.integers(0, source - 1), min_size=1, max_size=3))
        links += [(str(source), str(target)) for target in targets]
    return [str(key) for key in range(count)], links


EXTENT, ROAD, APART = (-40.0, 60.0), (-8.0, 8.0), (20.0, 10.0)


def plan_of(graph, **settings):
    keys, links = graph
    return arrange(keys, links, dict.fromkeys(keys, EXTENT), ROAD, APART, **settings)


@settings(max_examples=60, deadline=None)
@given(graph=acyclic(), most=st.sampled_from([None, 1, 2, 3]))
def test_every_road_goes_forward_and_no_layer_is_too_full(graph, most):
    keys, links = graph
    layer = assign(keys, links, most)

    assert all(layer[source] > layer[target] for source, target in links)
    assert layer["0"] == 0
    assert most is None or max(list(layer.values()).count(i) for i in layer.values()) <= most


@settings(max_examples=60, deadline=None)
@given(graph=acyclic(), bundle=st.sampled_from([None, 1, 4]))
def test_nothing_in_a_layer_comes_too_near(graph, bundle):
    """Boxes and passing roads keep their distance, so no road can run over a box."""
    plan = plan_of(graph, bundle=bundle)
    boxes = set(graph[0])
    for row in plan.layers:
        for a, b in pairwise(row):
            high = EXTENT[1] if a in boxes else ROAD[1]
            low = EXTENT[0] if b in boxes else ROAD[0]
            gap = plan.place[b] + low - plan.place[a] - high
            assert gap >= APART[0 if {a, b} <= boxes else 1] - 1e-6


@settings(max_examples=60, deadline=None)
@given(graph=acyclic())
def test_ways_pass_each_layer_once(graph):
    plan = plan_of(graph)
    level = {station: i for i, row in enumerate(plan.layers) for station in row}
    for (source, target), way in zip(graph[1], plan.ways, strict=True):
        assert (way.stations[0], way.stations[-1]) == (source, target)
        assert all(level[b] == level[a] + 1 for a, b in pairwise(way.stations))


@settings(max_examples=40, deadline=None)
@given(graph=acyclic())
def test_room_is_kept_where_the_layers_allow_it(graph):
    plan = plan_of(graph, room=2000.0)
    for row in plan.layers:
        reach = [EXTENT if key in graph[0] else ROAD for key in row]
        assert plan.place[row[0]] + reach[0][0] >= -1e-6
        assert plan.place[row[-1]] + reach[-1][1] <= 2000 + 1e-6


def test_the_spine_is_one_straight_line():
    links = [("3", "2"), ("2", "1"), ("1", "0"), ("3", "0"), ("2", "0")]
    plan = plan_of((["0", "1", "2", "3"], links), spine=[0, 1, 2])
    assert [plan.place[key] for key in "0123"] == pytest.approx([0.0] * 4, abs=1e-6)


def test_an_order_that_crosses_is_turned():
    """Two pairs that cross in the order given stand without a crossing."""
    keys = ["0", "1", "2", "3", "4"]
    links = [("1", "0"), ("2", "0"), ("4", "1"), ("3", "2")]
    assert plan_of((keys, links)).crossings == 0


@given(
    rows=st.lists(st.integers(0, 5), min_size=2, max_size=7),
)
def test_crossings_are_counted_as_pairs(rows):
    pairs = [(f"a{i}", f"b{to}") for i, to in enumerate(rows)]
    layers = [[f"a{i}" for i in range(len(rows))], [f"b{i}" for i in range(6)]]
    expected = sum(x > y for i, x in enumerate(rows) for y in rows[i + 1 :])

    assert crossings(layers, pairs) == expected


@given(
    wishes=st.lists(st.floats(-100, 100), min_size=1, max_size=8),
    gap=st.floats(0, 50),
)
def test_places_are_the_best_that_keep_the_distances(wishes, gap):
    """No small move of one place, or of all of them, brings them nearer to the wishes."""
    weights, gaps = [1.0] * len(wishes), [gap] * (len(wishes) - 1)
    places = settle(wishes, weights, gaps)

    def cost(at):
        return sum((p - w) ** 2 for p, w in zip(at, wishes, strict=True))

    assert all(b - a >= gap - 1e-6 for a, b in pairwise(places))
    for start in range(len(places)):
        for end in range(start + 1, len(places) + 1):
            for by in (-0.01, 0.01):
                moved = [p + by * (start <= i < end) for i, p in enumerate(places)]
                if all(b - a >= gap for a, b in pairwise(moved)):
                    assert cost(moved) >= cost(places) - 1e-9


@settings(max_examples=40, deadline=None)
@given(graph=acyclic(), flat=st.booleans())
def test_roads_meet_a_box_in_the_order_in_which_they_come(graph, flat):
    """Ports in another order would make two roads cross right at the box."""
    keys, links = graph
    ops = [Op("Add", tuple(len(keys) - 1 - int(s) for s, t in links if t == key))
           for key in reversed(keys)]  # fmt: skip
    recorded = graph_of(*ops)
    shown = picture(recorded, wanted(recorded, "all", "recorded", {}, None), {}, merge=True)
    measure = Measure(flat=flat, box=86, gap=62, bend=30, drop=52, apart=APART, half=11)
    trunk = split_teeth(shown, hang=False)
    plan = plan_of((trunk.keys, [(link.source, link.target) for link in trunk.links]))
    met = joints(shown, trunk, plan, measure)
    for key in trunk.keys:
        near = [(plan.place[way.stations[-2]], port.offset) for link, way, (_, port) in zip(
            trunk.links, plan.ways, met, strict=True) if link.target == key]  # fmt: skip
        offsets = [offset for _, offset in sorted(near)]
        assert offsets == sorted(offsets)
