"""The error table beside the published one: what stands where, and which value is the best."""

import math
from pathlib import Path

import pytest

from redshift_core import reference
from redshift_core.evaluation.bins import binned, binned_by_brightness
from redshift_core.evaluation.error_table import FORMATS, better, error_table
from redshift_core.store.records import Bin

SPEC, PHOT = [0.02, 0.03, 0.57, 0.58], [0.05, 0.04, 0.4, 0.5]


def test_published_columns_stand_beside_the_runs_own():
    table = error_table(binned(SPEC, PHOT))
    assert list(table["published mean"]) == list(reference.table_3().mean_error)
    assert table["mean error"][0] == pytest.approx(0.02)
    assert table["n"].sum() == 4
    assert all("read off a figure" in name for name in table if name.startswith("UGC"))
    assert set(table.columns[1:]) <= set(FORMATS)


@pytest.mark.parametrize(("by", "width"), [("z_spec", 0.1), ("z_phot", 0.05)])
def test_other_bins_stand_without_published_columns(by, width):
    assert "published mean" not in error_table(binned(SPEC, PHOT, by=by, bin_width=width), by)


def test_bins_of_brightness_are_named_by_their_limits():
    table = error_table(binned_by_brightness(SPEC, PHOT, [1, 2, 3, 4], 2), "brightness")
    assert table["brightness bin"].tolist() == ["1–2.5", "2.5–4"]


def test_an_older_evaluation_without_the_newer_columns_is_still_shown():
    old = [{"z_low": 0.0, "z_high": 0.05, "n": 1, "percent": 100.0, "mean_error": 0.1,
            "std": None, "sem": None}]  # fmt: skip
    table = error_table([Bin.from_dict(one, Path()) for one in old])
    assert "σ_NMAD" not in table
    assert math.isnan(table["σ"][0])


def test_another_run_stands_beside_where_its_bins_have_the_same_limits():
    other = error_table(binned(SPEC, PHOT), other=binned(SPEC, SPEC))
    assert other["other mean"][0] == 0.0
    assert "other mean" not in error_table(
        binned(SPEC, PHOT), other=binned(SPEC, SPEC, "z_spec", 0.1)
    )


def test_the_mean_nearest_to_zero_and_the_smallest_scatter_are_the_best():
    spec, phot = [*SPEC, 0.025, 0.575], [*PHOT, 0.045, 0.45]
    table = error_table(binned(spec, phot), other=binned(spec, [0.0, 0.0, 0.57, 0.58, 0.0, 0.575]))
    best = better(table)
    first, last = table.index[0], table.index[-1]
    # |mean|: own 0.02, other 0.025, published 0.0216, UGC 0.056; σ: own 0.008, other 0.004
    assert best.loc[first, ["mean error", "other mean", "published mean"]].tolist() == [1, 0, 0]
    assert best.loc[first, ["σ", "other σ", "published σ"]].tolist() == [0, 1, 0]
    assert best.loc[last, ["mean error", "other mean"]].tolist() == [0, 1]
    assert not best[["n", "%", "σ_NMAD"]].any(axis=None)


def test_the_scatter_of_two_galaxies_is_none_in_an_older_evaluation_too():
    old = {"z_low": 0.0, "z_high": 0.05, "n": 2, "percent": 100.0, "mean_error": 0.1, "std": 0.02,
           "sem": 0.014, "sigma_nmad": 0.0, "outlier_fraction_0.05": 0.5,
           "outlier_fraction_0.15": 0.0}  # fmt: skip
    table = error_table([Bin.from_dict(old, Path())])
    assert table[["σ", "standard error", "σ_NMAD"]].isna().all(axis=None)


def test_alone_nothing_is_the_best():
    assert not better(error_table(binned(SPEC, PHOT, by="z_phot"), "z_phot")).any(axis=None)
