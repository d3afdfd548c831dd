"""The program's text around the call that a frame is in, as a syntax tree."""

import ast
import linecache
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import FrameType
from typing import Any, cast

Span = tuple[int, int, int, int]


@dataclass(frozen=True)
class Source:
    """A file or cell: its lines, and what stands where."""

    lines: list[str]
    tree: ast.Module

    @cached_property
    def at(self) -> Mapping[Span, ast.AST]:
        """The outermost expression, or else statement, that spans a piece of text."""
        found: dict[Span, ast.AST] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.expr | ast.stmt):
                place = span(node)
                if isinstance(node, ast.expr) and not isinstance(found.get(place), ast.expr):
                    found[place] = node
                else:
                    found.setdefault(place, node)
        return found

    @cached_property
    def parents(self) -> Mapping[ast.AST, ast.AST]:
        """What each node is directly inside of."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def text(self, node: ast.AST, instead: Mapping[ast.AST, str] | None = None) -> str:
        """Return the text of a node, with other text in place of some nodes inside it."""
        first, last, begin, end = span(node)
        pieces: list[str] = []
        place = (first, begin)
        for inner in self._replaced(node, instead or {}):
            line, to_line, column, to_column = span(inner)
            pieces += [self._between(place, (line, column)), (instead or {})[inner]]
            place = (to_line, to_column)
        return "".join([*pieces, self._between(place, (last, end))])

    def _replaced(self, node: ast.AST, instead: Mapping[ast.AST, str]) -> Iterator[ast.AST]:
        if node in instead:
            yield node
            return
        for child in sorted(_parts(node), key=lambda child: (span(child)[0], span(child)[2])):
            yield from self._replaced(child, instead)

    def _between(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        (first, begin), (last, stop) = start, end
        lines = [line.encode() for line in self.lines[first - 1 : last]]
        lines[-1] = lines[-1][:stop]
        lines[0] = lines[0][begin:]
        return b"".join(lines).decode()

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node is inside of, from within."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def statement(self, node: ast.AST) -> ast.AST:
        """Return the statement that an expression is part of."""
        inside = (node, *self.above(node))
        return next((outer for outer in inside if isinstance(outer, ast.stmt)), node)


@dataclass(frozen=True)
class Spot:
    """An expression or statement in a source."""

    source: Source
    node: ast.AST

    def with_word(self, name: str, value: str) -> str:
        """Return the text of a call with a keyword argument set, or nothing for no call."""
        if not isinstance(self.node, ast.Call):
            return ""
        for word in self.node.keywords:
            if word.arg == name:
                return self.text({word.value: value})
        start = self.text().rstrip()[:-1].rstrip(", ")
        comma = ", " if self.node.args or self.node.keywords else ""
        return f"{start}{comma}{name}={value})"

    def text(self, instead: Mapping[ast.AST, str] | None = None) -> str:
        """Return its text, with other text in place of some nodes inside it."""
        return self.source.text(self.node, instead)

    @property
    def parent(self) -> ast.AST | None:
        """What it is directly inside of."""
        return self.source.parents.get(self.node)

    @property
    def after(self) -> str:
        """The rest of the line that it ends in."""
        _, last, _, end = span(self.node)
        return self.source.lines[last - 1].encode()[end:].decode()

    def is_inside(self, other: "Spot") -> bool:
        """Tell whether it is part of another, or the same."""
        return self.source is other.source and (
            self.node is other.node or other.node in self.source.above(self.node)
        )


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node consists of and has a place of its own."""
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "lineno"):
            yield child
        else:
            yield from _parts(child)


def span(node: ast.AST) -> Span:
    """Return first and last line, and the columns in bytes, of a node."""
    place = cast(ast.expr, node)
    return place.lineno, place.end_lineno or 0, place.col_offset, place.end_col_offset or 0


_PARSED: dict[str, Source] = {}


def source_of(file: str, names: dict[str, Any]) -> Source | None:
    """Return the syntax tree of a file or cell, or nothing where Python has no text of it."""
    lines = linecache.getlines(file, names)
    known = _PARSED.get(file)
    if known is not None and known.lines is lines:
        return known
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None
    _PARSED[file] = Source(lines, tree)
    return _PARSED[file]


def spot(frame: FrameType) -> Spot | None:
    """Return the expression whose evaluation a frame is in."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if positions is None or None in positions:
        return None
    source = source_of(frame.f_code.co_filename, frame.f_globals)
    node = source and source.at.get(cast(Span, positions))
    return Spot(source, node) if source and node else None


def enclosing(frame: FrameType) -> Iterator[tuple[Source, ast.AST]]:
    """Yield the blocks and the function around the line that a frame is in, from within."""
    source = source_of(frame.f_code.co_filename, frame.f_globals)
    if source is None:
        return
    line = frame.f_lineno
    around = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.With | ast.AsyncWith | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    for node in sorted(around, key=lambda node: -node.lineno):
        yield source, node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
