"""Graphs, onions, curves, bars and walks as accessible figures, by arithmetic alone."""

from handgrad.draw.activation import draw_activation
from handgrad.draw.curve import draw_curve
from handgrad.draw.drawing import Drawing, draw
from handgrad.draw.nudge import draw_nudge

__all__ = ["Drawing", "draw", "draw_activation", "draw_curve", "draw_nudge"]
