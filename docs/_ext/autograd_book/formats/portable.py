"""A chapter's code as it runs without the book: no glue, and what is missing is installed."""

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
SHIM = 'def glue(name, value, display=True):\n    """Only the pages of the book use this."""'


def portable(source: str, *, silent: bool) -> str:
    """Return a cell's source for a notebook; nothing, if it only served the page.

    Statements that glue are taken out. A cell of which the page shows nothing
    (``silent``) shows nothing here either, and is left out if it then only asserts.
    The exercise that a cell ends with is given to ``check``.

    Example:
        >>> portable("from myst_nb import glue\\nx = 1\\nglue('x', x)\\n", silent=True)
        'x = 1'
        >>> portable("glue('x', x)\\nassert x > 0", silent=True)
        ''
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a line for IPython alone
        return source
    gone = [node for node in tree.body if _only_glues(node)]
    kept = [node for node in tree.body if node not in gone]
    if silent and all(isinstance(node, ast.Assert) for node in kept):
        return ""
    text = _without(source, gone)
    if _uses_glue(kept):
        text = f"{SHIM}\n\n\n{text}"
    text = text.strip("\n")
    if kept and _is_exercise(kept[-1]):
        return _checked(text)
    last = kept[-1] if kept else None
    return f"{text};" if silent and isinstance(last, ast.Expr) and not text.endswith(";") else text


def _only_glues(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "myst_nb"
    if isinstance(node, ast.For):
        return all(_only_glues(part) for part in [*node.body, *node.orelse])
    return isinstance(node, ast.Expr) and _calls(node.value, "glue")


def _calls(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _uses_glue(kept: list[ast.stmt]) -> bool:
    names = (node for statement in kept for node in ast.walk(statement))
    return any(isinstance(node, ast.Name) and node.id == "glue" for node in names)


def _is_exercise(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and _calls(node.value, "Exercise")


def _without(source: str, gone: list[ast.stmt]) -> str:
    """Cut statements out, with their lines where nothing else stands on them."""
    lines = source.splitlines()
    for node in reversed(gone):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before = lines[first].encode()[: node.col_offset].decode()
        after = lines[last].encode()[node.end_col_offset :].decode()
        rest = after.lstrip().removeprefix(";").lstrip()
        rest = "" if rest.startswith("#") else rest
        lines[first : last + 1] = [before + rest] if (before + rest).strip() else []
    return "\n".join(line for line in lines)


def _checked(text: str) -> str:
    """Give the exercise to the notebook's checks, without showing it."""
    node = ast.parse(text).body[-1]
    lines = text.splitlines()
    head = [*lines[: node.lineno - 1]]
    body = ast.get_source_segment(text, node)
    return "\n".join([*head, f"{CHECK}.add({body});"])


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
    others = sorted(modules - COME_ALONG - sys.stdlib_module_names)
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
