"""Predictions, why-questions and exercises: one block each, which answers the reader.

Without a script a browser shows what belongs to the option that is chosen, and a
text field checks itself by its pattern; with the script each named wrong answer of
an exercise gets its own hint.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from autograd_book.chapters import number_of
from autograd_book.directives import lesson
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
from autograd_book.inline import blocks
from autograd_book.inline.blocks import Block, BlockError
from autograd_book.inline.roles import NO_RUN, asked, value

log = logging.getLogger(__name__)
MARKS = {True: "✓ ", False: "≠ "}


class reply(nodes.General, nodes.TextElement):
    """What a reader is told who chooses an option; ``right`` says whether it is the answer."""


class Question(SphinxDirective):
    """What the blocks share: they are read by :func:`autograd_book.inline.blocks.read`."""

    required_arguments = 1
    has_content = True
    option_spec = None  # the block reads its own: some stand more than once

    def read(self) -> Block:
        """Return the block; an error of the page if it is not written as it should be."""
        self.assert_has_content()
        try:
            return blocks.read(list(self.content))
        except BlockError as error:
            raise self.wrong(error) from None

    def wrong(self, error: BlockError | str) -> Any:
        """Return the error of a block, with its key."""
        return self.error(f"{{{self.name}}} {self.arguments[0]}: {error}.")

    def paragraphs(self, block: Block) -> list[nodes.Node]:
        """Return the question; its last paragraph is what the answers belong to."""
        found = self.parse_text_to_nodes("\n".join(block.question), offset=self.content_offset)
        if not found or not isinstance(found[-1], nodes.paragraph):
            raise self.wrong("the question ends with a paragraph")
        return found

    def words(self, text: str) -> list[nodes.Node]:
        """Return Markdown of one paragraph as what stands in a line."""
        found = self.parse_text_to_nodes(text, offset=self.content_offset)
        return [child for part in found for child in part.children]


class PredictionDirective(Question):
    """``{prediction} key`` and ``{why} key``: a question and options that answer back."""

    def run(self) -> list[nodes.Node]:
        block = self.read()
        if block.once or block.wrong or block.hints:
            raise self.wrong("it has options like an exercise; it takes '- option | reply' alone")
        if sum(option.right for option in block.options) != 1:
            raise self.wrong("exactly one of its options says 'yes'")
        before = self.paragraphs(block)
        number = self.env.new_serialno("prediction") + 1
        node = lesson.prediction("", number=number, key=self.arguments[0], kind=self.name)
        self.set_source_info(node)
        node += before[:-1]
        node += lesson.question("", "", *before[-1].children)
        for option in block.options:
            said = option.reply or "Yes."
            node += lesson.choice(
                "", "", *self.words(option.text),
                reply("", "", *self.words(said), right=option.right),
            )  # fmt: skip
        return [node]


class ExerciseDirective(Question):
    """``{exercise} key``: a question, its answer, wrong answers with their hints."""

    def run(self) -> list[nodes.Node]:
        key, block = self.arguments[0], self.read()
        try:
            blocks.exercise(key, block)
        except BlockError as error:
            raise self.wrong(error) from None
        record = self._record(key)
        if record is None:  # that was said; the question alone is shown
            return self.paragraphs(block)
        minutes = block.once.get("minutes", "")
        number = self.env.new_serialno("exercise") + 1
        node = exercise("", key=key, title=block.once.get("title", ""), record=record,
                        number=number, minutes=minutes)  # fmt: skip
        node["ids"].append(nodes.make_id(f"exercise-{key}"))
        self.set_source_info(node)
        before = self.paragraphs(block)
        node += [heading(), *before[:-1]]
        asking = group("", ask("", "", *before[-1].children))
        asking += self._offers(block, record) if block.options else fields()
        node += asking
        node += [self._fold("Hint", self.words(text)) for text, _ in block.hints]
        node += self._fold("Answer", self._answer(block, record))
        self.state.document.note_explicit_target(node)
        return [node]

    def _record(self, key: str) -> dict[str, Any] | None:
        """Return what the run made of the exercise; say what is wrong with it."""
        page = asked(self.env)
        unasked = "stands before the first cell, or below one that failed" if page.run else NO_RUN
        said = page.answers.get(key, {"fault": unasked})
        if "fault" in said:
            log.warning(
                f"exercise {key!r} {said['fault']}",
                location=(self.env.docname, self.lineno),
                type="book",
                subtype="exercise",
            )
        found: dict[str, Any] | None = said.get("record")
        return found

    def _offers(self, block: Block, record: dict[str, Any]) -> list[nodes.Node]:
        return [
            offer("", "", *self.words(option.text), value=letter)
            for letter, option in zip(record["choices"], block.options, strict=True)
        ]

    def _answer(self, block: Block, record: dict[str, Any]) -> list[nodes.Node]:
        """Return the answer itself, and why it is right."""
        if block.answer is None:
            right = next(option for option in block.options if option.right)
            why = [nodes.Text(": "), *self.words(right.reply)] if right.reply else []
            return [*self.words(right.text), *why]
        shown = ", ".join(
            f"{one['name']} {text}".strip()
            for one, text in zip(record["fields"], record["answer"], strict=True)
        )
        unit = f" {record['unit']}" if record["unit"] else ""
        text = f"{shown.replace('-', '−')}{unit}"
        return [value(text, text, number=0), nodes.Text(". "), *self.words(block.answer.words)]

    def _fold(self, kind: str, words: list[nodes.Node]) -> fold:
        return fold("", summary("", kind), nodes.paragraph("", "", *words), kind=kind)


class NowDirective(SphinxDirective):
    """``{now}``: what the reader can do at the end of a chapter."""

    has_content = True
    option_spec = {"class": directives.class_option}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        node = nodes.container("", *self.parse_content_to_nodes(), classes=["now"])
        self.set_source_info(node)
        return [node]


def name_exercises(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Before a page is written: number its exercises by its chapter."""
    chapter = number_of(app.env, docname)
    for node in doctree.findall(exercise):
        number = f"{chapter}.{node['number']}".lstrip(".")
        title = f". {node['title']}" if node["title"] else ""
        head = node.next_node(heading)
        head.clear()
        head += nodes.Text(f"Exercise {number}{title}")


def visit_reply(self: Any, node: reply) -> None:
    self.body.append(f' <span class="why">{MARKS[node["right"]]}')


def depart_reply(self: Any, node: reply) -> None:
    self.body.append("</span>")


def visit_reply_plain(self: Any, node: reply) -> None:
    self.body.append(f" ({MARKS[node['right']]}")


def depart_reply_plain(self: Any, node: reply) -> None:
    self.body.append(")")


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.directives.lesson")
    register(app)
    plain = dict.fromkeys(("text", "latex", "man", "texinfo"), (lesson.nothing, lesson.nothing))
    app.add_node(
        reply,
        html=(visit_reply, depart_reply),
        epub=(visit_reply_plain, depart_reply_plain),
        **plain,
    )
    app.add_directive("prediction", PredictionDirective)
    app.add_directive("why", PredictionDirective)
    app.add_directive("exercise", ExerciseDirective)
    app.add_directive("now", NowDirective)
    app.connect("doctree-resolved", name_exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
