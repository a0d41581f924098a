"""All searches as a table; what can be done with one that has ended."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.choose import select, when
from pages.ui.display import download
from pages.ui.run_list import manage
from pages.ui.tune_watch import read_cached
from redshift_core import jobs, trials
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.runs import Store, TuningFolder
from redshift_core.tuning_config import TuningConfig

SHOWN = 100  # newest searches in the table
ERROR = "tune_error"  # session state: what the next drawing of the page says at the top


def show_ending(tuning: TuningFolder, config: TuningConfig, now: Status) -> None:
    """Go on with a search that has ended, to as many trials as wanted; rename or delete it."""
    begun = len(read_cached(tuning))
    lowest = begun + 1 if now.state == "finished" and begun >= config.trials else max(begun, 1)
    finished = now.state == "finished"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        total = st.number_input(
            "Trials in all", lowest, 100_000, max(lowest, config.trials),
            key=f"trials_{tuning.id}", width=160,
        )  # fmt: skip
        st.button(
            "Continue with more trials" if finished else "Resume", key="resume_tuning",
            type="secondary" if finished else "primary", icon=":material/play_arrow:",
            on_click=resume, args=(tuning, int(total)),
            help="Finished trials are kept; those that were interrupted are done again.",
        )  # fmt: skip
        manage_search(tuning)


def resume(tuning: TuningFolder, total: int) -> None:
    """Go on with a search; runs before the page is drawn again."""
    try:
        jobs.resume_tuning(tuning, total)
    except InputError as error:
        st.session_state[ERROR] = str(error)


def manage_search(tuning: TuningFolder) -> None:
    """Name, note and removal of a search."""
    manage(tuning, "tuning", "all its trials; runs trained from them stay")


def show_searches(store: Store) -> None:
    """Table of the searches; a click on a line chooses that search."""
    found = store.tunings()
    datasets = {folder.id: folder.name for folder in store.datasets()}
    frame = pd.DataFrame([_line(one, datasets) for one in found[:SHOWN]])

    def choose() -> None:
        if picked := st.session_state["search_table"]["selection"]["rows"]:
            select(tuning=found[picked[0]].id)

    st.dataframe(
        frame, hide_index=True, key="search_table", on_select=choose, selection_mode="single-row",
        column_config={"best score": st.column_config.NumberColumn(format="%.5f")},
        alt=f"{len(frame)} searches with their states, newest first",
    )  # fmt: skip
    more = f"; the newest {SHOWN} of {len(found)}" if len(found) > SHOWN else ""
    st.caption(f"Tick a line to see that search{more}.")
    download(frame, "searches")


def _line(tuning: TuningFolder, datasets: dict[str, str]) -> dict[str, Any]:
    now, found = jobs.status(tuning), read_cached(tuning)
    best = trials.best(found)
    line = {
        "name": tuning.name, "state": now.state, "trials ended": sum(one.ended for one in found),
        "best score": best.score if best else None,
    }  # fmt: skip
    rest = {"made": when(tuning), "note": tuning.note, "id": tuning.id}
    try:
        config = tuning.config
    except InputError:
        return {**line, "dataset": "unreadable settings", **rest}
    return {
        **line,
        "objective": config.objective,
        "algorithm": config.algorithm,
        "dataset": datasets.get(config.dataset, f"{config.dataset} (deleted)"),
        **rest,
    }
