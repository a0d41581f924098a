"""All searches as a table."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.choose import choose_line, when
from pages.ui.damaged import DatasetNames
from pages.ui.display import download
from pages.ui.tune.watch import read_cached
from redshift_core import jobs
from redshift_core.constants import MISSING
from redshift_core.evaluation import trials
from redshift_core.store import Store, TuningFolder

SHOWN = 100  # newest searches in the table


def show_searches(store: Store) -> None:
    """Table of the searches; a click on a line chooses that search."""
    searches = store.tunings()
    datasets = DatasetNames(store)
    frame = pd.DataFrame([_line(one, datasets) for one in searches[:SHOWN]])
    st.dataframe(
        frame, hide_index=True, placeholder=MISSING, key="search_table",
        on_select=partial(choose_line, "search_table", "tuning", [one.id for one in searches]),
        selection_mode="single-row",
        column_config={"best score": st.column_config.NumberColumn(format="%.5f")},
        alt=f"{len(frame)} searches with their states, newest first",
    )  # fmt: skip
    more = f"; the newest {SHOWN} of {len(searches)}" if len(searches) > SHOWN else ""
    st.caption(f"Tick a line to see that search{more}.")
    download(frame, "searches")


def _line(tuning: TuningFolder, datasets: DatasetNames) -> dict[str, Any]:
    now, entries = jobs.status(tuning), read_cached(tuning)
    best = trials.best(entries)
    line = {
        "name": tuning.name, "state": now.state, "trials ended": sum(one.ended for one in entries),
        "best score": best.score if best else None,
    }  # fmt: skip
    config = tuning.config
    return {
        **line,
        "objective": config.objective,
        "algorithm": config.algorithm,
        "dataset": datasets[config.dataset],
        "made": when(tuning),
        "note": tuning.note,
        "id": tuning.id,
    }
