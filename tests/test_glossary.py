"""The glossary: its words, its search, its figures against other sources of the same numbers."""

import re
import tomllib
from importlib.resources import files

import numpy as np
import pytest

from pages.ui.glossary.figures import FIGURES
from redshift_core import reference
from redshift_core.figures import glossary as drawn
from redshift_core.reports.glossary import EXAMPLE_Z, GLOSSARY, example_spectrum, search
from redshift_core.settings.names import ACTIVATIONS


def line(figure, name):
    """X and y of a trace by the beginning of its name."""
    (trace,) = (one for one in figure.data if (one.name or "").startswith(name))
    return np.asarray(trace.x, float), np.asarray(trace.y, float)


def test_the_file_gives_every_word_once_with_nothing_misspelt():
    path = files("redshift_core") / "resources" / "glossary.toml"
    subjects = tomllib.loads(path.read_text(encoding="utf-8"))
    words = [(anchor, one) for words in subjects.values() for anchor, one in words.items()]
    assert [anchor for anchor, _ in words] == list(GLOSSARY)  # none twice, under two subjects
    for anchor, one in words:
        assert re.fullmatch("[a-z0-9_]+", anchor), anchor  # as it stands in an address
        assert {"word", "text"} <= set(one) <= {"word", "text", "figure"}, anchor
        assert all(isinstance(value, str) and value.strip() for value in one.values()), anchor
        assert "\n" not in GLOSSARY[anchor].text, anchor
        assert one.get("figure", "redshift") in FIGURES, anchor
    assert {one.figure for one in GLOSSARY.values()} - {""} == set(FIGURES)


def test_every_word_is_explained_in_sentences():
    for name, one in GLOSSARY.items():
        assert one.text.endswith("."), name
        assert 20 < len(one.text) < 400, name


def test_the_search_finds_words_in_any_case_and_best_ones_first():
    assert search("HUBER")[0] == "huber"
    assert search("nmad") == ["sigma_nmad"]
    assert set(search("")) == set(GLOSSARY)
    assert search("no such word") == []


def test_the_example_is_one_galaxy_of_the_demo_survey():
    flux, z = example_spectrum()
    assert flux.shape == (186,)
    assert EXAMPLE_Z[0] < z < EXAMPLE_Z[1]


def test_losses_are_drawn_relative_to_their_value_at_the_unit_error():
    figure = drawn.losses()
    for name, at_four_units in (("MSE", 16.0), ("Huber", 7.0), ("MAE", 4.0)):
        x, y = line(figure, name)
        assert np.interp(drawn.LOSS_AT, x, y) == pytest.approx(1.0)
        assert np.interp(4 * drawn.LOSS_AT, x, y) == pytest.approx(at_four_units)


def test_every_activation_is_drawn_as_keras_defines_it():
    import keras

    x = np.linspace(-4, 4, 33, dtype=np.float32)
    assert set(drawn.ACTIVATIONS) == set(ACTIVATIONS)
    for name, bend in drawn.ACTIVATIONS.items():
        wanted = np.asarray(keras.activations.get(name)(x))
        np.testing.assert_allclose(bend(x.astype(float)), wanted, atol=2e-6, err_msg=name)


def test_the_published_record_is_lowest_at_epoch_35():
    figure = drawn.over_fitting(reference.history())
    assert [shape.x0 for shape in figure.layout.shapes] == [35]


def test_robust_scatter_is_that_of_the_core():
    e_z = np.concatenate([np.random.default_rng(1).normal(0, 0.02, 5000), np.full(100, 0.25)])
    x, _ = line(drawn.robust_scatter(e_z), "± σ_NMAD")
    assert np.nanmax(x) == pytest.approx(0.02, rel=0.05)


def test_a_large_learning_rate_climbs_and_a_good_one_arrives():
    figure = drawn.learning_rate_steps()
    assert line(figure, "rate 2.02")[1][-1] > line(figure, "rate 2.02")[1][0]
    assert line(figure, "rate 0.6")[1][-1] < 1e-6


def test_a_convolution_is_the_weighted_sum_at_each_pixel():
    flux = np.random.default_rng(2).normal(size=186)
    _, y = line(drawn.convolution(flux, np.arange(186.0)), "slope")
    assert y[100 + 1] == pytest.approx(flux[102] + flux[101] - flux[99] - flux[98])  # 1: the seam


def test_the_bar_of_the_split_has_its_counts():
    figure = drawn.split_bar({"training": 63, "validation": 27, "test": 10})
    assert [trace.x[0] for trace in figure.data] == [63, 27, 10]
    assert [trace.name for trace in figure.data] == ["training 63%", "validation 27%", "test 10%"]
