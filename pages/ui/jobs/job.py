"""Follow a job on the page, with a stop button and the reason of a failure; delete what is unused.

One fragment asks the job's folder once a second; when the job has ended it reruns the whole page,
so that the page itself can show the result.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from pages.ui.attempt import attempt
from pages.ui.text import escape
from redshift_core import jobs
from redshift_core.constants import duration
from redshift_core.errors import InputError, ReadOnlyError
from redshift_core.jobs import Status, housekeeping, in_use
from redshift_core.store import Folder, JobFolder, Store

POLL = 0.5  # s between two looks
QUIET = 15.0  # s without a sign of life after which the page says so


def show_job(folder: JobFolder, title: str = "") -> Status:
    """Show a job as it stands and follow it while it runs.

    Parameters
    ----------
    folder : JobFolder
        The job, or a run.
    title : str
        What is being done, in the user's words: "Reading galaxies.csv".

    Returns
    -------
    Status
        As of now; ``finished`` means that ``folder.result`` is there.
    """
    now = jobs.status(folder)
    if now.active:
        _follow(folder, title)
    elif now.state in ("failed", "lost"):
        show_failure(folder, now)
    elif now.state == "stopped":
        said = now.message if now.message.startswith("Stopped") else f"Stopped. {now.message}"
        st.warning(escape(said), icon=":material/stop_circle:")
    return now


def show_failure(folder: JobFolder, now: Status) -> None:
    """Sentence of a failed job; the end of its log where the user could not have known."""
    if now.state == "lost":
        housekeeping.clear_lost(folder)
    st.error(escape(now.message) or "The job failed without a message.", icon=":material/error:")
    if not now.user_error:
        with st.expander("Log", icon=":material/terminal:"):
            st.code(jobs.log_tail(folder) or "The log is empty.", language=None)


def delete(folder: Folder) -> bool:
    """Delete a folder of the store, or say which job works on it; whether it is gone."""
    try:
        in_use.delete(Store(), folder)
    except InputError as error:
        st.error(escape(str(error)))
        return False
    return True


def start(request: dict[str, Any]) -> None:
    """Start a job as a button's callback; why it may not be stands above the page."""
    attempt(lambda: jobs.start(Store(), **request))


def stop(folder: JobFolder) -> None:
    """Ask a job to stop; one that ended while the click was on its way has nothing to stop."""
    try:
        jobs.stop(folder)
    except ReadOnlyError as error:  # also in a fragment, which draws nothing above itself
        st.toast(escape(str(error)), icon=":material/lock:")
    except InputError:
        pass


def progress_text(now: Status, title: str = "") -> str:
    """One line on a running job: title, message, state and how long it has been silent."""
    waiting = {"starting": "starting", "queued": "waiting", "stopping": "stopping"}
    parts = [title, now.message, waiting.get(now.state, "")]
    if left := now.detail.get("seconds_left"):
        parts.append(f"about {duration(left)} left")
    silent = time.time() - now.heartbeat if now.heartbeat else 0.0
    if silent > QUIET:
        parts.append(f"no sign of life for {silent:.0f} s")
    return " · ".join(escape(part) for part in parts if part)


@st.fragment(run_every=POLL)
def _follow(folder: JobFolder, title: str) -> None:
    now = jobs.status(folder)
    if not now.active:
        st.rerun()
    st.progress(now.fraction, text=progress_text(now, title))
    stopping = now.state == "stopping"
    st.button(
        "Stop", key=f"stop_{folder.id}", icon=":material/stop:", disabled=stopping,
        on_click=stop, args=(folder,),
    )  # fmt: skip
