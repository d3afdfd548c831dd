"""On paper: every line of code whole, everything open, nothing to click."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PDF = Path(__file__).parents[2] / "docs" / "_ext" / "autograd_book" / "formats" / "pdf.py"
CHROME = (
    "Skip to the text", "On this page", "Press Enter to check", "Search the book", "Hide the code",
    "Show the code",
)  # fmt: skip
A4 = {"width": 658, "height": 960}  # what the margins leave of a sheet, in pixels
CUT = """(width) => [...document.querySelectorAll("main *")]
    .map((e) => [e, e.getBoundingClientRect()])
    .filter(([e, r]) => r.width && (r.left < -0.5 || r.right > width + 0.5) && e.checkVisibility())
    .map(([e]) => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def printed(book, browser, tmp_path_factory):
    """The whole book on paper; ``browser`` skips this where there is none."""
    path = tmp_path_factory.mktemp("print") / "book.pdf"
    before = sorted(book.folder.iterdir())
    subprocess.run([sys.executable, str(PDF), str(book.folder), str(path)], check=True)
    assert sorted(book.folder.iterdir()) == before, "printing left a file in the site"
    return PdfReader(path)


@pytest.fixture(scope="module")
def paper(printed):
    """All text of the pages without its spaces, which a wrapped line of code changes."""
    return re.sub(r"\s", "", "".join(page.extract_text() for page in printed.pages))


def code_lines(source: str) -> list[str]:
    """Return every line of code on a page, as printed."""
    from html import unescape

    blocks = re.findall(r"<pre[^>]*>(.*?)</pre>", source, re.DOTALL)
    text = unescape(re.sub(r"<[^>]*>", "", "\n".join(blocks)))
    return [line for line in text.splitlines() if line.strip()]


def test_no_line_of_code_is_cut(book, paper):
    """Each line of code and output, of every page that is printed, is on paper from end to end."""
    kept = [name for name in book.pages if "/" in name]  # the search and the index are not printed
    lines = {(name, line) for name in kept for line in code_lines(book.source(name))}

    assert lines
    assert [at for at in sorted(lines) if re.sub(r"\s", "", at[1]) not in paper] == []


def test_what_is_folded_on_screen_is_open_on_paper(book, paper):
    """Hints and answers are there to be read."""
    answers = [
        re.sub(r"\s|<[^>]*>", "", text)
        for name in book.chapters
        for text in re.findall(
            r"<summary>(?:Hint|Answer)</summary>\s*<p>([\w ,.]{12,})", book.source(name)
        )
    ]

    assert answers
    assert [text for text in answers if text not in paper] == []


def test_every_figure_is_on_paper(book, paper):
    """Each word and number of the wide drawing of each figure of each chapter."""
    from html import unescape

    missing, seen = [], 0
    for name in book.chapters:
        for svg in re.findall(r"<svg\b.*?</svg>", book.source(name), re.DOTALL):
            words = re.findall(r"<text\b[^>]*>([^<]+)", svg) if "tall-only" not in svg else []
            texts = {re.sub(r"\s", "", unescape(text)) for text in words}
            missing += [(name, text) for text in sorted(texts) if text not in paper]
            seen += bool(texts)

    assert seen >= len(book.chapters)
    assert missing == []


def test_there_is_nothing_to_click(paper):
    """No navigation, no field, no control."""
    assert [words for words in CHROME if words.replace(" ", "") in paper] == []


def test_paper_cuts_nothing_and_shows_no_control(book, browser):
    """Nothing reaches beyond the sheet's margins, where Chromium cuts it, and no button is left."""
    page, wrong = browser.new_page(viewport=A4), []
    page.emulate_media(media="print")
    for name in {*book.pages} - {"search.html"}:
        page.goto(book.url(name))
        page.evaluate("document.fonts.ready.then(() => true)")
        wrong += [f"{name}: {what}" for what in page.evaluate(CUT, A4["width"])]
        left = page.locator("button:visible, input:not([type=radio]):visible, select:visible")
        wrong += [f"{name}: {text!r}" for text in left.all_inner_texts()]
    page.close()
    assert wrong == []


def test_bookmarks_name_the_chapters_where_they_stand(book, printed):
    """The outline has every chapter in order, and the page it leads to has its title."""
    chapters = [entry for entry in printed.outline if not isinstance(entry, list)]
    numbered = [entry for entry in chapters if re.match(r"\d+\. ", entry.title)]

    assert len(numbered) == len(book.chapters)
    for entry in numbered:
        page = printed.pages[printed.get_destination_page_number(entry)].extract_text()
        title = entry.title.split(". ", 1)[1]
        assert title.replace(" ", "") in re.sub(r"\s", "", page)
    assert len(book.chapters) * 3 <= len(printed.pages) <= len(book.chapters) * 40
