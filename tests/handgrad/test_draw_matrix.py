"""Laws of matrices and shapes: the product is the weighed sum, boxes are to scale."""

import math
import re

import pytest
from drawn import inside, overlap, read, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad import draw_matrix, draw_shapes
from handgrad.drawing.numbers import trimmed
from handgrad.errors import InputError, ShapeMismatchError

J = [[0.5, -1.25, 2.0], [1.5, 0.0, 0.25]]


def sheets(figure):
    return figure.svg_wide, figure.svg_tall


def words_clear(svg):
    """Tell whether no word touches another or leaves the sheet."""
    shown = read(svg)
    sheet = (0.0, 0.0, shown.width, shown.height)
    rects = [words.rect for words in shown.words]
    return all(inside(rect, sheet, -0.5) for rect in rects) and not any(
        overlap(one, other) for n, one in enumerate(rects) for other in rects[n + 1 :]
    )


@pytest.mark.parametrize("row", [0, 1])
def test_a_signal_of_one_1_lights_its_row_alone_and_the_row_is_the_product(row):
    figure = draw_matrix(J, signal=[float(row == n) for n in range(2)], title="T")

    for svg in sheets(figure):
        lit = re.findall(r'class="lit"[^>]* y="([\d.]+)" [^>]*height="([\d.]+)"', svg)
        assert len(lit) == 1
        top, high = map(float, lit[0])
        ys = re.findall(rf'<g data-row="{row}"><text[^>]* y="([\d.]+)"', svg)
        assert top < float(ys[0]) < top + high
    product = ", ".join(map(trimmed, J[row]))
    assert figure.description.endswith(f"v J is {product}: row {row + 1} of J.")


def test_the_product_is_the_sum_of_weighed_rows_and_tints_are_in_proportion():
    figure = draw_matrix(J, signal=[2, -1], rows=["a", "b"], columns=["x", "y", "z"], title="T")

    assert figure.description == (
        "J has 2 rows and 3 columns: 0.5, −1.25, 2; 1.5, 0, 0.25. v is 2, −1. "
        "v J is −0.5, −2.5, 3.75."
    )
    for svg in sheets(figure):
        assert [float(n) for n in re.findall(r'fill-opacity="([\d.]+)"', svg)] == [0.16, 0.08]
        assert {"−0.5", "−2.5", "3.75", "a", "b", "x", "y", "z", "v", "J", "v J"} <= set(texts(svg))
    assert '<th scope="row">b</th><td class="r">−1</td><td class="r">1.5</td>' in figure.table
    assert '<th scope="row">v J</th>' in figure.table


def test_what_does_not_fit_is_left_out_in_the_middle_and_stays_in_the_table():
    big = [[100.0 * i + j for j in range(40)] for i in range(30)]
    figure = draw_matrix(big, signal=[1.0] * 30, title="T")

    for svg in sheets(figure):
        assert {"0", "2939", "…"} <= set(texts(svg))
        assert "1520" not in texts(svg)
    assert '<td class="r">1520</td>' in figure.table


@settings(deadline=None, max_examples=25)
@given(
    numbers=st.lists(
        st.lists(st.sampled_from([0.0, -1.5, 123456.0, 1e-9, 3.14159]), min_size=3, max_size=3),
        min_size=1,
        max_size=14,
    ),
    weigh=st.booleans(),
    named=st.booleans(),
)
def test_no_words_touch_and_none_leaves_the_sheet(numbers, weigh, named):
    figure = draw_matrix(
        numbers,
        signal=[0.5 * n for n in range(len(numbers))] if weigh else None,
        rows=[f"a long name of output {n}" for n in range(len(numbers))] if named else (),
        columns=["the first column", "b", "c"] if named else (),
        title="T",
    )

    assert all(map(words_clear, sheets(figure)))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"matrix": [[1.0], [1.0, 2.0]]}, ShapeMismatchError, "Give every row the same"),
        ({"signal": [1.0]}, ShapeMismatchError, "but a signal of 1. Give 2"),
        ({"rows": ["a"]}, ShapeMismatchError, "names of its rows: 1. Give 2"),
        ({"columns": ["a"]}, ShapeMismatchError, "names of its columns: 1. Give 3"),
        ({"matrix": []}, InputError, "it takes 1 to"),
        ({"matrix": [[]]}, InputError, "it takes 1 to"),
        ({"matrix": [[math.nan]]}, InputError, "all finite"),
        ({"signal": [1.0, math.inf]}, InputError, "all finite"),
        ({"matrix": [[0.0] * 100] * 100}, InputError, "100 rows and 100 columns"),
        ({"title": ""}, InputError, "needs a title"),
    ],
)
def test_what_is_no_matrix_is_refused(given, error, says):
    with pytest.raises(error, match=says):
        draw_matrix(**({"matrix": J, "title": "T"} | given))


def test_sides_are_to_scale():
    figure = draw_shapes({"v": (1, 1000), "J": (500, 1000), "L": (), "t": (2, 25, 100)}, title="T")

    for svg in sheets(figure):
        boxes = [(x2 - x1, y2 - y1) for x1, y1, x2, y2 in read(svg).boxes]
        wide, high = boxes[1]
        assert wide == pytest.approx(2 * high, abs=0.02)
        assert boxes[0] == (pytest.approx(wide, abs=0.02), 2.0)  # too thin to be seen otherwise
        assert boxes[2] == (2.0, 2.0)
        assert boxes[3] == pytest.approx((wide / 10, wide / 20), abs=0.02)
        assert words_clear(svg)
    assert "v (1, 1000), 1,000 numbers; J (500, 1000), 500,000 numbers; L (), 1 number" in (
        figure.description
    )
    assert '<td class="r">(2, 25, 100)</td><td class="r">5,000 numbers</td>' in figure.table


@pytest.mark.parametrize(
    "shapes", [{}, {"a": (0, 1)}, {"a": (1.5,)}, {"a": (True,)}, {str(n): (1,) for n in range(9)}]
)
def test_what_has_no_sides_is_refused(shapes):
    with pytest.raises(InputError, match="positive whole lengths"):
        draw_shapes(shapes, title="T")


def test_names_are_text_not_markup():
    matrix = draw_matrix(
        J, signal=[1, 2], rows=["<a>", "b"], columns=["<x>", "y", "z"],
        names=("<v>", "<J>", "v & J"), title="<i>",
    )  # fmt: skip
    shapes = draw_shapes({"<b>": (1, 2)}, title="<i>")

    for figure in (matrix, shapes):
        for markup in (*sheets(figure), figure.table):
            assert not re.search("<a>|<x>|<v>|<J>|<i>|<b>|& J", markup)


def test_equal_figures_are_equal_bytes():
    assert draw_matrix(J, signal=[1, 2], title="T") == draw_matrix(J, signal=[1, 2], title="T")
    assert draw_shapes({"a": (3, 4)}, title="T") == draw_shapes({"a": (3, 4)}, title="T")
