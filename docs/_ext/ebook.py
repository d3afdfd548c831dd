"""What the e-book does differently: its own templates, valid XHTML, and a list of what it uses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

STYLES = {"epub.css"}
USES = {"mathml": "<math", "svg": "<svg"}


def prepare(app: Sphinx) -> None:
    """Leave the page's templates out, and write what has no form of its own as HTML."""
    if app.builder.name != "epub":
        return
    app.config.templates_path = []
    app.builder.init_templates()
    handlers = app.registry.translation_handlers
    handlers["epub"] = {**handlers.get("html", {}), **handlers.get("epub", {})}
    # The pickles of the build lie in the same folder, and are no part of the book.
    app.config.suppress_warnings = [*app.config.suppress_warnings, "epub.unknown_project_files"]
    plain = app.builder.build_content

    def build_content() -> None:
        prune(Path(app.outdir) / "_static")
        plain()
        declare(Path(app.outdir))

    app.builder.build_content = build_content


def prune(static: Path) -> None:
    """Delete styles and scripts that no page of the e-book names."""
    for path in static.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in STYLES:
            path.unlink()


def declare(folder: Path) -> None:
    """Say in the list of contents which pages hold formulas and drawings, as EPUB 3 asks."""

    def item(found: re.Match[str]) -> str:
        page = (folder / found[1]).read_text("utf-8")
        uses = [name for name, tag in USES.items() if tag in page]
        return f'{found[0]} properties="{" ".join(uses)}"' if uses else found[0]

    path = folder / "content.opf"
    pages = r'<item id="[^"]*" href="([^"]+\.xhtml)" media-type="[^"]*"(?= />)'
    path.write_text(re.sub(pages, item, path.read_text("utf-8")), "utf-8")


def valid(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Name the language of formulas, and put no paragraph where only words may stand."""
    if app.builder.name != "epub":
        return
    body = context.get("body", "")
    body = body.replace("<math", '<math xmlns="http://www.w3.org/1998/Math/MathML"')
    body = re.sub(r"<summary([^>]*)>(.*?)</summary>", _inline, body, flags=re.DOTALL)
    context["body"] = body
    context["css_files"] = [f"_static/{name}" for name in sorted(STYLES)]


def _inline(found: re.Match[str]) -> str:
    words = re.sub(r"<p\b([^>]*)>", r"<span\1>", found[2]).replace("</p>", "</span>")
    return f"<summary{found[1]}>{words}</summary>"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", prepare)
    app.connect("html-page-context", valid, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
