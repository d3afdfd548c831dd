"""Live figures: the controls under a drawing that the page's script moves.

``{live} KIND`` stands under the figure it moves and takes what it starts from out
of the run: a cell shows ``{"application/vnd.handgrad.live+json": {"key": KEY, ...}}``.
The controls are hidden until the script is there, so that none is dead.
"""

import json
from html import escape
from typing import Any, ClassVar
from xml.etree.ElementTree import Element, fromstring, tostring

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
    """``{live} KIND``, one of ``CONTROLS``, with ``:figure:`` and ``:key:``."""

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
        + _steps("Run backward, node by node")
        + (words if "why" in data else "")
    )


def onion(key: str, data: dict[str, Any]) -> str:
    """The steps of the peel."""
    return _steps("Peel the onion")


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
        + _steps("Descend, step by step")
    )


def curve(key: str, data: dict[str, Any]) -> str:
    """The weight, the rate, what the loss is there, and steps along the curve."""
    rates = "".join(f"<option>{rate}</option>" for rate in data.get("rates", ()))
    facts = "".join(
        f'<span>{name} = <output for="live-{key}-w" aria-live="off"></output></span> '
        for name in ("<i>w</i>", "loss", "slope")
    )
    return (
        f'<fieldset><legend>Walk downhill</legend><div class="row">'
        f'<label for="live-{key}-w"><i>w</i>, the weight</label>'
        f'<input type="range" id="live-{key}-w" step="0.1"></div>'
        f'<p class="row"><label for="live-{key}-rate">learning rate</label>'
        f'<select id="live-{key}-rate">{rates}</select></p>'
        f'<p class="facts">{facts}</p></fieldset>'
        + _steps("Walk downhill, step by step", back="Step back", forward="Step downhill")
    )


def wave(key: str, data: dict[str, Any]) -> str:
    """The steps of the backward pass."""
    return _steps("Run backward, node by node")


def _leaf(key: str, name: str, word: str) -> str:
    at = f"live-{key}-{name}"
    return (
        f'<div class="row"><label for="{at}"><i>{name}</i>, the {word}</label>'
        f'<input type="range" id="{at}" name="{name}" min="-{RANGE}" max="{RANGE}" step="0.1">'
        f'<output for="{at}"></output>'
        f'<label class="line"><input type="checkbox" value="{name}">'
        f'frozen<span class="skip">: {name}</span></label></div>'
    )


STEPS = {"rewind": "To the start", "back": "Step back", "forward": "Step"}


def _steps(legend: str, **buttons: str) -> str:
    """The buttons, which the arrow keys press too, and the line that says what happened."""
    row = "".join(
        f'<button type="button" data-do="{name}">{word}</button>'
        for name, word in {**(buttons or STEPS), "reset": "Reset"}.items()
    )
    return (
        f'<div class="steps" role="group" aria-label="{legend}">{row}</div>'
        '<p class="said" aria-live="polite"></p>'
    )


CONTROLS = {"neuron": neuron, "onion": onion, "descent": descent, "curve": curve, "wave": wave}
NEED_DATA = ("neuron", "descent", "curve", "wave")


def frames(data: dict[str, Any]) -> dict[str, Any]:
    """Say how the frames of a wave differ from the one that the page shows.

    ``drawings`` are its two sheets before the first node has run, and after the last.
    """
    start, arrives = data["start"], data["arrives"]
    before, after = ([_groups(svg) for svg in sheets] for sheets in data["drawings"])
    edges: dict[str, list[str]] = {}
    for place in before[0]["edge"]:
        first, last = ([_inner(sheet["edge"][place]) for sheet in sheets]
                       for sheets in (before, after))  # fmt: skip
        if first != last:
            edges[place] = first if int(place.split(".")[0]) < start else last
    gradients = {
        str(key): [_outer(sheet["node"][str(key)].find("text[@class='g']")) for sheet in after]
        for key, at in enumerate(arrives)
        if at > start
    }
    said = {"start": start, "said": data["said"], "arrives": arrives}
    return {**said, "edges": edges, "gradients": gradients}


def _groups(svg: str) -> dict[str, dict[str, Element]]:
    """Return the edges and the nodes of a drawing, by their place in the graph."""
    root = fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', ""))
    return {
        kind: {
            group.attrib[f"data-{kind}"]: group for group in root.iterfind(f".//g[@data-{kind}]")
        }
        for kind in ("edge", "node")
    }


def _inner(group: Element) -> str:
    return "".join(map(_outer, group))


def _outer(part: Element | None) -> str:
    return tostring(part, encoding="unicode") if part is not None else ""


def visit_live(self: Any, node: live) -> None:
    data, key = node["data"], node["key"]
    if "drawings" in data:
        data = {"wave": frames(data)}
    held = "".join(
        f' data-{name}="{escape(json.dumps(data[name], ensure_ascii=False, sort_keys=True))}"'
        for name in ("start", "why", "runs", "wave")
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
