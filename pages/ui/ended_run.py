"""What can be done with a run that has ended: judge it, go on with it, rename or delete it."""

from __future__ import annotations

import streamlit as st

from pages.ui.display import shown
from pages.ui.run_list import manage
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.runs import RunFolder, read_json


def show_ending(run: RunFolder, now: Status) -> None:
    """How it ended, and the buttons that help then.

    Parameters
    ----------
    now : Status
        Of the run; not active.
    """
    epochs = run.config.training.epochs
    if now.state == "finished":
        st.success(_outcome(run), icon=":material/check_circle:")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if now.state == "finished":
            st.page_link(
                "pages/evaluate.py", label="**Evaluate it**", icon=":material/fact_check:",
                query_params={"run": run.id},
            )  # fmt: skip
            total = st.number_input(
                "Epochs in all", epochs + 1, 100_000, epochs + 10, key=f"total_{run.id}", width=160
            )
            st.button(
                "Continue for more epochs", key="continue_run", on_click=resume,
                args=(run, int(total)),
            )  # fmt: skip
        else:
            st.button(
                "Resume", type="primary", key="resume_run", icon=":material/play_arrow:",
                on_click=resume, args=(run, None),
                help="Goes on from the last checkpoint, inside an epoch too.",
            )  # fmt: skip
        manage(run)


def resume(run: RunFolder, epochs: int | None) -> None:
    """Go on with a run that has ended."""
    try:
        jobs.resume(run, epochs)
    except InputError as error:
        st.session_state["train_error"] = str(error)


def _outcome(run: RunFolder) -> str:
    result, judged = run.result, read_json(run.metrics_path(run.config.dataset))
    done = result.get("epochs", run.config.training.epochs)
    text = f"Finished after {done} epochs: validation MAE {shown(result.get('val_mae'))}"
    return text + (f", test MAE {shown(judged['mae'])} in z." if judged.get("mae") else " in z.")
