"""Whether a file is the kind of data a run was trained on; other galaxies alone do not count."""

import json

import numpy as np
import pytest

from redshift_core.data.bases import projection
from redshift_core.evaluation.training_range import fit_coverage
from redshift_core.evaluation.verdict import FEWEST, Tally, verdict
from tests.test_coverage import galaxies, moved

N = 2000
NOISE = 0.03  # e⁻ s⁻¹ per pixel


def survey(n, seed, noise=NOISE):
    return galaxies(n, seed, noise) @ projection()


@pytest.fixture(scope="module")
def coverage():
    return fit_coverage(survey(5000, seed=1), np.arange(3000), np.arange(3000, 5000))


@pytest.fixture(scope="module")
def flux():
    return survey(N, seed=2)


def half_a_pixel(flux):
    return 0.5 * (flux + moved(flux, 1))


def miscalibrated(flux):
    wave = np.sin(np.linspace(0, 3, 186) + np.random.default_rng(3).uniform(0, 6, (len(flux), 1)))
    return flux * (1 + 0.1 * wave)


OTHER = {
    "noise 30 % larger": (lambda flux: survey(N, 2, 1.3 * NOISE), "noisier"),
    "noise 30 % smaller": (lambda flux: survey(N, 2, 0.7 * NOISE), "less noisy"),
    "half a pixel": (half_a_pixel, "another pixel grid|pixels in other places"),
    "a pixel": (lambda flux: moved(flux, -1), "another pixel grid|pixels in other places"),
    "white noise": (
        lambda flux: flux + 0.01 * flux.mean() * np.random.default_rng(4).normal(size=flux.shape),
        "no mean spectrum of Gaia can contain|noisier",
    ),
    "calibration": (miscalibrated, "another calibration"),
    "no galaxies": (lambda flux: flux[:, ::-1].copy(), "."),
}


@pytest.mark.parametrize("what", OTHER)
def test_other_data_is_called_unlike_and_why(coverage, flux, what):
    change, reason = OTHER[what]
    said = verdict(coverage, change(flux))
    assert said.unlike
    assert any(word in said.text for word in reason.split("|"))


def test_the_same_survey_is_alike(coverage, flux):
    said = verdict(coverage, flux)
    assert not said.unlike
    assert said.n == N
    assert said.share_outside == coverage.outside(flux).mean() < 0.03
    assert said.brightness == pytest.approx(1, abs=0.06)
    assert said.colour == pytest.approx(1, abs=0.02)
    assert "are the kind of data" in said.text


@pytest.mark.parametrize("n", [50, 200])
def test_a_random_part_of_the_survey_is_practically_never_unlike(coverage, flux, n):
    random, apart = np.random.default_rng(0), coverage.departures(flux)
    parts = [random.choice(N, n, replace=False) for _ in range(100)]
    assert sum(verdict(coverage, flux[rows], apart[rows]).unlike for rows in parts) <= 1


@pytest.mark.parametrize(("bright", "word"), [(True, "brighter"), (False, "fainter")])
def test_a_selection_by_brightness_is_described_and_not_called_unlike(coverage, flux, bright, word):
    mean = flux.mean(axis=1)
    chosen = mean > np.quantile(mean, 0.75) if bright else mean < np.quantile(mean, 0.25)
    said = verdict(coverage, flux[chosen])
    assert not said.unlike
    assert word in said.text
    typical = np.exp(np.log(mean[chosen]).mean() - np.log(mean).mean())
    assert said.brightness == pytest.approx(typical, rel=0.1)


def test_redder_spectra_are_called_redder(coverage, flux):
    colour = flux[:, :80].sum(axis=1) / flux[:, 80:].sum(axis=1)
    said = verdict(coverage, flux[colour < np.quantile(colour, 0.3)])
    assert said.colour < 0.9
    assert "redder" in said.text


def test_a_small_file_cannot_tell(coverage, flux):
    said = verdict(coverage, moved(flux[: FEWEST - 1], 1))
    assert not said.unlike
    assert said.text.startswith("19 spectra are too few to tell")


def test_spectra_without_usable_flux_do_not_count(coverage, flux):
    spoilt = flux.copy()
    spoilt[0, 3], spoilt[1] = np.nan, 0
    assert verdict(coverage, spoilt) == verdict(coverage, flux[2:])
    assert verdict(coverage, spoilt[:2]).text == "No spectrum has usable flux."


def test_blocks_add_up_to_the_file(coverage, flux):
    tally = Tally(coverage)
    for start in (0, 700, 1400):
        tally.add(flux[start : start + 700])
    said, whole = tally.verdict(), verdict(coverage, flux)
    assert (said.text, said.shares) == (whole.text, whole.shares)


def test_a_verdict_is_json(coverage, flux):
    known = verdict(coverage, flux).to_dict()
    assert json.loads(json.dumps(known)) == known


def test_spectra_without_light_in_rp_have_a_verdict_that_json_can_hold(coverage, flux):
    dark = flux[:30].copy()
    dark[:, 80:] = 0.0
    json.dumps(verdict(coverage, dark).to_dict(), allow_nan=False)
