"""Which spectra lie outside the training range: odd ones do, galaxies of the survey do not."""

import numpy as np
import pytest

from redshift_core import reference
from redshift_core.data.bases import PIXELS, projection
from redshift_core.errors import InputError
from redshift_core.evaluation.training_range import MEASURES, Coverage, fit_coverage

N_TRAIN = 3000
TRAIN, VAL = np.arange(N_TRAIN), np.arange(N_TRAIN, N_TRAIN + 1000)
CURVES = reference.average_flux().iloc[:, 1:].interpolate(limit_direction="both").ffill(axis=1)


def galaxies(n, seed, noise=0.5):
    """Synthetic spectra: published averages of random brightness and tilt, with noise."""
    random = np.random.default_rng(seed)
    curves = CURVES.to_numpy().T / CURVES.to_numpy().mean(axis=0)[:, None]
    tilt = 1 + random.normal(0, 0.12, (n, 1)) * np.linspace(-1, 1, 186)
    brightness = 4 * np.exp(random.normal(0, 0.7, (n, 1)))
    flux = curves[random.integers(0, 6, n)] * tilt * brightness
    return (flux + noise * random.normal(0, 1, flux.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def flux():
    return galaxies(N_TRAIN + 4000, seed=1)


@pytest.fixture(scope="module")
def coverage(flux):
    return fit_coverage(flux, TRAIN, VAL)


def test_one_in_a_hundred_galaxies_of_the_same_survey_is_outside(flux, coverage):
    assert coverage.outside(flux[VAL]).mean() == 0.01
    assert 0.002 < coverage.outside(flux[N_TRAIN + 1000 :]).mean() < 0.02


def test_outside_is_farther_than_the_limit_which_is_one(flux, coverage):
    distance = coverage.distance(flux)
    np.testing.assert_array_equal(coverage.outside(flux), distance > 1)
    np.testing.assert_allclose(np.quantile(distance[VAL], 0.99), 1)


@pytest.mark.parametrize("n", [20, 60, 300])
def test_few_rows_already_give_a_range(flux, n):
    few = fit_coverage(flux, TRAIN[:n], VAL[:n])
    assert few.outside(flux[N_TRAIN + 1000 :]).mean() < 0.03
    assert few.outside(-flux[:100]).mean() > (0.99 if n > 20 else 0.1)


def test_one_row_alone_gives_a_range_that_holds_the_validation_row(flux):
    one = fit_coverage(flux, TRAIN[:1], VAL[:1])
    assert not one.outside(flux[VAL[:1]]).any()
    assert one.outside(np.full((1, 186), np.nan)).all()


def test_rare_galaxies_are_inside_when_the_rows_are_spread_over_redshift(monkeypatch):
    monkeypatch.setattr("redshift_core.evaluation.training_range.N_FIT", 2000)
    flux, z_spec = galaxies(12_000, seed=2), np.full(12_000, 0.1)
    rare = np.arange(0, 12_000, 100)
    flux[rare, 30:90] *= 1.6
    z_spec[rare] = 0.5
    rows, val = np.arange(10_000), np.arange(10_000, 12_000)
    assert fit_coverage(flux, rows, val, z_spec).outside(flux[rare]).mean() < 0.2
    assert fit_coverage(flux, rows, val).outside(flux[rare]).mean() > 0.3


def moved(flux, step):
    """Each band moved by whole pixels, the first or last flux repeated."""
    result = flux.copy()
    for band in PIXELS.values():
        place = np.clip(np.arange(band.start, band.stop) - step, band.start, band.stop - 1)
        result[:, band] = flux[:, place]
    return result


def sharp(n, seed):
    """Galaxies of little noise, inside the span of the bases."""
    return galaxies(n, seed, noise=0.015) @ projection()


@pytest.fixture(scope="module")
def sharp_coverage():
    return fit_coverage(sharp(N_TRAIN + 1000, seed=3), TRAIN, VAL)


@pytest.mark.parametrize("step", [-1, 1])
def test_spectra_moved_by_a_pixel_are_outside(sharp_coverage, step):
    flux = sharp(1000, seed=4)
    assert sharp_coverage.outside(flux).mean() < 0.025
    assert sharp_coverage.outside(moved(flux, step)).mean() > 0.9


def test_noise_that_no_bases_can_make_is_outside_only_beyond_what_networks_stand(sharp_coverage):
    flux, random = sharp(1000, seed=5), np.random.default_rng(5)
    noise = random.normal(0, 1, flux.shape) * flux.mean(axis=1, keepdims=True)
    rest = MEASURES.index("rest")
    assert sharp_coverage.outside(flux + 1e-3 * noise).mean() < 0.03
    assert (sharp_coverage.departures(flux + 5e-3 * noise)[:, rest] < 1).mean() > 0.99
    assert sharp_coverage.outside(flux + 1e-2 * noise).mean() > 0.99
    assert sharp_coverage.outside(flux.round(2)).mean() < 0.03


def test_the_limit_grows_with_the_noise_of_faint_spectra(sharp_coverage):
    span = sharp_coverage.limits[MEASURES.index("span")]
    assert span[0] > span[-1]


def test_the_distance_is_the_largest_departure(flux, coverage):
    apart = coverage.departures(flux[:50])
    assert apart.shape == (50, len(MEASURES))
    np.testing.assert_array_equal(coverage.distance(flux[:50]), apart.max(axis=1))


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


def test_only_training_and_validation_rows_count(flux, coverage):
    changed = flux.copy()
    changed[N_TRAIN + 1000 :] = 1e6
    again = fit_coverage(changed, TRAIN[::-1], VAL[::-1])
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


def test_no_rows_are_refused(flux):
    with pytest.raises(InputError, match="0 training and 1000 validation rows"):
        fit_coverage(flux, np.array([], np.int64), VAL)


def test_another_number_of_pixels_is_refused(coverage):
    with pytest.raises(ValueError, match=r"shape \(3, 185\)"):
        coverage.outside(np.zeros((3, 185)))
