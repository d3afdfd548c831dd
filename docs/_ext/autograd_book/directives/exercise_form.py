"""How an exercise is written: as a form in HTML, as plain paragraphs elsewhere.

Everything that a form shows can work: without a script, a text field checks
itself by its pattern and a choice says at once what it is; the button that only
a script can serve is hidden until the script is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from autograd_book.directives.lesson import (
    close,
    depart_text_paragraph,
    nothing,
    visit_text_paragraph,
)


class exercise(nodes.General, nodes.Element):
    """The whole; ``key``, ``heading``, ``number`` on its page, and the cell's ``record``."""


class heading(nodes.General, nodes.TextElement):
    """Number and title, once the chapter has its number."""


class group(nodes.General, nodes.Element):
    """The question's last paragraph, with what answers it."""


class ask(nodes.General, nodes.TextElement):
    """The question's last paragraph: the label of the field."""


class offer(nodes.General, nodes.TextElement):
    """One of the answers to choose from, with what to say to it."""


class fields(nodes.General, nodes.Element):
    """The fields to type into, or to choose from if there are several."""


class fold(nodes.General, nodes.Element):
    """A hint or the answer, closed."""


class summary(nodes.General, nodes.TextElement):
    """What is read while it is closed."""


def register(app: Sphinx) -> None:
    """Tell each builder how to write the parts."""
    block, text = (nothing, nothing), (visit_text_paragraph, depart_text_paragraph)
    for node, html, epub, other in (
        (exercise, (visit_exercise, depart_exercise), (visit_block, close), block),
        (heading, element("h3"), element("h3"), text),
        (group, (visit_group, depart_group), block, block),
        (ask, (visit_ask, depart_ask), element("p"), text),
        (offer, (visit_offer, depart_offer), element("p"), text),
        (fields, (visit_fields, nothing), block, block),
        (fold, element("details"), element("details"), block),
        (summary, element("summary"), element("summary"), text),
    ):
        plain = dict.fromkeys(("text", "latex", "man", "texinfo"), other)
        app.add_node(node, html=html, epub=epub, **plain)


def visit_exercise(self, node: exercise) -> None:
    record = node["record"]
    data = f' data-exercise="{escape(json.dumps(_data(record)), quote=True)}"' if record else ""
    data = f' data-key="{escape(node["key"], quote=True)}"{data}'
    name = node["ids"][0]
    self.body.append(f'<form class="ask exercise" method="dialog" id="{name}"{data}>\n')


def depart_exercise(self, node: exercise) -> None:
    self.body.append("</form>\n")


def _data(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the script needs, and nothing that it does not."""
    answer = {"patterns": [one["pattern"] for one in record["fields"]], "words": record["right"]}
    known = [{"patterns": k["patterns"], "words": k["words"]} for k in record["known"]]
    return {
        "names": [one["name"] for one in record["fields"]],
        "answer": answer,
        "known": known,
        **{name: record[name] for name in ("readable", "unread", "again")},
    }


def _record(node: nodes.Node) -> dict[str, Any]:
    while not isinstance(node, exercise):
        node = node.parent
    return {**node["record"], "id": node["ids"][0]}


def _grouped(node: nodes.Node) -> bool:
    record = _record(node)
    return bool(record["choices"]) or len(record["fields"]) > 1


def visit_group(self, node: group) -> None:
    self.body.append("<fieldset>" if _grouped(node) else "")


def depart_group(self, node: group) -> None:
    name = _record(node)["id"]
    button = '<button type="submit" hidden>Check</button>\n'
    self.body.append(button + "</fieldset>\n" if _grouped(node) else "")
    self.body.append(f'<p class="result" id="{name}-said" role="status"></p>\n')


def visit_ask(self, node: ask) -> None:
    name = _record(node)["id"]
    self.body.append("<legend>" if _grouped(node) else f'<p><label for="{name}-1">')


def depart_ask(self, node: ask) -> None:
    self.body.append("</legend>\n" if _grouped(node) else "</label></p>\n")


def visit_offer(self, node: offer) -> None:
    record = _record(node)
    value = escape(node["value"], quote=True)
    self.body.append(f'<label><input type="radio" name="{record["id"]}" value="{value}"><span>')


def depart_offer(self, node: offer) -> None:
    record = _record(node)
    self.body.append(f"{_why(record, 0, node['value'])}</span></label>\n")


def _why(record: dict[str, Any], place: int, value: str) -> str:
    """Return what a reader without a script is told after a choice."""
    right = value == record["answer"][place]
    words = ""  # of several fields one alone is told only whether it is right
    if len(record["fields"]) == 1:
        said = [known["words"] for known in record["known"] if known["text"] == [value]]
        words = record["right"] if right else (said or [record["again"]])[0]
    return f' <span class="why">{"✓" if right else "≠"} {escape(words)}</span>'


def visit_fields(self, node: fields) -> None:
    record = _record(node)
    for place, one in enumerate(record["fields"]):
        name = f"{record['id']}-{place + 1}"
        self.body.append('<div class="answer">')
        self.body.append((_choose if record["choices"] else _type)(record, place, one, name))
        self.body.append("</div>\n")


def _type(record: dict[str, Any], place: int, one: dict[str, Any], name: str) -> str:
    several = len(record["fields"]) > 1
    label = f'<label class="line" for="{name}">{_label(one["name"])}</label> ' if several else ""
    unit = f' <span class="unit">{escape(record["unit"])}</span>' if record["unit"] else ""
    enter = "" if several else ' <span class="small quiet">Press Enter to check.</span>'
    right = "Yes." if several else record["right"]
    return (
        f'{label}<input type="text" id="{name}" autocomplete="off" autocapitalize="off" '
        f'spellcheck="false" required pattern="{escape(one["pattern"], quote=True)}" '
        f'placeholder="{escape(one["placeholder"], quote=True)}" '
        f'aria-describedby="{record["id"]}-said">{unit}{enter}\n'
        f'<p class="yes">{escape(right)}</p>\n<p class="no">{escape(record["again"])}</p>'
    )


def _choose(record: dict[str, Any], place: int, one: dict[str, Any], name: str) -> str:
    choices = " ".join(
        f'<label class="line"><input type="radio" name="{name}" '
        f'value="{escape(value, quote=True)}">'
        f"<span>{escape(value)}{_why(record, place, value)}</span></label>"
        for value in record["choices"]
    )
    label = f'<span id="{name}">{_label(one["name"])}</span>'
    return f'<div role="radiogroup" aria-labelledby="{name}">{label} {choices}</div>'


def _label(name: str) -> str:
    if len(name) == 1 or "∂" in name:
        return f"<i>{escape(name)}</i>"
    return f"<code>{escape(name)}</code>" if re.search(r"[._(\[=]", name) else escape(name)


def element(tag: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return visitors that write an HTML element."""

    def visit(self, node: nodes.Element) -> None:
        self.body.append(f"<{tag}>")

    def depart(self, node: nodes.Element) -> None:
        self.body.append(f"</{tag}>\n")

    return visit, depart


def visit_block(self, node: exercise) -> None:
    self.body.append(f'<div class="ask exercise" id="{node["ids"][0]}">\n')
