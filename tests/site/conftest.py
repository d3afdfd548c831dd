"""One built book, one loopback server, one Chromium for all tests of the pages.

``BOOK_SITE`` names another built book to test; ``BOOK_REQUIRE_BROWSER=1`` turns
a missing Chromium into a failure; ``BOOK_WRITE_FIGURES=1`` writes down what was
measured, for the colophon.
"""

import gzip
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITE = DOCS / "_build" / "html"
FIGURES = DOCS / "back" / "site-figures.json"
TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript",
    ".woff2": "font/woff2", ".svg": "image/svg+xml", ".json": "application/json",
    ".png": "image/png", ".ipynb": "application/json", ".txt": "text/plain",
    ".xml": "application/xml", ".pdf": "application/pdf", ".epub": "application/epub+zip",
}  # fmt: skip


def is_fresh(site: Path) -> bool:
    """Tell whether a built book is younger than everything it is made from."""
    stamp = site / "searchindex.js"
    if not stamp.exists():
        return False
    skipped = {"_build", ".cache", "__pycache__"}
    sources = [
        path
        for folder in (DOCS, ROOT / "src")
        for path in folder.rglob("*")
        if path.is_file()
        and not skipped & set(path.relative_to(ROOT).parts)
        and path.suffix != ".json"
    ]
    built = max((site / ".doctrees" / "environment.pickle").stat().st_mtime, stamp.stat().st_mtime)
    return built >= max(path.stat().st_mtime for path in sources)


def make(source: Path, site: Path, *more: str) -> None:
    """Build a book; any warning fails, and the report says which."""
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run([*command, *more, str(source), str(site)], capture_output=True, text=True)
    assert done.returncode == 0, f"The book does not build:\n{done.stdout}\n{done.stderr}"


@dataclass
class Book:
    """The folder of a built book, and where it is served."""

    folder: Path
    address: str = ""
    pages: list[str] = field(init=False)

    def __post_init__(self) -> None:
        found = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.html"))
        self.pages = [page for page in found if not page.startswith(("_static", "_modules"))]

    @cached_property
    def chapters(self) -> list[str]:
        """The numbered pages."""
        return [p for p in self.pages if "· Chapter" in (self.folder / p).read_text("utf-8")]

    def url(self, page: str) -> str:
        return f"{self.address}/{page}"

    def file(self, page: str) -> str:
        return (self.folder / page).as_uri()

    def source(self, page: str) -> str:
        return (self.folder / page).read_text("utf-8")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one folder as a host would: compressed, cacheable, no surprises."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        path = self.folder / unquote(urlsplit(self.path).path).lstrip("/")
        path = path / "index.html" if path.is_dir() else path
        kind = TYPES.get(path.suffix)
        if kind is None or not path.is_file():
            self.send_error(404)
            return
        body, packed = path.read_bytes(), path.suffix not in (".woff2", ".png")
        body = gzip.compress(body, 6, mtime=0) if packed else body
        self.send_response_only(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a failed request is counted by the tests."""


@pytest.fixture(scope="session")
def build():
    """Builds a book: ``build(source, site, *options)``."""
    return make


@pytest.fixture(scope="session")
def serve():
    """Serves a built book on loopback: ``serve(folder)`` returns it with its address."""
    servers = []

    def start(folder: Path) -> Book:
        handler = type("BookHandler", (Handler,), {"folder": folder})
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return Book(folder, f"http://127.0.0.1:{servers[-1].server_address[1]}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def book(serve):
    """The built book; built first unless it is younger than its sources."""
    given = os.environ.get("BOOK_SITE")
    folder = Path(given) if given else SITE
    if not given and not is_fresh(folder):
        make(DOCS, folder)
    return serve(folder)


@pytest.fixture(scope="session")
def axe():
    """axe-core, the checker of accessibility, from its package."""
    import axe_playwright_python

    folder = Path(axe_playwright_python.__file__).parent
    return next(folder.rglob("axe.min.js")).read_text("utf-8")


@pytest.fixture(scope="session")
def exercises(book):
    """What the build knows of the exercises, of each page that has some."""
    environment = pickle.loads((book.folder / ".doctrees" / "environment.pickle").read_bytes())
    pages = environment.book_pages
    found = {f"{name}.html": page.exercises for name, page in pages.items() if page.exercises}
    assert found, f"No exercise was found in {book.folder}"
    return found


@pytest.fixture(scope="session")
def note_figures():
    """Takes figures for the colophon, and returns what its file says of all of them."""

    def note(seen: dict[str, Any]) -> dict[str, Any]:
        told = json.loads(FIGURES.read_text("utf-8"))
        if os.environ.get("BOOK_WRITE_FIGURES") == "1":
            told |= seen
            FIGURES.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        return told

    return note
