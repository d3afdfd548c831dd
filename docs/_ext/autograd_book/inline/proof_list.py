"""How guarded phrases and the list of a page's proofs are written."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from autograd_book.inline.numbers import typeset
from autograd_book.inline.proofs import held, proof_list
from autograd_book.inline.roles import Proof

TITLE = "What is proven on this page"
LEAD = "Each of these phrases was put to the run of this page as the expression below it."


def visit_held(self: Any, node: held) -> None:
    self.body.append(f'<span class="held" data-proof="{node["number"]}">')


def depart_held(self: Any, node: held) -> None:
    self.body.append("</span>")


def visit_list(self: Any, node: proof_list) -> None:
    proofs: tuple[Proof, ...] = node["proofs"]
    self.body.append(f'<details class="proofs"><summary>{TITLE}</summary>\n<p>{LEAD}</p>\n<ol>\n')
    self.body.extend(map(_item, proofs))
    self.body.append("</ol>\n</details>\n")
    raise nodes.SkipNode


def _item(proof: Proof) -> str:
    gave = ", ".join(f"{code} = {said}" for code, said in proof.gave)
    gave = f'<span class="gave">{escape(typeset(gave))}</span>' if gave else ""
    return (
        f'<li data-proof="{proof.number}"><q>{escape(proof.phrase)}</q>'
        f"<code>{escape(proof.code)}</code>{gave}</li>\n"
    )


def visit_plain(self: Any, node: proof_list) -> None:
    """Leave the list out where a page is not a web page."""
    raise nodes.SkipNode


def nothing(self: Any, node: nodes.Node) -> None:
    """A part whose children say all."""


def setup(app: Sphinx) -> dict[str, Any]:
    plain = dict.fromkeys(("text", "latex", "man", "texinfo"), (nothing, nothing))
    skipped = dict.fromkeys(("text", "latex", "man", "texinfo"), (visit_plain, nothing))
    app.add_node(held, html=(visit_held, depart_held), epub=(nothing, nothing), **plain)
    app.add_node(proof_list, html=(visit_list, nothing), epub=(visit_list, nothing), **skipped)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
