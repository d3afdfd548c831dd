"""Old addresses: ``book_moved`` in conf.py says where the page is now.

Whoever opens the old address is taken there, on any host and from a folder. A page
that is renamed gets an entry; an entry to nowhere, or on top of a page, stops the build.
"""

from html import escape
from os.path import relpath
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={link}">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p>This page is now at <a href="{link}">{title}</a>.</p>
</main>
</body>
</html>
"""


def check(app: Sphinx) -> None:
    """Before a page is written: stop at an entry that cannot be right."""
    for old, new in app.config.book_moved.items():
        if new not in app.env.found_docs:
            raise ExtensionError(f"book_moved sends {old} to {new}, and no page has that name.")
        if old in app.env.found_docs:
            raise ExtensionError(f"book_moved sends {old} away, but a page has that name.")


def write(app: Sphinx, error: Exception | None) -> None:
    """When the pages are complete: write one for each old address."""
    if error is not None or app.builder.name != "html":
        return
    for old, new in app.config.book_moved.items():
        path = Path(app.outdir, f"{old}.html")
        path.parent.mkdir(parents=True, exist_ok=True)
        link = relpath(app.builder.get_target_uri(new), Path(old).parent.as_posix())
        title = app.env.titles[new].astext()
        known = {"language": app.config.language, "link": link, "title": title}
        page = PAGE.format_map({name: escape(word) for name, word in known.items()})
        path.write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("book_moved", {}, "env", types=(dict,))
    app.connect("env-check-consistency", lambda app, env: check(app))
    app.connect("build-finished", write, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
