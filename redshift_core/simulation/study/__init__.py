"""Compares the simulated survey with published figures.

Sizes, magnitudes, dust and the share of blue objects were tuned to the mean spectra, so agreement
with these proves nothing. The extremes of the columns, brightness, noise and difficulty are checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core import reference
from redshift_core.simulation.study.averages import average_spectra, relative_rows
from redshift_core.simulation.study.difficulty import difficulty_row
from redshift_core.simulation.study.likeness import Likeness, likeness_rows, likenesses
from redshift_core.simulation.study.noise import noise_rows
from redshift_core.simulation.study.redshifts import redshift_rows
from redshift_core.simulation.study.rows import RANGE_NAMES, Row
from redshift_core.simulation.study.survey_facts import (
    SurveyFacts,
    brightness_rows,
    extreme_rows,
    survey_facts,
)
from redshift_core.simulation.study.table import long, report, still_off, wide
from redshift_core.simulation.table import VERSION

__all__ = [
    "RANGE_NAMES",
    "Likeness",
    "Measured",
    "Row",
    "average_spectra",
    "compare",
    "difficulty_row",
    "likeness_rows",
    "likenesses",
    "long",
    "measure",
    "report",
    "still_off",
    "wide",
    "write",
]

N_PER_RANGE = 4000  # galaxies of each redshift range


@dataclass(frozen=True)
class Measured:
    """Simulated data of the study."""

    n_per_range: int
    seed: int
    means: NDArray[np.floating]  # (6, 186): mean flux of each range, e⁻ s⁻¹ per pixel
    facts: SurveyFacts


def measure(
    n_per_range: int = N_PER_RANGE,
    n_rows: int = reference.N_GALAXIES,
    seed: int = 1,
    cache: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> Measured:
    """Simulate the data to compare: mean spectra of six ranges, and a survey of ``n_rows``.

    Parameters
    ----------
    cache : folder of the precomputed table; by default the store's
    progress : called with galaxies done, galaxies in total, and a message
    """
    before, total = 6 * n_per_range, 6 * n_per_range + n_rows
    progress(0, total, "Opening the simulator's table.")
    means = average_spectra(
        n_per_range, seed, cache, lambda done: progress(done, total, "Averaging spectra.")
    )
    facts = survey_facts(
        n_rows, seed, cache, lambda done: progress(before + done, total, "Simulating a survey.")
    )
    return Measured(n_per_range, seed, means, facts)


def compare(measured: Measured) -> list[Row]:
    """Rows of the study, except for `difficulty_row`."""
    return [
        *likeness_rows(measured.means),
        *relative_rows(measured.means),
        *extreme_rows(measured.facts),
        *brightness_rows(measured.facts),
        *noise_rows(measured.facts),
        *redshift_rows(measured.seed),
    ]


def write(measured: Measured, folder: Path) -> list[Path]:
    """Write mean spectra and extremes as the two ``simulated_*.csv`` that the package shows."""
    made = f"# SIMULATED by version {VERSION} of the simulator, seed {measured.seed}"
    columns = reference.average_flux_absolute().columns[1:]
    means = pd.DataFrame(measured.means.T.round(4), columns=columns)
    extremes = pd.DataFrame({"low": measured.facts.low, "high": measured.facts.high})
    paths = []
    for name, table, said in (
        (reference.SIMULATED_AVERAGES, means, f"{measured.n_per_range:,} galaxies of each range"),
        (reference.SIMULATED_EXTREMES, extremes.round(3), f"{measured.facts.n:,} galaxies"),
    ):
        text = table.to_csv(index_label="pixel", lineterminator="\n")
        (folder / name).write_text(f"{made}; {said}\n{text}", encoding="utf-8")
        paths.append(folder / name)
    return paths
