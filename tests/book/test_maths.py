"""Formulas: what the reader of TeX understands, it writes as MathML; all else it refuses."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from autograd_book.html.tex import mathml as tex
from hypothesis import given
from hypothesis import strategies as st
from sphinx.application import Sphinx

FORMULAS = {
    "fraction": r"\frac{\partial L}{\partial w} = -0.5989",
    "hat": r"\hat y = \sigma(z)",
    "braces": r"\underbrace{2(\hat y - y)}_{\text{loss}} \; \underbrace{x}_{\text{affine}}",
    "matrix": r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}^\top \begin{Bmatrix} x \end{Bmatrix}",
    "cases": r"\begin{cases} z & z > 0 \\ 0 & \text{otherwise, $z \le 0$} \end{cases}",
    "aligned": r"\begin{aligned} a &= b \\ &= \sum_{i=1}^{n} x_i^2 \end{aligned}",
    "fences": r"\left. \frac12 \right|_{x = 1.5} \bigl\| \vec v \bigr\| \lfloor x \rfloor",
    "names": r"\operatorname{relu}(z) + \max_i \sin x^2 + \mathbb{R}^{m \times n} \mathbf{x}",
    "primes": r"f'(x) f''(x) w_1'",
}
COMMANDS = r"\frac \hat \sum \left \right \sqrt \\ \sigma \underbrace \qquad \text{if} \mathbf{x}"
TABLES = r"\begin{matrix} \end{matrix}"
TOKENS = [*"abxyz012+-=()[]{}^_&,|' ", *COMMANDS.split(), *TABLES.split()]


def tree(formula: str, *, display: bool = True) -> ET.Element:
    """Parse what a formula becomes; a row of several gets one root."""
    return ET.fromstring(f"<all>{tex.mathml(formula, display=display)}</all>")


def shown(element: ET.Element) -> str:
    """Return the text that a reader sees."""
    if element.tag == "annotation":
        return ""
    inside = "".join(shown(child) + (child.tail or "") for child in element)
    return (element.text or "") + inside


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
@pytest.mark.parametrize("display", [True, False])
def test_a_formula_is_well_formed_and_carries_its_source(formula, display):
    """The result is XML, shows no backslash, and its annotation is the TeX that was typed."""
    seen = tree(formula, display=display)

    assert "\\" not in shown(seen)
    assert [a.text for a in seen.iter("annotation")] == [formula]


@given(st.lists(st.sampled_from(TOKENS), max_size=14).map("".join), st.booleans())
def test_anything_is_read_or_refused(formula, display):
    """Whatever is typed, the answer is well-formed MathML or a TexError, never another failure."""
    try:
        seen = tree(formula, display=display)
    except tex.TexError:
        return

    assert "\\" not in shown(seen)
    assert formula.count("0") == shown(seen).count("0")


@pytest.mark.parametrize(
    ("formula", "said"),
    {
        r"\foo{x}": r"Unknown command \foo",
        r"{x": "} is missing",
        r"x}": "} has no beginning",
        r"\left( x": r"\right",
        r"\begin{matrix} a \end{pmatrix}": r"closed by \end{pmatrix}",
        r"\begin{tikzpicture}\end{tikzpicture}": "Unknown environment",
        r"\frac{1}": "ends too early",
        r"x_1_2": "Two scripts",
        r"\text{a \frac b}": "inside",
        r"a & b": "& has no beginning",
    }.items(),
)
def test_what_it_does_not_know_it_refuses(formula, said):
    """The message names the fault and quotes the formula."""
    with pytest.raises(tex.TexError) as caught:
        tex.mathml(formula, display=True)

    assert said in str(caught.value)


def test_an_exponent_belongs_to_the_whole_matrix():
    """Not to its closing bracket, however tall."""
    power = tree(r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}^\top").find(".//msup")

    assert [part.tag for part in power] == ["mrow", "mi"]
    assert power.find("mrow/mtable") is not None


@pytest.mark.parametrize("formula", ["-1", "x = -1", "(-1)", "2 \\cdot -1", "\\frac{-1}{2}"])
def test_a_sign_without_a_left_side_is_a_prefix(formula):
    """Else browsers set the minus of a negative number like a subtraction."""
    assert tree(formula).find(".//mo[@form='prefix']").text == "−"


@pytest.mark.parametrize("formula", ["x - 1", "x^2 - 1", "(x) - 1", "x' - 1"])
def test_a_sign_between_two_things_is_not(formula):
    """A subtraction keeps its space."""
    assert tree(formula).find(".//mo[@form='prefix']") is None


def test_a_relation_at_the_end_leaves_its_space_to_the_sentence():
    """Else "p = 0.5", of which the number is the text's, has two spaces before it."""
    last, within = tree("p ="), tree("p = q")

    assert last.find(".//mo").get("rspace") == "0"
    assert within.find(".//mo").get("rspace") is None


def test_lines_align_in_columns():
    """Each & is a column, each \\\\ a row, and a last empty row is none."""
    table = tree(r"\begin{aligned} a &= b & c &= d \\ e &= f \\ \end{aligned}").find(".//mtable")

    assert [len(row) for row in table] == [4, 2]


def test_a_brace_is_as_wide_as_its_name():
    """A short base under a long name gets space on both sides, the same on each."""
    spaces = tree(r"\underbrace{x}_{\text{affine}}").findall(".//mpadded/mspace")

    assert len(spaces) == 2
    assert spaces[0].get("width") == spaces[1].get("width")


def test_a_list_of_formulas_is_several():
    """A display parted by \\qquad may wrap on a phone: each formula is a math of its own."""
    formulas = tree(r"a = b, \qquad c = \begin{cases} d \qquad e \end{cases}").findall("math")

    assert len(formulas) == 2


def test_a_fault_stops_the_build_with_file_and_line(tmp_path):
    """Every formula that fails is named, before a page is kept that would hide it next time."""
    (tmp_path / "index.md").write_text("# A\n\nGood: $x$.\n\nBad: $\\foo$.\n\n$$\n\\bar\n$$\n")
    app = Sphinx(
        tmp_path, None, tmp_path / "out", tmp_path / "tree", "html", status=None, warning=None,
        confoverrides={
            "extensions": ["myst_parser", "autograd_book.html.maths"],
            "html_math_renderer": "mathml",
            "myst_enable_extensions": ["dollarmath"],
        },
    )  # fmt: skip

    with pytest.raises(Exception, match="Unknown command") as caught:
        app.build()

    lines = str(caught.value).splitlines()
    assert [Path(line.split(": ")[0]).name for line in lines] == ["index.md:5", "index.md:7"]
