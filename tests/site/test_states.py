"""In every state of a live figure or an exercise, in both schemes and widths: axe finds nothing,
all of a drawing can be seen, nothing touches, nothing jumps.
"""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

PROBE = Path(__file__).with_name("probe.js")
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AUDIT = """([parts, tags]) => axe.run({include: parts.map((part) => [part])}, {
    runOnly: {type: "tag", values: tags}, resultTypes: ["violations"],
}).then((found) => found.violations.flatMap(
    (fault) => fault.nodes.map((node) => fault.id + ": " + node.html.slice(0, 100))))"""
PLANTED = """() => {
    const button = document.querySelector(".live [data-do=forward]");
    button.textContent = "";
    button.style.color = "#ccc";
}"""


@pytest.fixture(scope="module")
def axe():
    """axe-core, the checker of accessibility, from its package."""
    import axe_playwright_python

    folder = Path(axe_playwright_python.__file__).parent
    return next(folder.rglob("axe.min.js")).read_text("utf-8")


def found_in(book, mark: str) -> str:
    """Return the first page with a mark in its source."""
    return next(page for page in book.pages if mark in book.source(page))


def opened(browser, book, mark: str, axe: str, size: str, scheme: str):
    page = browser.new_page(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
    page.add_init_script(path=PROBE)
    page.goto(book.url(found_in(book, mark)))
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate(axe)
    return page


def neuron(page):
    """Go through the states of the live neuron."""
    box = page.locator("[data-live=neuron]")
    yield "as it was made"
    box.locator("[data-do=rewind]").click()
    yield "at the start"
    for _ in range(3):
        box.locator("[data-do=forward]").click()
    yield "in the middle"
    for name in box.locator("select option").all_inner_texts():
        box.locator("select").select_option(name)
        yield name
    for one in box.locator("input[type=checkbox]").all():
        one.check()
        yield f"frozen: {one.get_attribute('value')} and those before"


def onion(page):
    """Go through the states of the onion."""
    box = page.locator("[data-live=onion]")
    yield "whole"
    box.locator("[data-do=rewind]").click()
    yield "to be peeled"
    box.locator("[data-do=forward]").click()
    box.locator("[data-do=forward]").click()
    yield "half peeled"
    while box.locator("[data-do=forward]").is_enabled():
        box.locator("[data-do=forward]").click()
    yield "peeled"


def descent(page):
    """Go through the states of the descent."""
    box = page.locator("[data-live=descent]")
    for rate in box.locator("select option").all_inner_texts():
        box.locator("select").select_option(rate)
        yield f"at the end, rate {rate}"
    box.locator("[data-do=rewind]").click()
    yield "at the start"
    for one in box.locator("input[type=checkbox]").all():
        one.check()
        yield f"frozen: {one.get_attribute('value')} and those before"


def exercise(page):
    """Go through the states of every exercise of a page: empty, wrong, hint and answer open."""
    yield "not answered"
    for form in page.locator("form.exercise").all():
        for box in form.locator("input[type=text], input:not([type])").all():
            box.fill("123456")
        for choice in form.locator("input[type=radio]").all():
            choice.check()
        form.locator("input").last.press("Enter")
    yield "answered wrongly"
    page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")
    yield "hints and answers open"


STATES = {
    "neuron": ('data-live="neuron"', neuron),
    "frozen": ("data-why=", neuron),
    "onion": ('data-live="onion"', onion),
    "descent": ('data-live="descent"', descent),
    "exercise": ('class="ask exercise"', exercise),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("widget", STATES)
def test_axe_finds_nothing_in_any_state(book, browser, axe, widget, size, scheme):
    """Every state is reached as a reader reaches it, and checked where it stands."""
    mark, states = STATES[widget]
    page = opened(browser, book, mark, axe, size, scheme)
    figure = page.get_attribute(".live", "data-figure") if widget != "exercise" else None
    parts = ["main"] if figure is None else [".live", f"#{figure}"]
    faults = {
        state: page.evaluate(AUDIT, [parts, TAGS])
        + page.evaluate("[...probe.contrast(), ...probe.overflow()]")
        for state in states(page)
    }
    page.close()
    assert len(faults) >= 3
    assert {state: found for state, found in faults.items() if found} == {}


EXTREMES = [
    {"w": -4, "x": 4, "b": -4, "y": 4, "activation": "identity"},
    {"w": 4, "x": 4, "b": 4, "y": -4, "activation": "identity"},
    {"w": -4, "x": 4, "b": -4, "y": 4, "activation": "sigmoid"},
    {"w": -4, "x": 4, "b": -4, "y": 4, "activation": "ReLU", "frozen": "w"},
    {"w": 4, "x": -4, "b": -4, "y": 4, "activation": "sine", "frozen": "xb"},
    {"w": 4, "x": 4, "b": 4, "y": 4, "activation": "sigmoid", "frozen": "wxby"},
]
SET = """(state) => {
    const box = document.querySelector("[data-live=neuron]");
    for (const slider of box.querySelectorAll("input[type=range]"))
        slider.value = state[slider.name];
    for (const one of box.querySelectorAll("input[type=checkbox]"))
        one.checked = (state.frozen || "").includes(one.value);
    box.querySelector("select").value = state.activation;
    box.querySelector("select").dispatchEvent(new Event("input", { bubbles: true }));
}"""
TOUCHING = """() => {
    const found = [], near = (a, b) => Math.max(
        Math.max(b.left - a.right, a.left - b.right), Math.max(b.top - a.bottom, a.top - b.bottom));
    for (const svg of document.querySelectorAll("svg[role=img]")) {
        if (!svg.getBoundingClientRect().width) continue;
        const boxes = [...svg.querySelectorAll(".node")].map((box) => box.getBoundingClientRect());
        for (const label of svg.querySelectorAll("[data-edge] .k")) {
            const ink = label.getBoundingClientRect();
            if (ink.width && boxes.some((box) => near(ink, box) < 1.5))
                found.push(label.textContent);
        }
        for (const node of svg.querySelectorAll("[data-node]")) {
            const box = node.querySelector(".node").getBoundingClientRect();
            for (const text of node.querySelectorAll("text")) {
                const ink = text.getBoundingClientRect();
                if (ink.left < box.left + 2 || ink.right > box.right - 2)
                    found.push(text.textContent);
            }
        }
    }
    return found;
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mark", ['data-live="neuron"', "data-why="])
def test_a_moved_neuron_touches_nothing_and_keeps_its_height(book, browser, axe, mark, size):
    """At the ends of the sliders numbers stay in their places, and the page stays where it is."""
    page = opened(browser, book, mark, axe, size, "light")
    heights, touching = set(), {}
    for state in EXTREMES:
        page.evaluate(SET, state)
        page.click("[data-do=rewind]")
        while True:
            heights.add(page.evaluate("document.documentElement.scrollHeight"))
            if not page.is_enabled("[data-do=forward]"):
                break
            page.click("[data-do=forward]")
        touching |= {str(state): found for found in [page.evaluate(TOUCHING)] if found}
    page.close()
    assert touching == {}
    assert len(heights) == 1


def test_a_button_without_a_name_is_found(book, browser, axe):
    """The check sees a planted fault in a live figure."""
    page = opened(browser, book, 'data-live="onion"', axe, "wide", "light")
    page.evaluate(PLANTED)
    found = page.evaluate(AUDIT, [[".live"], TAGS])
    page.close()
    assert any(fault.startswith("button-name") for fault in found), json.dumps(found)
