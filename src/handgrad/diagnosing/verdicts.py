"""The decisions of a diagnosis, stage by stage; the stages are the groups of ``reasons``."""

import numbers as python_numbers
from collections.abc import Callable

import torch
from torch import nn

from handgrad.diagnosing import values
from handgrad.diagnosing.case import Case, summary
from handgrad.diagnosing.diagnosis import Reason
from handgrad.diagnosing.memory import overlap
from handgrad.diagnosing.reasons import AGAIN, RULES, Certainty
from handgrad.errors import FreedGraphError, GraphTooLargeError, MutatedGraphError
from handgrad.tracing import torch_private
from handgrad.tracing.discovery import walk

CONVERSIONS = frozenset(
    ("ToCopy", "Mul", "Div", "Add", "Sub", "Neg", "Clone", "Alias", "View", "UnsafeView")
).union(("T", "Transpose", "Permute", "Squeeze", "Unsqueeze", "Expand"))
"""Operations with which a tensor is often initialised: scaled, shifted, moved, reshaped."""

MANY_STEPS = 8


def reasons(case: Case) -> tuple[Reason, ...]:
    """Ask the stages in order; the first that finds something decides."""
    stages: tuple[Callable[[Case], list[Reason]], ...] = (_tensor, _loss, _path)
    for stage in stages:
        found = stage(case)
        if found:
            return tuple(found)
    return tuple(_engine(case) if case.grad is None else values.value(case, case.grad))


def _tensor(case: Case) -> list[Reason]:
    """Can this tensor have a gradient at all?"""
    tensor = case.tensor
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return [case.reason("integer-dtype", evidence=(f"its dtype is {tensor.dtype}",))]
    if torch_private.is_wrapped(tensor):
        return [case.reason("inside-transform", evidence=("torch.func wraps it",))]
    if tensor.is_inference():
        return [case.reason("inference-tensor", evidence=("is_inference() is True",))]
    if tensor.is_leaf and tensor.requires_grad and (found := _unrecorded_view(case)):
        return found
    if tensor is case.loss and tensor.requires_grad and case.grad is None and is_start(tensor):
        return [_is_the_loss(case)]
    if not tensor.is_leaf:
        return [] if tensor.retains_grad else _not_retained(case)
    return [] if tensor.requires_grad else [_untracked(case)]


def _is_the_loss(case: Case) -> Reason:
    seen = f"{case.name} and the loss are one tensor"
    repair = "{name}.backward()" if case.tensor.is_leaf else RULES["is-the-loss"].repair
    again = f"{AGAIN}\n" if case.is_freed else ""
    return case.reason("is-the-loss", evidence=(seen,), repair=again + repair)


def _not_retained(case: Case) -> list[Reason]:
    """Say which operation made the tensor, and which leaves it came from."""
    node = case.tensor.grad_fn
    assert node is not None
    made = f"{node.name()} made it; is_leaf=False, retains_grad=False"
    no_start, repair = _loss(case), None
    if no_start:
        repair = "{name}.retain_grad()"
    elif case.is_freed:
        repair = "...  # compute {name} and {loss} again\n{name}.retain_grad()\n{loss}.backward()"
    try:
        history = walk(node)
    except GraphTooLargeError:
        return [case.reason("not-retained", evidence=(made,), repair=repair), *no_start]
    leaves = [torch_private.variable(live) for live in history.live if torch_private.is_leaf(live)]
    named = [
        case.called(leaf) or f"an unnamed leaf of shape {tuple(leaf.shape)}" for leaf in leaves
    ]
    came = f"it came from {', '.join(named[:4])}{' and others' if len(named) > 4 else ''}"
    kinds = [history.structure.kinds[kind] for kind in history.structure.kind]
    found = [case.reason("not-retained", evidence=(made, came), repair=repair)]
    chain = [kind.op for kind in kinds if not kind.leaf]
    if (
        len(leaves) == 1
        and case.called(leaves[0]) is None
        and leaves[0].numel() == case.tensor.numel()
        and len(chain) <= MANY_STEPS
        and CONVERSIONS.issuperset(chain)
    ):
        seen = f"{' and '.join(reversed(chain))} made it from one leaf that nobody else names"
        found.append(case.reason("leaf-lost", "one of", (seen,)))
    absent = not no_start and case.findings is not None and case.place is None
    return [*found, *no_start, *(_absent(case) if absent else ())]


def _unrecorded_view(case: Case) -> list[Reason]:
    base = torch_private.base(case.tensor)
    if base is None or case.grad is not None or torch_private.start(case.tensor) is not None:
        return []
    looks = case.called(base) or f"a tensor of shape {tuple(base.shape)}"
    seen = f"it is a view of {looks}, which is tracked, yet it has no grad_fn"
    return [case.reason("view-under-no-grad", evidence=(seen,))]


def _untracked(case: Case) -> Reason:
    tensor = case.tensor
    if tensor.grad is not None:
        return case.reason(
            "stale-gradient", evidence=("requires_grad=False, yet .grad is a tensor",)
        )
    if isinstance(tensor, nn.Parameter):
        seen = "it is an nn.Parameter with requires_grad=False"
        return case.reason("frozen-parameter", evidence=(seen,))
    tracked = [(name, other) for name, other in case.known if other.requires_grad]
    if case.findings is not None:
        leaves = (
            torch_private.variable(case.findings.walk.live[k])
            for k in case.findings.leaves.values()
        )
        tracked += [(f"a leaf of shape {tuple(leaf.shape)}", leaf) for leaf in leaves]
    shared = [name for name, other in tracked if other is not tensor and overlap(tensor, other)]
    seen = "it is a leaf with requires_grad=False"
    if shared:
        where = f"it lies on the memory of {shared[0]}, which is tracked"
        return case.reason("shares-memory", "one of", (seen, where))
    return case.reason(
        "untracked", "one of", (seen, "no tracked tensor in sight shares its memory")
    )


def _loss(case: Case) -> list[Reason]:
    """Can the loss be differentiated?"""
    loss = case.loss
    if loss is None:
        return []
    if not isinstance(loss, torch.Tensor):
        assert isinstance(loss, python_numbers.Number) or type(loss).__module__ == "numpy"
        return [case.reason("loss-is-number", evidence=(f"it is a {type(loss).__name__}",))]
    if not loss.requires_grad:
        return [case.reason("loss-untracked", evidence=(f"{case.loss_name}: {summary(loss)}",))]
    if not is_start(loss) and case.grad is None:
        repair = "{loss}.abs().sum().backward()" if loss.is_complex() else None
        seen = f"{case.loss_name}: {summary(loss)}"
        found = [case.reason("loss-not-scalar", evidence=(seen,), repair=repair)]
        reached = case.place is not None or loss is case.tensor
        return found if reached else [*_path(case), *found]
    return []


def is_start(loss: torch.Tensor) -> bool:
    """Tell whether ``backward()`` can start here: at one real number."""
    return loss.numel() == 1 and not loss.is_complex()


def _path(case: Case) -> list[Reason]:
    """Does a path lead from the loss to the tensor?"""
    if case.loss is None:
        return []
    if case.refusal is not None:
        return [case.reason("too-deep", "cannot be known", (str(case.refusal),))]
    if case.place is not None:
        return []
    found = _absent(case)
    if case.grad is None:
        return found
    seen = "its .grad is a tensor, but this graph does not have it"
    return [case.reason("from-elsewhere", evidence=(seen,)), *found]


def _absent(case: Case) -> list[Reason]:
    """Say what can be known about a tensor that the loss's graph does not have."""
    findings, tensor = case.findings, case.tensor
    if findings is None:
        seen = f"{case.loss_name} has requires_grad=True, but no operation recorded it"
        return [case.reason("not-in-graph", evidence=(seen,))]
    if (key := findings.maker(tensor)) is not None:
        seen = f"{findings.describe(key)} made it, but only its other results are used"
        return [case.reason("not-in-graph", evidence=(seen,))]
    if (key := findings.constants.get(id(tensor))) is not None:
        seen = f"{findings.describe(key)} saved it, on an edge without gradient"
        return [case.reason("flag-set-too-late", evidence=(seen,))]
    if (key := findings.constant_views.get(id(tensor))) is not None:
        seen = f"{findings.describe(key)} saved a view of it, on an edge without gradient"
        group = ("flag-set-too-late", "used-but-detached")
        return [case.reason(code, "one of", (seen,)) for code in group]
    if (key := findings.untracked_memory.overlapping(tensor)) is not None:
        seen = f"{findings.describe(key)} saved its memory, on an edge without gradient"
        return [case.reason("used-but-detached", evidence=(seen,))]
    if (key := findings.leaf_memory.overlapping(tensor)) is not None:
        seen = f"{findings.describe(key)} lies on its memory"
        return [case.reason("used-but-detached", evidence=(seen,))]
    count = len(findings.leaves)
    seen = f"none of the {count} leaves behind {case.loss_name} is {case.name}"
    if findings.loss.is_leaf:
        seen = f"{case.loss_name} is a leaf: no operation made it"
    elif count == 1:
        seen = f"the one leaf behind {case.loss_name} is another tensor"
    found = [case.reason("not-in-graph", evidence=(seen,))]
    if (key := findings.twin(tensor)) is not None:
        seen = f"{findings.describe(key)} holds a tensor of the same shape with the same numbers"
        found.append(case.reason("replaced-by-copy", "cannot be known", (seen,)))
    return found


def _engine(case: Case) -> list[Reason]:
    """Has the engine written a gradient? Asked when ``.grad`` is None."""
    findings, place = case.findings, case.place
    group = ["not-called", "cleared", "left-out", "returned"]
    if findings is None or place is None:
        seen = "no loss was given, so no graph could be asked"
        return _group(case, group, "cannot be known", seen)
    refusal = findings.flow.refusal
    if refusal is not None and findings.behind_functions(place[0]):
        group.append("function-returned-none")
    if isinstance(refusal, MutatedGraphError):
        return [case.reason("changed-in-place", evidence=(str(refusal),))]
    if isinstance(refusal, FreedGraphError):
        if place[0] in findings.behind_freed:
            seen = "the graph was freed, so a backward pass or autograd.grad has run"
            return _group(case, group[1:], "one of", seen, _others(case))
        seen = f"a pass has freed a part of the graph, but nothing between it and {case.name}"
        return _group(case, group, "one of", seen, _others(case))
    if refusal is not None:
        sure = findings.kept.anything and not findings.behind_functions(place[0])
        return _group(case, group, "one of" if sure else "cannot be known", str(refusal))
    if findings.flow.fresh.get(place) is None:
        culprits = sorted(findings.flow.silent.get(place[0], ()))
        seen = [f"{findings.describe(key)} returned None" for key in culprits]
        return [case.reason("function-returned-none", evidence=seen)]
    if findings.kept.anything:
        seen = "the graph still holds what it saved: nothing has run, or with retain_graph=True"
        return _group(case, group, "one of", seen, _others(case))
    seen = "no operation of the graph saved anything, so a pass would leave no trace"
    return _group(case, group, "cannot be known", seen, _others(case))


def _group(case: Case, codes: list[str], certainty: Certainty, *seen: str) -> list[Reason]:
    """Give reasons that leave the same traces together; the evidence stands with the first."""
    hooks = torch_private.hooks(case.tensor)
    found: list[Reason] = []
    for number, code in enumerate(codes):
        evidence = tuple(seen) if number == 0 else ()
        if code == "cleared" and hooks:
            evidence += (f"it has a hook that may clear it: {', '.join(hooks)}",)
        again = f"{AGAIN}\n{RULES[code].repair}" if code == "not-called" and case.is_freed else None
        found.append(case.reason(code, certainty, evidence, again))
    return found


def _others(case: Case) -> str:
    """Tell how many other leaves of the graph have a gradient: a hint at ``inputs=``."""
    assert case.findings is not None
    others = len(case.findings.leaves) - case.tensor.is_leaf
    return (
        f"of the {others} other leaves of the graph, {case.findings.leaves_with_grad} have a .grad"
    )
