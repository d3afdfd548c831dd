"""The parts of a chapter and the page around them, in small books."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_ext"
FIXTURE = Path(__file__).parents[1] / "site" / "fixture"
CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
extensions = ["myst_parser", "autograd_book.chapters", "autograd_book.directives.questions"]
myst_enable_extensions = ["colon_fence"]
html_theme = "basic"
"""
INDEX = """# Book

```{toctree}
:caption: Part I
:numbered:

one
two
```

```{toctree}
:caption: Part II
:numbered:

three
```
"""
CHAPTER = """# Title of NAME

:::{claim}
A claim.
:::

:::{prediction} which
Which *one*?

- the first | No.
- the second | yes
:::

:::{aside}
A note.
:::

Text.

## Where this stops holding

Here.
"""


def sphinx(source: Path, target: Path, builder: str, **environ: str) -> subprocess.CompletedProcess:
    """Build a book with warnings as errors."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-E",
        "-b",
        builder,
        str(source),
        str(target),
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BOOK_", "GITHUB_"))}
    return subprocess.run(command, capture_output=True, text=True, env=clean | environ)


@pytest.fixture
def small(tmp_path):
    """A book of two parts and three chapters."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text(CONF)
    (source / "index.md").write_text(INDEX)
    for name in ("one", "two", "three"):
        (source / f"{name}.md").write_text(CHAPTER.replace("NAME", name))
    return source


def test_chapters_are_numbered_through_the_parts(small, tmp_path):
    """The first chapter of Part II is 3, and sections have no number."""
    done = sphinx(small, tmp_path / "out", "html")

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "three.html").read_text()
    assert re.search(r'<span class="section-number">3. </span>Title of three', page)
    assert "3.1" not in page


def test_a_prediction_is_a_question_with_its_answers(small, tmp_path):
    """One group of radio buttons, named by the question."""
    sphinx(small, tmp_path / "out", "html")

    page = (tmp_path / "out" / "one.html").read_text()
    assert re.search(r'<legend id="prediction-1">Which <em>one</em>\?</legend>', page)
    assert len(re.findall(r'<label><input type="radio" name="prediction-1">', page)) == 2
    assert page.count("<fieldset>") == page.count("</fieldset>") == 1
    assert 'class="limits"' in page


@pytest.mark.parametrize("builder", ["text", "man", "latex", "epub"])
def test_every_format_can_say_it(small, tmp_path, builder):
    """No builder stops at a claim, a prediction or an aside, and each keeps the words."""
    with (small / "conf.py").open("a") as conf:
        conf.write('version = release = "1"\nman_pages = [("one", "one", "", [], 1)]\n')
        conf.write('latex_documents = [("one", "one.tex", "One", "", "howto")]\n')
    done = sphinx(small, tmp_path / "out", builder)

    assert "unknown node" not in done.stderr.lower()
    names = {"text": "one.txt", "man": "one.1", "latex": "one.tex", "epub": "one.xhtml"}
    said = (tmp_path / "out" / names[builder]).read_text()
    assert all(words in said for words in ("A claim.", "the second", "A note."))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (":::{aside}\n" + "word " * 41 + "\n:::", "41 words; a margin holds 40"),
        (":::{prediction} key\nNo options.\n:::", "exactly one of its options says 'yes'"),
        (":::{prediction} key\n- no question | yes\n:::", "the question ends with a paragraph"),
        (":::{prediction}\nNo key.\n- an option | yes\n:::", "1 argument(s) required"),
        (":::{claim}\n:::", "Content block expected"),
    ],
)
def test_a_part_that_is_not_right_stops_the_build(small, tmp_path, text, said):
    """The message says what is wrong and what to do."""
    (small / "one.md").write_text(f"# One\n\n{text}\n")
    done = sphinx(small, tmp_path / "out", "html")

    assert done.returncode != 0
    assert said in done.stderr


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The test book as a host builds it, and as a reader does at home."""
    folder = tmp_path_factory.mktemp("published")
    at = {"BOOK_ADDRESS": "https://example.org/book", "GITHUB_REPOSITORY": "someone/book"}
    for name, environ in (("host", at), ("home", {})):
        done = sphinx(FIXTURE, folder / name, "html", **environ)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_a_host_gets_addresses(published):
    """Sitemap, canonical link, card, and links to mend a page."""
    page = (published / "host" / "paths.html").read_text()
    sitemap = (published / "host" / "sitemap.xml").read_text()
    card = (published / "host" / "_static" / "card.png").read_bytes()

    assert '<link rel="canonical" href="https://example.org/book/paths.html"' in page
    assert "https://github.com/someone/book/edit/main/docs/paths.md" in page
    assert "<loc>https://example.org/book/part1/02-peeling.html</loc>" in sitemap
    assert "404" not in sitemap
    assert struct.unpack(">II", card[16:24]) == (1200, 630)


@pytest.mark.slow
def test_the_404_page_holds_at_any_depth(published):
    """Each of its links and files begins at the root of the site."""
    page = (published / "host" / "404.html").read_text()
    targets = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', page)
    local = [
        t for pair in targets for t in pair if t and not t.startswith(("https:", "data:", "#"))
    ]

    assert len(local) > 8
    assert [target for target in local if not target.startswith("/book/")] == []


@pytest.mark.slow
def test_at_home_nothing_is_made_up(published):
    """Without an address there is no canonical link, no sitemap and no card."""
    page = (published / "home" / "paths.html").read_text()

    assert "canonical" not in page
    assert "og:" not in page
    assert not (published / "home" / "sitemap.xml").exists()
    assert not (published / "home" / "_static" / "card.png").exists()


@pytest.mark.slow
def test_only_what_is_used_is_shipped(published):
    """No file of the themes below, no source map, no notebook of the cache."""
    static = published / "home" / "_static"
    names = {path.name for path in static.iterdir()}
    pages = "".join(p.read_text() for p in (published / "home").rglob("*.html"))
    fonts = [path.name for path in (static / "fonts").iterdir()]
    sheets = "".join(p.read_text() for p in static.rglob("*.css"))

    assert names <= {"book.css", "fonts", "fonts.css", *(p.name for p in static.glob("*.js"))}
    assert [name for name in fonts if name not in pages + sheets] == []


@pytest.mark.slow
def test_programs_find_every_chapter(published):
    """llms.txt names each chapter in order, with its claim."""
    said = (published / "home" / "llms.txt").read_text()

    assert re.findall(r"\[(\d)\. ", said) == ["1", "2", "3"]
    assert "- [2. Peeling the onion](part1/02-peeling.html): Where each layer feeds" in said
