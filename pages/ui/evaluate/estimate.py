"""Evaluate, for runs that give p(z): which redshift is read off it, and what that costs."""

from __future__ import annotations

import streamlit as st

from pages.ui.estimate_picker import current_estimate, estimate_picker
from pages.ui.evaluate import data
from redshift_core.store import RunFolder


def show_estimate(run: RunFolder, dataset: str) -> None:
    """The choice, kept in the address, and the trade behind it with this run's own figures."""
    with st.container(border=True):
        estimate_picker("evaluate")
        sentences = data.traded(run, dataset, current_estimate().point)
        st.caption(f"{sentences} Everything on this page follows the choice.".strip())
