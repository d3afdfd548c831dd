"""What the e-book does differently: its own page templates, and the pages' way to write nodes."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def prepare(app: Sphinx) -> None:
    """Leave the page's templates out, and write what has no form of its own as HTML."""
    if app.builder.name != "epub":
        return
    app.config.templates_path = []
    app.builder.init_templates()
    handlers = app.registry.translation_handlers
    handlers["epub"] = {**handlers.get("html", {}), **handlers.get("epub", {})}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
