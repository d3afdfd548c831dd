"""Evaluate what the prose asks for: inside the chapter's process, after the cell above it.

An expression may look, and do nothing else: one that raises, prints or changes a
variable is a fault, and the build stops. Runs beside the reader's cells, in the
forked process or on a real kernel, so it imports only the standard library.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import operator
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from autograd_book.inline.numbers import typeset

MIME = "application/vnd.autograd-book.answers+json"
LONGEST = 120  # characters of a value in a message
DEEPEST = 4  # how far into lists and objects a change is looked for
SMALL = 4096  # numbers of a tensor that are looked at one by one: .data writes past the version
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
QUIET = (ModuleType, FunctionType, BuiltinFunctionType, type)
Names = dict[str, Any]


def publish(asked: str) -> None:
    """Answer a list of questions, as JSON, for the namespace of the running shell; show it."""
    from IPython.core.display_functions import display
    from IPython.core.getipython import get_ipython

    answers = answer(json.loads(asked), get_ipython().user_ns)
    display({MIME: answers}, raw=True)


def answer(asked: list[dict[str, Any]], names: Names) -> list[dict[str, Any]]:
    """Return the answers to what one stretch of prose asks, in its order.

    Args:
        asked: ``{"kind": "py" | "holds", "number", "code"}``, or ``{"kind":
            "exercise", "key", ...}`` as :mod:`autograd_book.inline.blocks` makes it.
        names: The chapter's variables; they are as before when this returns, or
            the answer says that they are not.

    Returns:
        For each question its own entries and ``text`` (a value), ``held`` and
        ``gave`` (a claim), ``record`` (an exercise), or ``fault``, in words.
    """
    answers: list[dict[str, Any]] = []
    texts: dict[int, str] = {}
    before = State(names)
    for question in asked:
        said = _answer(question, names, texts)
        after = State(names)
        if "fault" not in said and (changed := before.changed(after)):
            said["fault"] = f"changes {changed}; what prose asks for may only look"
        if question["kind"] == "py":
            texts[question["number"]] = said.get("text", "")
        before = after
        answers.append(question | said)
    return answers


def _answer(question: dict[str, Any], names: Names, texts: dict[int, str]) -> dict[str, Any]:
    out = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            said = KINDS[question["kind"]](question, names, texts)
    except Exception as error:
        return {"fault": f"raises {type(error).__name__}: {error}"}
    if warned:
        said["fault"] = f"warns: {warned[0].message}"
    if out.getvalue():
        said["fault"] = f"prints {out.getvalue().strip()[:LONGEST]!r}; a sentence can show a value"
    return said


def _value(question: dict[str, Any], names: Names, texts: dict[int, str]) -> dict[str, Any]:
    code, form = split_format(question["code"])
    value = _run(ast.parse(code, mode="eval").body, names)
    try:
        return {"text": typeset(value, form)}
    except (TypeError, ValueError) as error:
        return {"fault": str(error)}


def split_format(field: str) -> tuple[str, str]:
    """Split what could stand between the braces of an f-string into expression and format.

    Raises:
        SyntaxError: If it does not begin with an expression.

    Example:
        >>> split_format("rows[1:3][0]:.2f"), split_format("{1: 2}[1]")
        (('rows[1:3][0]', '.2f'), ('{1: 2}[1]', ''))
    """
    places = [len(field)] + [i for i in range(len(field) - 1, 0, -1) if field[i] == ":"]
    for place in places:
        with contextlib.suppress(SyntaxError):
            ast.parse(field[:place].strip(), mode="eval")
            return field[:place].strip(), field[place + 1 :].strip()
    ast.parse(field, mode="eval")
    raise AssertionError("a field that does not parse has raised")


def _claim(question: dict[str, Any], names: Names, texts: dict[int, str]) -> dict[str, Any]:
    held, gave = _hold(ast.parse(question["code"], mode="eval").body, names)
    return {"held": held, "gave": gave}


def _hold(tree: ast.expr, names: Names) -> tuple[bool, list[list[str]]]:
    """Return whether a claim holds, and what its sides gave, as (code, value)."""
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        sides: list[list[str]] = []
        for part in tree.values:
            held, gave = _hold(part, names)
            if not held:
                return False, gave
            sides += gave
        return True, sides
    if isinstance(tree, ast.Compare):
        parts = [tree.left, *tree.comparators]
        values = [_run(part, names) for part in parts]
        pairs = zip(tree.ops, values, values[1:], strict=False)
        held = all(_truth(COMPARE[type(op)](a, b)) for op, a, b in pairs)
        sides = [[ast.unparse(part), show(v)] for part, v in zip(parts, values, strict=True)]
        return held, [side for side in sides if not _is_itself(*side)]
    value = _run(tree, names)
    held = _truth(value)
    gave = [] if held else [[ast.unparse(tree), show(value)], *_first_false(tree, names)]
    return held, gave


def _is_itself(code: str, value: str) -> bool:
    return code.replace(" ", "") == value.replace(" ", "")


def _truth(value: Any) -> bool:
    """Return a truth value as one; a number is none, and many of them are not one."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return value
    shape = getattr(value, "shape", None)
    many = f" of shape {tuple(shape)}; say which, with .all() or .any()" if shape else ""
    raise TypeError(f"a claim is True or False, and this gives a {type(value).__name__}{many}")


def _first_false(tree: ast.expr, names: Names) -> Iterator[list[str]]:
    """For ``all(... for ...)``, yield the loop's variables where it fails first."""
    if not (isinstance(tree, ast.Call) and getattr(tree.func, "id", "") == "all" and tree.args):
        return
    loop = tree.args[0]
    if not isinstance(loop, ast.GeneratorExp | ast.ListComp):
        return
    found = [node.id for part in loop.generators for node in ast.walk(part.target)
             if isinstance(node, ast.Name)]  # fmt: skip
    values = ast.Tuple([ast.Name(name, ast.Load()) for name in found], ast.Load())
    each = ast.GeneratorExp(ast.Tuple([loop.elt, values], ast.Load()), loop.generators)
    for held, at in _run(ast.fix_missing_locations(each), names):
        if not held:
            yield from ([name, show(value)] for name, value in zip(found, at, strict=True))
            return


def _run(tree: ast.expr, names: Names) -> Any:
    return eval(compile(ast.Expression(tree), "<prose>", "eval"), names)


def show(value: Any) -> str:
    """Return a value for a message: short, on one line, a tensor as its numbers, no address."""
    plain = getattr(value, "tolist", None)
    if plain is not None and getattr(value, "shape", None) is not None:
        with contextlib.suppress(Exception):
            value = plain()
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(repr(value).split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"


def _exercise(question: dict[str, Any], names: Names, texts: dict[int, str]) -> dict[str, Any]:
    """Make the exercise that a block describes; its promises are kept or it raises."""
    from handgrad import Exercise

    def value(code: str) -> Any:
        found = _run(ast.parse(code, mode="eval").body, names)
        return found.item() if getattr(found, "shape", None) == () else found

    def words(parts: list[Any]) -> str:
        return "".join(part if isinstance(part, str) else texts[part] for part in parts)

    choices: list[str] = question["choices"]
    lettered: bool = question["lettered"]  # the options are listed; a letter stands for each
    answer = question["answer"] if lettered else value(question["answer"])
    wrong = {
        each["code"]: (each["code"] if lettered else value(each["code"]), words(each["words"]))
        for each in question["wrong"]
    }
    made = Exercise(
        question["key"],
        answer=answer,
        wrong=wrong,
        digits=question["digits"],
        choices=choices or None,
        unit=question["unit"],
    )
    faults = [f"{said!r} of {code!r}" for code, (attempt, hint) in wrong.items()
              if (said := made.check(attempt)).words != hint.strip()]  # fmt: skip
    if faults or not made.check(answer).right:
        raise ValueError(f"its own checker says {faults or made.check(answer)}")
    record = made.to_dict() | {"source": _source(question, wrong)}
    if lettered:  # the letters are of no interest to a reader
        record["right"] = f"Yes. {words(question.get('right', []))}".strip()
    return {"record": record}


def _source(question: dict[str, Any], wrong: dict[str, tuple[Any, str]]) -> str:
    """Return the exercise as code, for a notebook."""
    lettered = question["lettered"]
    answer = repr(question["answer"]) if lettered else question["answer"]
    lines = [f"    {question['key']!r},", f"    answer={answer},"]
    lines.append("    wrong={")
    lines += [f"        {code!r}: ({repr(code) if lettered else code}, {hint!r}),"
              for code, (_, hint) in wrong.items()]  # fmt: skip
    lines.append("    },")
    lines.append(f"    digits={question['digits']},")
    lines += [f"    {name}={question[name]!r}," for name in ("choices", "unit") if question[name]]
    return "\n".join(["Exercise(", *lines, ")"])


KINDS = {"py": _value, "holds": _claim, "exercise": _exercise}


class State:
    """What a chapter's variables are, as far as a change can be seen cheaply."""

    def __init__(self, names: Names) -> None:
        self.marks = {
            name: _mark(value, DEEPEST)
            for name, value in names.items()
            if not name.startswith("_") and name not in ("In", "Out", "exit", "quit", "open")
        }
        self.random = _random()

    def changed(self, after: State) -> str:
        """Say what is different afterwards, in words; nothing if nothing is."""
        for name in sorted(self.marks.keys() | after.marks.keys()):
            if name not in self.marks:
                return f"the chapter: it makes a variable {name}"
            if name not in after.marks:
                return f"the chapter: it deletes {name}"
            if self.marks[name] != after.marks[name]:
                return name
        moved = [name for name, state in self.random.items() if after.random[name] != state]
        return "a random generator, or a mode of torch" if moved else ""  # an import is no move


def _mark(value: Any, depth: int) -> Any:
    """Return something that is another one after a change of the value."""
    if isinstance(value, QUIET) or depth == 0:
        return id(value)
    if isinstance(value, str | bytes | int | float | complex | None):
        return (type(value).__name__, repr(value))
    if isinstance(value, dict):
        return (id(value), [(id(key), _mark(item, depth - 1)) for key, item in value.items()])
    if isinstance(value, list | tuple | set | frozenset):
        if len(value) > 1000:
            return (id(value), len(value))
        return (id(value), [_mark(item, depth - 1) for item in value])
    if hasattr(value, "requires_grad") and hasattr(value, "is_leaf"):
        return _tensor_mark(value, depth)
    if hasattr(value, "__array_interface__"):
        return (id(value), value.shape, value.tobytes() if value.nbytes < 1 << 20 else None)
    left = operator.length_hint(value, -1) if hasattr(value, "__next__") else -1
    inside = getattr(value, "__dict__", None)
    return (id(value), left, _mark(inside, depth - 1) if isinstance(inside, dict) else None)


def _tensor_mark(value: Any, depth: int) -> Any:
    inference = value.is_inference() if hasattr(value, "is_inference") else False
    version = None if inference else getattr(value, "_version", None)
    keeps = value.is_leaf or getattr(value, "retains_grad", False)
    grad = value.grad if keeps else None
    held = None if grad is None else _tensor_mark(grad, depth - 1) if depth else id(grad)
    numbers = None
    with contextlib.suppress(Exception):  # sparse, bfloat16, wrapped: the version has to do
        plain = value.detach()
        numbers = plain.numpy().tobytes() if plain.numel() <= SMALL else None
    return (id(value), version, value.requires_grad, id(value.grad_fn), held, numbers)


def _random() -> dict[str, Any]:
    """Return the states of the random generators and the modes that every cell shares."""
    import random

    state: dict[str, Any] = {"random": hash(random.getstate())}
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_rng_state"):
        modes = (torch.is_grad_enabled(), torch.get_default_dtype())
        state["torch"] = (bytes(torch.get_rng_state().numpy()), *modes)
    if (numbers := sys.modules.get("numpy.random")) is not None:
        state["numpy"] = repr(numbers.get_state())
    return state
