"""The whole book as one PDF: ``python pdf.py SITE OUT`` prints a built site by Chromium.

All pages become one document, so that links between chapters stay links. It is
printed twice: the first time tells on which page each heading stands, the second
time the contents say so, and the bookmarks too.
"""

import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STYLE = """
@page { @bottom-center { content: counter(page); font: 9pt Book, serif; color: #444; } }
@page :first { @bottom-center { content: none; } }
.sheet { break-before: page; } .sheet:first-of-type { break-before: auto; }
.toc ul { list-style: none; padding: 0; margin: 0 0 6pt; } .toc ul ul { padding-left: 2.2em; }
.toc a { display: flex; justify-content: space-between; gap: 2em; text-decoration: none; }
.toc > ul > li > a { font-weight: 600; } .toc h2 { font-size: 1rem; margin: 14pt 0 4pt; }
.live, .prediction input, .toctree-wrapper { display: none; }
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of the site: its name, its part of the book, and what it shows."""

    name: str
    part: str
    number: str
    body: str

    @property
    def prefix(self) -> str:
        return re.sub(r"\W+", "-", self.name.removesuffix(".html")) + "--"

    @property
    def headings(self) -> list[tuple[int, str, str]]:
        """Level, id and words of the title and of each section."""
        found = re.findall(r"<h([12])>(.*?)</h\1>", self.body, re.DOTALL)
        ids = re.findall(r'<section[^>]*\bid="([^"]+)"', self.body)
        return [
            (int(level), name, words(text)) for (level, text), name in zip(found, ids, strict=False)
        ]


def words(html: str) -> str:
    """Return what is read of a piece of HTML."""
    html = re.sub(r"<annotation.*?</annotation>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def sheets(site: Path) -> list[Sheet]:
    """Return the pages in the order of the book, as the front page lists them."""
    front = (site / "index.html").read_text("utf-8")
    nav = front[front.index('<nav class="chapters"') :]
    found, part = [Sheet("index.html", "", "", _main(front))], ""
    rows = re.findall(r'<h2>(.*?)</h2>|<li><a href="([^"#]+)"[^>]*><span>(.*?)</span>', nav)
    for heading, name, number in rows:
        if heading:
            part = words(heading)
        elif name not in ("genindex.html", "#"):
            found.append(Sheet(name, part, number, _main((site / name).read_text("utf-8"))))
    return found


def _main(page: str) -> str:
    start = page.index(">", page.index("<main")) + 1
    end = page.find('<nav class="next"')
    return page[start : end if end > 0 else page.index("</main>")]


def joined(pages: list[Sheet], site: Path, at: dict[str, int]) -> str:
    """Return the book as one page; ``at`` tells on which sheet of paper a heading stands."""
    front = (site / "index.html").read_text("utf-8")
    head = front[: front.index("</head>")].replace("display:optional", "display:block")
    names = {page.name: page.prefix for page in pages}
    bodies = [f'<div class="sheet">{_own(page, names)}</div>' for page in pages]
    bodies.insert(1, f'<div class="sheet toc"><h1>Contents</h1>{_contents(pages, at)}</div>')
    return f"{head}<style>{STYLE}</style></head><body><main>{''.join(bodies)}</main></body></html>"


def _own(page: Sheet, names: dict[str, str]) -> str:
    """Give each id of a page the page's name, and let links find it."""

    def link(found: re.Match[str]) -> str:
        path, _, anchor = unescape(found[1]).partition("#")
        if ":" in path:
            return found[0]
        target = _resolve(page.name, path) if path else page.name
        if target not in names:
            return 'data-away=""'
        return f'href="#{names[target]}{anchor or "top"}"'

    body = re.sub(r'\bid="([^"]+)"', rf'id="{page.prefix}\1"', page.body)
    several = r'\b(aria-labelledby|aria-describedby|for|list)="([^"]+)"'
    body = re.sub(several, lambda m: f'{m[1]}="{_each(m[2], page.prefix)}"', body)
    body = re.sub(r"url\(#", f"url(#{page.prefix}", body)
    body = re.sub(r'\bhref="([^"]*)"', link, body)
    up = "../" * page.name.count("/")
    body = re.sub(rf'\bsrc="{re.escape(up)}', 'src="', body) if up else body
    return f'<span id="{page.prefix}top"></span>{body}'


def _each(names: str, prefix: str) -> str:
    return " ".join(prefix + name for name in names.split())


def _resolve(page: str, path: str) -> str:
    parts = [*page.split("/")[:-1]]
    for step in path.split("/"):
        parts = parts[:-1] if step == ".." else [*parts, step]
    return "/".join(parts)


def _contents(pages: list[Sheet], at: dict[str, int]) -> str:
    """Return the contents; sections that every chapter has need no line."""
    rows, part = [], ""
    titles = Counter(text for page in pages for _, _, text in page.headings)
    for page in pages[1:]:
        if page.part != part:
            part = page.part
            rows.append(f"<h2>{part}</h2>")
        entries = [
            (level, page.prefix + name, _numbered(page, level, text))
            for level, name, text in page.headings
            if level == 1 or titles[text] == 1
        ]
        lines = [
            f'<li class="level-{level}"><a href="#{name}"><span>{text}</span>'
            f"<span>{at.get(name, '')}</span></a></li>"
            for level, name, text in entries
        ]
        rows.append(
            f"<ul>{lines[0]}{'<ul>' + ''.join(lines[1:]) + '</ul>' if lines[1:] else ''}</ul>"
        )
    return "".join(rows)


def _numbered(page: Sheet, level: int, text: str) -> str:
    return f"{page.number}. {text}" if page.number and level == 1 else text


def write(site: Path, out: Path) -> int:
    """Print the book; return the number of its pages."""
    pages = sheets(site)
    sheet = site / "whole-book.html"
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit(f"No Chromium found (looked for {', '.join(PROGRAMS)}).")
    at: dict[str, int] = {}
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            for _ in range(2):
                sheet.write_text(joined(pages, site, at), encoding="utf-8")
                page = browser.new_page()
                page.goto(sheet.as_uri(), wait_until="load")
                page.evaluate("document.fonts.ready")
                page.pdf(path=out, prefer_css_page_size=True, tagged=True)
                page.close()
                at = _places(out)
            browser.close()
    finally:
        sheet.unlink(missing_ok=True)
    return _finish(pages, at, out)


def _places(path: Path) -> dict[str, int]:
    """Return the number of the sheet that each name in the document points to."""
    reader = PdfReader(path)
    places = reader.named_destinations
    return {
        name.removeprefix("/"): (reader.get_destination_page_number(place) or 0) + 1
        for name, place in places.items()
    }


def _finish(pages: list[Sheet], at: dict[str, int], out: Path) -> int:
    """Add the bookmarks, and leave out the hour: the same book is the same file."""
    writer = PdfWriter(clone_from=out)
    for page in pages[1:]:
        above = None
        for level, name, text in page.headings:
            here = at.get(page.prefix + name, 1) - 1
            under = above if level > 1 else None
            made = writer.add_outline_item(
                title=_numbered(page, level, text), page_number=here, parent=under
            )
            above = made if level == 1 else above
    writer.metadata = {"/Title": "Autograd by Hand", "/Creator": "Autograd by Hand"}
    writer.page_mode = "/UseOutlines"
    writer.write(out)
    return len(writer.pages)


if __name__ == "__main__":
    site, out = map(Path, sys.argv[1:])
    out.parent.mkdir(parents=True, exist_ok=True)
    print(f"{write(site, out)} pages in {out}")
