"""Two e-books of the same sources are the same bytes."""

import os
import time
from zipfile import ZIP_STORED, ZipFile

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.fault(
    "an e-book made at another hour, in another zone, with another umask", "survived"
)
def test_two_e_books_are_one(book):
    """Sphinx packs the hour at which each file was written, its mode, and the day."""
    book.configure(
        "extensions += ['autograd_book.formats.ebook']\nnb_fork_preload = []\n"
        "version = '1'\nepub_css_files = ['epub.css']\nhtml_static_path = ['_static']"
    )
    (book.docs / "_static").mkdir()
    (book.docs / "_static" / "epub.css").write_text("p { margin: 0 }")
    book.page("other", "1", title="Other")
    book.page("index", "1")
    files = []
    for zone, mask in (("Asia/Tokyo", 0o077), ("UTC", 0o022)):
        time.sleep(2)  # an archive counts in steps of two seconds
        before = os.umask(mask)
        built = book.build("-b", "epub", to=f"_build/{zone}/epub", TZ=zone)
        os.umask(before)
        files.append(next(built.folder.glob("*.epub")))

    assert files[0].read_bytes() == files[1].read_bytes()
    first = ZipFile(files[0]).infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", ZIP_STORED)


def test_its_date_is_the_one_that_was_said(book):
    """Not the day on which somebody happened to build it."""
    book.configure("extensions += ['autograd_book.formats.ebook']\nnb_fork_preload = []")
    book.configure("version = '1'\nhtml_static_path = []\nepub_css_files = []")
    book.page("index", "1")

    built = book.build("-b", "epub", to="_build/epub", SOURCE_DATE_EPOCH="1000000000")

    assert b"2001-09-09" in built.content["epub/content.opf"]
