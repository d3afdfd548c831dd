"""The closed list of reasons why a ``.grad`` is what it is, as data.

``why_no_grad`` chooses from this list alone, so the book draws its decision tree
from it: groups and rules stand in the order in which they are asked.
"""

from dataclasses import dataclass
from typing import Literal

Certainty = Literal["certain", "one of", "cannot be known"]

AGAIN = "...  # compute {loss} again"
"""Stands in a repair for the reader's own forward pass; it is valid Python."""
_RERUN = f"{AGAIN}\n{{loss}}.backward()"
_WATCH = f"with handgrad.watch() as seen:\n    {AGAIN}\nprint(seen)"
_NAME_THE_LINE = (
    f"with torch.autograd.detect_anomaly(check_nan=False):\n    {AGAIN}\n"
    "print(handgrad.why_no_grad({name}, {loss}))"
)
_CAUSES = (
    "it was not used, or detach(), .data, .item(), tolist(), NumPy, torch.tensor(), no_grad or a "
    "step to whole numbers (argmax, a comparison, round, .long()) cut the way"
)
_ENGINE_GROUP: tuple[Certainty, ...] = ("one of", "cannot be known")


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason that a diagnosis may give.

    Attributes:
        code: Stable name, for programs and for the book's decision tree.
        question: Answered yes, it is this reason.
        says: The reason in words; ``{name}`` is the tensor, ``{loss}`` the loss, other words in
            braces are filled in by what was seen.
        repair: Code that brings the gradient, or that finds the line to change. The line
            ``...  # compute loss again`` stands for the forward pass; a pair of lines
            ``# instead of A:`` and ``B`` means that A in the program becomes B, and
            ``# before A:`` and ``B`` that B is written before the line that has A.
        certainties: How sure a diagnosis can be, the surest first.
    """

    code: str
    question: str
    says: str
    repair: str
    certainties: tuple[Certainty, ...] = ("certain",)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are asked in turn, under one question."""

    question: str
    rules: tuple[Rule, ...]


_TENSOR = (
    Rule(
        "integer-dtype",
        "Does it hold integers or truth values?",
        "{name} holds {numbers}, and slopes exist between real numbers only. If argmax(), a "
        "comparison or .long() made it, no cast brings a slope back.",
        "{name} = {name}.to(torch.get_default_dtype()).requires_grad_()\n" + _RERUN,
    ),
    Rule(
        "inside-transform",
        "Does it live inside a torch.func transformation?",
        "{name} is a stand-in inside torch.func, which returns gradients and stores none.",
        "# instead of {name}.grad:\ntorch.func.grad(compute)({name})",
    ),
    Rule(
        "inference-tensor",
        "Was it made under inference_mode?",
        "{name} was made under inference_mode, so autograd may not record it.",
        "{name} = {name}.clone().requires_grad_()\n" + _RERUN,
    ),
    Rule(
        "computed",
        "Is it an attribute of a module that was computed from a parameter?",
        "{name} is no parameter: it was computed from {source}, and the gradient of that is kept.",
        "print({source}.grad)",
    ),
    Rule(
        "not-registered",
        "Is it a module that keeps parts of itself in a plain list, dict or tensor?",
        "{name} does not see what a plain list, dict or tensor holds: that is no parameter.",
        "{name} = torch.nn.ModuleList({name})",
    ),
    Rule(
        "no-parameters",
        "Is it a module without parameters?",
        "{name} has no parameters, so there is nothing that could have a gradient.",
        "{name}.weight = torch.nn.Parameter(torch.ones(1))",
    ),
    Rule(
        "is-the-loss",
        "Is it the loss itself?",
        "{name} is the loss itself: its gradient is 1 by definition, and kept only on request.",
        "{name}.retain_grad()\n{name}.backward()",
    ),
    Rule(
        "made-anew",
        "Does the expression make another tensor each time it is typed?",
        "{name} is another tensor each time it is typed, so no .grad can stay on it.",
        "print({source}.grad)",
    ),
    Rule(
        "not-retained",
        "Is it the result of a recorded operation, without retain_grad()?",
        "{name} is not a leaf and does not keep its gradient: it is computed, passed on, dropped.",
        "{name}.retain_grad()\n{loss}.backward()",
    ),
    Rule(
        "leaf-lost",
        "Was it made from one leaf that nobody holds, by a conversion or a scaling?",
        "{name} may have been meant as the leaf: an operation after its creation un-leafed it.",
        "{name} = {name}.detach().requires_grad_()\n" + _RERUN,
        ("one of",),
    ),
    Rule(
        "view-under-no-grad",
        "Is it a view, made while nothing was recorded, of a tracked tensor?",
        "{name} looks tracked but is a view that nobody recorded, so no gradient can reach it.",
        "{name} = {name}.detach().requires_grad_()\n" + _RERUN,
    ),
    Rule(
        "stale-gradient",
        "Is its flag off, though a gradient is stored?",
        "{name}.grad is left from before {name} was frozen, or was put there; optimizers apply it.",
        "{name}.grad = None",
    ),
    Rule(
        "frozen-parameter",
        "Is it a parameter whose flag is off?",
        "{name} is a frozen parameter: its requires_grad is False.",
        "{name}.requires_grad_()\n" + _RERUN,
    ),
    Rule(
        "shares-memory",
        "Is its flag off, while it shares memory with a tracked tensor?",
        "{name} is an untracked window on a tracked tensor, by detach(), .data, numpy() or a view.",
        "{name}.requires_grad_()\n" + _RERUN,
        ("one of",),
    ),
    Rule(
        "untracked",
        "Is its flag off?",
        "{name} is not tracked: it is plain data, or detach(), .data, NumPy or an operation under "
        "no_grad made it from a tensor that is not in sight.",
        "{name}.requires_grad_()\n" + _RERUN,
        ("one of",),
    ),
)

_LOSS = (
    Rule(
        "loss-is-number",
        "Is the loss a plain number?",
        "{loss} is a plain number: item(), float(), tolist() or numpy() left the graph.",
        _WATCH,
    ),
    Rule(
        "loss-inference",
        "Was the loss computed under inference_mode?",
        "{loss} was computed under inference_mode, where nothing is recorded; enable_grad() does "
        "not change that.",
        f"with torch.inference_mode(False):\n    {AGAIN}\n    {{loss}}.backward()",
    ),
    Rule(
        "loss-untracked",
        "Has the loss no graph?",
        "{loss} has no graph: no tracked tensor went into it, or on every way detach(), .data, "
        ".item(), tolist(), NumPy, torch.tensor(), no_grad or a step to whole numbers (argmax, a "
        "comparison, .long()) cut it off.",
        _WATCH,
    ),
    Rule(
        "loss-not-scalar",
        "Is the loss anything but one real number?",
        "{loss} is not a single real number, so backward() refuses to start.",
        "{loss}.sum().backward()",
    ),
)

_PATH = (
    Rule(
        "too-deep",
        "Is the graph too deep to be walked safely?",
        "The graph of {loss} is too deep to be read and freed in this thread.",
        f"def run():\n    {AGAIN}\n    print(handgrad.why_no_grad({{name}}, {{loss}}))\n\n"
        "threading.stack_size(512 * 1024**2)\nthread = threading.Thread(target=run)\n"
        "thread.start()\nthread.join()",
        ("cannot be known",),
    ),
    Rule(
        "flag-set-too-late",
        "Was its flag switched on after the loss was computed?",
        "{name} was used while its flag was off, so the graph of {loss} has a constant there.",
        _RERUN,
        ("certain", "one of"),
    ),
    Rule(
        "used-but-detached",
        "Did an operation save its memory without a gradient, or is another leaf on it?",
        "{loss} uses the memory of {name}, but through a wall such as detach() or .data.",
        _WATCH,
        ("certain", "one of"),
    ),
    Rule(
        "hidden",
        "Is it absent from the graph, where an operation hides what ran inside it?",
        "Whether {loss} uses {name} cannot be seen: {what} hides what ran inside.",
        _WATCH,
        ("one of", "cannot be known"),
    ),
    Rule(
        "sharded",
        "Is it absent from the graph, and a tensor with rules of its own?",
        "{name} is a {what}, and a graph may use what was gathered or computed from it instead.",
        "print({name}.grad)",
        ("cannot be known",),
    ),
    Rule(
        "from-elsewhere",
        "Is a gradient stored, though this loss does not reach the tensor?",
        "{name}.grad is not from {loss}: another backward pass or the program put it there.",
        _WATCH,
    ),
    Rule(
        "not-in-graph",
        "Is it absent from the graph of the loss?",
        "No path of recorded operations leads from {loss} to {name}: " + _CAUSES + ".",
        _WATCH,
        ("certain", "one of"),
    ),
    Rule(
        "checkpoint-cut",
        "Is it absent, while a checkpoint is in sight that nothing tracked may have entered?",
        "A reentrant checkpoint that no tracked tensor enters records nothing of what runs inside, "
        "and {name} may have been used there.",
        "# instead of use_reentrant=True:\nuse_reentrant=False",
        ("one of",),
    ),
    Rule(
        "drops-out",
        "Is it absent, added only, while the loss is made of a derivative?",
        "{loss} seems to be made of a derivative, which does not contain an added constant such as "
        "{name}: there is nothing to repair.",
        "",
        ("one of",),
    ),
    Rule(
        "replaced-by-copy",
        "Is it absent, while the graph uses another tensor with the same numbers?",
        "{loss} may use a copy of {name}: deepcopy, torch.tensor(...), a reloaded parameter.",
        _WATCH,
        ("cannot be known",),
    ),
)

_ENGINE = (
    Rule(
        "no-derivative",
        "Is there an operation without a derivative, so that backward() must fail?",
        "An operation behind {loss} has no derivative in PyTorch, so backward() raises.",
        _NAME_THE_LINE,
    ),
    Rule(
        "changed-in-place",
        "Was a saved tensor changed in place, so that backward() must fail?",
        "{what} was changed in place after {loss} had saved it, so {loss}.backward() raises.",
        "# before {what} is changed in place:\n{what} = {what}.clone()",
    ),
    Rule(
        "partly-freed",
        "Has another pass freed a part of the graph, so that backward() must fail?",
        "An earlier backward pass freed what lies behind {what}, so {loss}.backward() raises.",
        "# before {loss} is computed:\n{what} = {what}.detach()",
    ),
    Rule(
        "function-returned-none",
        "Did an operation on the only way return None?",
        "An operation between {loss} and {name} returned None instead of a gradient.",
        "# instead of return None:\nreturn grad_output",
        ("certain", "one of", "cannot be known"),
    ),
    Rule(
        "not-called",
        "Has backward() not run yet?",
        "{loss}.backward() has not been called.",
        "{loss}.backward()",
        _ENGINE_GROUP,
    ),
    Rule(
        "cleared",
        "Was it cleared again?",
        "{name}.grad was set to None after backward(), by zero_grad() or by a hook.",
        _RERUN,
        _ENGINE_GROUP,
    ),
    Rule(
        "left-out",
        "Did backward(inputs=...) leave it out?",
        "backward(inputs=...) named other tensors, and it writes to those alone.",
        _RERUN,
        _ENGINE_GROUP,
    ),
    Rule(
        "returned",
        "Did autograd.grad return it instead?",
        "torch.autograd.grad returned the gradient; it never writes to .grad.",
        _RERUN,
        _ENGINE_GROUP,
    ),
    Rule(
        "failed",
        "Did backward() raise an error on its way?",
        "{loss}.backward() raised an error before it reached {name}, as where an earlier pass had "
        "freed a part of the graph.",
        f"{AGAIN}\nprint(handgrad.why_no_grad({{name}}, {{loss}}))",
        _ENGINE_GROUP,
    ),
)

_VALUE = (
    Rule(
        "not-finite",
        "Is it NaN or infinite?",
        "{name}.grad is not finite.",
        _NAME_THE_LINE,
        ("certain", "cannot be known"),
    ),
    Rule(
        "zero-flow",
        "Is it all zero because the flow dies at an operation?",
        "The gradient becomes exactly zero on its way from {loss} to {name}.",
        _NAME_THE_LINE,
        ("certain", "one of"),
    ),
    Rule(
        "zero-written",
        "Is it all zero because zeros were written?",
        "zero_grad(set_to_none=False), a hook or a pass wrote zeros that {loss} would not bring.",
        _RERUN,
        ("certain", "one of"),
    ),
    Rule(
        "rounding-noise",
        "Is it no larger than the rounding errors of numbers that cancelled?",
        "What is in {name}.grad is rounding: all else that flows to {name} cancels.",
        'print(handgrad.peel(handgrad.trace({loss}, values=True), "{name}"))',
    ),
    Rule(
        "stale-cast",
        "Was a cast of it used that has other numbers than it has now?",
        "{loss} was computed from a cast of {name} that has other numbers, or may have them: "
        "{name} was changed since, or autocast kept an old cast.",
        "torch.clear_autocast_cache()\n" + _RERUN,
        ("certain", "cannot be known"),
    ),
    Rule(
        "computed-once",
        "Does a module keep a result with a graph of its own, from before this forward pass?",
        "{what} has a graph of its own and seems to be older than this forward pass: after a step "
        "of an optimizer its numbers are old, and its graph serves one backward pass only. Compute "
        "it in forward().",
        "...  # compute {what} and {loss} again\n{loss}.backward()",
        ("cannot be known",),
    ),
    Rule(
        "kept-without-history",
        "Is a tensor in use that a Function kept on its ctx, so without a history?",
        "{what} is used in the graph of {loss} as a constant, because it was kept on ctx: if it "
        "depends on {name}, a part of the gradient is missing. Save the input with "
        "ctx.save_for_backward() and compute it in backward().",
        _NAME_THE_LINE,
        ("cannot be known",),
    ),
    Rule(
        "hook",
        "Does it differ from a fresh gradient, while the tensor has a hook?",
        "A hook on {name} stands between the graph and {name}.grad.",
        "handle.remove()  # what register_hook returned\n{name}.grad = None\n" + _RERUN,
        ("one of",),
    ),
    Rule(
        "accumulated",
        "Is it a whole multiple of a fresh gradient?",
        "{name}.grad is a sum of several passes: backward() adds to what is there.",
        "{name}.grad = None\n" + _RERUN,
        ("one of",),
    ),
    Rule(
        "differs",
        "Does it differ from a fresh gradient?",
        "{name}.grad is not the gradient of {loss}: a hook, clipping, scaling or other passes.",
        "{name}.grad = None\n" + _RERUN,
        ("one of",),
    ),
    Rule(
        "present",
        "Is there no fresh gradient to compare it with?",
        "{name}.grad is present; it was not verified.",
        "",
        ("cannot be known",),
    ),
    Rule("fine", "Otherwise", "{name}.grad is there.", ""),
)

GROUPS = {
    "tensor": Group("Can this tensor have a gradient at all?", _TENSOR),
    "loss": Group("Can the loss be differentiated?", _LOSS),
    "path": Group("Does a path lead from the loss to the tensor?", _PATH),
    "engine": Group("Has the engine written a gradient?", _ENGINE),
    "value": Group("Is the gradient that was written the right one?", _VALUE),
}
RULES = {rule.code: rule for group in GROUPS.values() for rule in group.rules}

GOOD = frozenset(("fine", "present"))
"""The reasons that speak against nothing."""
