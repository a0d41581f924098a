"""The figures of a search: every finished trial a line, every parameter a bar."""

import numpy as np
import pandas as pd
import pytest

from redshift_core import figures


def axis(values, name="x"):
    """The drawn axis of one parameter of trials."""
    frame = pd.DataFrame({name: values, "score": np.linspace(0.02, 0.03, len(values))})
    figure = figures.parallel_coordinates(frame, [name])
    return figure.data[0].dimensions[0]


def test_names_are_places_with_their_names_as_marks():
    drawn = axis(["relu", "gelu", "relu"])
    assert list(drawn.values) == [1, 0, 1]
    assert list(drawn.ticktext) == ["gelu", "relu"]


def test_a_number_over_a_wide_range_is_logarithmic():
    assert list(axis([0.0001, 0.001, 0.01]).values) == pytest.approx([-4, -3, -2])
    assert list(axis([2, 3, 4]).values) == [2, 3, 4]


def test_marks_of_whole_numbers_are_whole():
    assert all(float(text).is_integer() for text in axis(list(range(2, 40))).ticktext)


def test_a_layer_that_a_network_lacks_lies_below_as_none():
    drawn = axis([32.0, np.nan, 64.0])
    assert drawn.values[1] < min(drawn.values[0], drawn.values[2])
    assert dict(zip(drawn.ticktext, drawn.tickvals, strict=True))["none"] == drawn.values[1]


def test_failures_to_learn_do_not_take_the_colours_from_the_rest():
    scores = [*np.linspace(0.02, 0.03, 19), 0.9]
    frame = pd.DataFrame({"x": range(20), "score": scores})
    line = figures.parallel_coordinates(frame, ["x"]).data[0].line
    assert line.cmin == 0.02
    assert line.cmax < 0.1


def test_one_trial_alone_can_be_drawn():
    assert len(axis([5]).values) == 1


def test_the_most_important_parameter_stands_on_top():
    table = pd.DataFrame({"parameter": ["loss", "x_y"], "importance": [0.5, 0.1], "std": [0.1, 0]})
    bar = figures.importance_bars(table).data[0]
    assert list(bar.y) == ["x y", "loss"]
    assert list(bar.x) == [0.1, 0.5]
