"""Plant one small fault at a time in a module's syntax tree.

Docstrings, annotations and ``if TYPE_CHECKING`` are left alone, and the ``strict`` of a
``zip``, which changes nothing while it holds; all else may be wrong: operators, constants,
words, conditions, arguments, returned values, left out statements.
"""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitAnd: (ast.BitOr,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
Where = tuple[tuple[str, int | None], ...]
FOR_READERS = r"__all__ =|\w+ = (Literal|Callable|Mapping|Iterable|Sequence)\["
OTHER = {ast.Break: ast.Continue, ast.Continue: ast.Break}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: where it is, what it does, and how to make the whole tree that has it.

    ``within`` is the outermost function whose body has it; "" if it is in none.
    """

    module: str
    function: str
    within: str
    line: int
    last: int
    change: str
    tree: Callable[[], ast.Module]

    @property
    def name(self) -> tuple[str, str, str]:
        """What the list of equivalents calls it."""
        return self.module, self.function, self.change


def mutants(module: str, path: Path) -> Iterator[Mutant]:
    """Make every mutant of one file, in the order of its lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen: Counter[tuple[str, str]] = Counter()
    for where, node, function in _sites(tree):
        for change, replace in _changes(node):
            seen[function, change] += 1
            again = seen[function, change]
            told = f"{change} ({again})" if again > 1 else change
            changed = partial(_changed, tree, where, replace)
            first = node.target if isinstance(node, ast.comprehension) else node
            line = getattr(first, "lineno", 1)
            last = getattr(first, "end_lineno", line)
            yield Mutant(module, function, _within(tree, where), line, last, told, changed)


def _within(tree: ast.Module, where: Where) -> str:
    """Name the outermost function whose body the way leads through."""
    node: ast.AST = tree
    names: list[str] = []
    for field, position in where:
        if isinstance(node, ast.FunctionDef):
            return ".".join(names) if field == "body" else ""
        held = getattr(node, field)
        node = held if position is None else held[position]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
    return ""


def _sites(tree: ast.Module) -> Iterator[tuple[Where, ast.AST, str]]:
    """Walk all nodes that may be changed, with the way to each and the function around it."""
    stack: list[tuple[Where, ast.AST, str]] = [((), tree, "")]
    while stack:
        where, node, function = stack.pop()
        if where:
            yield where, node, function
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
        below = [
            ((*where, (field, position)), child, function)
            for field, position, child in _children(node)
        ]
        stack.extend(reversed(below))


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "type_params", "decorator_list", "bases"}:
            continue
        if isinstance(value, ast.AST):
            yield field, None, value
        elif isinstance(value, list):
            for position, child in enumerate(value):
                if isinstance(child, ast.AST) and not _left_alone(child):
                    yield field, position, child


def _left_alone(node: ast.AST) -> bool:
    """Say whether a node is a docstring, an import, a zip's strict or only for a type checker."""
    if isinstance(node, ast.keyword) and node.arg == "strict":
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(node, ast.Assign) and re.match(FOR_READERS, ast.unparse(node)):
        return True
    return isinstance(node, ast.Import | ast.ImportFrom)


def _changed(tree: ast.Module, where: Where, replace: Callable[[ast.AST], ast.AST]) -> ast.Module:
    tree = copy.deepcopy(tree)
    above: ast.AST = tree
    for field, position in where[:-1]:
        held = getattr(above, field)
        above = held if position is None else held[position]
    field, position = where[-1]
    held = getattr(above, field)
    new = replace(held if position is None else held[position])
    if position is None:
        setattr(above, field, new)
    else:
        held[position] = new
    return ast.fix_missing_locations(tree)


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], ast.AST]]]:
    """Say in which ways a node can be wrong: words for each, and what makes the change."""

    def told(new: ast.AST) -> tuple[str, Callable[[ast.AST], ast.AST]]:
        placed = ast.fix_missing_locations(ast.copy_location(new, node))
        return _told(node, placed), lambda old: ast.copy_location(copy.deepcopy(placed), old)

    for new in _wrong(node):
        yield told(new)


def _told(node: ast.AST, new: ast.AST) -> str:
    if isinstance(node, ast.Call) and isinstance(new, ast.Call):
        (gone,) = (word for word in node.keywords if word.arg not in {k.arg for k in new.keywords})
        return f"{_short(node.func)}(…) without {_short(gone)}"
    return f"{_short(node)} → {_short(new)}"


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:50]} … {text[-17:]}"


def _wrong(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left, [op], right):
            yield from (ast.Compare(left, [new()], right) for new in SWAPS.get(type(op), ()))  # type: ignore[list-item]
        case ast.BinOp(left, op, right):
            yield from (ast.BinOp(left, new(), right) for new in SWAPS.get(type(op), ()))  # type: ignore[arg-type]
        case ast.BoolOp(op, values):
            yield from (ast.BoolOp(new(), values) for new in SWAPS[type(op)])  # type: ignore[arg-type]
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield operand
        case ast.If(test, body, orelse) | ast.While(test, body, orelse) if _whole(test):
            yield type(node)(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test, body, orelse) if _whole(test):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.comprehension(target, items, [_, *_], is_async):
            yield ast.comprehension(target, items, [], is_async)
        case ast.Call(func, args, [_, *_] as keywords):
            for k in (k for k, word in enumerate(keywords) if not _left_alone(word)):
                yield ast.Call(func, args, keywords[:k] + keywords[k + 1 :])
        case ast.Return(ast.AST() as value) if not _is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call() | ast.Yield() | ast.YieldFrom()) | ast.AugAssign() | ast.Raise():
            yield ast.Pass()
        case ast.Break() | ast.Continue():
            yield OTHER[type(node)]()
        case ast.Constant(value):
            yield from _wrong_constant(value)


def _whole(test: ast.expr) -> bool:
    """Say whether a condition has no operator of its own that is changed anyway."""
    single = isinstance(test, ast.Compare) and len(test.ops) == 1
    return not (single or isinstance(test, ast.BoolOp))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _wrong_constant(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str):
        yield ast.Constant(f"{value}?")
