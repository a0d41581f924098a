"""Runs beside each other: what was set differently, what came out; and beside the dissertation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from redshift_core import reference
from redshift_core.config import RunConfig
from redshift_core.metrics import METRICS

LABELS = {  # metric → name with the quantity it is of
    "mae": "MAE (z)",
    "rmse": "RMSE (z)",
    "bias_median": "bias, median of e_z",
    "bias_mean": "bias, mean of e_z",
    "sigma_nmad": "σ_NMAD of e_z",
    "sigma_iqr": "σ_IQR of e_z",
    "outlier_fraction_0.05": "outliers, |e_z| > 0.05",
    "outlier_fraction_0.15": "outliers, |e_z| > 0.15",
    "outlier_fraction_lsst": "outliers, LSST",
}
UNSEEN = ("schema_version",)  # of no interest where settings are compared


def settings_table(config: RunConfig) -> dict[str, str]:
    """Every setting of a run by its dotted name, as text.

    Examples
    --------
    >>> settings_table(RunConfig())["model.conv_kernels"]
    '5, 5, 3, 2'
    """
    found: dict[str, str] = {}
    for name, value in config.to_dict().items():
        inner = value if isinstance(value, dict) else {"": value}
        for leaf, one in inner.items():
            text = ", ".join(map(str, one)) if isinstance(one, list) else str(one)
            found[f"{name}.{leaf}".rstrip(".")] = text
    return {name: text for name, text in found.items() if name not in UNSEEN}


def differing_settings(configs: Mapping[str, RunConfig]) -> pd.DataFrame:
    """Settings in which runs differ: a line each, a column per run.

    Parameters
    ----------
    configs : mapping
        Name of the run → its settings.

    Returns
    -------
    DataFrame
        ``setting`` (dotted) and one text column per run; no line where all agree.
    """
    tables = {name: settings_table(config) for name, config in configs.items()}
    lines = []
    for setting in next(iter(tables.values()), {}):
        values = {name: table[setting] for name, table in tables.items()}
        if len(set(values.values())) > 1:
            lines.append({"setting": setting, **values})
    return pd.DataFrame(lines, columns=["setting", *tables])


def metrics_table(results: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Every metric of several evaluations, a line per run; with its interval where it has one.

    Parameters
    ----------
    results : mapping
        Name of the run → content of its ``metrics.json``.
    """
    lines = []
    for name, metrics in results.items():
        line: dict[str, Any] = {"run": name, "galaxies": metrics.get("n")}
        intervals = metrics.get("intervals") or {}
        for key in METRICS:
            label = LABELS.get(key, key)
            line[label] = metrics.get(key)
            if any((one.get("intervals") or {}).get(key) for one in results.values()):
                line[f"{label}, 68 %"] = interval_text(intervals.get(key))
        lines.append(line)
    return pd.DataFrame(lines)


def caveats(
    configs: Mapping[str, RunConfig], results: Mapping[str, Mapping[str, Any]], dataset: str
) -> list[str]:
    """What keeps figures of several runs on one dataset from being compared as they stand.

    Parameters
    ----------
    configs, results : mapping
        Name of the run → settings; → ``metrics.json``, of the runs evaluated on the dataset.
    dataset : str
        Its id.
    """
    found = []
    if unjudged := [name for name in configs if name not in results]:
        found.append(f"Not evaluated on this dataset: {', '.join(unjudged)}.")
    own = [name for name in results if configs[name].dataset == dataset]
    others = [name for name in results if name not in own]
    if own and others:
        found.append(
            f"Only the test rows count for {', '.join(own)}, trained on this dataset; every usable "
            f"row counts for {', '.join(others)}."
        )
    if len({configs[name].split for name in own}) > 1:
        found.append("The runs were split differently, so their test rows are not the same.")
    if leaky := [name for name in own if configs[name].scaler.fit_on == "all"]:
        found.append(f"The scaler saw the test rows too: {', '.join(leaky)}.")
    return found


def interval_text(interval: Sequence[float] | None) -> str:
    """Two ends of an interval as text; empty where there is none.

    Examples
    --------
    >>> interval_text([0.02151, 0.02174])
    '0.0215 to 0.0217'
    """
    return "{:.4f} to {:.4f}".format(*interval) if interval else ""


def beside_table_3(bins: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Bins of ``metrics.json`` beside the dissertation's Table 3 and Gaia's UGC.

    Bins are matched by both their limits; those of another width have no published values.
    """
    mine = pd.DataFrame(bins)[["z_low", "z_high", "n", "mean_error", "std", "percent"]]
    keys = [mine.z_low.round(4), mine.z_high.round(4)]
    published = reference.table_3().set_index(["z_low", "z_high"])
    found = published.reindex(pd.MultiIndex.from_arrays(keys)).reset_index(drop=True)
    return pd.DataFrame(
        {
            "z bin": [f"{low:.2f}–{high:.2f}" for low, high in zip(*keys, strict=True)],
            "n": mine.n,
            "mean error": mine.mean_error.astype(float),
            "σ": mine["std"].astype(float),
            "% of rows": mine.percent.astype(float),
            "published mean error": found.mean_error,
            "published σ": found["std"],
            "published %": found.percent,
            "UGC mean error (read off a figure)": found.ugc_mean_error,
            "UGC σ (read off a figure)": found.ugc_std,
        }
    )


TABLE_3_FORMATS = {
    "n": "localized",
    "mean error": "%+.4f",
    "σ": "%.4f",
    "% of rows": "%.2f",
    "published mean error": "%+.4f",
    "published σ": "%.4f",
    "published %": "%.2f",
    "UGC mean error (read off a figure)": "%+.3f",
    "UGC σ (read off a figure)": "%.3f",
}
TABLE_3_CAPTION = (
    "Error = z_phot − z_spec, in bins of true redshift; σ with ddof 0. Published: the "
    "dissertation's Table 3, whose last column is the share of all its galaxies. UGC: Gaia DR3's "
    "own classifier, read off a figure (±0.003)."
)
