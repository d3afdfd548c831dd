"""Nodes as strict JSON can hold them, and back."""

import math
from typing import Any

from handgrad.graph.records import Array, Constant, Edge, Node, Number, Saved, Spec

_NAMED = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def node_to_plain(node: Node) -> dict[str, Any]:
    """Write a node with dicts, lists, strings and finite numbers only; leaves out defaults."""
    return _write(node)


def node_from_plain(plain: dict[str, Any]) -> Node:
    """Read what ``node_to_plain`` wrote.

    Raises:
        KeyError: If a field is missing.
        TypeError: If there is one too many.
    """
    fields = dict(plain)
    for name, read in (("outputs", _spec), ("edges", _edge), ("saved", _saved)):
        fields[name] = tuple(read(item) for item in fields.get(name, ()))
    for name in ("values", "gradients"):
        fields[name] = tuple(_array(item) for item in fields.get(name, ()))
    fields["aliases"] = tuple(fields.get("aliases", ()))
    fields["names"] = tuple((*names,) for names in fields.get("names", ()))
    return Node(**fields)


def _write(value: Any) -> Any:
    match value:
        case Array():
            return {"shape": [*value.shape], "dtype": value.dtype, "data": _numbers(value)}
        case Spec() | Saved() | Constant() | Edge() | Node():
            pairs = ((name, getattr(value, name)) for name in value.__dataclass_fields__)
            return {name: _write(item) for name, item in pairs if item is not None and item != ()}
        case tuple():
            return [_write(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def _numbers(array: Array) -> list[Any]:
    return [
        [_number(n.real), _number(n.imag)] if isinstance(n, complex) else _number(n)
        for n in array.data
    ]


def _number(value: float) -> float | str:
    """Strict JSON has no nan and no infinities."""
    return value if math.isfinite(value) else str(value)


def _read(value: Any) -> Number:
    if isinstance(value, list):
        return complex(*map(_real, value))  # pyright: ignore[reportUnknownArgumentType]
    return _real(value)


def _real(value: Any) -> float:
    return _NAMED[value] if isinstance(value, str) else value


def _array(plain: dict[str, Any] | None) -> Array | None:
    if plain is None:
        return None
    data = tuple(_read(value) for value in plain["data"])
    return Array(shape=tuple(plain["shape"]), dtype=plain["dtype"], data=data)


def _spec(plain: dict[str, Any] | None) -> Spec | None:
    if plain is None:
        return None
    fields = dict(plain)
    fields["shape"] = tuple(fields.get("shape", ()))
    return Spec(**fields)


def _saved(plain: dict[str, Any]) -> Saved:
    fields = dict(plain)
    fields["spec"] = _spec(fields.get("spec"))
    return Saved(**fields)


def _constant(plain: dict[str, Any] | None) -> Constant | None:
    if plain is None:
        return None
    fields = dict(plain)
    fields["spec"], fields["value"] = _spec(fields.get("spec")), _array(fields.get("value"))
    return Constant(**fields)


def _edge(plain: dict[str, Any]) -> Edge:
    fields = dict(plain)
    fields.setdefault("source", None)
    for name in ("local", "flow"):
        fields[name] = _array(fields.get(name))
    fields["rest"] = tuple(_array(item) for item in fields.get("rest", ()))
    fields["constant"] = _constant(fields.get("constant"))
    return Edge(**fields)
