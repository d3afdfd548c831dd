"""The live curve: equal to PyTorch at the digits it shows, by keyboard, button and pointer."""

import json
import random
import re

import pytest
import torch
from autograd_book.html.page import live_script

from handgrad import draw_curve
from handgrad.drawing.numbers import factor, number, trimmed

pytestmark = pytest.mark.browser

BOX = "[data-live=curve]"
STATE = f"""() => {{
    const box = document.querySelector("{BOX}");
    const figure = document.getElementById(box.dataset.figure);
    const shown = (part) => part && getComputedStyle(part).display !== "none";
    const svg = [...figure.querySelectorAll("svg")].find((one) => one.getClientRects().length);
    const at = (part) => shown(part) && ["cx", "cy"].map((n) => Number(part.getAttribute(n)));
    const label = [...svg.querySelectorAll("text.k")].filter(
        (text) => shown(text) && text.textContent);
    const sheet = svg.getBoundingClientRect();
    const rects = label.map((text) => text.getBoundingClientRect());
    return {{
        rate: box.querySelector("select").value,
        outputs: [...box.querySelectorAll(".facts output")].map((one) => one.textContent),
        said: box.querySelector(".said").textContent,
        slider: box.querySelector("input").getAttribute("aria-valuetext"),
        rows: [...figure.querySelectorAll("tbody tr")].slice(0, 2).map(
            (row) => [...row.children].map((cell) => cell.textContent)),
        plot: JSON.parse(svg.querySelector("[data-plot]").dataset.plot),
        point: shown(svg.querySelector("[data-point]")) && at(svg.querySelector(".spot.fw")),
        end: shown(svg.querySelector(".walk")) && at(svg.querySelector(".walk .open")),
        tangent: svg.querySelector(".tangent").getAttribute("d"),
        arrow: svg.querySelector(".walk .head").getAttribute("d"),
        words: svg.querySelector("desc").textContent,
        labels: label.map((text) => text.textContent),
        inside: rects.every((r) => r.left >= sheet.left - 1 && r.right <= sheet.right + 1
            && r.top >= sheet.top - 1 && r.bottom <= sheet.bottom + 1),
        label: rects[0] && [rects[0].left - sheet.left, rects[0].right - sheet.left,
            rects[0].bottom - sheet.top].map((n) => n * svg.viewBox.baseVal.width / sheet.width),
        height: document.documentElement.scrollHeight,
    }};
}}"""


def by_pytorch(w: float) -> tuple[float, float]:
    """Loss and slope of the neuron at a weight."""
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    loss = (weight * 2.0 + 0.5 - 1.0) ** 2
    loss.backward()
    return loss.item(), weight.grad.item()


def opened(book, browser, **look):
    (name,) = (p for p in book.pages if 'data-live="curve"' in book.source(p))
    page = browser.new_page(**look)
    page.emulate_media(reduced_motion="reduce")
    page.goto(book.url(name))
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.evaluate(f"document.querySelector('{BOX}').closest('main').scrollIntoView()")
    page.evaluate("document.getElementById('fig-step').scrollIntoView()")
    return page


def near(seen, right) -> bool:
    return all(abs(a - b) <= 0.011 for a, b in zip(seen, right, strict=True))


def places(path: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?[\d.]+", path)]


def check(seen: dict, w: float) -> None:
    """Hold everything that is shown to what PyTorch says of a weight."""
    (loss, slope), rate = by_pytorch(w), float(seen["rate"])
    new = w - rate * slope
    ahead, steep = by_pytorch(new)
    shown = [number(n) for n in (w, loss, slope)]
    assert seen["outputs"] == shown
    assert seen["slider"] == f"{shown[0]}, loss {shown[1]}, slope {shown[2]}"
    assert seen["rows"] == [
        [trimmed(n) for n in row] for row in ((w, loss, slope), (new, ahead, steep))
    ]
    plot = seen["plot"]

    def place(at: float, high: float) -> list[float]:
        (left, right), (low, top) = plot["x"], plot["y"]
        return [
            plot["left"] + plot["width"] * (at - left) / (right - left),
            plot["top"] + plot["height"] * (1 - (high - low) / (top - low)),
        ]

    def holds(at: float, high: float) -> bool:
        return plot["x"][0] <= at <= plot["x"][1] and plot["y"][0] <= high <= plot["y"][1]

    if not holds(w, loss):
        assert not seen["point"]
        assert not seen["end"]
        assert not seen["labels"]
        return
    here = place(w, loss)
    assert near(seen["point"], here)
    if holds(new, ahead):
        assert near(seen["end"], place(new, ahead))
    else:
        assert not seen["end"]
    if abs(place(new, 0.0)[0] - here[0]) >= 14.02:
        end = min(max(place(new, 0.0)[0], plot["left"]), plot["left"] + plot["width"])
        assert abs(end - here[0]) < 14.02 or near(places(seen["arrow"])[2:4], [end, here[1]])
    x1, y1, x2, y2 = places(seen["tangent"])
    on_sheet = -slope * plot["height"] / (plot["y"][1] - plot["y"][0])
    on_sheet /= plot["width"] / (plot["x"][1] - plot["x"][0])
    assert abs((y2 - y1) - on_sheet * (x2 - x1)) < 0.05 * max(1.0, abs(on_sheet))
    assert f"w = {trimmed(w)}" in seen["labels"][0]
    assert seen["inside"]
    if len(seen["labels"]) == 1:  # it was moved: the label is inside the bowl, above the curve
        left, right, bottom = seen["label"]
        for end in (left, right):
            at = plot["x"][0] + (end - plot["left"]) / plot["width"] * (plot["x"][1] - plot["x"][0])
            assert bottom <= place(at, by_pytorch(at)[0])[1] + 4.5  # a line's foot is empty


@pytest.mark.parametrize(
    ("moves", "least"), [(150, 50), pytest.param(1200, 300, marks=pytest.mark.slow)]
)
def test_states_reached_by_key_and_button_show_pytorchs_numbers(book, browser, moves, least):
    """Values, slope, the step's result, every place in the drawing, and what is said."""
    page, chance = opened(book, browser, viewport={"width": 1280, "height": 900}), random.Random(3)
    w, walked, states, heights = 3.0, [], set(), {}
    before = page.evaluate(STATE)
    check(before, w)
    for moved in range(moves):
        if moved == moves // 2:
            page.set_viewport_size({"width": 390, "height": 844})
        what = chance.choices(("slide", "step", "back", "rate", "reset"), (5, 6, 2, 3, 0.2))[0]
        if what == "slide":
            at = float(page.input_value(f"{BOX} input"))
            page.focus(f"{BOX} input")
            page.keyboard.press(chance.choice(["ArrowLeft", "ArrowRight", "PageUp", "PageDown"]))
            to = float(page.input_value(f"{BOX} input"))
            if to != at:
                w, walked = to, []
        elif what == "step":
            loss, slope = by_pytorch(w)
            walked.append(w)
            new = w - float(before["rate"]) * slope
            page.focus(f"{BOX} [data-do=forward]")
            page.keyboard.press(chance.choice(["ArrowRight", "Enter", "Space"]))
            said = page.inner_text(f"{BOX} .said")
            loss, steep = by_pytorch(new)
            made = f"{number(w)} − {before['rate']} × {factor(slope)} = {number(new)}"
            (left, right), (low, top) = before["plot"]["x"], before["plot"]["y"]
            gone = not (left <= new <= right and low <= loss <= top)
            outside = ", outside the picture" if gone else ""
            assert said == f"{made}{outside}. Loss {number(loss)}, slope {number(steep)}."
            w = new
        elif what == "back":
            page.focus(f"{BOX} [data-do=forward]")
            page.keyboard.press("ArrowLeft")
            w = walked.pop() if walked else w
        elif what == "rate":
            page.focus(f"{BOX} select")
            page.keyboard.press(chance.choice(["ArrowDown", "ArrowUp"]))
        else:
            page.click(f"{BOX} [data-do=reset]")
            w, walked = 3.0, []
        seen = page.evaluate(STATE)
        check(seen, w)
        assert page.is_enabled(f"{BOX} [data-do=back]") == bool(walked)
        heights.setdefault(moved < moves // 2, set()).add(seen["height"])
        states.add((w, seen["rate"]))
        if abs(w) > 1e6:
            page.click(f"{BOX} [data-do=reset]")
            w, walked = 3.0, []
            seen = page.evaluate(STATE)
        before = seen
    page.close()
    assert all(len(found) == 1 for found in heights.values()), "the page has moved"
    assert len(states) > least


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    ("places", "least"), [(60, 25), pytest.param(500, 150, marks=pytest.mark.slow)]
)
def test_places_are_reached_by_pointer(book, browser, width, places, least):
    """The point is taken along the curve, and let go beyond its ends."""
    page, chance = opened(book, browser, viewport={"width": width, "height": 844}), random.Random(4)
    visible = page.locator("#fig-step svg:visible")
    grip, sheet = visible.locator(".grip"), visible.bounding_box()
    assert grip.bounding_box()["width"] >= 24
    seen = page.evaluate(STATE)
    left, high = sheet["x"], seen["point"]
    scale = sheet["width"] / float(visible.get_attribute("viewBox").split()[2])
    page.mouse.move(left + high[0] * scale, sheet["y"] + high[1] * scale)
    page.mouse.down()
    found = set()
    for _ in range(places):
        page.mouse.move(left + chance.uniform(-10, sheet["width"] + 10), 300)
        seen = page.evaluate(STATE)
        w = float(seen["outputs"][0].replace("−", "-"))
        check(seen, w)
        found.add(w)
    page.mouse.up()
    page.mouse.move(left + 100, 300)
    assert page.evaluate(STATE)["outputs"] == seen["outputs"]
    page.close()
    assert len(found) > least
    assert {-2.5, 4.0} <= found


def test_a_finger_takes_the_point_along(book, browser):
    """A touch on the point moves it, and does not scroll the page."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = opened(book, context)
    box = page.locator("#fig-step svg:visible .grip").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = context.new_cdp_session(page)
    top = page.evaluate("scrollY")
    for kind, by in (("touchStart", 0), ("touchMove", -30), ("touchMove", -90)):
        points = [{"x": x + by, "y": y - by}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    seen = page.evaluate(STATE)
    assert page.evaluate("scrollY") == top
    context.close()
    w = float(seen["outputs"][0].replace("−", "-"))
    assert 0.5 < w < 1.5
    check(seen, w)


def test_it_stands_as_python_drew_it_until_it_is_moved(book, browser):
    """With a script the figure is the one that stands there without; reset brings it back."""
    figure = draw_curve(
        lambda w: (w * 2 + 0.5 - 1) ** 2, over=(-2.5, 4.0), at=3.0, step=0.1, title="x"
    )
    page = opened(book, browser, viewport={"width": 1280, "height": 900})
    first = page.evaluate(STATE)
    for words in ("w = 3, L = 30.25", "w = 0.8, L = 1.21", "−0.1 × 22 = −2.2", "slope 22"):
        assert words in first["labels"]
    tangent = re.search(r'tangent" d="([^"]*)"', figure.svg_wide)[1]
    assert near(places(first["tangent"]), places(tangent))
    page.click(f"{BOX} [data-do=forward]")
    assert page.evaluate(STATE)["labels"] == ["w = 0.8, L = 1.21"]
    page.click(f"{BOX} [data-do=reset]")
    again = page.evaluate(STATE)
    assert near(again.pop("label"), first.pop("label"))
    assert again == first
    page.close()


ENGINE = """([source, ws]) => {
    const module = { exports: {} };
    new Function("module", source)(module);
    const start = { x: 2, b: 0.5, y: 1 };
    return ws.map((w) => module.exports.lossAt(w, start));
}"""


def differing(browser, source: str) -> int:
    """Count the weights at which a script and PyTorch show different numbers."""
    chance = random.Random(5)
    ws = [chance.uniform(-10, 10) for _ in range(1000)]
    page = browser.new_page()
    made = page.evaluate(ENGINE, [source, ws])
    page.close()
    return sum((seen["loss"], seen["slope"]) != by_pytorch(w)
               for w, seen in zip(ws, made, strict=True))  # fmt: skip


def test_the_engine_has_pytorchs_bits_and_a_planted_fault_is_seen(browser):
    """A thousand weights, all digits; a slope without the weight's own factor is noticed."""
    source = live_script("live-curve.js")
    broken = source.replace("2 * e * x }", "2 * e }")
    assert broken != source
    assert differing(browser, source) == 0
    assert differing(browser, broken) > 900


def test_the_questions_of_the_chapter_have_answers(book, browser):
    """Of the rates, one lands in the bottom at once, one bounces, one climbs."""
    page = opened(book, browser)
    rates = json.loads(page.get_attribute(BOX, "data-start")) | {"rates": {}}
    for rate in page.locator(f"{BOX} option").all_inner_texts():
        page.click(f"{BOX} [data-do=reset]")
        page.select_option(f"{BOX} select", rate)
        page.click(f"{BOX} [data-do=forward]")
        rates["rates"][rate] = page.evaluate(STATE)["outputs"][1]
    page.close()
    assert [rate for rate, loss in rates["rates"].items() if loss == "0.0000"] == ["0.125"]
    assert rates["rates"]["0.25"] == number(by_pytorch(3.0)[0])
    assert float(rates["rates"]["0.3"]) > by_pytorch(3.0)[0]
