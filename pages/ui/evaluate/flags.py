"""Evaluate: how many galaxies carry each flag, and what is left without them."""

from __future__ import annotations

import streamlit as st

from pages.ui.display import table
from pages.ui.evaluate import data
from redshift_core.evaluation import flag_table
from redshift_core.store import RunFolder
from redshift_core.store.records import Evaluation


def show_flags(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """Table of flags with the errors of those that carry them, and of those that do not."""
    key = data.key(run, dataset)
    with st.expander("Flags: which redshifts to distrust", icon=":material/flag:"):
        table(
            data.flags(key), f"flags_{run.id}",
            "Galaxies with each flag and their errors. A flag earns its keep where the lines "
            "**any** and **none** differ. Outliers as a share from 0 to 1. The flags are those of "
            "the evaluation, whatever estimate is chosen.",
            alt="Number and errors of the galaxies with each flag, and of those without any",
            formats=flag_table.FORMATS, height="content",
        )  # fmt: skip
