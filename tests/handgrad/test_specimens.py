"""Each broken program gets the right reason, and the repair brings the gradient."""

import ast

import pytest
from repairs import PLACEHOLDER, Program
from specimens import SPECIMENS, Specimen

from handgrad.diagnosing.reasons import GROUPS, RULES

each = pytest.mark.parametrize("specimen", SPECIMENS.values(), ids=SPECIMENS)


@each
def test_reasons_are_the_expected_ones(specimen: Specimen):
    diagnosis = Program.start(specimen).ask()

    assert diagnosis.codes == specimen.codes
    assert diagnosis.reasons[specimen.at].certainty == specimen.certainty
    assert specimen.names in str(diagnosis)
    assert diagnosis.is_fine == (specimen.codes == ("present",))


@each
def test_repair_brings_the_gradient(specimen: Specimen):
    program = Program.start(specimen)
    reason = program.ask().reasons[specimen.at]

    program.repair(reason.repair)

    assert program.cured(), reason.repair


@each
def test_program_is_broken_before_the_repair(specimen: Specimen):
    """Otherwise the test of the repair would show nothing."""
    if specimen.cured == "True" or specimen.names == "a hook that may clear it: forget":
        pytest.skip("its repair is to look elsewhere")
    program = Program.start(specimen)
    program.names["seen"] = [None] * 9

    try:
        cured = program.cured()
    except (RuntimeError, AttributeError):
        cured = False

    assert not cured


@each
def test_repair_is_python(specimen: Specimen):
    for reason in Program.start(specimen).ask().reasons:
        ast.parse(reason.repair)
        assert "{" not in reason.repair + reason.says


def test_every_reason_has_a_specimen():
    """The list is closed, and nothing on it is beyond proof."""
    shown = {code for specimen in SPECIMENS.values() for code in specimen.codes}
    elsewhere = {"inside-transform", "not-registered", "no-parameters", "sharded", "fine"}

    assert shown | elsewhere == RULES.keys()
    assert len(SPECIMENS) >= 40


def test_groups_are_asked_in_order():
    """The decision tree of the book is this order."""
    assert [rule.code for group in GROUPS.values() for rule in group.rules] == list(RULES)
    assert PLACEHOLDER.search(RULES["cleared"].repair)
