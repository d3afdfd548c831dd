"""The list of chapters, numbered through the whole book, not from 1 in each part.

Sphinx starts again at 1 for every numbered ``toctree``. Our front page has one
for each part, so while numbers are given out they are read as one list.
"""

from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector

plain_assign = TocTreeCollector.assign_section_numbers


@dataclass(frozen=True, slots=True)
class Chapter:
    """One entry of the contents: ``number`` is empty for a page that is not numbered."""

    name: str
    title: str
    number: str
    part: str


def one_list(doctree: nodes.document) -> nodes.document:
    """Move the entries of all numbered toctrees of a page to the first; number chapters alone."""
    numbered = [tree for tree in doctree.findall(addnodes.toctree) if tree.get("numbered", 0)]
    if numbered:
        numbered[0]["numbered"] = 1
    for tree in numbered[1:]:
        numbered[0]["entries"] += tree["entries"]
        tree["entries"] = []
    return doctree


def assign(self: TocTreeCollector, env: BuildEnvironment) -> list[str]:
    """Give out section numbers with the parts of a page read as one list."""
    stored = env.get_doctree
    env.get_doctree = lambda name: one_list(stored(name))
    try:
        return plain_assign(self, env)
    finally:
        del env.get_doctree


def contents(env: BuildEnvironment, root: str) -> list[tuple[str, list[Chapter]]]:
    """Return the parts of the book in order, each with its chapters."""
    parts = []
    for tree in env.get_doctree(root).findall(addnodes.toctree):
        part = tree.get("caption") or ""
        entries = [ref for _, ref in tree["entries"] if ref in env.titles]
        parts.append((part, [_chapter(env, ref, part) for ref in entries]))
    return parts


def _chapter(env: BuildEnvironment, name: str, part: str) -> Chapter:
    return Chapter(name, env.titles[name].astext(), number_of(env, name), part)


def number_of(env: BuildEnvironment, name: str) -> str:
    """Return a page's number in the book, or nothing."""
    return ".".join(map(str, env.titles[name].get("secnumber") or ()))


def setup(app: Sphinx) -> dict[str, bool]:
    TocTreeCollector.assign_section_numbers = assign
    return {"parallel_read_safe": True, "parallel_write_safe": True}
