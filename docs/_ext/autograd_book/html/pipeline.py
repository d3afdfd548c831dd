"""How a page becomes HTML, from the first step to the last.

Sphinx reads a page; the translator writes its body; then, here and nowhere else:

1. ``around``: a page's surroundings are gathered from the book, its run and its place;
2. ``finish_page``: they are given to the templates, and the body goes through ``FINISHING``;
3. ``SITE``: when all pages lie there, each step completes the whole site.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docutils import nodes
from rjsmin import jsmin
from sphinx.application import Sphinx

from autograd_book import chapters
from autograd_book.directives import provenance
from autograd_book.formats import notebooks
from autograd_book.html import fonts, page, policy
from autograd_book.html.page import Surroundings
from autograd_book.site import publish


def around(app: Sphinx, name: str, doctree: nodes.document | None) -> Surroundings:
    """Return what stands around the body of a page."""
    parts, root = chapters.book(app.env), app.config.root_doc
    before, after = page.neighbours(parts, name, root)
    address = app.config.html_baseurl or ""
    return Surroundings(
        parts=parts,
        here=next((c for part in parts for c in part.chapters if c.name == name), None),
        before=before,
        after=after,
        description=page.description(doctree),
        scripts=page.scripts(doctree),
        made=provenance.made(app, name),
        links=(
            *publish.downloads(app, name),
            *(notebooks.links(app, name) if doctree is not None else ()),
            *publish.links(app, name),
        ),
        card=f"{address}_static/card.png" if address else "",
        favicon=page.favicon(),
        digest=page.digest(),
    )


def finish_page(
    app: Sphinx, name: str, _template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give the templates what stands around a page, and finish its body."""
    book = context["book"] = around(app, name, doctree)
    context["pathto"] = publish.paths(app, name, context["pathto"])
    place = app.builder.templates.render("place.html", {"here": book.here}) if book.here else ""
    written = context.get("body", "")
    contents = page.on_this_page(app, name, written.count('<span class="held"'))
    body = page.put_opening(written, place, contents)
    for finish in page.FINISHING:
        body = finish(body)
    context["body"] = body


def keep_own_files(app: Sphinx) -> None:
    """Write style sheet and scripts, and delete the themes' files that no page asks for."""
    static = Path(app.outdir) / "_static"
    (static / "book.css").write_text(page.sheet(), "utf-8")
    texts = (path.read_text("utf-8") for path in Path(app.outdir).rglob("*.html"))
    figures = {name for text in texts for name in page.LIVE.findall(text)}
    for name in figures:
        (static / name).write_text(page.live_script(name), "utf-8")
    wanted = page.own_files() | figures | {"fonts"}
    for script in static.glob("*.js"):
        if script.name in wanted:
            script.write_text(jsmin(script.read_text("utf-8")) + "\n", "utf-8")
    for path in static.iterdir():
        if path.name in wanted:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


SITE: tuple[Callable[[Sphinx], None], ...] = (
    keep_own_files,
    notebooks.finish,
    fonts.build,  # reads every page: which characters does it show?
    publish.finish,
    policy.seal,  # names every inline script by its hash, so nothing may come after
)


def finish_site(app: Sphinx, error: Exception | None) -> None:
    """Complete the site when all its pages lie there."""
    if error is None:
        for finish in SITE:
            finish(app)


def begin(app: Sphinx) -> None:
    """When the builder is there, its theme is loaded, with the ones it inherits: we come last."""
    if app.builder.name == "html":
        app.connect("html-page-context", finish_page)
        app.connect("build-finished", finish_site)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", begin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
