"""What can be done with a run that has ended: go on with it, rename or delete it."""

from __future__ import annotations

import streamlit as st

from pages.ui.empty import lacks_tensorflow
from pages.ui.remarks import show_remarks
from pages.ui.share import share
from pages.ui.train.runs import manage
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.evaluation.honesty import remarks_of_run
from redshift_core.jobs import Status
from redshift_core.store import RunFolder


def show_ending(run: RunFolder, now: Status) -> None:
    """Buttons that help a run which has ended.

    Parameters
    ----------
    now : Status
        Of the run; not active.
    """
    show_remarks(remarks_of_run(run))
    epochs, lacking = run.epochs, lacks_tensorflow("train")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if now.state == "finished":
            total = st.number_input(
                "Epochs in all", epochs + 1, 100_000, epochs + 10, key=f"total_{run.id}", width=160
            )
            st.button(
                "Continue for more epochs", key="continue_run", on_click=resume,
                args=(run, int(total)), disabled=lacking,
            )  # fmt: skip
        else:
            st.button(
                "Resume", type="primary", key="resume_run", icon=":material/play_arrow:",
                on_click=resume, args=(run, None), disabled=lacking,
                help="Goes on from the last checkpoint, inside an epoch too.",
            )  # fmt: skip
        share(run)
        manage(run)


def resume(run: RunFolder, epochs: int | None) -> None:
    """Go on with a run that has ended."""
    try:
        jobs.resume(run, epochs)
    except InputError as error:
        st.session_state["train_error"] = str(error)
