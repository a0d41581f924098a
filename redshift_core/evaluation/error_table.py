"""The error table as it is read: a run's bins beside the published ones and another run's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from redshift_core import reference
from redshift_core.evaluation.bins import limits_text
from redshift_core.evaluation.intervals import FEWEST
from redshift_core.store.records import Bin

FORMATS = {  # column → printf format
    "n": "%d",
    "%": "%.2f",
    "mean error": "%+.4f",
    "standard error": "%.5f",
    "σ": "%.4f",
    "σ_NMAD": "%.4f",
    "% > 0.05": "%.2f",
    "% > 0.15": "%.2f",
    "published mean": "%+.4f",
    "published σ": "%.4f",
    "published %": "%.2f",
    "UGC mean (read off a figure)": "%+.3f",
    "UGC σ (read off a figure)": "%.3f",
    "other mean": "%+.4f",
    "other σ": "%.4f",
}
CAPTION = (
    "Error = z_phot − z_spec, in bins of true redshift; σ with ddof 0, standard error = σ/√n. "
    "Published: the dissertation's Table 3, whose last column is the share of all its galaxies. "
    "UGC: Gaia DR3's own classifier, read off a figure (±0.003)."
)
MEANS = ("mean error", "published mean", "UGC mean (read off a figure)", "other mean")
SIGMAS = ("σ", "published σ", "UGC σ (read off a figure)", "other σ")


def error_table(
    bins: Sequence[Bin], by: str = "z_spec", other: Sequence[Bin] | None = None
) -> pd.DataFrame:
    """Bins of `evaluation.binned` as a table, one line per bin.

    Parameters
    ----------
    bins : sequence of Bin
        What an evaluation by an earlier version lacks stays out.
    by : {"z_spec", "z_phot", "brightness"}
        What the bins are made of. Published columns stand beside bins of z_spec with the limits
        of the dissertation's Table 3.
    other : sequence of Bin, optional
        Another run's bins; their columns appear where the limits are the same.
    """
    published = {_key(row.z_low, row.z_high): row for row in reference.table_3().itertuples()}
    others = {_key(*one.limits): one for one in other or ()}
    lines = []
    for one in bins:
        key = _key(*one.limits)
        line = _own(one, by)
        if match := others.get(key):
            line |= {"other mean": match.mean_error, "other σ": match.std}
        if by == "z_spec" and (row := published.get(key)):
            line |= {
                "published mean": row.mean_error,
                "published σ": row.std,
                "UGC mean (read off a figure)": row.ugc_mean_error,
                "UGC σ (read off a figure)": row.ugc_std,
                "published %": row.percent,
            }
        lines.append(line)
    table = pd.DataFrame(lines)
    if not any(one.outliers_005 is not None for one in bins):  # of an earlier version
        table = table.drop(columns=["σ_NMAD", "% > 0.05", "% > 0.15"], errors="ignore")
    numbers = [name for name in table if name in FORMATS and name != "n"]
    table[numbers] = table[numbers].astype(float)  # None becomes NaN
    return table


def better(table: pd.DataFrame) -> pd.DataFrame:
    """Where a value is the best of its line, as booleans of the same shape.

    Best is the mean error nearest to zero and the smallest σ. A line where nothing stands beside
    the run's own value has no best.
    """
    best = pd.DataFrame(False, index=table.index, columns=table.columns)
    for group in (MEANS, SIGMAS):
        names = [name for name in group if name in table]
        sizes = table[names].abs()
        compared = sizes.notna().sum(axis=1) > 1
        for name in names:
            best[name] = compared & sizes[name].eq(sizes.min(axis=1))
    return best


def _own(one: Bin, by: str) -> dict[str, Any]:
    if one.n < FEWEST:  # an earlier version wrote the scatter of two
        one = replace(one, std=None, sem=None, sigma_nmad=None)
    line = {
        f"{by} bin": limits_text(*one.limits, by),
        "n": one.n,
        "%": one.percent,
        "mean error": one.mean_error,
        "standard error": one.sem,
        "σ": one.std,
    }
    shares = {"% > 0.05": one.outliers_005, "% > 0.15": one.outliers_015}
    per_cent = {name: None if share is None else 100 * share for name, share in shares.items()}
    return line | {"σ_NMAD": one.sigma_nmad} | per_cent


def _key(low: float, high: float) -> tuple[float, float]:
    return round(low, 6), round(high, 6)
