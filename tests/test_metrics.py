"""Metrics against a table computed by hand, three-line twins, and the traps they guard against."""

import doctest
import math
import statistics

import numpy as np
import pytest

from redshift_core.evaluation import metrics
from redshift_core.evaluation.metrics import METRICS

# e_z by hand: 0.10/1.0, -0.05/1.25, 0.0/1.5, 0.30/1.5, -0.02/1.0
Z_SPEC = [0.0, 0.25, 0.5, 0.5, 0.0]
Z_PHOT = [0.10, 0.20, 0.50, 0.80, -0.02]
BY_HAND = {
    "mae": (0.10 + 0.05 + 0.0 + 0.30 + 0.02) / 5,
    "rmse": math.sqrt((0.01 + 0.0025 + 0.0 + 0.09 + 0.0004) / 5),
    "bias_median": 0.0,  # of 0.10 -0.04 0.00 0.20 -0.02
    "bias_mean": (0.10 - 0.04 + 0.0 + 0.20 - 0.02) / 5,
    "sigma_nmad": 1.4826 * 0.04,  # median of 0.10 0.04 0.00 0.20 0.02
    "sigma_iqr": (0.10 + 0.02) / 1.349,  # second and fourth of the five
    "outlier_fraction_0.05": 2 / 5,
    "outlier_fraction_0.15": 1 / 5,
    "outlier_fraction_lsst": 0.0,  # 0.20 is less than 3 · 0.12 / 1.349
}


def _errors(z_spec, z_phot):
    return [(phot - spec) / (1 + spec) for spec, phot in zip(z_spec, z_phot, strict=True)]


def _naive_nmad(z_spec, z_phot):
    if len(z_spec) < 3:
        return math.nan
    errors = _errors(z_spec, z_phot)
    centre = statistics.median(errors)
    return 1.4826 * statistics.median(abs(value - centre) for value in errors)


def _naive_iqr(z_spec, z_phot):
    if len(z_spec) < 3:
        return math.nan
    errors = sorted(_errors(z_spec, z_phot))

    def quantile(share):  # linear between neighbours
        place = share * (len(errors) - 1)
        low = math.floor(place)
        high = min(low + 1, len(errors) - 1)
        return errors[low] + (place - low) * (errors[high] - errors[low])

    return (quantile(0.75) - quantile(0.25)) / 1.349


def _naive_lsst(z_spec, z_phot):
    if len(z_spec) < 3:
        return math.nan
    limit = max(0.06, 3 * _naive_iqr(z_spec, z_phot))
    return statistics.fmean(abs(value) > limit for value in _errors(z_spec, z_phot))


TWINS = {
    "mae": lambda s, p: statistics.fmean(abs(b - a) for a, b in zip(s, p, strict=True)),
    "rmse": lambda s, p: math.sqrt(
        statistics.fmean((b - a) ** 2 for a, b in zip(s, p, strict=True))
    ),
    "bias_median": lambda s, p: statistics.median(_errors(s, p)),
    "bias_mean": lambda s, p: statistics.fmean(_errors(s, p)),
    "sigma_nmad": _naive_nmad,
    "sigma_iqr": _naive_iqr,
    "outlier_fraction_lsst": _naive_lsst,
    "outlier_fraction_0.05": lambda s, p: sum(abs(e) > 0.05 for e in _errors(s, p)) / len(s),
    "outlier_fraction_0.15": lambda s, p: sum(abs(e) > 0.15 for e in _errors(s, p)) / len(s),
}


def test_every_metric_has_a_figure_by_hand_and_a_naive_twin():
    assert set(METRICS) == set(BY_HAND) == set(TWINS)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_the_one_computed_by_hand(name):
    assert METRICS[name](Z_SPEC, Z_PHOT) == pytest.approx(BY_HAND[name], abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n", [1, 2, 7, 500])
def test_a_metric_equals_its_naive_twin(name, n):
    random = np.random.default_rng(n)
    z_spec = random.uniform(0, 0.6, n)
    z_phot = z_spec + random.normal(0.01, 0.08, n)
    assert METRICS[name](z_spec, z_phot) == pytest.approx(
        TWINS[name](z_spec.tolist(), z_phot.tolist()), rel=1e-9, nan_ok=True
    )


def test_a_constant_shift_of_e_z_moves_the_bias_and_not_the_scatter():
    z_spec = np.linspace(0, 0.6, 101)
    e = np.random.default_rng(0).normal(0, 0.02, 101)
    near, far = z_spec + e * (1 + z_spec), z_spec + (e + 0.1) * (1 + z_spec)
    assert metrics.sigma_nmad(z_spec, far) == pytest.approx(metrics.sigma_nmad(z_spec, near))
    assert metrics.bias_median(z_spec, far) == pytest.approx(
        metrics.bias_median(z_spec, near) + 0.1
    )


def test_the_robust_scatters_agree_with_sigma_on_normal_errors():
    z_spec = np.zeros(200_000)
    z_phot = np.random.default_rng(1).normal(0, 0.02, 200_000)
    assert metrics.sigma_nmad(z_spec, z_phot) == pytest.approx(0.02, rel=0.01)
    assert metrics.sigma_iqr(z_spec, z_phot) == pytest.approx(0.02, rel=0.01)


def test_an_error_of_exactly_the_threshold_is_no_outlier():
    assert metrics.outlier_fraction([0.0, 0.0], [0.15, 0.1500001], 0.15) == 0.5


def test_the_lsst_limit_is_never_below_its_floor():
    z_spec = np.zeros(100)
    z_phot = np.concatenate([np.full(98, 0.001), [0.0599, 0.0601]])
    assert metrics.outlier_fraction_lsst(z_spec, z_phot) == 0.01


def test_a_metric_is_shown_in_its_own_format():
    assert METRICS["mae"].text(0.01919) == "0.0192"
    assert METRICS["bias_mean"].text(0.0004) == "+0.0004"
    assert METRICS["outlier_fraction_0.15"].text(0.0123) == "1.23%"
    assert METRICS["mae"].text(None) == METRICS["mae"].text(math.nan) == "–"


@pytest.mark.parametrize("name", METRICS)
def test_a_column_and_a_row_are_refused_instead_of_broadcast(name):
    with pytest.raises(ValueError, match=r"shape \(5,\) and z_phot \(5, 1\)"):
        METRICS[name](Z_SPEC, np.array(Z_PHOT)[:, None])


@pytest.mark.parametrize("name", METRICS)
def test_no_galaxies_give_nan_without_a_warning(name, recwarn):
    assert math.isnan(METRICS[name]([], []))
    assert not recwarn.list


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="1 of 2 pairs of redshifts are not finite"):
        metrics.mae([0.1, bad], [0.1, 0.2])


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(metrics).failed == 0
