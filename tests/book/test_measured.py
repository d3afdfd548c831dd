"""The figures in the colophon: from files, every promise kept, and a broken file said so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILES = {"build": "build-bench.json", "library": "library-bench.json", "site": "site-figures.json"}


@pytest.fixture
def page(tmp_path):
    """A book of one page that shows one kind of figures; returns a function that builds it."""

    def build(subject: str, text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "back").mkdir()
        (tmp_path / "back" / FILES[subject]).write_text(text)
        (tmp_path / "index.md").write_text(f"# Figures\n\n```{{measured}} {subject}\n```\n")
        (tmp_path / "conf.py").write_text(
            f"import sys\nsys.path.insert(0, {str(DOCS / '_ext')!r})\n"
            'extensions = ["myst_parser", "autograd_book.directives.measured"]\n'
            'html_theme = "basic"\n'
        )
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", ".", "out"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return build


@pytest.mark.parametrize(("subject", "goals"), [("build", 11), ("library", 5)])
def test_every_promise_is_kept(subject, goals):
    """What the file says of a goal is what its own figures say, and all are met."""
    seen = json.loads((DOCS / "back" / FILES[subject]).read_text(encoding="utf-8"))
    for goal in seen["goals"]:
        met = (
            goal["found"] >= goal["bound"]
            if goal["at"] == "least"
            else (goal["found"] <= goal["bound"])
        )
        assert goal["met"] == met
        assert met, (
            f"{goal['goal']} is {goal['found']}, at {goal['at']} {goal['bound']} is promised"
        )
    assert len(seen["goals"]) == goals


def test_the_goals_of_the_library_are_of_its_own_medians():
    """The worst ratio of all graphs is the one that is held against the promise."""
    seen = json.loads((DOCS / "back" / FILES["library"]).read_text(encoding="utf-8"))
    found = {goal["goal"]: goal["found"] for goal in seen["goals"]}
    for top, bottom in (("trace", "backward"), ("trace", "bare walk")):
        ratios = [row["seconds"][top] / row["seconds"][bottom] for row in seen["results"]]
        assert found[f"structure-only {top} / {bottom}"] == pytest.approx(max(ratios), abs=5e-4)


@pytest.mark.parametrize("subject", FILES)
def test_the_committed_figures_can_be_shown(page, tmp_path, subject):
    """Every goal, and every graph, stands on the page."""
    text = (DOCS / "back" / FILES[subject]).read_text(encoding="utf-8")
    done = page(subject, text)
    shown = " ".join((tmp_path / "out" / "index.html").read_text(encoding="utf-8").split())

    assert done.returncode == 0, done.stderr
    for goal in json.loads(text).get("goals", []):
        assert f"{goal['found']:,.3g}" in shown


@pytest.mark.parametrize("subject", FILES)
def test_a_file_without_its_figures_stops_the_build(page, subject):
    """A table is never shown with holes."""
    done = page(subject, "{}")

    assert done.returncode != 0
    assert f"back/{FILES[subject]} does not hold what this page shows" in done.stderr
