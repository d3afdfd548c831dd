"""The layout's promises: layers, distances, crossings, room."""

from itertools import pairwise

import pytest
from drawn import Op, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.drawing.layout.layers import assign, crossings, layered, packed, with_rows
from handgrad.drawing.layout.measure import Measure, split_teeth
from handgrad.drawing.layout.places import Room, places, settle
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


def layers_of(graph, layer=None, **settings):
    keys, links = graph
    return layered(keys, links, layer or assign(keys, links), **settings)


def room_of(layering, within=None):
    boxes = layering.boxes
    reach = [EXTENT if v < boxes else ROAD for v in range(len(layering.above))]
    return Room(reach=reach, boxes=APART[0], edges=APART[1], within=within)


def placed(layering, within=None, straight=()):
    return places(layering, room_of(layering, within), dict.fromkeys(straight, 0.0))


@settings(max_examples=60, deadline=None)
@given(graph=acyclic())
def test_every_edge_goes_forward(graph):
    keys, links = graph
    layer = assign(keys, links)

    assert all(layer[source] > layer[target] for source, target in links)
    assert layer["0"] == 0


@settings(max_examples=60, deadline=None)
@given(graph=acyclic(), room=st.sampled_from([1.0, 250.0, 1e9]), bundled=st.booleans())
def test_packed_layers_go_forward_and_none_is_empty(graph, room, bundled):
    """However little room there is; with as little as this, each layer has one box."""
    keys, links = graph
    layer = packed(keys, links, dict.fromkeys(keys, 100.0), 26.0, room, bundled=bundled)

    assert all(layer[source] > layer[target] for source, target in links)
    assert set(layer.values()) == set(range(max(layer.values()) + 1))
    assert room > 1.0 or len(set(layer.values())) == len(keys)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_packed_layers_leave_few_edges_open(depth):
    """A tree is drawn branch by branch: one more edge passes for each level, not all leaves."""
    count = 2 ** (depth + 1) - 1
    keys = [str(key) for key in range(count)]
    links = [(str(key), str((key - 1) // 2)) for key in range(1, count)]
    layer = packed(keys, links, dict.fromkeys(keys, 100.0), 26.0, 1.0, bundled=False)
    passing = [sum(layer[b] < level < layer[a] for a, b in links) for level in layer.values()]

    assert max(passing) <= depth


@settings(max_examples=60, deadline=None)
@given(graph=acyclic(), bundle=st.sampled_from([None, 1, 4]))
def test_nothing_in_a_layer_comes_too_near(graph, bundle):
    """Boxes and passing edges keep their distance, so no edge can run over a box."""
    layering = layers_of(graph, bundle=bundle)
    place, boxes = placed(layering), len(graph[0])
    for row in layering.layers:
        for a, b in pairwise(row):
            high = EXTENT[1] if a < boxes else ROAD[1]
            low = EXTENT[0] if b < boxes else ROAD[0]
            gap = place[b] + low - place[a] - high
            assert gap >= APART[0 if max(a, b) < boxes else 1] - 1e-6


def passes_each_layer_once(graph, layering):
    level = {vertex: i for i, row in enumerate(layering.layers) for vertex in row}
    for (source, target), chain in zip(graph[1], layering.chains, strict=True):
        assert (graph[0][chain[0]], graph[0][chain[-1]]) == (source, target)
        assert all(level[b] == level[a] + 1 for a, b in pairwise(chain))


@settings(max_examples=60, deadline=None)
@given(graph=acyclic())
def test_chains_pass_each_layer_once(graph):
    passes_each_layer_once(graph, layers_of(graph))


@settings(max_examples=60, deadline=None)
@given(graph=acyclic(), data=st.data())
def test_rows_of_words_are_passed_by_what_runs_there(graph, data):
    """Each row has one dummy for each edge that runs between the two layers, and nothing else."""
    before = layers_of(graph)
    level = {vertex: i for i, row in enumerate(before.layers) for vertex in row}
    gaps = range(len(before.layers) - 1)
    count = data.draw(st.dictionaries(st.sampled_from(gaps), st.integers(1, 2), min_size=1))
    middles = [
        {i: float(i) for i, c in enumerate(before.chains) if level[c[0]] <= gap < level[c[-1]]}
        for gap in range(len(before.layers))
    ]
    after, added = with_rows(before, count, middles)

    passes_each_layer_once(graph, after)
    assert len(after.layers) == len(before.layers) + sum(count.values())
    wanted = [set(middles[gap]) for gap in sorted(count) for _ in range(count[gap])]
    assert [set(row) for row in added] == wanted


@settings(max_examples=40, deadline=None)
@given(graph=acyclic())
def test_room_is_kept_where_the_layers_allow_it(graph):
    layering = layers_of(graph)
    place = placed(layering, within=2000.0)
    for row in layering.layers:
        reach = [EXTENT if v < layering.boxes else ROAD for v in row]
        assert place[row[0]] + reach[0][0] >= -1e-6
        assert place[row[-1]] + reach[-1][1] <= 2000 + 1e-6


@pytest.mark.parametrize("within", [None, 400.0])
def test_the_spine_is_one_straight_line(within):
    links = [("3", "2"), ("2", "1"), ("1", "0"), ("3", "0"), ("2", "0")]
    layering = layers_of((["0", "1", "2", "3"], links), spine=[0, 1, 2])
    place = placed(layering, within, straight=range(4))

    assert place[:4] == pytest.approx([place[0]] * 4, abs=1e-6)


def test_an_edge_that_passes_many_layers_is_straight_there():
    links = [("5", "4"), ("4", "3"), ("3", "2"), ("2", "1"), ("1", "0"), ("5", "0")]
    layering = layers_of(([str(key) for key in range(6)], links))
    place = placed(layering)

    assert len({round(place[vertex], 6) for vertex in layering.chains[5][1:-1]}) == 1


def test_an_order_that_crosses_is_turned():
    """Two pairs that cross in the order given stand without a crossing."""
    keys = ["0", "1", "2", "3", "4"]
    links = [("1", "0"), ("2", "0"), ("4", "1"), ("3", "2")]
    assert layers_of((keys, links)).crossings == 0


@given(
    rows=st.lists(st.integers(0, 5), min_size=2, max_size=7),
)
def test_crossings_are_counted_as_pairs(rows):
    count = len(rows)
    pairs = [(i, count + to) for i, to in enumerate(rows)]
    layers = [list(range(count)), list(range(count, count + 6))]
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
def test_edges_meet_a_box_in_the_order_in_which_they_come(graph, flat):
    """Ports in another order would make two edges cross right at the box."""
    keys, links = graph
    ops = [Op("Add", tuple(len(keys) - 1 - int(s) for s, t in links if t == key))
           for key in reversed(keys)]  # fmt: skip
    recorded = graph_of(*ops)
    shown = picture(recorded, wanted(recorded, "all", "recorded", {}, None), {}, merge=True)
    measure = Measure(flat=flat, box=86, gap=62, bend=30, drop=52, apart=APART, half=11)
    trunk = split_teeth(shown, hang=False)
    layering = layers_of((trunk.keys, trunk.pairs))
    place = placed(layering)
    met = joints(shown, trunk, layering, place, measure)
    for key in trunk.keys:
        near = [(place[chain[-2]], port.offset) for link, chain, (_, port) in zip(
            trunk.links, layering.chains, met, strict=True) if link.target == key]  # fmt: skip
        offsets = [offset for _, offset in sorted(near)]
        assert offsets == sorted(offsets)
