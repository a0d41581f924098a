"""Which pixels mattered: networks that go by known pixels only are found out exactly."""

import numpy as np
import pytest

from redshift_core import data, figures
from redshift_core.constants import wavelength
from redshift_core.errors import InputError
from redshift_core.learning import explain, models
from redshift_core.reports.run import write_explanation
from redshift_core.store import read_json
from tests.test_prediction import job, make_run

PIXELS = {12: 0.02, 13: -0.05, 150: 0.01}  # pixel → z per e⁻ s⁻¹
GROUP_OF = {
    pixel: number
    for number, (first, last) in enumerate(explain.groups())
    for pixel in range(first, last + 1)
}


def hand_built(n_outputs):
    """Network whose z_phot, or the mean of whose p(z), is 0.2 + a sum over PIXELS."""
    keras = models.keras
    flux = keras.Input((186,))
    weights = np.zeros((186, 1), np.float32)
    for pixel, weight in PIXELS.items():
        weights[pixel] = weight
    output = keras.layers.Dense(n_outputs, "softmax" if n_outputs > 1 else None)
    model = keras.Model(flux, output(flux))
    if n_outputs == 1:
        output.set_weights([weights, np.array([0.2])])
    else:  # a Gaussian of width 0.02: its logits are linear in its mean
        z = (np.arange(240) + 0.5) * 0.0025
        output.set_weights([weights * z / 0.02**2, z * (0.2 - z / 2) / 0.02**2])
    return model


@pytest.fixture(params=[1, 240], ids=["regression", "pdf"])
def found(request):
    flux = np.ones(186)
    flux[[12, 13, 150]] = 3, 2, 5
    return explain.explain(hand_built(request.param), flux, np.ones(186))


def test_the_gradient_finds_exactly_the_pixels_that_count(found):
    wanted = np.zeros(186)
    wanted[[12, 13, 150]] = 2 * 0.02, 1 * -0.05, 4 * 0.01
    np.testing.assert_allclose(found.gradient, wanted, atol=1e-5)
    assert found.gradient.sum() == pytest.approx(found.z - found.z_like, abs=1e-5)


def test_occlusion_finds_exactly_the_groups_of_those_pixels(found):
    wanted = np.zeros(len(explain.groups()))
    wanted[GROUP_OF[12]] += 2 * 0.02
    wanted[GROUP_OF[13]] += 1 * -0.05
    wanted[GROUP_OF[150]] += 4 * 0.01
    np.testing.assert_allclose(found.occlusion, wanted, atol=1e-5)


def test_a_density_has_a_width_which_a_shift_leaves_alone_and_a_regression_has_none(found):
    if found.width is None:
        assert found.narrowing is None
    else:
        assert found.width == pytest.approx(0.02, abs=1e-4)
        np.testing.assert_allclose(found.narrowing, 0, atol=1e-6)


def test_pixels_that_sharpen_a_density_are_said_to():
    keras = models.keras
    flux = keras.Input((186,))
    output = keras.layers.Dense(240, "softmax", use_bias=False)
    model = keras.Model(flux, output(flux))
    weights = np.zeros((186, 240), np.float32)
    weights[60] = -(np.abs(np.arange(240) - 119.5) / 20)  # the more flux, the narrower around 0.3
    output.set_weights([weights])
    spectrum = np.ones(186)
    spectrum[60] = 4
    found = explain.explain(model, spectrum, np.ones(186))
    assert found.narrowing.argmax() == GROUP_OF[60]
    assert found.narrowing[GROUP_OF[60]] > 0.01
    assert np.count_nonzero(np.abs(found.narrowing) > 1e-6) == 1


def test_every_pixel_is_in_one_group_and_none_spans_the_seam():
    pixels = [pixel for first, last in explain.groups() for pixel in range(first, last + 1)]
    assert pixels == list(range(186))
    assert (75, 79) in explain.groups()


@pytest.mark.parametrize(("pixel", "band"), [(79, "BP"), (80, "RP")])
def test_lines_at_an_end_of_a_band_are_named_though_the_bands_overlap(pixel, band):
    nm = wavelength()
    assert nm[79] > nm[80]
    z = 623.0 / 486.3 - 1  # Hβ falls at 623 nm, which both bands see
    number = GROUP_OF[pixel]
    result = {
        "groups": explain.groups(), "z": z, "z_spec": None, "answer": "z_phot", "z_like": 0.1,
        "like": "mean", "narrowing": None,
        "occlusion": [0.1 * (one == number) for one in range(len(explain.groups()))],
    }  # fmt: skip
    said = explain.sentences(result)[1]
    assert said.startswith(f"{band} ")
    assert "where Hβ would be" in said


def test_what_is_put_in_meets_the_spectrum_at_both_ends():
    like = np.sin(np.arange(186) / 9.0)
    flux = like + 1 + 0.1 * np.arange(186)  # apart by a slope, which no group shows
    for first, last in explain.groups():
        end = first == 80 or last in (79, 185) or first == 0
        put_in = explain.without(flux, like, first, last)
        np.testing.assert_allclose(put_in, flux, atol=0.6 if end else 1e-9)
    flux[40] += 5  # a line, which its own group does
    first, last = explain.groups()[GROUP_OF[40]]
    assert explain.without(flux, like, first, last)[40] == pytest.approx(flux[40] - 5)


def test_what_stands_in_is_the_mean_of_galaxies_of_like_brightness(dataset, monkeypatch):
    monkeypatch.setattr(explain, "N_LIKE", 20)
    opened = data.open_dataset(dataset)
    flux = opened.flux[3]
    like, n = explain.like_spectrum(flux, opened, np.arange(600))
    apart = np.abs(opened.flux.mean(axis=1, dtype=float) - flux.mean(dtype=float))
    mean = opened.flux[np.argsort(apart)[:20]].mean(axis=0, dtype=float)
    assert n == 20
    np.testing.assert_allclose(like, mean * flux.mean(dtype=float) / mean.mean(), rtol=1e-6)


def test_the_job_explains_a_row_in_numbers_words_and_a_figure(store, dataset, tmp_path):
    run = make_run(store, dataset)
    result = explain.explain_job(job(store, "explain", run=run.id, dataset=dataset.id, row=5))
    z_phot = models.load_model(run.model_path).predict(
        np.array(data.open_dataset(dataset).flux[5:6]), verbose=0
    )
    assert result["z"] == pytest.approx(z_phot[0, 0], abs=1e-6)
    assert sum(result["gradient"]) == pytest.approx(result["z"] - result["z_like"], abs=1e-3)
    assert "mean of 378 training galaxies of like brightness" in result["sentences"][0]
    strongest = np.abs(result["occlusion"]).max()
    assert f"{strongest:.4f}" in result["sentences"][1]
    assert len(figures.explanation(result).data[-1].x) == len(explain.groups())
    write_explanation(result, tmp_path / "why.json")
    assert read_json(tmp_path / "why.json")["row"] == 5
    page = write_explanation(result, tmp_path / "why.html").read_text()
    assert "SIMULATED" in page
    assert "Why this redshift?" in page


@pytest.mark.parametrize("row", [-1, 600])
def test_a_row_that_is_not_there_is_refused(store, dataset, row):
    run = make_run(store, dataset)
    with pytest.raises(InputError, match="rows are 0 to 599"):
        explain.explain_job(job(store, "explain", run=run.id, dataset=dataset.id, row=row))


def test_a_run_whose_own_dataset_is_gone_borrows_galaxies_of_the_one_shown(store, dataset):
    run = make_run(store, dataset)
    settings = read_json(run.config_path)
    run.config_path.write_text(run.config_path.read_text().replace(dataset.id, "gone"))
    assert settings["dataset"] == dataset.id
    result = explain.explain_job(job(store, "explain", run=run.id, dataset=dataset.id, row=5))
    assert "galaxies of this dataset" in result["like"]
