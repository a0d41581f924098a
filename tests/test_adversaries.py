"""Spectra that are no galaxies: what they are, and that the training range leaves them out."""

import numpy as np
import pytest

from redshift_core.evaluation.training_range import fit_coverage
from redshift_core.simulation import simulate
from redshift_core.simulation.adversaries import KINDS, adversaries, point_source_window, rp_flux
from redshift_core.simulation.galaxies import RP_ZERO_POINT

N = 12_000  # galaxies; a test of every change, so the bounds are generous
N_STUDY = 200_000


@pytest.fixture(scope="module")
def survey(simulation_cache):
    return simulate(N, 31, cache=simulation_cache)


@pytest.fixture(scope="module")
def coverage(survey):
    rows = np.arange(N)
    return fit_coverage(survey.flux, rows[:7560], rows[7560:10_800], survey.z)


@pytest.mark.parametrize(("kind", "least"), [*zip(KINDS, (0.95, 0.99, 0.8), strict=True)])
def test_what_is_no_galaxy_is_outside(coverage, simulation_cache, kind, least):
    assert coverage.outside(adversaries(kind, 500, 8, simulation_cache)).mean() > least


def test_galaxies_of_the_survey_are_inside(coverage, survey):
    assert coverage.outside(survey.flux[10_800:]).mean() <= 0.02


def test_the_same_seed_makes_the_same_spectra(simulation_cache):
    for kind in KINDS:
        first, again, other = (adversaries(kind, 20, seed, simulation_cache) for seed in (8, 8, 9))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any(axis=1).all()


def test_empty_windows_hold_background_and_noise_alone(simulation_cache):
    flux = adversaries("zero flux", 2000, 8, simulation_cache)
    assert abs(np.median(flux.mean(axis=1))) < 0.05
    assert 0.05 < np.median(flux.std(axis=1)) < 0.5


def test_shuffling_keeps_the_fluxes_of_a_galaxy(simulation_cache, survey):
    shuffled = adversaries("shuffled pixels", 2000, 8, simulation_cache)
    assert shuffled.shape == (2000, 186)
    assert np.median(shuffled.mean(axis=1)) == pytest.approx(
        np.median(survey.flux.mean(axis=1)), rel=0.1
    )
    assert abs(shuffled.mean(axis=0) / shuffled.mean() - 1).max() < 0.2  # no shape is left


def test_black_bodies_are_as_bright_as_galaxies_and_sharp(simulation_cache):
    flux = adversaries("black bodies", 500, 8, simulation_cache)
    assert (flux.sum(axis=1) < 10 ** (0.4 * (RP_ZERO_POINT - 12.5))).all()
    window = point_source_window(np.array([3000.0, 20_000.0]))
    assert rp_flux(window)[1] > rp_flux(window)[0] > 0
    bp = window[:, :120].sum(axis=1) * 0.5
    assert bp[1] / rp_flux(window)[1] > 5 * bp[0] / rp_flux(window)[0]  # hot is blue


@pytest.mark.study
@pytest.mark.timeout(600)
def test_the_flag_of_a_full_survey_catches_95_of_100_and_cries_wolf_for_2(simulation_cache, capsys):
    """Seeds that no design looked at; printed with the redshifts of what is flagged wrongly."""
    survey, rows = (
        simulate(N_STUDY, 5150, cache=simulation_cache),
        np.random.default_rng(4).permutation(N_STUDY),
    )
    train, val, test = np.split(rows, [126_000, 180_000])
    coverage = fit_coverage(survey.flux, train, val, survey.z)
    caught = {
        kind: coverage.outside(adversaries(kind, 1000, 5151, simulation_cache)).mean()
        for kind in KINDS
    }
    wrong, z = coverage.outside(survey.flux[test]), survey.z[test]
    with capsys.disabled():
        print(f"\nSIMULATED, caught: {caught}; of held-out galaxies {wrong.mean():.4f} flagged")
        for low in np.arange(6) / 10:
            here = (z >= low) & (z < low + 0.1)
            print(f"z {low:.1f}–{low + 0.1:.1f}: {wrong[here].mean():.3f} of {here.sum()}")
    assert min(caught.values()) >= 0.95
    assert wrong.mean() <= 0.02
