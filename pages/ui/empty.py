"""What a page shows when what it needs is not there yet, and the demo survey's button."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui import choose
from pages.ui.jobs.job import show_job
from pages.ui.text import escape
from redshift_core import jobs
from redshift_core.jobs import extras
from redshift_core.store import (
    DatasetFolder,
    JobFolder,
    RunFolder,
    Store,
    demo_file,
    origin,
    simulator_version,
)

DEMO_NAME = "Demo survey"
DEMO_WAIT = 4.0  # s until the click turns to polling
_DEMO_JOB = "demo_job"


def empty_state(text: str, button_label: str, page: str) -> None:
    """Say what is missing and offer the one button that leads to it.

    Parameters
    ----------
    text : str
        One sentence, Markdown.
    button_label : str
        What the button does.
    page : str
        Where it leads: ``"pages/data.py"``.
    """
    with st.container(border=True, key="empty_state"):
        st.markdown(text)
        if st.button(button_label, type="primary", key="empty_button"):
            st.switch_page(page)


def lacks_tensorflow(kind: str, run: RunFolder | None = None) -> bool:
    """Say what must be installed for a kind of job, if anything; whether its button is of no use.

    Parameters
    ----------
    run : RunFolder, optional
        Run that the job applies.
    """
    said = extras.lacking(kind, run)
    if said:
        st.info(escape(said), icon=":material/download:")
    return bool(said)


def demo_button(label: str = "Load the demo survey", *, primary: bool = True) -> None:
    """One click: read the committed demo survey, then show it on the Explore page."""
    store = Store()
    running = st.session_state.get(_DEMO_JOB)
    if st.button(
        label,
        type="primary" if primary else "secondary",
        key="demo_button",
        icon=":material/rocket_launch:",
        disabled=running is not None,
        help="5,000 simulated galaxies that come with the program.",
    ):
        if known := _demo_dataset(store):
            _land(known.id)
        job = jobs.start(store, "ingest", file=str(demo_file()), name=DEMO_NAME)
        running = st.session_state[_DEMO_JOB] = job.id
        with st.spinner("Reading the demo survey"):
            jobs.wait(job, timeout=DEMO_WAIT)  # about a second: quicker than to poll for it
    if running is None:
        return
    job = JobFolder(store.root / "jobs" / running)
    state = show_job(job, "Reading the demo survey")
    if not state.active:
        del st.session_state[_DEMO_JOB]
    if state.state == "finished":
        _land(job.result["dataset"])


def simulated_badge(info: Mapping[str, Any]) -> None:
    """Mark of a simulated dataset, and a sentence on an outdated one; nothing for a real one."""
    if info.get("simulated"):
        st.badge(
            "SIMULATED",
            icon=":material/science:",
            color="orange",
            help="These spectra were made by the simulator; no telescope observed them.",
        )
        if said := simulator_version.outdated(info):
            st.caption(said)


def show_origin(run: RunFolder) -> None:
    """Where a fine-tuned run started; nothing for one from scratch."""
    if said := origin.sentence(run):
        st.caption(escape(said))


def _land(dataset: str) -> None:
    choose.select(dataset=dataset)
    st.switch_page("pages/explore.py", query_params={"dataset": dataset})


def _demo_dataset(store: Store) -> DatasetFolder | None:
    digest = _digest(str(demo_file()), demo_file().stat().st_mtime_ns)
    return next((d for d in store.datasets() if d.info.get("sha256") == digest), None)


@st.cache_data(max_entries=2, show_spinner=False)
def _digest(path: str, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
