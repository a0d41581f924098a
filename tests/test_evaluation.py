"""The metrics and the error table per bin: edges, counts, nulls, and the published table."""

import doctest
import json
import math

import numpy as np
import pytest

from redshift_core import reference
from redshift_core.errors import InputError
from redshift_core.evaluation import bins as evaluation
from redshift_core.evaluation.bins import (
    bin_edges,
    bin_index,
    binned,
    binned_by_brightness,
    evaluate,
)
from redshift_core.evaluation.metrics import METRICS

KEYS = [*METRICS, "n", "bins"]
BIN_KEYS = [
    "z_low", "z_high", "n", "percent", "mean_error", "std", "sem", "p16_error", "median_error",
    "p84_error", "sigma_nmad", "outlier_fraction_0.05", "outlier_fraction_0.15",
]  # fmt: skip


def test_the_keys_are_those_of_metrics_json():
    result = evaluate([0.1, 0.2], [0.1, 0.3]).to_dict()
    assert list(result) == KEYS
    assert len(result["bins"]) == 12
    assert all(list(line) == BIN_KEYS for line in result["bins"])


@pytest.mark.parametrize("z", [i / 100 for i in range(61)])
def test_every_hundredth_of_redshift_lies_in_the_bin_of_its_decimal_digits(z):
    wanted = min(round(z * 100) // 5, 11)  # 0.15 in 0.15-0.20; the last bin is closed
    counts = [line.n for line in binned([z], [z])]
    assert counts.index(1) == wanted
    assert sum(counts) == 1


def test_edges_are_the_published_tables_own():
    table = reference.table_3()
    edges = bin_edges()
    assert edges[:-1].tolist() == table.z_low.tolist()
    assert edges[1:].tolist() == table.z_high.tolist()


def test_a_width_that_does_not_divide_the_range_ends_in_a_narrower_bin():
    assert bin_edges(0.25).tolist() == [0.0, 0.25, 0.5, 0.6]
    assert bin_edges(2.0).tolist() == [0.0, 0.6]
    assert len(bin_edges(0.01)) == 61


@pytest.mark.parametrize("width", [0.0, -0.05, math.nan, math.inf])
def test_a_senseless_bin_width_is_refused(width):
    with pytest.raises(InputError, match="the width must be at least"):
        evaluate([0.1], [0.1], bin_width=width)


def test_a_bin_is_the_one_computed_by_hand():
    z_spec = [0.06, 0.07, 0.09, 0.20, 0.60, 0.70]
    z_phot = [0.07, 0.05, 0.13, 0.25, 0.50, 0.40]
    second = binned(z_spec, z_phot)[1]
    assert second.n == 3
    assert second.percent == pytest.approx(50.0)  # of all six, the one beyond 0.6 included
    assert second.mean_error == pytest.approx((0.01 - 0.02 + 0.04) / 3)
    deviation = math.sqrt(sum((e - 0.01) ** 2 for e in (0.01, -0.02, 0.04)) / 3)
    assert second.std == pytest.approx(deviation)
    assert second.sem == pytest.approx(deviation / math.sqrt(3))


def test_a_redshift_beyond_the_bins_counts_in_the_headline_and_in_no_bin():
    result = evaluate([0.1, 0.7], [0.1, 0.4])
    assert result.n == 2
    assert result.figures["mae"] == pytest.approx(0.15)
    assert sum(line.n for line in result.bins) == 1


def test_too_few_galaxies_give_null_never_nan():
    bins = evaluate([0.12], [0.15]).bins
    assert (bins[2].n, bins[2].std, bins[2].sem) == (1, None, None)
    assert bins[2].mean_error == pytest.approx(0.03)
    assert (bins[0].n, bins[0].percent, bins[0].mean_error) == (0, 0.0, None)


@pytest.mark.parametrize("n", [0, 1, 50])
def test_the_result_is_strict_json(n):
    z = np.linspace(0, 0.6, n)
    text = json.dumps(evaluate(z, z + 0.01).to_dict(), allow_nan=False)
    assert json.loads(text)["n"] == n


def test_pairs_without_a_finite_prediction_are_left_out_and_not_counted():
    whole = evaluate([0.1, 0.2], [0.12, 0.25])
    assert evaluate([0.1, 0.2, 0.3, np.nan], [0.12, 0.25, np.nan, 0.1]) == whole


def test_a_networks_column_of_redshifts_is_refused():
    with pytest.raises(ValueError, match="both must be"):
        evaluate(np.zeros(3), np.zeros((3, 1)))


def test_bins_by_predicted_redshift_sort_by_the_prediction():
    by_phot = binned([0.02, 0.02], [0.12, 0.70], by="z_phot")
    assert [line.n for line in by_phot] == [0, 0, 1] + [0] * 9
    assert by_phot[2].mean_error == pytest.approx(0.10)
    assert by_phot[2].percent == pytest.approx(50.0)


def test_bins_by_anything_else_are_refused():
    with pytest.raises(InputError, match="not by 'z'"):
        binned([0.1], [0.1], by="z")


def test_bins_agree_with_numpys_histogram_inside_the_range():
    z = np.random.default_rng(2).uniform(-0.05, 0.7, 5000)
    edges = bin_edges()
    counts = [line.n for line in binned(z, z)]
    assert counts == np.histogram(z, edges)[0].tolist()
    assert np.sum(bin_index(z, edges) == -1) == 5000 - sum(counts)


@pytest.mark.parametrize("by", ["z_spec", "z_phot"])
def test_every_figure_of_a_bin_is_that_of_its_galaxies_alone(by):
    random = np.random.default_rng(4)
    spec = random.uniform(0, 0.7, 3000)
    phot = spec + random.normal(0.01, 0.1, 3000)
    values = spec if by == "z_spec" else phot
    for line in binned(spec, phot, by=by, bin_width=0.1):
        inside = (values >= line.z_low) & (values < line.z_high)
        error, e_z = phot[inside] - spec[inside], (phot - spec)[inside] / (1 + spec[inside])
        wanted = {
            "n": inside.sum(),
            "percent": inside.sum() / 30,
            "mean_error": error.mean(),
            "std": error.std(),
            "sem": error.std() / inside.sum() ** 0.5,
            "p16_error": np.percentile(error, 16),
            "median_error": np.median(error),
            "p84_error": np.percentile(error, 84),
            "sigma_nmad": 1.4826 * np.median(abs(e_z - np.median(e_z))),
            "outlier_fraction_0.05": np.mean(abs(e_z) > 0.05),
            "outlier_fraction_0.15": np.mean(abs(e_z) > 0.15),
        }
        assert {key: line.to_dict()[key] for key in wanted} == pytest.approx(wanted)


def test_bins_of_brightness_hold_equally_many_galaxies_and_all_of_them():
    random = np.random.default_rng(5)
    spec, flux = random.uniform(0, 0.6, 1000), random.lognormal(1, 1, 1000)
    bins = binned_by_brightness(spec, spec + 0.01 * flux, flux, n_bins=10)
    assert [line.n for line in bins] == [100] * 10
    assert (bins[0].brightness_low, bins[-1].brightness_high) == (flux.min(), flux.max())
    faintest = np.sort(flux)[:100]
    assert bins[0].mean_error == pytest.approx(0.01 * faintest.mean())


@pytest.mark.parametrize("flux", [[2.0, 2.0, 2.0], [np.nan, 2.0, 3.0]])
def test_equal_or_missing_brightness_makes_fewer_bins_and_no_error(flux):
    bins = binned_by_brightness([0.1] * 3, [0.2] * 3, flux)
    assert sum(line.n for line in bins) == np.isfinite(flux).sum()


def test_no_galaxies_have_no_brightness():
    assert sum(line.n for line in binned_by_brightness([], [], [])) == 0


def test_each_metric_says_what_it_means_in_the_runs_own_figures():
    spec = np.zeros(1000)
    phot = np.random.default_rng(6).normal(0.001, 0.03, 1000)
    figures = evaluate(spec, phot).to_dict()
    beyond = int((abs(phot) > 0.05).sum())
    assert f"{beyond} of 1,000 galaxies" in METRICS["outlier_fraction_0.05"].meaning(figures)
    half = np.median(abs(phot - np.median(phot)))
    assert f"within {half:.4f} of the median" in METRICS["sigma_nmad"].meaning(figures)
    width = np.percentile(phot, 75) - np.percentile(phot, 25)
    assert f"{width:.4f} wide" in METRICS["sigma_iqr"].meaning(figures)
    assert f"{phot.std() / abs(phot).mean():.2f} times" in METRICS["rmse"].meaning(figures)
    side = "high" if phot.mean() > 0 else "low"
    assert f"too {side}" in METRICS["bias_mean"].meaning(figures)
    assert all(metric.meaning(figures) != metric.definition for metric in METRICS.values())


def test_a_metric_that_an_older_evaluation_lacks_is_defined_instead():
    assert METRICS["sigma_iqr"].meaning({"mae": 0.1, "n": 3}) == METRICS["sigma_iqr"].definition
    assert METRICS["outlier_fraction_lsst"].meaning({"outlier_fraction_lsst": 0.1, "n": 10})
    assert METRICS["mae"].meaning(evaluate([], []).to_dict()) == METRICS["mae"].definition


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(evaluation).failed == 0
