"""The ledger, the counts and the card say what the cells said, and follow when they change."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.slow


def page(built, name):
    """Return a page's text without its tags."""
    html = (built.folder / f"{name}.html").read_text(encoding="utf-8")
    body = html[html.index("<main") : html.index("</main>")]
    body = re.sub(r"<annotation.*?</annotation>", "", body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_ledger_has_every_comparison_with_its_numbers(sample):
    text = page(sample, "back/ledger")

    assert "1. The bias shortcut : 3 comparisons, 3 as claimed" in text
    assert (
        "1.1 ∂L/∂b Both slopes, three times over −6.0 My Manual Calculation, "
        "PyTorch Gradient, Witness 0 same bits"
    ) in text
    assert (
        "1.3 a sum 0.30000000000000000 My Manual Calculation 0.30000000000000004 "
        "PyTorch Gradient 1 within tolerance: 0.1 and 0.2 are rounded"
    ) in text
    assert "The book 3 2 1 0 1" in text


def test_counts_in_sentences_are_counted(sample):
    assert "3 of 3 comparisons in 2 chapters came out as claimed" in page(sample, "index")
    assert "This chapter knows 7 exercises." in page(sample, "part1/02-every-exercise")
    assert "Exercises 8, rejecting 16 wrong answers" in page(sample, "back/ledger")


def test_the_foot_says_what_computed_the_page(sample):
    foot = page(sample, "part1/01-the-bias")

    assert re.search(
        r"Computed with PyTorch \d+\.\d+\.\d+ on Python 3\.\d+, float64, from source "
        r"[0-9a-f]{12}\. 3 comparisons, 3 as claimed\.",
        foot,
    )
    assert "Computed with" not in page(sample, "index")


def test_entries_lead_to_their_cell_or_its_section(sample):
    ledger = (sample.folder / "back/ledger.html").read_text(encoding="utf-8")
    chapter = (sample.folder / "part1/01-the-bias.html").read_text(encoding="utf-8")
    links = re.findall(r'href="\.\./part1/01-the-bias\.html#([^"]+)"', ledger)

    assert links == ["cell-3", "cell-3", "to-the-last-bit"]
    assert all(f'id="{name}"' in chapter for name in links)


def test_numbers_from_cells_have_the_true_minus_sign(sample):
    text = page(sample, "part1/01-the-bias").replace(" ,", ",")

    assert "receives −6.0, which is negative" in text


def test_a_changed_chapter_changes_the_pages_that_count_it(chapters):
    assert chapters.build().code == 0
    chapters.edit("part1/01-the-bias.md", '"a sum": 0.3}', '"a sum": 0.3, "more": 1.0}')
    chapters.edit("part1/01-the-bias.md", '"a sum": 0.1 + 0.2}', '"a sum": 0.1 + 0.2, "more": 1.0}')

    built = chapters.build()

    assert built.code == 0, built.said
    assert "4 of 4 comparisons" in page(built, "index")
    assert "1.4 more 1.0 My Manual Calculation, PyTorch Gradient 0 same bits" in page(
        built, "back/ledger"
    )
    (chapters.docs / "part1/02-every-exercise.md").unlink()
    chapters.edit("index.md", "part1/02-every-exercise\n", "")
    assert "in 1 chapters" in page(chapters.build(), "index")


def test_parallel_readers_give_the_same_bytes(chapters):
    parallel, serial = chapters.build("-j", "2"), chapters.build(to="_build/serial/html")

    assert (parallel.code, serial.code) == (0, 0), parallel.said + serial.said
    for name in ("back/ledger.html", "index.html", "part1/01-the-bias.html"):
        assert (parallel.folder / name).read_bytes() == (serial.folder / name).read_bytes()
