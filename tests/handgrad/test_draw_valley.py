"""Laws of contour lines, walks and arrows: heights are kept along lines, arrows go down."""

import math
import re

import pytest
from drawn import fields, plot_faults, spots, strokes, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.drawing.contours import gridded, levels, lines
from handgrad.drawing.valley import draw_valley
from handgrad.errors import InputError

WINDOW = ((-3.0, 3.0), (-2.0, 2.0))
PATH = [(2.0, 1.0), (1.0, -1.0), (0.25, 0.5)]


def bowl(w, b):
    return w * w + 4 * b * b + w * b


def both(figure):
    return figure.svg_wide, figure.svg_tall


def nothing(w, b):
    return math.nan


@given(tilt=st.floats(-1.5, 1.5), level=st.floats(0.05, 8.0))
def test_a_function_keeps_its_value_along_a_line(tilt, level):
    def f(x, y):
        return x * x + y * y + tilt * x * y

    grid = gridded(f, (-2, 2), (-2, 2))

    found = lines(grid, level)
    assert found
    for run in found:
        for x, y in run:
            assert f(x, y) == pytest.approx(level, abs=0.01)
        inner = all(abs(v) < 2 for point in run for v in point)
        assert not inner or run[0] == run[-1]  # a line ends at the edge, or nowhere


def test_a_saddle_has_four_arms():
    grid = gridded(lambda x, y: x * y + 1e-6, (-1, 1), (-1, 1))

    assert len(lines(grid, 0.5)) == len(lines(grid, -0.5)) == 2
    ends = [run[i] for run in lines(grid, 1e-6) for i in (0, -1)]
    assert len(ends) == 4


def test_lines_stop_where_there_is_no_value():
    grid = gridded(lambda x, y: math.sqrt(x) + y, (-1, 1), (-1, 1))

    for run in lines(grid, 0.5):
        assert min(x for x, _ in run) >= 0


@given(low=st.floats(-1e6, 1e6), spread=st.floats(1e-3, 1e6))
def test_levels_are_round_few_and_inside(low, spread):
    found = levels(low, low + spread)

    assert 2 <= len(found) <= 11
    assert found == sorted(set(found))
    assert all(low < level < low + spread for level in found)


def test_every_place_of_a_walk_is_drawn_said_and_in_the_table():
    figure = draw_valley(bowl, over=WINDOW, path=PATH, lowest=(0, 0), title="T")

    for svg in both(figure):
        (at,) = fields(svg)
        (way,) = strokes(svg, "back thin walk")
        assert way == [pytest.approx(at(*place), abs=0.02) for place in PATH]
        assert spots(svg, "spot open here") == [pytest.approx(at(*PATH[-1]), abs=0.02)]
        assert {"L = 10", "L = 1.1875"} <= set(texts(svg))
    assert figure.description == (
        "Contour lines of L over w and b, at 0.1, 0.2, 0.5, 1, 2, 5, 10 and 20. 2 steps lead from "
        "w = 2, b = 1, L = 10 to w = 0.25, b = 0.5, L = 1.1875. The lowest point is w = 0, b = 0, "
        "L = 0."
    )
    assert (
        '<th scope="row">1</th><td class="r">1</td><td class="r">−1</td><td class="r">4</td>'
        in figure.table
    )


def test_arrows_point_where_the_function_falls_and_are_as_long_as_it_falls_fast():
    figure = draw_valley(bowl, over=WINDOW, arrows=True, title="T")

    for svg in both(figure):
        (at,) = fields(svg)
        (x0, y0), (x1, _), (_, y1) = at(0, 0), at(1, 0), at(0, 1)
        per_x, per_y = x1 - x0, y0 - y1
        drawn = re.findall(
            r'thin" d="M([^L]*)L[^"]*"/><path class="back thin head" d="M[^L]*L([^L]*)L', svg
        )
        assert len(drawn) >= 8
        lengths = []
        for ends in drawn:
            (x, y), (x2, y2) = (tuple(map(float, end.split())) for end in ends)
            w, b = (x - x0) / per_x, (y0 - y) / per_y
            down = (-(2 * w + b) * per_x, (8 * b + w) * per_y)
            lengths.append(math.hypot(x2 - x, y2 - y) / math.hypot(*down))
            assert math.atan2(y2 - y, x2 - x) == pytest.approx(math.atan2(*down[::-1]), abs=0.01)
        assert lengths == [pytest.approx(lengths[0], rel=0.01)] * len(lengths)


def test_units_are_equally_long_on_both_axes_where_the_sheet_allows():
    for svg in both(draw_valley(bowl, over=WINDOW, title="T")):
        (at,) = fields(svg)
        across, up = at(1, 0)[0] - at(0, 0)[0], at(0, 0)[1] - at(0, 1)[1]
        assert across == pytest.approx(up, rel=0.01)


def test_a_walk_that_leaves_the_window_is_in_the_picture():
    figure = draw_valley(bowl, over=WINDOW, path=[(9, 0), (0, 0)], title="T")

    for svg in both(figure):
        ((x, y), _) = strokes(svg, "back thin walk")[0]
        left, top = fields(svg)[0](-3, 2)
        assert left < x < 620
        assert y > top


def test_without_a_walk_the_table_has_the_function():
    figure = draw_valley(bowl, over=WINDOW, title="T")

    assert '<th scope="row">b = 1.0</th>' in figure.table
    assert figure.table.count("<tr>") > 4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"over": ((0, 0), (0, 1))}, "Cannot draw w over"),
        ({"over": ((0, 1), (0, math.nan))}, "Cannot draw b over"),
        ({"path": [(math.inf, 0)]}, "Cannot mark w = inf"),
        ({"f": nothing}, "no finite value in this window"),
        ({"f": nothing, "lowest": (0, 0)}, "L is nan"),
        ({"title": ""}, "needs a title"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, says):
    with pytest.raises(InputError, match=says):
        draw_valley(**({"f": bowl, "over": WINDOW, "title": "T"} | settings))


def test_a_plain_has_no_lines():
    figure = draw_valley(lambda w, b: 1.0, over=WINDOW, arrows=True, title="T")

    assert figure.description.startswith("Contour lines of L over w and b, at no height.")
    assert "back thin head" not in figure.svg_wide


def test_names_are_text_not_markup():
    figure = draw_valley(
        bowl, over=WINDOW, path=PATH, lowest=(0, 0), names=("<w>", "b & c", "<L>"), title="<i>"
    )

    for markup in (*both(figure), figure.table):
        assert not re.search("<w>|<i>|& c|<L>", markup)


@settings(deadline=None, max_examples=25)
@given(
    path=st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), max_size=6),
    scale=st.sampled_from([1e-6, 1.0, 1e5]),
    arrows=st.booleans(),
    flat=st.booleans(),
)
def test_no_words_touch_and_none_leaves_the_sheet(path, scale, arrows, flat):
    figure = draw_valley(
        lambda w, b: bowl(w * scale, b),
        over=((-3 / scale, 3 / scale), (-2, 0) if flat else (-2, 2)),
        path=[(w / scale, b) for w, b in path],
        lowest=(0, 0),
        arrows=arrows,
        title="T",
    )

    for svg in both(figure):
        assert plot_faults(svg) == []


def test_equal_valleys_are_equal_bytes():
    one, other = (draw_valley(bowl, over=WINDOW, path=PATH, title="T") for _ in range(2))

    assert one == other
