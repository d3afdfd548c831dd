"""Exercises on the page: a question, a field that checks itself, hints and the answer.

``{exercise} KEY`` belongs to the ``Exercise("KEY", ...)`` that a cell of the page
ends with. Without a script the browser checks the field by its pattern; with the
script each named wrong answer gets its own hint.
"""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from autograd_book.chapters import number_of
from autograd_book.directives.exercise_form import (
    ask,
    exercise,
    fields,
    fold,
    group,
    heading,
    offer,
    register,
    summary,
)
from autograd_book.run import records

log = logging.getLogger(__name__)
FENCE = (
    "stands outside an exercise. Fences nest only if the outer one is longer: write the exercise "
    "with four colons, its hints and answer with three."
)


class ExerciseDirective(SphinxDirective):
    """``{exercise} key`` with ``:title:``, the question, hints and one answer."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"title": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        key = self.arguments[0]
        self.env.temp_data["exercise"] = key
        parts = self.parse_content_to_nodes()
        del self.env.temp_data["exercise"]
        folds = [part for part in parts if isinstance(part, fold)]
        question = [part for part in parts if not isinstance(part, fold)]
        kinds = [part["kind"] for part in folds]
        if not question or "Hint" not in kinds or kinds.count("Answer") != 1:
            raise self.error(
                f"Exercise {key!r} has {kinds or 'nothing folded'}; it needs a question, at least "
                "one {hint} and one {answer}, each with fewer colons than the exercise itself."
            )
        node = exercise("", key=key, title=self.options.get("title", ""), record=None, number=0)
        name = nodes.make_id(f"exercise-{key}")
        node["ids"].append(name)
        self.set_source_info(node)
        node += [heading(), *question, *folds]
        self.state.document.note_explicit_target(node)
        return [node]


class FoldDirective(SphinxDirective):
    """``{hint}`` and ``{answer}``, inside an exercise."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        if "exercise" not in self.env.temp_data:
            raise self.error(f"This {{{self.name}}} {FENCE}")
        kind = self.name.capitalize()
        node = fold("", summary("", kind), *self.parse_content_to_nodes(), kind=kind)
        self.set_source_info(node)
        return [node]


def complete(app: Sphinx, doctree: nodes.document) -> None:
    """After the page's run is known: give each exercise its record, and the other way round."""
    page = records.page(app.env, app.env.docname) or records.Page()
    missing = not records.failed(app.env, app.env.docname)
    cells = {cell.index: cell for cell in page.cells}
    known = {record["key"]: record for record in page.exercises}
    for number, node in enumerate(doctree.findall(exercise), 1):
        node["number"] = number
        if node.next_node(group) is not None:
            continue
        record = known.pop(node["key"], None)
        if record is None:
            if missing:
                _warn(f"no cell of this page ends with Exercise({node['key']!r}, ...)", node)
            continue
        node["record"] = record
        _arrange(node, record)
    for record in (one for one in known.values() if "cell" in one):
        place = (app.env.docname, cells[record["cell"]].line)
        _warn(f"exercise {record['key']!r} is checked by a cell, but no page asks it", place)


def _warn(text: str, location: Any) -> None:
    log.warning(text, location=location, type="book", subtype="exercise")


def _arrange(node: exercise, record: dict[str, Any]) -> None:
    """Put the question's last paragraph and its options or fields into one group."""
    question = [part for part in node if not isinstance(part, fold | heading)]
    lists = [part for part in question if isinstance(part, nodes.bullet_list)]
    choices = record["choices"] if len(record["fields"]) == 1 else []
    before = question[: question.index(lists[-1])] if choices and lists else question
    if not before or not isinstance(before[-1], nodes.paragraph):
        _warn("the question of an exercise ends with a paragraph", node)
        return
    made = group("", ask("", "", *before[-1].children))
    if choices:
        items = list(lists[-1]) if lists else [nodes.paragraph("", name) for name in choices]
        if len(items) != len(choices):
            _warn(f"{len(items)} options are listed, but the cell has {choices}", node)
            return
        for name, item in zip(choices, items, strict=True):
            inner = [child for part in item for child in part.children] if lists else item.children
            made += offer("", "", *inner, value=name)
    else:
        made += fields()
    place = node.index(before[-1])
    node.remove(before[-1])
    if choices and lists:
        node.remove(lists[-1])
    node.insert(place, made)


def name_them(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Before a page is written: number its exercises by its chapter."""
    chapter = number_of(app.env, docname)
    for node in doctree.findall(exercise):
        number = f"{chapter}.{node['number']}".lstrip(".")
        title = f". {node['title']}" if node["title"] else ""
        head = node.next_node(heading)
        head.clear()
        head += nodes.Text(f"Exercise {number}{title}")


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    app.setup_extension("autograd_book.directives.lesson")
    register(app)
    app.add_directive("exercise", ExerciseDirective)
    app.add_directive("hint", FoldDirective, override=True)
    app.add_directive("answer", FoldDirective)
    app.connect("doctree-read", complete, priority=200)
    app.connect("doctree-resolved", name_them)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
