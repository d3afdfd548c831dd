"""A drawing costs at most ten times what graphviz's dot needs for the same graph."""

import random
import resource
import shutil
import subprocess
import time

import pytest
from drawn import Op, graph_of

from handgrad import draw
from handgrad.drawing.numbers import content, jacobian

TIMES = 10  # as much processor time as dot
RUNS = 3  # the shortest counts: a busy machine makes any of them longer


def sines(count):
    """``z = z * sin(z) + b``, so many times."""
    ops, z = [Op("", name="z"), Op("", name="b")], 0
    for _ in range(count):
        ops += [Op("Sin", (z,)), Op("Mul", (z, len(ops))), Op("Add", (len(ops) + 1, 1))]
        z = len(ops) - 1
    return graph_of(*ops)


def near(seed, count):
    """Operations of up to three inputs, none of them far back."""
    some = random.Random(seed)
    ops = [Op("", name=f"w{i}") for i in range(4)]
    for i in range(4, count):
        back = range(max(0, i - 5), i)
        inputs = [i - 1, *some.choices([*back, "", "x"], k=some.randrange(3))]
        ops.append(Op(some.choice(["Mul", "Add", "Sigmoid"]), tuple(inputs)))
    return graph_of(*ops)


def skips(count, far):
    return graph_of(
        Op("", name="x"),
        *[Op("Add", (i, i - far)) if i >= far and i % 2 else Op("Sin", (i,)) for i in range(count)],
    )


GRAPHS = {
    "sines 8": sines(8),
    "sines 15": sines(15),
    "near 20": near(1, 20),
    "near 40": near(2, 40),
    "skips 40": skips(40, 3),
}


def in_dot(graph):
    """Write a graph with the same boxes, edges and numbers for dot."""
    lines = ["digraph {rankdir=TB; node [shape=box]"]
    for node in graph.nodes:
        numbers = [content(a, None) for a in (*node.values, *node.gradients)]
        words = "\\n".join([node.name or node.op, *map(str, numbers)])
        lines.append(f'n{node.key} [label="{words}"]')
        for edge in node.edges:
            source = f"n{edge.source}" if edge.source is not None else f"c{node.key}_{edge.slot}"
            said = jacobian(edge.local, node.outputs[0])
            lines.append(f'{source} -> n{node.key} [label="{said}"]')
    return "\n".join([*lines, "}"])


def spent(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def cost_of_dot(source):
    before = spent(resource.RUSAGE_CHILDREN)
    subprocess.run(["dot", "-Tsvg"], input=source, check=True, capture_output=True, text=True)
    return spent(resource.RUSAGE_CHILDREN) - before


def cost_of_drawing(graph):
    before = time.process_time()
    draw(graph, title="A graph")
    return time.process_time() - before


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz's dot to compare with")
@pytest.mark.parametrize("name", GRAPHS)
def test_a_drawing_costs_at_most_ten_times_what_dot_does(name):
    """Both measured in turns, so that a busy machine slows both."""
    graph = GRAPHS[name]
    source = in_dot(graph)
    costs = [(cost_of_drawing(graph), cost_of_dot(source)) for _ in range(RUNS)]
    ours, dot = (min(each) for each in zip(*costs, strict=True))

    assert ours <= TIMES * dot


@pytest.mark.parametrize("name", ["sines 8", "skips 40"])
def test_long_graphs_keep_their_numbers_in_both_drawings(name):
    """Not so where a box has more than eight edges on one side, or a phone has no room."""
    drawing = draw(GRAPHS[name], title="A graph")
    count = sum(edge.local is not None for _, edge in GRAPHS[name].edges)

    shown = [svg.count('<text class="k"') for svg in (drawing.svg_wide, drawing.svg_tall)]
    assert shown == [count, count]
