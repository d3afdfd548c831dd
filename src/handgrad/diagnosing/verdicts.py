"""The decisions of a diagnosis, stage by stage; the stages are the groups of ``reasons``."""

import numbers as python_numbers
from collections.abc import Callable

import torch
from torch import nn

from handgrad.diagnosing import blame, in_place, values
from handgrad.diagnosing.case import Case, summary
from handgrad.diagnosing.diagnosis import Reason
from handgrad.diagnosing.memory import overlap
from handgrad.diagnosing.naming import detached
from handgrad.diagnosing.opaque import function, wrapper
from handgrad.diagnosing.reasons import AGAIN, RULES, Certainty
from handgrad.errors import GraphTooLargeError
from handgrad.tracing import torch_private
from handgrad.tracing.structure import walk

CONVERSIONS = frozenset(
    ("ToCopy", "Mul", "Div", "Add", "Sub", "Neg", "Clone", "Alias", "View", "UnsafeView")
).union(("T", "Transpose", "Permute", "Squeeze", "Unsqueeze", "Expand"))
"""Operations with which a tensor is often initialised: scaled, shifted, moved, reshaped."""

MANY_STEPS = 8

GROUP = ("not-called", "cleared", "left-out", "returned")
"""Reasons that leave the same traces on a tensor that the loss reaches."""

FREED_GROUP = ("cleared", "left-out", "returned", "failed")
"""The same where a pass has freed the graph."""


def reasons(case: Case) -> tuple[Reason, ...]:
    """Ask the stages in order; the first that finds something decides."""
    stages: tuple[Callable[[Case], list[Reason]], ...] = (_tensor, _loss, _path)
    for stage in stages:
        found = stage(case)
        if found:
            return tuple(found)
    if case.grad is None:
        return tuple(_engine(case))
    return (*_next_fails(case), *values.value(case, case.grad))


def _tensor(case: Case) -> list[Reason]:
    """Can this tensor have a gradient at all?"""
    tensor = case.tensor
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return [_integers(case)]
    if torch_private.is_wrapped(tensor):
        return [case.reason("inside-transform", evidence=("torch.func wraps it",))]
    if tensor.is_inference():
        return _inference(case)
    if tensor.is_leaf and tensor.requires_grad and (found := _unrecorded_view(case)):
        return found
    if tensor is case.loss and tensor.requires_grad and case.grad is None and is_start(tensor):
        return [_is_the_loss(case)]
    if not tensor.is_leaf:
        return [] if tensor.retains_grad else _not_retained(case)
    return [] if tensor.requires_grad else [_untracked(case)]


def _integers(case: Case) -> Reason:
    tensor = case.tensor
    numbers = "truth values" if tensor.dtype == torch.bool else "integers"
    seen = [f"its dtype is {tensor.dtype}"]
    used = None if case.findings is None else case.findings.uses_as_index(tensor)
    repair = None
    if used is not None:
        key, word = used
        assert case.findings is not None
        seen.append(
            f"{case.findings.describe(key)} takes it as its {word}: that is as it should be, and "
            "there is nothing to repair"
        )
        repair = ""
    return case.reason("integer-dtype", evidence=seen, repair=repair, numbers=numbers)


def _inference(case: Case) -> list[Reason]:
    """Say how to leave inference mode, and what else has to."""
    loss, question = case.loss, case.question
    inside = isinstance(loss, torch.Tensor) and loss.is_inference()
    seen = ["is_inference() is True"]
    if inside:
        seen.append(f"{case.loss_name} is an inference tensor too: nothing of it was recorded")
    others = [
        name
        for name, tensor in question.known
        if tensor.is_inference() and tensor is not case.tensor and tensor is not loss
        if name.isidentifier()
    ]
    if others:
        seen.append(f"so are {', '.join(others[:4])}; where one is used, clone() it as well")
    repair = None
    if inside or question.in_inference:
        copies = "".join(f"    {name} = {name}.clone()\n" for name in others[:4])
        repair = (
            "with torch.inference_mode(False):\n"
            "    {name} = {name}.clone().detach().requires_grad_()\n"
            f"{copies}    {AGAIN}\n    {{loss}}.backward()"
        )
    return [case.reason("inference-tensor", evidence=seen, repair=repair)]


def _is_the_loss(case: Case) -> Reason:
    seen = f"{case.name} and the loss are one tensor"
    repair = "{name}.backward()" if case.tensor.is_leaf else RULES["is-the-loss"].repair
    again = f"{AGAIN}\n" if case.is_freed else ""
    return case.reason("is-the-loss", evidence=(seen,), repair=again + repair)


def _not_retained(case: Case) -> list[Reason]:
    """Say which operation made the tensor, and which leaves it came from."""
    node = case.tensor.grad_fn
    assert node is not None
    absent = case.findings is not None and case.place is None
    made = f"{node.name()} made it; is_leaf=False, retains_grad=False"
    no_start = _loss(case)
    try:
        history = walk(node)
    except GraphTooLargeError:
        return [_retain(case, (made,), no_start), *no_start]
    leaves = [torch_private.variable(live) for live in history.live if torch_private.is_leaf(live)]
    named = [
        case.called(leaf) or f"an unnamed leaf of shape {tuple(leaf.shape)}" for leaf in leaves
    ]
    came = f"it came from {', '.join(named[:4])}{' and others' if len(named) > 4 else ''}"
    kinds = [history.structure.kinds[kind] for kind in history.structure.kind]
    chain = [kind.op for kind in kinds if not kind.leaf]
    if case.is_new and (absent or case.findings is None):
        return [_made_anew(case, leaves, f"{node.name()} made it", came)]
    found = [_retain(case, (made, came), no_start)]
    if (module := _attribute_of(case)) is not None and all(map(case.called, leaves)):
        seen = f"{module} has it as a plain attribute or buffer, and it is not a leaf"
        source = case.called(leaves[0]) or ""
        found.insert(0, case.reason("computed", evidence=(seen, came), source=source))
    if (
        len(leaves) == 1
        and case.called(leaves[0]) is None
        and leaves[0].numel() == case.tensor.numel()
        and len(chain) <= MANY_STEPS
        and CONVERSIONS.issuperset(chain)
    ):
        seen = f"{' and '.join(reversed(chain))} made it from one leaf that nobody else names"
        found.append(case.reason("leaf-lost", "one of", (seen,)))
    return [*found, *no_start, *(_absent(case) if absent and not no_start else ())]


def _retain(case: Case, evidence: tuple[str, ...], no_start: list[Reason]) -> Reason:
    repair = None
    if no_start:
        repair = "{name}.retain_grad()"
    elif case.is_freed:
        repair = "...  # compute {name} and {loss} again\n{name}.retain_grad()\n{loss}.backward()"
    return case.reason("not-retained", evidence=evidence, repair=repair)


def _made_anew(case: Case, leaves: list[torch.Tensor], made: str, came: str) -> Reason:
    """Say at which leaf the gradient of an expression is to be found."""
    known = [name for leaf in leaves if (name := case.called(leaf)) is not None]
    if not known:
        return case.reason("made-anew", evidence=(made, came), repair="", source="it")
    asked = f", {case.loss_name}" if case.loss is not None else ""
    part = case.code[len(known[0]) :] if case.code.startswith(f"{known[0]}[") else ""
    lines = [
        f"print({name}.grad{part})"
        if leaf.grad is not None
        else f"print(handgrad.why_no_grad({name}{asked}))"
        for leaf in leaves
        if (name := case.called(leaf)) is not None
    ]
    return case.reason(
        "made-anew", evidence=(made, came), repair="\n".join(lines[:4]), source=known[0]
    )


def _attribute_of(case: Case) -> str | None:
    """Name the module that has the tensor as a plain attribute or a buffer."""
    for path, module in case.question.modules:
        plain = vars(module).values()
        if any(held is case.tensor for held in (*plain, *module.buffers(recurse=False))):
            return path
    return None


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
    tracked = [(name, other) for name, other in case.question.known if other.requires_grad]
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
    if loss.is_inference():
        return [case.reason("loss-inference", evidence=("its is_inference() is True",))]
    if not loss.requires_grad:
        return _loss_untracked(case, loss)
    if not is_start(loss) and case.grad is None:
        repair = "{loss}.abs().sum().backward()" if loss.is_complex() else None
        seen = f"{case.loss_name}: {summary(loss)}"
        found = [case.reason("loss-not-scalar", evidence=(seen,), repair=repair)]
        reached = case.place is not None or loss is case.tensor
        return found if reached else [*_path(case), *found]
    return []


def _loss_untracked(case: Case, loss: torch.Tensor) -> list[Reason]:
    seen = [f"{case.loss_name}: {summary(loss)}"]
    found = [case.reason("loss-untracked", evidence=seen)]
    if (sign := case.question.checkpoint_sign) is not None:
        found.append(_checkpoint_cut(case, sign))
    return found


def is_start(loss: torch.Tensor) -> bool:
    """Tell whether ``backward()`` can start here: at one real number."""
    return loss.numel() == 1 and not loss.is_complex()


def _path(case: Case) -> list[Reason]:
    """Does a path lead from the loss to the tensor?"""
    if case.loss is None:
        return []
    if case.question.refusal is not None:
        return [case.reason("too-deep", "cannot be known", (str(case.question.refusal),))]
    if case.place is not None or (case.grad is not None and case.is_hidden):
        return []
    found = _absent(case)
    if case.grad is None:
        return found
    seen = "its .grad is a tensor, but this graph does not have it"
    return [case.reason("from-elsewhere", evidence=(seen,)), *found]


def _absent(case: Case) -> list[Reason]:
    """Say what can be known about a tensor that the loss's graph does not have."""
    if not case.is_hidden:
        return _not_there(case, "certain")
    findings = case.findings
    assert findings is not None
    if (kind := wrapper(case.tensor)) is not None:
        hidden = case.reason("sharded", "cannot be known", (f"its class is {kind}",), what=kind)
    else:
        hidden = _hidden(case)
    return [hidden, *_not_there(case, "one of")]


def _hidden(case: Case) -> Reason:
    findings = case.findings
    assert findings is not None
    nodes = {key: function(findings.walk.live[key]) for key in findings.hiding}
    seen = [
        f"{findings.describe(key)} is {kind}: what it used inside is not recorded"
        for key, kind in nodes.items()
    ]
    first = min(nodes, key=lambda key: (nodes[key] != "a reentrant checkpoint", key))
    what = findings.op(first)
    repair = None
    if nodes[first] == "a reentrant checkpoint":
        repair = "# instead of use_reentrant=True:\nuse_reentrant=False"
    elif nodes[first] == "a compiled region":
        repair = (
            f'with torch.compiler.set_stance("force_eager"):\n    {AGAIN}\n'
            "print(handgrad.why_no_grad({name}, {loss}))"
        )
    else:
        seen.append(
            f"if {case.name} is used inside, give it to {what}.apply() as an argument and return "
            "its gradient from backward()"
        )
    return case.reason("hidden", "cannot be known", seen, repair, what=what)


def _not_there(case: Case, sure: Certainty) -> list[Reason]:
    """Say how a tensor that the graph does not have was used, or what may have cut the way."""
    findings, tensor = case.findings, case.tensor
    if findings is None:
        seen = f"{case.loss_name} has requires_grad=True, but no operation recorded it"
        return [case.reason("not-in-graph", sure, (seen,))]
    if (key := findings.maker(tensor)) is not None:
        seen = f"{findings.describe(key)} made it, but only its other results are used"
        return [case.reason("not-in-graph", sure, (seen,))]
    if (key := findings.constants.get(id(tensor))) is not None:
        seen = f"{findings.describe(key)} saved it, on an edge without gradient"
        return [case.reason("flag-set-too-late", sure, (seen,))]
    if (key := findings.constant_views.get(id(tensor))) is not None:
        seen = f"{findings.describe(key)} saved a view of it, on an edge without gradient"
        group = ("flag-set-too-late", "used-but-detached")
        return [case.reason(code, "one of", (seen,)) for code in group]
    if (key := findings.untracked_memory.overlapping(tensor)) is not None:
        seen = f"{findings.describe(key)} saved its memory, on an edge without gradient"
        return [case.reason("used-but-detached", sure, (seen,))]
    if (key := findings.leaf_memory.overlapping(tensor)) is not None:
        seen = f"{findings.describe(key)} lies on its memory"
        leaf = findings.name_of(key)
        inside = leaf is not None and leaf.startswith(f"{case.name}.")
        repair = f"print({leaf}.grad)" if inside else None
        return [case.reason("used-but-detached", sure, (seen,), repair)]
    return _not_seen(case, sure)


def _not_seen(case: Case, sure: Certainty) -> list[Reason]:
    """Say what may have become of a tensor that has left no trace in the graph."""
    findings, tensor = case.findings, case.tensor
    assert findings is not None
    count = len(findings.leaves)
    seen = f"none of the {count} leaves behind {case.loss_name} is {case.name}"
    if findings.loss.is_leaf:
        seen = f"{case.loss_name} is a leaf: no operation made it"
    elif count == 1:
        seen = f"the one leaf behind {case.loss_name} is another tensor"
    first: list[Reason] = []
    if (derived := _drops_out(case)) is not None:
        first.append(case.reason("drops-out", "one of", derived))
    if (sign := case.question.checkpoint_sign) is not None and findings.has_constants:
        first.append(_checkpoint_cut(case, sign))
    found = [*first, case.reason("not-in-graph", "one of" if first else sure, (seen,))]
    if (key := findings.twin(tensor)) is not None:
        seen = f"{findings.describe(key)} holds a tensor of the same shape with the same numbers"
        found.append(case.reason("replaced-by-copy", "cannot be known", (seen,)))
    return found


def _drops_out(case: Case) -> tuple[str, str] | None:
    """Say why a loss looks like one made of a derivative, in which this tensor drops out."""
    findings = case.findings
    assert findings is not None
    keys = range(len(findings.walk.live))
    derivative = next((key for key in keys if findings.op(key).endswith("Backward")), None)
    owners = [
        (path, module)
        for path, module in case.question.modules
        if any(held is case.tensor for held in module.parameters(recurse=False))
    ]
    for path, module in owners if derivative is not None else ():
        beside = [
            name
            for name, held in module.named_parameters(recurse=False)
            if held is not case.tensor and findings.place(held) is not None
        ]
        if beside and case.tensor.dim() <= 1:
            assert derivative is not None
            return (
                f"{findings.describe(derivative)} is the derivative of an operation",
                f"{path}.{beside[0]}, beside it, is in the graph",
            )
    return None


def _checkpoint_cut(case: Case, sign: str) -> Reason:
    seen = (
        sign,
        "without use_reentrant=False, let what enters it ask for a gradient: "
        "x.requires_grad_(), or model.enable_input_require_grads() in transformers",
    )
    return case.reason("checkpoint-cut", "one of", seen)


def _engine(case: Case) -> list[Reason]:
    """Has the engine written a gradient? Asked when ``.grad`` is None."""
    findings, place = case.findings, case.place
    if findings is None or place is None:
        seen = "no loss was given, so no graph could be asked"
        return _group(case, GROUP, "cannot be known", seen)
    if found := _fails(case):
        return found
    more: tuple[str, ...] = ()
    refusal = findings.refusal(place[0])
    if refusal is not None and findings.behind_functions(place[0]):
        more = ("function-returned-none",)
    group = (*GROUP, *more)
    if findings.kept.freed:
        if place[0] in findings.behind_freed:
            seen = "the graph was freed, so a backward pass or autograd.grad has run"
            return _group(case, (*FREED_GROUP, *more), "one of", seen, _others(case))
        seen = f"a pass has freed a part of the graph, but nothing between it and {case.name}"
        return _group(case, group, "one of", seen, _others(case))
    if refusal is not None:
        sure = bool(findings.kept.held) and not findings.behind_python(place[0])
        return _group(case, group, "one of" if sure else "cannot be known", str(refusal))
    fresh = findings.flow.fresh.get(place)
    if fresh is None:
        return [_returned_none(case)]
    also = values.would_be(case, fresh)
    if findings.kept.held:
        seen = "the graph still holds what it saved: nothing has run, or with retain_graph=True"
        return [*_group(case, group, "one of", seen, _others(case)), *also]
    seen = "no operation of the graph saved anything, so a pass would leave no trace"
    return [*_group(case, group, "cannot be known", seen, _others(case)), *also]


def _returned_none(case: Case) -> Reason:
    findings, place = case.findings, case.place
    assert findings is not None
    assert place is not None
    culprits = sorted(findings.flow.silent.get(place[0], ()))
    found = [blame.silent(findings, key) for key in culprits]
    by_hand = any(torch_private.is_python(findings.walk.live[key]) for key in culprits)
    repair = None if by_hand else "\n".join(one.repair for one in found)
    seen = [one.seen for one in found]
    return case.reason("function-returned-none", evidence=seen, repair=repair)


def _fails(case: Case) -> list[Reason]:
    """Say why ``backward()`` must fail, if what the graph still has shows it."""
    findings = case.findings
    assert findings is not None
    missing = {
        key: str(error.__cause__)
        for key, error in findings.flow.refusals.items()
        if "is not implemented" in str(error)
    }
    if missing:
        seen = [f"{findings.describe(key)}: PyTorch says: {said}" for key, said in missing.items()]
        line = all(map(findings.line, missing))
        return [case.reason("no-derivative", evidence=seen, repair="" if line else None)]
    if findings.kept.mutated:
        return _changed_in_place(case)
    if findings.earlier_pass:
        return _partly_freed(case)
    return []


def _next_fails(case: Case) -> list[Reason]:
    """Say the same where a gradient is there already, of a pass that came before."""
    if case.findings is None or case.place is None or not case.findings.kept.freed:
        return []
    if case.findings.kept.mutated and case.findings.kept.held:
        return _changed_in_place(case)[:1]
    return _partly_freed(case)[:1] if case.findings.earlier_pass else []


def _changed_in_place(case: Case) -> list[Reason]:
    findings = case.findings
    assert findings is not None
    first, *others = in_place.changes(findings)
    what = first.name or "A tensor"
    seen = [f"{findings.describe(first.key)} saved {first.name or 'it'}; {first.says}"]
    seen += [f"{findings.describe(o.key)} saved {o.name or 'one'} too" for o in others[:2]]
    if first.line:
        seen.append(f"it was changed at {first.line}")
    leaf = first.tensor is not None and first.tensor.is_leaf
    repair = None
    if first.name is None:
        repair = "# before the tensor is changed in place:\ntensor = tensor.clone()"
    statements = in_place.statements(first.name, case.question.frame) if first.name else []
    if statements and not leaf:
        number, text, better = statements[-1]
        seen.append(f"line {number} changes it: {text}")
        repair = f"# instead of {text}:\n{better}"
        if not better:
            repair = f"# before {text}:\n{first.name} = {first.name}.clone()"
    if leaf:
        reader = findings.lookup(first.tensor)
        if reader is not None:
            seen.append(
                f"{findings.describe(reader)} reads it too: with max_norm it scales rows in place"
            )
            repair = f"# instead of {first.name}:\n{first.name}.clone()"
        else:
            seen.append("as optimizer.step() or an update under no_grad does")
            repair = RULES["cleared"].repair
    found = [case.reason("changed-in-place", evidence=seen, repair=repair, what=what)]
    if leaf and not findings.kept.freed:
        found += _group(case, GROUP, "one of", "it may have run before, with retain_graph=True")
    return found


def _partly_freed(case: Case) -> list[Reason]:
    findings, place = case.findings, case.place
    assert findings is not None
    assert place is not None
    name, key = findings.boundary
    what = name or findings.op(key)
    made = findings.describe(key)
    seen = [f"{made} was freed, and what {case.loss_name} computed after it was not"]
    owner = _module_of(case, name) if name else None
    if owner:
        seen.append(
            f"{owner} keeps {name} as a tensor with a graph of its own: compute it in forward(), "
            "at each pass anew"
        )
    alone = place[0] in findings.only_behind_freed
    if name and not alone and not owner:
        cut = detached(name, case.question.frame)
        repair = f"{cut}\n{AGAIN}\n{{loss}}.backward()"
    else:
        again = f"{name} and {{loss}}" if name else "{loss}"
        repair = f"...  # compute {again} again\n{{loss}}.backward()"
    found = [case.reason("partly-freed", evidence=seen, repair=repair, what=what)]
    return [*found, *_group(case, GROUP[:1], "one of", "the part in front of it was not run")]


def _module_of(case: Case, name: str) -> str | None:
    """Name the module of which a name is an attribute, where it is one."""
    owner = name.rpartition(".")[0]
    return owner if owner in case.question.paths else None


def _group(case: Case, codes: tuple[str, ...], certainty: Certainty, *seen: str) -> list[Reason]:
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
