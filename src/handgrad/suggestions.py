"""Sentences that several modules need, in the form every error here has."""

import difflib
from collections.abc import Iterable

from handgrad.errors import InputError


def unknown(what: str, name: object, known: Iterable[str]) -> InputError:
    """Build the error for a name that is not in a list, with the nearest one that is.

    Example:
        >>> print(unknown("activation", "sigmod", ["identity", "sigmoid"]))
        There is no activation 'sigmod'. Known: identity, sigmoid. Did you mean 'sigmoid'?
    """
    names = list(known)
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else "Write one of them."
    return InputError(f"There is no {what} {name!r}. Known: {', '.join(names)}. {hint}")
