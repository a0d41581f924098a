"""Evaluate: headline figures, the table beside the published one, and the three figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.display import chart, shown, table
from pages.ui.text import count
from redshift_core import evaluation, figures, reference, statistics
from redshift_core.constants import BIN_WIDTH
from redshift_core.runs import RunFolder

HEADLINES = (  # key of metrics.json, label, format, help
    ("mae", "MAE", ".4f", "Mean of |z_phot − z_spec|. The dissertation reports 0.021."),
    ("rmse", "RMSE", ".4f", "Root of the mean squared z_phot − z_spec."),
    ("bias_median", "Bias, median e_z", "+.4f", "Median of (z_phot − z_spec) / (1 + z_spec)."),
    ("bias_mean", "Bias, mean e_z", "+.4f", "Mean of (z_phot − z_spec) / (1 + z_spec)."),
    ("sigma_nmad", "σ_NMAD", ".4f", "1.4826 · median |e_z − median e_z|."),
    ("outlier_fraction_0.05", "Outliers, |e_z| > 0.05", ".2%", "Share, SDSS main sample's limit."),
    ("outlier_fraction_0.15", "Outliers, |e_z| > 0.15", ".2%", "Share, the classic limit."),
)
BIN_FORMATS = {
    "n": "localized", "% ": "%.2f", "mean error": "%+.4f", "σ": "%.4f", "standard error": "%.5f",
    "published mean": "%+.4f", "published σ": "%.4f", "published %": "%.2f",
    "UGC mean (read off a figure)": "%+.3f", "UGC σ (read off a figure)": "%.3f",
}  # fmt: skip


def show_headlines(metrics: Mapping[str, Any]) -> None:
    """One number per metric, each with its definition."""
    with st.container(horizontal=True):
        for key, label, form, text in HEADLINES:
            st.metric(label, shown(metrics.get(key), form), help=text, width="content")


def show_bins(metrics: Mapping[str, Any], name: str) -> None:
    """Error per redshift bin: the table beside the published one, then the figure."""
    st.subheader("Error per redshift bin")
    table(
        bin_table(metrics["bins"]),
        f"bins_{name}",
        "Error = z_phot − z_spec, in bins of true redshift; σ with ddof 0, standard error = σ/√n. "
        "Published: the dissertation's Table 3. UGC: Gaia DR3's own classifier, read off a figure "
        "(±0.003).",
        alt="Mean error and scatter per redshift bin beside the published Table 3",
        formats=BIN_FORMATS,
        height="content",
    )
    ugc = st.toggle("Show Gaia's UGC", False, key="show_ugc", persist_state="session")
    chart(
        figures.error_per_bin(metrics["bins"], reference.table_3(), show_ugc=ugc),
        key="error_z_spec",
        caption="Mean error per bin of true redshift, bars ±σ (dimensionless). Predictions that "
        "shrink toward the mean are high at low z and low at high z.",
        alt="Mean error and scatter per bin of true redshift beside the published points",
        about=metrics,
    )


def bin_table(bins: list[dict[str, Any]]) -> pd.DataFrame:
    """Bins of ``metrics.json`` beside Table 3, matched by their lower limit."""
    published = {round(row.z_low, 4): row for row in reference.table_3().itertuples()}
    lines = []
    for one in bins:
        line = {
            "z bin": f"{one['z_low']:.2f}–{one['z_high']:.2f}",
            "n": one["n"],
            "% ": one["percent"],
            "mean error": one["mean_error"],
            "σ": one["std"],
            "standard error": one["sem"],
        }
        row = published.get(round(one["z_low"], 4))
        if row is not None and abs(one["z_high"] - row.z_high) < 1e-6:
            line |= {
                "published mean": row.mean_error,
                "published σ": row.std,
                "published %": row.percent,
                "UGC mean (read off a figure)": row.ugc_mean_error,
                "UGC σ (read off a figure)": row.ugc_std,
            }
        lines.append(line)
    return pd.DataFrame(lines)


def show_density(run: RunFolder, dataset: str, metrics: Mapping[str, Any]) -> None:
    """True against predicted redshift as a two-dimensional logarithmic histogram."""
    st.subheader("True and predicted redshift")
    left, right = st.columns(2)
    n_bins = left.select_slider(
        "Bins per axis", [50, 100, 150, 200, 300], 200, key="density_bins",
        persist_state="session",
    )  # fmt: skip
    scale = right.selectbox(
        "Colours", figures.DENSITY_SCALES, key="density_scale", persist_state="session"
    )
    edges, counts = density(*_key(run, dataset), int(n_bins))
    chart(
        figures.density(edges, counts, scale),
        key="density",
        caption=f"Galaxies per cell of {edges[1]:.3g} × {edges[1]:.3g} in redshift, logarithmic "
        f"colour; {count(counts.sum())} galaxies inside 0–0.6. Dashed: z_phot = z_spec.",
        alt="Two-dimensional histogram of true against predicted redshift with the 1:1 line",
        about=metrics,
    )
    edges, n_spec, n_phot = one_dimensional(*_key(run, dataset))
    chart(
        figures.true_and_predicted(edges, n_spec, n_phot),
        key="true_and_predicted",
        caption=f"Galaxies per bin of {edges[1]:.3g} in redshift, true and predicted.",
        alt="Histograms of true and predicted redshift",
        about=metrics,
    )


def show_bins_by_prediction(run: RunFolder, dataset: str, metrics: Mapping[str, Any]) -> None:
    """The same error sorted by what a user will know: the predicted redshift."""
    st.subheader("Error by predicted redshift")
    bins = bins_by_prediction(*_key(run, dataset))
    chart(
        figures.error_per_bin(bins, axis="z_phot"),
        key="error_z_phot",
        about=metrics,
        caption="Mean error per bin of predicted redshift, bars ±σ (dimensionless). Errors binned "
        "in z_spec and in z_phot answer different questions and cannot both be zero "
        "(Lin et al. 2022).",
        alt="Mean error and scatter per bin of predicted redshift",
    )
    with st.expander("As a table"):
        frame = bin_table(bins)[["z bin", "n", "% ", "mean error", "σ", "standard error"]]
        table(
            frame,
            f"bins_z_phot_{run.id}",
            alt="Mean error and scatter per bin of predicted redshift",
            formats=BIN_FORMATS,
        )


def _key(run: RunFolder, dataset: str) -> tuple[str, int]:
    path = run.predictions_path(dataset)
    return str(path), path.stat().st_mtime_ns


@st.cache_resource(max_entries=8, show_spinner=False)
def predictions(path: str, _changed: int) -> tuple[np.ndarray, np.ndarray]:
    """z_spec and z_phot of one evaluation, where both are finite; read-only."""
    frame = pd.read_parquet(Path(path), columns=["z_spec", "z_phot"]).dropna()
    pair = tuple(frame[name].to_numpy(np.float64) for name in ("z_spec", "z_phot"))
    for values in pair:
        values.setflags(write=False)
    return pair


@st.cache_data(max_entries=64, show_spinner=False)
def density(path: str, changed: int, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts of the two-dimensional histogram."""
    return statistics.density(*predictions(path, changed), n_bins)


@st.cache_data(max_entries=64, show_spinner=False)
def one_dimensional(path: str, changed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges and counts of true and of predicted redshift, 150 bins as published."""
    z_spec, z_phot = predictions(path, changed)
    edges = np.linspace(0.0, 0.6, 151)
    return edges, statistics.histogram(z_spec, edges), statistics.histogram(z_phot, edges)


@st.cache_data(max_entries=64, show_spinner=False)
def bins_by_prediction(path: str, changed: int) -> list[dict[str, Any]]:
    """Error table in bins of predicted redshift."""
    return evaluation.binned(*predictions(path, changed), by="z_phot", bin_width=BIN_WIDTH)
