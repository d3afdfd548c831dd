"""Laws of a function above its slope: the lower line is the upper one's slope."""

import math
import re

import pytest
from drawn import fields, plot_faults, spots, strokes, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.drawing.activation import FAN, draw_activation
from handgrad.errors import InputError


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def sigmoid_slope(z):
    return sigmoid(z) * (1 - sigmoid(z))


def relu(z):
    return max(0.0, z)


def both(figure):
    return figure.svg_wide, figure.svg_tall


@given(z=st.floats(-5, 5))
def test_a_point_stands_above_its_slope(z):
    figure = draw_activation(sigmoid, sigmoid_slope, over=(-6, 6), at=z, title="T")

    for svg in both(figure):
        above, below = fields(svg)
        ((x, y),), ((under, slope),) = spots(svg), spots(svg, "spot bk")
        assert (x, y) == pytest.approx(above(z, sigmoid(z)), abs=0.02)
        assert (under, slope) == pytest.approx(below(z, sigmoid_slope(z)), abs=0.02)
        assert x == under
        ((x1, y1), (x2, y2)) = strokes(svg, "back tangent")[0]
        one, none = above(1, sigmoid_slope(z)), above(0, 0)
        assert y2 - y1 == pytest.approx(
            (one[1] - none[1]) / (one[0] - none[0]) * (x2 - x1), abs=0.05
        )


def test_both_lines_are_drawn_and_without_a_slope_it_is_found():
    given_slope = draw_activation(sigmoid, sigmoid_slope, at=0.5, title="T")
    by_nudging = draw_activation(sigmoid, at=0.5, title="T")

    for svg in both(given_slope):
        assert len(strokes(svg, "fwd curve")) == len(strokes(svg, "back curve")) == 1
    assert by_nudging.table == given_slope.table


@pytest.mark.parametrize("taken", [0.0, 0.5, 1.0])
def test_a_kink_has_a_fan_and_its_slope_jumps(taken):
    def slope(z):
        return taken if z == 0 else float(z > 0)

    figure = draw_activation(relu, slope, over=(-2, 2), kinks=0.0, title="T")

    for svg in both(figure):
        above, below = fields(svg)
        assert len(strokes(svg, "back thin")) == FAN
        for line in strokes(svg, "back thin"):
            (x1, y1), (x2, y2) = line
            x, y = above(0, 0)
            assert (y2 - y1) * (x - x1) == pytest.approx((y - y1) * (x2 - x1), abs=2.0)
        assert spots(svg, "spot open bk") == [
            pytest.approx(below(0, 0), abs=0.02),
            pytest.approx(below(0, 1), abs=0.02),
        ]
        assert spots(svg, "spot bk") == [pytest.approx(below(0, taken), abs=0.02)]
        assert len(strokes(svg, "back curve")) == 2
        assert {"slopes from 0 to 1", f"taken: {taken:g}"} <= set(texts(svg))
    assert f"the slope jumps from 0 to 1; taken is {taken:g}." in figure.description


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kinks": 0.0}, "has no one slope at its kink"),
        ({"at": 9.0, "slope": sigmoid_slope}, "Mark a point inside"),
        ({"at": math.nan, "slope": sigmoid_slope}, "Mark a point inside"),
        ({"kinks": 0.0, "slope": lambda z: 1.0}, "0.0 is no kink"),
        ({"over": (1, 0)}, "two finite numbers"),
        ({"slope": lambda z: math.nan}, "no finite value from -4.0 to 4.0"),
        ({"title": ""}, "needs a title"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, says):
    with pytest.raises(InputError, match=says):
        draw_activation(sigmoid, **({"title": "T"} | settings))


def test_names_are_text_not_markup():
    figure = draw_activation(
        sigmoid, sigmoid_slope, at=1.0, names=("<z>", "a & b", "<slope>"), title="<i>"
    )

    for markup in (*both(figure), figure.table):
        assert not re.search("<z>|<i>|& b|<slope>", markup)


def test_every_number_is_in_the_words_and_the_table():
    figure = draw_activation(sigmoid, sigmoid_slope, at=[0.0, 3.0], title="T")

    for number in ("0.25", "0.9526", "0.0452"):
        assert number in figure.description
        assert f'<td class="r">{number}</td>' in figure.table


@settings(deadline=None, max_examples=30)
@given(
    at=st.lists(st.floats(-3.9, 3.9), max_size=4),
    scale=st.sampled_from([1e-9, 0.3, 1.0, 1e7]),
    kinks=st.booleans(),
)
def test_no_words_touch_and_none_leaves_the_sheet(at, scale, kinks):
    figure = draw_activation(
        lambda z: scale * abs(z),
        lambda z: scale * ((z > 0) - (z < 0)),
        at=at,
        kinks=[0.0] if kinks else [],
        title="T",
    )

    for svg in both(figure):
        assert plot_faults(svg) == []
    assert figure == draw_activation(
        lambda z: scale * abs(z),
        lambda z: scale * ((z > 0) - (z < 0)),
        at=at,
        kinks=[0.0] if kinks else [],
        title="T",
    )
