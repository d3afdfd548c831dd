"""How an onion shows itself: the whole text and the whole table, to the last word."""

from dataclasses import replace

import torch

from handgrad import peel, trace
from handgrad.graph.records import Array

LAYERS = """\
layer   operation  local derivative  product so far  flow  ulps
node 0  Pow        12                12              12    0
h       Mul        2                 24              24    0
d loss / d <w>: 1 path; sum of products 24; flow 24; same bits"""
LAYERS_ON_A_PAGE = (
    '<table class="onion"><thead><tr><th scope="col">layer</th><th scope="col">operation</th>'
    '<th scope="col" class="r">local derivative</th><th scope="col" class="r">product so far</th>'
    '<th scope="col" class="r">flow</th><th scope="col" class="r">ulps</th></tr></thead>'
    '<tbody><tr><th scope="row">node 0</th><td>Pow</td><td class="r">12.0000</td>'
    '<td class="r">12.0000</td><td class="r">12.0000</td><td class="r">0</td></tr>'
    '<tr><th scope="row">h</th><td>Mul</td><td class="r">2.0000</td><td class="r">24.0000</td>'
    '<td class="r">24.0000</td><td class="r">0</td></tr></tbody></table>'
    "<p>d loss / d &lt;w&gt;: 1 path; sum of products 24.0000; flow 24.0000; same bits</p>"
)
PATHS = """\
path           product of local derivatives
Mul → Add → w  3
Mul → w        4
d loss / d w: 2 paths; sum of products 7; flow 7; same bits"""
PATHS_ON_A_PAGE = (
    '<table class="onion"><thead><tr><th scope="col">path</th>'
    '<th scope="col" class="r">product of local derivatives</th></tr></thead>'
    '<tbody><tr><th scope="row">Mul → Add → w</th><td class="r">3.0000</td></tr>'
    '<tr><th scope="row">Mul → w</th><td class="r">4.0000</td></tr></tbody></table>'
    "<p>d loss / d w: 2 paths; sum of products 7.0000; flow 7.0000; same bits</p>"
)


def leaf(value):
    return torch.tensor(value, requires_grad=True)


def number(value):
    return Array(shape=(), dtype="float32", data=(value,))


def test_layers():
    w = leaf(3.0)
    h = w * 2.0

    onion = peel(trace(h**2, names={"<w>": w, "h": h}), "<w>")

    assert onion.to_text() == str(onion) == LAYERS
    assert onion._repr_html_() == LAYERS_ON_A_PAGE
    assert onion.layout == (
        "d(output)/d(input): the output's axes first, then the input's, row-major; outer layer left"
    )


def test_paths():
    w = leaf(3.0)

    onion = peel(trace((w + 1.0) * w, names={"w": w}), "w")

    assert str(onion) == PATHS
    assert onion._repr_html_() == PATHS_ON_A_PAGE


def test_every_name_is_escaped_on_a_page():
    """In a row, in the name of a path, in the closing sentence."""
    w = leaf(3.0)
    h = w * 2.0

    rows = peel(trace(h**2, names={"w": w, "<h>": h}), "w")._repr_html_()
    paths = peel(trace((h + 1.0) * h, names={"w": w, "a & <h>": h}), "w")._repr_html_()

    assert '<th scope="row">&lt;h&gt;</th>' in rows
    assert "a &amp; &lt;h&gt; → w" in paths
    assert "<h>" not in rows + paths


def test_paths_that_are_too_many():
    y = w = leaf(3.0)
    for _ in range(12):
        y = y + y

    assert str(peel(trace(y, names={"w": w}), "w")) == (
        "path  product of local derivatives\n"
        "d loss / d w: 4096 paths, too many to list; sum of products 4096; flow 4096; same bits"
    )


def test_what_is_missing_is_said():
    """A vector has no flow; a Jacobian that is too large has no product."""
    v = leaf([1.0, 2.0])
    many = torch.ones(300, requires_grad=True)

    assert str(peel(trace(v * 2, names={"v": v}), "v")) == (
        "layer   operation  local derivative  product so far  flow  ulps\n"
        "node 0  Mul        [2, 0, 0, 2]      [2, 0, 0, 2]\n"
        "d loss / d v: 1 path; sum of products [2, 0, 0, 2]"
    )
    lines = str(peel(trace((many * 2).sum(), names={"m": many}, values=True), "m")).splitlines()
    ones = "[" + "1, " * 6 + "…]"
    assert lines[1] == f"node 0  Sum        {ones}  {ones}  {ones}  0"
    assert lines[2] == f"node 1  Mul{' ' * 54}{'[' + '2, ' * 6 + '…]'}"
    assert lines[3] == (
        f"d loss / d m: 1 path; sum of products not formed; flow {'[' + '2, ' * 6 + '…]'}; "
        "no distance"
    )


def test_a_distance_is_said_where_bits_differ():
    w = leaf(3.0)
    onion = peel(trace(w * 2.0, names={"w": w}), "w")

    apart = replace(onion, product=number(2.5), gradient=number(2.0), ulps=7, same_bits=False)
    near = replace(onion, product=number(2.5), gradient=number(2.0), ulps=1, same_bits=False)
    zeros = replace(onion, product=number(-0.0), gradient=number(0.0), ulps=0, same_bits=False)

    assert str(apart).endswith("1 path; sum of products 2.5; flow 2; 7 ulps apart")
    assert str(near).endswith("; 1 ulp apart")
    assert str(zeros).endswith("; 0 ulps apart")
