"""Run a specimen, ask about it, and apply the repair that the diagnosis gives."""

import contextlib
import io
import linecache
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from specimens import Specimen

import handgrad
from handgrad import Diagnosis

PLACEHOLDER = re.compile(r"^( *)\.\.\.  # compute .* again$", re.MULTILINE)
PAIR = re.compile(r"^# instead of (.*):\n(.*)$", re.MULTILINE)
BEFORE = re.compile(r"^# before (.*):\n(.*)$", re.MULTILINE)


def arrived(tensor: torch.Tensor) -> bool:
    """A gradient is there, finite and not zero."""
    grad = tensor.grad
    return grad is not None and bool(grad.isfinite().all()) and bool(grad.any())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Programs may warn; a diagnosis may not, so it is asked outside of this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class Program:
    """A specimen in execution; its parts are text, so that a repair can edit them."""

    specimen: Specimen
    parts: dict[str, str]
    names: dict[str, Any] = field(default_factory=dict)
    printed: str = ""

    @classmethod
    def start(cls, specimen: Specimen) -> "Program":
        parts = {"setup": specimen.setup, "forward": specimen.forward, "after": specimen.after}
        program = cls(specimen, parts)
        program.restart()
        return program

    def restart(self) -> None:
        """Run all parts from the beginning, in a fresh namespace."""
        self.names = {"torch": torch, "handgrad": handgrad, "arrived": arrived}
        for part in self.parts:
            self.run(self.parts[part], part)

    def run(self, code: str, part: str) -> None:
        """Execute code whose source Python can find, as a notebook's cell."""
        file = f"<{part} {id(self)} {len(code)}>"
        linecache.cache[file] = (len(code), None, (code + "\n").splitlines(True), file)
        with contextlib.redirect_stdout(io.StringIO()) as out, quiet():
            exec(compile(code, file, "exec"), self.names)
        self.printed += out.getvalue()

    def ask(self) -> Diagnosis:
        """Ask as a program does whose text stands in one file, with the question at its end."""
        specimen = self.specimen
        more = ", run_my_code=True" if specimen.run_my_code else ""
        parts = "\n".join([*self.parts.values(), "pass"])
        past = textwrap.indent(parts, "    ")
        question = f"handgrad.why_no_grad({specimen.subject}, {specimen.loss}{more})"
        text = f"if __past__:\n{past}\n__answer__ = {question}\n"
        file = f"<question {id(self)} {len(text)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        names = {**self.names, "__past__": False}
        exec(compile(text, file, "exec"), names)
        return names["__answer__"]

    def repair(self, code: str) -> None:
        """Apply a repair: replace what it says to replace, or run it."""
        pairs = PAIR.findall(code)
        if pairs:
            self.replace(pairs)
            return
        if befores := BEFORE.findall(code):
            self.replace([(line, f"{first}\n{line}") for line, first in befores])
            return
        self.run(PLACEHOLDER.sub(self.indented, code), "repair")
        seen = self.names.get("seen")
        if seen:
            suggestions = {pair for event in seen for pair in PAIR.findall(event.repair)}
            assert suggestions, str(seen)
            self.replace(sorted(suggestions), seen=seen)

    def indented(self, match: re.Match[str]) -> str:
        again = self.specimen.again or self.parts["forward"]
        return "\n".join(match[1] + line for line in again.splitlines())

    def replace(self, pairs: list[tuple[str, str]], **keep: Any) -> None:
        for old, new in pairs:
            assert any(old in text for text in self.parts.values()), f"{old} is not in the program"
            self.parts = {part: text.replace(old, new) for part, text in self.parts.items()}
        self.restart()
        self.names.update(keep)
        if not arrived_somehow(self):
            self.run("loss.backward()", "after")

    def cured(self) -> bool:
        question = self.specimen.cured.format(subject=self.specimen.subject)
        with quiet():
            return bool(eval(question, {**self.names, "printed": self.printed}))


def arrived_somehow(program: Program) -> bool:
    """Some specimens end in backward(), some stop before it."""
    loss = program.names.get("loss")
    return "backward" in program.parts["after"] + program.specimen.cured or not (
        isinstance(loss, torch.Tensor) and loss.requires_grad
    )
