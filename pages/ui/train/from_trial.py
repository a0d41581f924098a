"""A trial of a search as the starting point of a run: the address says which."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.ui.text import escape
from redshift_core.errors import InputError
from redshift_core.evaluation import trials
from redshift_core.settings.run import RunConfig
from redshift_core.store import Store

PARAMETER = "from_trial"  # ``?from_trial=<search>:<trial>``


@dataclass(frozen=True)
class FromTrial:
    """A trial and the run it stands for."""

    id: str  # search and trial, as in the address
    config: RunConfig


def from_trial() -> FromTrial | None:
    """Trial that the address names, said with a way back to the presets; else None."""
    name = st.query_params.get(PARAMETER)
    if not name:
        return None
    search, _, number = name.rpartition(":")
    try:
        tuning = Store().tuning(search)
        trial = trials.find(tuning.trials, number)
        found = FromTrial(f"{tuning.id}:{trial.trial}", trials.run_config(tuning, trial.trial))
    except InputError as error:
        st.warning(f"{escape(str(error))} Showing the presets.")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Settings of **trial {trial.trial}** of the search {escape(tuning.name)}.")
        st.page_link(
            "pages/tune.py", label="See the search", icon=":material/tune:",
            query_params={"search_view": "Searches", "tuning": tuning.id, "trial": trial.trial},
        )  # fmt: skip
        st.button("Back to the presets", key="leave_trial", on_click=_leave)
    return found


def _leave() -> None:
    st.query_params.pop(PARAMETER, None)
