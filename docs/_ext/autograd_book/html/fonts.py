"""The book's fonts: subsets, made at build, of the font files that Python packages ship.

Each face comes in two files: the characters that many pages use, and the rest,
which a browser fetches for the pages that need them. The maths face is one file,
since brackets grow by the table of a formula's first font only.

All are optional: a page whose fonts come late keeps the reader's own, and never moves
under the eye. They are asked for as soon as the style is there, but on a slow line only
by what the page lays out: it would wait for them, and in vain. The files are named by
their content, and every page carries the rules that load them.
"""

import hashlib
import io
import json
import logging
import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from html import unescape
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from string import ascii_letters, digits, punctuation
from urllib.parse import urlsplit

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem
from fontTools.varLib.instancer import instantiateVariableFont
from sphinx.application import Sphinx

logging.getLogger("fontTools").setLevel(logging.WARNING)
SLOW = 300  # milliseconds until the style is there; then fonts would come too late
ALWAYS = set(ascii_letters + digits + punctuation + " \u00a0’“”—–…−×✓≠·→")
COMMON = 0.08  # a character on this share of the chapters belongs to the first file
ITALIC = {c: chr(0x1D44E + i) for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")}
ITALIC |= {c: chr(0x1D434 + i) for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
ITALIC |= {c: chr(0x1D6FC + i) for i, c in enumerate("αβγδεζηθικλμνξοπρςστυφχψω∂ϵϑϰϕϱϖ")}
ITALIC |= {"h": "\u210e"}
GRID = 160  # points to an em: a point is off by at most a sixth of a pixel, in a title
LEAST = 2  # of these points: closer pairs of letters are left as they are
LENGTHS = {  # in the table that says how brackets grow and where a formula's parts stand
    "Value", "DelimitedSubFormulaMinHeight", "DisplayOperatorMinHeight", "MinConnectorOverlap",
    "AdvanceMeasurement", "StartConnectorLength", "EndConnectorLength", "FullAdvance",
}  # fmt: skip
WORTH = 12  # a second file of fewer characters costs more as a request than it saves
BLOCK = re.compile(r"<!--fonts-->.*?<!--/fonts-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Face:
    """One style of one family, and where it comes from.

    ``position`` fixes an axis of a variable font, or keeps a part of it: regular
    and semibold in one file weigh less than in two.
    """

    name: str
    family: str
    kind: str
    package: str
    distribution: str
    file: str
    position: tuple[tuple[str, int | tuple[int, int]], ...] = ()
    features: tuple[str, ...] = ()
    style: str = ""


SERIF = {"package": "fontpkg_source_serif_4", "distribution": "fontpkg-source-serif-4"}
FACES = (
    Face("text", "Book", "text", **SERIF, file="SourceSerif4[opsz,wght].ttf",
         position=(("opsz", 16), ("wght", (400, 600))), features=("kern",),
         style="font-weight:400 600;"),
    Face("italic", "Book", "text", **SERIF, file="SourceSerif4-Italic[opsz,wght].ttf",
         position=(("opsz", 16), ("wght", 400)), style="font-style:italic;"),
    Face("code", "Book Code", "code", "fontpkg_source_code_pro", "fontpkg-source-code-pro",
         "SourceCodePro[wght].ttf", (("wght", 400),)),
    Face("maths", "Book Maths", "maths", "ziamath", "ziamath", "STIXTwoMath-Regular.ttf",
         style="ascent-override:90%;descent-override:30%;line-gap-override:0%;"),
)  # fmt: skip


def characters(page: str) -> dict[str, frozenset[str]]:
    """Return the characters a page shows, by the kind of font that draws them."""
    page = re.sub(r"<(script|style|annotation)\b.*?</\1>", "", page, flags=re.DOTALL)
    maths = "".join(re.findall(r"<math\b.*?</math>", page, re.DOTALL))
    single = re.findall(r"<mi>(.)</mi>", maths)  # such a letter is drawn in italics
    upright = re.sub(r"<mi>.</mi>|<mtext\b.*?</mtext>", "", maths)
    page = re.sub(r"<math\b.*?</math>", "", page, flags=re.DOTALL)
    code = "".join(re.findall(r"<(?:pre|code)\b.*?</(?:pre|code)>", page, re.DOTALL))
    plain = re.sub(r"<(pre|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    upright += "√" * bool(re.search(r"<m(sqrt|root)\b", maths))
    words = "".join(re.findall(r"<mtext\b.*?</mtext>", maths))
    return {
        "text": _shown(plain) | _shown(words),
        "code": _shown(code),
        "maths": frozenset(ITALIC.get(c, c) for c in single) | _shown(upright),
    }


def _shown(html: str) -> frozenset[str]:
    text = unescape(re.sub(r"<[^>]*>", "", html))
    return frozenset(c for c in text if not c.isspace() or c == "\u00a0")


def share_out(
    pages: list[frozenset[str]], chapters: list[frozenset[str]], always: set[str]
) -> tuple[set[str], set[str]]:
    """Split the characters of all pages into those that chapters share and the rest."""
    counts = Counter(char for page in chapters or pages for char in page)
    least = COMMON * len(chapters or pages)
    common = always | {char for char, count in counts.items() if count >= least}
    rest = set().union(*pages) - common
    return (common, rest) if len(rest) > WORTH else (common | rest, set())


@cache
def source(package: str, name: str) -> Path:
    """Return the font file that an installed package ships."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The package {package} has the book's fonts; install it.")
    return next(Path(spec.origin).parent.rglob(name.replace("[", "[[]")))


@cache
def has(face: Face) -> frozenset[int]:
    """Return the code points that a face can draw."""
    with TTFont(source(face.package, face.file), lazy=True) as font:
        return frozenset(font.getBestCmap())


def subset(face: Face, chars: set[str]) -> bytes:
    """Return a WOFF2 file with these characters; the same characters give the same bytes."""
    font = _cut(face, chars, dict(face.position))
    ends = [(axis, at[0] if isinstance(at, tuple) else at) for axis, at in face.position]
    if "GPOS" in font and ends != list(face.position):
        # One kerning for all weights: its differences would cost a seventh of the file.
        font["GPOS"] = _cut(face, chars, dict(ends))["GPOS"]
        del font["GDEF"]
    _scale(font)
    font.flavor = "woff2"
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def _cut(face: Face, chars: set[str], position: dict[str, float]) -> TTFont:
    """Take the characters first, then the position: a hundred glyphs to interpolate, not all."""
    font = TTFont(source(face.package, face.file), recalcTimestamp=False)
    if "MATH" in font:
        _thin(font)
    options = Options(hinting=False, layout_features=list(face.features))
    options.drop_tables += ["STAT"]
    options.name_IDs = [1, 2]
    options.notdef_outline = False
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=sorted(map(ord, chars)))
    subsetter.subset(font)
    return instantiateVariableFont(font, position) if position else font


def _scale(font: TTFont) -> None:
    """Draw a font on the grid, and leave out what is smaller than a point of it."""
    by, maths = GRID / font["head"].unitsPerEm, font.get("MATH", None)
    if maths is not None:  # which is unknown to scale_upem
        del font["MATH"]
        _scale_lengths(maths.table, by)
    scale_upem(font, GRID)
    if maths is not None:
        font["MATH"] = maths
    if "GPOS" in font:
        for lookup in font["GPOS"].table.LookupList.Lookup:
            for part in lookup.SubTable:
                _loosen(part)


def _scale_lengths(part: object, by: float) -> None:
    for name, value in vars(part).items():
        if name in LENGTHS:
            setattr(part, name, round(value * by))
        for inner in value if isinstance(value, list) else [value]:
            if hasattr(inner, "__dict__"):
                _scale_lengths(inner, by)


def _loosen(part: object) -> None:
    """Keep the pairs of letters that move together or apart by enough to be seen."""

    def seen(moved: object) -> bool:
        return abs(getattr(moved, "XAdvance", 0)) >= LEAST

    for pairs in getattr(part, "PairSet", ()):
        pairs.PairValueRecord = [one for one in pairs.PairValueRecord if seen(one.Value1)]
        pairs.PairValueCount = len(pairs.PairValueRecord)
    for row in getattr(part, "Class1Record", ()):
        for cell in row.Class2Record:
            if cell.Value1 and not seen(cell.Value1):
                cell.Value1.XAdvance = 0


def _thin(font: TTFont) -> None:
    """Of the twelve sizes of a bracket keep the smallest, then every other one."""
    for bracket in font["MATH"].table.MathVariants.VertGlyphConstruction:
        sizes = bracket.MathGlyphVariantRecord
        bracket.MathGlyphVariantRecord = [s for i, s in enumerate(sizes) if i < 3 or i % 2 == 0]
        bracket.VariantCount = len(bracket.MathGlyphVariantRecord)


def cached(face: Face, chars: set[str], folder: Path) -> bytes:
    """Return the subset, from the folder of earlier ones where it is there."""
    made_by = [version("fonttools"), version(face.distribution), _source()]
    key = json.dumps([repr(face), sorted(chars), made_by])
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.woff2"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        own = path.with_suffix(f".{os.getpid()}")  # two builds may share the folder
        own.write_bytes(subset(face, chars))
        own.replace(path)
    return path.read_bytes()


@cache
def _source() -> str:
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def ranges(chars: set[str]) -> str:
    """Return a CSS ``unicode-range`` for the characters."""
    points, spans = sorted(map(ord, chars)), []
    for point in points:
        if spans and point == spans[-1][1] + 1:
            spans[-1][1] = point
        else:
            spans.append([point, point])
    return ",".join(f"U+{a:X}" if a == b else f"U+{a:X}-{b:X}" for a, b in spans)


def build(app: Sphinx) -> None:
    """Write the fonts that the built pages need, and name them in every page.

    Without a folder to keep them in (``book_font_cache = ""``) pages have the reader's own.
    """
    if not app.config.book_font_cache:
        return
    out = Path(app.outdir)
    paths = sorted(p for p in out.rglob("*.html") if not p.is_relative_to(out / "_static"))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    used = [characters(text) for text in texts.values()]
    running = ['class="cell"' in text for text in texts.values()]
    folder = out / "_static" / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    rules, first, written = [], {}, set()
    for face in FACES:
        able = has(face)
        pages = [page[face.kind] for page in used]
        always = ALWAYS if face.kind != "maths" else {c for page in pages for c in page} | {" "}
        chapters = [page[face.kind] for page, runs in zip(used, running, strict=True) if runs]
        parts = share_out(pages, chapters, always)
        parts = tuple({c for c in part if ord(c) in able} for part in parts)
        for number, chars in enumerate(parts):
            if not chars:
                continue
            data = cached(face, chars, Path(app.config.book_font_cache))
            name = f"{face.name}{'-more' * number}.{hashlib.sha256(data).hexdigest()[:8]}.woff2"
            (folder / name).write_bytes(data)
            written.add(name)
            limit = f";unicode-range:{ranges(chars)}" if number else ""  # the last rule wins
            rules.append(_rule(face, name, limit))
            if number == 0:
                first[name] = face.kind
    for path in folder.iterdir():
        if path.name not in written:
            path.unlink()
    for (path, text), page in zip(texts.items(), used, strict=True):
        root = "../" * len(path.relative_to(out).parents[:-1])
        if path.name == "404.html":  # shown at any depth
            root = urlsplit(app.config.html_baseurl or "").path
        wanted = [name for name, kind in first.items() if page[kind]]
        block = _block("".join(rules), wanted, f"{root}_static/fonts/")
        changed = BLOCK.sub(lambda _, block=block: block, text)
        if changed != text:
            path.write_text(changed, encoding="utf-8")


def _rule(face: Face, name: str, limit: str) -> str:
    src = f'url(FONTS/{name}) format("woff2")'
    family = f'font-family:"{face.family}";{face.style}'
    return f"@font-face{{{family}src:{src};font-display:optional{limit}}}\n"


def _block(rules: str, preload: list[str], folder: str) -> str:
    """Return the rules, and a script that asks for the first fonts early.

    A script, not ``<link>``: from a file a preload is refused and says so in the console.
    There a font is a few milliseconds away, and the page waits for it instead.
    """
    names = json.dumps([folder + name for name in preload])
    script = (
        'if(location.protocol=="file:"){var s=document.currentScript.previousElementSibling;'
        's.textContent=s.textContent.replace(/optional/g,"block")}'
        f"else if(performance.now()<{SLOW}){names}.forEach(function(u){{"
        'var l=document.createElement("link");l.rel="preload";l.as="font";l.type="font/woff2";'
        'l.crossOrigin="";l.href=u;document.head.append(l)})'
    )
    rules = rules.replace("FONTS/", folder)
    return f"<!--fonts--><style>{rules}</style><script>{script}</script><!--/fonts-->"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("book_font_cache", str(Path(app.srcdir) / ".cache" / "fonts"), "")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
