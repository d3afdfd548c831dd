"""What is copied into parameters, and how to compute with it instead."""

import ast
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from handgrad.diagnosing.watching.rewrite import pair
from handgrad.diagnosing.watching.source import Source, Spot


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Numbers that were copied into parameters.

    Attributes:
        place: The key of the event.
        variable: The name that the numbers get in the repair.
        pair: The pair of lines that gives it to them.
        target: The parameter; None where a whole module was loaded.
        switch: The pair that keeps gradient mode on there, if it was off.
    """

    place: object
    variable: str
    pair: str
    target: "weakref.ref[torch.Tensor] | None"
    switch: str = ""


def copied(
    name: str, spot: Spot | None, target: torch.Tensor, place: object, switch: str
) -> Copy | None:
    """Return what a line copies, if it can be written differently."""
    found = None if spot is None else _assignment(name, spot)
    if found is None:
        return None
    old, variable, value, whole = found
    said = pair(old, f"{variable} = {value}")
    if not said:
        return None
    kept = None if whole else weakref.ref(target)
    return Copy(place=place, variable=variable, pair=said, target=kept, switch=switch)


def _assignment(name: str, spot: Spot) -> tuple[str, str, str, bool] | None:
    """Return a line's text, a variable's name, what it is to be, and whether it is a module's."""
    source, node = spot.source, spot.node
    statement = source.statement(node)
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="load_state_dict"), args=[given, *_]):
            return spot.text(), _plain(source.text(owner), "weights"), source.text(given), True
        case ast.Call(
            args=[vector, ast.Call(func=ast.Attribute(value=owner, attr="parameters"))]
        ) if name == "vector_to_parameters":
            model, v = source.text(owner), source.text(vector)
            sizes = f"[p.numel() for p in {model}.parameters()]"
            zipped = f"zip({model}.named_parameters(), {v}.split({sizes}))"
            return (
                spot.text(),
                _plain(model, "weights"),
                f"{{name: part.view_as(p) for (name, p), part in {zipped}}}",
                True,
            )
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=[value, *_]) if (
            isinstance(statement, ast.Expr) and statement.value is node and method.endswith("_")
        ):
            new = source.text(value)
            if method not in ("copy_", "set_"):
                new = source.text(node).replace(f".{method}(", f".{method[:-1]}(", 1)
            return spot.text(), _plain(_data_off(source, owner)), new, False
        case _:
            return _statement(source, statement)


_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def _statement(source: Source, statement: ast.AST) -> tuple[str, str, str, bool] | None:
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=owner, attr="data")], value=value):
            return source.text(statement), _plain(source.text(owner)), source.text(value), False
        case ast.AugAssign(target=target, op=op, value=value):
            sign = _SIGNS.get(type(op))
            if sign is None or isinstance(target, ast.Subscript):
                return None
            new = f"{_data_off(source, target)} {sign} ({source.text(value)})"
            return source.text(statement), _plain(_data_off(source, target)), new, False
        case _:
            return None


def _data_off(source: Source, node: ast.AST) -> str:
    """Return the text of what ``.data`` is asked of, or of what it is, before other methods."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    if isinstance(node, ast.Attribute) and node.attr == "data":
        return source.text(node.value)
    return source.text(node)


def _plain(text: str, end: str = "") -> str:
    """Make one name of a dotted one; a tensor that has one keeps it."""
    name = "_".join([*re.findall(r"\w+", text.removeprefix("self.")), *([end] if end else [])])
    return name if name.isidentifier() else f"_{name}"


def called(copies: list[Copy], module: torch.nn.Module, spot: Spot) -> Iterator[tuple[object, str]]:
    """Yield, for each copy into a module that a line calls, the event's key and the repair."""
    call = spot.node
    if not isinstance(call, ast.Call):
        return
    names = {id(p): name for name, p in module.named_parameters()}
    used: list[Copy] = []
    entries: list[str] = []
    for copy in copies:
        target = copy.target and copy.target()
        if copy.target is None:
            entries.append(f"**{copy.variable}")
        elif target is not None and id(target) in names:
            entries.append(f"{names[id(target)]!r}: {copy.variable}")
        else:
            continue
        used.append(copy)
    if not used:
        return
    weights = f"{{{', '.join(entries)}}}"
    if len(entries) == 1 and entries[0].startswith("**"):
        weights = entries[0].removeprefix("**")
    function, given = spot.source.text(call.func), _given(spot, call)
    line = pair(spot.text(), f"torch.func.functional_call({function}, {weights}, {given})")
    for copy in used:
        yield copy.place, "\n".join(filter(None, [copy.pair, copy.switch, line])) if line else ""


def _given(spot: Spot, call: ast.Call) -> str:
    """Return the arguments of a call as ``functional_call`` takes them."""
    args = ", ".join(map(spot.source.text, call.args))
    words = ", ".join(f"{word.arg!r}: {spot.source.text(word.value)}" for word in call.keywords)
    together = f"({args},)" if len(call.args) == 1 else f"({args})"
    return f"{together}, {{{words}}}" if words else together


def is_parameter(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor is one that training is to change."""
    return isinstance(tensor, torch.nn.Parameter) or (tensor.is_leaf and tensor.requires_grad)


def target_name(spot: Spot | None, name: str) -> str:
    """Return the text of what is written into."""
    if spot is None:
        return ""
    source, node = spot.source, spot.node
    statement = source.statement(node)
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=owner, attr="data")]):
            return source.text(owner)
        case ast.AugAssign(target=target):
            return _data_off(source, target)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=method))):
            return _data_off(source, owner) if method.endswith("_") else source.text(owner)
        case _:
            return ""
