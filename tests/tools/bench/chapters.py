"""A generated book of the usual kind: prose, mathematics, and cells that use torch."""

from __future__ import annotations

from pathlib import Path

FRONT = """\
---
file_format: mystnb
kernelspec:
  name: python3
  display_name: Python 3
  language: python
---
"""
SOURCE = '''\
"""The package the chapters import."""


def slope(w, x, b, t):
    """Return the derivative of ``(w * x + b - t) ** 2`` by ``w``."""
    return 2 * (w * x + b - t) * x


def walk(node, depth=0):
    """Yield the names of the recorded operations."""
    if node is not None:
        yield depth, node.name()
        for following, _ in node.next_functions:
            yield from walk(following, depth + 1)
'''
CELLS = (
    "import torch\nimport matplotlib.pyplot as plt\n\nfrom shop import slope, walk",
    "torch.manual_seed({n})\nw = torch.tensor({n}.5, requires_grad=True)\nx, b, t = 2.0, 0.25, 1.0",
    "loss = (w * x + b - t) ** 2\nloss.backward()\nw.grad",
    "by_hand = slope(w.item(), x, b, t)\nprint(f'{{by_hand:.6f}} {{w.grad.item():.6f}}')\n"
    "assert by_hand == w.grad.item()",
    "print('\\n'.join('  ' * d + name for d, name in walk(loss.grad_fn)))",
    "data = torch.linspace(-1, 1, 64)\ntarget = torch.sin({n} * data)",
    "model = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))",
    "step = torch.optim.SGD(model.parameters(), lr=0.1)\nlosses = []\nfor _ in range(60):\n"
    "    step.zero_grad()\n    error = (model(data[:, None])[:, 0] - target).square().mean()\n"
    "    error.backward()\n    step.step()\n    losses.append(error.item())",
    "print(f'{{losses[0]:.4f}} to {{losses[-1]:.4f}}')",
    "plt.figure(figsize=(5, 3))\nplt.plot(losses)\nplt.xlabel('step')\nplt.title('Chapter {n}');",
    "z = torch.rand(3, dtype=torch.float64, requires_grad=True)\n"
    "torch.autograd.gradcheck(lambda v: (v ** 3).sum(), z)",
    "torch.autograd.functional.jacobian(lambda v: v ** 2, torch.arange(4.0))",
    "h = torch.autograd.functional.hessian(lambda v: (v ** 4).sum(), torch.arange(3.0))\nh.trace()",
    "[tuple(p.shape) for p in model.parameters()]",
    "sum(p.grad.abs().sum().item() > 0 for p in model.parameters())",
)
SENTENCE = (
    "The slope that arrives at a sum leaves it unchanged towards every term, so the number "
    "that reaches $w_{{{k}}}$ is $\\delta_{{{k}}} x_{{{k}}}$ and nothing else. "
)
EQUATION = "\n$$\n\\frac{{\\partial L}}{{\\partial w_{{{k}}}}} = 2 (w_{{{k}}} x - t) x\n$$\n"


def write(root: Path, chapters: int) -> Path:
    """Write a book of so many chapters below ``root``; return the folder of its pages."""
    docs, src = root / "docs", root / "src"
    docs.mkdir(parents=True)
    src.mkdir()
    (src / "shop.py").write_text(SOURCE, encoding="utf-8")
    names = [f"chapter{number:03}" for number in range(1, chapters + 1)]
    for number, name in enumerate(names, 1):
        (docs / f"{name}.md").write_text(FRONT + page(number), encoding="utf-8")
    listed = "\n".join(names)
    (docs / "index.md").write_text(f"# Book\n\n```{{toctree}}\n{listed}\n```\n", encoding="utf-8")
    return docs


def page(number: int) -> str:
    """Return a chapter: fifteen cells, about 1,750 words, nine displayed equations."""
    parts = [f"# Chapter {number}\n"]
    for place, cell in enumerate(cells(number)):
        if place % 3 == 0:
            parts.append(f"## Section {place // 3 + 1}\n")
        parts.append(5 * SENTENCE.format(k=place) + "\n")
        parts.append(f"```{{code-cell}} ipython3\n{cell}\n```\n")
        if place < 9:
            parts.append(EQUATION.format(k=place))
    return "\n".join(parts)


def cells(number: int) -> list[str]:
    """Return the code of a chapter's cells."""
    return [cell.format(n=number) for cell in CELLS]
