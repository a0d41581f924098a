"""What can be done with a run that has ended: go on with it, rename or delete it."""

from __future__ import annotations

from typing import Any

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
            changed = _remedy(run) if now.detail.get("diverged") else None
            st.button(
                "Resume", type="primary", key="resume_run", icon=":material/play_arrow:",
                on_click=resume, args=(run, None, changed), disabled=lacking,
                help="Goes on from its best epoch." if changed
                else "Goes on from the last checkpoint, inside an epoch too.",
            )  # fmt: skip
        share(run)
        manage(run)


def _remedy(run: RunFolder) -> dict[str, float]:
    """Field for what helps a run that has diverged, and what it says."""
    rate = run.config.training.learning_rate
    lower = st.number_input(
        "Learning rate", 1e-8, 10.0, max(rate / 10, 1e-8), step=rate / 100, format="%.3g",
        key=f"rate_{run.id}", width=160, help=f"It diverged with {rate:g}.",
    )  # fmt: skip
    return {"learning_rate": lower}


def resume(run: RunFolder, epochs: int | None, settings: dict[str, Any] | None = None) -> None:
    """Go on with a run that has ended."""
    try:
        jobs.resume(run, epochs, settings)
    except InputError as error:
        st.session_state["train_error"] = str(error)
