"""How the product writes a number and a time span, everywhere."""

import math

import numpy as np
import pytest

from redshift_core.constants import MISSING, counted, duration, shown


@pytest.mark.parametrize("nothing", [None, math.nan, np.float32("nan")])
def test_a_number_that_is_missing_is_a_dash(nothing):
    assert shown(nothing) == shown(nothing, ",.0f") == MISSING


def test_a_number_is_written_in_the_format_asked_for():
    assert [shown(0.0), shown(-0.00817, "+.4f"), shown(0.5, ".1%")] == [
        "0.0000",
        "-0.0082",
        "50.0%",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.4, "4 s"), (59.6, "1 min 0 s"), (75, "1 min 15 s"), (3599.7, "1 h 0 min"),
     (3700, "1 h 1 min"), (np.float64(3), "3 s"), (-3, "0 s"), (None, MISSING)],
)  # fmt: skip
def test_time_spans_are_written_in_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [
        (1, "test row", "1 test row"),
        (0, "test row", "0 test rows"),
        (1, "selected galaxy", "1 selected galaxy"),
        (12_345, "selected galaxy", "12,345 selected galaxies"),
        (np.int64(2), "spectrum", "2 spectra"),
        (np.float64(1), "spectrum", "1 spectrum"),
    ],
)
def test_one_thing_is_not_said_in_the_plural(n, noun, text):
    assert counted(n, noun) == text
