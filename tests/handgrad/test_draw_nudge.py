"""Laws of the nudge ladder: bars are to scale, factors are quotients, the foot their product."""

import math
import re

import pytest
from drawn import plot_faults, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.drawing.nudge import draw_nudge
from handgrad.errors import InputError

BAR = re.compile(r'style="stroke-width:10" d="M([-\d.]+) [\d.]+L([-\d.]+) ')
LADDER = [
    ("w", 3.0, 3.01),
    ("u = w · 2", 6.0, 6.02),
    ("z = u + 0.5", 6.5, 6.52),
    ("L = z²", 42.25, 42.5104),
]


def bars(svg):
    return [float(tip) - float(zero) for zero, tip in BAR.findall(svg)]


@given(nudges=st.lists(st.floats(0.5, 50).map(lambda n: round(n, 3)), min_size=2, max_size=8),
       signs=st.lists(st.sampled_from([-1, 1]), min_size=8, max_size=8))  # fmt: skip
def test_bars_are_to_scale_and_to_their_side(nudges, signs):
    moves = [nudge * sign for nudge, sign in zip(nudges, signs, strict=False)]
    figure = draw_nudge([(f"s{n}", 0.0, move) for n, move in enumerate(moves)], title="T")

    for svg in (figure.svg_wide, figure.svg_tall):
        drawn = bars(svg)
        unit = max(map(abs, drawn)) / max(map(abs, moves))
        assert drawn == pytest.approx([move * unit for move in moves], abs=1.02)
        assert [length > 0 for length in drawn] == [move > 0 for move in moves]


def test_every_factor_and_the_product_are_written_said_and_in_the_table():
    figure = draw_nudge(LADDER, title="T")

    for svg in (figure.svg_wide, figure.svg_tall):
        assert [t for t in texts(svg) if t.startswith("× ")] == ["× 2", "× 1", "× 13.02"]
        assert "2 × 1 × 13.02 =" in texts(svg)
        assert "26.04" in texts(svg)
    assert figure.description == (
        "A nudge of 0.01 at w is 0.02 at u = w · 2, 2 times as long; 0.02 at z = u + 0.5, as long; "
        "0.2604 at L = z², 13.02 times as long. The last value moves 26.04 times as far as the "
        "first."
    )
    assert figure.table.count("<tr>") == 5
    assert '<td class="r">42.25</td><td class="r">42.5104</td><td class="r">0.2604</td>' in (
        figure.table
    )


def test_a_nudge_that_dies_stays_dead():
    figure = draw_nudge([("a", 0, 1), ("b", 1, 1), ("c", 2, 2)], title="T")

    assert len(bars(figure.svg_wide)) == 1
    assert figure.description.endswith(
        "0 at b, 0 times as long; 0 at c. The last value moves 0 times as far as the first."
    )


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([], "0 rows"),
        ([("w", 0, 1)], "1 rows"),
        ([("w", 1, 1), ("u", 1, 2)], "'w' goes from 1 to 1, so there is no nudge"),
        ([("w", 0, 1), ("u", 1, math.nan)], "not finite"),
        ([("w", 0, 1), ("u", -math.inf, 1)], "not finite"),
        ([("w", -1e308, 1e308), ("u", 0, 1)], "not finite"),
        ([("w", 0, 1), ("u", 1, 1), ("v", 0, 1)], "although nothing before it moved"),
        ([(str(n), 0, 1) for n in range(25)], "at most 24"),
    ],
)
def test_what_is_no_nudge_is_refused(steps, says):
    with pytest.raises(InputError, match=says):
        draw_nudge(steps, title="T")


def test_names_are_text_not_markup():
    figure = draw_nudge([("<b>", 0, 1), ("a & b", 0, 2)], title='"<i>"')

    for markup in (figure.svg_wide, figure.svg_tall, figure.table):
        assert not re.search("<[bi]>|& b", markup)
    assert "a & b" in texts(figure.svg_wide)


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.text("aw =₁Σ", max_size=30), st.floats(-1e9, 1e9), st.floats(1e-9, 1e9)),
        min_size=2,
        max_size=9,
    )
)
def test_no_words_touch_and_none_leaves_the_sheet(steps):
    rows = [(name, before, before + move + 1e-3) for name, before, move in steps]
    figure = draw_nudge(rows, title="T")

    for svg in (figure.svg_wide, figure.svg_tall):
        assert plot_faults(svg) == []


def test_equal_ladders_are_equal_bytes():
    assert draw_nudge(LADDER, title="T") == draw_nudge(LADDER, title="T")
