"""Compares the redshifts of the simulated survey with those of the dissertation."""

from __future__ import annotations

import numpy as np
from scipy.stats import kurtosis, skew

from redshift_core import reference
from redshift_core.simulation.galaxies import RedshiftLaw
from redshift_core.simulation.study.rows import Row

PART = "Redshifts"


def redshift_rows(seed: int = 1, n: int = reference.N_GALAXIES) -> list[Row]:
    """Rows of the study about ``n`` redshifts, drawn without their galaxies."""
    z = RedshiftLaw("published").draw(np.random.default_rng([seed, 0, 1]), n)
    moments = {
        "mean": z.mean(),
        "median": np.median(z),
        "sd": z.std(),
        "skewness": skew(z),
        "excess kurtosis": kurtosis(z),
    }
    rows = [
        Row(PART, name, "all", known, float(moments[name]))
        for name, known in reference.Z_STATISTICS.items()
    ]
    rows += [
        Row(PART, f"percentile {percent}", "all", known, float(np.percentile(z, percent)))
        for percent, known in reference.Z_PERCENTILES.items()
    ]
    table = reference.table_3()
    counts = np.histogram(z, np.append(table.z_low, 0.6))[0]
    for line, count in zip(table.itertuples(), counts, strict=True):
        name = f"{line.z_low:.2f}–{line.z_high:.2f}"
        rows.append(Row(PART, "share of galaxies, %", name, line.percent, 100 * int(count) / n))
    return rows
