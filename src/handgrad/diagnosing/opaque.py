"""What cannot be looked into: named for what it is, and never guessed through."""

from collections.abc import Mapping

import torch
from torch.autograd.graph import Node

from handgrad.diagnosing.saved import SavedTensors
from handgrad.errors import HandgradError, UnsupportedNodeError
from handgrad.tracing import torch_private
from handgrad.tracing.structure import Walk

ASK = "handgrad.why_no_grad(..., run_my_code=True)"


def wrapper(tensor: object) -> str | None:
    """Name the class of a tensor that computes by rules of its own, such as a DTensor."""
    if not isinstance(tensor, torch.Tensor):
        return None
    if torch_private.is_functional(tensor):
        return "FunctionalTensor"
    return type(tensor).__name__ if torch_private.has_own_rules(tensor) else None


def function(node: Node) -> str:
    """Say what kind of Python Function a node is, in words that follow its name."""
    name = node.name()
    home = torch_private.home(node)
    if torch_private.is_reentrant(node):
        return "a reentrant checkpoint"
    if name.startswith("CompiledFunction"):
        return "a compiled region"
    if name.startswith("GeneratedBackwardFor_"):
        return "a custom operator"
    if home.partition(".")[0] == "torch":
        return f"a Function of {home}"
    return "a Function written in Python"


def may_return_none(node: Node) -> bool:
    """Tell whether a node's rule was written by hand, so that it may return None."""
    hand = ("a Function written in Python", "a custom operator")
    return torch_private.is_python(node) and function(node).startswith((*hand, "a Function of"))


def closed_nodes(
    walk: Walk, kept: SavedTensors, *, run_my_code: bool
) -> Mapping[int, HandgradError]:
    """Say which nodes are not to be asked for a gradient, and why."""
    if (kind := _wrapped_anywhere(walk, kept)) is not None:
        return {0: _wrapped(kind)}
    found: dict[int, HandgradError] = {}
    for key, node in enumerate(walk.live):
        if key == 0 or walk.structure.kind[key] != walk.structure.leaf:
            reason = _reason(node, key, kept, run_my_code=run_my_code)
            if reason:
                found[key] = UnsupportedNodeError(reason)
    return found


def _reason(node: Node, key: int, kept: SavedTensors, *, run_my_code: bool) -> str:
    name = node.name().rpartition("::")[2]
    if name in ("SendRpcBackward", "RecvRpcBackward"):
        return f"{name} belongs to another process, so it was not asked."
    if torch_private.is_python(node):
        kind = function(node)
        if torch_private.is_reentrant(node):
            return (
                f"{name}, {kind}, hides what ran inside and runs a backward pass of its own, so "
                "it was not asked."
            )
        if kind == "a compiled region":
            return f"{name}, {kind}, hides what ran inside, so it was not asked."
        if not run_my_code:
            return f"The rule of {name}, {kind}, is code that was not run; {ASK} runs it."
    if kept.is_recomputed(key):
        return (
            f"What {name} saved is computed again by checkpoint() when it is asked for, so it was "
            "not asked."
        )
    if not run_my_code and kept.is_hooked(key):
        return f"What {name} saved is behind a hook, code that was not run; {ASK} runs it."
    return ""


def _wrapped_anywhere(walk: Walk, kept: SavedTensors) -> str | None:
    """Name the class of the first leaf or saved tensor that computes by rules of its own."""
    for key, node in enumerate(walk.live):
        if walk.structure.kind[key] == walk.structure.leaf:
            if (kind := wrapper(torch_private.variable(node))) is not None:
                return kind
            continue
        for name in kept.names(key):
            for tensor in kept.tensors(key, name):
                if (kind := wrapper(tensor)) is not None:
                    return kind
    return None


def _wrapped(kind: str) -> HandgradError:
    return UnsupportedNodeError(
        f"The graph computes with a {kind}, which has rules of its own, so nothing was computed "
        "with it."
    )
