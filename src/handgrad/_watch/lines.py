"""Where in the user's program a call of torch comes from."""

import copy
import linecache
import sys
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import cast

import torch

from handgrad._trace import names as _names

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


def caller(entered: FrameType, name: str) -> tuple[FrameType | None, str, bool]:
    """Return the user's frame, what was called there, and whether the call was torch's own.

    None if the call is torch's own affair, or part of a user-written
    Function, whose inside autograd does not record in any case.
    """
    frame: FrameType | None = sys._getframe(3)  # pyright: ignore[reportPrivateUsage]
    user: FrameType | None = None
    indirect = False
    while frame is not None:
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        if file.startswith(_TORCH):
            indirect |= user is None
            inner = file[len(_TORCH) + 1 :].replace("\\", "/")
            if user is None and inner.startswith(_OWN_AFFAIRS):
                return None, name, True
            if inner == "autograd/function.py" and function == "apply":
                return None, name, True
            if user is None and function == "__deepcopy__":
                name = "deepcopy"
        elif user is None and not _is_library(file):
            user = frame
        if frame is entered:
            break
        frame = frame.f_back
    return user, "deepcopy" if name == "__deepcopy__" else name, indirect


def _is_library(file: str) -> bool:
    numpy = getattr(sys.modules.get("numpy"), "__file__", None)
    inside = (_OURS, str(Path(numpy).parent)) if numpy else (_OURS,)
    return file.startswith(inside) or file == _COPY


def variable(tensor: torch.Tensor, frame: FrameType) -> str:
    """Return what a frame calls a tensor, or nothing."""
    named = _names.collect(None, frame)
    names = [name for name, value in named if value is tensor]
    return min(names, key=lambda name: (name.count("."), name), default="")


def expression(frame: FrameType) -> str:
    """Return the source of the call that the frame is in, which may be part of a line."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if positions is None or None in positions:
        return ""
    first, last, begin, end = cast(tuple[int, int, int, int], positions)
    file = frame.f_code.co_filename
    lines = [linecache.getline(file, number).encode() for number in range(first, last + 1)]
    if not lines or not all(lines):
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    return b"".join(lines).decode()
