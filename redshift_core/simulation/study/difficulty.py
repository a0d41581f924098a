"""Difficulty of the simulated survey: the error of the dissertation's network in a bench."""

from __future__ import annotations

from redshift_core import reference
from redshift_core.errors import InputError
from redshift_core.simulation.study.rows import Row
from redshift_core.store.study_records import BenchResult

PART = "Difficulty"
RECIPE = "dissertation"  # row of a bench
MAE_BOUNDS = (0.0205, 0.0240)  # after 20 epochs at 126,000 galaxies
LEAST_ROWS = 100_000  # training galaxies below which no bound is set


def difficulty_row(bench: BenchResult | None) -> Row:
    """MAE of the dissertation's recipe on its data and, from a bench, on ours.

    Raises
    ------
    InputError
        If the bench was made on real spectra or lacks that row.
    """
    published = f"{reference.TEST_MAE} ({reference.N_SPLIT[0]:,} galaxies)"
    if bench is None:
        return Row(PART, "MAE of the dissertation's recipe (give a bench)", "all", published, None)
    found = next((row for row in bench.rows if row.name == RECIPE), None)
    if found is None or not bench.simulated:
        raise InputError(
            f"Bench {bench.bench} has no finished row of {RECIPE!r} on a simulated "
            f"survey; start one with redshift-lab bench --rows {RECIPE}."
        )
    n_train = found.split["train"]
    made_on = bench.environment.get("dataset", {}).get("simulator_version") or "unknown"
    what = (
        f"MAE of the dissertation's recipe ({found.epochs} epochs, {n_train:,} galaxies, "
        f"simulator version {made_on})"
    )
    bounds = MAE_BOUNDS if n_train >= LEAST_ROWS else ()
    return Row(PART, what, "all", published, found.mae, *bounds)
