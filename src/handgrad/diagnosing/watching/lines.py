"""Where in the user's program a call of torch comes from."""

import copy
import inspect
import os
import re
import sys
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import cast

import torch

from handgrad.diagnosing.watching.plain import made_again
from handgrad.diagnosing.watching.rewrite import instead
from handgrad.diagnosing.watching.source import Spot
from handgrad.diagnosing.watching.walls import place_name
from handgrad.tracing import names as _names
from handgrad.tracing import torch_private

_TORCH = str(Path(torch.__file__).parent) + os.sep
_OURS = str(Path(__file__).parents[2]) + os.sep
_COPY = copy.__file__
_INSTALLED = tuple(
    str(Path(sysconfig.get_path(name))) + os.sep for name in ("purelib", "platlib", "stdlib")
)

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

_ON_BEHALF = {
    "copies": ("load_state_dict", torch_private.LOADER, "vector_to_parameters"),
    "gradient": ("grad", "jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"),
}
"""What of torch's own affairs is the user's all the same: copies asked for, and gradients."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where in the user's program something was called.

    Attributes:
        frame: The user's frame.
        operation: What was called there.
        indirect: Whether torch may have switched recording off itself.
        inside: The place in a library's code, if the line calls a library.
        function: Whether it is a Function that was given nothing tracked.
    """

    frame: FrameType
    operation: str
    indirect: bool = False
    inside: str = ""
    function: bool = False


def caller(entered: FrameType, name: str, behalf: str = "") -> Caller | None:
    """Find the user's line that a call comes from, and what was called there.

    None if the call is torch's own affair, or part of a user-written
    Function, whose inside autograd does not record in any case.
    """
    search = _Search(name, _package(entered), _ON_BEHALF.get(behalf, ()))
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        if not search.look(frame):
            return None
        if frame is entered:
            break
        frame = frame.f_back
    return search.found()


class _Search:
    """What is known so far, on the way from a call outwards."""

    def __init__(self, name: str, package: str, behalf: tuple[str, ...]) -> None:
        self.name = name
        self.package = package
        self.behalf = behalf
        self.user: FrameType | None = None
        self.library: FrameType | None = None  # the outermost of one
        self.inside = ""
        self.indirect = False
        self.asked = False
        self.function = False

    def look(self, frame: FrameType) -> bool:
        """Look at the next frame; tell whether the call may still be the user's affair."""
        code = frame.f_code
        if _is_of_a_function(code):
            return self._enter_function(frame)
        file = code.co_filename
        if self.user is not None:
            return True
        if file.startswith(_TORCH):
            return self._torch(file[len(_TORCH) :].replace("\\", "/"), code.co_name)
        if _is_ours(file):
            return True
        if self._is_library(file):
            self.inside = self.inside or f"{place_name(file, frame.f_lineno)}: {self.name}"
            self.library = frame
        else:
            self.user = frame
        return True

    def _torch(self, inner: str, function: str) -> bool:
        if self.library is None:
            self.indirect |= not inner.startswith(_PASS_ON)
            if function in self.behalf:
                self.asked = True
                self.name = "load_state_dict" if function == torch_private.LOADER else function
            elif not self.asked and not self.function:
                if inner.startswith(_OWN_AFFAIRS) and not function.endswith(_CALLS):
                    return False
                if inner.startswith("distributions/") and self.name == "expand":
                    return False  # of its parameters, before it samples
        if function == "__deepcopy__":
            self.name = "deepcopy"
        return True

    def _enter_function(self, frame: FrameType) -> bool:
        """A Function is recorded as a whole, if anything that it is given is tracked."""
        code = frame.f_code
        count = code.co_argcount + bool(code.co_flags & inspect.CO_VARARGS)
        given = [cast(object, frame.f_locals.get(name)) for name in code.co_varnames[:count]]
        if given and isinstance(given[-1], tuple):
            given += cast(tuple[object, ...], given.pop())
        if any(isinstance(thing, torch.Tensor) and thing.requires_grad for thing in given):
            return False
        self.user = self.library = None
        self.inside, self.function = "", True
        owner = code.co_qualname.rpartition(".")[0].rpartition(".")[2]
        self.name = "checkpoint" if owner == "CheckpointFunction" else owner
        return True

    def _is_library(self, file: str) -> bool:
        if not file.startswith(_INSTALLED):
            return False
        return not self.package or self.package not in file

    def found(self) -> Caller | None:
        """Return the user's line; a library's own where no other called it."""
        name = "deepcopy" if self.name == "__deepcopy__" else self.name
        if self.user is None and self.library is not None:
            return Caller(self.library, name, self.indirect)
        if self.user is None:
            return None
        if self.library is not None:
            called = _called(self.library)
            return Caller(self.user, called, self.indirect, self.inside, self.function)
        return Caller(self.user, name, self.indirect, "", self.function)


def _package(frame: FrameType) -> str:
    """Return the folder of the installed package that a frame's code is part of, if it is."""
    file = frame.f_code.co_filename
    for home in _INSTALLED[:2]:
        if file.startswith(home):
            return home + file[len(home) :].split(os.sep)[0]
    return ""


def _called(frame: FrameType) -> str:
    """Name what a frame runs: a function, or the class of an object that is called."""
    name = frame.f_code.co_name
    if name in ("forward", "__call__") and "self" in frame.f_locals:
        return type(frame.f_locals["self"]).__name__
    return name


def module_called(frame: FrameType, user: FrameType) -> torch.nn.Module | None:
    """Return the module that a line of the user's calls, seen from a frame inside of it."""
    inner: FrameType | None = frame
    while inner is not None and inner.f_back is not user:
        inner = inner.f_back
    found = inner and inner.f_code.co_name.endswith(_CALLS) and inner.f_locals.get("self")
    return found if isinstance(found, torch.nn.Module) else None


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


def _is_ours(file: str) -> bool:
    numpy = getattr(sys.modules.get("numpy"), "__file__", None)
    inside = (_OURS, str(Path(numpy).parent) + os.sep) if numpy else (_OURS,)
    return file.startswith(inside) or file == _COPY


def variable(tensor: torch.Tensor, frame: FrameType) -> str:
    """Return what a frame calls a tensor, or nothing."""
    named = _names.collect(None, frame)
    names = [name for name, value in named if value is tensor]
    return min(names, key=lambda name: (name.count("."), name), default="")


_REFUSED = re.compile(  # a change in place, or NumPy: both refuse tracked tensors
    r"\s*(?:\[[^]]*\]\s*)?(?:(?:[-+*/@%&|^]|//|\*\*|<<|>>)?=(?!=)|\.\w+_\()|(?:\.\w+\(\))*\.numpy\("
)


def repair(spot: Spot | None, operation: str, listed: bool | None) -> str:
    """Rewrite a call, unless what follows it would refuse the result."""
    if spot is None or listed is None or _REFUSED.match(spot.after):
        return ""
    return made_again(spot) or instead(spot.text(), operation, listed)
