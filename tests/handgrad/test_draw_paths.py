"""Laws of paths in turn: each frame shows one path, the products add up to the gradient."""

import re

import pytest
from drawn import NEURON, Op, graph_of, read, texts

from handgrad import draw_paths, peel
from handgrad.errors import GraphTooLargeError, InputError, KindError

DIAMOND = graph_of(
    Op("", name="w"),
    Op("Mul", (0, "x"), "z"),
    Op("Sigmoid", (1,), "s"),
    Op("Mul", (1, 2), "a"),
    Op("Tanh", (1,)),
    Op("Add", (3, 4), "L"),
    slope=0.5,
)
SQUARE = graph_of(Op("", name="a"), Op("Mul", (0, 0), "y"))


def sheets(figure):
    return figure.svg_wide, figure.svg_tall


def frames(svg):
    """Return the parts of a strip, each as a drawing of its own."""
    head, rest = svg.split('<g class="frame"', 1)
    return ['<g class="frame"' + part for part in rest.split('<g class="frame"')], head


@pytest.mark.parametrize(("graph", "wrt"), [(DIAMOND, "w"), (SQUARE, "a"), (NEURON, "b")])
def test_each_frame_has_the_edges_of_its_path(graph, wrt):
    figure = draw_paths(graph, wrt, title="T")

    for svg in sheets(figure):
        parts, _ = frames(svg)
        paths = graph.paths(wrt)
        assert len(parts) == len(paths)
        for part, path in zip(parts, paths, strict=True):
            key, expected = 0, set()
            for edge in path:
                expected.add(f"{key}.{edge.slot}")
                key = edge.source
            drawn = re.findall(r'data-edge="([\d.]+)"><path class="back"', part)
            assert set(drawn) == expected
            assert len(drawn) == len(path)
            assert part.count("× 0.") >= len(path) - 1  # on edges; and in the sentence


def test_the_products_add_up_to_what_peel_finds():
    figure = draw_paths(DIAMOND, "w", title="T")
    together = peel(DIAMOND, "w").product.item()

    assert together == 0.5**3 + 0.5**4 + 0.5**3
    assert figure.description == (
        "3 paths lead to w. Path 1: 0.5000 × 0.5000 × 0.5000 = 0.1250. "
        "Path 2: 0.5000 × 0.5000 × 0.5000 × 0.5000 = 0.0625. "
        "Path 3: 0.5000 × 0.5000 × 0.5000 = 0.1250. Together 0.3125."
    )
    for svg in sheets(figure):
        assert "Together: 0.1250 + 0.0625 + 0.1250 = 0.3125" in texts(svg)
    assert "<td>w ← z ← s ← a ← L</td>" in figure.table


def test_the_sentences_and_the_sum_stay_on_the_sheet():
    long = graph_of(Op("", name="x"), *[Op("Sin", (i,)) for i in range(9)])
    for svg in sheets(draw_paths(long, "x", title="T")):
        shown = read(svg)
        assert shown.height > 0
        for words in shown.words:
            assert words.rect[2] <= shown.width + 0.5


def test_what_has_no_products_is_refused():
    with pytest.raises(KindError, match="draws what trace"):
        draw_paths("loss", "w", title="T")
    with pytest.raises(InputError, match="needs a title"):
        draw_paths(SQUARE, "a", title=" ")
    with pytest.raises(InputError, match="No node is called"):
        draw_paths(SQUARE, "q", title="T")
    doubled = graph_of(Op("", name="x"), *[Op("Add", (i, i)) for i in range(4)])
    with pytest.raises(GraphTooLargeError, match="16 paths"):
        draw_paths(doubled, "x", title="T")


def test_a_matrix_on_the_way_is_refused():
    torch = pytest.importorskip("torch")
    from handgrad import trace

    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(InputError, match="no single real number"):
        draw_paths(trace((w * w).sum(), names={"w": w}), "w", title="T")


def test_names_are_text_not_markup():
    graph = graph_of(Op("", name="<w>"), Op("Mul", (0, "x"), "<L>"))
    figure = draw_paths(graph, "<w>", title="<i>", titles={"<L>": "L & M"})

    for markup in (*sheets(figure), figure.table):
        assert not re.search("<w>|<L>|<i>|& M", markup)


def test_equal_figures_are_equal_bytes():
    assert draw_paths(DIAMOND, "w", title="T") == draw_paths(DIAMOND, "w", title="T")
