"""Which spectra lie outside the training range: odd ones do, galaxies of the survey do not."""

import numpy as np
import pytest

from redshift_core import reference
from redshift_core.coverage import Coverage, fit_coverage
from redshift_core.errors import InputError

N_TRAIN = 3000
CURVES = reference.average_flux().iloc[:, 1:].interpolate(limit_direction="both").ffill(axis=1)


def galaxies(n, seed):
    """Synthetic spectra: published averages of random brightness and tilt, with noise."""
    random = np.random.default_rng(seed)
    curves = CURVES.to_numpy().T / CURVES.to_numpy().mean(axis=0)[:, None]
    tilt = 1 + random.normal(0, 0.12, (n, 1)) * np.linspace(-1, 1, 186)
    brightness = 4 * np.exp(random.normal(0, 0.7, (n, 1)))
    flux = curves[random.integers(0, 6, n)] * tilt * brightness
    return (flux + random.normal(0, 0.5, flux.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def flux():
    return galaxies(N_TRAIN + 4000, seed=1)


@pytest.fixture(scope="module")
def coverage(flux):
    return fit_coverage(flux, np.arange(N_TRAIN))


def test_less_than_one_in_a_hundred_galaxies_of_the_same_survey_is_outside(flux, coverage):
    assert coverage.outside(flux[N_TRAIN:]).mean() < 0.01


def test_the_range_is_not_so_wide_that_it_holds_everything(flux, coverage):
    assert coverage.outside(flux).sum() > 0


@pytest.mark.parametrize("n_train", [1, 20, 300])
def test_few_training_rows_still_give_a_range(flux, n_train):
    few = fit_coverage(flux, np.arange(n_train))
    assert few.outside(flux[:n_train]).mean() <= 0.01
    assert few.outside(-flux[:100]).all()


ODD = {
    "noise alone": lambda flux, random: random.normal(0, 2, flux.shape),
    "a hundred times the typical brightness": lambda flux, random: (
        flux / flux.mean(axis=1, keepdims=True) * 100 * np.median(flux.mean(axis=1))
    ),
    "one flux in every pixel": lambda flux, random: np.repeat(
        flux.mean(axis=1, keepdims=True), 186, axis=1
    ),
    "pixels in random order": lambda flux, random: random.permuted(flux, axis=1),
    "a hot star": lambda flux, random: (
        flux.mean(axis=1, keepdims=True) * np.exp(-1.2 * np.linspace(-1, 1, 186))
    ),
    "a negative spectrum": lambda flux, random: -flux,
    "zeros": lambda flux, random: np.zeros_like(flux),
    "missing fluxes": lambda flux, random: np.where(np.arange(186) == 7, np.nan, flux),
    "infinite fluxes": lambda flux, random: np.where(np.arange(186) == 7, np.inf, flux),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_spectra_are_outside(flux, coverage, what):
    odd = ODD[what](flux[N_TRAIN : N_TRAIN + 500], np.random.default_rng(0))
    assert coverage.outside(odd.astype(np.float32)).mean() > 0.9


def test_only_the_training_rows_count(flux, coverage):
    changed = flux.copy()
    changed[N_TRAIN:] = 1e6
    again = fit_coverage(changed, np.arange(N_TRAIN)[::-1])
    for name, values in vars(coverage).items():
        np.testing.assert_array_equal(getattr(again, name), values)


def test_a_saved_range_judges_alike(flux, coverage, tmp_path):
    coverage.save(tmp_path / "coverage.npz")
    odd = np.concatenate([flux[N_TRAIN:], -flux[:50]])
    again = Coverage.load(tmp_path / "coverage.npz")
    np.testing.assert_array_equal(again.outside(odd), coverage.outside(odd))


def test_a_spectrum_is_judged_alike_alone_and_among_others(flux, coverage):
    alone = [coverage.outside(flux[row : row + 1])[0] for row in range(4000, 4100)]
    assert alone == coverage.outside(flux)[4000:4100].tolist()


def test_no_training_rows_are_refused(flux):
    with pytest.raises(InputError, match="no training rows"):
        fit_coverage(flux, np.array([], np.int64))


def test_another_number_of_pixels_is_refused(coverage):
    with pytest.raises(ValueError, match=r"shape \(3, 185\)"):
        coverage.outside(np.zeros((3, 185)))
