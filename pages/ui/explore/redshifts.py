"""Explore, first part: the distribution of redshifts, brushed, beside the published one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.display import chart, table
from pages.ui.explore.selection import current, keep
from pages.ui.explore.view import View, selected_rows
from pages.ui.text import count, counted
from redshift_core import figures, reference
from redshift_core.constants import Z_MAX
from redshift_core.evaluation import statistics
from redshift_core.evaluation.bins import bin_edges
from redshift_core.settings.selection import Selection, snap

CHART = "redshift_histogram"
FOUR = {"selected": "%.4f", "published": "%.4f"}
TWO = {"selected %": "%.2f", "published %": "%.2f"}


@st.fragment
def show_redshifts(view: View) -> None:
    """Histogram of all galaxies with the selected ones in front, and their statistics."""
    st.subheader("Redshifts")
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    width = left.slider(
        "Bin width in z", 0.005, 0.05, 0.01, 0.005, format="%.3f", key="z_bin",
        bind="query-params",
    )  # fmt: skip
    with right.container(horizontal=True):
        log = st.toggle("Logarithmic count", key="z_log", bind="query-params")
        cumulative = st.toggle("Cumulative", key="z_cumulative", bind="query-params")
        published = st.toggle(
            "Published histogram", key="z_published", bind="query-params",
            help="Redshifts of the dissertation's 520,393 galaxies, scaled to the same total.",
        )  # fmt: skip
    edges = bin_edges(width)
    everything = view.narrowed(Selection(flag=view.chosen.flag))
    all_counts, _ = counts(everything, width)
    selected, n_outside = counts(view, width)
    n = int(selected.sum())
    chart(
        figures.redshift_histogram(
            edges, all_counts, reference.redshift_histogram() if published else None,
            selected=selected, log=log, cumulative=cumulative,
        ),
        key=CHART,
        caption=f"Galaxies per bin of {width:g} in spectroscopic redshift (dimensionless); "
        f"{count(n)} of the current selection"
        + (f", {count(n_outside)} more outside 0–0.6. " if n_outside else ". ")
        + "Drag across the bars to select a range of z.",
        alt=f"Histogram of {counted(n, 'redshift')}"
        + (f", fullest at z = {edges[int(np.argmax(selected))]:.3f}" if n else ""),
        about=view.folder.info,
        on_select=lambda: _brushed(width), selection_mode="box",
    )  # fmt: skip
    if not n + n_outside:
        if len(selected_rows(view)):
            st.info("No galaxy of the selection has a redshift.")
        return
    _tables(view)
    with st.expander("Histogram as a table"):
        binned = pd.DataFrame(
            {"z_low": edges[:-1], "z_high": edges[1:], "n": all_counts, "n_selected": selected}
        )
        table(binned, "redshift_histogram", alt="Galaxies per redshift bin", height=260)


def _brushed(width: float) -> None:
    """A box was drawn across the histogram: its range becomes the selection's, on whole bins."""
    boxes = st.session_state[CHART]["selection"]["box"]
    if not boxes:
        return
    low, high = snap(*map(float, boxes[0]["x"]), bin_edges(width))
    keep(replace(current(), z=(low, high)))
    st.rerun()  # the whole page follows, not this fragment alone


def _tables(view: View) -> None:
    left, middle, right = st.columns(3)
    moments, percentiles, shares = tables(view)
    with left:
        table(
            moments, "redshift_statistics", "Moments with ddof 0.", formats=FOUR,
            alt="Mean, median, standard deviation, skewness and excess kurtosis beside the "
            "published values",
        )  # fmt: skip
    with middle:
        table(
            percentiles, "redshift_percentiles", "Redshift below which that share lies.",
            formats=FOUR, alt="Percentiles of redshift beside the published values",
        )  # fmt: skip
    with right:
        table(
            shares, "redshift_shares", "Per cent of the selected galaxies per 0.05 bin.",
            formats=TWO, height="content",
            alt="Share of galaxies per redshift bin of 0.05 beside the published shares",
        )  # fmt: skip


def redshifts(view: View) -> np.ndarray:
    """Known redshifts of the selection, rising, so that their percentiles cost little.

    They are not kept, since what is drawn of them is.
    """
    z = view.data.z_spec[selected_rows(view)]
    return np.sort(z[np.isfinite(z)])


@st.cache_data(max_entries=256, show_spinner=False)
def counts(view: View, width: float) -> tuple[np.ndarray, int]:
    """Galaxies per bin, and how many lie outside all bins."""
    z = redshifts(view)
    binned = statistics.histogram(z, bin_edges(width))
    return binned, int(len(z) - binned.sum())


@st.cache_data(max_entries=64, show_spinner=False)
def tables(view: View) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Statistics, percentiles and shares of the selection beside the published ones."""
    z = redshifts(view)
    moments = statistics.redshift_statistics(z)
    percentiles = statistics.redshift_percentiles(z)
    low = bin_edges()[:-1]
    return (
        pd.DataFrame(
            {
                "statistic": list(moments),
                "selected": list(moments.values()),
                "published": [reference.Z_STATISTICS[name] for name in moments],
            }
        ),
        pd.DataFrame(
            {
                "percentile": list(percentiles),
                "selected": list(percentiles.values()),
                "published": [reference.Z_PERCENTILES[name] for name in percentiles],
            }
        ),
        pd.DataFrame(
            {
                "z bin": [f"{one:.2f}–{min(one + 0.05, Z_MAX):.2f}" for one in low],
                "selected %": statistics.share_per_bin(z),
                "published %": reference.table_3().percent,
            }
        ),
    )
