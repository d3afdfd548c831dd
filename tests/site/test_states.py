"""In every state of a live figure, an exercise and the search, in both schemes and widths:
axe finds nothing, all of a drawing can be seen, nothing touches, nothing jumps.
"""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

PROBE = Path(__file__).with_name("probe.js")
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
PLANTED = """() => {
    const button = document.querySelector(".live [data-do=forward]");
    button.textContent = "";
    button.style.color = "#ccc";
}"""


def found_in(book, mark: str) -> str:
    """Return the first page with a mark in its source."""
    return next(page for page in book.pages if mark in book.source(page))


def opened(browser, book, name: str, size: str, scheme: str):
    page = browser.new_page(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
    page.add_init_script(path=PROBE)
    page.goto(book.url(name))
    page.evaluate("document.fonts.ready.then(() => true)")
    page.reload()  # now that the fonts are at hand
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("probe.reveal()")
    return page


def faults(page, axe: str, parts: list[str]) -> list[str]:
    """Return what axe and our own probes find in parts of a page, as it stands."""
    page.evaluate(axe)
    found = page.evaluate("parts => probe.axe(parts)", parts)
    return found + page.evaluate("[...probe.contrast(), ...probe.overflow()]")


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
    yield "with another activation"
    for one in box.locator("input[type=checkbox]").all():
        one.check()
    yield "frozen"


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
    yield "at the end, with another rate"
    box.locator("[data-do=rewind]").click()
    yield "at the start"
    for one in box.locator("input[type=checkbox]").all():
        one.check()
    yield "frozen"


def curve(page):
    """Go through the states of the live curve: steep, flat, far, and out of the picture."""
    box = page.locator("[data-live=curve]")
    yield "as it was made"
    for rate in box.locator("select option").all_inner_texts():
        box.locator("[data-do=reset]").click()
        box.locator("select").select_option(rate)
        box.locator("[data-do=forward]").click()
        yield f"one step, rate {rate}"
    for w in ("-2.5", "0.3", "4"):
        box.locator("input").fill(w)
        yield f"w = {w}"


def wave(page):
    """Go through the frames of the wave."""
    box = page.locator("[data-live=wave]")
    yield "as it was made"
    box.locator("[data-do=rewind]").click()
    yield "at the start"
    for step in range(1, 7):
        box.locator("[data-do=forward]").click()
        yield f"after {step}"


def exercise(page, records, answer):
    """Go through the states of every exercise of a page: wrong with all open, right."""
    for record in records:
        answer(page, record, record["known"][0]["text"])
    page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")
    yield "answered wrongly, hints and answers open"
    for record in records:
        answer(page, record, record["answer"])
    yield "answered right"


def search(page):
    """Go through the states of the search page: nothing asked, found, nothing found."""
    yield "nothing asked"
    for words, told in (("gradient", "#search-results li a"), ("xyzzy", "#search-results p")):
        page.locator("input[type=search]").fill(words)
        page.keyboard.press("Enter")
        page.wait_for_selector(told)
        yield f"asked for {words}"


STATES = {
    "neuron": ('data-live="neuron"', neuron),
    "frozen": ("data-why=", neuron),
    "onion": ('data-live="onion"', onion),
    "descent": ('data-live="descent"', descent),
    "curve": ('data-live="curve"', curve),
    "wave": ('data-live="wave"', wave),
}
everywhere = pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("wide", "light"),
        ("phone", "dark"),
        pytest.param("wide", "dark", marks=pytest.mark.slow),
        pytest.param("phone", "light", marks=pytest.mark.slow),
    ],
)


@everywhere
@pytest.mark.parametrize("widget", STATES)
def test_axe_finds_nothing_in_any_state(book, browser, axe, widget, size, scheme):
    """Every state is reached as a reader reaches it, and checked where it stands."""
    mark, states = STATES[widget]
    page = opened(browser, book, found_in(book, mark), size, scheme)
    parts = [".live", "#" + page.get_attribute(".live", "data-figure")]
    found = {state: faults(page, axe, parts) for state in states(page)}
    page.close()
    assert len(found) >= 3
    assert {state: told for state, told in found.items() if told} == {}


@everywhere
def test_axe_finds_nothing_in_any_state_of_an_exercise(
    book, browser, axe, exercises, answer, size, scheme
):
    """Each exercise of every page is answered wrongly, opened and answered right."""
    found = {}
    for name, records in exercises.items():
        page = opened(browser, book, name, size, scheme)
        for state in exercise(page, records, answer):
            found[name, state] = faults(page, axe, ["form.exercise"])
        page.close()
    assert len(found) == 2 * len(exercises)
    assert {where: told for where, told in found.items() if told} == {}


@everywhere
def test_axe_finds_nothing_among_what_a_search_finds(book, browser, axe, size, scheme):
    """The page of results, with none asked for, many found and none found."""
    page = opened(browser, book, "search.html", size, scheme)
    found = {state: faults(page, axe, ["body"]) for state in search(page)}
    page.close()
    assert len(found) == 3
    assert {state: told for state, told in found.items() if told} == {}


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
def test_a_moved_neuron_touches_nothing_and_keeps_its_height(book, browser, mark, size):
    """At the ends of the sliders numbers stay in their places, and the page stays where it is."""
    page = opened(browser, book, found_in(book, mark), size, "light")
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
    page = opened(browser, book, found_in(book, 'data-live="onion"'), "wide", "light")
    page.evaluate(PLANTED)
    found = faults(page, axe, [".live"])
    page.close()
    assert any(fault.startswith("button-name") for fault in found), json.dumps(found)
