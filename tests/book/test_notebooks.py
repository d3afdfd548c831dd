"""The notebooks that readers download run anywhere, and say nothing that the book alone knows."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from autograd_book.formats.portable import install, portable, requirements
from autograd_book.site.places import Repository, repository, site
from nbclient import NotebookClient

PAGES = ("01-the-bias", "02-every-exercise")
ANSWERS = {
    "bias-twice": "-8",
    "whole": "5",
    "rounded": "-1.36767",
    "tiny": "9.9148e-14",
    "layer": "'b'",
    "flags": "w=22, b=None",
    "writes": "{'x.add_(1)': 'caught', 'x.data.add_(1)': 'silent'}",
    "shape": "(2, 3)",
}


def load(built, name):
    return nbformat.read(built.folder / "notebooks" / f"{name}.ipynb", as_version=4)


def sources(notebook, kind):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def run(notebook, folder):
    """Run a notebook as anybody would, in an empty folder, and return its outputs."""
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": folder}}).execute()
    return [
        output.get("data", {}).get("text/plain", output.get("text", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]


PORTABLE = {
    "plain": ("x = 1\nx", False, "x = 1\nx"),
    "silent": ("x = 1\n", True, "x = 1\n"),
    "silent value": ("x = 1\nx\n", True, "x = 1\nx;"),
    "silenced": ("x = 1\nx;", True, "x = 1\nx;"),
    "magic": ("%matplotlib inline\nx", True, "%matplotlib inline\nx"),
}


@pytest.mark.parametrize(("source", "silent", "expected"), PORTABLE.values(), ids=PORTABLE)
def test_code_is_silent_where_the_page_is(source, silent, expected):
    assert portable(source, silent=silent) == expected


KNOWN = {
    "read the docs": (
        {
            "READTHEDOCS_GIT_CLONE_URL": "https://github.com/a/b.git",
            "READTHEDOCS_GIT_COMMIT_HASH": "c",
        },
        Repository("a", "b", "c"),
    ),
    "github": ({"GITHUB_REPOSITORY": "a/b.c", "GITHUB_SHA": "d"}, Repository("a", "b.c", "d")),
    "another forge": (
        {"GITHUB_REPOSITORY": "a/b", "GITHUB_SERVER_URL": "https://git.example"},
        None,
    ),
    "another host": ({"READTHEDOCS_GIT_CLONE_URL": "https://gitlab.com/a/b.git"}, None),
    "nothing": ({}, None),
    "empty": ({"GITHUB_REPOSITORY": ""}, None),
}


@pytest.mark.parametrize(("variables", "expected"), KNOWN.values(), ids=KNOWN)
def test_the_address_is_the_one_that_was_said(variables, expected, tmp_path):
    assert repository(tmp_path, variables) == expected


REMOTES = {
    "https://github.com/a/b": Repository("a", "b"),
    "https://user:word@github.com/a/b.git": Repository("a", "b"),
    "git@github.com:a/b.git": Repository("a", "b"),
    "ssh://git@github.com/a/b": Repository("a", "b"),
    "/srv/git/book": None,
    "https://evil.example/github.com/a/b": None,
}


@pytest.mark.parametrize(("remote", "expected"), REMOTES.items(), ids=REMOTES)
def test_the_remote_of_the_checkout_counts(remote, expected, tmp_path):
    (tmp_path / ".git").mkdir()
    for name, text in {
        "config": f'[core]\nrepositoryformatversion = 0\n[remote "origin"]\nurl = {remote}\n',
        "HEAD": "ref: refs/heads/main\n",
    }.items():
        (tmp_path / ".git" / name).write_text(text)
    (tmp_path / ".git" / "objects").mkdir()
    (tmp_path / ".git" / "refs").mkdir()

    assert repository(tmp_path, {}) == expected
    assert repository(tmp_path / "inside", {}) is None


def test_links_and_requirements_hold_the_address():
    found = Repository("a", "b", "c0ffee")

    assert found.requirement == "handgrad @ git+https://github.com/a/b@c0ffee"
    assert found.colab("notebooks", "04 x.ipynb").endswith(
        "/github/a/b/blob/notebooks/04%20x.ipynb"
    )
    assert found.binder("n", "x.ipynb") == "https://mybinder.org/v2/gh/a/b/n?labpath=x.ipynb"


def test_the_address_of_the_site_is_the_one_given_or_the_services():
    service = {"READTHEDOCS_CANONICAL_URL": "https://book.example/en"}

    assert site("", service) == "https://book.example/en/"
    assert site("https://here.example", service) == "https://here.example/"
    assert site("", {}) == ""


def test_the_first_cell_installs_what_the_cells_import():
    cells = [
        "import torch, json\nimport matplotlib.pyplot as plt",
        "from handgrad import peel",
        "%x",
    ]

    wanted = requirements(cells, None)

    assert list(wanted) == ["mpmath", "torch", "handgrad", "matplotlib"]
    assert re.fullmatch(r"handgrad==\d+\.\d+\.\d+", wanted["handgrad"])
    assert '%pip install -q "matplotlib"' in install(wanted, checked=True)
    assert "check = Checker()" not in install(wanted, checked=False)


def test_a_torch_that_is_there_is_kept():
    """Nothing but a missing torch installs one: the package comes without what it needs."""
    lines = install(requirements([], None), checked=True).splitlines()
    pip = [line.strip() for line in lines if "%pip" in line]

    assert [line.startswith("%pip install -q --no-deps") for line in pip] == [False, False, True]
    asked = lines.index('if importlib.util.find_spec("torch") is None:')
    assert lines[asked + 1].strip() == pip[1] == '%pip install -q "torch>=2.10"'


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_text_is_plain_markdown_with_the_numbers_in_it(name, sample):
    text = "\n\n".join(sources(load(sample, name), "markdown"))

    assert not re.search(r":::|\{[a-z:]+\}`|```\{|\(ch-|holds[-=\"]|\d#", text)
    if name == PAGES[0]:
        assert text.startswith("# 1. The bias shortcut\n\n> **Claim.** The bias")
        assert "The bias receives −6.0, which is negative; the weight receives 2 times" in text
        assert "- the weight’s, since $x$ is above 1: ✓ 2 times as large." in text
        assert "- the bias’s: ≠ What does the product do" in text
        assert "−8.0. Two paths, each with −4." in text
        assert r"\frac{\partial L}{\partial b} = \delta \cdot 1 \tag{1.1}" in text
        assert "Equation (1.1) is a sum’s whole rule." in text
        assert "| 1.3 | a sum | 0.3000 | 1 | within tolerance: 0.1 and 0.2" in text
        assert "<details><summary>Hint</summary>\n\nCount the paths" in text
    else:
        assert "- `'a'`: the loss, $(\\hat y - y)^2$" in text
        assert "First a paragraph, of 2 sentences." in text


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_the_page_is_left(name, sample):
    for suffix in ("", "-clean"):
        text = json.dumps(load(sample, name + suffix))

        assert not re.search(r"myst_nb|vnd\.handgrad|remove-cell", text)
    clean = load(sample, f"{name}-clean")
    assert not any(cell.get("outputs") for cell in clean.cells)
    assert [cell.id for cell in clean.cells] == [f"cell-{n}" for n in range(len(clean.cells))]
    assert "find_spec" in clean.cells[0].source


@pytest.mark.slow
def test_the_executed_notebook_has_the_outputs_of_the_page(sample):
    cells = [cell for cell in load(sample, PAGES[0]).cells if cell.get("outputs")]

    shown = [cell.outputs[0].get("data", {}).get("text/plain", "error") for cell in cells]
    assert shown[0] == "(-12.0, -6.0)"
    assert "Verdict: same bits." in shown[1]
    assert shown[2:] == ["error"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_the_downloaded_notebook_runs_in_an_empty_folder(name, sample, tmp_path):
    outputs = run(load(sample, f"{name}-clean"), tmp_path)

    asked = [text for text in outputs if "in place of the dots" in text]
    checks = [s for s in sources(load(sample, name), "code") if re.match(r'check\("', s)]
    assert len(asked) == len(checks) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_the_notebook_checks_its_exercises(name, sample, tmp_path):
    notebook = load(sample, f"{name}-clean")
    for cell in notebook.cells:
        if found := re.fullmatch(r'check\("([\w-]+)", \.\.\.\)', cell.source):
            cell.source = f'check("{found[1]}", {ANSWERS[found[1]]})'

    outputs = run(notebook, tmp_path)

    right = [text for text in outputs if text.startswith("✓ Yes")]
    assert len(right) == (1 if name == PAGES[0] else 7)


@pytest.mark.slow
def test_launch_links_stand_only_where_the_address_is_known(chapters, sample):
    unknown = (sample.folder / "part1/01-the-bias.html").read_text(encoding="utf-8")
    known = chapters.build(
        GITHUB_REPOSITORY="ada/book",
        GITHUB_SHA="c0ffee",
        READTHEDOCS_CANONICAL_URL="https://book.example/",
    )

    page = (known.folder / "part1/01-the-bias.html").read_text(encoding="utf-8")
    notebook = load(known, "01-the-bias-clean")
    assert not re.search(r"colab|binder|github\.com", unknown)
    assert 'href="../notebooks/01-the-bias.ipynb" download' in unknown
    assert "/github/ada/book/blob/notebooks/01-the-bias-clean.ipynb" in page
    assert "mybinder.org/v2/gh/ada/book/notebooks?labpath=01-the-bias-clean.ipynb" in page
    assert "handgrad @ git+https://github.com/ada/book@c0ffee" in notebook.cells[0].source
    assert "[The ledger](https://book.example/back/ledger.html#the-ledger)" in json.dumps(notebook)
    wanted = (known.folder / "notebooks/requirements.txt").read_text()
    assert "handgrad @ git+https://github.com/ada/book@c0ffee\n" in wanted
    assert re.search(r"^torch==[\d.]+\+cpu$", wanted, re.MULTILINE)
    assert not (sample.folder / "notebooks/requirements.txt").exists()
