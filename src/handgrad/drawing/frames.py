"""One layout of a graph, drawn several times: as a strip of frames under one another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from handgrad.drawing import graph_figure
from handgrad.drawing.ink import num, text
from handgrad.drawing.layout.measure import Measure
from handgrad.drawing.layout.metrics import fit, width
from handgrad.drawing.layout.scene import Scene
from handgrad.drawing.picture import Picture

SAID, BETWEEN = 34.0, 26.0  # room for a frame's sentence, and under a frame
FOOT = 30.0  # room for a last line


@dataclass(frozen=True, slots=True)
class Frame:
    """What one frame shows, and a sentence over it; a shorter one for a narrow sheet."""

    body: str
    said: str
    short: str = ""


def scenes(picture: Picture) -> tuple[Scene, Scene]:
    """Return the layouts for a page and for a phone: boxes close together, one lane an edge."""
    flat = Measure(flat=True, box=86.0, gap=50.0, bend=30.0, drop=46.0, apart=(30.0, 16.0),
                   half=6.0)  # fmt: skip
    down = Measure(flat=False, box=96.0, gap=40.0, bend=24.0, drop=66.0, apart=(24.0, 10.0),
                   half=6.0)  # fmt: skip
    return (
        graph_figure.wide_scene(lambda _: picture, [(86.0, 130.0, flat)]),
        graph_figure.tall_scene(
            lambda _: picture,
            [(96.0, 120.0, down), (96.0, 120.0, replace(down, hang=False))],
        ),
    )


def strip(scene: Scene, frames: Sequence[Frame], title: str, said: str, foot: str = "") -> str:
    """Return all frames under one another on one sheet, and a line at the foot."""
    parts: list[str] = []
    top, room = 0.0, scene.width - 2.0
    for place, frame in enumerate(frames):
        words = frame.said if width(frame.said, "k") <= room or not frame.short else frame.short
        head = text(1.0, 10.0, fit(words, "k", room), "k", "start")
        parts.append(
            f'<g class="frame" data-frame="{place}" transform="translate(0 {num(top)})">{head}'
            f'<g transform="translate(0 {num(SAID)})">{frame.body}</g></g>'
        )
        top += SAID + scene.height + BETWEEN
    if foot:
        parts.append(text(1.0, top + 10.0, fit(foot, "k", room), "k", "start"))
    whole = replace(scene, height=top + FOOT if foot else top - BETWEEN)
    return graph_figure.inked(whole, title, said, "".join(parts))
