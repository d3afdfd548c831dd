"""Distances between floats are counted, not estimated."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from handgrad.numbers.floats import FORMATS, nearest, order, spacing, steps_between, ulps_from

INTEGERS = {
    "float16": (torch.float16, torch.int16),
    "bfloat16": (torch.bfloat16, torch.int16),
    "float32": (torch.float32, torch.int32),
    "float64": (torch.float64, torch.int64),
}


def bits_in_order(value, name):
    """The textbook trick, on torch's own bits: reinterpret, and mirror the negatives."""
    floats, integers = INTEGERS[name]
    bits = torch.tensor(value, dtype=floats).view(integers).item()
    return bits if bits >= 0 else -(bits - torch.iinfo(integers).min)


@pytest.mark.parametrize("name", FORMATS)
@given(bits=st.integers(0, 2**64 - 1))
def test_order_is_the_order_of_the_bits(name, bits):
    floats, integers = INTEGERS[name]
    size = torch.iinfo(integers).bits
    signed = bits % 2**size - 2 ** (size - 1)
    value = torch.tensor(signed, dtype=integers).view(floats).item()

    if math.isnan(value):
        return

    assert order(value, FORMATS[name]) == bits_in_order(value, name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("edge", ["tiny", "smallest_normal", "one", "max", "zero"])
def test_the_next_float_is_one_step_away(name, edge):
    floats, _ = INTEGERS[name]
    info = torch.finfo(floats)
    start = {"tiny": info.smallest_normal * info.eps, "one": 1.0, "zero": 0.0}.get(edge)
    here = torch.tensor(getattr(info, edge) if start is None else start, dtype=floats)
    if name.startswith("b"):  # torch has nextafter for bfloat16, not for float16
        after = torch.nextafter(here, torch.tensor(math.inf, dtype=floats)).item()
    elif name == "float16":
        after = (here.view(torch.int16) + 1).view(floats).item()
    else:
        after = torch.nextafter(here, torch.tensor(math.inf, dtype=floats)).item()

    assert steps_between(here.item(), after, FORMATS[name]) == 1


def test_zeros_are_no_step_apart_and_infinity_follows_the_largest():
    form = FORMATS["float32"]

    assert steps_between(-0.0, 0.0, form) == 0
    assert steps_between(torch.finfo(torch.float32).max, math.inf, form) == 1
    assert steps_between(-math.inf, math.inf, form) == 2 * order(math.inf, form)


@pytest.mark.parametrize("name", FORMATS)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
@example(value=65519.99)
@example(value=65520.0)
@example(value=2.0**-25)
@example(value=2.0**-24 * 1.5)
def test_nearest_rounds_as_torch_converts(name, value):
    floats, _ = INTEGERS[name]
    if name == "bfloat16":  # torch goes through float32: two roundings, not the law
        value = torch.tensor(value, dtype=torch.float32).item()
        if math.isinf(value):
            return

    expected = torch.tensor(value, dtype=torch.float64).to(floats).item()
    if name == "float16":  # the same detour
        value = torch.tensor(value, dtype=torch.float32).item()
        if math.isinf(value):
            return
        expected = torch.tensor(value).to(floats).item()

    assert nearest(Fraction(value), FORMATS[name]) == expected


@given(top=st.integers(-(2**80), 2**80), bottom=st.integers(1, 2**80))
def test_nearest_is_nearest(top, bottom):
    truth = Fraction(top, bottom)
    form = FORMATS["float64"]
    value = nearest(truth, form)

    assert ulps_from(value, truth, form) <= Fraction(1, 2)
    assert value == top / bottom  # Python's integer division rounds correctly


def test_a_third_is_a_known_fraction_of_an_ulp_away():
    """Beyond the half ulp of a correctly rounded number, distances keep counting."""
    form = FORMATS["float16"]
    third = Fraction(1, 3)

    assert ulps_from(0.333251953125, third, form) == Fraction(1, 3)
    assert ulps_from(0.33349609375, third, form) == Fraction(2, 3)
    assert spacing(third, form) == Fraction(1, 4096)
