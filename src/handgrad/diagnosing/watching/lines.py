"""Where in the user's program a call of torch comes from."""

import copy
import inspect
import linecache
import re
import sys
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import cast

import torch

from handgrad.diagnosing.watching.rewrite import instead
from handgrad.tracing import names as _names

_TORCH = str(Path(torch.__file__).parent)
_OURS = str(Path(__file__).parent)
_COPY = copy.__file__

_OWN_AFFAIRS = (
    "utils/checkpoint.py",
    "nn/modules/module.py",
    "nn/utils/",
    "_tensor_str.py",
    "optim/",
    "autograd/",
    "distributions/constraints.py",
)
"""Parts of torch that leave the graph on purpose and come back, or only look."""

_CALLS = "call_impl"
"""How functions end with which a module calls its ``forward``, the user's affair."""

_PASS_ON = ("nn/modules/", "nn/functional.py", "functional.py", "_tensor.py", "overrides.py")
"""Parts of torch that switch no recording off themselves."""

_SWITCHES = {
    "torch.no_grad()": "torch.enable_grad()",
    "torch.inference_mode()": "torch.inference_mode(False)",
    "torch.set_grad_enabled(False)": "torch.set_grad_enabled(True)",
}
"""How a program switches recording off, and what keeps it on."""


def caller(entered: FrameType, name: str) -> tuple[FrameType | None, str, bool]:
    """Return the user's frame, what was called there, and whether torch may have switched off.

    None if the call is torch's own affair, or part of a user-written
    Function, whose inside autograd does not record in any case.
    """
    frame: FrameType | None = sys._getframe(3)  # pyright: ignore[reportPrivateUsage]
    user: FrameType | None = None
    indirect = False
    while frame is not None:
        if _is_of_a_function(frame.f_code):
            return None, name, True
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        if file.startswith(_TORCH):
            inner = file[len(_TORCH) + 1 :].replace("\\", "/")
            indirect |= user is None and not inner.startswith(_PASS_ON)
            if user is None and inner.startswith(_OWN_AFFAIRS) and not function.endswith(_CALLS):
                return None, name, True
            if user is None and inner.startswith("distributions/") and name == "expand":
                return None, name, True  # of its parameters, before it samples
            if user is None and function == "__deepcopy__":
                name = "deepcopy"
        elif user is None and not _is_library(file):
            user = frame
        if frame is entered:
            break
        frame = frame.f_back
    return user, "deepcopy" if name == "__deepcopy__" else name, indirect


@lru_cache(maxsize=4096)
def _is_of_a_function(code: CodeType) -> bool:
    """Tell whether a code is what a ``Function`` runs forwards; autograd does not record in it.

    ``Function.apply``, which calls it, may be written in C and have no frame.
    """
    kinds: list[type[torch.autograd.Function]] = [torch.autograd.Function]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
        rules = (vars(kind).get(name) for name in ("forward", "setup_context", "jvp"))
        plain = (getattr(rule, "__func__", rule) for rule in rules)
        if any(getattr(inspect.unwrap(rule), "__code__", None) is code for rule in plain if rule):
            return True
    return False


def _is_library(file: str) -> bool:
    numpy = getattr(sys.modules.get("numpy"), "__file__", None)
    inside = (_OURS, str(Path(numpy).parent)) if numpy else (_OURS,)
    return file.startswith(inside) or file == _COPY


def variable(tensor: torch.Tensor, frame: FrameType) -> str:
    """Return what a frame calls a tensor, or nothing."""
    named = _names.collect(None, frame)
    names = [name for name, value in named if value is tensor]
    return min(names, key=lambda name: (name.count("."), name), default="")


_REFUSED = re.compile(  # a change in place, or NumPy: both refuse tracked tensors
    r"\s*(?:\[[^]]*\]\s*)?(?:(?:[-+*/@%&|^]|//|\*\*|<<|>>)?=(?!=)|\.\w+_\()|(?:\.\w+\(\))*\.numpy\("
)


def switch(frame: FrameType, entered: FrameType) -> tuple[str, str]:
    """Return the text that switched recording off, nearest before the line, and its opposite."""
    caller: FrameType | None = frame
    while caller is not None:
        code = caller.f_code
        for number in range(caller.f_lineno, code.co_firstlineno - 1, -1):
            line = linecache.getline(code.co_filename, number)
            for off, on in _SWITCHES.items():
                if off in line:
                    return off, on
        caller = None if caller is entered else caller.f_back
    return "", ""


def expression(frame: FrameType) -> tuple[str, str]:
    """Return the source of the call that the frame is in, and the rest of its line."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if positions is None or None in positions:
        return "", ""
    first, last, begin, end = cast(tuple[int, int, int, int], positions)
    file = frame.f_code.co_filename
    lines = [linecache.getline(file, number).encode() for number in range(first, last + 1)]
    if not lines or not all(lines):
        return "", ""
    rest = lines[-1][end:]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    return b"".join(lines).decode(), rest.decode()


def repair(frame: FrameType, operation: str, listed: bool | None) -> str:
    """Rewrite the call that the frame is in, unless what follows it would refuse the result."""
    call, rest = expression(frame)
    return "" if listed is None or _REFUSED.match(rest) else instead(call, operation, listed)
