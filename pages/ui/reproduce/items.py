"""Reproduce: which run is shown, what is missing and the button for it, and the items."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import choose
from pages.ui.empty import lacks_tensorflow
from pages.ui.jobs.job import show_job, start
from pages.ui.parts import show_part
from pages.ui.text import escape
from redshift_core import jobs
from redshift_core.data import open_dataset
from redshift_core.errors import InputError
from redshift_core.reports.document import Part
from redshift_core.reports.reproduce import ITEMS, Item, Source, runs_on
from redshift_core.settings.presets import preset
from redshift_core.store import DatasetFolder, RunFolder, Store

LONGER = 40  # epochs of the published record
RECENT = 50  # newest jobs looked through for an evaluation of the run


def run_on(store: Store, dataset: DatasetFolder) -> RunFolder | None:
    """Select box over the runs on a dataset, the dissertation's preset first; None without one."""
    runs = {run.id: run for run in runs_on(store, dataset.id)}
    if not runs:
        return None
    key, wanted = f"run_on_{dataset.id}", st.query_params.get("run")
    st.session_state[key] = wanted if wanted in runs else next(iter(runs))
    st.selectbox(
        "Run", list(runs), key=key,
        format_func=lambda name: f"{runs[name].name} · {runs[name].config.preset} · "
        f"{jobs.status(runs[name]).state}",
        on_change=lambda: choose.select(run=st.session_state[key]),
    )  # fmt: skip
    return runs[st.session_state[key]]


def next_step(store: Store, dataset: DatasetFolder, run: RunFolder | None) -> None:
    """What is at work, what went wrong, and the button for what is missing."""
    if message := st.session_state.pop("reproduce_error", None):
        st.error(escape(message))
    if run is None:
        st.markdown("No run on this dataset yet. The figures of the data need none.")
    else:
        now = show_job(run, "Training")
        done = run.metrics_path(dataset.id).exists()
        if not now.active and run.model_path.exists() and not done:
            _judge(store, dataset, run)
    mine = [one for one in runs_on(store, dataset.id) if one.config.preset == "dissertation"]
    if not any(one.model_path.exists() or jobs.status(one).active for one in mine):
        st.button(
            "Train the dissertation's network", type="secondary" if run else "primary",
            key="train_dissertation", icon=":material/play_arrow:", on_click=_train,
            args=(dataset,), disabled=lacks_tensorflow("train"),
            help="Its preset: 20 epochs, batches of 16. An hour or more on a large survey.",
        )  # fmt: skip


def continue_button(run: RunFolder) -> None:
    """Button for the epochs that Figure 14 needs, where the run can go on to them."""
    config, ended = run.config, jobs.status(run).state == "finished"
    if not ended or config.preset != "dissertation" or config.training.epochs >= LONGER:
        return
    st.button(
        f"Continue to {LONGER} epochs", key="continue_run", icon=":material/forward:",
        on_click=_continue, args=(run,), disabled=lacks_tensorflow("train"),
        help="For Figure 14. The same run goes on, so its table and figures of the results "
        f"become those of epoch {LONGER}.",
    )  # fmt: skip


def show_item(item: Item, source: Source) -> None:
    """One figure or table: what it shows, how it came out here, what can match."""
    st.subheader(item.heading, anchor=item.key)
    st.markdown(escape(item.says))
    if missing := item.missing(source):
        st.caption(f":material/hourglass_empty: {missing}")
    else:
        for number, part in enumerate(_built(ITEMS.index(item), *_key(source))):
            show_part(part, f"{item.key}_{number}", source.dataset.info)
    if reservation := item.reservation(source):
        st.caption(escape(reservation))


def _judge(store: Store, dataset: DatasetFolder, run: RunFolder) -> None:
    wanted = {"kind": "evaluate", "run": run.id, "dataset": dataset.id}
    job = next((job for job in store.jobs()[:RECENT] if job.request == wanted), None)
    if job is None or not show_job(job, "Evaluating").active:
        st.button(
            "Evaluate on its test rows", type="primary", key="evaluate_run",
            icon=":material/play_arrow:", on_click=start, args=(wanted,),
            disabled=lacks_tensorflow("evaluate", run),
        )  # fmt: skip


def _train(dataset: DatasetFolder) -> None:
    try:
        run = jobs.start_training(Store(), preset("dissertation", dataset.id))
    except InputError as error:
        st.session_state["reproduce_error"] = str(error)
        return
    choose.select(run=run.id)


def _continue(run: RunFolder) -> None:
    try:
        jobs.resume(run, LONGER)
    except InputError as error:
        st.session_state["reproduce_error"] = str(error)


def _key(source: Source) -> tuple[str, str, int, float]:
    """What an item is made from: folders, seed, and the time of the run's last change."""
    run = source.run
    changed = 0.0
    if run:
        files = (run.history_path, run.split_path, run.environment_path, run.config_path)
        changed = max(run.last_evaluated(), *(p.stat().st_mtime for p in files if p.exists()))
    return str(source.dataset.folder.path), str(run.path) if run else "", source.seed, changed


@st.cache_data(max_entries=64, show_spinner=False)
def _built(number: int, dataset: str, run: str, seed: int, changed: float) -> list[Part]:
    opened = open_dataset(DatasetFolder(Path(dataset)))
    return ITEMS[number].build(Source(opened, RunFolder(Path(run)) if run else None, seed))
