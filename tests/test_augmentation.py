"""Training spectra changed anew: how much, how, and the same again after a stop."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import CubicSpline

from redshift_core.data.bases import PIXELS
from redshift_core.learning.training.augmentation import Augmentation
from redshift_core.settings.run import AugmentationConfig
from redshift_core.simulation import simulate

N = 4000
SEED = tf.constant([4, 6])


@pytest.fixture(scope="module")
def flux(simulation_cache):
    return simulate(N, 5, cache=simulation_cache).flux


def changed(flux, seed=SEED, **settings):
    return np.asarray(Augmentation(AugmentationConfig(**settings))(tf.constant(flux), seed))


def test_nothing_asked_for_changes_nothing(flux):
    assert not AugmentationConfig().active
    assert not AugmentationConfig(noise_rows=1000).on(10).active
    np.testing.assert_array_equal(changed(flux), flux)


def test_white_noise_is_in_units_of_the_mean_flux(flux):
    noise = (changed(flux, white_noise=0.01) - flux) / np.abs(flux.mean(axis=1, keepdims=True))
    assert noise.std() == pytest.approx(0.01, rel=0.01)
    assert abs(np.corrcoef(noise[:, 40], noise[:, 41])[0, 1]) < 0.06


def test_calibration_errors_are_smooth_with_the_rms_asked_for():
    factor = changed(np.ones((N, 186), np.float32), calibration_error=0.02)
    assert (factor - 1).std() == pytest.approx(0.02, rel=0.03)
    for pixels in PIXELS.values():
        x = np.linspace(-1, 1, pixels.stop - pixels.start)
        fit = np.polynomial.Polynomial.fit(x, factor[0, pixels], 3)(x)
        np.testing.assert_allclose(factor[0, pixels], fit, atol=1e-5)


def test_brightness_and_ratio_are_factors_on_all_and_on_bp(flux):
    log = np.log(changed(flux, brightness_scatter=0.2)[:, 100] / flux[:, 100])
    assert log.std() == pytest.approx(0.2, rel=0.04)
    ratio = changed(np.ones((N, 186), np.float32), ratio_scatter=0.03)
    assert np.log(ratio[:, 0]).std() == pytest.approx(0.03, rel=0.04)
    np.testing.assert_array_equal(ratio[:, 80:], 1)


def test_a_shift_moves_the_spectrum_as_a_spline_would():
    # As rough as a mean spectrum can be: 5.4 pixels a wave.
    x = np.arange(186.0)
    wave = 2 + np.sin(2 * np.pi * x / 9) + 0.3 * np.sin(2 * np.pi * x / 5.4)
    many = np.tile(wave, (N, 1)).astype(np.float32)
    moved = changed(many, pixel_shift=0.3)
    pixels = PIXELS["rp"]
    spline = CubicSpline(x[pixels], wave[pixels])
    inner = slice(pixels.start + 3, pixels.stop - 3)
    shifts = np.linspace(-1.2, 1.2, 481)
    tried = np.stack([spline(x[inner] - by) for by in shifts])
    error = np.abs(moved[:300, None, inner] - tried).mean(axis=2)
    found = shifts[error.argmin(axis=1)]
    assert error.min(axis=1).mean() < 0.03
    assert found.std() == pytest.approx(0.3, rel=0.12)


def test_the_same_step_draws_the_same_and_another_step_another(flux):
    settings = {"white_noise": 0.01, "pixel_shift": 0.2}
    once = changed(flux[:10], **settings)
    np.testing.assert_array_equal(changed(flux[:10], **settings), once)
    assert np.abs(changed(flux[:10], seed=SEED + 2, **settings) - once).min(axis=1).max() > 0


def test_few_rows_are_given_more_noise_and_many_are_not():
    usual = AugmentationConfig(white_noise=0.004, noise_rows=64_000, pixel_shift=0.1)
    assert usual.on(64_000) == usual.on(1_000_000) == usual
    assert usual.on(16_000).white_noise == pytest.approx(0.008)
    assert usual.on(16_000).pixel_shift == 0.1
    assert usual.on(10).white_noise == pytest.approx(0.04)  # tenfold at most
    assert AugmentationConfig(white_noise=0.004).on(10).white_noise == 0.004
