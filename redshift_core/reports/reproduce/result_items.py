"""The dissertation's chapter on its results: Table 3, Figures 16 to 18, the figures in its text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from redshift_core import figures, reference
from redshift_core.constants import Z_MAX, Z_MIN
from redshift_core.evaluation import statistics
from redshift_core.evaluation.error_table import CAPTION, FORMATS, error_table
from redshift_core.reports.document import Chart, Part, Table
from redshift_core.reports.reproduce.source import Item, Source
from redshift_core.store.records import dicts

ERROR_LIMIT = 0.59  # of the published error figure, in z
N_BINS_1D, N_BINS_2D = 150, 200  # of the published histograms
Z_MOST = 0.35  # below it the text summarises "the overwhelming majority"


def table_3(source: Source) -> list[Part]:
    """Table 3 of the run beside the published one and UGC."""
    return [
        Table(
            error_table(source.metrics.bins),
            "table-3",
            CAPTION,
            "Mean error and scatter per redshift bin beside the published Table 3",
            FORMATS,
        )
    ]


def error_figures(source: Source) -> list[Part]:
    """Both panels of Figure 16 on the published axis."""
    bins, published = source.metrics.bins, reference.table_3()
    bars = figures.error_per_bin(bins, published)
    strokes = figures.mean_and_std(bins, published)
    for figure in (bars, strokes):
        figure.update_yaxes(range=[-ERROR_LIMIT, ERROR_LIMIT])
    axis = f"on the published axis of ±{ERROR_LIMIT} (dimensionless)"
    return [
        Chart(
            bars,
            f"Mean error per bin of true redshift with bars of ±σ, {axis}; zoom in by dragging.",
            "Mean error with bars of one σ per redshift bin beside the published points",
        ),
        Chart(
            strokes,
            f"Mean error and σ per bin of true redshift as strokes, {axis}. Dotted: published.",
            "Mean error and σ per redshift bin as horizontal strokes beside the published ones",
        ),
    ]


def histograms(source: Source) -> list[Part]:
    """True and predicted redshifts in 150 bins."""
    edges = np.linspace(Z_MIN, Z_MAX, N_BINS_1D + 1)
    counts = [
        statistics.histogram(source.predictions[name].to_numpy(), edges)
        for name in ("z_spec", "z_phot")
    ]
    return [
        Chart(
            figures.true_and_predicted(edges, *counts),
            f"Galaxies per bin of {edges[1]:.3f} in redshift, {N_BINS_1D} bins, "
            f"{len(source.predictions):,} galaxies. Published as a picture only; its listing sets "
            "150 edges, which make 149 bins.",
            "Histograms of true and predicted redshift",
        )
    ]


def redshift_plane(source: Source) -> list[Part]:
    """Predicted against true redshift, 200 bins an axis."""
    pair = (source.predictions[name].to_numpy() for name in ("z_spec", "z_phot"))
    edges, counts = statistics.redshift_plane(*pair, N_BINS_2D)
    return [
        Chart(
            figures.redshift_plane(edges, counts, "inferno"),
            f"Galaxies per cell of {edges[1]:.3f} × {edges[1]:.3f} in redshift, logarithmic "
            f"colour; {int(counts.sum()):,} galaxies. Dashed: z_phot = z_spec. Published as a "
            "picture only.",
            "Two-dimensional histogram of true against predicted redshift with the 1:1 line",
        )
    ]


def summary(bins: pd.DataFrame) -> dict[str, float]:
    """Figures that the dissertation's text draws from its Table 3, from any such table.

    Parameters
    ----------
    bins : DataFrame
        Twelve bins of 0.05: ``z_low``, ``z_high``, ``mean_error``, ``std``, ``percent``; NaN where
        a bin is empty.

    Returns
    -------
    dict
        In plain z; shares in per cent. Means over bins count each bin once, as the text does;
        "all galaxies" weighs the bins by their share.
    """
    bins = bins.astype(float)
    most, best, worst = bins.z_low < Z_MOST - 1e-9, slice(1, 6), slice(-4, None)
    filled = bins[bins.mean_error.notna() & bins["std"].notna()]
    weight = filled.percent / filled.percent.sum()
    middle = (filled.z_low + filled.z_high) / 2
    from_mean = middle - (weight * middle).sum()
    return {
        "mean |bin error|, z < 0.35": bins.mean_error[most].abs().mean(),
        "mean bin σ, z < 0.35": bins["std"][most].mean(),
        "largest bin σ": bins["std"].max(),
        "mean |bin error| of bins 2 to 6": bins.mean_error[best].abs().mean(),
        "share of bins 2 to 6 / %": bins.percent[best].sum(),
        "mean |bin error| of the last four bins": bins.mean_error[worst].abs().mean(),
        "share of the last four bins / %": bins.percent[worst].sum(),
        "mean error, all galaxies": (weight * filled.mean_error).sum(),
        "RMSE, all galaxies": float(
            np.sqrt((weight * (filled.mean_error**2 + filled["std"] ** 2)).sum())
        ),
        "slope of the mean prediction": (
            1 + (weight * from_mean * filled.mean_error).sum() / (weight * from_mean**2).sum()
        ),
    }


PRINTED = {  # what the text says of its own results
    "mean |bin error|, z < 0.35": "0.013, called MAE",
    "mean bin σ, z < 0.35": "0.032",
    "largest bin σ": "≤ 0.1",
    "mean |bin error| of bins 2 to 6": "0.00886",
    "share of bins 2 to 6 / %": "88.17",
    "mean |bin error| of the last four bins": "0.15",
    "share of the last four bins / %": "0.51",
    "mean error, all galaxies": "negative",
}


def summary_figures(source: Source) -> list[Part]:
    """The figures in the text: as printed, from the published table, and of this run."""
    published = summary(reference.table_3())
    measured = summary(pd.DataFrame(dicts(source.metrics.bins)))
    errors = (source.predictions.z_phot - source.predictions.z_spec).abs()
    below = errors[source.predictions.z_spec < Z_MOST]
    lines = [
        ("MAE of the test galaxies", f"{reference.TEST_MAE}", None, source.metrics.figures["mae"]),
        ("MAE of the galaxies with z < 0.35", "", None, float(below.mean())),
    ]
    lines += [(name, PRINTED.get(name, ""), published[name], measured[name]) for name in published]
    names = ["figure", "printed in the text", "from its Table 3", "this run"]
    return [
        Table(
            pd.DataFrame(lines, columns=names),
            "summary-figures",
            "In plain z; shares in per cent of the rows. Bin errors are signed means, so a mean of "
            "their absolute values is a bias, not an MAE. A slope below 1 is shrinkage toward the "
            "mean: 1 would be none.",
            "Summary figures as printed, as they follow from Table 3, and of this run",
            dict.fromkeys(names[2:], "%.5f"),
        )
    ]


ITEMS = (
    Item(
        "Table 3",
        "Error per redshift bin",
        "Redshifts come out too high near 0 and too low beyond 0.15, the more so the further: the "
        "mark of predictions drawn toward the mean.",
        "the published errors: they are of the private test galaxies.",
        table_3,
        needs="metrics",
    ),
    Item(
        "Figure 16",
        "Mean error and σ per redshift bin",
        "The error is small where the galaxies are and large at high z, where there are few: on "
        "inputs this noisy, the mean of what is plausible leans toward the many.",
        "the published points.",
        error_figures,
        needs="metrics",
    ),
    Item(
        "",
        "Summary figures of its text",
        "In short: an error of 0.021 in z on average, small in the five well-filled bins, large in "
        "the last four, which hold half a per cent of the galaxies.",
        "the printed figures.",
        summary_figures,
        needs="metrics",
    ),
    Item(
        "Figure 17",
        "Histogram of true and predicted redshifts",
        "The predictions pile up in one peak near 0.1 and are too rare at both ends.",
        "the shape of the true histogram, its double peak among it.",
        histograms,
        needs="metrics",
    ),
    Item(
        "Figure 18",
        "Predicted against true redshift",
        "Most galaxies lie along the 1:1 line; towards high z they fall below it.",
        "the picture as published.",
        redshift_plane,
        needs="metrics",
    ),
)
