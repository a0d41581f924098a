"""Quantiles of a file's spectra beside those of the training set, and their figure."""

import numpy as np
import pytest

from redshift_core import figures
from redshift_core.data.spectra import band_sums
from redshift_core.data.split import Split
from redshift_core.evaluation.spread import LEVELS, Spread, training_spread
from redshift_core.evaluation.training_range import fit_coverage
from redshift_core.evaluation.verdict import Tally
from tests.test_verdict import survey


def test_quantiles_are_those_of_the_values_to_half_a_percent():
    random, spread = np.random.default_rng(0), Spread()
    flux = random.lognormal(1, 0.8, (4000, 1)) * random.lognormal(0, 0.3, (4000, 186))
    distance = random.gamma(2, 0.3, 4000)
    for part in np.array_split(np.arange(4000), 3):  # blocks add up
        spread.add(band_sums(flux[part]), distance[part])
    found = spread.quantiles()
    values = {
        "distance": distance, "brightness": flux.mean(axis=1),
        "colour": flux[:, :80].sum(axis=1) / flux[:, 80:].sum(axis=1),
    }  # fmt: skip
    for name, value in values.items():
        np.testing.assert_allclose(found[name], np.quantile(value, LEVELS), rtol=0.006)
    assert Spread().quantiles() is None


def test_dark_and_negative_spectra_are_counted_and_harm_nothing():
    spread = Spread()
    spread.add(band_sums(np.full((5, 186), -1.0)), np.full(5, 3.0))
    found = spread.quantiles()
    assert np.isfinite([value for values in found.values() for value in values]).all()
    np.testing.assert_allclose(found["distance"], 3, rtol=0.006)


class Opened:
    """As much of a dataset as quantiles need."""

    flux = survey(3000, seed=1)


def test_a_brighter_file_is_drawn_beside_the_training_set():
    rows = np.arange(3000)
    split = Split(rows[:2000], rows[2000:], rows[:0])
    coverage = fit_coverage(Opened.flux, split.train, split.val)
    tally = Tally(coverage)
    tally.add(3 * survey(500, seed=2))
    known = {"file": tally.spread.quantiles(), "training": training_spread(Opened, split, coverage)}
    for own, other in zip(
        known["file"]["brightness"], known["training"]["brightness"], strict=True
    ):
        assert own == pytest.approx(3 * other, rel=0.2)
    assert known["training"]["distance"][-1] < 1
    drawn = figures.likeness(known)
    dots = [trace for trace in drawn.data if trace.mode == "markers"]
    assert sorted(dot.x[0] for dot in dots) == sorted(
        values[2] for one in known.values() for values in one.values()
    )
    table = figures.likeness_table(known)
    assert len(table) == 6
    assert table["50 %"].tolist()[:2] == [
        known["file"]["distance"][2],
        known["training"]["distance"][2],
    ]
    alone = figures.likeness({"file": known["file"], "training": None})
    assert len(alone.data) == len(drawn.data) / 2
