"""What can stand in for a comparison, a position or an index, so that a slope is kept.

A comparison's stand-in is a weight between 0 and 1, a position's one weight for each
place. Where they are used, what uses them has to be written differently as well: a
selection becomes a weighted sum.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from handgrad.diagnosing.watching.rewrite import instead, pair
from handgrad.diagnosing.watching.source import Spot

Kind = Literal["mask", "weights", "real"]


@dataclass(frozen=True, kw_only=True)
class Soft:
    """What stands in for an expression.

    Attributes:
        kind: A ``mask`` has weights from 0 to 1, ``weights`` one for each position in
            a last axis more, a ``real`` number is where an integer was.
        spot: The expression.
        text: What stands in its place.
        dtype: The dtype of that.
        column: Whether the expression has an axis of length 1 at its end.
        carried: Whether it came through what used another one.
        others: Pairs for other lines that must change as well.
    """

    kind: Kind
    spot: Spot
    text: str
    dtype: str
    column: bool = False
    carried: bool = False
    others: tuple[str, ...] = ()


def begin(operation: str, spot: Spot, tensor: torch.Tensor) -> Soft | None:
    """Return what can stand in for the result of an operation on a tensor, if anything can."""
    node = spot.node
    dtype = str(tensor.dtype).removeprefix("torch.")
    if operation.strip("_") in COMPARISONS:
        text = instead(spot.text(), operation).partition("\n")[2]
        return Soft(kind="mask", spot=spot, text=text, dtype=dtype) if text else None
    if not isinstance(node, ast.Call):
        return None
    if operation in ("argmax", "argmin"):
        return _weights(operation, spot, tensor, dtype)
    if operation in INTEGER or operation in ("to", "type"):
        inner = _unrounded(_subject(node))
        text = inner and _operand(spot, inner, {})
        return Soft(kind="real", spot=spot, text=text, dtype=dtype) if text else None
    return None


COMPARISONS = frozenset(
    ("gt", "lt", "ge", "le", "eq", "greater", "less", "greater_equal", "less_equal", "isclose")
)
INTEGER = frozenset(["long", "int", "short", "char", "byte"])
ROUNDING = frozenset(["round", "floor", "ceil", "trunc"])


def _weights(operation: str, spot: Spot, tensor: torch.Tensor, dtype: str) -> Soft | None:
    """One weight for each position: the largest of them is near 1."""
    call = spot.node
    assert isinstance(call, ast.Call)
    subject = _subject(call)
    if subject is None:
        return None
    words = {word.arg: word.value for word in call.keywords}
    plain = call.args if _is_method(call) else call.args[1:]
    axis = plain[0] if plain else words.get("dim")
    x = _operand(spot, subject, {})
    x = f"(-{x})" if operation == "argmin" else x
    column = any(
        isinstance(kept, ast.Constant) and kept.value is True
        for kept in [*plain[1:2], words.get("keepdim")]
    )
    if axis is None or (isinstance(axis, ast.Constant) and axis.value is None):
        flat = x if tensor.dim() == 1 else f"{x}.flatten()"
        return Soft(kind="weights", spot=spot, text=f"{flat}.softmax(0)", dtype=dtype)
    text = f"{x}.softmax({spot.source.text(axis)})"
    try:
        number = int(ast.literal_eval(axis)) % tensor.dim()
    except (ValueError, TypeError):
        return None
    if number != tensor.dim() - 1:
        if column:
            return None
        text = f"{text}.movedim({number}, -1)"
    return Soft(kind="weights", spot=spot, text=text, dtype=dtype, column=column)


def of_values(operation: str, spot: Spot | None, tensor: torch.Tensor) -> Soft | None:
    """Return what can stand in for the positions that ``max(dim)`` gives beside values."""
    if operation not in ("max", "min") or spot is None or not isinstance(spot.node, ast.Call):
        return None
    source, call = spot.source, spot.node
    dtype = str(tensor.dtype).removeprefix("torch.")
    found = _weights(f"arg{operation}", spot, tensor, dtype)
    if found is None or found.column:
        return None
    above = spot.parent
    taken = isinstance(above, ast.Attribute) and above.attr == "indices"
    if isinstance(above, ast.Subscript):
        taken = source.text(above.slice) in ("1", "-1")
    if taken and above is not None:
        return replace(found, spot=Spot(source, above))
    if isinstance(above, ast.Assign) and isinstance(above.targets[0], ast.Tuple):
        return replace(found, text=f"({source.text(call)}.values, {found.text})")
    return None


def follow(operation: str, spot: Spot, given: Sequence[Soft], args: Sequence[Any]) -> Any:
    """Carry stand-ins through what uses them.

    Returns:
        A Soft for the result, or the pairs of lines that keep the slope, or an
        empty tuple where the use admits none; None where the stand-in serves as it is.
    """
    inside = {soft.spot.node: f"({soft.text})" for soft in given if soft.spot.is_inside(spot)}
    others = tuple(
        dict.fromkeys(
            line
            for soft in given
            for line in (
                *soft.others,
                *((pair(soft.spot.text(), soft.text),) if soft.spot.node not in inside else ()),
            )
        )
    )
    use = _Use(operation=operation, spot=spot, soft=given[0], inside=inside, args=args)
    found = use.mask() if given[0].kind == "mask" else use.position()
    if isinstance(found, Soft):
        return replace(found, carried=True, others=others)
    if found is None:  # what was carried so far serves
        return _carried(given)
    if found == "":
        return ()
    node, text = (spot.node, found) if isinstance(found, str) else found
    pairs = [*others, pair(spot.source.text(node), text)]
    return tuple(pairs) if all(pairs) else ()


def _carried(given: Sequence[Soft]) -> tuple[str, ...] | None:
    """Return the pairs of stand-ins that have come through other lines or calls."""
    pairs = [
        line
        for soft in given
        if soft.carried
        for line in (*soft.others, pair(soft.spot.text(), soft.text))
    ]
    return tuple(dict.fromkeys(pairs)) if pairs else None


@dataclass(frozen=True, kw_only=True)
class _Use:
    """One use of a stand-in: the operation, where it stands, and what it was given."""

    operation: str
    spot: Spot
    soft: Soft
    inside: Mapping[ast.AST, str]
    args: Sequence[Any]

    def text(self, node: ast.AST) -> str:
        """Return an operand's text, with the stand-in where it is part of it."""
        return _operand(self.spot, node, self.inside)

    def result(self, text: str, kind: Kind | None = None) -> Soft:
        return replace(self.soft, spot=self.spot, text=text, kind=kind or self.soft.kind)

    def mask(self) -> Any:
        """Use weights from 0 to 1 where there was a choice."""
        node, name = self.spot.node, self.operation.strip("_")
        parts = _parts(node)
        if name in ("bitwise_not", "logical_not", "invert") and len(parts) == 1:
            return self.result(f"1 - {self.text(parts[0])}")
        if name in ("bitwise_and", "logical_and", "and") and len(parts) == 2:
            return self.result(f"{self.text(parts[0])} * {self.text(parts[1])}")
        if name in ("bitwise_or", "logical_or", "or") and len(parts) == 2:
            a, b = map(self.text, parts)
            return self.result(f"{a} + {b} - {a} * {b}")
        if name in ("float", "double", "half", "to", "type", *INTEGER) and parts:
            return self.result(self.text(parts[0]))
        if name == "where" and len(parts) == 3:
            m, a, b = map(self.text, self._where(parts))
            return f"({m} * {a} + (1 - {m}) * {b})"
        if name in ("masked_fill",) and len(parts) == 3:
            x, m, value = map(self.text, parts)
            return f"({x} * (1 - {m}) + {value} * {m})"
        if name == "getitem" and isinstance(node, ast.Subscript):
            return self._selected(node.value, node.slice)
        if name == "masked_select" and len(parts) == 2:
            return self._selected(*parts)
        if name == "setitem":
            return self._written()
        if name in ("bool", "nonzero", "masked_fill_", "where", "any", "all", "getitem", "item"):
            return ""
        return None

    def _where(self, parts: list[ast.expr]) -> list[ast.expr]:
        """Return condition, and what is taken where it holds and where not."""
        call = self.spot.node
        if isinstance(call, ast.Call) and _is_method(call):
            return [parts[1], parts[0], parts[2]]
        return parts

    def _selected(self, value: ast.expr, index: ast.expr) -> Any:
        x, mask = self.args[0], self.args[1]
        if not isinstance(mask, torch.Tensor) or mask.dtype is not torch.bool:
            return ""
        m, name = self.text(index), self.text(value)
        more = x.dim() - mask.dim()
        if more:
            m = f"{m}[..., {', '.join(['None'] * more)}]"
        product = f"({m} * {name})"
        node, reduction, words = self._reduced()
        if reduction == "mean":
            whole = f"{m}.expand_as({name})" if more else m
            return node, f"({product}.sum({words}) / {whole}.sum({words}))"
        if reduction == "sum":
            return node, f"{product}.sum({words})"
        return product

    def _reduced(self) -> tuple[ast.AST, str, str]:
        """Return the call that reduces the selection at once, its name and its arguments."""
        parents, node = self.spot.source.parents, self.spot.node
        above = parents.get(node)
        call = parents.get(above) if isinstance(above, ast.Attribute) else above
        if not isinstance(call, ast.Call):
            return node, "", ""
        function, words = call.func, [*call.args, *(word.value for word in call.keywords)]
        name = function.attr if isinstance(function, ast.Attribute) else ""
        if above is call and (not words or words[0] is not node):
            return node, "", ""
        rest = words[1:] if above is call else words
        text = ", ".join(map(self.spot.source.text, rest))
        return (call, name, text) if name in ("mean", "sum") else (node, "", "")

    def _written(self) -> Any:
        """``x[mask] = value``."""
        statement = self.spot.source.statement(self.spot.node)
        match statement:
            case ast.Assign(targets=[ast.Subscript(value=x, slice=index)], value=value):
                name, m, new = self.text(x), self.text(index), self.text(value)
                return statement, f"{name} = {name} * (1 - {m}) + {new} * {m}"
            case _:
                return ""

    def position(self) -> Any:
        """Weigh all places where one was looked up."""
        node, name = self.spot.node, self.operation.strip("_")
        parts = _parts(node)
        if name in ("long", "int", "to", "type") and parts:
            return self.result(self.text(parts[0]))
        if name == "eq" and len(parts) == 2:
            return self._compared(parts)
        if name == "embedding":
            return self._embedded()
        if name == "one_hot" and len(parts) == 2:
            return self._each(self._weights(self.text(parts[0]), self.text(parts[1])))
        if name == "getitem" and isinstance(node, ast.Subscript):
            return self._looked_up(node)
        if name == "unsqueeze" and len(parts) == 2 and self.soft.kind == "weights":
            last = self.spot.source.text(parts[1]) in ("-1", str(self.args[0].dim()))
            return replace(self.result(self.text(parts[0])), column=True) if last else ""
        if name in ("index_select", "gather") and len(parts) == 3:
            return self._along(name, parts)
        if name == "take" and len(parts) == 2:
            return self._table(parts[0], self.args[0], parts[1])
        return "" if name in ("scatter", "scatter_", "index_add_", "bincount", "setitem") else None

    def _weights(self, text: str, count: str) -> str:
        """Return the weight of each of so many places."""
        if self.soft.kind == "weights":
            return text
        return f"torch.softmax(-({text}.unsqueeze(-1) - torch.arange({count})) ** 2, -1)"

    def _each(self, weights: str) -> str:
        return f"{weights}.unsqueeze(-2)" if self.soft.column else weights

    def _compared(self, parts: list[ast.expr]) -> Any:
        """A hit or a miss of the most likely class becomes the probability of the right one."""
        if self.soft.kind != "weights" or self.soft.column:
            return None
        found, other = parts
        if found not in self.inside and any(part in self.inside for part in parts):
            found, other = other, found
        kind: Any = self.args[1] if len(self.args) > 1 else None
        if isinstance(kind, torch.Tensor) and kind.dim():
            text = f"{self.text(found)}.gather(-1, {self.text(other)}.unsqueeze(-1)).squeeze(-1)"
        else:
            text = f"{self.text(found)}[..., {self.spot.source.text(other)}]"
        return self.result(text, "mask")

    def _embedded(self) -> Any:
        call = self.spot.node
        if not isinstance(call, ast.Call) or not call.args:
            return ""
        if len(call.args) > 1:  # F.embedding(index, table)
            return self._table(call.args[1], self.args[1], call.args[0])
        return self._table(call.func, self.args[1], call.args[0], ".weight")

    def _table(self, table: ast.expr, tensor: torch.Tensor, index: ast.expr, end: str = "") -> str:
        name = self.text(table) + end
        weights = self._each(self._weights(self.text(index), f"len({name})"))
        dtype = str(tensor.dtype).removeprefix("torch.")
        if dtype != self.soft.dtype:
            name = f"{name}.to(torch.{self.soft.dtype})"
        return (
            f"({weights} @ {name})"
            if tensor.dim() < 3
            else f"torch.tensordot({weights}, {name}, 1)"
        )

    def _looked_up(self, node: ast.Subscript) -> Any:
        if isinstance(self.args[0], torch.Tensor) and not self.args[0].is_floating_point():
            end = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) else None
            if isinstance(end, ast.Constant) and end.value is None and self.soft.kind == "weights":
                return replace(self.result(self.text(node.value)), column=True)
        if isinstance(node.slice, ast.Tuple):
            return self._picked(node, node.slice.elts)
        return self._table(node.value, self.args[0], node.slice)

    def _picked(self, node: ast.Subscript, index: list[ast.expr]) -> str:
        """``x[torch.arange(n), i]`` picks one of each row."""
        rows = len(index) == 2 and "arange" in self.spot.source.text(index[0])
        if not rows or self.soft.kind != "weights" or self.args[0].dim() != 2:
            return ""
        return f"({self.text(index[1])} * {self.text(node.value)}).sum(-1)"

    def _along(self, name: str, parts: list[ast.expr]) -> str:
        x, axis, index = parts
        number = self.spot.source.text(axis)
        tensor = self.args[0]
        if name == "index_select":
            return self._table(x, tensor, index) if number == "0" else ""
        if number not in ("-1", str(tensor.dim() - 1)) or not self.soft.column:
            return ""
        return f"({self.text(index)} * {self.text(x)}).sum(-1, keepdim=True)"


def _operand(spot: Spot, node: ast.AST, inside: Mapping[ast.AST, str]) -> str:
    text = spot.source.text(node, inside)
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant)
    return text if simple or node in inside else f"({text})"


def _is_method(call: ast.Call) -> bool:
    function = call.func
    return isinstance(function, ast.Attribute) and ast.unparse(function.value) not in LIBRARIES


LIBRARIES = ("torch", "F", "torch.nn.functional", "nn.functional", "np", "numpy", "math")


def _subject(call: ast.Call) -> ast.expr | None:
    """Return the tensor of ``x.f()`` or ``torch.f(x)``."""
    if _is_method(call):
        assert isinstance(call.func, ast.Attribute)
        return call.func.value
    return call.args[0] if call.args else None


def _unrounded(node: ast.expr | None) -> ast.expr | None:
    """Return what is rounded: a rounded number has no slope either."""
    while isinstance(node, ast.Call):
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr not in ROUNDING:
            break
        node = _subject(node)
    return node


def _parts(node: ast.AST) -> list[ast.expr]:
    """Return the operands of an expression, the tensor of a method first."""
    match node:
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.Compare(left=left, comparators=[right]):
            return [left, right]
        case ast.Call(func=function, args=args, keywords=words):
            first = (
                [function.value] if _is_method(node) and isinstance(function, ast.Attribute) else []
            )
            return [*first, *args, *(word.value for word in words)]
        case _:
            return []
