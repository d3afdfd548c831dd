"""Exercises, predictions and why-questions as they are written: one block each, read here.

Question, answer, wrong answers and their hints stand together. The build evaluates
the answers in the chapter's process; see ``_exercise`` in
:mod:`autograd_book.inline.evaluate`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from autograd_book.inline.marks import marks_of

OPTION = re.compile(r":(?P<name>[a-z]+):(?:[ \t]+(?P<text>.*))?$")
CHOICE = re.compile(r"- +(?P<text>.*)$")
BLOCK = re.compile(r"(?P<fence>:{3,})\{(?P<kind>exercise)\}[ \t]+(?P<key>\S+)[ \t]*$")
LETTERS = {
    "cdot": "· ", "partial": "∂", "varphi": "φ", "sigma": "σ", "delta": "δ", "lambda": "λ",
    "times": "× ", "infty": "∞", "text": "", "hat": "",
}  # fmt: skip
ONCE = ("title", "minutes", "answer", "choices", "digits", "unit")
MANY = ("wrong", "hint")


class BlockError(ValueError):
    """A block that is not written as it should be."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to one answer.

    Attributes:
        answer: An expression that gives the answer, or the words of an option.
        words: What the reader is told.
        line: Its line within the block, from 0.
    """

    answer: str
    words: str
    line: int


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers to choose from.

    Attributes:
        text: The option, as Markdown.
        reply: What the reader is told who chooses it, as Markdown.
        right: Whether it is the answer.
        line: Its line within the block, from 0.
    """

    text: str
    reply: str
    right: bool
    line: int


@dataclass(slots=True)
class Block:
    """A block: the question as Markdown, and what follows it."""

    question: list[str] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    once: dict[str, str] = field(default_factory=dict)
    wrong: list[Reply] = field(default_factory=list)
    hints: list[tuple[str, int]] = field(default_factory=list)

    @property
    def answer(self) -> Reply | None:
        """The answer that is typed, and why it is right; None where the reader chooses."""
        if "answer" not in self.once:
            return None
        code, _, words = self.once["answer"].partition(" | ")
        return Reply(code.strip(), words.strip(), 0)


def read(lines: list[str]) -> Block:
    """Read the lines of a block.

    Raises:
        BlockError: If an option is unknown, given twice, or has no ``|``.
    """
    block = Block()
    for line, text, kind in _items(lines):
        if kind == "question":
            block.question.append(text)
        elif kind == "choice":
            said, bar, reply = text.rpartition(" | ")
            if not bar:
                raise BlockError(f"the option {text!r} says nothing to who chooses it: add ' | …'")
            right = re.fullmatch(r"yes(?:[:.,]\s*(?P<words>.*))?", reply.strip(), re.DOTALL)
            words = (right["words"] or "") if right else reply.strip()
            block.options.append(Option(said.strip(), words, bool(right), line))
        elif kind == "wrong":
            code, bar, words = text.partition(" | ")
            if not bar:
                raise BlockError(f":wrong: {text!r} has no hint: write ':wrong: value | hint'")
            block.wrong.append(Reply(code.strip(), words.strip(), line))
        elif kind == "hint":
            block.hints.append((text, line))
        elif kind in block.once:
            raise BlockError(f":{kind}: stands twice")
        else:
            block.once[kind] = text
    while block.question and not block.question[-1].strip():
        block.question.pop()
    return block


def _items(lines: list[str]) -> list[tuple[int, str, str]]:
    """Split a block into (line, text, kind); indented lines go on with the item above."""
    items: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines):
        option, choice = OPTION.match(line), CHOICE.match(line)
        above = items[-1][2] if items else ""
        if option:
            name = option["name"]
            if name not in (*ONCE, *MANY):
                allowed = ", ".join((*ONCE, *MANY))
                raise BlockError(f"the option :{name}: is not known; there are {allowed}")
            items.append((number, (option["text"] or "").strip(), name))
        elif choice:
            items.append((number, choice["text"].strip(), "choice"))
        elif above not in ("", "question") and line[:1] in " \t" and line.strip():
            place, text, kind = items[-1]
            items[-1] = (place, f"{text} {line.strip()}", kind)
        else:
            items.append((number, line, "question"))
    return items


def exercises(text: str) -> list[dict[str, Any]]:
    """Return what the exercises of a piece of Markdown ask of the run, in their order.

    A block that is not written as it should be is left out here; its directive says why.
    """
    asked: list[dict[str, Any]] = []
    lines = text.splitlines()
    for start, line in enumerate(lines):
        found = BLOCK.match(line)
        if found is None:
            continue
        body: list[str] = []
        for inner in lines[start + 1 :]:
            if inner.strip() == found["fence"]:
                break
            body.append(inner)
        try:
            asked.append(exercise(found["key"], read(body)))
        except BlockError:
            continue
    return asked


def exercise(key: str, block: Block) -> dict[str, Any]:
    """Return an exercise as :mod:`autograd_book.inline.evaluate` takes it.

    Raises:
        BlockError: If it has no answer, or fewer than two wrong ones.
    """
    if (block.answer is None) == (not block.options):
        raise BlockError("it needs either an ':answer:' or a list of options, and not both")
    digits = block.once.get("digits", "4")
    if not digits.isdecimal():
        raise BlockError(f":digits: {digits!r} is no number of decimals")
    common = {"kind": "exercise", "number": 0, "key": key, "digits": int(digits),
              "unit": block.once.get("unit")}  # fmt: skip
    if block.answer is not None:
        wrong = [{"code": r.answer, "words": pieces(r.words)} for r in block.wrong]
        words = block.once.get("choices", "").split(",")
        asked = {
            "answer": block.answer.answer,
            "choices": [word.strip() for word in words if word.strip()],
            "lettered": False,
        }
    else:
        right = [option for option in block.options if option.right]
        if len(right) != 1:
            raise BlockError(f"{len(right)} of its options say 'yes'; one should")
        letters = "abcdefghij"
        wrong = [
            {"code": letters[place], "words": pieces(option.reply)}
            for place, option in enumerate(block.options)
            if not option.right
        ]
        asked = {
            "answer": letters[block.options.index(right[0])],
            "choices": list(letters[: len(block.options)]),
            "lettered": True,
            "right": pieces(right[0].reply),
        }
    if len(wrong) < 2:
        raise BlockError(f"it has {len(wrong)} wrong answers; name at least two ways to go wrong")
    return {**common, **asked, "wrong": wrong, "code": asked["answer"]}


def pieces(words: str) -> list[Any]:
    """Split words into text and the numbers of the values that stand in it, for plain text.

    Example:
        >>> pieces("It is {py}`3#w:.1f`, *not* more.")
        ['It is ', 3, ', not more.']
    """
    parts: list[Any] = []
    at = 0
    for found in re.finditer(r"\{(py|holds)\}(`+)(\d+)#.+?(?<!`)\2(?!`)", words):
        parts.append(_plain(words[at : found.start()]))
        if found[1] == "py":
            parts.append(int(found[3]))
        at = found.end()
    parts.append(_plain(words[at:]))
    return [part for part in parts if part != ""]


def _plain(words: str) -> str:
    """Take the marks of Markdown away: a hint is said as plain text."""
    words = re.sub(r"\]\{\.holds-[^}]*\}", "]", words)
    words = re.sub(r"`+([^`]+)`+|\*\*(.+?)\*\*|(?<!\w)\*(.+?)\*(?!\w)", r"\1\2\3", words)
    return re.sub(r"\$([^$]+)\$", lambda found: letters(found[1]), words)


def letters(formula: str) -> str:
    """Write a formula with letters that need no typesetting."""
    formula = re.sub(r"\\[td]?frac(?:\{([^{}]*)\}\{([^{}]*)\}|(\w)(\w))", _over, formula)
    for command, letter in LETTERS.items():
        formula = re.sub(rf"\\{command}(?![a-z])\s?", letter, formula)
    return formula.replace("'", "′").replace("{", "").replace("}", "").replace("\\,", " ")


def _over(found: re.Match[str]) -> str:
    return f"{found[1] or found[3]}/{found[2] or found[4]}"


def questions(marks_in: str) -> list[dict[str, Any]]:
    """Return all that a piece of numbered Markdown asks of the run: roles, then exercises."""
    roles = [{"kind": m.kind, "number": m.number, "code": m.code} for m in marks_of(marks_in)]
    return [*roles, *exercises(marks_in)]
