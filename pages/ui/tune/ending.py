"""What can be done with a search that has ended: go on with it, rename or delete it."""

from __future__ import annotations

import streamlit as st

from pages.ui.empty import lacks_tensorflow
from pages.ui.text import escape
from pages.ui.train.runs import manage
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.settings.search import TuningConfig
from redshift_core.store import TuningFolder

ERROR = "tune_error"  # session state: what the next drawing of the page says at the top


def show_ending(tuning: TuningFolder, config: TuningConfig, now: Status, begun: int) -> None:
    """Go on with a search that has ended, to as many trials as wanted; rename or delete it.

    Parameters
    ----------
    begun : int
        Trials that have begun.
    """
    lowest = begun + 1 if now.state == "finished" and begun >= config.trials else max(begun, 1)
    finished = now.state == "finished"
    if message := st.session_state.pop(ERROR, None):  # of `resume`, which reruns this part only
        st.error(escape(message))
    lacking = lacks_tensorflow("tune")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        total = st.number_input(
            "Trials in all", lowest, 100_000, max(lowest, config.trials),
            key=f"trials_{tuning.id}", width=160,
        )  # fmt: skip
        st.button(
            "Continue with more trials" if finished else "Resume", key="resume_tuning",
            type="secondary" if finished else "primary", icon=":material/play_arrow:",
            on_click=resume, args=(tuning, int(total)), disabled=lacking,
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
