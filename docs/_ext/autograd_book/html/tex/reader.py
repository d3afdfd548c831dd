"""Reads one formula of TeX, command by command, and refuses what it does not know."""

import re
from html import escape

from autograd_book.html.tex import table
from autograd_book.html.tex.atoms import (
    Atom,
    TexError,
    mo,
    row,
    row_cells,
    scripts,
    space,
    styled,
    symbol,
)
from autograd_book.html.tex.tokens import Tokens


class Reader(Tokens):
    """Reads one formula from left to right; each command has one method or one row in a table."""

    # -- structure --------------------------------------------------------------------------

    def row(self, stop: tuple[str, ...]) -> list[Atom]:
        """Read atoms up to one of ``stop``, which is left unread."""
        atoms: list[Atom] = []
        while (token := self.peek()) not in stop:
            if not token:
                if stop:
                    raise TexError(f"{' or '.join(stop)} is missing at the end of {self.tex!r}.")
                return atoms
            atoms.append(self.scripted())
        return atoms

    def scripted(self) -> Atom:
        """Read one atom with its subscript, superscript and primes."""
        base = Atom("<mrow></mrow>", width=0) if self.peek() in ("^", "_", "'") else self.atom()
        under, over, limits = None, None, base.limits
        while (token := self.peek()) in ("^", "_", "'", r"\limits", r"\nolimits"):
            self.take()
            if token in (r"\limits", r"\nolimits"):
                limits = token == r"\limits"
            elif token == "_" and under is None:
                under = self.argument()
            elif token == "'" and over is None:  # its glyph is raised already
                mark = mo("′", lspace="0", rspace="0")
                base = Atom(f"<mrow>{base.xml}{mark}</mrow>", base.kind, base.width + 0.3)
            elif token == "^" and over is None:
                over = self.argument()
            else:
                raise TexError(f"Two scripts {token!r} on one symbol in {self.tex!r}.")
        return scripts(base, under, over, limits)

    def argument(self) -> Atom:
        """Read ``{...}`` or one atom."""
        if self.peek() == "{":
            return self.group()
        digit = re.match(r"\d(?=[\d.])", self.peek())
        if digit:  # TeX reads \frac12 as one half
            self.tokens[self.at] = self.tokens[self.at][1:]
            return Atom(f"<mn>{digit[0]}</mn>", width=0.5)
        return self.atom()

    def group(self) -> Atom:
        self.take()
        atoms = self.row(("}",))
        self.take()
        kind = atoms[0].kind if len(atoms) == 1 else "ord"
        return Atom(row(atoms), kind, sum(atom.width for atom in atoms))

    def atom(self) -> Atom:
        token = self.take()
        if token == "{":
            self.at -= 1
            return self.group()
        if token in ("}", "&", r"\\", r"\right", r"\end"):
            raise TexError(f"{token} has no beginning in {self.tex!r}.")
        if token[0].isdigit():
            return Atom(f"<mn>{token}</mn>", width=0.5 * len(token))
        if not token.startswith("\\"):
            return symbol(token) or self.letter(token)
        command = token[1:]
        if command in table.SPACES:
            return Atom(space(table.SPACES[command]), "space", table.SPACES[command])
        if found := symbol("Vert" if command == "|" else command):
            return found
        method = getattr(self, f"do_{command}", None) or COMMANDS.get(command)
        if method is None:
            raise TexError(f"Unknown command {token} in {self.tex!r}.")
        return method(self, command) if command in COMMANDS else method()

    def letter(self, char: str) -> Atom:
        if char == "~":
            return Atom(space(0.25), "space", 0.25)
        if not char.isalpha():
            raise TexError(f"Unknown character {char!r} in {self.tex!r}.")
        return Atom(f"<mi>{char}</mi>")

    # -- commands ---------------------------------------------------------------------------

    def fraction(self, command: str) -> Atom:
        top, bottom = self.argument(), self.argument()
        line = ' linethickness="0"' if command == "binom" else ""
        xml = f"<mfrac{line}>{top.xml}{bottom.xml}</mfrac>"
        if command in ("dfrac", "tfrac"):
            style = "true" if command == "dfrac" else "false"
            xml = f'<mstyle displaystyle="{style}" scriptlevel="0">{xml}</mstyle>'
        if command == "binom":
            xml = f"<mrow>{mo('(')}{xml}{mo(')')}</mrow>"
        scale = 1 if self.display else 0.75
        return Atom(xml, "inner", scale * max(top.width, bottom.width) + 0.2)

    def accent(self, command: str) -> Atom:
        base = self.argument()
        mark = mo(table.ACCENTS[command], stretchy=str(command in table.STRETCHED).lower())
        return Atom(f'<mover accent="true">{base.xml}{mark}</mover>', width=base.width)

    def alphabet(self, command: str) -> Atom:
        letters = re.sub(r"\s+", "", self.name())
        return Atom(f"<mi>{styled(command, letters, self.tex)}</mi>", width=0.6 * len(letters))

    def upright(self, command: str) -> Atom:
        """``\\mathrm``, ``\\operatorname``: a name in upright letters."""
        starred = command == "operatorname" and self.peek() == "*" and bool(self.take())
        name = self.name().replace(r"\,", "\u2009").strip()
        if "\\" in name:
            raise TexError(f"\\{command}{{{name}}} may hold letters only, in {self.tex!r}.")
        normal = ' mathvariant="normal"' if len(name) == 1 else ""
        kind = "op" if command == "operatorname" else "ord"
        return Atom(f"<mi{normal}>{escape(name)}</mi>", kind, 0.5 * len(name), limits=starred)

    def words(self, command: str) -> Atom:
        """``\\text`` and its kin: words, in which ``$...$`` is a formula again."""
        pieces = re.split(r"\$([^$]*)\$", self.name())
        xml, size = "", 0.0
        kind = {"textbf": ' class="strong"', "texttt": ' class="mono"', "textit": ' class="slant"'}
        for position, piece in enumerate(pieces):
            if position % 2:
                inner = read(piece, display=False)
                xml, size = xml + inner.xml, size + inner.width
            elif piece:
                plain = re.sub(r"\\([{}$%&_#])", r"\1", piece)
                if "\\" in plain:
                    raise TexError(f"A command inside \\{command}{{{piece}}} in {self.tex!r}.")
                plain = escape(re.sub(r"\s", "\u00a0", plain), quote=False)
                xml += f"<mtext{kind.get(command, '')}>{plain}</mtext>"
                size += 0.45 * len(piece)
        return Atom(xml if len(pieces) == 1 else f"<mrow>{xml}</mrow>", width=size)

    def brace(self, command: str) -> Atom:
        base = self.argument()
        return Atom(base.xml, "inner", base.width, brace=command.removesuffix("brace"))

    def large(self, command: str) -> Atom:
        sign = (table.LARGE | table.INTEGRAL)[command]
        limits = self.display and command in table.LARGE
        return Atom(mo(sign, movablelimits="false"), "op", 1.0, limits=limits)

    def function(self, command: str) -> Atom:
        name = re.sub(r"^(arg|lim)(max|min|sup|inf)$", "\\1\u2009\\2", command)
        limits = self.display and command in table.LIMIT_NAMES
        return Atom(f"<mi>{name}</mi>", "op", 0.5 * len(name), limits=limits)

    def sized(self, command: str) -> Atom:
        size = table.BIG[command.removesuffix("l").removesuffix("r").removesuffix("m")]
        mark = self.delimiter()
        kind = {"l": "open", "r": "close"}.get(command[-1], "ord")
        em = f"{size}em"
        sign = mo(mark, stretchy="true", minsize=em, maxsize=em, lspace="0", rspace="0")
        return Atom(f"<mrow>{sign}</mrow>", kind)  # alone under a script it would not grow

    def delimiter(self) -> str:
        token = self.take()
        if token == ".":
            return ""
        mark = "‖" if token == r"\|" else table.DELIMITERS.get(token.removeprefix("\\"))
        if mark is None:
            raise TexError(f"{token} is no delimiter, in {self.tex!r}.")
        return mark

    def do_left(self) -> Atom:
        parts, size = [self.delimiter()], 0.0
        inner = ""
        while True:
            atoms = self.row((r"\right", r"\middle"))
            inner += row(atoms)
            size += sum(atom.width for atom in atoms) + 0.4
            if self.take() == r"\right":
                break
            inner += mo(self.delimiter(), stretchy="true")
        parts.append(self.delimiter())
        forms = zip(parts, ("prefix", "postfix"), strict=True)
        before, after = (
            mo(m, fence="true", form=f, stretchy="true") if m else "" for m, f in forms
        )
        return Atom(f"<mrow>{before}{inner}{after}</mrow>", "inner", size)

    def do_sqrt(self) -> Atom:
        degree = ""
        if self.peek() == "[":
            self.take()
            degree = row(self.row(("]",)))
            self.take()
        base = self.argument()
        root = f"<mroot>{base.xml}{degree}</mroot>" if degree else f"<msqrt>{base.xml}</msqrt>"
        return Atom(root, width=base.width + 0.8)

    def stacked(self, command: str) -> Atom:
        mark, base = self.argument(), self.argument()
        tag = "munder" if command == "underset" else "mover"
        return Atom(f"<{tag}>{base.xml}{mark.xml}</{tag}>", base.kind, max(base.width, mark.width))

    def arrow(self, command: str) -> Atom:
        sign = "→" if command == "xrightarrow" else "←"
        words = self.argument()
        padded = f'<mpadded width="+.8em" lspace=".4em">{words.xml}</mpadded>'
        xml = f"<mover>{mo(sign, stretchy='true')}{padded}</mover>"
        return Atom(xml, "rel", 0.75 * words.width + 0.8)

    def do_phantom(self) -> Atom:
        base = self.argument()
        return Atom(f"<mphantom>{base.xml}</mphantom>", width=base.width)

    def do_boxed(self) -> Atom:
        base = self.argument()
        return Atom(f'<mpadded class="boxed">{base.xml}</mpadded>', width=base.width + 0.6)

    def do_substack(self) -> Atom:
        self.take()
        return self.table("gathered", "}")

    def style(self, command: str) -> Atom:
        """``\\displaystyle`` holds to the end of the group it stands in."""
        rest = self.row(tuple(t for t in ("}", "&", r"\\", r"\right", r"\end", "")))
        shown = str(command == "displaystyle").lower()
        xml = f'<mstyle displaystyle="{shown}">{row(rest)}</mstyle>'
        return Atom(xml, "inner", sum(atom.width for atom in rest))

    def do_begin(self) -> Atom:
        name = self.name()
        if name not in table.FENCES:
            raise TexError(f"Unknown environment {name!r} in {self.tex!r}.")
        columns = self.name() if name == "array" else ""
        body = self.table(name, r"\end", columns)
        if (closed := self.name()) != name:
            raise TexError(f"\\begin{{{name}}} is closed by \\end{{{closed}}} in {self.tex!r}.")
        before, after = table.FENCES[name]
        if not before + after:
            return body
        left = mo(before, fence="true", form="prefix", stretchy="true")
        right = mo(after, fence="true", form="postfix", stretchy="true") if after else ""
        return Atom(f"<mrow>{left}{body.xml}{right}</mrow>", "inner", body.width + 0.8)

    def table(self, name: str, stop: str, columns: str = "") -> Atom:
        rows: list[list[Atom]] = [[]]
        outer, self.display = (
            self.display,
            name in table.STACKED or (name == "cases" and self.display),
        )
        while True:
            atoms = self.row(("&", r"\\", stop))
            rows[-1].append(Atom(row(atoms, always=True), width=sum(a.width for a in atoms)))
            end = self.take()
            if end == r"\\":
                rows.append([])
            elif end == stop:
                break
        self.display = outer
        if len(rows) > 1 and [cell.width for cell in rows[-1]] == [0]:
            rows.pop()
        kind = "aligned" if name in table.ALIGNED else "stacked" if name in table.STACKED else name
        kind = kind if kind in ("aligned", "stacked", "cases", "smallmatrix") else "matrix"
        style = [f' class="{c}"' if c in "lr" else "" for c in columns.replace("|", "")]
        body = "".join(f"<mtr>{row_cells(cells, style)}</mtr>" for cells in rows)
        size = max(sum(cell.width + 0.6 for cell in cells) for cells in rows)
        shown = ' displaystyle="true"' if name in table.STACKED else ""
        return Atom(f'<mtable class="{kind}"{shown}>{body}</mtable>', "inner", size)


COMMANDS = {
    **dict.fromkeys(("frac", "dfrac", "tfrac", "binom"), Reader.fraction),
    **dict.fromkeys(table.ACCENTS, Reader.accent),
    **dict.fromkeys(table.ALPHABETS, Reader.alphabet),
    **dict.fromkeys(("mathrm", "operatorname", "mathop"), Reader.upright),
    **dict.fromkeys(("text", "textrm", "textbf", "texttt", "textit", "mbox"), Reader.words),
    **dict.fromkeys(("underbrace", "overbrace"), Reader.brace),
    **dict.fromkeys(table.LARGE | table.INTEGRAL, Reader.large),
    **dict.fromkeys(table.NAMES | table.LIMIT_NAMES, Reader.function),
    **dict.fromkeys(
        (size + side for size in table.BIG for side in ("", "l", "r", "m")), Reader.sized
    ),
    **dict.fromkeys(("overset", "underset", "stackrel"), Reader.stacked),
    **dict.fromkeys(("xrightarrow", "xleftarrow"), Reader.arrow),
    **dict.fromkeys(("displaystyle", "textstyle"), Reader.style),
}


def read(tex: str, *, display: bool) -> Atom:
    """Return the whole formula as one atom."""
    atoms = Reader(tex, display).row(())
    return Atom(row(atoms, always=True), width=sum(atom.width for atom in atoms))
