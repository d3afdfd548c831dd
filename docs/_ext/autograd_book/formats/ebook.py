"""What the e-book does differently: its own templates, valid XHTML, and a list of what it uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from sphinx.application import Sphinx

STYLES = {"epub.css"}
FIRST = 315_532_800  # 1980, where the time of zip archives begins
USES = {"mathml": "<math", "svg": "<svg"}


def prepare(app: Sphinx) -> None:
    """Write what has no form of its own as HTML, and see what is packed."""
    if app.builder.name != "epub":
        return
    handlers = app.registry.translation_handlers
    handlers["epub"] = {**handlers.get("html", {}), **handlers.get("epub", {})}
    # The pickles of the build lie in the same folder, and are no part of the book.
    app.config.suppress_warnings = [*app.config.suppress_warnings, "epub.unknown_project_files"]
    plain, packed = app.builder.build_content, app.builder.build_epub
    book = Path(app.outdir) / f"{app.config.epub_basename}.epub"

    def build_content() -> None:
        prune(Path(app.outdir) / "_static")
        os.environ["SOURCE_DATE_EPOCH"] = str(edition(Path(app.confdir)))  # Sphinx's date, too
        plain()
        declare(Path(app.outdir))

    def build_epub() -> None:
        packed()
        settle(book, edition(Path(app.confdir)))

    app.builder.build_content, app.builder.build_epub = build_content, build_epub


def edition(folder: Path) -> int:
    """Return the time of the sources: as the environment says it, or of their last commit.

    Where nobody knows, it is the first that an archive can hold, not the present.
    """
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        return max(FIRST, int(said))
    command = ["git", "-C", str(folder), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git
        done = ""
    return max(FIRST, int(done or 0))


def settle(book: Path, when: int) -> None:
    """Write an archive again without what only this machine knows: its clock and its modes."""
    with ZipFile(book) as old:
        parts = [(part, old.read(part)) for part in old.infolist()]
    with ZipFile(book, "w") as new:
        for part, data in parts:
            made = ZipInfo(part.filename, time.gmtime(when)[:6])
            made.compress_type, made.external_attr = part.compress_type, 0o644 << 16
            new.writestr(made, data)


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
    app.connect("html-page-context", valid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
