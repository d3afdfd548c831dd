"""What the caller can type to reach a tensor."""

import ast
import keyword
import linecache
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from types import CodeType, FrameType
from typing import Any, cast

import torch
from torch import nn

from handgrad.tracing.names import scope

DEPTH = 3
"""Lists, dicts and objects within one another are looked through so deep ..."""
MOST = 500
"""... and so many of their entries together, the outer ones first."""


def shortest(names: list[str]) -> str:
    """Return the name that is typed soonest: a variable before what is inside of one."""
    return min(names, key=lambda name: (sum(map(name.count, ".[")), len(name), name))


class Known:
    """Tensors that the caller has names for, each as it is typed."""

    def __init__(self, named: Iterable[tuple[str, torch.Tensor]]) -> None:
        self._named = list(named)
        self._names: dict[int, list[str]] = {}
        for name, tensor in self._named:
            self._names.setdefault(id(tensor), []).append(name)

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        return iter(self._named)

    def called(self, tensor: object) -> str | None:
        """Return the shortest of a tensor's names, if it has one."""
        names = self._names.get(id(tensor))
        return shortest(names) if names else None


def collect(frame: FrameType) -> list[tuple[str, torch.Tensor]]:
    """List the tensors that a frame's variables reach, each as it is typed there."""
    found: list[tuple[str, torch.Tensor]] = []
    waiting: deque[tuple[str, object, int]] = deque()
    for name, thing in scope(frame).items():
        if not name.startswith("_") and name.isidentifier():
            waiting.append((name, thing, 0))
    done, left = set[int](), MOST
    while waiting:
        name, thing, depth = waiting.popleft()
        kind = type(thing)
        if issubclass(kind, torch.Tensor):
            found += _with_parts(name, cast(torch.Tensor, thing))
        elif issubclass(kind, nn.Module):
            if "training" in vars(cast(nn.Module, thing)):  # else it is not yet made
                found += tensors_of(cast(nn.Module, thing), name)
        elif depth < DEPTH and left > 0 and id(thing) not in done:
            done.add(id(thing))
            parts = [(name + step, held, depth + 1) for step, held in islice(_parts(thing), left)]
            left -= len(parts)
            waiting += parts
    return found


def _with_parts(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """List a tensor, and those that it has as attributes."""
    yield name, tensor
    for word, held in cast(dict[str, object], getattr(tensor, "__dict__", {})).items():
        if issubclass(type(held), torch.Tensor) and _is_word(word):
            yield f"{name}.{word}", cast(torch.Tensor, held)


def modules_in(frame: FrameType) -> list[tuple[str, nn.Module]]:
    """List the modules that a frame's variables name, with their parts."""
    found: list[tuple[str, nn.Module]] = []
    for name, thing in scope(frame).items():
        is_module = not name.startswith("_") and issubclass(type(thing), nn.Module)
        if is_module and "training" in vars(thing):
            found += modules_of(cast(nn.Module, thing), name)
    return found


def variable(thing: object, frame: FrameType) -> str | None:
    """Return the caller's first variable for a thing, by identity."""
    names = [name for name, value in scope(frame).items() if value is thing and name[0] != "_"]
    return min(names, default=None)


def _parts(thing: object) -> Iterator[tuple[str, object]]:
    """List what a container or a plain object holds, and how one gets there from it."""
    kind, anything = type(thing), cast(Any, thing)
    if issubclass(kind, dict):
        for key, held in dict[object, object].items(anything):
            if isinstance(key, str | int):
                yield f"[{_quoted(key)}]", held
    elif issubclass(kind, list | tuple):
        walk = list[object].__iter__ if issubclass(kind, list) else tuple[object].__iter__
        for number, held in enumerate(walk(anything)):
            yield f"[{number}]", held
    elif _is_plain_object(kind):
        for word, held in cast(dict[str, object], getattr(thing, "__dict__", {})).items():
            if _is_word(word) and not word.startswith("__"):
                yield f".{word}", held


def _is_plain_object(kind: type) -> bool:
    """Tell whether a class is a user's own; of libraries only modules and tensors are known."""
    home = kind.__module__.partition(".")[0]
    return home not in ("builtins", "torch", "numpy", "types") and kind is not type


def _is_word(word: object) -> bool:
    return isinstance(word, str) and word.isidentifier() and not keyword.iskeyword(word)


def _quoted(key: str | int) -> str:
    return (
        str(key)
        if isinstance(key, int)
        else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )


def tensors_of(module: nn.Module, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    """List parameters, buffers and plain tensors of a module, each as it is typed."""
    for path, inner in modules_of(module, prefix):
        parameters = nn.Module.named_parameters(inner, recurse=False, remove_duplicate=False)
        buffers = nn.Module.named_buffers(inner, recurse=False, remove_duplicate=False)
        for word, tensor in (*parameters, *buffers):
            yield from _with_parts(_step(path, inner, word, parameter=True), tensor)
        for word, held in vars(inner).items():
            if issubclass(type(held), torch.Tensor) and _is_word(word):
                yield f"{path}.{word}", held


def modules_of(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """List a module and those inside it, each once, as it is typed."""
    waiting, done = [(prefix, module)], set[int]()
    while waiting:
        path, inner = waiting.pop()
        if id(inner) in done:
            continue
        done.add(id(inner))
        yield path, inner
        children = nn.Module.named_children(inner)
        below = [(_step(path, inner, word), part) for word, part in children]
        waiting += reversed(below)


def _step(path: str, owner: nn.Module, word: str, *, parameter: bool = False) -> str:
    """Write how to reach a part of a module: ``net[0]`` for the parts of a Sequential."""
    if _is_word(word):
        return f"{path}.{word}"
    numbered = (nn.Sequential, nn.ModuleList, nn.ParameterList)
    if isinstance(owner, numbered) and word.isdigit() and 0 <= int(word) < len(owner):
        return f"{path}[{int(word)}]"
    if isinstance(owner, nn.ModuleDict | nn.ParameterDict):
        return f"{path}[{_quoted(word)}]"
    getter = "get_parameter" if parameter else "get_submodule"
    return f"{path}.{getter}({_quoted(word)})"


# How the call itself is written


def arguments(frame: FrameType) -> tuple[str, str]:
    """Return how the tensor and the loss are written in the call, "" where that is not known."""
    call = _call(frame)
    if call is None:
        return "", ""
    tree, source = call
    words = {word.arg: word.value for word in tree.keywords}
    plain = [] if any(isinstance(arg, ast.Starred) for arg in tree.args) else tree.args
    first = plain[0] if plain else words.get("tensor_or_module")
    second = plain[1] if len(plain) > 1 else words.get("loss")
    return _text(first, source), _text(second, source)


def _text(node: ast.expr | None, source: str) -> str:
    text = (ast.get_source_segment(source, node) or "") if node is not None else ""
    return text if "\n" not in text and len(text) <= 60 else ""


def _call(frame: FrameType) -> tuple[ast.Call, str] | None:
    """Return the call that a frame is in, if its source is known."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if positions is None or None in positions:
        return None
    first, last, begin, end = cast(tuple[int, int, int, int], positions)
    file = frame.f_code.co_filename
    lines = [
        linecache.getline(file, number, frame.f_globals).encode()
        for number in range(first, last + 1)
    ]
    if not lines or not all(lines):
        return None
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    source = b"".join(lines).decode().strip()
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError:
        return None
    return (tree, source) if isinstance(tree, ast.Call) else None


def is_target(text: str) -> bool:
    """Tell whether something can be assigned to an expression, such as ``model[0].weight``."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    return isinstance(tree, ast.Name | ast.Attribute | ast.Subscript)


def detached(name: str, frame: FrameType) -> str:
    """Write how to cut a tensor off where it is kept; what is in a tuple, with the whole tuple."""
    owner = name.rpartition("[")[0]
    if owner and type(_resolve(ast.parse(owner, mode="eval").body, frame)) is tuple:
        return f"{owner} = tuple(part.detach() for part in {owner})"
    return f"{name} = {name}.detach()"


def is_new(text: str, frame: FrameType) -> bool:
    """Tell whether an expression makes another tensor each time that it is typed.

    It is looked at and not run; where it cannot be followed, the answer is no.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    if isinstance(tree, ast.BinOp | ast.UnaryOp | ast.Compare):
        return True
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
        owner = _resolve(tree.func.value, frame)
        returns_itself = tree.func.attr.endswith("_") or tree.func.attr in _STAYS
        return isinstance(owner, torch.Tensor) and not returns_itself
    if isinstance(tree, ast.Subscript):
        return isinstance(_resolve(tree.value, frame), torch.Tensor)
    if isinstance(tree, ast.Attribute):
        owner = _resolve(tree.value, frame)
        if isinstance(owner, torch.Tensor):
            return tree.attr in _VIEWS
        return isinstance(owner, nn.Module) and _is_parametrized(owner, tree.attr)
    return False


_STAYS = frozenset(("cpu", "to", "float", "double", "contiguous", "type", "cuda", "expand", "view"))
"""Methods that may return the tensor itself."""

_VIEWS = frozenset(("T", "mT", "H", "mH", "real", "imag", "data"))
"""Properties of a tensor that make another one."""


def _is_parametrized(owner: nn.Module, word: str) -> bool:
    return bool(nn.utils.parametrize.is_parametrized(owner, word))


def _resolve(node: ast.expr, frame: FrameType) -> object:
    """Return what an expression of names stands for, and run no code of the user's."""
    if isinstance(node, ast.Name):
        return scope(frame).get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, frame)
        inside = cast(dict[str, Any], getattr(owner, "__dict__", None) or {})
        if isinstance(owner, nn.Module) and node.attr not in inside:
            return dict(_registered(owner)).get(node.attr)
        return inside.get(node.attr)
    if isinstance(node, ast.Subscript):
        owner = _resolve(node.value, frame)
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(owner, nn.Sequential | nn.ModuleList) and isinstance(key, int):
            return dict(nn.Module.named_children(owner)).get(str(key))
        if type(owner) in (list, tuple, dict):
            try:
                return cast(Any, owner)[key]
            except (LookupError, TypeError):
                return None
    return None


def _registered(owner: nn.Module) -> Iterator[tuple[str, object]]:
    """List what a module has registered itself: parameters, buffers, parts."""
    yield from nn.Module.named_parameters(owner, recurse=False, remove_duplicate=False)
    yield from nn.Module.named_buffers(owner, recurse=False, remove_duplicate=False)
    yield from nn.Module.named_children(owner)


def reentrant_call(code: CodeType) -> str | None:
    """Return the text of a call of ``checkpoint()`` that does not say ``use_reentrant=False``."""
    if "checkpoint" not in code.co_names and "checkpoint_sequential" not in code.co_names:
        return None
    lines = [line for _, _, line in code.co_lines() if line]
    source = "".join(linecache.getlines(code.co_filename))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        tree = None
    if tree is None or not source:
        return "a call of checkpoint()"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not min(lines) <= node.lineno <= max(lines):
            continue
        said = {word.arg: word.value for word in node.keywords}.get("use_reentrant")
        off = isinstance(said, ast.Constant) and said.value is False
        if ast.unparse(node.func).rpartition(".")[2].startswith("checkpoint") and not off:
            return ast.get_source_segment(source, node) or "a call of checkpoint()"
    return None
