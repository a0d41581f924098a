"""Explore, first part: the distribution of redshifts beside the published one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.choose import open_cached
from pages.ui.display import chart, table
from pages.ui.text import count
from redshift_core import figures, reference, statistics
from redshift_core.constants import Z_MAX
from redshift_core.evaluation import bin_edges
from redshift_core.runs import DatasetFolder


@st.fragment
def show_redshifts(folder: DatasetFolder) -> None:
    """Histogram with a bin width slider, statistics, percentiles and shares."""
    st.subheader("Redshifts")
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    width = left.slider(
        "Bin width in z", 0.005, 0.05, 0.01, 0.005, format="%.3f", key="bin_width",
        persist_state="session",
    )  # fmt: skip
    published = middle.toggle(
        "Published histogram", False, key="published_histogram",
        help="Redshifts of the dissertation's 520,393 galaxies, scaled to the same total.",
    )  # fmt: skip
    flagged = right.toggle(
        "Include flagged rows", False, key="histogram_flagged",
        help="Rows that ingest flagged but whose redshift and flux are finite.",
    )  # fmt: skip
    path = str(folder.path)
    edges, counts, n_outside = histogram(path, width, flagged)
    n = int(counts.sum())
    if not n:
        st.info("No galaxy here has a redshift between 0 and 0.6 and a usable spectrum.")
        return
    mode = edges[int(np.argmax(counts))]
    chart(
        figures.redshift_histogram(
            edges, counts, reference.redshift_histogram() if published else None
        ),
        key="redshift_histogram",
        caption=f"Galaxies per bin of {width:g} in spectroscopic redshift (dimensionless); "
        f"{count(n)} galaxies"
        + (f", {count(n_outside)} more outside 0–0.6." if n_outside else "."),
        alt=f"Histogram of {count(n)} redshifts, fullest at z = {mode:.3f}",
        about=folder.info,
    )
    download_histogram = pd.DataFrame({"z_low": edges[:-1], "z_high": edges[1:], "n": counts})
    _tables(path, flagged, download_histogram)


def _tables(path: str, flagged: bool, binned: pd.DataFrame) -> None:
    left, middle, right = st.columns(3)
    moments, percentiles, shares = tables(path, flagged)
    four = {"this dataset": "%.4f", "published": "%.4f"}
    with left:
        table(
            moments, "redshift_statistics", "Moments with ddof 0.", formats=four,
            alt="Mean, median, standard deviation, skewness and excess kurtosis beside the "
            "published values",
        )  # fmt: skip
    with middle:
        table(
            percentiles, "redshift_percentiles", "Redshift below which that share lies.",
            formats=four, alt="Percentiles of redshift beside the published values",
        )  # fmt: skip
    with right:
        two = {"this dataset %": "%.2f", "published %": "%.2f"}
        table(
            shares, "redshift_shares", "Per cent of the galaxies per 0.05 bin.", formats=two,
            height="content",
            alt="Share of galaxies per redshift bin of 0.05 beside the published shares",
        )  # fmt: skip
    with st.expander("Histogram as a table"):
        table(binned, "redshift_histogram", alt="Galaxies per redshift bin", height=260)


@st.cache_resource(max_entries=8, show_spinner=False)
def usable_redshifts(path: str, flagged: bool) -> np.ndarray:
    """Finite redshifts of the usable rows, read-only; shared by every session."""
    dataset = open_cached(DatasetFolder(Path(path)))
    z = np.asarray(dataset.z_spec)[dataset.usable_rows(include_flagged=flagged)]
    z = z[np.isfinite(z)]
    z.setflags(write=False)
    return z


@st.cache_data(max_entries=256, show_spinner=False)
def histogram(path: str, width: float, flagged: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Edges, counts and the number of redshifts outside them."""
    z = usable_redshifts(path, flagged)
    edges = bin_edges(width)
    counts = statistics.histogram(z, edges)
    return edges, counts, int(len(z) - counts.sum())


@st.cache_data(max_entries=32, show_spinner=False)
def tables(path: str, flagged: bool) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Statistics, percentiles and shares of one dataset beside the published ones."""
    z = usable_redshifts(path, flagged)
    moments = statistics.redshift_statistics(z)
    percentiles = statistics.redshift_percentiles(z)
    edges = bin_edges()
    published = reference.table_3()
    return (
        pd.DataFrame(
            {
                "statistic": list(moments),
                "this dataset": list(moments.values()),
                "published": [reference.Z_STATISTICS[name] for name in moments],
            }
        ),
        pd.DataFrame(
            {
                "percentile": list(percentiles),
                "this dataset": list(percentiles.values()),
                "published": [reference.Z_PERCENTILES[name] for name in percentiles],
            }
        ),
        pd.DataFrame(
            {
                "z bin": [f"{low:.2f}–{min(low + 0.05, Z_MAX):.2f}" for low in edges[:-1]],
                "this dataset %": statistics.share_per_bin(z),
                "published %": published.percent,
            }
        ),
    )
