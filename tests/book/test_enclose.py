"""How far back the phrase of a claim reaches."""

from __future__ import annotations

import pytest
from autograd_book.inline.proofs import enclose
from autograd_book.inline.roles import guard
from docutils import nodes


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("One. It is 22# and more.", ["It is 22"]),
        ("It is 22.# More.", ["It is 22."]),
        ("It is 22#, and then 23#.", ["It is 22", "and then 23"]),
        ("First: all of them#.", ["all of them"]),
        ("It *is* not `less`#.", ["It is not less"]),
        ("Not so. *They* are#.", ["They are"]),
        ("It works! *Really*#", ["Really"]),
        ("Here, and – look – there#", ["there"]),
        ("It is 3.5 times as large#", ["It is 3.5 times as large"]),
        ("He said “no.” It is 4#", ["It is 4"]),
    ],
)
def test_a_phrase_reaches_back_to_what_ends_the_one_before(text, phrases):
    paragraph = nodes.paragraph()
    for place, part in enumerate(text.split("#")):
        if place:
            paragraph += guard(number=place)
        for odd, piece in enumerate(part.replace("`", "*").split("*")):
            if piece:
                paragraph += nodes.emphasis(piece, piece) if odd % 2 else nodes.Text(piece)
    whole = paragraph.astext()

    for mark in list(paragraph.findall(guard)):
        enclose(mark)

    found = [node.astext() for node in paragraph if node.tagname == "held"]
    assert found == phrases
    assert paragraph.astext() == whole
