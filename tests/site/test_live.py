"""The live figures: equal to PyTorch in every number and every word, by keyboard too."""

import json
import random
import re
from functools import cache

import pytest
import torch
from autograd_book.html.page import live_script

from handgrad import trace
from handgrad.drawing.numbers import factor, number

pytestmark = pytest.mark.browser

SCRIPT = live_script("live-neuron.js")
LEAVES = ("w", "x", "b", "y")
ACTIVATIONS = {
    "identity": torch.clone,
    "sigmoid": torch.sigmoid,
    "ReLU": torch.relu,
    "sine": torch.sin,
}
VECTORS = 2400  # compared as numbers
KEYS = {
    "range": (*("ArrowRight", "ArrowLeft", "PageUp", "PageDown") * 4, "Home", "End"),
    "checkbox": ("Space",),
    "select": ("ArrowDown", "ArrowUp"),
}
ENGINE = """([source, cases]) => {
    const module = { exports: {} };
    new Function("module", source)(module);
    const plain = (value) => Object.is(value, -0) ? "-0" : value;
    const every = (named) =>
        Object.fromEntries(Object.entries(named).map(([k, v]) => [k, plain(v)]));
    return cases.map((one) => {
        const made = module.exports.compute(one);
        return { values: every(made.values), gradients: every(made.gradients) };
    });
}"""
SET = """(state) => {
    const box = document.querySelector("[data-live=neuron]");
    for (const slider of box.querySelectorAll("input[type=range]"))
        slider.value = state[slider.name];
    for (const one of box.querySelectorAll("input[type=checkbox]"))
        one.checked = state.frozen.includes(one.value);
    const choice = box.querySelector("select");
    choice.value = state.activation;
    choice.dispatchEvent(new Event("input", { bubbles: true }));
}"""
FOCUS = "(k) => document.querySelectorAll('[data-live=neuron] :is(input, select)')[k].focus()"
STATE = """() => {
    const box = document.querySelector("[data-live=neuron]");
    const state = { activation: box.querySelector("select").value, frozen: [] };
    for (const slider of box.querySelectorAll("input[type=range]"))
        state[slider.name] = Number(slider.value);
    for (const one of box.querySelectorAll("input:checked")) state.frozen.push(one.value);
    return state;
}"""
READ = """() => {
    const box = document.querySelector("[data-live=neuron]");
    const figure = document.getElementById(box.dataset.figure);
    return [...figure.querySelectorAll("svg")].map((svg) => Object.fromEntries(
        [...svg.querySelectorAll("[data-node]")].map((node) => [
            node.querySelector(".t").textContent.split(" = ")[0],
            [node.querySelector(".v").textContent, node.querySelector(".g").textContent],
        ])));
}"""


def settings(count: int) -> list[dict]:
    """Random positions of the sliders and switches; the same each time."""
    chance = random.Random(0)
    made = []
    for _ in range(count):
        state = {name: chance.randint(-40, 40) / 10 for name in LEAVES}
        state["frozen"] = [name for name in LEAVES if chance.random() < 0.3]
        state["activation"] = chance.choice(list(ACTIVATIONS))
        made.append(state)
    return made


def neuron(state: dict) -> dict[str, torch.Tensor]:
    """The neuron in PyTorch, with every intermediate's gradient kept."""
    w, x, b, y = (
        torch.tensor(state[n], dtype=torch.float64, requires_grad=n not in state["frozen"])
        for n in LEAVES
    )
    u = w * x
    z = u + b
    p = ACTIVATIONS[state["activation"]](z)
    e = p - y
    return {"w": w, "x": x, "b": b, "y": y, "u": u, "z": z, "p": p, "e": e, "L": e**2}


def by_pytorch(state: dict) -> tuple[dict, dict]:
    """Values and gradients by name; None where PyTorch has none."""
    tensors = neuron(state)
    for tensor in tensors.values():
        if tensor.requires_grad:
            tensor.retain_grad()
    if tensors["L"].requires_grad:
        tensors["L"].backward()
    values = {name: tensor.item() for name, tensor in tensors.items()}
    gradients = {
        name: tensor.grad.item() if tensor.requires_grad else None
        for name, tensor in tensors.items()
    }
    return values, gradients


@cache
def vectors() -> tuple:
    return tuple((state, *by_pytorch(state)) for state in settings(VECTORS))


def said(value: float | None) -> str:
    return "None" if value is None else number(value)


@pytest.fixture(scope="module")
def chapter(book):
    """The page of the book that has the live neuron."""
    (page,) = (p for p in book.pages if "data-live=" in book.source(p) and "03-" in p)
    return page


def test_the_engine_equals_pytorch(browser, record_testsuite_property):
    """Same None, same sign of zero, and at most 1e-14 apart, in every one of the vectors."""
    page = browser.new_page()
    cases = [state for state, _, _ in vectors()]
    made = page.evaluate(ENGINE, [SCRIPT, cases])
    page.close()
    worst, same, count = 0.0, 0, 0
    for (state, values, gradients), seen in zip(vectors(), made, strict=True):
        for kind, expected in (("values", values), ("gradients", gradients)):
            for name, right in expected.items():
                got = seen[kind][name]
                assert (got is None) == (right is None), (state, kind, name)
                if right is None:
                    continue
                got = float(got)
                assert number(got) == number(right), (state, kind, name)
                count += 1
                same += got == right
                if got != right:
                    worst = max(worst, abs(got - right) / max(abs(got), abs(right)))
    assert worst <= 1e-14
    assert count > 10 * VECTORS
    print(f"\nlive neuron: {count} numbers, {same} with the same bits, worst {worst:.1e} relative")


def test_a_planted_fault_is_seen(browser):
    """The comparison can fail: a sigmoid without its second factor is noticed at once."""
    broken = SCRIPT.replace("g * (1 - p) * p", "g * (1 - p)")
    assert broken != SCRIPT
    page = browser.new_page()
    cases = [state for state, _, _ in vectors()]
    made = page.evaluate(ENGINE, [broken, cases])
    page.close()
    assert any(
        said(gradients["z"]) != said(None if (g := seen["gradients"]["z"]) is None else float(g))
        for (_, _, gradients), seen in zip(vectors(), made, strict=True)
    )


@pytest.mark.parametrize(
    ("pressed", "least"), [(260, 200), pytest.param(2600, 2000, marks=pytest.mark.slow)]
)
def test_states_reached_by_keyboard_show_pytorchs_numbers(book, browser, chapter, pressed, least):
    """After every key, both drawings hold what PyTorch would print of the state of the controls."""
    page, chance, seen = browser.new_page(), random.Random(1), set()
    page.goto(book.url(chapter))
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("document.querySelector('[data-live=neuron]').scrollIntoView()")
    controls = page.locator("[data-live=neuron] :is(input, select)").all()
    kinds = [control.get_attribute("type") or "select" for control in controls]
    for count in range(pressed):
        if count == pressed // 2:
            page.set_viewport_size({"width": 390, "height": 900})
        place = chance.randrange(len(kinds))
        page.evaluate(FOCUS, place)
        page.keyboard.press(chance.choice(KEYS[kinds[place]]))
        state, drawings = page.evaluate(f"[({STATE})(), ({READ})()]")
        values, gradients = by_pytorch(state)
        right = {name: [said(values[name]), said(gradients[name])] for name in values}
        assert drawings == [right, right], state
        seen.add(json.dumps(state))
    page.close()
    assert len(seen) >= least


def test_every_control_answers_to_the_keyboard(book, browser, chapter):
    """Arrow keys move a slider by a tenth, space freezes, and the numbers follow."""
    page = browser.new_page()
    page.goto(book.url(chapter))
    page.wait_for_selector("html[data-ready]", state="attached")
    start = json.loads(page.get_attribute("[data-live=neuron]", "data-start"))
    page.focus("[data-live=neuron] input[name=w]")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # freezes w
    page.keyboard.press("Tab")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    state = {**start, "w": round(start["w"] + 0.5, 1), "x": round(start["x"] - 0.3, 1)}
    state["frozen"] = ["w"]
    values, gradients = by_pytorch(state)
    for drawing in page.evaluate(READ):
        assert {n: tuple(t) for n, t in drawing.items()} == {
            n: (said(values[n]), said(gradients[n])) for n in values
        }
    page.close()


def words(state: dict) -> list[str]:
    """What the engine does, step by step, as the library's own trace has it."""
    tensors = neuron(state)
    if not tensors["L"].requires_grad:
        return ["All four are frozen: nothing was recorded, and backward has nowhere to go."]
    graph = trace(tensors["L"], names=tensors)
    inputs = {"L": ["e"], "e": ["p", "y"], "p": ["z"], "z": ["u", "b"], "u": ["w", "x"]}
    steps = ["Backward starts at L with 1.0000."]
    for node in graph.nodes:
        arrived = number(node.gradients[0].item())
        if node.kind == "leaf":
            steps.append(f"{node.name}.grad = {arrived}.")
            continue
        sent = []
        edges = {edge.slot: edge for edge in node.edges}
        for slot, name in enumerate(inputs[node.name]):
            edge = edges.get(slot)
            if edge is None or edge.source is None:
                sent.append(f"{name} is frozen")
                continue
            by, flow = factor(edge.local.item()), number(edge.flow.item())
            sent.append(f"{name} is sent {arrived} × {by} = {flow}")
        steps.append(f"{node.name} ran: {'; '.join(sent)}.")
    return steps


def test_each_step_is_said_as_the_library_traces_it(book, browser, chapter):
    """The live region speaks the trace, word for word, in the engine's own order."""
    page = browser.new_page()
    page.goto(book.url(chapter))
    page.wait_for_selector("html[data-ready]", state="attached")
    patterns = [state for state, _, _ in vectors()[:40]]
    patterns.append({**patterns[0], "frozen": list(LEAVES)})
    for state in patterns:
        page.evaluate(SET, state)
        page.click("[data-do=rewind]")
        heard = [page.inner_text(".said")]
        while page.is_enabled("[data-do=forward]"):
            page.focus("[data-do=forward]")
            page.keyboard.press("ArrowRight")
            heard.append(page.inner_text(".said"))
        assert heard == words(state), state
    page.close()


def test_the_sixteen_patterns_are_explained_by_the_library(book, browser):
    """Each pattern of freezing shows one sentence for each of the four numbers."""
    (name,) = (p for p in book.pages if "data-why=" in book.source(p))
    page = browser.new_page()
    page.goto(book.url(name))
    page.wait_for_selector("html[data-ready]", state="attached")
    why = json.loads(page.get_attribute("[data-why]", "data-why"))
    assert len(why) == 16
    for pattern, sentences in why.items():
        page.evaluate(SET, {**settings(1)[0], "frozen": list(pattern)})
        assert page.locator(".reasons").is_visible()
        lines = page.locator(".reasons li").all_inner_texts()
        assert lines == [sentences[leaf] for leaf in LEAVES]
        assert all(line.startswith(leaf) for line, leaf in zip(lines, LEAVES, strict=True))
        for leaf, sentence in sentences.items():
            assert ("frozen" in sentence) == (leaf in pattern)
    page.close()


def test_the_onion_is_peeled_by_key_and_click(book, browser):
    """Each step takes one skin off and says the product that is left."""
    (name,) = (p for p in book.pages if 'data-live="onion"' in book.source(p))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(book.url(name))
    page.wait_for_selector("html[data-ready]", state="attached")
    box = page.locator("[data-live=onion]")
    skins = page.locator("svg.onion.wide-only [data-layer]").count()
    assert page.locator("svg.onion .off, svg.onion .later").count() == 0  # whole at first
    box.locator("[data-do=rewind]").click()
    products = []
    box.locator("[data-do=forward]").focus()
    for peeled in range(1, skins + 1):
        page.keyboard.press("ArrowRight")
        assert page.locator("svg.onion.wide-only [data-layer].off").count() == peeled
        products.append(re.findall(r"= (\S+?)\.?$", box.locator(".said").inner_text())[0])
    ends = page.locator("svg.onion.wide-only [data-end]").text_content()
    assert ends.endswith(products[-1])
    box.locator("[data-do=rewind]").click()
    page.locator("svg.onion.wide-only [data-layer='0'] .n").click()
    assert page.locator("svg.onion.wide-only [data-layer].off").count() == 1
    box.locator("[data-do=reset]").click()
    assert page.locator("svg.onion .off, svg.onion .later").count() == 0
    page.close()


def descended(rate: float, frozen: str, steps: int) -> list[list[str]]:
    """The walk of the neuron of "Where next" as PyTorch makes it, as figures write numbers."""
    x, y = (torch.tensor(v, dtype=torch.float64) for v in ((0.0, 1.0, 2.0), (1.0, 0.0, 2.0)))
    p = {name: torch.tensor(v, dtype=torch.float64) for name, v in (("w", 5.0), ("b", -3.0))}
    walk = []
    for _ in range(steps + 1):
        live = {name: v.clone().requires_grad_(name not in frozen) for name, v in p.items()}
        loss = ((live["w"] * x + live["b"] - y) ** 2).mean()
        walk.append([number(v.item()) for v in (*p.values(), loss)])
        moving = [name for name in p if name not in frozen]
        for name, slope in zip(
            moving,
            torch.autograd.grad(loss, [live[n] for n in moving]) if moving else (),
            strict=True,
        ):
            p[name] = p[name] - rate * slope
    return walk


SEEN = """() => {
    const box = document.querySelector("[data-live=descent]");
    const figure = document.getElementById(box.dataset.figure);
    return {
        said: box.querySelector(".said").textContent,
        rows: [...figure.querySelectorAll("tbody tr")].map(
            (row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)),
        drawings: [...figure.querySelectorAll("svg[data-plane]")].map((svg) => ({
            plane: JSON.parse(svg.dataset.plane),
            way: svg.querySelector(".walk").getAttribute("d"),
            dots: svg.querySelector(".dots").getAttribute("d"),
            here: ["cx", "cy"].map((n) => svg.querySelector(".here").getAttribute(n)),
            words: svg.querySelector("desc").textContent,
        })),
    };
}"""


def placed(plane: dict, point: list[str]) -> str:
    """Where a point lies on a drawing, by the drawing's own frame."""
    w, b = (float(shown.replace("−", "-")) for shown in point[:2])
    across = plane["left"] + plane["width"] * (w - plane["low"][0]) / plane["span"][0]
    down = plane["top"] + plane["height"] * (1 - (b - plane["low"][1]) / plane["span"][1])
    return f"{across:.2f} {down:.2f}"


def test_the_descent_shows_pytorchs_walk(book, browser):
    """Every rate, every frozen leaf, every step: strings, places, words and table, by keyboard."""
    (name,) = (p for p in book.pages if 'data-live="descent"' in book.source(p))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(book.url(name))
    page.wait_for_selector("html[data-ready]", state="attached")
    box = page.locator("[data-live=descent]")
    rates = box.locator("select option").all_inner_texts()
    slider = box.locator("input[type=range]")
    steps = int(slider.get_attribute("max"))
    start = page.evaluate(SEEN)
    assert start["drawings"][0]["way"].count("L") == steps  # whole at first
    shown = 0
    for rate in rates:
        box.locator("select").focus()
        page.keyboard.press("Home")
        for _ in range(rates.index(rate)):
            page.keyboard.press("ArrowDown")
        for frozen in ("", "w", "wb", "b"):
            for leaf in "wb":
                if box.locator(f"input[value={leaf}]").is_checked() != (leaf in frozen):
                    box.locator(f"input[value={leaf}]").focus()
                    page.keyboard.press("Space")
            walk = descended(float(rate), frozen, steps)
            slider.focus()
            page.keyboard.press("Home")
            for step in range(steps + 1):
                seen = page.evaluate(SEEN)
                w, b, loss = walk[step]
                assert seen["said"] == f"Step {step}: w = {w}, b = {b}, L = {loss}."
                assert seen["rows"] == walk
                for drawing in seen["drawings"]:
                    places = [placed(drawing["plane"], point) for point in walk[: step + 1]]
                    assert drawing["way"] == "M" + "L".join(places)
                    assert drawing["dots"] == "".join(f"M{place}h0" for place in places)
                    assert " ".join(drawing["here"]) == places[-1]
                    assert drawing["words"] == seen["said"]
                shown += 1
                page.keyboard.press("ArrowRight")
        for leaf in "wb":  # as they were, for the next rate
            if box.locator(f"input[value={leaf}]").is_checked():
                box.locator(f"input[value={leaf}]").focus()
                page.keyboard.press("Space")
    assert shown == len(rates) * 4 * (steps + 1) >= 200
    assert box.locator("[data-do=forward]").is_disabled()
    box.locator("[data-do=back]").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(SEEN)["said"].startswith(f"Step {steps - 1}:")
    box.locator("[data-do=rewind]").press("Enter")
    assert page.evaluate(SEEN)["said"].startswith("Step 0:")
    box.locator("[data-do=reset]").press("Enter")
    assert page.evaluate(SEEN)["drawings"] == start["drawings"]
    page.close()


def test_without_a_script_no_control_is_shown(book, browser, chapter):
    """The figure stands, complete, and nothing waits for a click that cannot come."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(book.url(chapter))
    assert not page.locator("[data-live] button").first.is_visible()
    assert page.locator("#fig-live svg").first.is_visible()
    context.close()
