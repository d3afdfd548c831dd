"""The rules of the house: which module may know what. A module without a rule fails."""

import ast
import builtins
import functools
from pathlib import Path

import pytest

import handgrad
from handgrad import errors

ROOT = Path(handgrad.__file__).parent

FAMILIES = {
    "errors": "errors",
    "words": "_words",
    "floats": "ulps",
    "reading": "_numbers inputs",
    "graph": "graph records _graph/*",
    "autograd": "_autograd _versions",
    "trace": "trace vjp _trace/*",
    "peel": "peel onion _peel/*",
    "draw": "draw/*",
    "hand": "neuron formulas",
    "machine": "machine",
    "witness": "witness _witness/*",
    "compare": "compare _compare/*",
    "diagnose": "diagnose diagnosis reasons remedies _diagnose/*",
    "watch": "watch _watch/*",
    "exercise": "exercise _exercise/*",
}
"""Every module belongs to one family; the rules are about families."""

MAY_IMPORT = {
    "errors": set(),
    "words": {"errors"},
    "floats": set(),
    "reading": {"errors", "words"},
    "graph": {"errors", "words", "floats"},
    "autograd": {"errors"},
    "trace": {"errors", "words", "graph", "autograd"},
    "peel": {"errors", "words", "graph"},
    "draw": {"errors", "words", "graph", "peel"},
    "hand": {"errors", "words", "reading"},
    "machine": {"errors", "words", "reading"},
    "witness": {"errors", "words", "reading", "floats"},
    "compare": {"errors", "words", "reading", "floats"},
    "diagnose": {"errors", "words", "autograd", "trace", "graph"},
    "watch": {"errors", "words", "autograd", "trace"},
    "exercise": {"errors", "words"},
}
"""Imports flow one way. hand, machine and witness never meet: shared code is one answer."""

TORCH_ALLOWED = {"reading", "autograd", "trace", "hand", "machine", "diagnose", "watch"}
CALCULUS = {"backward", "grad", "requires_grad_", "enable_grad", "autograd", "jacrev", "vjp", "jvp"}
NOT_A_WORD = {
    "hand": CALCULUS,
    "witness": CALCULUS | {"neuron.py", "FORMULAS"},
    "graph": CALCULUS - {"grad"},
    "diagnose": {"requires_grad_", "backward", "zero_", "copy_", "set_"},
    "draw": {"subprocess", "shutil", "system", "popen"},
}
"""Names that the code of a family may not use: as variable, attribute, argument or import."""

FOREIGN_PRIVATE = {"_mpf_", "_getframe"}  # documented names of mpmath and of sys
SIDE_EFFECTS = {"print", "open", "input", "breakpoint", "exec", "eval"}
READS = {"read_text", "read_bytes", "urlopen"}


def module_names():
    return sorted(
        str(path.relative_to(ROOT).with_suffix(""))
        for path in ROOT.rglob("*.py")
        if path != ROOT / "__init__.py"
    )


def family_of(module):
    folder, inside, _ = module.partition("/")
    module = f"{folder}/*" if inside else module
    found = [family for family, members in FAMILIES.items() if module in members.split()]
    return found[0] if len(found) == 1 else None


@functools.cache
def tree(module):
    return ast.parse((ROOT / f"{module}.py").read_text(encoding="utf-8"))


def hints_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(top):
    """Name every module imported, ``from handgrad import x`` as ``handgrad.x``."""
    hidden = {id(inner) for node in ast.walk(top) if hints_only(node) for inner in ast.walk(node)}
    for node in ast.walk(top):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "handgrad":
            yield from (f"handgrad.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def own_family(name):
    """Give the family of ``handgrad.ulps``, ``handgrad.draw.ink`` and the like."""
    first = name.split(".")[1]
    return family_of(f"{first}/*" if (ROOT / first).is_dir() else first)


def names_used(top):
    for node in ast.walk(top):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")


def rules_broken(module, top, family):
    """Say in words which rules the code of a module breaks; the tests plant code here."""
    for name in imports(top):
        if name.startswith("."):
            yield f"relative import {name}"
        elif name.startswith("handgrad."):
            other = own_family(name)
            if other != family and other not in MAY_IMPORT[family]:
                yield f"imports {name} ({other})"
        elif name.split(".")[0] == "torch" and family not in TORCH_ALLOWED:
            yield f"imports {name}"
        if name.startswith("torch._") and module != "_autograd":
            yield f"imports private {name}"
    for name in set(names_used(top)) & NOT_A_WORD.get(family, set()):
        yield f"uses {name}"
    for node in ast.walk(top):
        if isinstance(node, ast.Global):
            yield "keeps module state"
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id in SIDE_EFFECTS:
            yield f"calls {called.id}"
        if isinstance(called, ast.Attribute) and called.attr in READS:
            yield f"calls {called.attr}"


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name.strip("_").isidentifier()


@functools.cache
def own_private():
    """Collect the private names that the package itself defines."""
    defined = {part for module in module_names() for part in module.split("/")}
    for module in module_names():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                defined.add(node.attr)
    return defined


def foreign_private(top):
    """Name private attributes, read directly or by a string, that are not the package's own."""
    for node in ast.walk(top):
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        else:
            continue
        if is_private(name) and name not in own_private() | FOREIGN_PRIVATE:
            yield name


def test_every_module_has_a_rule():
    assert MAY_IMPORT.keys() == FAMILIES.keys()
    homeless = [module for module in module_names() if family_of(module) is None]
    assert not homeless, f"give {homeless} one family in FAMILIES"


def test_no_rule_outlives_its_module():
    named = {member for members in FAMILIES.values() for member in members.split()}
    modules = {name for name in named if not name.endswith("/*")}
    drawers = {f"{path.parent.name}/*" for path in ROOT.glob("*/__init__.py")}
    assert modules <= set(module_names())
    assert named - modules == drawers


@pytest.mark.parametrize("module", module_names())
def test_a_module_knows_only_what_it_may(module):
    assert not list(rules_broken(module, tree(module), family_of(module)))


@pytest.mark.parametrize("module", sorted(set(module_names()) - {"_autograd", "_versions"}))
def test_private_names_of_torch_live_in_one_family(module):
    assert not set(foreign_private(tree(module)))


@pytest.mark.parametrize("module", module_names())
def test_modules_and_functions_are_small(module):
    text = (ROOT / f"{module}.py").read_text(encoding="utf-8")
    long = {}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            if length >= 40:
                long[node.name] = length

    assert len(text.splitlines()) <= 300
    assert not long


def test_the_three_answers_never_meet():
    """Two answers that share code are one answer, also by way of a third module."""
    answers = {"hand", "machine", "witness"}
    for family in answers:
        reached, todo = set(), [family]
        while todo:
            for other in MAY_IMPORT[todo.pop()] - reached:
                reached.add(other)
                todo.append(other)
        assert not reached & (answers | {"autograd", "trace"})
    assert not NOT_A_WORD["hand"] & set(names_used(tree("inputs")))  # what they share: no calculus


@pytest.mark.parametrize(
    ("module", "code", "says"),
    [
        ("neuron", "loss.backward()", "uses backward"),
        ("neuron", "w.requires_grad_()", "uses requires_grad_"),
        ("neuron", "from handgrad.machine import autograd_gradients", "imports handgrad.machine"),
        ("witness", "from handgrad import neuron", "imports handgrad.neuron"),
        ("witness", "import torch", "imports torch"),
        ("graph", "from torch import Tensor", "imports torch"),
        ("draw/ink", "import torch.nn", "imports torch.nn"),
        ("draw/ink", "import subprocess", "uses subprocess"),
        ("peel", "from handgrad.trace import trace", "imports handgrad.trace"),
        ("compare", "from handgrad.graph import Graph", "imports handgrad.graph"),
        ("trace", "import torch._C", "imports private torch._C"),
        ("diagnose", "w.requires_grad_(True)", "uses requires_grad_"),
        ("compare", "print('x')", "calls print"),
        ("compare", "def f():\n    global seen\n    seen = 1", "keeps module state"),
        ("errors", "from handgrad import _words", "imports handgrad._words"),
        ("compare", "from . import graph", "relative import ."),
    ],
)
def test_each_rule_can_fail(module, code, says):
    broken = list(rules_broken(module, ast.parse(code), family_of(module)))

    assert any(rule.startswith(says) for rule in broken)


@pytest.mark.parametrize("code", ["node._saved_self", "getattr(node, '_saved_other')"])
def test_a_private_name_of_torch_is_seen(code):
    assert list(foreign_private(ast.parse(code)))


def test_errors_import_nothing():
    assert not list(imports(tree("errors")))


def test_every_error_is_also_a_builtin():
    """A stranger who catches ValueError catches ours."""
    known = {name for name in dir(builtins) if name.endswith("Error")}
    classes = [error for error in vars(errors).values() if isinstance(error, type)]
    assert len(classes) > 10
    for error in set(classes) - {handgrad.HandgradError}:
        assert issubclass(error, handgrad.HandgradError)
        assert {base.__name__ for base in error.__mro__} & known
        assert error.__name__ in handgrad.__all__


@pytest.mark.parametrize("name", handgrad.__all__)
def test_every_public_name_is_there_and_explained(name):
    assert getattr(handgrad, name).__doc__
    assert name in dir(handgrad)


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'tracer'"):
        handgrad.tracer  # noqa: B018
