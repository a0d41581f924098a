"""Evaluate, fourth part: the error by what a user will know of a galaxy without a redshift."""

from __future__ import annotations

import streamlit as st

from pages.ui.evaluate import data
from pages.ui.evaluate.bins import error_figure
from pages.ui.evaluate.state import ERRORS, limits_of
from redshift_core import figures
from redshift_core.constants import BIN_WIDTH
from redshift_core.evaluation.bins import N_BRIGHTNESS
from redshift_core.store import RunFolder
from redshift_core.store.records import Evaluation


@st.fragment(key=ERRORS)
def show_errors(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """Error against predicted redshift and against brightness."""
    st.subheader("Error by predicted redshift and by brightness")
    st.caption(
        "What is known of a galaxy without a true redshift. Errors binned in z_spec and in z_phot "
        "answer different questions and cannot both be zero (Lin et al. 2022)."
    )
    key = data.key(run, dataset)
    columns = st.columns(2)
    for column, by, size in zip(
        columns, ("z_phot", "brightness"), (BIN_WIDTH, N_BRIGHTNESS), strict=True
    ):
        with column:
            if by == "brightness" and not data.has_brightness(key):
                st.info(
                    "This evaluation has no brightness values; evaluate the run again to see it."
                )
                continue
            error_figure(
                figures.error_per_bin(
                    data.bins(key, by, size), axis=by, percentiles=True,
                    chosen=limits_of(by),
                ),
                by, f"error_{by}", metrics,
            )  # fmt: skip
