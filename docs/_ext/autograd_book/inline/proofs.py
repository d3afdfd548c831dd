"""The claims of a page: each at its phrase, in a list at the page's end, and to the book.

A false one is a warning, and so stops the build, with file, line, phrase, expression
and what its sides gave.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from autograd_book.inline.blocks import letters
from autograd_book.inline.roles import Asked, Proof, asked, guard

log = logging.getLogger(__name__)
SPAN = re.compile(r"holds-(\d+)$")
# The end of a sentence, or of a part of it that says something by itself.
BREAK = re.compile(r"[.!?:;…][”’\"')\]]*\s+(?=\S)|\s[–—]\s")


class held(nodes.General, nodes.Inline, nodes.TextElement):
    """A guarded phrase on the page; ``number`` is that of its claim, ``code`` what guards it."""


class proof_list(nodes.General, nodes.Element):
    """What guards the page's phrases, folded; ``proofs`` has them in order."""


def settle(app: Sphinx, doctree: nodes.document) -> None:
    """After a page has been parsed: put each claim round its phrase, and say what is wrong."""
    env, page = app.env, asked(app.env)
    for mark in [*doctree.findall(guard)]:
        enclose(mark)
    for span in [*doctree.findall(nodes.inline)]:
        for found in filter(None, map(SPAN.match, span["classes"])):
            span.replace_self(held("", "", *span.children, number=int(found[1])))
    for node in doctree.findall(held):
        node["code"] = page.marks[node["number"]].code if node["number"] in page.marks else ""
    phrases = {node["number"]: _words(node) for node in doctree.findall(held)}
    if not _failed(env):
        for place, message in faults(page, phrases):
            log.warning(message, location=(env.docname, place), type="book", subtype="proof")
    proofs = tuple(_proofs(page, phrases))
    page.proofs = proofs
    if proofs and doctree.next_node(nodes.section) is not None:
        doctree.next_node(nodes.section).append(proof_list("", proofs=proofs))


def _failed(env: BuildEnvironment) -> bool:
    """Say whether a cell of the page failed; that was said, and explains what is missing."""
    run = getattr(env, "nb_metadata", {}).get(env.docname, {}).get("exec_data")
    return bool(run) and not run["succeeded"]


def enclose(mark: guard) -> None:
    """Replace the place of a claim by its phrase: what stands before it, back to a break."""
    parent, end = mark.parent, mark.parent.index(mark)
    start = end
    while start > 0 and not isinstance(parent[start - 1], held):
        start -= 1
        before = parent[start]
        follows = start > 0 and isinstance(parent[start - 1], held)
        if isinstance(before, nodes.Text) and (cut := _cut(str(before), start == end - 1, follows)):
            pieces = [nodes.Text(part) for part in (before[:cut], before[cut:]) if part]
            parent[start : start + 1] = pieces
            start, end = start + 1, end + len(pieces) - 1
            break
    parent[start : end + 1] = [held("", "", *parent[start:end], number=mark["number"])]


def _cut(text: str, last: bool, follows: bool) -> int:
    """Return where the phrase begins in a text that stands before a claim; 0 for further left.

    Args:
        text: The text.
        last: Whether the claim stands right behind it: then what ends it ends the phrase.
        follows: Whether another phrase stands before it: then a comma ends that one.
    """
    ends = [found.end() for found in BREAK.finditer(text if last else f"{text}|")]
    if not ends and follows and (comma := re.match(r"[\s,]+", text)):
        return comma.end()
    return ends[-1] if ends else 0


def _words(node: nodes.Node) -> str:
    """Return what a phrase says, its formulas in letters."""
    texts = (
        letters(text) if isinstance(text.parent, nodes.math) else text.astext()
        for text in node.findall(nodes.Text)
    )
    return re.sub(r"\s+", " ", "".join(texts)).strip()


def faults(page: Asked, phrases: dict[int, str]) -> Iterator[tuple[int, str]]:
    """Yield the line and the message of each role that is not as it should be."""
    for mark in page.marks.values():
        what = f"{{{mark.kind}}}`{mark.code}`"
        if fault := page.fault(mark.number):
            yield mark.line, f"{what} {fault}"
            continue
        answer = page.answers[mark.number]
        if mark.kind == "holds" and not answer["held"]:
            sides = "".join(f"\n    {code} is {said}" for code, said in answer["gave"])
            phrase = phrases.get(mark.number, "")
            yield mark.line, f"“{phrase}” does not hold:\n    {mark.code}{sides}"
        elif phrases.get(mark.number) == "":
            yield mark.line, f"{what} guards no phrase; let it follow the words that it proves"


def _proofs(page: Asked, phrases: dict[int, str]) -> Iterator[Proof]:
    for number, phrase in phrases.items():
        if number in page.marks:
            mark, answer = page.marks[number], page.answers.get(number, {})
            gave = tuple((code, said) for code, said in answer.get("gave", []))
            yield Proof(number, phrase, mark.code, gave, mark.line)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", settle, priority=50)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
