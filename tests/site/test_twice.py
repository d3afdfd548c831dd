"""Two builds of the same sources are the same bytes."""

import filecmp
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
FIXTURE = Path(__file__).parent / "fixture"


def differing(one: Path, two: Path) -> list[str]:
    """Name every file that is not the same in both folders."""
    names = {p.relative_to(f).as_posix() for f in (one, two) for p in f.rglob("*") if p.is_file()}
    names = {name for name in names if not name.startswith((".doctrees", ".buildinfo"))}
    _, wrong, missing = filecmp.cmpfiles(one, two, names, shallow=False)
    return sorted([*wrong, *missing])


def test_two_builds_are_one(tmp_path, build):
    """Pages, search index, fonts: nothing carries an hour, an address or an order of a set."""
    build(FIXTURE, tmp_path / "one", "-E", "-D", "nb_execution_mode=force")
    build(FIXTURE, tmp_path / "two", "-E", "-D", "nb_execution_mode=force")

    assert differing(tmp_path / "one", tmp_path / "two") == []


def test_the_test_can_fail(tmp_path):
    """A byte that differs and a file that is missing are both seen."""
    for name, text in (("one", "a"), ("two", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").write_text(text)
    (tmp_path / "two" / "more.html").write_text("")

    assert differing(tmp_path / "one", tmp_path / "two") == ["more.html", "page.html"]
