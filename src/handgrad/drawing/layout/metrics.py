"""How wide a text can be at most, without reading a font.

The bounds are for Source Serif 4 at optical size 16 and Source Code Pro, in
units of the font size, and hold for Times and its relatives too. A test holds
them against the fonts' own advance widths.
"""

from functools import cache, lru_cache
from unicodedata import combining, east_asian_width, normalize

SIZES = {"t": 16, "v": 17, "g": 17, "k": 15, "n": 14, "a": 14, "c": 13}  # class of a text: its size
"""Font size, in pixels, of each class of text in a figure."""

_CODE = 0.6
_STRONG = 1.045  # semibold against regular, at most
_MARKED = 0.06  # what an accent may add to its letter
_SIGNS = (
    (0.31, ".,:;·'|"),
    (0.24, " \u00a0"),
    (0.4, "()[]{}-/\\²³₀₁₂₃₄₅₆₇₈₉¹⁰⁴⁵⁶⁷⁸⁹⁺⁻!"),
    (0.485, '"*'),
    (0.535, "0123456789+−=<>×÷±_–"),
    (0.62, "?$^#~σ"),
    (0.75, "&"),
    (0.83, "∞…"),
)
_ROMAN = (
    (0.325, "ijl"),
    (0.385, "tfIJ"),
    (0.46, "rs"),
    (0.535, "cezS"),
    (0.585, "aovxygkZ"),
    (0.635, "bdhnpquEFLPT"),
    (0.7, "BCKRVXY"),
    (0.76, "ADGNOQU"),
    (0.82, "wH"),
    (1.0, "mMW"),
)
_ITALIC = (
    (0.32, "ijlf"),
    (0.37, "tIJ"),
    (0.435, "rsec"),
    (0.52, "bgkoqvyzS"),
    (0.555, "adpxZ"),
    (0.6, "hnuEFLPTY"),
    (0.65, "BCRV"),
    (0.7, "AGKOQX"),
    (0.77, "DHNUw"),
    (0.94, "mMW"),
)


def _table(*lists: tuple[tuple[float, str], ...]) -> dict[str, float]:
    return {letter: bound for rows in lists for bound, letters in rows for letter in letters}


_UPRIGHT, _SLANTED = _table(_SIGNS, _ROMAN), _table(_SIGNS, _ITALIC)
_GREEK, _OTHER, _WIDE, _WIDEST = 0.935, 1.1, 1.35, 2.4


@lru_cache(4096)
def width(words: str, cls: str) -> float:
    """Return an upper bound of the length of a line of text, in pixels.

    Args:
        words: The text, on one line.
        cls: Its class in a figure; the first letter chooses face and size:
            ``"t"`` title, ``"v"`` value, ``"g"`` gradient, ``"k"`` on an edge,
            ``"n"`` label, ``"a"`` number on an axis, ``"c"`` code.

    Example:
        >>> round(width("−0.5989", "k"), 1)
        52.8
    """
    if cls[0] == "c":
        return SIZES["c"] * sum([_code_bound(letter) for letter in words])
    slanted = cls[0] in "tn" or cls.endswith("none")
    scale = _STRONG if cls == "v" else 1.0
    return SIZES[cls[0]] * scale * sum([_bound(letter, slanted) for letter in words])


def fit(words: str, cls: str, room: float) -> str:
    """Return the words, or as many as fit into ``room`` pixels and an ellipsis.

    Of a dotted name the end is kept, because that is where names differ.

    Example:
        >>> fit("encoder.layers.0.weight", "t", 90)
        '…0.weight'
        >>> fit("prediction of the neuron", "t", 90)
        'prediction…'
    """
    if width(words, cls) <= room:
        return words
    if "." in words.strip(".") and " " not in words:
        parts = words.split(".")
        ends = ["…" + ".".join(parts[i:]) for i in range(1, len(parts))]
        ends += ["…" + parts[-1][i:] for i in range(1, len(parts[-1]))]
    else:
        ends = [words[:length].rstrip() + "…" for length in range(len(words) - 1, 0, -1)]
    return next((cut for cut in ends if width(cut, cls) <= room), "…")


@cache
def _bound(letter: str, slanted: bool) -> float:
    """Return the bound of one character: its own, its base letter's, or its kind's."""
    if combining(letter):
        return 0.0
    table = _SLANTED if slanted else _UPRIGHT
    base = normalize("NFD", letter)[0]
    if base in table:
        return table[base] + (0.0 if base == letter else _MARKED)
    if 0x370 <= ord(base) < 0x400:
        return _GREEK
    if letter in "⸺⸻‰‱":
        return _WIDEST
    return _WIDE if east_asian_width(letter) in "WF" or ord(letter) > 0xFFFF else _OTHER


def _code_bound(letter: str) -> float:
    return _CODE if ord(letter) < 0x250 else max(_CODE, _bound(letter, False))
