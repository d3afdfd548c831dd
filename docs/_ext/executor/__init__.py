"""Runs the chapters of a Sphinx book: fast, isolated, and with nothing stale.

Each chapter runs in a process of its own, forked from a server that has imported
the large packages once. What it shows is what a Jupyter kernel would have shown,
byte for byte. Where fork is missing, or a page asks for it, a real kernel runs it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the executor to Sphinx and MyST-NB."""
    from executor.extension import connect  # the fork server imports this package without Sphinx

    return connect(app)
