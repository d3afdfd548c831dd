"""README and CONTRIBUTING keep their word: code, picture, commands and places are there."""

import re
from pathlib import Path

import torch

from handgrad import draw, peel, trace

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


def test_the_code_says_what_its_comments_promise(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    space: dict = {}

    exec(compile(code, "README.md", "exec"), space)

    layers = peel(space["graph"], wrt="w").layers
    promised = re.search(r"layer by layer: (.*)", code)[1]
    assert promised == " · ".join(f"{layer.local.item():.0f}" for layer in layers)
    assert "None" in capsys.readouterr().out
    assert space["b"].grad is None


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
