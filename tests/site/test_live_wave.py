"""The live wave: each frame is what the library draws and PyTorch's hooks have seen."""

import random
import re

import pytest
import torch
from autograd_book.html.page import live_script

from handgrad import draw, draw_wave, trace
from handgrad.drawing.numbers import number

pytestmark = pytest.mark.browser

BOX, STEPS = "[data-live=wave]", 6
TITLES = {"u": "u = w x", "z": "z = u + b", "e": "e = z − y", "L": "L = e²"}
READ = """(parts) => parts.map((svg) => {
    const shown = (part) => part && part.style.display !== "none";
    const text = (part) => (shown(part) ? part.textContent : "");
    return {
        gradients: Object.fromEntries([...svg.querySelectorAll("[data-node]")].map(
            (node) => [node.dataset.node, text(node.querySelector(".g"))])),
        now: [...svg.querySelectorAll("[data-node]:has(.now)")].map((node) => node.dataset.node),
        edges: Object.fromEntries([...svg.querySelectorAll("[data-edge]")].map((edge) => [
            edge.dataset.edge,
            [...edge.children].map((part) => [...part.attributes].map((a) => a.value).join(" ")
                + part.textContent),
        ])),
    };
})"""
PAGE = f"""() => {{
    const read = {READ}, box = document.querySelector("{BOX}");
    const figure = document.getElementById(box.dataset.figure);
    return {{
        sheets: read([...figure.querySelectorAll("svg")]),
        words: figure.querySelector("desc").textContent,
        said: box.querySelector(".said").textContent,
        table: [...figure.querySelectorAll("tbody tr")].map((row) => row.cells[3].textContent),
        height: document.documentElement.scrollHeight,
    }};
}}"""
DRAWN = f"""(svgs) => {{
    const read = {READ}, holder = document.createElement("div");
    return svgs.map((two) => {{
        holder.innerHTML = two.join("");
        return read([...holder.querySelectorAll("svg")]);
    }});
}}"""


def neuron():
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (3.0, 0.5))
    x, y = (torch.tensor(v, dtype=torch.float64) for v in (2.0, 1.0))
    u = w * x
    z = u + b
    e = z - y
    return {"w": w, "b": b, "x": x, "y": y, "u": u, "z": z, "e": e, "L": e**2}


def graph():
    tensors = neuron()
    return trace(tensors["L"], names={name: tensors[name] for name in "wbuzeL"})


def arrived() -> list[tuple[str, float]]:
    """What hooks of a real backward see: each name in the order in which its node runs."""
    tensors, seen = neuron(), []
    for name, tensor in tensors.items():
        if not tensor.requires_grad:
            continue
        node = tensor.grad_fn or torch.autograd.graph.get_gradient_edge(tensor).node
        node.register_prehook(lambda g, name=name: seen.append((name, g[0].item())))
    tensors["L"].backward()
    return seen


@pytest.fixture
def page(book, browser):
    (name,) = (p for p in book.pages if 'data-live="wave"' in book.source(p))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(book.url(name))
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    page.close()


def frames(browser) -> list:
    """What draw() shows after each number of steps, read as the page is read."""
    made = [draw(graph(), step=k, titles=TITLES, title="x") for k in range(STEPS + 1)]
    blank = browser.new_page()
    read = blank.evaluate(DRAWN, [[f.svg_wide, f.svg_tall] for f in made])
    blank.close()
    return read


def tables() -> list[list[str]]:
    cell = re.compile(r'<td class="r">([^<]*)</td><td>')
    return [
        cell.findall(draw(graph(), step=k, titles=TITLES, title="x").table)
        for k in range(STEPS + 1)
    ]


@pytest.mark.parametrize("keys_pressed", [120, pytest.param(1000, marks=pytest.mark.slow)])
def test_keys_show_what_is_drawn_and_what_hooks_saw(page, browser, keys_pressed):
    """Gradients, outline, arrows, local derivatives, sentence and table, on both sheets."""
    drawn, rows, chance, step = frames(browser), tables(), random.Random(6), 4
    said = [frame.description for frame in draw_wave(graph(), title="x").frames]
    ran = arrived()
    keys = {str(node.key): node.name for node in graph().nodes}
    heights: dict[int, set] = {1280: set(), 390: set()}
    for pressed in range(keys_pressed):
        if pressed == keys_pressed // 2:
            page.set_viewport_size({"width": 390, "height": 844})
        seen = page.evaluate(PAGE)
        assert seen["sheets"] == drawn[step], step
        assert seen["said"] == said[step]
        assert seen["table"] == rows[step]
        if pressed:
            assert seen["words"] == said[step]
        if step:
            assert [keys[key] for key in seen["sheets"][0]["now"]] == [ran[step - 1][0]]
        for name, gradient in ran[: step + 1]:  # the next to run has its gradient already
            (key,) = (key for key, own in keys.items() if own == name)
            assert seen["sheets"][0]["gradients"][key] == number(gradient)
        heights[1280 if pressed < keys_pressed // 2 else 390].add(seen["height"])
        what = chance.choice(["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "back", "forward",
                              "rewind", "reset"])  # fmt: skip
        if what.startswith("Arrow"):
            page.focus(f"{BOX} [data-do=reset]")
            page.keyboard.press(what)
            step += 1 if what in ("ArrowRight", "ArrowDown") else -1
        elif page.is_enabled(f"{BOX} [data-do={what}]"):
            page.click(f"{BOX} [data-do={what}]")
            step = {"back": step - 1, "forward": step + 1, "rewind": 0, "reset": 4}[what]
        step = max(0, min(STEPS, step))
    assert all(len(found) == 1 for found in heights.values()), "the page has moved"


def test_a_planted_fault_in_the_script_is_seen(book, browser):
    """Arrows that come a step too early differ from what is drawn."""
    (name,) = (p for p in book.pages if 'data-live="wave"' in book.source(p))
    kinds = re.search(r"_static/(live-[a-z-]+\.js)", book.source(name))[1]
    source = live_script(kinds)
    broken = source.replace("at <= step", "at <= step + 1")
    assert broken != source
    page = browser.new_page()
    page.route("**/live-*.js*", lambda route: route.fulfill(
        body=broken, content_type="text/javascript"))  # fmt: skip
    page.goto(book.url(name))
    page.wait_for_selector("html[data-ready]", state="attached")
    page.click(f"{BOX} [data-do=rewind]")
    seen = page.evaluate(PAGE)["sheets"]
    page.close()
    assert seen != frames(browser)[0]


def test_without_a_script_the_figure_stands_and_no_control(book, browser):
    """The drawing after four nodes, its table, and no button."""
    (name,) = (p for p in book.pages if 'data-live="wave"' in book.source(p))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(book.url(name))
    assert not page.locator(f"{BOX} button").first.is_visible()
    assert page.locator("#fig-wave svg").first.is_visible()
    assert page.locator("#fig-wave details").is_visible()
    context.close()
