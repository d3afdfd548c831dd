"""Read the graph PyTorch really recorded, and check its gradients by hand."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handgrad.errors import HandgradError
    from handgrad.graph import Graph

__version__ = "0.1.0"

_HOME = {
    "Graph": "graph",
    "HandgradError": "errors",
}

__all__ = ["Graph", "HandgradError"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'handgrad' has no attribute {name!r}")
    return getattr(import_module(f"handgrad.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
