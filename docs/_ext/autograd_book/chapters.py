"""The list of chapters, numbered through the whole book, not from 1 in each part.

Sphinx starts again at 1 for every numbered ``toctree``. Our front page has one
for each part, so while numbers are given out they are read as one list.
"""

from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
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


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the book; ``title`` is empty for pages that belong to none."""

    title: str
    chapters: tuple[Chapter, ...]


def book(env: BuildEnvironment) -> tuple[Part, ...]:
    """Return the parts of the book in order; once pages are written, they are known by heart."""
    known: tuple[Part, ...] | None = getattr(env, "book_parts", None)
    return _parts(env) if known is None else known


def in_order(env: BuildEnvironment) -> list[Chapter]:
    """Return the chapters in the order of the book."""
    return [chapter for part in book(env) for chapter in part.chapters]


def _parts(env: BuildEnvironment) -> tuple[Part, ...]:
    trees = env.get_doctree(env.config.root_doc).findall(addnodes.toctree)
    return tuple(_part(env, tree) for tree in trees)


def _part(env: BuildEnvironment, tree: addnodes.toctree) -> Part:
    title, names = tree.get("caption") or "", [name for _, name in tree["entries"]]
    known = (name for name in names if name in env.titles)
    return Part(
        title, tuple(Chapter(n, env.titles[n].astext(), number_of(env, n), title) for n in known)
    )


def remember(app: Sphinx, _builder: Builder) -> None:
    """Before pages are written: nothing changes the list any more, and every page shows it."""
    app.env.book_parts = _parts(app.env)


def number_of(env: BuildEnvironment, name: str) -> str:
    """Return a page's number in the book, or nothing."""
    return ".".join(map(str, env.titles[name].get("secnumber") or ()))


def setup(app: Sphinx) -> dict[str, bool]:
    TocTreeCollector.assign_section_numbers = assign
    app.connect("write-started", remember)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
