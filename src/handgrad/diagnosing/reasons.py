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
_ENGINE_GROUP: tuple[Certainty, ...] = ("one of", "cannot be known")


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason that a diagnosis may give.

    Attributes:
        code: Stable name, for programs and for the book's decision tree.
        question: Answered yes, it is this reason.
        says: The reason in words; ``{name}`` is the tensor, ``{loss}`` the loss.
        repair: Code that brings the gradient, or that finds the line to change. The line
            ``...  # compute loss again`` stands for the forward pass; a pair of lines
            ``# instead of A:`` and ``B`` means that A in the program becomes B.
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
        "{name} holds integers, and slopes exist between real numbers only.",
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
        "loss-untracked",
        "Has the loss no graph?",
        "{loss} has no graph: no tracked tensor went into it, or a wall stands on every way.",
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
        "from-elsewhere",
        "Is a gradient stored, though this loss does not reach the tensor?",
        "{name}.grad is not from {loss}: another backward pass or the program put it there.",
        _WATCH,
    ),
    Rule(
        "not-in-graph",
        "Is it absent from the graph of the loss?",
        "No path of recorded operations leads from {loss} to {name}.",
        _WATCH,
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
        "changed-in-place",
        "Was a saved tensor changed in place, so that backward() must fail?",
        "Something that the graph of {loss} had saved was overwritten, so backward() raises.",
        "# instead of z.add_(1):\nz = z + 1",
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
        "accumulated",
        "Is it a whole multiple of a fresh gradient?",
        "{name}.grad is a sum of several passes: backward() adds to what is there.",
        "{name}.grad = None\n" + _RERUN,
        ("one of",),
    ),
    Rule(
        "hook",
        "Does it differ from a fresh gradient, while the tensor has a hook?",
        "A hook on {name} stands between the graph and {name}.grad.",
        "handle.remove()  # what register_hook returned\n{name}.grad = None\n" + _RERUN,
        ("one of",),
    ),
    Rule(
        "differs",
        "Does it differ from a fresh gradient?",
        "{name}.grad is not the gradient of {loss}: a hook, clipping, scaling or other passes.",
        "{name}.grad = None\n" + _RERUN,
        ("one of",),
    ),
    Rule("fine", "Otherwise", "{name}.grad is there.", "", ("certain", "cannot be known")),
)

GROUPS = {
    "tensor": Group("Can this tensor have a gradient at all?", _TENSOR),
    "loss": Group("Can the loss be differentiated?", _LOSS),
    "path": Group("Does a path lead from the loss to the tensor?", _PATH),
    "engine": Group("Has the engine written a gradient?", _ENGINE),
    "value": Group("Is the gradient that was written the right one?", _VALUE),
}
RULES = {rule.code: rule for group in GROUPS.values() for rule in group.rules}
