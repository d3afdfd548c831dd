"""TeX to MathML, strictly: what this reader does not know, it refuses.

It writes MathML Core, the part that browsers draw without help: the look of a
matrix or of aligned lines is in classes, and letters of other alphabets are
Unicode's. ``mathml`` is the whole interface.
"""

import re
from functools import lru_cache
from html import escape

from autograd_book.html.tex.atoms import TexError
from autograd_book.html.tex.reader import read
from autograd_book.html.tex.tokens import TOKEN

__all__ = ["TexError", "formulas", "mathml", "width"]


@lru_cache(maxsize=4096)
def mathml(tex: str, *, display: bool = False) -> str:
    """Return the ``<math>`` elements of a formula; a display split by ``\\qquad`` has several.

    Raises:
        TexError: If a command is unknown, or braces, ``\\left`` or ``\\begin`` do not close.

    Example:
        >>> mathml("w x")
        '<math><semantics><mrow><mi>w</mi><mi>x</mi></mrow>...
    """
    parts = formulas(tex) if display else [tex.strip()]
    return "".join(_math(part, display) for part in parts)


def width(tex: str, *, display: bool = True) -> float:
    """Return about how wide the widest part of the formula is, in em of its font."""
    return max(read(part, display=display).width for part in formulas(tex))


def formulas(tex: str) -> list[str]:
    """Split a display into its formulas, at each ``\\qquad`` that stands in no group."""
    parts, depth = [""], 0
    for token in TOKEN.findall(tex.strip()):
        depth += (token in ("{", r"\begin", r"\left")) - (token in ("}", r"\end", r"\right"))
        if token == r"\qquad" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts if part.strip()]


def _math(tex: str, display: bool) -> str:
    body = read(tex, display=display).xml
    mode = ' display="block"' if display else ""
    if re.fullmatch(r"\w", tex):  # its text is its source already
        return f"<math{mode}>{body}</math>"
    source = f'<annotation encoding="application/x-tex">{escape(tex, quote=False)}</annotation>'
    return f"<math{mode}><semantics>{body}{source}</semantics></math>"
