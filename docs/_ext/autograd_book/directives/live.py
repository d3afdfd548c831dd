"""Live figures: the controls under a drawing that the page's script moves.

``{live} KIND`` stands under the figure it moves and takes what it starts from out
of the run: a cell shows ``{"application/vnd.handgrad.live+json": {"key": KEY, ...}}``.
The controls are hidden until the script is there, so that none is dead.
"""

import json
from html import escape
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from autograd_book.directives.lesson import nothing
from autograd_book.run import records

log = logging.getLogger(__name__)
MIME = "application/vnd.handgrad.live+json"
LEAVES = {"w": "weight", "x": "input", "b": "bias", "y": "target"}
ACTIVATIONS = ("identity", "sigmoid", "ReLU", "sine")
RANGE = 4  # sliders go from -4 to 4 in tenths


class live(nodes.General, nodes.Element):
    """The controls; ``kind``, ``figure``, ``key``, and the cell's ``data``."""


class LiveDirective(SphinxDirective):
    """``{live} neuron``, ``onion`` or ``descent``, with ``:figure:`` and ``:key:``."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "figure": directives.unchanged_required,
        "key": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        kind = directives.choice(self.arguments[0], tuple(CONTROLS))
        key = self.options.get("key", kind)
        node = live("", kind=kind, figure=self.options["figure"], key=key, data={})
        self.set_source_info(node)
        return [node]


def complete(app: Sphinx, doctree: nodes.document) -> None:
    """After the page's run is known: give each figure what its cell has shown."""
    asked = list(doctree.findall(live))
    if not asked:
        return
    notebook = records.executed(app.env, app.env.docname)
    shown = records.bundles(notebook, MIME) if notebook is not None else ()
    data = {found["key"]: found for _, found in shown}
    for node in asked:
        if node["figure"] not in doctree.nameids:
            _warn(f"no figure of this page is named {node['figure']!r}", node)
        node["target"] = doctree.nameids.get(node["figure"], "")
        if node["kind"] in NEED_DATA and node["key"] not in data:
            _warn(f"no cell of this page shows {MIME} with the key {node['key']!r}", node)
        node["data"] = data.get(node["key"], {})


def _warn(text: str, node: nodes.Node) -> None:
    log.warning("live figure: %s", text, location=node, type="book", subtype="live")


def neuron(key: str, data: dict[str, Any]) -> str:
    """Sliders and switches for the four leaves, the activation, and the steps."""
    rows = "".join(_leaf(key, name, word) for name, word in LEAVES.items())
    options = "".join(f"<option>{name}</option>" for name in ACTIVATIONS)
    words = '<ul class="reasons" aria-label="Why each gradient is what it is"></ul>'
    return (
        f'<fieldset><legend>Move the neuron</legend>{rows}<p class="row">'
        f'<label for="live-{key}-activation">activation</label>'
        f'<select id="live-{key}-activation">{options}</select></p></fieldset>'
        + _steps("Run backward, node by node", "To the start", "Reset")
        + (words if "why" in data else "")
    )


def onion(key: str, data: dict[str, Any]) -> str:
    """The steps of the peel."""
    return _steps("Peel the onion", "To the start", "Reset")


def descent(key: str, data: dict[str, Any]) -> str:
    """The rate, what is frozen, and how many steps of a walk are shown."""
    rates = "".join(f"<option>{rate}</option>" for rate in data.get("runs", ()))
    last = len(next(iter(data["runs"].values()))[""]) - 1 if "runs" in data else 0
    frozen = "".join(
        f'<label class="line"><input type="checkbox" value="{name}">'
        f"<i>{name}</i>, the {LEAVES[name]}, frozen</label>"
        for name in ("w", "b")
    )
    return (
        '<fieldset><legend>Let it learn</legend><p class="row">'
        f'<label for="live-{key}-rate">rate</label>'
        f'<select id="live-{key}-rate">{rates}</select></p>'
        f'<div class="row"><label for="live-{key}-step">step</label>'
        f'<input type="range" id="live-{key}-step" min="0" max="{last}" step="1">'
        f'<output for="live-{key}-step"></output></div><p class="steps">{frozen}</p></fieldset>'
        + _steps("Descend, step by step", "To the start", "Reset")
    )


def _leaf(key: str, name: str, word: str) -> str:
    at = f"live-{key}-{name}"
    return (
        f'<div class="row"><label for="{at}"><i>{name}</i>, the {word}</label>'
        f'<input type="range" id="{at}" name="{name}" min="-{RANGE}" max="{RANGE}" step="0.1">'
        f'<output for="{at}"></output>'
        f'<label class="line"><input type="checkbox" value="{name}">'
        f'frozen<span class="skip">: {name}</span></label></div>'
    )


def _steps(legend: str, rewind: str, reset: str) -> str:
    buttons = {"rewind": rewind, "back": "Step back", "forward": "Step", "reset": reset}
    row = "".join(
        f'<button type="button" data-do="{name}">{word}</button>' for name, word in buttons.items()
    )
    return (
        f'<div class="steps" role="group" aria-label="{legend}">{row}</div>'
        '<p class="said" aria-live="polite"></p>'
    )


CONTROLS = {"neuron": neuron, "onion": onion, "descent": descent}
NEED_DATA = ("neuron", "descent")


def visit_live(self: Any, node: live) -> None:
    data, key = node["data"], node["key"]
    held = "".join(
        f' data-{name}="{escape(json.dumps(data[name], ensure_ascii=False, sort_keys=True))}"'
        for name in ("start", "why", "runs")
        if name in data
    )
    self.body.append(
        f'<div class="live" data-live="{node["kind"]}" data-figure="{node["target"]}"{held} hidden>'
        f"{CONTROLS[node['kind']](key, data)}</div>\n"
    )
    raise nodes.SkipNode


def skip(self: Any, node: live) -> None:
    """Leave the controls out where no script runs."""
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    others = dict.fromkeys(("latex", "text", "man", "texinfo", "epub"), (skip, nothing))
    app.add_node(live, html=(visit_live, nothing), **others)
    app.add_directive("live", LiveDirective)
    app.connect("doctree-read", complete, priority=200)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
