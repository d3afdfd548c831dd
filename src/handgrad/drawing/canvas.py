"""A sheet that is being drawn on: strokes in order, and words where they have room."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot

from handgrad.drawing.ink import HEAD, Point, line, pointer, sheet, spot, text
from handgrad.drawing.layout.scene import Label, Rect, touch

CLEAR = 3.0  # words keep so far from everything that is drawn
STRANGE = 18.0  # and so far from what they could be taken to belong to
FARTHER = (0.0, 6.0, 14.0, 24.0, 36.0, 50.0)  # beyond the nearest place for words at a point
PIECE = 12.0  # long strokes are kept clear of piece by piece
Side = tuple[float, float]  # from a point to its words: a unit right and down, or nothing

EAST, WEST, NORTH, SOUTH = (1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0)
NORTHEAST, NORTHWEST, SOUTHEAST, SOUTHWEST = (0.7, -0.7), (-0.7, -0.7), (0.7, 0.7), (-0.7, 0.7)
AROUND = (NORTHEAST, NORTHWEST, EAST, WEST, SOUTHEAST, SOUTHWEST, NORTH, SOUTH)


@dataclass(slots=True)
class Canvas:
    """Strokes and words so far; what is drawn later lies above what was drawn before.

    Words that look for a place keep clear of every stroke and word before them,
    so strokes come first.
    """

    width: float
    height: float
    parts: list[str] = field(default_factory=list[str])
    taken: list[Rect] = field(default_factory=list[Rect])
    lost: list[str] = field(default_factory=list[str])

    def stroke(self, points: Sequence[Point], cls: str) -> None:
        """Draw a broken line and keep words away from it."""
        self.parts.append(line(points, cls))
        self.avoid(points)

    def arrow(self, tail: Point, tip: Point, cls: str, head: float = HEAD) -> None:
        """Draw an arrow and keep words away from it."""
        self.parts.append(pointer(tail, tip, cls, head))
        self.avoid((tail, tip), 4.0)

    def spot(self, point: Point, cls: str, radius: float = 5.5) -> None:
        """Draw a point and keep words away from it."""
        self.parts.append(spot(point, cls, radius))
        x, y = point
        self.taken.append((x - radius, y - radius, x + radius, y + radius))

    def open(self, attributes: str) -> None:
        """Begin a group of what follows."""
        self.parts.append(f"<g {attributes}>")

    def close(self) -> None:
        """End the group that was begun last."""
        self.parts.append("</g>")

    def avoid(self, points: Sequence[Point], half: float = 1.0) -> None:
        """Keep words away from a broken line."""
        for (ax, ay), (bx, by) in pairwise(points):
            count = max(1, round(max(abs(bx - ax), abs(by - ay)) / PIECE))
            for n in range(count):
                x1, y1 = ax + (bx - ax) * n / count, ay + (by - ay) * n / count
                x2, y2 = ax + (bx - ax) * (n + 1) / count, ay + (by - ay) * (n + 1) / count
                self.taken.append(
                    (min(x1, x2) - half, min(y1, y2) - half, max(x1, x2) + half, max(y1, y2) + half)
                )

    def write(self, label: Label) -> None:
        """Write words where they are told to stand."""
        self.parts.append(text(label.x, label.y, label.words, label.cls, label.anchor, label.names))
        self.taken.append(label.rect)

    def near(
        self,
        points: Sequence[Point],
        words: str,
        cls: str,
        *,
        sides: Sequence[Side] = AROUND,
        apart: float = 9.0,
        farthest: float = FARTHER[-1],
        shun: Sequence[Rect] = (),
        names: tuple[str, ...] = (),
        shorter: str = "",
    ) -> bool:
        """Write words at the first free place beside one of the points, the first if it can be.

        Args:
            points: What the words belong to.
            words: The words, on one line.
            cls: Their class.
            sides: Where beside a point, the best first.
            apart: How far from the point, at least.
            farthest: How much farther, at most.
            shun: What the words could be taken to belong to, so that they keep well away.
            names: What is italic in them.
            shorter: What to write if there is no place for the words.

        Returns:
            Whether there was a place. If not, the words are left out, and ``lost``
            names them: a table twin holds them too.
        """
        tries = [more for more in FARTHER if more <= farthest]
        for more in tries:
            for point in points:
                for side in sides:
                    label = _beside(point, side, apart + more, words, cls, names)
                    strange = any(touch(label.rect, other, STRANGE) for other in shun)
                    if not strange and self.free(label.rect):
                        self.write(label)
                        return True
        if shorter:
            return self.near(points, shorter, cls, sides=sides, apart=apart, farthest=farthest,
                             shun=shun, names=names)  # fmt: skip
        self.lost.append(words)
        return False

    def free(self, rect: Rect) -> bool:
        """Tell whether words may stand there."""
        left, top, right, bottom = rect
        on = left >= 0 and top >= 0 and right <= self.width and bottom <= self.height
        return on and not any(touch(rect, other, CLEAR) for other in self.taken)

    def svg(self, kind: str, title: str, words: str) -> str:
        """Return the sheet as an accessible drawing, complete in itself."""
        return sheet(kind, self.width, self.height, title, words, "".join(self.parts))


def _beside(
    point: Point, side: Side, far: float, words: str, cls: str, names: tuple[str, ...]
) -> Label:
    """Return words that start, end or stand in the middle on one side of a point."""
    (x, y), (dx, dy) = point, side
    anchor = "start" if dx > 0 else "end" if dx < 0 else "middle"
    _, top, _, bottom = Label(0.0, 0.0, words, cls).rect
    level = hypot(dx, dy) or 1.0
    up = (bottom if dy < 0 else -top if dy > 0 else 0.0) * (-1 if dy < 0 else 1)
    return Label(x + dx / level * far, y + dy / level * far + up, words, cls, anchor, names=names)
