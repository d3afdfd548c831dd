"""Graphs, onions, curves, bars and walks as accessible figures, by arithmetic alone."""

from handgrad.drawing.activation import draw_activation
from handgrad.drawing.chart import draw_bars
from handgrad.drawing.curve import draw_curve
from handgrad.drawing.drawing import Drawing, draw
from handgrad.drawing.matrix import draw_matrix
from handgrad.drawing.nudge import draw_nudge
from handgrad.drawing.paths import draw_paths
from handgrad.drawing.plane import walk
from handgrad.drawing.record import draw_record
from handgrad.drawing.shapes import draw_shapes
from handgrad.drawing.valley import draw_valley
from handgrad.drawing.wave import Wave, draw_wave

__all__ = [
    "Drawing",
    "Wave",
    "draw",
    "draw_activation",
    "draw_bars",
    "draw_curve",
    "draw_matrix",
    "draw_nudge",
    "draw_paths",
    "draw_record",
    "draw_shapes",
    "draw_valley",
    "draw_wave",
    "walk",
]
