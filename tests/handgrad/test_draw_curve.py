"""Laws of a curve: where its points are, what its tangents rise, what is said of them."""

import math
import re
from itertools import pairwise

import pytest
from drawn import fields, plot_faults, read, spots, strokes, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.drawing.axes import Scale, around, level_ticks, ticks, upward_ticks
from handgrad.drawing.curve import draw_curve
from handgrad.drawing.sampling import clipped, simplified
from handgrad.errors import InputError


def bowl(w):
    return (2 * w - 0.5) ** 2


def both(figure):
    return figure.svg_wide, figure.svg_tall


@given(w=st.floats(-1.5, 3.5))
def test_a_point_lies_on_its_curve_and_its_tangent_has_its_slope(w):
    figure = draw_curve(bowl, over=(-2, 4), at=w, title="T")

    for svg in both(figure):
        at = fields(svg)[0]
        assert spots(svg) == [pytest.approx(at(w, bowl(w)), abs=0.02)]
        ((x1, y1), (x2, y2)) = strokes(svg, "back tangent")[0]
        right, up = at(1, 4 * (2 * w - 0.5)), at(0, 0)  # one to the right, the slope up
        rise = (right[1] - up[1]) / (right[0] - up[0])
        assert y2 - y1 == pytest.approx(rise * (x2 - x1), abs=0.05)


@pytest.mark.parametrize("f", [bowl, math.tanh, abs, lambda x: max(0.0, x), math.sin])
def test_the_line_is_the_function_to_a_fraction_of_a_pixel(f):
    figure = draw_curve(f, over=(-3.3, 4), title="T")

    for svg in both(figure):
        at = fields(svg)[0]
        (line,) = strokes(svg, "fwd curve")
        for n in range(400):
            x = -3.3 + 7.3 * n / 400
            px, py = at(x, f(x))
            (ax, ay), (bx, by) = next(
                (a, b) for a, b in pairwise(line) if a[0] - 0.06 <= px <= b[0] + 0.06
            )
            near = ay + (by - ay) * (px - ax) / (bx - ax)
            steep = max(1.0, abs((by - ay) / (bx - ax)))
            assert abs(near - py) <= 0.3 * steep


def test_a_step_is_as_long_as_it_says_and_falls_to_the_curve():
    figure = draw_curve(bowl, over=(-2, 4.2), at=3.0, step=0.1, title="T")

    for svg in both(figure):
        at = fields(svg)[0]
        assert spots(svg, "spot open") == [pytest.approx(at(0.8, 1.21), abs=0.02)]
        (start, base), *_ = strokes(svg, "back")
        assert start == pytest.approx(at(3.0, 30.25), abs=0.02)
        assert base == pytest.approx((at(0.8, 0)[0] + 8.0, at(3.0, 30.25)[1]), abs=0.02)
        assert "−0.1 × 22 = −2.2" in texts(svg)
    assert figure.description == (
        "L as a curve over w from −2 to 4.2, lowest near w = 0.25, L = 0. At w = 3, L = 30.25, "
        "the slope is 22. A step of −0.1 × 22 = −2.2 leads to w = 0.8, L = 1.21."
    )


def test_a_step_too_long_is_in_the_picture():
    """The axis grows to where the step leads, also where the loss is larger than before."""
    figure = draw_curve(bowl, over=(-2, 4.2), at=3.0, step=0.3, title="T")

    for svg in both(figure):
        ((x, y),) = spots(svg, "spot open")
        assert (x, y) == pytest.approx(fields(svg)[0](-3.6, 59.29), abs=0.02)
        assert x > 0
        assert y < spots(svg)[0][1]  # higher on the sheet


def test_several_steps_are_all_there():
    figure = draw_curve(bowl, over=(-2, 4), at=3.0, step=0.05, steps=4, tangent=False, title="T")

    walked = [3.0]
    for _ in range(4):
        walked.append(walked[-1] - 0.05 * 4 * (2 * walked[-1] - 0.5))
    for svg in both(figure):
        at = fields(svg)[0]
        drawn = [*spots(svg), *spots(svg, "spot open")]
        expected = [at(w, bowl(w)) for w in walked]
        assert sorted(drawn) == [pytest.approx(place, abs=0.02) for place in sorted(expected)]
    assert "4 steps of −0.05 times the slope lead to w = 1.9, 1.24, 0.844 and 0.6064" in (
        figure.description
    )


def test_the_triangle_rises_by_the_slope():
    svg = draw_curve(bowl, over=(-1, 5), at=2.0, run=1, title="T").svg_wide
    at = fields(svg)[0]

    corners = [at(2, 12.25), at(3, 12.25), at(3, 26.25)]
    assert [pytest.approx(c, abs=0.02) for c in corners] in strokes(svg, "rule")
    assert {"1", "14", "slope 14"} <= set(texts(svg))


def test_every_number_is_in_the_words_and_the_table():
    figure = draw_curve(bowl, over=(-2, 4), at=[3.0, -1.0], title="T")

    for number in ("30.25", "22", "6.25", "−10"):
        assert number in figure.description
        assert f'<td class="r">{number}</td>' in figure.table
    assert '<tr><th scope="row">4</th><td class="r">56.25</td><td class="r"></td></tr>' in (
        figure.table
    )


BROKEN = {
    "pole": (lambda x: 1 / x, 2),
    "logarithm": (math.log, 1),
    "stairs": (lambda x: float(math.floor(x)), 5),
    "nan": (lambda x: math.nan if 0.4 < x < 0.6 else x, 2),
    "overflow": (lambda x: math.exp(1e4 * x), 1),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_curve_has_a_gap_where_the_function_breaks(case):
    f, runs = BROKEN[case]
    figure = draw_curve(f, over=(-1.5, 2.5), within=(-3, 3), title="T")

    for svg in both(figure):
        assert len(strokes(svg, "fwd curve")) == runs
        assert plot_faults(svg) == []


def test_a_kink_is_refused_with_both_slopes():
    with pytest.raises(InputError, match="slope is -1 on the left and 1 on the right"):
        draw_curve(abs, over=(-2, 2), at=0.0, title="T")

    figure = draw_curve(abs, over=(-2, 2), at=0.0, slope=lambda x: 0.0, title="T")
    assert "the slope is 0." in figure.description


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("w", [-1.0, 0.25, 2.0])
def test_slopes_by_nudging_are_right_to_what_is_shown(dtype, w):
    """Also where the function computes in single precision and is nearly flat."""
    torch = pytest.importorskip("torch")

    def f(w):
        return bowl(torch.tensor(w, dtype=getattr(torch, dtype)))

    figure = draw_curve(f, over=(-2, 4), at=w, title="T")

    said = re.search(r"the slope is (.*)\.$", figure.description)[1].replace("−", "-")
    assert float(said) == pytest.approx(
        4 * (2 * w - 0.5), abs={"float32": 0.02, "float64": 0}[dtype]
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"over": (2, 2)}, "two finite numbers, the smaller"),
        ({"over": (0, math.inf)}, "two finite numbers, the smaller"),
        ({"over": (1, 1 + 1e-12)}, "two finite numbers, the smaller"),
        ({"within": (3, 1)}, "two finite numbers, the smaller"),
        ({"at": math.nan}, "no finite value"),
        ({"step": 0.1}, "steps start at the first point"),
        ({"at": 1.0, "step": math.nan}, "with a finite rate"),
        ({"at": 1.0, "step": 0.1, "steps": 0}, "1 to 50"),
        ({"at": 1.0, "step": 1e300}, "no finite value"),
        ({"title": " "}, "needs a title"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, says):
    with pytest.raises(InputError, match=says):
        draw_curve(bowl, **({"over": (-2, 4), "title": "T"} | settings))


def test_a_function_without_any_value_is_refused():
    with pytest.raises(InputError, match="no finite value from w = -2"):
        draw_curve(math.sqrt, over=(-2, -1), title="T")


def test_names_are_text_not_markup():
    figure = draw_curve(
        bowl, over=(-2, 4), at=3.0, names=("<w>", "a & b"), title='<i> "T"', description="x < y"
    )

    for svg in both(figure):
        assert not re.search(r"<w>|<i>|& ", svg)
        assert "<w> = 3, a & b = 30.25" in texts(svg)
        assert read(svg).description == "x < y"
    assert "&lt;w&gt;" in figure.table


def test_equal_figures_are_equal_bytes():
    one, other = (draw_curve(math.tanh, over=(-3, 3), at=[0.5, 1.0], title="T") for _ in range(2))

    assert one == other
    assert " id=" not in one.svg_wide


@settings(deadline=None, max_examples=40)
@given(
    middle=st.floats(-1e6, 1e6),
    half=st.floats(1e-3, 1e3),
    bend=st.sampled_from([-3.0, 0.0, 1e-6, 2.0, 1e5]),
    high=st.floats(-1e4, 1e4),
    points=st.lists(st.floats(-1, 1), max_size=3),
    rate=st.sampled_from([None, 1e-7, 0.1]),
)
def test_no_words_touch_and_none_leaves_the_sheet(middle, half, bend, high, points, rate):
    """Wide windows and narrow ones, far from zero too; level lines and steep ones."""
    figure = draw_curve(
        lambda x: bend * ((x - middle) / half) ** 2 + high,
        over=(middle - half, middle + half),
        at=[middle + p * half for p in points],
        slope=lambda x: 2 * bend * (x - middle) / half**2,
        step=rate if points else None,
        run=half / 4,
        title="T",
    )

    for svg in both(figure):
        assert plot_faults(svg) == []


@given(low=st.floats(-1e9, 1e9), spread=st.floats(1e-6, 1e9))
def test_ticks_are_round_and_tell_themselves_apart(low, spread):
    high = low + max(spread, 1e-6 * abs(low))
    for most in (2, 5, 9):
        found = ticks(low, high, most)
        assert len(found) <= most + 1
        assert len({tick.words for tick in found}) == len(found)
        assert all(low - 1e-6 * (high - low) <= t.value <= high + 1e-6 * (high - low)
                   for t in found)  # fmt: skip
        for tick in found:
            said = float(tick.words.replace("−", "-"))
            assert said == pytest.approx(tick.value, abs=1e-6 * (high - low))


@given(low=st.floats(-1e6, 1e6), spread=st.floats(1e-3, 1e6))
def test_an_axis_has_at_least_two_numbers(low, spread):
    assert len(level_ticks(Scale(low, low + spread, 40.0, 320.0))) >= 1
    assert len(upward_ticks(low, low + spread, 240.0)) >= 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 10], (0, 10.5)),
        ([-10, 0], (-10.5, 0)),
        ([2, 12], (1.5, 12.5)),
        ([5, 5], (10 / 3, 20 / 3)),
        ([0, 0], (-1, 1)),
        ([-1, 1], (-1.1, 1.1)),
    ],
)
def test_room_around_numbers_does_not_cross_zero(values, expected):
    assert around(values) == pytest.approx(expected)


def test_a_line_is_cut_where_it_leaves_a_field():
    cut = clipped([(-1, 1), (1, 1), (1, 5), (1.5, 5), (1.5, 1)], (0, 0, 2, 2))

    assert cut == [[(0, 1), (1, 1), (1, 2)], [(1.5, 2), (1.5, 1)]]
    assert clipped([(3, 0), (3, 1)], (0, 0, 2, 2)) == []


def test_points_on_a_straight_stretch_are_left_out():
    assert simplified([(0, 0), (1, 1), (2, 2), (3, 0)]) == [(0, 0), (2, 2), (3, 0)]
