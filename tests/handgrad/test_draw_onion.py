"""What a drawing of an onion shows: rings, the ladder of products, the sum over paths."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from drawn import Op, graph_of, inside, overlap, read, scalar
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad import draw, peel
from handgrad.drawing.numbers import number
from handgrad.errors import GraphTooLargeError, InputError
from handgrad.graph.records import Array
from handgrad.peeling.onion import Layer, Onion, Path

SLOPES = {"loss": -0.5988657, "activation": 0.2097728, "affine": 1.5}


def path_of(nodes, product):
    return Path(nodes=tuple(nodes), names=tuple(map(str, nodes)), slots=(0,) * (len(nodes) - 1),
                product=scalar(product))  # fmt: skip


def onion_of(slopes, wrt="w", **more):
    layers, product = [], 1.0
    for node, (name, slope) in enumerate(slopes.items()):
        product *= slope
        layers.append(Layer(node=node, name=name, op="Op", slot=0, local=scalar(slope),
                            product=scalar(product), flow=scalar(product), ulps=0))  # fmt: skip
    path = path_of(range(len(layers) + 1), product)
    facts = {"layers": tuple(layers), "groups": (), "path_count": 1, "paths": (path,),
             "gradient": scalar(product), "product": scalar(product),
             "nodewise": scalar(product), "ulps": 0, "same_bits": True}  # fmt: skip
    return Onion(wrt=wrt, **(facts | more))


def branches(*products, wrt="z"):
    paths = tuple(path_of((0, i + 1, 9), p) for i, p in enumerate(products))
    total = math.fsum(products)
    return onion_of({}, wrt=wrt, paths=paths, path_count=len(paths), gradient=scalar(total),
                    product=scalar(total), nodewise=scalar(total))  # fmt: skip


def circles(svg):
    found = re.findall(r'<circle class="ring[^"]*" cx="(\S+)" cy="(\S+)" r="(\S+)"', svg)
    return [tuple(map(float, numbers)) for numbers in found]


def bars(svg):
    found = re.findall(r'<path class="amount" d="M(\S+) \S+h(\S+)"', svg)
    return [(float(left), float(long)) for left, long in found]


def drawings(onion, **settings):
    drawing = draw(onion, title="An onion", **settings)
    return drawing.svg_wide, drawing.svg_tall


def clean(svg):
    """Tell whether no text is clipped and no two texts overlap."""
    shown = read(svg)
    sheet = (0.0, 0.0, shown.width, shown.height)
    kept = all(inside(w.rect, sheet, -0.5) for w in shown.words)
    pairs = ((a, b) for i, a in enumerate(shown.words) for b in shown.words[i + 1 :])
    return kept and not any(overlap(a.rect, b.rect) for a, b in pairs)


def test_three_rings_stand_where_the_look_has_them():
    wide = drawings(onion_of(SLOPES))[0]

    assert circles(wide) == [
        (141.0, 212.0, 140.0), (141.0, 242.0, 104.0), (141.0, 272.0, 68.0), (141.0, 302.0, 32.0)
    ]  # fmt: skip
    assert (read(wide).width, read(wide).height) == (620, 354)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_each_ring_leaves_a_crescent_for_its_words(count):
    onion = onion_of({f"layer {i}": 0.5 + i for i in range(count)})
    for svg in drawings(onion):
        rings = circles(svg)
        assert len(rings) == count + 1
        assert clean(svg)
        for (ax, ay, ar), (bx, by, br) in pairwise(rings):
            assert ax == bx
            assert (ay + ar) - (by + br) == pytest.approx(6, abs=0.02)  # bottoms rise
            assert (by - br) - (ay - ar) > 36  # two lines of words at the top


def test_more_than_five_layers_are_a_ladder_alone():
    for svg in drawings(onion_of({f"s{i}": 0.5 for i in range(6)})):
        assert circles(svg) == []
        assert len(bars(svg)) == 7
        assert clean(svg)


def test_bars_are_as_long_as_the_running_product():
    for svg in drawings(onion_of(SLOPES)):
        lengths = [long for _, long in bars(svg)]
        products = [1.0, 0.5988657, 0.5988657 * 0.2097728, 0.5988657 * 0.2097728 * 1.5]
        unit = lengths[0]
        assert lengths == pytest.approx([unit * p for p in products], abs=0.011)


def test_a_product_above_one_does_not_leave_the_sheet():
    for svg in drawings(onion_of({"loss": 40.0, "affine": -2.0})):
        assert max(left + long for left, long in bars(svg)) < read(svg).width
        lengths = [long for _, long in bars(svg)]
        assert lengths[2] == pytest.approx(80 * lengths[0], rel=0.01)


def test_the_ladder_says_the_product_of_each_row():
    for svg in drawings(onion_of(SLOPES), titles={"affine": "x"}):
        said = [words.text for words in read(svg).words]
        assert "1.0000 × (−0.5989) = −0.5989" in said
        assert "−0.1256 × 1.5000 = −0.1884" in said
        assert "affine: x" in said
        assert "w.grad = −0.1884" in said


def test_paths_stand_end_to_end_and_end_at_their_sum():
    """The bar of each path starts where the last one ended; the last row starts at zero."""
    onion = branches(0.8176, 0.2237, -0.5)
    for svg in drawings(onion):
        steps = re.findall(r'<path class="amount" d="M(\S+) \S+h([^" ]+)"', svg)
        (a, la), (b, lb), (c, lc), (d, ld) = ((float(x), float(y)) for x, y in steps)
        assert b == pytest.approx(a + la, abs=0.02)
        assert c + lc == pytest.approx(b + lb, abs=0.02)  # the negative one goes back
        assert (d, d + ld) == pytest.approx((a, c), abs=0.02)
        assert la / lb == pytest.approx(0.8176 / 0.2237, rel=0.01)
        assert (
            len(set(re.findall(r'stroke-dasharray="([^"]+)"', svg.partition("</style>")[2]))) == 2
        )


def test_paths_have_the_names_and_factors_of_their_graph():
    graph = graph_of(Op("", name="z"), Op("Sigmoid", (0,), "s"), Op("Mul", (0, 1), "L"), slope=0.5)
    onion = peel(graph, "z")
    drawing = draw(onion, title="Two paths", path_names=graph, titles={"s": "σ(z)"})

    said = [words.text for words in read(drawing.svg_wide).words]
    assert "L ← z" in said
    assert "L ← σ(z) ← z" in said
    assert "0.5000 × 0.5000 = 0.2500" in said


def test_many_paths_are_counted_not_drawn():
    few, many = branches(*[0.5] * 12), branches(*[0.5] * 40)

    assert len(bars(drawings(few)[0])) + 11 >= 12
    assert "and 29 more paths" in [words.text for words in read(drawings(many)[0]).words]
    endless = onion_of({}, path_count=2**60, paths=())
    assert f"{2**60} paths, added where they meet" in drawings(endless)[0]


def test_tensors_show_sizes_instead_of_numbers():
    big = Array(shape=(1, 3), dtype="float32", data=(1.0, 2.0, 3.0))
    layer = Layer(node=0, name="L", op="MV", slot=0, local=big, product=big, flow=big, ulps=0)
    onion = onion_of({}, layers=(layer,), gradient=big, product=big)
    for svg in drawings(onion):
        said = [words.text for words in read(svg).words]
        assert "1.0000 × (1, 3) = (1, 3)" in said
        assert "w.grad = (1, 3)" in said


@settings(max_examples=40, deadline=None)
@given(
    slopes=st.dictionaries(
        st.text(min_size=1, max_size=30),
        st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, 1e-300, -0.0])),
        min_size=1,
        max_size=8,
    ),
    wrt=st.text(min_size=1, max_size=30),
)
def test_nothing_touches_in_any_onion(slopes, wrt):
    for svg in drawings(onion_of(slopes, wrt=wrt)):
        assert clean(svg)


@settings(max_examples=25, deadline=None)
@given(
    products=st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=2, max_size=20)
)
def test_nothing_touches_in_any_sum(products):
    onion = branches(*products) if not any(map(math.isnan, products)) else onion_of(
        {}, paths=tuple(path_of((0, 1), p) for p in products),
        path_count=len(products), gradient=scalar(math.nan), product=scalar(math.nan),
    )  # fmt: skip
    for svg in drawings(onion):
        assert clean(svg)
        for left, long in bars(svg):
            assert 0 <= left <= left + long <= read(svg).width


def test_words_and_table_say_the_layers():
    drawing = draw(onion_of(SLOPES), title="The onion")
    table = ElementTree.fromstring(drawing.table)

    assert drawing.description == (
        "3 nested rings around w. From the outside in: loss, −0.5989; activation, 0.2098; "
        "affine, 1.5000. The running product goes from 1.0000 to −0.5989, −0.1256 and −0.1884, "
        "which is w.grad."
    )
    rows = [[cell.text for cell in row] for row in table.findall("tbody/tr")]
    assert rows[2] == ["affine", "1.5000", "−0.1884", "−0.1884", "0"]


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 40))
def test_words_stay_short(count):
    onion = onion_of({f"s{i}": 0.5 for i in range(count)})
    assert len(draw(onion, title="An onion").description.split()) < 60
    sums = branches(*[0.5] * (count + 1))
    assert len(draw(sums, title="A sum").description.split()) < 60


def test_an_onion_is_grouped_when_it_is_peeled():
    with pytest.raises(InputError, match=r"peel\(graph, \"w\", groups="):
        draw(onion_of(SLOPES), title="An onion", groups={"loss": ["L"]})


def test_an_endless_onion_is_refused():
    with pytest.raises(GraphTooLargeError, match=r"61 layers.*groups="):
        draw(onion_of({f"s{i}": 0.5 for i in range(61)}), title="An onion")


def test_number_is_the_figures_number():
    assert number(SLOPES["loss"]) == "−0.5989"
