"""Intervals by drawing again: the same by hand, the same by the seed, and of the right width."""

import math

import numpy as np
import pytest

from redshift_core.evaluation.bootstrap import bootstrap
from redshift_core.evaluation.metrics import METRICS


def made_up(n=500):
    random = np.random.default_rng(1)
    spec = random.uniform(0, 0.6, n)
    return spec, spec + random.normal(0.0, 0.03, n)


def test_an_interval_is_the_middle_of_the_metric_over_the_draws():
    spec, phot = made_up()
    random = np.random.default_rng(5)
    by_hand = []
    for _ in range(50):
        rows = random.integers(0, 500, 500)
        by_hand.append(np.mean(np.abs(phot[rows] - spec[rows])))
    found = bootstrap(spec, phot, n=50, seed=5)
    assert found["intervals"]["mae"] == pytest.approx(np.percentile(by_hand, [16, 84]))
    assert found["bootstrap"] == {"n": 50, "seed": 5, "level": 0.68}


def test_every_metric_has_an_interval_that_the_seed_repeats():
    first, again, other = (bootstrap(*made_up(), n=20, seed=seed) for seed in (1, 1, 2))
    assert list(first["intervals"]) == list(METRICS)
    assert first == again
    assert first != other


def test_the_interval_of_a_mean_has_the_width_of_its_standard_error():
    spec, phot = made_up(20_000)
    low, high = bootstrap(spec, phot)["intervals"]["bias_mean"]
    e_z = (phot - spec) / (1 + spec)
    assert high - low == pytest.approx(2 * e_z.std() / math.sqrt(20_000), rel=0.15)
    assert low < e_z.mean() < high


def test_progress_is_reported_before_each_draw():
    seen = []
    bootstrap(*made_up(), n=3, report=lambda done, n: seen.append((done, n)))
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_no_galaxies_have_no_interval():
    assert set(bootstrap([], [])["intervals"].values()) == {None}


def test_draws_of_a_part_of_the_galaxies_give_the_interval_of_all(monkeypatch):
    """Of a mean its standard error, by √(drawn / n); the value itself stays that of all."""
    spec, phot = made_up(20_000)
    monkeypatch.setattr("redshift_core.evaluation.bootstrap.MOST", 2_000)
    found = bootstrap(spec, phot)
    low, high = found["intervals"]["bias_mean"]
    e_z = (phot - spec) / (1 + spec)
    assert high - low == pytest.approx(2 * e_z.std() / math.sqrt(20_000), rel=0.15)
    assert low < e_z.mean() < high
    assert found["bootstrap"]["drawn"] == 2_000
