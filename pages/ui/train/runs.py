"""All runs as a table with their states; name, note and removal of one."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.attempt import attempt
from pages.ui.choose import choose_line, select, when
from pages.ui.damaged import DatasetNames
from pages.ui.display import download
from pages.ui.jobs.job import delete
from pages.ui.text import escape
from redshift_core import jobs
from redshift_core.constants import MISSING
from redshift_core.store import LongFolder, RunFolder, Store, TuningFolder

SHOWN = 200  # newest runs in the table


def show_runs(store: Store) -> None:
    """Table of the runs; a click on a line chooses that run."""
    runs = store.runs()
    datasets = DatasetNames(store)
    frame = pd.DataFrame([_line(run, datasets) for run in runs[:SHOWN]])
    st.dataframe(
        frame, hide_index=True, placeholder=MISSING, key="run_table",
        on_select=partial(choose_line, "run_table", "run", [run.id for run in runs]),
        selection_mode="single-row",
        column_config={"validation MAE": st.column_config.NumberColumn(format="%.5f")},
        alt=f"{len(frame)} runs with their states, newest first",
    )  # fmt: skip
    more = f"; the newest {SHOWN} of {len(runs)}" if len(runs) > SHOWN else ""
    st.caption(f"Tick a line to see that run. Validation MAE of the saved weights, in z{more}.")
    download(frame, "runs")


def _line(run: RunFolder, datasets: DatasetNames) -> dict[str, Any]:
    now = jobs.status(run)
    line = {"name": run.name, "state": now.state, "made": when(run), "note": run.note, "id": run.id}
    config = run.config
    return {
        "name": line.pop("name"),
        "state": line.pop("state"),
        "validation MAE": jobs.saved_val_mae(run, now),
        "epochs": run.epochs,
        "preset": config.preset,
        "dataset": datasets[config.dataset],
        "started from": config.start_from or None,
        **line,
    }


def manage(
    run: RunFolder | TuningFolder, kind: str = "run", parts: str = "its model and its evaluations"
) -> None:
    """Popover with name, note and removal of a run or a search; removal asks first.

    Parameters
    ----------
    kind : {"run", "tuning"}
        Which of the chosen ids stands for it.
    parts : str
        What is deleted with it.
    """
    with st.popover("Rename, note, delete", icon=":material/edit:"):
        with st.form(f"manage_{run.id}", border=False):
            name = st.text_input("Name", run.name, max_chars=80)
            note = st.text_area("Note", run.note, max_chars=2000)
            if st.form_submit_button("Save"):
                attempt(_save, run, name, note)
                st.rerun()
        if jobs.status(run).active:
            st.caption("Stop it before you delete it.")
            return
        sure = st.checkbox(f"Delete {escape(run.name)} with {parts}", key=f"sure_{run.id}")
        pressed = st.button(
            "Delete for good", key=f"delete_{run.id}", disabled=not sure, type="primary"
        )
        if pressed and delete(run):
            select(**{kind: "latest"})
            st.rerun()


def _save(run: LongFolder, name: str, note: str) -> None:
    run.update_info(name=name.strip() or run.name, note=note.strip())
