"""All trials of a search as a table."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.choose import choose_line
from pages.ui.display import download
from pages.ui.text import count
from redshift_core.evaluation import trials
from redshift_core.evaluation.trials import Trial
from redshift_core.store import TuningFolder

SHOWN = 500  # newest trials in the table


def show_trials(tuning: TuningFolder, found: list[Trial], title: str) -> None:
    """Table of all trials; a click on a line chooses that trial."""
    st.subheader("Trials")
    if not found:
        st.caption("The table begins with the first trial.")
        return
    newest = found[-SHOWN:]  # oldest first: a ticked line keeps its place when others join
    key = f"trial_table_{tuning.id}"
    frame = trials.table(newest).dropna(axis=1, how="all")
    st.dataframe(
        frame, hide_index=True, key=key,
        on_select=partial(choose_line, key, "trial", [one.trial for one in newest]),
        selection_mode="single-row", height=300,
        column_config={
            "score": st.column_config.NumberColumn(format="%.5f", help=title),
            "val_mae": st.column_config.NumberColumn("validation MAE", format="%.5f"),
            "seconds": st.column_config.NumberColumn("time, s", format="%.1f"),
            "n_parameters": st.column_config.NumberColumn("parameters", format="localized"),
            "worker": st.column_config.TextColumn(help="Machine and process at the trial"),
            "remark": st.column_config.TextColumn(width="medium"),
        },
        placeholder="",
        alt=f"Trials of the search in the order of their start, {len(frame)} lines",
    )  # fmt: skip
    more = f"; the newest {SHOWN} of {count(len(found))}" if len(found) > SHOWN else ""
    st.caption(
        f"Tick a line to look at that trial; click a heading to sort. Score: {title}{more}. "
        "An empty cell is a layer that the network lacks."
    )
    download(trials.table(found), f"trials_{tuning.id}")
