"""Names that nobody reads: a key, an option or a tag that is misspelled is a warning.

MyST-NB passes over them in silence, and the limit, the caption or the hiding that
they ask for is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from autograd_book.run import records

log = logging.getLogger(__name__)

PAGE = {"file_format", "kernelspec", "execution", "mystnb", "typed"}
READ = {"language_info", "source_map", "widgets"}  # keys that the run adds
EXECUTION = {"executor", "timeout", "allow_errors"}
CELL = {"tags", "mystnb", "raises", "raises-match"}
SHOWN = {"figure", "image", "text_lexer", "error_lexer", "markdown_format"}
FIGURE = {"caption", "caption_before", "name", "align", "classes"}
IMAGE = {"alt", "name", "align", "classes", "width", "height", "scale"}
TAGS = {
    *("remove-cell", "remove-input", "remove-output", "hide-cell", "hide-input", "hide-output"),
    *("remove_cell", "remove_input", "remove_output", "raises-exception", "skip-execution"),
}


def inspect(app: Sphinx, doctree: nodes.document) -> None:
    """After a page has been parsed: look for names that nothing reads."""
    env, name = app.env, app.env.docname
    notebook, page = records.executed(env, name), records.page(env, name)
    if notebook is None or page is None:
        return
    for text in unknown(notebook.metadata, "front matter", PAGE | READ, execution=EXECUTION):
        _warn(text, name)
    for cell in page.cells:
        metadata = notebook.cells[cell.index].metadata
        shown = metadata.get("mystnb", {})
        found = [
            *unknown(metadata, "cell", CELL),
            *unknown(shown, "cell's mystnb", SHOWN, figure=FIGURE, image=IMAGE),
            *unknown(dict.fromkeys(metadata.get("tags", [])), "cell's tags", TAGS),
        ]
        for text in found:
            _warn(f"cell {cell.number}: {text}", (name, cell.line))


def unknown(
    given: Mapping[str, Any], place: str, known: Iterable[str], **below: Iterable[str]
) -> Iterator[str]:
    """Yield what is wrong with the keys of a table, and of the tables in it.

    Example:
        >>> [*unknown({"run": {"timout": 9}}, "page", ["run"], run=["timeout"])]
        ["the page's run has 'timout', which nothing reads; did you mean 'timeout'?"]
    """
    for key in given:
        if key not in known:
            near = get_close_matches(key, sorted(known), 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; write {', '.join(sorted(known))}"
            yield f"the {place} has {key!r}, which nothing reads{hint}"
    for key, names in below.items():
        if isinstance(table := given.get(key), Mapping):
            yield from unknown(table, f"{place}'s {key}", names)


def _warn(text: str, location: Any) -> None:
    log.warning(text, location=location, type="book", subtype="unknown")


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("autograd_book.run.records")
    app.connect("doctree-read", inspect, priority=300)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
