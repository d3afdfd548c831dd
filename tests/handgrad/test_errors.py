"""An error says what was seen, why, and the repair; its docstring shows it failing and mended."""

import doctest

import pytest

from handgrad import errors

CLASSES = [error for error in vars(errors).values() if isinstance(error, type)]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_shows_itself_and_its_repair(error):
    """The page of an error fails once, in its own name, and then runs."""
    if error is errors.VersionError:
        assert "pip install" in error.__doc__  # it needs another torch to be seen
        return
    examples = doctest.DocTestParser().get_examples(error.__doc__)
    failing = [i for i, example in enumerate(examples) if example.exc_msg]

    if error is errors.HandgradError:
        assert "except HandgradError" in examples[-1].source
        return
    assert failing, "no failing example"
    assert examples[failing[0]].exc_msg.startswith(f"handgrad.errors.{error.__name__}: ")
    assert failing[-1] < len(examples) - 1, "no repair after the failure"


@pytest.mark.parametrize("error", CLASSES)
def test_the_first_line_is_a_sentence(error):
    first = error.__doc__.splitlines()[0]

    assert first.endswith(".")
    assert len(first) < 90
