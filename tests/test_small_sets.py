"""What is said of small training sets is what was measured, and written down."""

from pathlib import Path

import pytest

from redshift_core.reference.small_sets import SMALL_SETS, advice
from redshift_core.settings.presets import PRESETS

PAGE = Path(__file__).parents[1] / "docs" / "small-sets.md"


def test_the_figures_are_those_of_the_table_in_the_documentation():
    lines = [line.strip("| \n").split(" | ") for line in PAGE.read_text("utf-8").splitlines()]
    table = {
        (int(cells[0].replace(",", "")), cells[1]): float(cells[2])
        for cells in lines
        if len(cells) == 8 and cells[1] in (*PRESETS, "lightgbm")
    }
    assert table == {(n, k): v for n, errors in SMALL_SETS.items() for k, v in errors.items()}


@pytest.mark.parametrize("n", SMALL_SETS)
def test_no_preset_is_worse_than_boosted_trees(n):
    errors = SMALL_SETS[n]
    assert set(errors) == {"best", "fast_cnn", "fast", "lightgbm"}
    assert max(errors, key=errors.__getitem__) == "lightgbm"


def test_the_advice_names_the_best_preset_of_the_nearest_size():
    for n, n_train in ((1_000, 50), (1_000, 630), (3_000, 1_900), (10_000, 12_600)):
        networks = {k: v for k, v in SMALL_SETS[n].items() if k in PRESETS}
        assert f"Measured on {n:,} SIMULATED galaxies" in advice(n_train)
        assert advice(n_train).endswith(f"take {min(networks, key=networks.__getitem__)}.")
    assert advice(12_601) == ""
