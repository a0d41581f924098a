"""The Bayes study of the information limit: its noise is the survey's, its likelihood normal."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from redshift_core.simulation import observing
from scripts import study_bayes_limit as study


@pytest.fixture(scope="module")
def known():
    return study.Survey(300, seed=3)


def test_its_covariance_is_that_of_the_survey_s_own_noise(known):
    """Mean and scatter along its axes, of 6,000 recordings of a galaxy of usual brightness."""
    galaxy = int(np.argsort(known.spectra.sum(axis=1))[150])
    window = known.telescope.window(known.blocks[0].take(slice(galaxy, galaxy + 1)))
    random = np.random.default_rng(1)
    seen = known.telescope.record(random, np.repeat(window, 6_000, axis=0)) @ known.span
    noise, fixed = known.covariances(window[0], window[0] @ known.telescope.to_pixels)
    transits = np.clip(random.gamma(5.0, 41 / 5.0, 100_000), 5, 120)
    factor = (observing.TRANSITS[1] / transits).mean() * np.exp(2 * observing.NOISE_SCATTER**2)
    (p, zero, alone), (q, offset, neighbour) = known.backgrounds
    mean = p * zero + q * offset
    expected = factor * noise + fixed + p * alone @ alone.T + q * neighbour @ neighbour.T
    expected += p * q * np.outer(offset, offset)
    assert np.allclose(seen.mean(axis=0), known.spectra[galaxy] + mean, atol=0.06)
    size, direction = np.linalg.eigh(expected)
    found = ((seen - seen.mean(axis=0)) @ direction).var(axis=0)
    assert np.allclose(found / size, 1, atol=0.2)
    assert abs(np.median(found / size) - 1) < 0.03


def test_the_likelihood_is_that_of_the_whole_covariance(known):
    random = np.random.default_rng(2)
    noise, fixed = known.covariances(*known.near(np.arange(5), 300.0))
    covariance = noise + fixed
    rest = random.multivariate_normal(np.zeros(77), covariance, 4)
    directions = random.normal(0, 0.2, (4, 9, 77)).astype(np.float32)
    found = study._log_likelihood(rest, directions, covariance)
    for one, d, value in zip(rest, directions, found, strict=True):
        whole = multivariate_normal(np.zeros(77), covariance + d.T @ d, allow_singular=True)
        expected = whole.logpdf(one) + 77 / 2 * np.log(2 * np.pi)
        assert value == pytest.approx(expected, abs=0.2)


def test_a_galaxy_among_the_draws_is_found(known):
    for galaxy in (10, 200):
        flux = known.span @ known.spectra[galaxy]
        rows, log_weight = study.posterior(known, flux, n_kept=100)
        assert rows[np.argmax(log_weight)] == galaxy


def test_components_of_a_draw_add_up_to_its_spectrum(known):
    whole = known.telescope.noiseless(known.blocks[0].take(slice(0, 300))) @ known.span
    assert np.allclose(known.spectra, whole, rtol=1e-4, atol=1e-3)


def test_the_median_and_the_pit_are_those_of_the_weighted_draws():
    z = np.array([0.3, 0.1, 0.2])
    median, below, effective = study.weighed(z, np.log([1.0, 1.0, 2.0]), 0.2)
    assert (median, below) == pytest.approx((0.2, 0.5))
    assert effective == pytest.approx(1 / (2 / 16 + 1 / 4))
