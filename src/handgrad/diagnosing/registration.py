"""What a module holds in plain lists, dicts and tensors, where it cannot see its parameters."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

import torch
from torch import nn

from handgrad.diagnosing.naming import Known, tensors_of
from handgrad.tracing import torch_private
from handgrad.tracing.structure import walk

_OWN = frozenset(vars(nn.Module()))


class Hidden(NamedTuple):
    """One attribute that hides parameters: what was seen, and code that registers them.

    In the code ``{name}`` stands for the module.
    """

    seen: str
    repair: str


def hidden(module: nn.Module) -> Iterator[Hidden]:
    """Look through the plain attributes of a module and of its submodules."""
    parts = list(cast(Iterable[tuple[str, nn.Module]], module.named_modules()))
    registered = {id(part) for _, part in parts}
    registered |= {id(thing) for thing in (*module.parameters(), *module.buffers())}
    for path, inner in parts:
        plain = all(word.isidentifier() for word in path.split("."))
        owner = f".{path}" if plain else f'.get_submodule("{path}")' if path else ""
        for word, held in cast(dict[str, object], vars(inner)).items():
            if word not in _OWN:
                label = f"{path}.{word}".removeprefix(".")
                yield from _attribute(label, f"{{name}}{owner}", word, held, registered)


def computed(module: nn.Module, prefix: str, known: Known) -> Iterator[tuple[str, str, str]]:
    """List attributes that were computed from parameters that the module does not have.

    Yields:
        The attribute, a parameter that it came from, and the operation that made it.
    """
    own = {id(parameter) for parameter in module.parameters()}
    for name, tensor in tensors_of(module, prefix):
        if tensor.is_leaf or not tensor.requires_grad or tensor.grad_fn is None:
            continue
        history = walk(tensor.grad_fn)
        leaves = [torch_private.variable(history.live[key]) for key in history.leaves]
        outside = [known.called(leaf) for leaf in leaves if id(leaf) not in own]
        if outside and outside[0] is not None:
            yield name, outside[0], tensor.grad_fn.name()


def _attribute(
    label: str, owner: str, word: str, held: object, known: set[int]
) -> Iterator[Hidden]:
    if _is_tracked(held, known):
        seen = f"{label} is a plain tensor with requires_grad=True, invisible to parameters()"
        yield Hidden(seen, f"{owner}.{word} = torch.nn.Parameter({owner}.{word})")
    waiting, done = [(word, held)], set[int]()
    while waiting:
        place, held = waiting.pop()
        pairs = _pairs(held)
        if id(held) in done:
            continue
        done.add(id(held))
        deeper = [(f"{place}[{key!r}]", thing) for key, thing in pairs if _pairs(thing)]
        waiting += reversed(deeper)
        things = [thing for _, thing in pairs]
        modules = [t for t in things if isinstance(t, nn.Module) and id(t) not in known]
        tensors = [t for t in things if _is_tracked(t, known)]
        for kind, lost in (("Module", modules), ("Parameter", tensors)):
            alone = len(lost) == len(things)
            if lost and (alone or kind == "Module"):
                which = "" if alone else f" {len(lost)} of which are"
                seen = (
                    f"{label}{place[len(word) :]} is a plain list or dict of {len(things)},{which}"
                )
                repair = _registered(owner, place, held, kind, alone)
                yield Hidden(f"{seen} invisible to parameters()", repair)


def _pairs(held: object) -> list[tuple[object, object]]:
    """Return what a plain container holds, with its key or number; nothing of other things."""
    if isinstance(held, dict):
        return list(cast(dict[object, object], held).items())
    return list(enumerate(cast(list[object], held))) if isinstance(held, list | tuple) else []


def _is_tracked(thing: object, known: set[int]) -> bool:
    """Tell whether a thing is a parameter, or a tensor that could be one, and is not registered."""
    return (
        isinstance(thing, torch.Tensor)
        and id(thing) not in known
        and (isinstance(thing, nn.Parameter) or (thing.is_leaf and thing.requires_grad))
    )


def _registered(owner: str, place: str, held: object, kind: str, alone: bool) -> str:
    """Write how to register what a container holds: in its place, or beside it."""
    source = f"{owner}.{place}"
    keyed, keys = isinstance(held, dict), [key for key, _ in _pairs(held)]
    if alone and "[" not in place and (not keyed or all(isinstance(key, str) for key in keys)):
        return f"{source} = torch.nn.{kind}{'Dict' if keyed else 'List'}({source})"
    parts = f"{source}.values()" if keyed else source
    if not alone:
        parts = f"part for part in {parts} if isinstance(part, torch.nn.Module)"
    beside = "_".join(re.findall(r"\w+", place))
    return f"{owner}.{beside}_parts = torch.nn.{kind}List({parts})"
