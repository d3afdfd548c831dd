"""Axes: numbers to places on a sheet, and round numbers beside a hairline."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from handgrad.drawing.layout.metrics import width
from handgrad.drawing.numbers import MINUS
from handgrad.errors import InputError

LARGEST, SMALLEST = 1e150, 1e-150  # beyond them a product of two numbers may overflow
MOST = 10  # round numbers on an axis
FINEST = 1e-9  # of a number's size: a window narrower than this has no round numbers in it


@dataclass(frozen=True, slots=True)
class Scale:
    """Where numbers lie along one side of a plot: ``low`` at ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the place of a number on the sheet."""
        return self.start + (self.end - self.start) * self.share(value)

    def share(self, value: float) -> float:
        """Return how far a number lies from the low end to the high end, as a share."""
        return (value - self.low) / (self.high - self.low)

    def holds(self, value: float) -> bool:
        """Tell whether a number lies on the scale."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Tick:
    """A round number on an axis and how it is written."""

    value: float
    words: str


def window(over: tuple[float, float], what: str) -> tuple[float, float]:
    """Return the ends of a window that can be drawn.

    Raises:
        InputError: If the ends are not two finite numbers, the smaller first, far
            enough apart that there are round numbers between them.
    """
    low, high = float(over[0]), float(over[1])
    largest = max(abs(low), abs(high))
    if not (
        isfinite(largest) and largest <= LARGEST and high - low > max(SMALLEST, FINEST * largest)
    ):
        raise InputError(
            f"Cannot draw {what} over {over!r}: an axis needs two finite numbers, the smaller "
            "first, that differ in their first nine digits. Write over=(-1.0, 4.0)."
        )
    return low, high


def around(values: Iterable[float], share: float = 0.05) -> tuple[float, float]:
    """Return bounds that hold all numbers with a little room, and do not cross zero for it.

    Example:
        >>> around([0.0, 10.0]), around([-1.0, 1.0]), around([3.0])
        ((0.0, 10.5), (-1.1, 1.1), (2.0, 4.0))
    """
    known = list(values)
    low, high = min(known), max(known)
    spread = high - low
    largest = max(abs(low), abs(high))
    if spread <= max(SMALLEST, FINEST * largest):  # one number: in the middle
        aside = largest / 3 if largest > SMALLEST else 1.0
        return low - aside, high + aside
    pad = share * spread
    return (
        low - pad if low < 0 or low >= pad else 0.0,
        high + pad if high > 0 or high <= -pad else 0.0,
    )


def ticks(low: float, high: float, most: int) -> tuple[Tick, ...]:
    """Return at most ``most`` + 1 round numbers between two numbers, evenly apart.

    Example:
        >>> [tick.words for tick in ticks(-1.0, 4.0, 5)]
        ['−1', '0', '1', '2', '3', '4']
    """
    wanted = (high - low) / most
    power = floor(log10(wanted))
    by = next(by for by in (1, 2, 5, 10) if by * 10.0**power >= wanted * (1 - FINEST))
    if by == 10:
        by, power = 1, power + 1
    # whole numbers times or through a whole power of ten: 3 / 10 is 0.3, and 3 * 0.1 is not
    unit = 10 ** abs(power)
    counts = range(ceil(low / by / 10.0**power - 1e-6), floor(high / by / 10.0**power + 1e-6) + 1)
    values = [n * by * unit if power >= 0 else n * by / unit for n in counts]
    return tuple(Tick(float(value), _written(float(value), power)) for value in values)


def level_ticks(scale: Scale) -> tuple[Tick, ...]:
    """Return as many round numbers as stand at ease side by side along a level axis."""
    for count in range(MOST, 1, -1):
        found = ticks(scale.low, scale.high, count)
        widest = max((width(tick.words, "a") for tick in found), default=0.0)
        pitch = abs(scale.at(found[1].value) - scale.at(found[0].value)) if len(found) > 1 else 0.0
        if pitch >= max(widest + 18.0, 44.0):
            return found
    return ticks(scale.low, scale.high, 1)[:1]


def upward_ticks(low: float, high: float, height: float) -> tuple[Tick, ...]:
    """Return round numbers, some 60 pixels apart, at least three of them, along an upward axis."""
    found = ticks(low, high, max(2, round(height / 60)))
    for count in range(3, MOST):
        if len(found) >= 3:
            break
        found = ticks(low, high, count)
    return found


def _written(value: float, power: int) -> str:
    """Write a multiple of a power of ten, with all digits that tell it from its neighbour."""
    if value == 0.0:
        return "0"
    size = floor(log10(abs(value)) + 1e-9)
    if power >= -5 and size < 6:
        return f"{value:.{max(0, -power)}f}".replace("-", MINUS)
    head, tail = f"{value:.{max(0, size - power)}e}".split("e")
    return f"{head}e{int(tail)}".replace("-", MINUS)
