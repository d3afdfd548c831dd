"""What every chapter keeps to: its length, and no term before it is explained."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
CHAPTERS = sorted((DOCS / "part1").glob("*.md"))
TERMS = re.findall(r"^(?![ `:(#])(\w.*)$", (DOCS / "back" / "glossary.md").read_text("utf-8"), re.M)
LINK = re.compile(r"\{term\}`([^`<]*?)(?:\s*<([^`>]*)>)?`")


def prose(path: Path) -> str:
    """What is read of a page: no cells, formulas, headings, claim or fences."""
    text = path.read_text("utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"^(`{3,})\{.*?^\1$", "", text, flags=re.S | re.M)
    text = re.sub(r"^:::\{claim\}.*?^:::$", "", text, flags=re.S | re.M)
    text = re.sub(r"^\$\$$.*?^\$\$.*?$", "", text, flags=re.S | re.M)
    text = re.sub(r"^:\w+:[^|\n]*(\||$)", "", text, flags=re.M)  # what a block computes
    text = re.sub(r"\{(\.[\w-]+ )?holds=\"[^\"]*\"\}", "", text)
    return re.sub(r"^(#|\(|:::).*$", "", text, flags=re.M)


def plain(text: str) -> str:
    """The same without links' marks, code and inline formulas."""
    text = LINK.sub(lambda link: link[1], text)
    return re.sub(r"(\{[\w:]+\})?`[^`]*`|\$[^$]*\$", " … ", text)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_the_length_of_one_sitting(path):
    words = re.findall(r"[^\W\d_][\w’'-]*", plain(prose(path)))
    assert 900 <= len(words) <= 1800


def linked(text: str) -> set[str]:
    """The glossary's terms that a page links to."""
    return {(link[2] or link[1]).strip().lower() for link in LINK.finditer(text)}


def test_a_term_is_linked_where_it_is_first_used():
    """In reading order, the first chapter that uses a term links it to its explanation."""
    assert len(TERMS) > 30
    met: set[str] = set()
    unexplained = []
    for path in CHAPTERS:
        text = prose(path)
        words, links = " ".join(plain(text).split()).lower(), linked(text)
        used = {t for t in TERMS if re.search(rf"\b{re.escape(t)}s?\b", words)}
        unexplained += [f"{path.stem}: {term}" for term in sorted(used - met - links)]
        met |= used
    assert unexplained == []
