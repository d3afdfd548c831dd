"""What the book was asked for, requirement by requirement, held against the built pages."""

import html
import json
import re

import pytest
import torch

from handgrad import local_vjp, peel, trace

SLOPE, ONION, NEURON, GRAPH, TRIGGER, BIAS, FROZEN, LEARNS = (
    f"part1/{name}.html"
    for name in (
        "01-what-a-slope-is-for",
        "02-peeling-the-onion",
        "03-the-manual-neuron",
        "04-the-graph-you-never-drew",
        "05-pulling-the-trigger",
        "06-the-bias-shortcut",
        "07-frozen-three-ways",
        "08-a-neuron-that-learns",
    )
)


def words(source):
    """A page as a reader hears it, spaces made equal."""
    plain = re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", source, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(plain))


@pytest.fixture(scope="module")
def say(book):
    return lambda page: words(book.source(page))


def outputs(source):
    """What the cells of a page printed, one text for each output."""
    found = re.findall(r'<div class="output[^"]*">.*?<pre[^>]*>(.*?)</pre>', source, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", text)) for text in found]


class Seed:
    """The neuron of the seed: w = 3, x = 2, b = 0.5, y = 1."""

    def __init__(self, w=True, b=True, x=False):
        def leaf(value, trainable):
            return torch.tensor(value, dtype=torch.float64, requires_grad=trainable)

        self.w, self.b, self.x, self.y = leaf(3.0, w), leaf(0.5, b), leaf(2.0, x), leaf(1.0, False)
        self.u = self.w * self.x
        self.z = self.u + self.b
        self.e = self.z - self.y
        self.loss = self.e**2


def test_s01_every_node_and_edge_of_the_recorded_graph_is_listed(say):
    graph = trace(Seed().loss)
    edges = [edge for node in graph.nodes for edge in node.edges]
    a = torch.tensor(3.0, requires_grad=True)

    assert [n.op for n in graph.nodes if n.kind == "operation"] == ["Pow", "Sub", "Add", "Mul"]
    assert sum(n.kind == "leaf" for n in graph.nodes) == 2
    assert [edge.source is None for edge in edges].count(False) == 5
    assert [edge.source is None for edge in edges].count(True) == 2
    assert len(trace(a * a).root.edges) == 2
    assert all(name in say(GRAPH) for name in ("PowBackward0", "SubBackward0", "AccumulateGrad"))


def test_s02_one_function_records_different_graphs_for_different_data(book):
    shown = "\n".join(outputs(book.source(GRAPH)))
    counts = re.findall(r"from [\d.]+: (\d+) nodes", shown)

    assert len(counts) >= 3
    assert len(set(counts)) == len(counts)


def test_s03_both_pictures_are_shown_and_no_tensor_is_a_node(book, say):
    seed = Seed()
    accumulate = seed.u.grad_fn.next_functions[0][0]

    assert accumulate.variable is seed.w
    assert not any(isinstance(node, torch.Tensor) for node in trace(seed.loss).nodes)
    assert book.source(GRAPH).count('<svg xmlns="http://www.w3.org/2000/svg" class="hg dag') >= 4
    assert "The popular picture" in say(GRAPH)
    assert "The recorded picture" in say(GRAPH)


def test_s04_every_intermediate_value_stands_beside_the_one_by_hand(say):
    table = say(TRIGGER).split("The forward pass, value by value")[-1][:600]

    assert "My Manual Calculation" in table
    assert all(number in table for number in ("6.0", "6.5", "5.5", "30.25"))


def test_s05_the_order_of_the_engine_is_shown_as_it_ran(book):
    wanted = ["Pow", "Sub", "Add", "AccumulateGrad", "Mul", "AccumulateGrad"]
    orders = (
        re.findall(r"^(\w+?)(?:Backward0)?\s", o, re.M) for o in outputs(book.source(TRIGGER))
    )

    assert wanted in list(orders)


def test_s06_backward_starts_from_one_and_refuses_more_than_one_number(say):
    plain, given = Seed(), Seed()
    plain.loss.backward()
    given.loss.backward(gradient=torch.ones((), dtype=torch.float64))

    assert plain.w.grad == given.w.grad
    assert plain.b.grad == given.b.grad
    assert "grad can be implicitly created only for scalar outputs" in say(TRIGGER)


def test_s07_the_layers_multiply_to_the_gradient():
    seed = Seed()
    onion = peel(trace(seed.loss, names=vars(seed) | {"L": seed.loss}), wrt="w")

    assert [layer.local.item() for layer in onion.layers] == [11.0, 1.0, 1.0, 2.0]
    assert onion.gradient.item() == 22.0
    assert onion.same_bits


def test_s08_all_settings_of_requires_grad_are_in_the_table(book):
    table = next(o for o in outputs(book.source(FROZEN)) if o.startswith("trainable"))
    table, _, rest = table.partition("\n            and ")  # the message takes two lines
    assert rest.strip() == "does not have a grad_fn"
    rows = [line.split() for line in table.splitlines()[1:]]
    value = {"w": "22.0", "b": "11.0", "x": "33.0"}

    assert len(rows) == 8
    for row in rows[:7]:
        names, grads = row[:-3], row[-3:]
        assert grads == [value[n] if n in names else "None" for n in "wbx"]
    assert table.endswith("element 0 of tensors does not require grad")


def test_s09_twenty_thousand_neurons_agree_to_the_last_bit(say):
    assert re.search(r"20,000 linear neurons\. Verdict: same bits", say(NEURON))
    assert re.search(r"20,000 sigmoid neurons\. Verdict: same bits", say(NEURON))
    last_bit = say("back/the-last-bit.html")
    assert re.search(r"20,000 tanh neurons, rounded once\. Verdict: same bits", last_bit)


def test_s10_proof_and_evidence_are_told_apart(book, say):
    assert "[0, 0, 0, 0]" in "".join(outputs(book.source(NEURON)))
    assert "is a theorem" in say(NEURON)
    assert "evidence" in say(NEURON)


def test_s11_the_onion_is_drawn_and_its_groups_multiply_to_the_gradient(book):
    seed = Seed()
    graph = trace(seed.loss, names=vars(seed) | {"L": seed.loss})
    onion = peel(graph, wrt="w", groups={"outer": ["L", "e"], "inner": ["z", "u"]})
    outer, inner = (group.local.item() for group in onion.groups)

    assert outer * inner == onion.gradient.item() == 22.0
    assert 'class="hg onion' in book.source(ONION)


def test_s12_where_simply_multiplying_stops_is_shown(book, say):
    assert "add over paths" in say(ONION).replace("Multiply along a path; ", "")
    shown = [re.sub(r"\s", "", o) for o in outputs(book.source(ONION))]
    assert "tensor([[2.,1.],[4.,3.]])tensor([[3.,4.],[1.,2.]])" in shown
    assert "tensor([[2.,1.],[4.,3.]])" in shown


def test_s13_the_recorded_addition_has_slope_one_for_both_inputs():
    one = torch.ones((), dtype=torch.float64)

    assert [slope.item() for slope in Seed().z.grad_fn(one)] == [1.0, 1.0]
    assert [slope.item() for slope in local_vjp(Seed().z, one)] == [1.0, 1.0]


def test_s14_the_bias_gets_the_signal_and_in_a_batch_the_sum(say):
    seed = Seed()
    seed.z.retain_grad()
    seed.loss.backward()
    b = torch.tensor(-0.2, requires_grad=True)
    z = torch.linspace(-1, 1, 5) + b
    z.retain_grad()
    torch.sigmoid(z).square().mean().backward()

    assert seed.b.grad == seed.z.grad
    assert b.grad == z.grad.sum()
    assert "copier" in say(BIAS)


def test_s15_three_meanings_of_frozen_each_have_a_section(book):
    headings = re.findall(r"<h2>(.*?)<", book.source(FROZEN))

    assert headings[:3] == ["Held constant", "Not recorded", "Not updated"]


def test_s16_a_missing_path_is_none_and_as_a_number_zero(book):
    assert "[(None,), (tensor(0.),)]" in "".join(outputs(book.source(FROZEN)))


def test_s17_every_chapter_is_offered_as_a_notebook_clean_and_with_outputs(book):
    """Both files lie beside the page; the clean one begins by installing what is missing.

    That each of them runs from an empty folder is shown in test_notebooks.
    """
    for page in (SLOPE, GRAPH, TRIGGER, NEURON, ONION, BIAS, FROZEN, LEARNS):
        offered = re.findall(r'href="\.\./(notebooks/[^"]+\.ipynb)"', book.source(page))
        assert len(offered) == 2
        kinds = {}
        for name in offered:
            notebook = json.loads((book.folder / name).read_text("utf-8"))
            cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
            kinds[any(cell["outputs"] for cell in cells)] = "".join(cells[0]["source"])
        assert kinds.keys() == {True, False}
        assert "handgrad" in kinds[False]
        assert "install" in kinds[False]


def test_s18_the_tables_have_the_two_columns_that_were_asked_for(book):
    for page in (SLOPE, NEURON, ONION, BIAS, FROZEN):
        heads = re.findall(r"<th[^>]*>([^<]*)</th>", book.source(page))
        assert {"My Manual Calculation", "PyTorch Gradient"} <= set(heads)


def test_s19_the_next_stop_is_reached_from_the_front_page(book, say):
    assert f'href="{LEARNS}"' in book.source("index.html")
    assert "A parameter is a leaf with a name" in say(LEARNS)


def test_s20_part_one_is_the_five_ideas_and_the_graph(book):
    part = re.findall(r'href="(part1/[^"#]+\.html)"', book.source("index.html"))

    assert list(dict.fromkeys(part)) == [SLOPE, ONION, NEURON, GRAPH, TRIGGER, BIAS, FROZEN, LEARNS]
