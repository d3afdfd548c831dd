"""Laws of a walk on a plane: each step is drawn, told and in the table, inside the frame."""

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.drawing.numbers import number
from handgrad.drawing.plane import walk
from handgrad.errors import InputError

SQUARE = [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
STEPS = [(5.0, -3.0, 12.0), (1.0, 0.5, 2.25), (1.5, 0.25, 0.5)]
PLACE = st.floats(-1e3, 1e3, allow_nan=False)


def frame(svg):
    return json.loads(html.unescape(re.search(r'data-plane="([^"]*)"', svg)[1]))


def drawn(svg):
    """Return the places of the steps, of the dots, and of the mark at the end."""
    way = re.search(r'class="back walk"[^>]* d="M([^"]*)"', svg)[1].split("L")
    dots = re.findall(r"M([-\d.]+ [-\d.]+)h0", svg)
    here = re.search(r'here" cx="([-\d.]+)" cy="([-\d.]+)"', svg)
    return way, dots, f"{here[1]} {here[2]}"


@given(steps=st.lists(st.tuples(PLACE, PLACE, PLACE), min_size=1, max_size=9))
def test_every_step_has_its_place_inside_the_frame(steps):
    """Both drawings say where their frame is, and by it the places are right."""
    made = walk(steps, rings=[SQUARE], title="T")

    for svg in (made.svg_wide, made.svg_tall):
        f = frame(svg)
        way, dots, here = drawn(svg)
        assert way == dots
        assert here == way[-1]
        for (x, y, _), place in zip(steps, way, strict=True):
            left, top = map(float, place.split())
            assert left == pytest.approx(
                f["left"] + f["width"] * (x - f["low"][0]) / f["span"][0], abs=0.01
            )
            assert top == pytest.approx(
                f["top"] + f["height"] * (1 - (y - f["low"][1]) / f["span"][1]), abs=0.01
            )
            assert f["left"] - 0.01 <= left <= f["left"] + f["width"] + 0.01
            assert f["top"] - 0.01 <= top <= f["top"] + f["height"] + 0.01


def test_every_number_is_in_the_words_or_the_table():
    """Start and end are said; all steps are rows."""
    made = walk(STEPS, rings=[], title="Down", names=("w", "b", "L"))

    assert made.description == (
        "From w = 5.0000, b = −3.0000, where L = 12.0000, in 2 steps to w = 1.5000, b = 0.2500, "
        "where L = 0.5000."
    )
    rows = re.findall(r'<tr><th scope="row">(\d)</th>(.*?)</tr>', made.table)
    assert [count for count, _ in rows] == ["0", "1", "2"]
    for (_, cells), step in zip(rows, STEPS, strict=True):
        assert re.findall(r">([^<]+)</td>", cells) == [number(value) for value in step]


def test_other_walks_have_room_too():
    """The frame holds what a control may show later."""
    f = frame(walk(STEPS, rings=[], room=[(-40.0, 70.0)], title="T").svg_tall)

    assert f["low"][0] <= -40.0
    assert f["low"][1] + f["span"][1] >= 70.0


def test_ticks_are_round_and_few():
    """Numbers that a reader can count with, on either axis."""
    svg = walk([(0.013, 400.0, 1.0), (0.087, -350.0, 1.0)], rings=[], title="T").svg_wide
    ticks = re.findall(r'<text class="n"[^>]*>([^<]*)</text>', svg)

    assert ticks[:6] == ["0", "0.02", "0.04", "0.06", "0.08", "0.1"]
    assert ticks[6:] == ["−400", "−200", "0", "200", "400"]


def test_rings_are_cut_off_at_the_frame():
    """A sheet in the sheet holds them."""
    svg = walk(STEPS, rings=[[(-99.0, -99.0), (99.0, 99.0)]], title="T").svg_wide
    inner = re.search(r'<svg style="overflow:hidden[^>]*>(.*?)</svg>', svg)[1]

    assert inner.count("<path") == 1
    assert len(re.findall("<svg", svg)) == 2


@pytest.mark.parametrize("steps", [[], [(1.0, float("nan"), 2.0)], [(float("inf"), 1.0, 2.0)]])
def test_what_has_no_place_is_refused(steps):
    """No step, or one that is nowhere."""
    with pytest.raises(InputError, match="place on paper needs finite numbers"):
        walk(steps, rings=[], title="T")
