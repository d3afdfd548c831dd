"""``{formulas}``: activations and losses that the package has worked out by hand, as a table."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograd_book.tables import made, table

HEADS = ("formula", "value and slope, beside PyTorch’s, and where they stand")


class FormulasDirective(SphinxDirective):
    """One row for each formula: what it is called, what it says, how near it is, who wrote it."""

    def run(self) -> list[nodes.Node]:
        from handgrad.neuron import FORMULAS  # and torch with it: few pages need them

        rows = []
        for name, formula in FORMULAS.items():
            value, slope = (nodes.math(tex, tex) for tex in formula.latex)
            beside = f"{formula.bits[0].upper()}{formula.bits[1:]}."
            lines = [
                [value, nodes.Text(", "), slope],
                [nodes.Text(beside)],
                [nodes.Text(formula.source)],
            ]
            rows.append(
                (name, nodes.line_block("", *(nodes.line("", "", *line) for line in lines)))
            )
        return [made(nodes=[table("formulas", HEADS, rows, right=set())])]


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("autograd_book.tables")
    app.add_directive("formulas", FormulasDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
