"""The tokens of a formula, taken one after the other."""

import re

from autograd_book.html.tex.atoms import TexError

TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)


class Tokens:
    """What is left of a formula to read."""

    def __init__(self, tex: str, display: bool) -> None:
        self.tex = tex
        self.display = display
        self.tokens = TOKEN.findall(tex)
        self.at = 0

    def peek(self) -> str:
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise TexError(f"The formula ends too early: {self.tex!r}. Is a brace missing?")
        self.at += 1
        return token

    def name(self) -> str:
        """Return the raw text of the next ``{...}``."""
        if self.take() != "{":
            raise TexError(
                f"Expected {{ in {self.tex!r}, before {''.join(self.tokens[self.at :])!r}."
            )
        depth, out = 1, ""
        while depth:
            if self.at >= len(self.tokens):
                raise TexError(f"A {{ is never closed in {self.tex!r}.")
            token = self.tokens[self.at]
            self.at += 1
            depth += (token == "{") - (token == "}")
            out += token if depth else ""
        return out
