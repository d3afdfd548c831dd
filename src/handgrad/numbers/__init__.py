"""Floats and how far they are apart; numbers of any kind, read and written in one way."""

from handgrad.numbers.floats import (
    FORMATS,
    Format,
    nearest,
    order,
    spacing,
    steps_between,
    ulps_from,
)

__all__ = ["FORMATS", "Format", "nearest", "order", "spacing", "steps_between", "ulps_from"]
