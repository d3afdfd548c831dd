"""Laws of the wave: one layout for all frames, a gradient where all paths have arrived."""

import re

import pytest
from drawn import NEURON, Op, faults, graph_of, read, texts

from handgrad import draw_wave
from handgrad.drawing.numbers import number
from handgrad.drawing.style import STYLE
from handgrad.errors import GraphTooLargeError, InputError, KindError

DIAMOND = graph_of(
    Op("", name="w", value=0.5),
    Op("Mul", (0, "x"), "z", 1.5),
    Op("Sigmoid", (1,), "s", 2.5),
    Op("Mul", (1, 2), "L", 3.5),
)
SQUARE = graph_of(Op("", name="a"), Op("Mul", (0, 0), "y"))
GRAPHS = {"neuron": NEURON, "diamond": DIAMOND, "square": SQUARE}


def sheets(frame):
    return frame.svg_wide, frame.svg_tall


def boxes(svg):
    """Return for each node its state, its rectangle and its words."""
    found = re.findall(
        r'<g data-state="(\w+)" data-node="(\d+)">(<rect.*?/>)(.*?)</g>', svg, re.DOTALL
    )
    return {int(key): (state, rect, texts(words)) for state, key, rect, words in found}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_frame_has_the_same_places(name):
    wave = draw_wave(GRAPHS[name], title="T")

    assert len(wave.frames) == len(GRAPHS[name]) + 1
    for turn in (0, 1):
        places = [
            {key: re.sub('class="[^"]*"', "", rect) for key, (_, rect, _) in boxes(svg).items()}
            for svg in (sheets(frame)[turn] for frame in wave.frames)
        ]
        assert places == [places[0]] * len(places)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_gradient_is_there_when_all_its_consumers_have_run(name):
    graph = GRAPHS[name]
    for step, frame in enumerate(draw_wave(graph, title="T").frames):
        for svg in sheets(frame):
            shown = boxes(svg)
            for node in graph.nodes:
                users = [other.key for other, edge in graph.edges if edge.source == node.key]
                arrived = all(key < step for key in users)
                state, rect, words = shown[node.key]
                assert (number(node.gradients[0].item()) in words) == arrived
                assert ("waiting" in words) == (not arrived and any(key < step for key in users))
                assert (" now" in rect) == (node.key == step - 1) == (state == "now")


@pytest.mark.parametrize("name", GRAPHS)
def test_edges_are_arrows_once_their_operation_has_run(name):
    graph = GRAPHS[name]
    for step, frame in enumerate(draw_wave(graph, title="T").frames):
        went = sum(node.key < step and edge.source is not None for node, edge in graph.edges)
        for svg in sheets(frame):
            assert len(read(svg).back) == went
            assert read(svg).forward == []
            assert faults(svg) == []


def test_only_the_node_that_runs_shows_its_factors():
    wave = draw_wave(DIAMOND, title="T")

    factors = [[t for t in texts(frame.svg_wide) if t.startswith("× ")] for frame in wave.frames]
    assert factors == [[], ["× 0.2500"] * 2, ["× 0.2500"], ["× 0.2500"], []]


def test_the_words_say_every_step():
    wave = draw_wave(DIAMOND, title="T")

    assert [frame.description for frame in wave.frames] == [
        "Step 0 of 4. Backward starts with −3.5000 at L.",
        "Step 1 of 4. Mul runs: z is sent (−3.5000) × 0.2500 = −0.8750, one of the parts it waits "
        "for; s is sent (−3.5000) × 0.2500 = −0.8750.",
        "Step 2 of 4. Sigmoid runs: z is sent (−2.5000) × 0.2500 = −0.6250, one of the parts it "
        "waits for.",
        "Step 3 of 4. Mul runs: w is sent (−1.5000) × 0.2500 = −0.3750; x is sent nothing.",
        "Step 4 of 4. The accumulator of w adds −0.5000 to w.grad.",
    ]
    assert wave.description == (
        "The backward pass in 4 steps: Mul, Sigmoid, Mul and AccumulateGrad. In the end "
        "w.grad = −0.5000."
    )
    assert wave.table.count("<tr>") == 6


def test_the_figure_has_all_frames_one_style_and_no_id():
    wave = draw_wave(DIAMOND, title="T")
    html = wave._repr_html_()

    assert re.findall(r'class="frame" data-frame="(\d)"', html) == list("01234")
    assert html.count(STYLE) == 1
    assert html.count("<svg") == 10
    assert " id=" not in html
    assert html.count("<table") == 1


def test_the_strip_is_a_drawing_of_all_frames():
    wave = draw_wave(DIAMOND, title="T")

    for svg, frame in ((wave.svg_wide, wave.frames[0].svg_wide),
                       (wave.svg_tall, wave.frames[0].svg_tall)):  # fmt: skip
        assert svg.count('class="frame"') == 5
        assert read(svg).height > 5 * read(frame).height


def test_gradients_that_are_no_single_number_are_arrived_or_shapes():
    torch = pytest.importorskip("torch")
    from handgrad import trace

    w = torch.tensor([1.0, 2.0], requires_grad=True)
    a, b = w.split(1)
    wave = draw_wave(trace((a * b).sum(), names={"w": w}), title="T")

    assert wave.frames[-1].description == (
        "Step 4 of 4. The accumulator of w adds what has arrived to w.grad."
    )
    assert "(2,)" in texts(wave.frames[-1].svg_wide)
    assert "w.grad" not in wave.description


def test_names_are_text_not_markup():
    graph = graph_of(Op("", name="<w>"), Op("Mul", (0, "x & y"), "<L>"))
    wave = draw_wave(graph, title="<i>", titles={"<L>": "L < 1"})

    assert not re.search("<w>|<L>|<i>|& y|< 1", wave._repr_html_() + wave.svg_wide)


def test_what_cannot_be_stepped_through_is_refused():
    with pytest.raises(KindError, match="draws what trace"):
        draw_wave("loss", title="T")
    with pytest.raises(InputError, match="needs a title"):
        draw_wave(SQUARE, title="")
    long = graph_of(Op("", name="x"), *[Op("Sin", (i,)) for i in range(24)])
    with pytest.raises(GraphTooLargeError, match="25 steps"):
        draw_wave(long, title="T")


def test_equal_waves_are_equal_bytes():
    assert draw_wave(DIAMOND, title="T") == draw_wave(DIAMOND, title="T")
