"""Pieces of a formula as MathML: symbols, letters of other alphabets, scripts, rows."""

import re
from dataclasses import dataclass
from html import escape

from autograd_book.html.tex import table


class TexError(ValueError):
    """A formula that cannot be shown; the message says what was read where."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of a row: its MathML, its role in spacing, its width in em, roughly."""

    xml: str
    kind: str = "ord"
    width: float = 0.55
    limits: bool = False
    brace: str = ""


def row(atoms: list[Atom], *, always: bool = False) -> str:
    """Join atoms: a sign that has nothing to its left is a prefix, names keep their distance."""
    out, before = [], "none"
    for position, atom in enumerate(atoms):
        xml = atom.xml
        if atom.kind == "bin" and before in ("none", "bin", "rel", "open", "punct", "op"):
            xml = xml.replace("<mo", '<mo form="prefix"', 1)
        if atom.kind == "op" and before in ("ord", "close"):
            xml = space(0.167) + xml
        after = atoms[position + 1].kind if position + 1 < len(atoms) else "none"
        if atom.kind == "rel" and after == "none" and xml.startswith("<mo>"):
            xml = xml.replace("<mo>", '<mo rspace="0">')  # the space of the sentence follows
        if atom.kind == "op" and after in ("ord", "op"):
            xml += space(0.167)
        out.append(xml)
        if atom.kind != "space":
            before = atom.kind
    joined = "".join(out)
    return joined if len(out) == 1 and not always else f"<mrow>{joined}</mrow>"


def space(em: float) -> str:
    return f'<mspace width="{em:g}em"></mspace>'


def mo(char: str, **attributes: str) -> str:
    extra = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<mo{extra}>{escape(char, quote=False)}</mo>"


def symbol(name: str) -> Atom | None:
    """Return the atom of a symbol that needs no argument, or None."""
    if name in table.GREEK:
        return Atom(f"<mi>{table.GREEK[name]}</mi>")
    if name in table.UPRIGHT:
        return Atom(f'<mi mathvariant="normal">{escape(table.UPRIGHT[name])}</mi>')
    for kind, signs in (("bin", table.BINARY), ("rel", table.RELATION)):
        if name in signs:
            still = {"stretchy": "false"} if name in ("mid", "nmid", "parallel") else {}
            return Atom(mo(signs[name], **still), kind, 1.1)
    for kind, signs in (("open", table.OPEN), ("close", table.CLOSE)):
        if name in signs:
            return Atom(mo(signs[name], stretchy="false"), kind, 0.35)
    if name in table.PUNCTUATION:
        return Atom(mo(table.PUNCTUATION[name]), "punct", 0.45)
    if name in table.ORDINARY:
        return Atom(mo(table.ORDINARY[name], stretchy="false", lspace="0", rspace="0"), width=0.35)
    return None


def styled(alphabet: str, letters: str, tex: str) -> str:
    """Return the letters in Unicode's bold, double-struck, ... form."""
    capitals, small, digits = table.ALPHABETS[alphabet]
    greek = {v: v for v in (table.GREEK | table.UPRIGHT).values()}
    letters = re.sub(
        r"\\([a-zA-Z]+)", lambda m: (table.GREEK | table.UPRIGHT).get(m[1], m[0]), letters
    )
    out = ""
    for char in letters:
        if (alphabet, char) in table.ELSEWHERE:
            out += table.ELSEWHERE[alphabet, char]
        elif alphabet in table.BOLD_GREEK and char in greek and "Α" <= char <= "ω":
            start = table.BOLD_GREEK[alphabet]
            out += chr(
                start[0] + ord(char) - 0x391 if char <= "Ω" else start[1] + ord(char) - 0x3B1
            )
        elif char.isascii() and char.isalnum():
            first = capitals if char.isupper() else small if char.islower() else digits
            base = "A" if char.isupper() else "a" if char.islower() else "0"
            out += chr(first + ord(char) - ord(base)) if first else char
        else:
            raise TexError(f"\\{alphabet} knows no {char!r}, in {tex!r}.")
    return out


def scripts(base: Atom, under: Atom | None, over: Atom | None, limits: bool) -> Atom:
    if base.brace:
        return braced(base, under or over)
    if under is None and over is None:
        return base
    low, high = ("munder", "mover") if limits else ("msub", "msup")
    both = "munderover" if limits else "msubsup"
    tag = both if under and over else low if under else high
    scripts = "".join(part.xml for part in (under, over) if part)
    size = 0.7 * max(part.width for part in (under, over) if part)
    total = max(base.width, size) if limits else base.width + size
    return Atom(f"<{tag}>{base.xml}{scripts}</{tag}>", base.kind, total)


def braced(base: Atom, label: Atom | None) -> Atom:
    """A bracket under (over) the base, drawn by the style sheet; as wide as its name at least."""
    needed = 0.76 * label.width if label else 0
    pad = space(round((needed - base.width) / 2, 2)) if needed > base.width + 0.2 else ""
    side = 'depth="0.7em"' if base.brace == "under" else 'height="1.5em"'
    inner = f"<mpadded {side}>{pad}{base.xml}{pad}</mpadded>"
    size = max(base.width, needed) + 0.2
    if not label:
        return Atom(f'<mrow class="{base.brace}">{inner}</mrow>', "inner", size)
    xml = f'<m{base.brace} class="{base.brace}">{inner}{label.xml}</m{base.brace}>'
    return Atom(xml, "inner", size)


def row_cells(cells: list[Atom], style: list[str]) -> str:
    looks = style + [""] * len(cells)
    return "".join(f"<mtd{looks[i]}>{cell.xml}</mtd>" for i, cell in enumerate(cells))
