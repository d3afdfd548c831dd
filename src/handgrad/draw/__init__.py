"""Graphs, onions, bars and walks as accessible figures, by arithmetic alone."""

from handgrad.draw.drawing import Drawing, draw

__all__ = ["Drawing", "draw"]
