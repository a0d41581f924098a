"""Evaluate, for runs that give p(z): which redshift is read off it, and what that costs."""

from __future__ import annotations

import streamlit as st

from pages.ui import evaluation_data
from pages.ui.estimate_picker import STORED, estimate_picker
from pages.ui.evaluation_state import ESTIMATE, current_estimate
from redshift_core.pdf import Estimate
from redshift_core.runs import RunFolder


def show_estimate(run: RunFolder, dataset: str) -> None:
    """The choice, kept in the address, and the trade behind it with this run's own figures."""
    now = current_estimate()
    with st.container(border=True):
        estimate_picker("evaluate", now, _remember)
        sentences = evaluation_data.traded(run, dataset, now.point)
        st.caption(f"{sentences} Everything on this page follows the choice.".strip())


def _remember(estimate: Estimate) -> None:
    if estimate == STORED:
        st.query_params.pop(ESTIMATE, None)
    else:
        st.query_params[ESTIMATE] = estimate.text()
