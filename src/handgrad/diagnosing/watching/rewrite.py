"""Suggest how to write an expression so that its tensor stays in the graph."""

import ast
from collections.abc import Callable

INTEGER = frozenset(("long", "int", "short", "bool", "char", "byte"))
NUMBER = frozenset(("item", "tolist", "numpy"))
BUILTIN = frozenset(("float", "int", "complex", "bool"))


DISCRETE = frozenset(("bernoulli", "binomial", "multinomial", "poisson"))
"""What is behind samples that no ``rsample()`` can replace."""


def instead(expression: str, operation: str, listed: bool = False) -> str:
    """Return ``# instead of A:`` and ``B`` as two lines, or nothing.

    Args:
        expression: The source of the call that left the graph.
        operation: The operation's name.
        listed: Whether it was given a list of tensors.

    Example:
        >>> print(instead("(a + b).detach()", "detach"))
        # instead of (a + b).detach():
        (a + b)
        >>> print(instead("x > 0", "gt"))
        # instead of x > 0:
        torch.sigmoid(x - 0)
        >>> instead("x.nonzero()", "nonzero")
        ''
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        return ""
    source = expression.strip()
    rules = (_stacked, *_RULES) if listed else _RULES
    better = next((found for rule in rules if (found := rule(tree, source, operation))), "")
    return pair(source, better) if better else ""


def pair(old: str, new: str) -> str:
    """Return the two lines, or nothing where one line would not hold them."""
    return "" if "\n" in old + new or not old else f"# instead of {old}:\n{new}"


def _text(node: ast.expr, source: str) -> str:
    text = ast.get_source_segment(source, node) or ast.unparse(node)
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant)
    return text if simple else f"({text})"


def _subject(tree: ast.Call, source: str) -> str:
    """Return the tensor of ``x.f()`` or ``torch.f(x)``, as text."""
    function = tree.func
    if isinstance(function, ast.Attribute) and ast.unparse(function.value) != "torch":
        return _text(function.value, source)
    return _text(tree.args[0], source) if tree.args else ""


def _property(tree: ast.expr, source: str, operation: str) -> str:
    """``x.data`` is ``x``."""
    if isinstance(tree, ast.Attribute) and tree.attr == operation == "data":
        return _text(tree.value, source)
    return ""


def _dropped(tree: ast.expr, source: str, operation: str) -> str:
    """``x.detach()``, ``x.item()``, ``float(x)``, ``x.long()``, ``copy.deepcopy(x)`` are ``x``."""
    if not isinstance(tree, ast.Call):
        return ""
    name = tree.func.attr if isinstance(tree.func, ast.Attribute) else ast.unparse(tree.func)
    if name in ("deepcopy", *BUILTIN) and tree.args:
        return _text(tree.args[0], source)
    forgotten = name in ("detach", "detach_", *NUMBER, *INTEGER)
    integer = name in ("to", "type") and operation == name and "torch." in source
    return _subject(tree, source) if forgotten or integer else ""


def _switched_on(tree: ast.expr, source: str, operation: str) -> str:
    if isinstance(tree, ast.Call) and operation == "requires_grad_":
        return f"{_subject(tree, source)}.requires_grad_()"
    return ""


def _copied(tree: ast.expr, source: str, operation: str) -> str:
    """``torch.tensor(x)`` is ``x``."""
    if operation not in ("tensor", "as_tensor", "asarray") or not isinstance(tree, ast.Call):
        return ""
    return _text(tree.args[0], source) if tree.args else ""


def _stacked(tree: ast.expr, source: str, operation: str) -> str:
    """``torch.tensor([x, y])`` is a stack."""
    if not _copied(tree, source, operation) or not isinstance(tree, ast.Call):
        return ""
    return f"torch.stack({ast.get_source_segment(source, tree.args[0])})"


def _scalar_function(tree: ast.expr, source: str, operation: str) -> str:
    """``math.sin(x)`` and ``np.sin(x)`` have a namesake in torch."""
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Attribute):
        return ""
    if ast.unparse(tree.func.value) not in ("math", "np", "numpy") or not tree.args:
        return ""
    if tree.func.attr in ("array", "asarray"):
        return _text(tree.args[0], source)
    inside = ", ".join(ast.get_source_segment(source, argument) or "" for argument in tree.args)
    return f"torch.{tree.func.attr}({inside})"


def _soft_maximum(tree: ast.expr, source: str, operation: str) -> str:
    """The position of the largest, weighted softly, moves when its input moves."""
    if operation != "argmax" or not isinstance(tree, ast.Call):
        return ""
    x, plain = _subject(tree, source), tree.args
    if isinstance(tree.func, ast.Attribute) and ast.unparse(tree.func.value) == "torch":
        plain = plain[1:]
    axes = [*plain[:1], *(word.value for word in tree.keywords if word.arg == "dim")]
    axis = ast.unparse(axes[0]) if axes else "0"
    return f"({x}.softmax({axis}) * torch.arange({x}.size({axis}))).sum({axis})"


def _soft_comparison(tree: ast.expr, source: str, operation: str) -> str:
    """A comparison jumps; a sigmoid of the difference climbs."""
    match tree:
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            kind = _SIGNS.get(type(sign), "")
        case ast.Call(func=ast.Attribute(value=left, attr=name), args=[right]):
            kind = _METHODS.get(name, "")
        case ast.Call(func=ast.Attribute(attr=name), args=[left, right]):
            kind = _METHODS.get(name, "")
        case _:
            return ""
    a, b = _text(left, source), _text(right, source)
    rules = {
        "more": f"torch.sigmoid({a} - {b})",
        "less": f"torch.sigmoid({b} - {a})",
        "equal": f"torch.exp(-(({a} - {b}) ** 2))",
    }
    return rules.get(kind, "")


_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Gt: "more", ast.GtE: "more", ast.Lt: "less", ast.LtE: "less", ast.Eq: "equal"
}  # fmt: skip
_METHODS = {
    "gt": "more", "ge": "more", "greater": "more", "greater_equal": "more",
    "lt": "less", "le": "less", "less": "less", "less_equal": "less",
    "eq": "equal", "isclose": "equal",
}  # fmt: skip


def _reparametrised(tree: ast.expr, source: str, operation: str) -> str:
    """``distribution.sample()`` has a recorded twin."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
        inside = ", ".join(ast.unparse(argument) for argument in tree.args)
        if tree.func.attr == "sample" and operation not in DISCRETE:
            return f"{_text(tree.func.value, source)}.rsample({inside})"
    return ""


_RULES: tuple[Callable[[ast.expr, str, str], str], ...] = (
    _property,
    _scalar_function,
    _copied,
    _soft_maximum,
    _soft_comparison,
    _switched_on,
    _reparametrised,
    _dropped,
)
