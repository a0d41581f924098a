"""The search space as a table to edit: one line per parameter, ticked where it is searched."""

from __future__ import annotations

import dataclasses

import pandas as pd
import streamlit as st

from pages.ui.text import escape
from pages.ui.tune.lines import default_lines, meanings, parameters_of, taken_over
from redshift_core.settings.run import RunConfig
from redshift_core.settings.space import ADDABLE, DEFAULT_SPACE, KINDS, Parameter

KEPT = "_search_space"  # the edited table, which a change of page would forget
BEGUN = "_search_space_begun"  # the table that the edits apply to; it must not change meanwhile
VERSION = "_search_space_version"  # a new number is a new editor, without edits
HEIGHT = 35 * (len(DEFAULT_SPACE) + len(ADDABLE) + 1) + 2  # px; no scrolling inside the table
HELP = {item.name: item.metadata["help"] for item in dataclasses.fields(Parameter)}
COLUMNS = {
    "search": st.column_config.CheckboxColumn(
        "Use", help="Ticked: searched, or fixed. Not ticked: the starting point's own value."
    ),
    "parameter": st.column_config.TextColumn("Parameter", pinned=True),
    "kind": st.column_config.SelectboxColumn("Kind", options=KINDS, required=True),
    "low": st.column_config.NumberColumn("Low", help=HELP["low"]),
    "high": st.column_config.NumberColumn("High", help=HELP["high"]),
    "step": st.column_config.NumberColumn("Step", help=HELP["step"]),
    "log": st.column_config.CheckboxColumn("Log", help=HELP["log"]),
    "values": st.column_config.TextColumn(
        "Choices or fixed value", help="Names of a choice, with commas; one value where fixed.",
        width="medium",
    ),
    "about": st.column_config.TextColumn("What it is", width="large"),
}  # fmt: skip


def space_editor(base: RunConfig) -> tuple[Parameter, ...] | None:
    """Table of every parameter; the space, or None with the reasons shown.

    Parameters
    ----------
    base : RunConfig
        Where the search starts from; it gives the values of what is not ticked.
    """
    key = f"space_{st.session_state.setdefault(VERSION, 0)}"
    if key not in st.session_state:  # the page was entered: begin with what it was left with
        st.session_state[BEGUN] = st.session_state.get(KEPT) or default_lines()
    edited = st.data_editor(
        pd.DataFrame(st.session_state[BEGUN]), hide_index=True, column_config=COLUMNS,
        disabled=["parameter", "about"], key=key, height=HEIGHT,
        alt="Search space: one line per parameter",
    )  # fmt: skip
    st.session_state[KEPT] = edited.to_dict("records")
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.caption(f"Not ticked, so as in the starting point: {taken_over(edited, base)}.")
    right.button(
        "Reset the space", key="reset_space", icon=":material/restart_alt:", on_click=_reset,
        width="stretch",
    )  # fmt: skip
    with st.expander("What the choices mean"):
        st.markdown(meanings(edited))
    space, wrong = parameters_of(edited)
    for sentence in wrong:
        st.error(escape(sentence))
    return None if wrong else space


def _reset() -> None:
    st.session_state.pop(KEPT, None)
    st.session_state[VERSION] += 1
