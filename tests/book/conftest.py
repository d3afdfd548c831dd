"""A copy of the sample book in a temporary folder, built by the book's own extensions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_book import ROOT, Book, Built, book, leftovers

__all__ = ["book", "leftovers"]
DOCS = ROOT / "docs"
SAMPLE = Path(__file__).parent / "fixture"  # two chapters that use every directive


class Chapters(Book):
    """A book with the settings of the real one; its pages are copies of the sample's."""

    def __init__(self, root: Path, *pages: str) -> None:
        super().__init__(root)
        shutil.copy(SAMPLE / "conf.py", self.docs / "conf.py")
        for page in pages or ("index.md", "part1", "back"):
            whole = (SAMPLE / page).is_dir()
            (shutil.copytree if whole else shutil.copy)(SAMPLE / page, self.docs / page)

    def build(self, *args: str, to: str = "_build/html", **env: str) -> Built:
        """Build with the switches of the real book: whatever is wrong is an error."""
        strict = ("-n", "-W", "--keep-going", "-q")
        nowhere = dict.fromkeys(("GITHUB_REPOSITORY", "READTHEDOCS_GIT_CLONE_URL"), "")
        env = {**nowhere, "READTHEDOCS_CANONICAL_URL": "", "CI": "", "BOOK_DOCS": str(DOCS), **env}
        return super().build(*strict, *args, to=to, **env)

    def edit(self, page: str, old: str, new: str) -> None:
        """Replace a text that stands exactly once in a page."""
        path = self.docs / page
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (page, old)
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def chapters(tmp_path: Path) -> Chapters:
    """Return a copy of the sample book, to be changed and built."""
    return Chapters(tmp_path / "book")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return the sample book as it is, built once."""
    built = Chapters(tmp_path_factory.mktemp("sample")).build()
    assert not built.code, built.said
    return built


@pytest.fixture(scope="session")
def empty_book() -> Callable[[Path], Chapters]:
    """Return the function that makes a book with the real one's settings and no page."""

    def made(root: Path) -> Chapters:
        return Chapters(root, "conf.py")

    return made
