"""Where in the program the nodes of a graph were recorded, if anomaly mode was on then."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from torch.autograd.graph import Node

from handgrad.tracing import torch_private


def lines(live: Sequence[Node]) -> dict[int, str]:
    """Return file, line and code by node, of those that have them."""
    found = ((key, line(torch_private.traceback(node))) for key, node in enumerate(live))
    return {key: text for key, text in found if text}


def line(frames: Sequence[str]) -> str | None:
    """Return the innermost line outside torch, as anomaly mode kept it."""
    for frame in reversed(frames):
        match = re.search(r'File "(.*)", line (\d+), in .*\n\s*(.*)', frame)
        if match and not re.search(r"[/\\]torch[/\\]", match[1]):
            path = PurePath(match[1])
            place = (
                "cell" if any(part.startswith("ipykernel_") for part in path.parts) else path.name
            )
            return f"{place}:{match[2]}: {match[3].strip()}"
    return None
