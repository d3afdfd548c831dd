"""The third stage of a trace: what the user calls the tensors of a graph, and where they stand."""

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

import torch
from torch import nn

from handgrad.errors import KindError, MutatedGraphError, NameClashError
from handgrad.tracing import torch_private
from handgrad.tracing.discovery import Discovery
from handgrad.tracing.live import maker
from handgrad.tracing.structure import Walk

Named = list[tuple[str, torch.Tensor]]
Place = tuple[int, int]
"""A node's number and the number of one of its outputs."""
Words = Mapping[Place, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Where named tensors stand in a graph.

    Attributes:
        tensors: The tensor at each place that has a name.
        words: All its names, the first to be shown.
        constants: Named tensors that require no gradient.
        strangers: Names of tracked tensors that the graph does not have.
    """

    tensors: Mapping[Place, torch.Tensor]
    words: Words
    constants: Named
    strangers: Sequence[str]


def collect(names: Any, frame: FrameType | None) -> Named:
    """List named tensors: those given, or else the variables of a frame.

    Raises:
        KindError: If ``names`` is no mapping, module or list of pairs, or holds
            something that is not a tensor.
        NameClashError: If one name is given to two tensors.
    """
    if names is None:
        return _variables(frame)
    if isinstance(names, nn.Module):
        return _module(names, "")
    if isinstance(names, Mapping):
        pairs: list[Any] = list(cast(Mapping[Any, Any], names).items())
    elif isinstance(names, Iterable) and not isinstance(names, str | torch.Tensor):
        pairs = list(cast(Iterable[Any], names))
    else:
        raise KindError(_not_names(names))
    return _checked(pairs, names)


def _checked(pairs: list[Any], names: Any) -> Named:
    named: dict[str, torch.Tensor] = {}
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(cast(tuple[Any, ...], pair)) != 2:
            raise KindError(_not_names(names))
        name, tensor = cast(tuple[Any, Any], pair)
        if not isinstance(name, str) or not name.strip():
            raise KindError(
                f"A name must be a word, not {name!r}. Give names as in "
                'trace(loss, names={"w": w}).'
            )
        if not isinstance(tensor, torch.Tensor):
            raise KindError(
                f"The name {name!r} was given to an object of type {type(tensor).__name__}, but "
                "only tensors have a place in a graph. Leave it out, or give the tensor: "
                f'names={{"{name}": tensor}}.'
            )
        if name in named and named[name] is not tensor:
            raise NameClashError(
                f"The name {name!r} was given to two tensors, of shapes "
                f"{tuple(named[name].shape)} and {tuple(tensor.shape)}. Rename one of them."
            )
        named[name] = tensor
    return list(named.items())


def _not_names(names: object) -> str:
    return (
        f"Names cannot be read from an object of type {type(names).__name__}. Give a mapping from "
        'name to tensor, as in trace(loss, names={"w": w}), a torch.nn.Module, or nothing to use '
        "the variables where trace() is called."
    )


def _variables(frame: FrameType | None) -> Named:
    """List the tensors and modules that the caller's variables name; private names are not."""
    named: Named = []
    for name, value in scope(frame).items() if frame else ():
        if name.startswith("_") or not name.isidentifier():
            continue
        kind = type(cast(object, value))  # isinstance() asks it, and a dead proxy raises
        if issubclass(kind, torch.Tensor):
            named.append((name, value))
        elif issubclass(kind, nn.Module) and hasattr(value, "training"):  # else not yet made
            named.extend(_module(value, name))
    return named


def scope(frame: FrameType) -> dict[str, Any]:
    """Return what the names in a frame stand for, and leave no trace in the frame.

    Until Python 3.12 a function's ``f_locals`` is a copy that the frame keeps: it
    would hold every tensor in it, and so all activations, until the function returns.
    """
    local = frame.f_locals
    everything = {**frame.f_globals, **local}
    if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        local.clear()
    return everything


def _module(module: nn.Module, prefix: str) -> Named:
    """List parameters and buffers by their full names, tied ones under each name."""
    parameters = module.named_parameters(prefix, remove_duplicate=False)
    return [*parameters, *module.named_buffers(prefix, remove_duplicate=False)]


def place(named: Named, graph: Discovery | Walk) -> Names:
    """Find the node and output of each named tensor; by identity, never by value."""
    tensors: dict[Place, torch.Tensor] = {}
    words: dict[Place, list[str]] = {}
    constants: Named = []
    strangers: list[str] = []
    leaves = {id(torch_private.variable(graph.live[key])): key for key in graph.leaves if named}
    for name, tensor in named:
        where = (leaves[id(tensor)], 0) if id(tensor) in leaves else _made(tensor, graph)
        if where is not None:
            tensors[where] = tensor
            words.setdefault(where, []).append(name)
        elif tensor.requires_grad:
            strangers.append(name)
        else:
            constants.append((name, tensor))
    return Names(
        tensors=tensors,
        words={where: tuple(sorted(set(all_), key=_plain_first)) for where, all_ in words.items()},
        constants=constants,
        strangers=strangers,
    )


def _made(tensor: torch.Tensor, graph: Discovery | Walk) -> Place | None:
    """Find the node and output that a tensor is, if it is one; a view may have lost its history."""
    try:
        node = maker(tensor)
    except MutatedGraphError:
        return None
    key = None if node is None else graph.key.get(node)
    return None if key is None else (key, tensor.output_nr)


def _plain_first(name: str) -> tuple[int, str]:
    """A variable's own name is shown before its name within a module."""
    return name.count("."), name


def modules(walk: Walk, names: Names) -> dict[int, str]:
    """Say which module's parameters each operation uses, directly or through views of them."""
    structure, homes, leaves = walk.structure, dict[int, str](), set(walk.leaves)
    for (key, _), words in names.words.items():
        if key in leaves:
            homes[key] = words[0].rpartition(".")[0]
    private = set(homes)  # parameters and what is made of one parameter alone
    for key in reversed(range(len(structure))):
        sources = [source for source, _ in structure.edges(key)]
        owners = {homes[source] for source in sources if source in private}
        if len(owners) == 1:
            homes[key] = owners.pop()
            if len(sources) == 1:
                private.add(key)
    return {key: home for key, home in homes.items() if home}
