"""The TeX commands that a formula of the book may use. One that is not here stops the build."""


def pairs(words: str) -> dict[str, str]:
    """Return ``{"alpha": "α", ...}`` for ``"alpha α ..."``."""
    parts = words.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


GREEK = pairs(
    "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ "
    "iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς "
    "tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω ell ℓ partial ∂ imath ı jmath ȷ"
)
UPRIGHT = pairs(
    "Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω "
    "infty ∞ nabla ∇ emptyset ∅ varnothing ∅ Re ℜ Im ℑ aleph ℵ forall ∀ exists ∃ nexists ∄ "
    "top ⊤ bot ⊥ neg ¬ lnot ¬ angle ∠ ldots … dots … dotsc … cdots ⋯ dotsb ⋯ vdots ⋮ ddots ⋱ "
    "checkmark ✓ hbar ℏ prime ′ # # % % & & _ _ $ $ S §"
)
BINARY = pairs(
    "+ + - − * ∗ cdot ⋅ times × div ÷ pm ± mp ∓ ast ∗ star ⋆ circ ∘ bullet ∙ cap ∩ cup ∪ "
    "setminus ∖ wedge ∧ land ∧ vee ∨ lor ∨ oplus ⊕ ominus ⊖ otimes ⊗ odot ⊙ oslash ⊘ dagger †"
)
RELATION = pairs(
    "= = < < > > : : lt < gt > le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ ll ≪ gg ≫ equiv ≡ approx ≈ "
    "sim ∼ simeq ≃ cong ≅ propto ∝ in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ "
    "prec ≺ succ ≻ perp ⟂ parallel ∥ to → rightarrow → leftarrow ← gets ← leftrightarrow ↔ "
    "Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ implies ⟹ impliedby ⟸ iff ⟺ mapsto ↦ "
    "longrightarrow ⟶ longleftarrow ⟵ longmapsto ⟼ uparrow ↑ downarrow ↓ nearrow ↗ searrow ↘ "
    "hookrightarrow ↪ rightharpoonup ⇀ coloneqq ≔ colon : vdash ⊢ models ⊨ doteq ≐ lesssim ≲ "
    "gtrsim ≳ mid ∣ nmid ∤"
)
OPEN = pairs("( ( [ [ lbrace { { { langle ⟨ lfloor ⌊ lceil ⌈ lvert | lVert ‖")
CLOSE = pairs(") ) ] ] rbrace } } } rangle ⟩ rfloor ⌋ rceil ⌉ rvert | rVert ‖ ! !")
PUNCTUATION = pairs(", , ; ;")
ORDINARY = pairs("/ / | | vert | Vert ‖ backslash ∖ . . ? ?")

# Drawn large in a display, with their limits above and below.
LARGE = pairs(
    "sum ∑ prod ∏ coprod ∐ bigcup ⋃ bigcap ⋂ bigoplus ⨁ bigotimes ⨂ bigodot ⨀ bigvee ⋁ bigwedge ⋀"
)
INTEGRAL = pairs("int ∫ iint ∬ oint ∮")
FUNCTIONS = (
    "sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan exp log ln lg deg dim hom "
    "ker arg"
)
WITH_LIMITS = "lim max min sup inf det gcd Pr argmax argmin limsup liminf"
NAMES, LIMIT_NAMES = set(FUNCTIONS.split()), set(WITH_LIMITS.split())

ACCENTS = pairs(
    "hat ˆ widehat ˆ bar ¯ overline ¯ tilde ˜ widetilde ˜ vec → overrightarrow → dot ˙ ddot ¨ "
    "check ˇ breve ˘ acute ´ grave `"
)
STRETCHED = {"widehat", "overline", "widetilde", "overrightarrow"}
SPACES = {
    "!": -0.167, ",": 0.167, ":": 0.222, ">": 0.222, ";": 0.278, " ": 0.25, "quad": 1.0,
    "qquad": 2.0, "thinspace": 0.167, "enspace": 0.5, "~": 0.25, "negthinspace": -0.167,
}  # fmt: skip
BIG = {"big": 1.2, "Big": 1.8, "bigg": 2.4, "Bigg": 3.0}
DELIMITERS = OPEN | CLOSE | ORDINARY | pairs("< ⟨ > ⟩ uparrow ↑ downarrow ↓ | |") | {"|": "|"}

# Where the letters of an alphabet begin in Unicode: capitals, small, digits.
ALPHABETS = {
    "mathbf": (0x1D400, 0x1D41A, 0x1D7CE),
    "boldsymbol": (0x1D468, 0x1D482, 0x1D7CE),
    "mathit": (None, None, None),
    "mathcal": (0x1D49C, 0x1D4B6, None),
    "mathbb": (0x1D538, 0x1D552, 0x1D7D8),
    "mathsf": (0x1D5A0, 0x1D5BA, 0x1D7E2),
    "mathtt": (0x1D670, 0x1D68A, 0x1D7F6),
    "mathfrak": (0x1D504, 0x1D51E, None),
}
BOLD_GREEK = {"boldsymbol": (0x1D71E, 0x1D736), "mathbf": (0x1D6A8, 0x1D6C2)}
# Letters that had a place in Unicode before the alphabets did.
ELSEWHERE = {
    ("mathbb", c): v for c, v in pairs("C ℂ H ℍ N ℕ P ℙ Q ℚ R ℝ Z ℤ").items()
} | {
    ("mathcal", c): v for c, v in pairs("B ℬ E ℰ F ℱ H ℋ I ℐ L ℒ M ℳ R ℛ e ℯ g ℊ o ℴ").items()
} | {("mathfrak", c): v for c, v in pairs("C ℭ H ℌ I ℑ R ℜ Z ℨ").items()}  # fmt: skip

FENCES = {
    "matrix": ("", ""), "smallmatrix": ("", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"),
    "Bmatrix": ("{", "}"), "vmatrix": ("|", "|"), "Vmatrix": ("‖", "‖"), "cases": ("{", ""),
    "array": ("", ""), "aligned": ("", ""), "align": ("", ""), "align*": ("", ""),
    "split": ("", ""), "gathered": ("", ""), "gather": ("", ""), "gather*": ("", ""),
    "equation": ("", ""), "equation*": ("", ""),
}  # fmt: skip
ALIGNED = {"aligned", "align", "align*", "split"}
STACKED = ALIGNED | {"gathered", "gather", "gather*", "equation", "equation*"}
