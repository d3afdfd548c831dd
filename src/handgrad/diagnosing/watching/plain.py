"""Rewrite what was computed with plain numbers, and made a tensor again, with tensors."""

import ast

from handgrad.diagnosing.watching.rewrite import pair
from handgrad.diagnosing.watching.source import Source, Spot

MAKERS = frozenset(("tensor", "as_tensor", "asarray", "array", "FloatTensor", "DoubleTensor"))
UNWRAPS = frozenset(("item", "tolist", "numpy", "detach", "cpu"))
CASTS = frozenset(("float", "int", "complex", "list", "tuple", "round"))
REDUCES = {"sum": "sum()", "max": "max()", "min": "min()", "abs": "abs()"}
MODULES = frozenset(("math", "np", "numpy"))
RENAMED = {"fabs": "abs", "power": "pow", "arctan": "atan", "arcsin": "asin", "arccos": "acos"}


def made_again(spot: Spot) -> str:
    """Return a pair for the call around an expression that makes a tensor of its numbers.

    Empty if there is none, or what is done to the numbers in between has no twin in torch.
    """
    source, node = spot.source, spot.node
    found: ast.Call | None = None
    for outer in source.above(node):
        if not isinstance(outer, ast.expr | ast.comprehension | ast.keyword):
            break
        if isinstance(outer, ast.Call) and _name(outer.func)[1] in MAKERS and outer.args:
            found = outer
    if found is None:
        return ""
    writer = _Writer(source)
    new = writer.tensor(found)
    return pair(source.text(found), new) if writer.can else ""


def as_tensor(spot: Spot) -> str:
    """Return a pair for a call that makes a tensor of numbers which are to be tensors."""
    if not isinstance(spot.node, ast.Call) or not spot.node.args:
        return ""
    writer = _Writer(spot.source)
    new = writer.tensor(spot.node)
    return pair(spot.text(), new) if writer.can else ""


class _Writer:
    """Writes an expression anew; ``can`` is False once something has no twin."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.can = True

    def tensor(self, call: ast.Call) -> str:
        """Write ``torch.tensor(...)`` as a tensor that was computed."""
        inner = call.args[0]
        text = self.stack(inner) if isinstance(inner, ast.List | ast.Tuple) else self.number(inner)
        if isinstance(inner, ast.ListComp):
            text = f"torch.stack({text})"
        for word in call.keywords:
            if word.arg in ("dtype", "device"):
                text = f"{_enclosed(text)}.to({self.source.text(word.value)})"
        return text

    def stack(self, node: ast.List | ast.Tuple) -> str:
        """Write a list as a stack; its constants become tensors."""
        rows: list[str] = []
        for item in node.elts:
            if isinstance(item, ast.List | ast.Tuple):
                rows.append(self.stack(item))
            elif _is_constant(item):
                rows.append(f"torch.tensor({self.source.text(item)})")
            else:
                rows.append(self.number(item))
        return f"torch.stack([{', '.join(rows)}])"

    def number(self, node: ast.expr) -> str:
        """Write what computes with numbers so that it computes with tensors."""
        match node:
            case ast.Call(func=function):
                return self.call(node, *_name(function))
            case ast.BinOp(left=left, right=right):
                new: dict[ast.AST, str] = {left: self.number(left), right: self.number(right)}
                return f"({self.source.text(node, new)})"
            case ast.UnaryOp(operand=operand):
                return self.source.text(node, {operand: self.number(operand)})
            case ast.ListComp(elt=item, generators=[ast.comprehension(iter=over)]):
                parts: dict[ast.AST, str] = {item: self.number(item), over: self.number(over)}
                return self.source.text(node, parts)
            case ast.Name() | ast.Attribute() | ast.Subscript() | ast.Constant():
                return self.source.text(node)
            case _:
                self.can = False
                return ""

    def call(self, call: ast.Call, owner: str, name: str) -> str:
        """Write a call as its twin."""
        if isinstance(call.func, ast.Attribute) and name in UNWRAPS:
            return _enclosed(self.source.text(call.func.value))
        if owner == "" and name == "sorted" and call.args:
            words = {word.arg: self.source.text(word.value) for word in call.keywords}
            self.can = self.can and not words.keys() - {"reverse"}
            order = f", descending={words['reverse']}" if words else ""
            return f"torch.sort({self.number(call.args[0])}{order}).values"
        if owner == "" and name in CASTS | REDUCES.keys() and len(call.args) == 1:
            inner = self.number(call.args[0])
            return f"{_enclosed(inner)}.{REDUCES[name]}" if name in REDUCES else inner
        if owner in MODULES and name in MAKERS and call.args:
            return self.number(call.args[0])
        if owner in MODULES:
            arguments = ", ".join(map(self.number, call.args))
            return f"torch.{RENAMED.get(name, name)}({arguments})"
        if owner == "torch" or isinstance(call.func, ast.Attribute):
            return self.source.text(call)
        self.can = False
        return ""


def _name(function: ast.expr) -> tuple[str, str]:
    """Return the owner and the name of a function, as text."""
    if isinstance(function, ast.Attribute):
        return ast.unparse(function.value), function.attr
    return "", function.id if isinstance(function, ast.Name) else "?"


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    )


def _enclosed(text: str) -> str:
    """Put parentheses round what a method cannot follow at once."""
    node = ast.parse(text, mode="eval").body
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return text if simple or text.startswith("(") else f"({text})"
