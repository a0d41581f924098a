"""Evaluate: starting an evaluation and following it."""

from __future__ import annotations

import streamlit as st

from pages.ui import choose
from pages.ui.empty import empty_state, lacks_tensorflow
from pages.ui.jobs.job import show_job
from pages.ui.text import escape
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.store import JobFolder, RunFolder, Store
from redshift_core.store.base import is_base

RECENT = 50  # newest jobs looked through for an evaluation of the run
ON = "on"  # in the address: the dataset evaluated on


def latest_job(store: Store, run: RunFolder) -> JobFolder | None:
    """Newest evaluation of the run; on disk, so a refresh or a second tab finds it too."""
    wanted = {"kind": "evaluate", "run": run.id}
    jobs_here = store.jobs()[:RECENT]
    return next((j for j in jobs_here if wanted.items() <= j.request.items()), None)


def ask(store: Store, run: RunFolder, dataset: str) -> None:
    """Start an evaluation."""
    try:
        job = jobs.start(store, "evaluate", run=run.id, dataset=dataset)
    except InputError as error:
        st.session_state["evaluate_error"] = str(error)
        return
    st.session_state["evaluate_job"] = job.id


def follow(store: Store, run: RunFolder) -> bool:
    """Show the newest evaluation job while it runs or if it failed; whether one is running."""
    job = latest_job(store, run)
    if job is None:
        return False
    asked_here = st.session_state.get("evaluate_job") == job.id
    state = jobs.status(job)
    if state.active or asked_here or run.last_evaluated() <= state.heartbeat:
        show_job(job, "Evaluating")
    if state.state == "finished" and asked_here:
        del st.session_state["evaluate_job"]
        st.query_params[ON] = job.result["dataset"]
        choose.select(dataset=job.result["dataset"])
    return state.active


def evaluate_button(store: Store, run: RunFolder, label: str, dataset: str, key: str) -> None:
    """Button that starts an evaluation on one dataset."""
    st.button(
        label, key=key, icon=":material/play_arrow:", on_click=ask, args=(store, run, dataset),
        type="primary" if key == "evaluate_own" else "secondary",
        disabled=lacks_tensorflow("evaluate", run),
    )  # fmt: skip


def evaluated_on(store: Store, run: RunFolder, own: str) -> str:
    """Dataset whose evaluation is shown; the address names it."""
    evaluated = run.evaluated()
    first = [own] if own in evaluated else []
    options = first + [dataset for dataset in evaluated if dataset not in first]
    names = {folder.id: folder.name for folder in store.datasets()}
    key = f"evaluated_on_{run.id}"
    wanted = st.query_params.get(ON)
    st.session_state[key] = wanted if wanted in options else options[0]

    def keep() -> None:
        st.query_params[ON] = st.session_state[key]

    return st.selectbox(
        "Evaluated on", options, key=key, on_change=keep,
        format_func=lambda d: names.get(d, d) + (", test rows" if d == own else ""),
    )  # fmt: skip


def other_datasets(store: Store, run: RunFolder) -> None:
    """Offer an evaluation on a dataset that has none yet, or again on one that has."""
    evaluated = run.evaluated()
    names = {folder.id: folder.name for folder in store.datasets()}
    if not names:
        return
    with st.popover("Evaluate again or on another dataset", icon=":material/add_chart:"):
        st.caption(
            "On the run's own dataset its test rows are used; on another one, every usable row "
            "with a redshift."
        )
        dataset = st.selectbox(
            "Dataset to evaluate on", list(names), key="other_dataset",
            format_func=lambda d: names[d] + (" (evaluated)" if d in evaluated else ""),
        )  # fmt: skip
        evaluate_button(store, run, "Evaluate", dataset, "evaluate_other")


def unevaluated(store: Store, run: RunFolder, own: str) -> None:
    """What to do with a run that has no evaluation yet."""
    state = jobs.status(run)
    if not run.model_path.exists():
        waiting = "is still training" if state.active else f"has no model: it is {state.state}"
        empty_state(f"{escape(run.name)} {waiting}.", "See the run", "pages/train.py")
        return
    st.info(f"{escape(run.name)} has not been evaluated yet.")
    if is_base(run):  # the galaxies it has learned from are not here
        st.caption("It has no test rows here; judge it on a dataset of yours with redshifts.")
        other_datasets(store, run)
        return
    evaluate_button(store, run, "Evaluate on its test rows", own, "evaluate_own")
