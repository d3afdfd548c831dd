"""What Chromium makes of every picture: seen well enough, large enough, one drawing at a time."""

from pathlib import Path

import pytest
from drawn import NEURON, Op, graph_of

from handgrad import (
    draw_activation,
    draw_bars,
    draw_curve,
    draw_matrix,
    draw_nudge,
    draw_paths,
    draw_record,
    draw_shapes,
    draw_valley,
    draw_wave,
)

pytestmark = pytest.mark.browser
PROBE = Path(__file__).parents[1] / "site" / "probe.js"
SQUARE = graph_of(Op("", name="a"), Op("Mul", (0, 0), "y"))
SMALLEST = """
Math.min(...[...document.querySelectorAll("svg text")].filter(t => t.checkVisibility())
  .map(t => parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getScreenCTM().a))
"""
SHOWN = """
[...document.querySelectorAll("figure")].map(f =>
  [...f.querySelectorAll("svg[role=img]")].filter(s => s.checkVisibility()).length)
"""


def bowl(w, b=0.5):
    return (2 * w + b - 1) ** 2


PICTURES = {
    "curve": draw_curve(bowl, over=(-2, 4), at=3.0, run=1, step=0.1, title="Curve"),
    "activation": draw_activation(
        lambda z: max(0.0, z), lambda z: float(z > 0), kinks=0.0, at=1.0, title="ReLU"
    ),
    "nudge": draw_nudge([("w", 3, 3.01), ("u", 6, 6.02), ("L", 36, 35.9)], title="Nudge"),
    "valley": draw_valley(
        bowl, over=((-1, 4), (-2, 2)), path=[(3, 1), (1, 0)], arrows=True, title="Valley"
    ),
    "record": draw_record(NEURON, title="Record"),
    "wave": draw_wave(SQUARE, title="Wave"),
    "paths": draw_paths(SQUARE, "a", title="Paths"),
    "matrix": draw_matrix([[1, 0], [0.5, 3]], signal=[0, 1], title="Matrix"),
    "shapes": draw_shapes({"v": (1, 1000), "J": (1000, 1000)}, title="Shapes"),
    "bars": draw_bars({"a": 3.0, "b": 5.0}, title="Bars", labels="l", unit="u"),
}


@pytest.fixture(scope="module")
def page_of(browser):
    """Open all pictures as figures of one page, with what a page of the book is asked."""

    def opener(width, scheme):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.add_init_script(path=PROBE)
        shown = "".join(f"<figure>{one._repr_html_()}</figure>" for one in PICTURES.values())
        style = (
            "<style>:root{color-scheme:light dark}body,figure{margin:0}main{padding:0 24px}"
            "body{background:light-dark(#fdfcf8,#15171b)}</style>"
        )
        page.goto("about:blank")
        page.set_content(f"<!doctype html><html lang=en>{style}<main>{shown}</main>")
        return page

    return opener


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_words_and_strokes_are_seen(page_of, width, scheme):
    page = page_of(width, scheme)

    assert page.evaluate("probe.contrast()") == []
    assert page.evaluate("probe.unnamed()") == []
    assert page.evaluate(SMALLEST) >= 12
    waves = len(PICTURES["wave"].frames)
    assert page.evaluate(SHOWN) == [waves if name == "wave" else 1 for name in PICTURES]
    page.close()
