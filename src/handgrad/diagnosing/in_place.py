"""Which tensor was changed in place after the graph had saved it, and where."""

import ast
import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch

from handgrad.diagnosing.findings import Findings
from handgrad.tracing import torch_private
from handgrad.tracing.lines import line

VIEWS = frozenset(
    ("T", "Transpose", "Permute", "View", "Unsqueeze", "Squeeze", "Expand", "Alias")
).union(("Select", "Slice", "AsStrided", "Diagonal", "Unfold", "Split", "Unbind", "ReshapeAlias"))
"""Operations whose result lies on the memory of their input, and counts its changes."""

FEW = 64
"""How many changes in place are followed back."""


@dataclass(frozen=True, slots=True)
class Change:
    """A saved tensor that was changed since.

    Attributes:
        key: The operation that had saved it.
        name: What the caller calls it, if that is known.
        tensor: The tensor, if it is known.
        says: What torch says of it.
        line: The line that changed it, if anomaly mode noted it.
    """

    key: int
    name: str | None
    tensor: torch.Tensor | None
    says: str
    line: str | None = None


def changes(findings: Findings) -> list[Change]:
    """List what was changed in place after it was saved, the nearest to the loss first."""
    return [
        _change(findings, key, name, says)
        for key, (name, says) in sorted(findings.kept.mutated.items())
    ]


def _change(findings: Findings, key: int, saved: str, says: str) -> Change:
    match = re.search(
        r"(\[torch\.\w+ \[([\d, ]*)\]\].*?),? is at version (\d+); expected version (\d+)", says
    )
    told = says.split(" Hint:")[0]
    if match is None:
        return Change(key, None, None, told)
    shape = tuple(int(n) for n in match[2].split(",") if n.strip())
    version = int(match[3])
    told = f"it is at version {version} where version {match[4]} was saved"
    for place, viewed in _places(findings, key, saved):
        for tensor in _at(findings, place):
            alike = viewed or tuple(tensor.shape) == shape
            if alike and torch_private.version(tensor) == version:
                line = _line(tensor, findings.walk.live[place])
                return Change(key, findings.known.called(tensor), tensor, told, line)
    return Change(key, None, None, f"{match[1]}: {told}")


def _places(findings: Findings, key: int, saved: str) -> Iterator[tuple[int, bool]]:
    """List the nodes whose output the saved tensor may be, and whether it may be a view of it."""
    if saved.startswith("result"):
        yield key, False
    edges = findings.walk.structure.edges
    waiting = [(source, False) for source, _ in edges(key) if source >= 0]
    while waiting:
        here, viewed = waiting.pop(0)
        yield here, viewed
        if findings.op(here) in VIEWS:
            waiting += [(source, True) for source, _ in edges(here) if source >= 0]


def _at(findings: Findings, key: int) -> Iterator[torch.Tensor]:
    """List the tensors in sight that a node made, before they were changed in place."""
    node = findings.walk.live[key]
    if torch_private.is_leaf(node):
        yield torch_private.variable(node)
        return
    for _, tensor in findings.known:
        if node in _history(tensor):
            yield tensor


def _history(tensor: torch.Tensor) -> Iterator[Any]:
    """Follow a tensor back through the changes that were made to it in place."""
    try:
        node = tensor.grad_fn
    except RuntimeError:
        return
    for _ in range(FEW):
        if node is None:
            return
        yield node
        node = node.next_functions[0][0] if node.next_functions else None


def _line(tensor: torch.Tensor, before: Any) -> str | None:
    """Return the line that changed a tensor, if it was recorded in anomaly mode."""
    nodes = list(_history(tensor))
    if not nodes or nodes[0] is before:
        return None
    return line(torch_private.traceback(nodes[0]))


def statements(name: str, frame: FrameType) -> list[tuple[int, str, str]]:
    """List the statements of the caller's code that change a name in place.

    Returns:
        Line, text, and what to write instead, "" where only a copy beforehand helps.
    """
    code = frame.f_code
    source = "".join(linecache.getlines(code.co_filename, frame.f_globals))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    lines = [line for _, _, line in code.co_lines() if line]
    found: list[tuple[int, str, str]] = []
    for node in ast.walk(tree):
        number = getattr(node, "lineno", 0)
        if not lines or not min(lines) <= number <= max(lines):
            continue
        better = _instead(node, name, source)
        if better is not None:
            text = ast.get_source_segment(source, node) or ""
            if text and "\n" not in text:
                found.append((number, text, better))
    return found


_OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.MatMult: "@",
}


def _instead(node: ast.AST, name: str, source: str) -> str | None:
    """Return what to write instead of a change of a name; None if the node is none."""
    if isinstance(node, ast.AugAssign):
        sign = next((sign for kind, sign in _OPERATORS.items() if isinstance(node.op, kind)), None)
        value = ast.get_source_segment(source, node.value)
        if ast.unparse(node.target) == name and sign and value:
            return f"{name} = {name} {sign} {_wrapped(node.value, value)}"
        return "" if _is_part(node.target, name) else None
    if isinstance(node, ast.Assign):
        return "" if any(_is_part(target, name) for target in node.targets) else None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        if isinstance(function, ast.Attribute) and re.search(r"[a-z]_$", function.attr):
            inside = [ast.unparse(arg) for arg in node.value.args]
            inside += [f"{word.arg}={ast.unparse(word.value)}" for word in node.value.keywords]
            if ast.unparse(function.value) == name:
                return f"{name} = {name}.{function.attr[:-1]}({', '.join(inside)})"
            return "" if _is_part(function.value, name) else None
    return None


def _wrapped(node: ast.expr, text: str) -> str:
    simple = isinstance(node, ast.Name | ast.Constant | ast.Call | ast.Attribute | ast.Subscript)
    return text if simple else f"({text})"


def _is_part(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node.value) == name
