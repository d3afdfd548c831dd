"""README and CONTRIBUTING keep their word: code, picture, commands and places are there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import torch

import handgrad
from handgrad import draw, trace

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PICTURE = ROOT / "docs" / "neuron.svg"


def picture() -> str:
    """The neuron of the book, drawn again."""
    w = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    b = torch.tensor(-0.2, dtype=torch.float64, requires_grad=True)
    x, y = torch.tensor(1.5, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    u = w * x
    z = u + b
    p = torch.sigmoid(z)
    e = p - y
    L = e**2
    names = {"w": w, "b": b, "x": x, "y": y, "u": u, "z": z, "p": p, "e": e, "L": L}
    drawing = draw(
        trace(L, names=names),
        titles={
            "u": "u = w x",
            "z": "z = u + b",
            "p": "p = σ(z)",
            "e": "e = p − y",
            "L": "L = e²",
        },
        groups={"affine": ["u", "z"], "activation": ["p"], "loss": ["e", "L"]},
        title="One neuron, as PyTorch recorded it",
    )
    return drawing.svg_wide + "\n"


def test_the_picture_is_current():
    """`python tests/handgrad/test_readme.py` draws it anew after a change in how figures look."""
    assert PICTURE.read_text(encoding="utf-8") == picture()


def test_the_code_prints_what_is_printed_under_it(tmp_path):
    """Typed into a file one after the other, the blocks give the output that stands there."""
    blocks = re.findall(r"^```(python|text)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    code = "".join(text for kind, text in blocks if kind == "python")
    (tmp_path / "example.py").write_text(code, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert [kind for kind, _ in blocks] == ["python", "text"] * 4
    assert done.stdout == "".join(text for kind, text in blocks if kind == "text")


def test_the_table_of_tools_is_the_measured_one():
    bench = json.loads((ROOT / "docs" / "back" / "library-bench.json").read_text("utf-8"))
    graphs = {(one["graph"], one["nodes"]): one for one in bench["results"]}
    columns = [graphs["transformer-style blocks", 989], graphs["scalar chain", 10001]]
    rows = [line.strip("| ").split(" | ") for line in README.splitlines() if line[:2] == "| "][1:]

    def told(graph: dict, tool: str) -> str:
        return graph["failed"].get(tool) or f"{graph['seconds'][tool] * 1e3:,.1f}"

    tools = ("trace", "torchviz", "torchview", "torchlens", "backward")
    assert [row[2:] for row in rows] == [[told(graph, tool) for graph in columns] for tool in tools]
    assert [row[0] for row in rows[1:4]] == [*tools[1:4]]
    for tool in ("torchviz", "torchview", "torchlens"):
        assert f"{tool} {bench['versions'][tool]}" in README


def test_the_commands_are_what_ci_runs():
    """CI calls the README's own two commands, and the README names no other way in."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (install,) = re.findall(r"^python -m pip install nox && (.*)$", README, re.MULTILINE)

    assert "python -m pip install nox" in ci
    assert install in ci
    assert "python -m nox -s tests" in ci
    assert re.search(r"^python -m nox -s tests$", README, re.MULTILINE)


def test_the_map_names_places_that_exist():
    """A short name lies in the folder of the last whole one of its row."""
    rows = [line for line in MAP.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    for row in rows:
        folder = ROOT
        for name in re.findall(r"`([\w/.]+(?:/|\.\w+))`", row.split("|")[2]):
            if (ROOT / name).exists():
                folder = (ROOT / name) if (ROOT / name).is_dir() else (ROOT / name).parent
            assert (ROOT / name).exists() or (folder / name).exists(), name


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")


def test_every_public_name_has_an_entry_in_the_reference():
    pages = [*(ROOT / "docs" / "back" / "api").glob("*.md"), ROOT / "docs" / "back" / "errors.md"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    entries = set(re.findall(r"^\.\. auto(?:function|class):: handgrad\.(\w+)$", text, re.M))
    errors = {name for name in handgrad.__all__ if name.endswith("Error")}
    assert "automodule:: handgrad.errors" in text
    assert entries == set(handgrad.__all__) - errors
