"""A chapter's code as it runs without the book: silent where the page is, and installed first."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from importlib.metadata import requires, version

from autograd_book.site.places import Repository

CALLED = {"sklearn": "scikit-learn"}  # module: what pip calls it
CHECK = "check"  # the name under which a notebook checks its exercises
PACKAGE = "handgrad"
COME_ALONG = {"torch", "numpy", "sympy", "mpmath", "IPython", PACKAGE}  # with torch, or Jupyter


def portable(source: str, *, silent: bool) -> str:
    """Return a cell's source for a notebook; one that shows nothing on the page ends silently.

    Example:
        >>> portable("x = 1\\nx", silent=True), portable("x = 1\\nx", silent=False)
        ('x = 1\\nx;', 'x = 1\\nx')
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a line for IPython alone
        return source
    shows = bool(body) and isinstance(body[-1], ast.Expr) and not source.rstrip().endswith(";")
    return f"{source.rstrip()};" if silent and shows else source


def requirements(sources: Iterable[str], repository: Repository | None) -> dict[str, str]:
    """Return what the cells need and Python does not bring: module and what pip calls it.

    What the package needs stands before it, each by itself, so that a torch that is
    there is kept, whichever it is.
    """
    modules: set[str] = set()
    for source in sources:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add((node.module or "").split(".")[0])
    ours = repository.requirement if repository else f"{PACKAGE}=={version(PACKAGE)}"
    others = sorted(modules - COME_ALONG - sys.stdlib_module_names)
    needs = {text: re.match(r"[\w-]+", text) for text in requires(PACKAGE) or ()}
    needed = {found[0]: text for text, found in needs.items() if found}
    return {**needed, PACKAGE: ours, **{name: name for name in others}}


def install(wanted: dict[str, str], *, checked: bool) -> str:
    """Return the first cell of a notebook."""
    lines = [
        "# Install what is missing, as on Colab; where all is there, nothing happens.",
        "import importlib.util",
        "",
    ]
    for module, requirement in wanted.items():
        lines.append(f'if importlib.util.find_spec("{module}") is None:')
        alone = "--no-deps " if module == PACKAGE else ""
        lines.append(f'    %pip install -q {alone}"{requirement}"')
    if checked:
        lines += ["", f"from {PACKAGE} import Checker, Exercise", "", f"{CHECK} = Checker()"]
    return "\n".join(lines)
