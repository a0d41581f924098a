"""Evaluate, for runs that give p(z): which redshift is read off it, and what that costs."""

from __future__ import annotations

import streamlit as st

from pages.ui import evaluation_data
from pages.ui.estimate_picker import current_estimate, estimate_picker
from redshift_core.runs import RunFolder


def show_estimate(run: RunFolder, dataset: str) -> None:
    """The choice, kept in the address, and the trade behind it with this run's own figures."""
    with st.container(border=True):
        estimate_picker("evaluate")
        sentences = evaluation_data.traded(run, dataset, current_estimate().point)
        st.caption(f"{sentences} Everything on this page follows the choice.".strip())
