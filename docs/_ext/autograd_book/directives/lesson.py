"""The parts of a chapter that are more than text: its claim, the prediction it asks for, asides.

Each is a node that HTML shows as the book's page does and every other builder
shows as plain paragraphs; :mod:`autograd_book.directives.questions` reads predictions.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

LIMITS = "where-this-stops-holding"


class claim(nodes.General, nodes.Element):
    """The one sentence that the chapter is about."""


class aside(nodes.General, nodes.Element):
    """A note in the margin."""


class prediction(nodes.General, nodes.Element):
    """A question that the reader answers before reading on."""


class question(nodes.General, nodes.TextElement):
    """The last paragraph before the options."""


class choice(nodes.General, nodes.TextElement):
    """One answer to choose."""


class ClaimDirective(SphinxDirective):
    """``{claim}``: one sentence that could be false."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        node = claim("", *self.parse_content_to_nodes())
        self.set_source_info(node)
        return [node]


class AsideDirective(SphinxDirective):
    """``{aside}``: at most 40 words, placed before the paragraph that they serve."""

    has_content = True
    words_allowed = 40

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        node = aside("", *self.parse_content_to_nodes())
        self.set_source_info(node)
        words = len(node.astext().split())
        if words > self.words_allowed:
            msg = f"This aside has {words} words; a margin holds {self.words_allowed}."
            raise self.error(msg + " Shorten it, or make it a paragraph.")
        return [node]


def frame_limits(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the section that says where the claim stops holding: it has the page's only frame."""
    for section in doctree.findall(nodes.section):
        if LIMITS in section["ids"]:
            section["classes"].append("limits")


def visit_claim(self, node: claim) -> None:
    self.body.append('<div class="claim">')


def visit_aside(self, node: aside) -> None:
    self.body.append('<div class="margin" role="note">')


def close(self, node: nodes.Element) -> None:
    self.body.append("</div>\n")


def visit_prediction(self, node: prediction) -> None:
    name = f"prediction-{node['number']}"
    self.body.append(f'<form class="ask prediction" aria-labelledby="{name}">\n')


def depart_prediction(self, node: prediction) -> None:
    self.body.append("</form>\n")


def visit_question(self, node: question) -> None:
    name = f"prediction-{node.parent['number']}"
    self.body.append(f'<fieldset><legend id="{name}">')


def depart_question(self, node: question) -> None:
    self.body.append("</legend>\n")


def visit_choice(self, node: choice) -> None:
    name = f"prediction-{node.parent['number']}"
    self.body.append(f'<label><input type="radio" name="{name}"><span>')


def depart_choice(self, node: choice) -> None:
    self.body.append("</span></label>\n")
    following = node.next_node(condition=choice, siblings=True, descend=False)
    if following is None:
        self.body.append("</fieldset>\n")


def plain_block(tag: str):
    """Return visitors that write an ordinary paragraph, for an e-book."""

    def visit(self, node: nodes.Element) -> None:
        self.body.append(f"<{tag}>")

    def depart(self, node: nodes.Element) -> None:
        self.body.append(f"</{tag}>\n")

    return visit, depart


def visit_text_paragraph(self, node: nodes.Element) -> None:
    self.visit_paragraph(node)


def depart_text_paragraph(self, node: nodes.Element) -> None:
    self.depart_paragraph(node)


def nothing(self, node: nodes.Element) -> None:
    """A block whose children say all."""


def setup(app: Sphinx) -> dict[str, bool]:
    block = (nothing, nothing)
    paragraph = (visit_text_paragraph, depart_text_paragraph)
    for node, html, epub, text in (
        (claim, (visit_claim, close), (visit_claim, close), block),
        (aside, (visit_aside, close), (visit_aside, close), block),
        (prediction, (visit_prediction, depart_prediction), plain_block("div"), block),
        (question, (visit_question, depart_question), plain_block("p"), paragraph),
        (choice, (visit_choice, depart_choice), plain_block("p"), paragraph),
    ):
        plain = dict.fromkeys(("text", "latex", "man", "texinfo"), text)
        app.add_node(node, html=html, epub=epub, **plain)
    app.add_directive("claim", ClaimDirective)
    app.add_directive("aside", AsideDirective)
    app.connect("doctree-read", frame_limits)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
