"""Evaluate, for runs that give p(z): whether the densities say how sure one may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui.display import chart, table
from pages.ui.evaluate.headlines import show_cards
from redshift_core import figures
from redshift_core.constants import FLUX_UNIT
from redshift_core.evaluation.density_metrics import FIGURES, FORMATS, bin_table
from redshift_core.store import RunFolder
from redshift_core.store.records import Evaluation

PRIOR = (
    "Of the densities as the network gives them, under the prior of the training set: under "
    "another prior they answer for other galaxies than these."
)


@st.fragment
def show_densities(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """PIT, coverage, scores and their tables; nothing for runs without densities."""
    judged = metrics.pdf
    if not judged:
        return
    st.subheader("Are the densities honest?", anchor="densities")
    st.caption(PRIOR)
    st.page_link("pages/glossary.py", label="What the words mean", icon=":material/menu_book:")
    show_cards([one for one in FIGURES.values() if one.value(judged) is not None], judged)
    left, right = st.columns(2)
    with left:
        chart(
            figures.pit_histogram(judged["pit"]["counts"]),
            "pit",
            "Probability that p(z) puts below the true redshift (PIT), dimensionless: flat where "
            "the densities are right, a valley where they are too narrow, a hill where too wide. "
            f"{100 * judged['pit']['outliers']:.2f} % lie below 0.0001 or above 0.9999.",
            "Histogram of the probability integral transform beside a uniform one",
            metrics.about,
        )
    with right:
        chart(
            figures.coverage(judged["coverage"]),
            "coverage",
            "Share of true redshifts inside the central interval of each credibility "
            "(dimensionless). Below the line the intervals are too narrow.",
            "Share of true redshifts inside intervals against their credibility with the 1:1 line",
            metrics.about,
        )
    by = st.segmented_control(
        "By", ["predicted redshift", "brightness"], default="predicted redshift", required=True,
        key="densities_by", persist_state="session",
    )  # fmt: skip
    _table(judged["by_brightness" if by == "brightness" else "by_z_phot"], by, run.id)


def _table(bins: Sequence[Mapping[str, Any]], by: str, run: str) -> None:
    table(
        bin_table(bins), f"densities_{run}",
        "Shares in per cent; mean PIT 0.5 where the densities are centred, below it where they lie "
        f"too high. Bins of {by}" + (f" in {FLUX_UNIT}." if by == "brightness" else "."),
        alt=f"Coverage, PIT and scores of the densities per bin of {by}",
        formats=FORMATS, height="content",
    )  # fmt: skip
