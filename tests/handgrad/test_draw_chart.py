"""Laws of the bar chart: lengths are in proportion, every number is said three times."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handgrad import draw, trace
from handgrad.drawing.chart import TALL, WIDE, draw_bars
from handgrad.drawing.layout.metrics import width
from handgrad.errors import InputError

BAR = re.compile(r'style="stroke-width:14" d="M([\d.]+) [\d.]+H([\d.]+)"')
TEXT = re.compile(r'<text class="k num" x="([\d.]+)" y="[\d.]+" text-anchor="start">([^<]*)</text>')


def lengths(svg):
    return [float(tip) - float(axis) for axis, tip in BAR.findall(svg)]


@given(amounts=st.lists(st.floats(0.01, 1e6, allow_nan=False), min_size=1, max_size=9))
def test_lengths_are_in_proportion(amounts):
    chart = draw_bars(dict(enumerate_labels(amounts)), title="T", labels="l", unit="u", decimals=2)

    for svg in (chart.svg_wide, chart.svg_tall):
        drawn = lengths(svg)
        expected = [amount / max(amounts) * max(drawn) for amount in amounts]
        assert drawn == pytest.approx(expected, abs=0.011)


def enumerate_labels(amounts):
    return ((f"{place} to {place + 1}", amount) for place, amount in enumerate(amounts))


def test_every_number_is_drawn_said_and_in_the_table():
    chart = draw_bars({"0": 60.005, "1 to 3": 0.0}, title="T", labels="l", unit="%", decimals=1)

    assert chart.description == "Horizontal bars, % by l. 0: 60.0; 1 to 3: 0.0."
    assert [words for _, words in TEXT.findall(chart.svg_wide)] == ["60.0", "0.0"]
    assert '<th scope="row">1 to 3</th><td class="r">0.0</td>' in chart.table
    assert len(lengths(chart.svg_wide)) == 1  # nothing has no bar


@pytest.mark.parametrize("label", ["1", "a label of many words"])
def test_nothing_leaves_the_sheet(label):
    chart = draw_bars({label: 123456.0, "0": 1234.0}, title="T", labels="l", unit="u")

    for svg, room in ((chart.svg_wide, WIDE), (chart.svg_tall, TALL)):
        ends = [float(x) + width(words, "k") for x, words in TEXT.findall(svg)]
        assert max(ends) <= room + 1
        assert min(lengths(svg)) > 0


@pytest.mark.parametrize("amounts", [{}, {"a": -1.0}, {"a": float("nan")}, {"a": float("inf")}])
def test_what_has_no_length_is_refused(amounts):
    with pytest.raises(InputError, match="finite amount that is not negative"):
        draw_bars(amounts, title="T", labels="l", unit="u")


def test_labels_are_text_not_markup():
    chart = draw_bars({"<b>": 1.0}, title="<i>", labels="<u>", unit="&")

    assert not re.search(r"<[bu]>|<i>", chart.svg_wide + chart.svg_tall + chart.table)


def test_only_a_figure_wider_than_the_column_breaks_out():
    w, b = torch.tensor(0.7, requires_grad=True), torch.tensor(-0.2, requires_grad=True)
    x, y = torch.tensor(1.5), torch.tensor(1.0)
    loss = (torch.sigmoid(w * x + b) - y) ** 2

    wide, narrow = (
        draw(trace(loss), title="T"),
        draw_bars({"1": 1.0}, title="T", labels="l", unit="u"),
    )

    assert 'viewBox="0 0 892 ' in wide.svg_wide
    assert wide._repr_html_().startswith('<div class="drawing wide">')
    assert narrow._repr_html_().startswith('<div class="drawing">')
