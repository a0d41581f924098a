"""Evaluate: how good a run's redshifts are, overall, per bin and galaxy by galaxy."""

import streamlit as st

from pages.ui import choose
from pages.ui.empty import empty_state, simulated_badge
from pages.ui.evaluation_parts import (
    show_bins,
    show_bins_by_prediction,
    show_density,
    show_headlines,
)
from pages.ui.job import show_job
from pages.ui.nav import guard
from pages.ui.text import count, escape
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.runs import JobFolder, RunFolder, Store, read_json

RECENT = 50  # newest jobs looked through for an evaluation of the run

guard("pages/evaluate.py")


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
        choose.select(dataset=job.result["dataset"])
    return state.active


def evaluate_button(store: Store, run: RunFolder, label: str, dataset: str, key: str) -> None:
    """Button that starts an evaluation on one dataset."""
    st.button(
        label, key=key, icon=":material/play_arrow:", on_click=ask, args=(store, run, dataset),
        type="primary" if key == "evaluate_own" else "secondary",
    )  # fmt: skip


def other_datasets(store: Store, run: RunFolder, evaluated: list[str]) -> None:
    """Offer an evaluation on a dataset that has none yet, or again on one that has."""
    names = {folder.id: folder.name for folder in store.datasets()}
    if not names:
        return
    with st.popover("Evaluate on another dataset", icon=":material/add_chart:"):
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
    evaluate_button(store, run, "Evaluate on its test rows", own, "evaluate_own")


def result(store: Store, run: RunFolder, dataset: str, own: str) -> None:
    """Everything on one evaluation."""
    metrics = read_json(run.metrics_path(dataset))
    rows = "test rows" if dataset == own else "usable rows"
    found = {folder.id: folder for folder in store.datasets()}.get(dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        simulated_badge(metrics)
        name = escape(found.name) if found else f"{dataset} (deleted)"
        st.caption(f"{count(metrics.get('n', 0))} {rows} of {name}")
    show_headlines(metrics)
    show_bins(metrics, f"{run.id}_{dataset}")
    if run.predictions_path(dataset).exists():
        show_density(run, dataset, metrics)
        show_bins_by_prediction(run, dataset, metrics)


st.title("Evaluate")
store = Store()
if message := st.session_state.pop("evaluate_error", None):
    st.error(escape(message))
run = choose.run_picker()
if run is None:
    empty_state("There is no run to judge yet. Train one first.", "Train a run", "pages/train.py")
    st.stop()
try:
    config = run.config
except InputError as error:
    st.error(str(error))
    st.stop()
if config.scaler.fit_on == "all":
    st.warning(
        "This run's scaler was fitted on all rows, the test rows among them, as in the "
        "dissertation's listing: its test figures are not independent."
    )
busy = follow(store, run)
evaluated = run.evaluated()
if evaluated:
    first = [config.dataset] if config.dataset in evaluated else []
    options = first + [dataset for dataset in evaluated if dataset not in first]
    names = {folder.id: folder.name for folder in store.datasets()}
    dataset = st.selectbox(
        "Evaluated on", options, key=f"evaluated_on_{run.id}",
        format_func=lambda d: names.get(d, d) + (", test rows" if d == config.dataset else ""),
    )  # fmt: skip
    other_datasets(store, run, evaluated)
    result(store, run, dataset, config.dataset)
elif not busy:
    unevaluated(store, run, config.dataset)
