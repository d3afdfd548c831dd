"""Find what the prose of a page asks its run for, and give each question a number.

The numbers are written into the page's text before anything parses it: then a role
is the same role wherever it is found, in a sentence, a table, a caption or a hint,
and the line of the source on which it stands is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = re.compile(r"[ \t>]*(?P<mark>`{3,}|~{3,}|:{3,})(?P<info>.*)")
PLAIN = re.compile(r"\{(code|code-block|sourcecode|literalinclude|math|doctest|eval-rst|raw)\}")
FOUND = re.compile(
    r"\{(?P<kind>py|holds)\}(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|\]\{holds=\"(?P<span>[^\"]*)\"\}"
    r"|(?P<literal>(?<!`)(?P<many>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=many)(?!`))",
    re.DOTALL,
)
NUMBERED = re.compile(
    r"\{(?P<kind>py|holds)\}(?P<ticks>`+)(?P<number>\d+)#(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|\]\{\.holds-\d+ holds=\"(?P<place>\d+)#(?P<span>[^\"]*)\"\}",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One question of the prose.

    Attributes:
        number: Its place among the questions of the page, from 1.
        kind: "py", a value that the reader sees, or "holds", a claim.
        code: What stands in the role.
        line: The line of the page's source, from 1; 0 if it is not known.
    """

    number: int
    kind: str
    code: str
    line: int = 0


def number_marks(text: str) -> tuple[str, list[Mark]]:
    """Return a page's text with its roles numbered, and the roles.

    Example:
        >>> number_marks("It is {py}`b:.1f`, [not *less*]{holds=\\"b >= 2\\"}.")[0]
        'It is {py}`1#b:.1f`, [not *less*]{.holds-2 holds="2#b >= 2"}.'
    """
    marks: list[Mark] = []

    def number(found: re.Match[str]) -> str:
        if found["literal"]:
            return found[0]
        kind, code = (found["kind"], found["code"]) if found["kind"] else ("holds", found["span"])
        line = text.count("\n", 0, found.start()) + 1
        mark = Mark(len(marks) + 1, kind, _one_line(code), line)
        marks.append(mark)
        if found["kind"]:
            ticks = found["ticks"]
            return f"{{{kind}}}{ticks}{mark.number}#{code}{ticks}"
        return f']{{.holds-{mark.number} holds="{mark.number}#{code}"}}'

    result: list[str] = []
    at = 0
    for start, end in [*_not_prose(text), (len(text), len(text))]:
        for found in FOUND.finditer(text, at, start):
            result.append(text[at : found.start()])
            result.append(number(found))
            at = found.end()
        result.append(text[at:end])
        at = end
    return "".join(result), marks


def marks_of(text: str) -> list[Mark]:
    """Return the roles of a piece of a page whose roles are numbered; their lines are unknown."""
    return [
        Mark(
            int(found["number"] or found["place"]),
            found["kind"] or "holds",
            _one_line(found["code"] or found["span"]),
        )
        for found in NUMBERED.finditer(text)
    ]


def _one_line(code: str) -> str:
    """Return code as it is evaluated: on one line, and without what a table escapes."""
    return re.sub(r"\s*\n[ \t>]*", " ", code).replace("\\|", "|").strip()


def _not_prose(text: str) -> list[tuple[int, int]]:
    """Return the stretches of a page that are code, or the line of a fence, in their order.

    The options of a code cell are none of them: a caption is prose.
    """
    hidden: list[tuple[int, int]] = []
    inside: list[tuple[str, bool]] = []  # the fences that are open, and whether each holds code
    place = begun = 0
    for line in text.splitlines(keepends=True):
        after = place + len(line)
        found = FENCE.fullmatch(line.rstrip("\n"))
        mark, info = (found["mark"], found["info"].strip()) if found else ("", "")
        top, code = inside[-1] if inside else ("", False)
        if top and mark.startswith(top) and not info:
            hidden.append((begun if code else place, after))
            inside.pop()
        elif mark and not code:
            is_cell = "{code-cell}" in info
            named = info.startswith("{") and not PLAIN.match(info)
            inside.append((mark, is_cell or (not named and mark[0] != ":")))
            hidden.append((place, after))
            begun = after + (_options(text, after) if is_cell else 0)
        place = after
    if inside and inside[-1][1]:
        hidden.append((begun, len(text)))
    return hidden


def _options(text: str, start: int) -> int:
    """Return the length of a cell's options: a YAML block, or lines that begin with a colon."""
    block = re.compile(r"---\n.*?\n---\n", re.DOTALL).match(text, start)
    if block:
        return block.end() - start
    lines = re.compile(r"(?::[^\n]*\n)*").match(text, start)
    return lines.end() - start if lines else 0
