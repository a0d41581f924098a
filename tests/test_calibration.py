"""Densities that are right are called right, wrong ones wrong; figures by bin are those of it."""

import json

import numpy as np
import pytest

from redshift_core import pdf
from redshift_core.evaluation.calibration import MEANS, evaluate_pdf, pit_figures

N = 20_000
NOISE = 0.03


def densities(said, n=N):
    """Normal densities of a width that is said, and true redshifts that scatter by NOISE."""
    random = np.random.default_rng(1)
    centre = random.uniform(0.2, 0.4, n)
    density = np.exp(-0.5 * ((pdf.CENTRES - centre[:, None]) / said) ** 2)
    density /= density.sum(axis=1, keepdims=True) * pdf.WIDTH
    z_spec = centre + random.normal(0, NOISE, n)
    return density.astype(np.float16), z_spec, centre, random.lognormal(1, 1, n)


@pytest.fixture(scope="module")
def right():
    return evaluate_pdf(*densities(NOISE))


def test_right_densities_are_found_right(right):
    assert right["pit"]["ks"] < 1.63 / np.sqrt(N)  # the 1 % point of the KS statistic
    assert right["pit"]["ks_p"] > 0.01 < right["pit"]["cvm_p"]
    assert sum(right["pit"]["counts"]) == right["n"] == N
    for line in right["coverage"]:
        sigma = np.sqrt(line["level"] * (1 - line["level"]) / N)
        assert abs(line["share"] - line["level"]) < 4 * sigma
    assert right["coverage68"] == next(c["share"] for c in right["coverage"] if c["level"] == 0.68)
    assert right["crps"] == pytest.approx(NOISE / np.sqrt(np.pi), rel=0.02)  # of a normal law
    entropy = -0.5 * np.log(2 * np.pi * np.e * NOISE**2)
    assert right["log_likelihood"] == pytest.approx(entropy, abs=0.03)


def test_narrow_and_wide_densities_are_found_out(right):
    narrow, wide = (evaluate_pdf(*densities(said)) for said in (NOISE / 2, NOISE * 2))
    assert narrow["coverage68"] < 0.45 < 0.9 < wide["coverage68"]
    assert narrow["pit"]["outliers"] > 0.01 > right["pit"]["outliers"]
    for wrong in (narrow, wide):
        assert wrong["pit"]["ks_p"] < 1e-10
        for name, sign in (("crps", 1), ("cde_loss", 1), ("log_likelihood", -1)):
            assert sign * (wrong[name] - right[name]) > 0


def test_bins_hold_every_galaxy_and_average_to_the_whole(right):
    for table in (right["by_z_phot"], right["by_brightness"]):
        n = np.array([line["n"] for line in table])
        assert n.sum() == N
        for name in MEANS:
            values = np.array([line[name] or 0.0 for line in table])
            assert (n * values).sum() / N == pytest.approx(right[name], rel=1e-9)
        assert all((line["pit_ks"] is None) == (line["n"] == 0) for line in table)


def test_the_interval_of_a_mean_is_its_standard_error(right):
    density, z_spec, *_ = densities(NOISE)
    low, high = right["intervals"]["crps"]
    sigma = pdf.crps(density, z_spec).std() / np.sqrt(N)
    assert (high - low) / 2 == pytest.approx(sigma, rel=0.25)
    assert low < right["crps"] < high


def test_rows_without_an_answer_are_left_out_and_nothing_is_nan():
    density, z_spec, z_phot, brightness = densities(NOISE, 50)
    density[3], z_spec[4], z_phot[5] = np.nan, np.nan, np.nan
    result = evaluate_pdf(density, z_spec, z_phot, brightness)
    assert result["n"] == 47
    json.dumps(result, allow_nan=False)
    keep = np.delete(np.arange(50), [3, 4, 5])
    assert result == evaluate_pdf(density[keep], z_spec[keep], z_phot[keep], brightness[keep])
    nobody = evaluate_pdf(density[:0], [], [])
    assert (nobody["n"], nobody["crps"], nobody["pit"]["ks"]) == (0, None, None)
    json.dumps(nobody, allow_nan=False)


def test_the_distance_of_pit_values_is_that_of_their_steps():
    values = np.array([0.1, 0.4, 0.9])
    assert pit_figures(values)["ks"] == pytest.approx(max(0.1, 2 / 3 - 0.4, 0.9 - 2 / 3))
