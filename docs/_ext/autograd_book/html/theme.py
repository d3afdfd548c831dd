"""The theme's translator: what else is ours of sphinx-book-theme's pages is in ``_theme/book``."""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.builders import Builder

from autograd_book.html.translator import BookTranslator


def use_translator(app: Sphinx, builder: Builder) -> None:
    """Before pages are written: take our translator, not the one that the base theme has set."""
    if builder.name == "html":
        app.set_translator(builder.name, BookTranslator, override=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("write-started", use_translator)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
