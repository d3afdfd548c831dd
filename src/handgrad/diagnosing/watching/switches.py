"""Since when gradient mode is off, and how it is kept on."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from handgrad.diagnosing.watching.rewrite import pair
from handgrad.diagnosing.watching.source import Source, enclosing, source_of
from handgrad.diagnosing.watching.walls import place_name

_TORCH = str(Path(torch.__file__).parent)
_GRAD_MODE = str(Path(_TORCH, "autograd", "grad_mode.py"))
_DECORATED = str(Path(_TORCH, "utils", "_contextlib.py"))

_ON = {"no_grad": "enable_grad", "set_grad_enabled": "set_grad_enabled"}
"""What keeps gradient mode on in place of what switches it off."""

MOST = 1000
"""Of so many changes that none has undone the latest are remembered."""

BEFORE = "before this recording began"


@dataclass(frozen=True, slots=True)
class Switch:
    """What switched recording off: the place in words, and the repair."""

    since: str
    repair: str


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of gradient mode: who made it, to what, and where."""

    manager: object
    on: bool
    file: str
    line: int


class Switches:
    """The changes of gradient mode that are in force, as far as they were seen."""

    def __init__(self) -> None:
        self.changes: list[_Change] = []

    def note(self, on: bool) -> None:
        """Note that ``torch._C._set_grad_enabled`` is called, and by what."""
        frame: FrameType | None = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
        manager: Any = None
        leaves = False
        while frame is not None and frame.f_code.co_filename == _GRAD_MODE:
            manager = frame.f_locals.get("self")
            leaves = frame.f_code.co_name in ("__exit__", "__call__")
            frame = frame.f_back
        mine = [n for n, change in enumerate(self.changes) if change.manager is manager]
        if leaves:
            del self.changes[mine[0] if mine else 0 :]
        elif frame is not None and not mine:
            self.changes.append(_Change(manager, on, *_place(frame)))
            del self.changes[:-MOST]

    def is_off(self) -> bool:
        """Tell whether something that was seen switched gradient mode off."""
        users = [change for change in self.changes if not change.file.startswith(_TORCH)]
        return bool(users) and not users[-1].on

    def off(self, frame: FrameType) -> Switch:
        """Say what switched gradient mode off that a frame runs under."""
        if self.changes and not self.changes[-1].on:
            change = self.changes[-1]
            source = source_of(change.file, frame.f_globals)
            calls = _calls(source, change.line) if source else ()
            return Switch(place_name(change.file, change.line), _repair(source, calls))
        return _around(frame, tuple(_ON)) or Switch(
            BEFORE, "# before this line:\ntorch.set_grad_enabled(True)"
        )


def inference(frame: FrameType) -> Switch:
    """Say where the inference mode began that a frame runs in."""
    return _around(frame, ("inference_mode",)) or Switch("", "")


def _place(frame: FrameType) -> tuple[str, int]:
    """Return the line that switched; of a decorated function, that of the decorator."""
    if frame.f_code.co_filename == _DECORATED:
        function = frame.f_locals.get("func")
        code = getattr(function, "__code__", None)
        if code is not None:
            return code.co_filename, code.co_firstlineno
    return frame.f_code.co_filename, frame.f_lineno


def _around(frame: FrameType, names: tuple[str, ...]) -> Switch | None:
    """Look for an open block, or a decorator, around a frame's line or that of its callers."""
    caller: FrameType | None = frame
    while caller is not None:
        for source, node in enclosing(caller):
            if isinstance(node, ast.With | ast.AsyncWith):
                found = [item.context_expr for item in node.items]
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found = node.decorator_list
            else:
                continue
            calls = [call for call in found if _switch_name(call) in names]
            if calls:
                place = place_name(caller.f_code.co_filename, calls[-1].lineno)
                return Switch(place, _repair(source, calls))
        caller = caller.f_back
    return None


def _calls(source: Source, line: int) -> Iterator[ast.expr]:
    """Yield what switches gradient mode in a line."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or 0):
            if _switch_name(node) in _ON:
                yield node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            bare = [d for d in node.decorator_list if not isinstance(d, ast.Call)]
            yield from (d for d in bare if d.lineno == line and _switch_name(d) in _ON)


def _switch_name(node: ast.expr) -> str:
    function = node.func if isinstance(node, ast.Call) else node
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _repair(source: Source | None, calls: Any) -> str:
    call = next(iter(calls), None)
    if source is None or call is None:
        return ""
    function = call.func if isinstance(call, ast.Call) else call
    owner = f"{source.text(function.value)}." if isinstance(function, ast.Attribute) else "torch."
    name = _switch_name(call)
    if not isinstance(call, ast.Call):
        return pair(f"@{source.text(call)}", f"@{owner}{_ON.get(name, name)}")
    argument = {"set_grad_enabled": "True", "inference_mode": "False"}.get(name, "")
    return pair(source.text(call), f"{owner}{_ON.get(name, name)}({argument})")
