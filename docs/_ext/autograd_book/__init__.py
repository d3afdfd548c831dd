"""The build of Autograd by Hand: what a chapter may say, what stops it, and what comes out.

``PARTS`` lists the extensions of the book in the order in which a page passes them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARTS = tuple(
    f"autograd_book.{part}"
    for part in (
        "inline.roles",
        "inline.proofs",
        "inline.proof_list",
        "chapters",
        "run.records",
        "run.counts",
        "directives.lesson",
        "directives.questions",
        "directives.live",
        "directives.ledger",
        "directives.provenance",
        "directives.formulas",
        "directives.measured",
        "checks.honest",
        "checks.typed",
        "checks.spelled",
        "html.maths",
        "html.theme",
        "html.fonts",
        "html.pipeline",
        "formats.notebooks",
        "formats.ebook",
        "site.places",
        "site.publish",
    )
)


def setup(app: "Sphinx") -> dict[str, bool]:
    """Connect every part to Sphinx."""
    for part in PARTS:
        app.setup_extension(part)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
