"""The chain rule of one gradient, layer by layer and path by path."""

from handgrad.peeling.onion import Group, Layer, Onion, Path
from handgrad.peeling.peeler import peel

__all__ = ["Group", "Layer", "Onion", "Path", "peel"]
