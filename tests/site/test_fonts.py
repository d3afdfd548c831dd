"""The book's own faces are there where most readers first open it: from their own disk."""

import pytest

pytestmark = pytest.mark.browser
# A stand-in from the reader's own machine is no file, and comes at once.
OURS = "[...document.fonts].filter((f) => f.family.includes('Book'))"


def test_from_a_file_a_page_waits_for_its_faces(book, browser):
    """A font on the same disk is never too late, so none of them may be left out."""
    page = browser.new_page()
    page.goto(book.file(book.chapters[0]))
    page.evaluate("document.fonts.ready.then(() => true)")
    faces = page.evaluate(f"{OURS}.map((f) => [f.family, f.display, f.status])")
    page.close()
    assert {family.strip('"') for family, _, _ in faces} >= {"Book", "Book Code", "Book Maths"}
    assert {display for _, display, _ in faces} == {"block"}
    assert {status for _, _, status in faces} <= {"loaded", "unloaded"}
    assert "loaded" in {status for _, _, status in faces}


def test_from_a_host_nothing_ever_moves(book, browser):
    """There a face that comes late is left for the next page."""
    page = browser.new_page()
    page.goto(book.url(book.chapters[0]))
    faces = page.evaluate(f"{OURS}.map((f) => [f.family, f.display])")
    page.close()
    assert {display for _, display in faces} == {"optional"}
