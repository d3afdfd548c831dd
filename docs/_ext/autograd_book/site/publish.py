"""What a published book has besides its pages: 404, sitemap, card, llms.txt, links to its source.

Addresses are only written where they are known; see ``places``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from sphinx.application import Sphinx

from autograd_book.chapters import book
from autograd_book.directives.lesson import claim
from autograd_book.html.page import Link
from autograd_book.site.card import card

UNLISTED = {"404", "search", "genindex"}


def pages(app: Sphinx) -> list[tuple[str, str, dict[str, Any]]]:
    """Add the page for an address that does not exist."""
    return [("404", {}, "404.html")] if app.builder.name == "html" else []


def paths(app: Sphinx, name: str, relative: Callable[..., str]) -> Callable[..., str]:
    """Return what gives a page its links: those of the 404 page hold at any depth."""
    address = app.config.html_baseurl
    if name != "404" or not address:
        return relative
    base = urlsplit(address).path
    return lambda *to: base + relative(*to).removeprefix("#")


def downloads(app: Sphinx, name: str) -> list[Link]:
    """Return the book's other forms, which the host puts beside its pages, for the front page."""
    kinds = app.config.book_downloads if name == app.config.root_doc else ()
    return [Link(f"The book as {kind.upper()}", f"autograd-by-hand.{kind}") for kind in kinds]


def links(app: Sphinx, name: str) -> list[Link]:
    """Return where a page can be mended, if its source is somewhere on the web."""
    found = app.book_repository
    if not found or name not in app.env.found_docs:
        return []
    path = f"docs/{Path(app.env.doc2path(name)).relative_to(app.srcdir).as_posix()}"
    edit = f"{found.address}/edit/{app.config.book_branch}/{path}"
    report = f"{found.address}/issues/new?title={quote(name + ': ')}"
    return [Link("Edit this page", edit), Link("Report an error", report)]


def finish(app: Sphinx) -> None:
    """Write the files that name all pages."""
    out, address = Path(app.outdir), app.config.html_baseurl or ""
    (out / "llms.txt").write_text(llms(app, address), encoding="utf-8")
    (out / ".nojekyll").touch()
    if address:
        (out / "sitemap.xml").write_text(sitemap(app, address), encoding="utf-8")
        (out / "robots.txt").write_text(f"User-agent: *\nSitemap: {address}sitemap.xml\n")
        promise = claim_of(app, app.config.root_doc)
        (out / "_static" / "card.png").write_bytes(card(app.config.html_title, promise))


def sitemap(app: Sphinx, address: str) -> str:
    """Return the list of pages for search engines, in the order of their names."""
    names = sorted(app.env.found_docs - UNLISTED)
    root = app.config.root_doc
    urls = [address if name == root else f"{address}{name}.html" for name in names]
    rows = "".join(f"<url><loc>{url}</loc></url>\n" for url in urls)
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return f'{head}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'


def llms(app: Sphinx, address: str) -> str:
    """Return the contents of the book for programs that read: each chapter with its claim."""
    lines = [f"# {app.config.html_title}", "", f"> {claim_of(app, app.config.root_doc)}"]
    for part in book(app.env):
        lines += ["", f"## {part.title or 'Pages'}", ""]
        for chapter in part.chapters:
            number = f"{chapter.number}. " if chapter.number else ""
            said = claim_of(app, chapter.name)
            said = f": {said}" if said else ""
            lines.append(f"- [{number}{chapter.title}]({address}{chapter.name}.html){said}")
    return "\n".join(lines) + "\n"


def claim_of(app: Sphinx, name: str) -> str:
    """Return the one sentence that a page is about, or nothing."""
    found = app.env.get_doctree(name).next_node(claim)
    return " ".join(found.astext().split()) if found else ""


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("autograd_book.site.places")
    app.add_config_value("book_branch", "main", "html")
    app.add_config_value("book_downloads", [], "html")
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
