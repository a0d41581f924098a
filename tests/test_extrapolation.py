"""The limit at infinite data: known curves are found again, and the interval holds the truth."""

import numpy as np
import pytest

from redshift_core.evaluation.extrapolation import EXPONENTS, extrapolate, fit_curve

SIZES = np.array([2e4, 6.3e4, 2e5, 6.3e5, 2e6, 4e6])
TRUTH = 0.0193


def made_up(seed: int, scatter: float, n_test: int = 10_000) -> np.ndarray:
    """Errors of test galaxies under a known curve, with a scatter from training to training."""
    random = np.random.default_rng(seed)
    means = TRUTH + 0.05 * SIZES**-0.3 + scatter * random.standard_normal(len(SIZES))
    shape = np.abs(random.standard_normal(n_test))  # the same galaxies are hard for every training
    return means[:, None] * shape / np.sqrt(2 / np.pi)  # the mean of |normal| is that


def test_the_curve_is_found_again_where_there_is_no_noise():
    curve = fit_curve(SIZES, 0.02 + 0.5 * SIZES**-0.55)
    assert (curve.a, curve.b, curve.c) == pytest.approx((0.02, 0.5, 0.55), rel=1e-3)
    assert curve(SIZES) == pytest.approx(0.02 + 0.5 * SIZES**-0.55, rel=1e-6)
    assert not curve.at_edge


def test_the_fit_agrees_with_trying_every_curve_of_a_grid():
    errors = TRUTH + 0.05 * SIZES**-0.3 + np.array([3, -2, 1, -1, 2, -3]) * 1e-5
    fitted = fit_curve(SIZES, errors)
    reached = np.sum((fitted(SIZES) - errors) ** 2)
    for c in np.linspace(*EXPONENTS, 200):
        design = np.stack([np.ones(len(SIZES)), SIZES**-c], axis=1)
        _, residual, *_ = np.linalg.lstsq(design, errors)
        assert reached <= residual[0] * (1 + 1e-6)


def test_errors_that_do_not_fall_have_their_mean_as_limit():
    curve = fit_curve(SIZES, 0.02 + 1e-4 * np.arange(len(SIZES)))
    assert curve.b == 0
    assert curve.a == pytest.approx(0.02 + 1e-4 * 2.5)


def test_the_68_percent_interval_holds_the_truth_about_as_often_as_it_says():
    held = []
    for seed in range(40):
        low, high = extrapolate(SIZES, made_up(seed, 5e-5), draws=80).intervals["68"]
        held.append(low <= TRUTH <= high)
    assert 0.5 <= np.mean(held) <= 0.9


def test_the_wider_interval_holds_the_narrower_and_both_the_limit():
    found = extrapolate(SIZES, made_up(3, 2e-5), draws=100)
    (low95, high95), (low68, high68) = found.intervals["95"], found.intervals["68"]
    assert low95 < low68 < found.limit < high68 < high95


def test_repeats_that_scatter_widen_the_interval():
    errors = np.concatenate([made_up(1, 0), made_up(1, 0)])
    sizes = np.tile(SIZES, 2)
    alike = extrapolate(sizes, errors, draws=100)
    shifts = 1e-4 * np.tile([1, -1, 1, -1, 1, -1], 2) * np.repeat([1, -1], len(SIZES))
    apart = extrapolate(sizes, errors + shifts[:, None], draws=100)
    assert apart.scatter == pytest.approx(np.sqrt(2) * 1e-4, rel=1e-3)
    assert apart.dof == len(SIZES)

    def width(found):
        return np.ptp(found.intervals["68"])

    assert width(apart) > 2 * width(alike)


def test_the_limit_without_each_size_stands_beside_it():
    found = extrapolate(SIZES, made_up(1, 0), draws=10)
    assert set(found.without) == {f"{n:.0f}" for n in SIZES}
    assert list(found.without.values()) == pytest.approx([found.limit] * 6, rel=1e-3)


def test_three_sizes_are_refused():
    with pytest.raises(ValueError, match="3 sizes; a limit needs 4 or more"):
        extrapolate(SIZES[:3], made_up(1, 0)[:3])
