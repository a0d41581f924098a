"""Evaluate: the run beside Gaia's own redshift, where the dataset holds that."""

from __future__ import annotations

import streamlit as st

from pages.ui.display import chart, table
from pages.ui.evaluate import data
from pages.ui.text import escape
from redshift_core import figures
from redshift_core.evaluation import incumbent
from redshift_core.store import RunFolder
from redshift_core.store.records import Evaluation


def show_incumbent(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """Which is better and by how much, figure and table; nothing where it is not known."""
    found = data.beside_incumbent(data.key(run, dataset))
    if found is None:
        return
    both, own, theirs = found
    st.subheader("Beside Gaia's own redshift", anchor="incumbent")
    st.markdown(escape(both.text()))
    if not both.n:
        return
    chart(
        figures.error_per_bin(own, other=theirs, other_name=incumbent.NAME),
        "incumbent_bins", f"{incumbent.FIGURE_CAPTION} {escape(incumbent.ORIGIN)}",
        incumbent.FIGURE_ALT, metrics.about,
    )  # fmt: skip
    table(
        both.table(), f"incumbent_{run.id}", incumbent.CAPTION,
        alt=f"Every figure of merit of the run and of {incumbent.NAME}",
        formats=incumbent.FORMATS, height="content",
    )  # fmt: skip
