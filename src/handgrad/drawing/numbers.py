"""One format for every number in a figure, and words for what is not one number."""

from math import isfinite, isnan, prod

from handgrad.graph.graph import Array, Number, Spec

MINUS = "\u2212"


def number(value: Number) -> str:
    """Write a number as figures do: four decimals and the true minus sign.

    What four decimals cannot hold is written with a power of ten, so that no
    number but zero reads as zero.

    Example:
        >>> number(-0.59886571), number(-0.0), number(1e-300), number(float("inf"))
        ('−0.5989', '−0.0000', '1.00e−300', '∞')
    """
    if isinstance(value, complex):
        sign = MINUS if value.imag < 0 or str(value.imag).startswith("-") else "+"
        return f"{_short(value.real)} {sign} {_short(abs(value.imag))}i"
    if isinstance(value, int):  # a count, an index or a truth value has no decimals
        return str(value).replace("-", MINUS)
    if not isfinite(value):
        return "NaN" if isnan(value) else "∞" if value > 0 else f"{MINUS}∞"
    if value and not 5e-5 <= abs(value) < 99999.99995:
        head, tail = f"{value:.2e}".split("e")
        return f"{head}e{int(tail)}".replace("-", MINUS)
    return f"{value:.4f}".replace("-", MINUS)


def trimmed(value: float) -> str:
    """Write a number as plots and prose do: at most four decimals, none that say nothing.

    Example:
        >>> trimmed(30.25), trimmed(-2.0), trimmed(1 / 3), trimmed(-0.0), trimmed(1e-7)
        ('30.25', '−2', '0.3333', '0', '1.00e−7')
    """
    words = number(float(value))
    if "." in words and "e" not in words:
        words = words.rstrip("0").rstrip(".")
    return "0" if words == f"{MINUS}0" else words


def trimmed_factor(value: float) -> str:
    """Write a number as ``trimmed`` does, in brackets if it begins with a sign."""
    words = trimmed(value)
    return f"({words})" if words.startswith(MINUS) else words


def factor(value: Number) -> str:
    """Write a number as a factor: in brackets if it begins with a sign."""
    words = number(value)
    return f"({words})" if words.startswith(MINUS) or isinstance(value, complex) else words


def size(shape: tuple[int, ...]) -> str:
    """Write a shape as PyTorch does.

    Example:
        >>> size((2, 3)), size((5,)), size(())
        ('(2, 3)', '(5,)', '()')
    """
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"


def content(array: Array | None, spec: Spec | None) -> str | None:
    """Say what a tensor holds: its number if it has one, else its shape, else nothing."""
    if array is not None and len(array.data) == 1:
        return number(array.data[0])
    shape = array.shape if array is not None else spec.shape if spec is not None else ()
    return size(shape) if shape else None


def jacobian(local: Array | None, rows: Spec | None) -> str:
    """Say what stands on an edge: one derivative, or the size of a Jacobian matrix.

    ``rows`` is the output's shape, the leading part of ``local.shape``.
    """
    if local is None:
        return ""
    if len(local.data) == 1:
        return number(local.data[0])
    depth = len(rows.shape) if rows is not None else 0
    return f"{prod(local.shape[:depth])} × {prod(local.shape[depth:])}"


def _short(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS) if isfinite(value) else number(value)
