"""The rules of the house: which folder may know what. A folder without a rule fails."""

import ast
import builtins
import functools
import importlib
import inspect
import re
import typing
from pathlib import Path

import pytest

import handgrad
from handgrad import errors

ROOT = Path(handgrad.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"

MAY_IMPORT = {
    "errors": set(),
    "suggestions": {"errors"},
    "numbers": {"errors"},
    "graph": {"errors"},
    "tracing": {"graph", "errors"},
    "peeling": {"graph", "numbers", "errors"},
    "drawing": {"graph", "peeling", "errors"},
    "neuron": {"numbers", "suggestions", "errors"},
    "comparing": {"numbers", "suggestions", "errors"},
    "diagnosing": {"tracing", "errors"},
    "exercises": {"suggestions", "errors"},
}
"""Imports flow one way."""

TORCH_ALLOWED = {"numbers", "tracing", "neuron", "diagnosing"}
ANSWERS = {
    "by hand": ("neuron.by_hand", "neuron.formulas"),
    "by pytorch": ("neuron.by_pytorch",),
    "witnesses": ("neuron.witnesses",),
}
"""Three answers that share nothing but the recipe: shared code is one answer."""

CALCULUS = {"backward", "grad", "requires_grad_", "enable_grad", "autograd", "jacrev", "vjp", "jvp"}
NOT_A_WORD = {
    "neuron.by_hand": CALCULUS,
    "neuron.formulas": CALCULUS,
    "neuron.recipe": CALCULUS,
    "neuron.witnesses": CALCULUS | {"FORMULAS"},
    "graph": CALCULUS - {"grad"},
    "diagnosing": {"requires_grad_", "backward", "zero_", "copy_", "set_"},
    "drawing": {"subprocess", "shutil", "system", "popen"},
}
"""Names that the code of a part may not use: as variable, attribute, argument or import."""

PRIVATE = "tracing.torch_private"
FOREIGN_PRIVATE = {"_mpf_", "_getframe"}  # documented names of mpmath and of sys
SIDE_EFFECTS = {"print", "open", "input", "breakpoint", "exec", "eval"}
READS = {"read_text", "read_bytes", "urlopen"}


def files():
    """Map the dotted name of every module, without ``handgrad.``, to its file."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


FILES = files()
MODULES = sorted(FILES.keys() - {""})
PACKAGES = sorted(name for name in MODULES if FILES[name].name == "__init__.py")
FOLDERS = sorted({name.partition(".")[0] for name in MODULES})


@functools.cache
def tree(module):
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def imports(top):
    """Name every module imported, also one that is imported as a name of its package."""
    for node in ast.walk(top):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("handgrad.")
                yield f"handgrad.{inner}" if inner in FILES else node.module


def ours(top):
    """Name the modules of the package that code imports, without ``handgrad.``."""
    return {
        name.removeprefix("handgrad").removeprefix(".")
        for name in imports(top)
        if name.split(".")[0] == "handgrad"
    }


def reached(module):
    """Collect the modules that a module imports, and those that they import."""
    known, todo = set(), [module]
    while todo:
        for other in ours(tree(todo.pop())) - known:
            known.add(other)
            todo.append(other)
    return known


def is_in(module, part):
    return module == part or module.startswith(f"{part}.")


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


def rules_broken(module, top):
    """Say in words which rules the code of a module breaks; the tests plant code here."""
    folder = module.partition(".")[0]
    for name in imports(top):
        if name.startswith("."):
            yield f"relative import {name}"
        if name.split(".")[0] == "torch" and folder not in TORCH_ALLOWED:
            yield f"imports {name}"
        if name.startswith("torch._") and module != PRIVATE:
            yield f"imports private {name}"
    for name in ours(top):
        if name.partition(".")[0] not in MAY_IMPORT[folder] | {folder}:
            yield f"imports handgrad.{name}"
        for here, there in ((a, b) for a in ANSWERS for b in ANSWERS if a != b):
            if any(is_in(module, part) for part in ANSWERS[here]) and any(
                is_in(name, part) for part in ANSWERS[there]
            ):
                yield f"{here} meets {there} in handgrad.{name}"
    for part, words in NOT_A_WORD.items():
        if is_in(module, part):
            yield from (f"uses {name}" for name in set(names_used(top)) & words)
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
    defined = set()
    for module in MODULES:
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


def documented():
    """List the paths that the book documents or refers to: ``handgrad.trace`` and the like."""
    entry = re.compile(
        r"^\.\. auto(\w+):: (handgrad[\w.]*)|\{py:(\w+)\}`[^`]*?~?(handgrad[\w.]*)", re.MULTILINE
    )
    for page in sorted(DOCS.rglob("*.md")):
        if "_build" not in page.relative_to(DOCS).parts:
            for kind, path, role, target in entry.findall(page.read_text(encoding="utf-8")):
                yield kind or role, path or target


def exported():
    """Pair every package of the house with each name that it exports."""
    packages = {n: importlib.import_module(f"handgrad.{n}") for n in PACKAGES}
    return [
        (name, public) for name in PACKAGES for public in getattr(packages[name], "__all__", ())
    ]


def test_every_folder_has_a_rule():
    assert MAY_IMPORT.keys() == set(FOLDERS)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_knows_only_what_it_may(module):
    assert not list(rules_broken(module, tree(module)))


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_itself_by_way_of_others(module):
    assert module not in reached(module)


@pytest.mark.parametrize("folder", ["graph", "peeling", "drawing"])
def test_what_needs_no_torch_does_not_reach_it(folder):
    """Not by way of another folder either."""
    inside = {module for module in MODULES if is_in(module, folder)}
    for module in inside.union(*map(reached, inside)):
        assert not any(name.split(".")[0] == "torch" for name in imports(tree(module))), module


@pytest.mark.parametrize("module", sorted(set(MODULES) - {PRIVATE}))
def test_private_names_of_torch_live_in_one_module(module):
    assert not set(foreign_private(tree(module)))


@pytest.mark.parametrize("package", ["", *PACKAGES])
def test_a_package_re_exports_and_does_nothing_else(package):
    for node in tree(package).body:
        doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        named = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        assert doc or isinstance(node, ast.ImportFrom) or named, ast.unparse(node)
        assert not named or node.targets[0].id in ("__all__", "__version__")


def test_the_three_answers_share_only_the_recipe():
    """Two answers that share code are one answer, also by way of a third module."""
    reach = {
        answer: {other for m in MODULES if any(is_in(m, p) for p in parts) for other in reached(m)}
        for answer, parts in ANSWERS.items()
    }
    shared = {name for a in reach for b in reach if a != b for name in reach[a] & reach[b]}

    assert shared - {"errors", "suggestions"} <= {"neuron.recipe"}
    assert not any(is_in(name, "tracing") for names in reach.values() for name in names)


@pytest.mark.parametrize(
    ("module", "code", "says"),
    [
        ("neuron.by_hand", "loss.backward()", "uses backward"),
        ("neuron.by_hand", "w.requires_grad_()", "uses requires_grad_"),
        ("neuron.by_hand", "from handgrad.neuron import by_pytorch", "by hand meets by pytorch"),
        ("neuron.witnesses.methods", "from handgrad.neuron.by_hand import x", "witnesses meets by"),
        ("neuron.witnesses.slopes", "import handgrad.neuron.formulas", "witnesses meets by hand"),
        ("graph.graph", "from torch import Tensor", "imports torch"),
        ("drawing.ink", "import torch.nn", "imports torch.nn"),
        ("drawing.ink", "import subprocess", "uses subprocess"),
        ("peeling.peeler", "from handgrad.tracing import trace", "imports handgrad.tracing"),
        ("comparing.rows", "from handgrad.graph import Graph", "imports handgrad.graph"),
        ("tracing.tracer", "import torch._C", "imports private torch._C"),
        ("diagnosing.diagnose", "w.requires_grad_(True)", "uses requires_grad_"),
        ("comparing.rows", "print('x')", "calls print"),
        ("comparing.rows", "def f():\n    global seen\n    seen = 1", "keeps module state"),
        ("errors", "from handgrad import suggestions", "imports handgrad.suggestions"),
        ("graph.graph", "from handgrad import Graph", "imports handgrad."),
        ("comparing.rows", "from . import graph", "relative import ."),
    ],
)
def test_each_rule_can_fail(module, code, says):
    assert any(rule.startswith(says) for rule in rules_broken(module, ast.parse(code)))


@pytest.mark.parametrize("code", ["node._saved_self", "getattr(node, '_saved_other')"])
def test_a_private_name_of_torch_is_seen(code):
    assert list(foreign_private(ast.parse(code)))


def test_every_error_is_also_a_builtin():
    """A stranger who catches ValueError catches ours."""
    known = {name for name in dir(builtins) if name.endswith("Error")}
    classes = [error for error in vars(errors).values() if isinstance(error, type)]
    assert len(classes) > 10
    for error in set(classes) - {handgrad.HandgradError}:
        assert issubclass(error, handgrad.HandgradError)
        assert {base.__name__ for base in error.__mro__} & known
        assert error.__name__ in handgrad.__all__


def test_every_documented_path_imports():
    """By that very path: what stands before the last dot is a module, or a documented class."""
    paths = set(documented())
    assert len(paths) > 20
    for kind, path in paths:
        module, _, name = path.rpartition(".")
        if kind in ("module", "mod"):
            importlib.import_module(path)
        elif kind in ("meth", "attr"):
            module, _, owner = module.rpartition(".")
            assert hasattr(getattr(importlib.import_module(module), owner), name), path
        else:
            assert hasattr(importlib.import_module(module), name), path


@pytest.mark.parametrize("name", handgrad.__all__)
def test_every_public_name_is_explained_and_in_its_folder(name):
    assert getattr(handgrad, name).__doc__
    assert hasattr(errors, name) or name in {public for _, public in exported()}


@pytest.mark.parametrize(("package", "name"), exported())
def test_folders_and_package_agree(package, name):
    thing = getattr(importlib.import_module(f"handgrad.{package}"), name)

    assert getattr(handgrad, name, thing) is thing


def test_no_module_has_the_name_of_a_public_function():
    """Which of the two a reader got would depend on who imported what."""
    public = [(handgrad, name) for name in handgrad.__all__]
    public += [(importlib.import_module(f"handgrad.{p}"), name) for p, name in exported()]
    functions = {name for place, name in public if inspect.isfunction(getattr(place, name))}
    assert {"trace", "peel", "compare", "draw", "watch"} <= functions

    assert not functions & {part for module in MODULES for part in module.split(".")}


def test_what_public_functions_return_is_public_too():
    for name in handgrad.__all__:
        function = getattr(handgrad, name)
        if inspect.isfunction(function):
            result = typing.get_type_hints(function)["return"]
            for kind in (result, *typing.get_args(result)):
                if getattr(kind, "__module__", "").startswith("handgrad."):
                    assert getattr(handgrad, kind.__name__) is kind, name
