"""Train: set up a run, start it, watch it learn, stop it, go on with it."""

import streamlit as st

from pages.ui import choose
from pages.ui.damaged import show_damaged
from pages.ui.empty import (
    demo_button,
    empty_state,
    lacks_tensorflow,
    show_origin,
    simulated_badge,
)
from pages.ui.nav import guard
from pages.ui.text import escape
from pages.ui.train.ending import show_ending
from pages.ui.train.form import settings_form
from pages.ui.train.network import show_network
from pages.ui.train.on_selection import only_selected
from pages.ui.train.runs import manage, show_runs
from pages.ui.train.watch import follow_all, watch
from redshift_core import jobs
from redshift_core.data.split import training_rows
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.settings.run import RunConfig
from redshift_core.store import DatasetFolder, JobFolder, RunFolder, Store, simulator_version

NEW, RUNS = "New run", "Runs"

guard("pages/train.py")


def start(config: RunConfig, name: str) -> None:
    """Start a run and turn to it."""
    try:
        run = jobs.start_training(store, config, name.strip())
    except InputError as error:
        st.error(escape(str(error)))
        return
    choose.turn_to("view", RUNS, run=run.id)


def usable_rows(dataset: DatasetFolder, config: RunConfig) -> int:
    """Number of rows of the dataset that the run may use."""
    try:
        return len(training_rows(choose.open_cached(dataset), config.split))
    except InputError:  # none; the network's table says so
        return 0


def new_run(dataset: DatasetFolder, busy: list[tuple[JobFolder, Status]]) -> None:
    """The form, what it amounts to, and the start button."""
    simulated_badge(dataset.info)
    config = settings_form(dataset.id)
    if config is not None:
        config = only_selected(config, dataset)
    buildable = config is not None and show_network(config, usable_rows(dataset, config))
    st.page_link("pages/glossary.py", label="What the words mean", icon=":material/menu_book:")
    name = st.text_input(
        "Name of the run", "", key="run_name", placeholder="optional", max_chars=80
    )
    clicked = st.button(
        "Start training", type="primary", icon=":material/play_arrow:", key="start_training",
        disabled=lacks_tensorflow("train") or not buildable,
    )  # fmt: skip
    if clicked and config is not None and buildable:
        start(config, name)
    if any(isinstance(job, RunFolder) for job, _ in busy):
        st.caption("Another run is at work; this one will wait in the queue until it has ended.")
    follow_all(bool(busy))


def runs_view(busy: list[tuple[JobFolder, Status]]) -> None:
    """One run, then the list of all."""
    run = choose.run_picker()
    simulated_badge(simulator_version.trained_on(run, store))
    show_origin(run)
    if run.note:
        st.caption(escape(run.note))
    now = watch(run, any(job.path != run.path for job, _ in busy))
    if now.active:
        manage(run)
    else:
        show_ending(run, now)
    with st.expander("Settings of this run"):
        st.json(run.config.to_dict(), expanded=1)
    st.subheader("All runs")
    show_runs(Store())


st.title("Train")
store = Store()
runs = store.runs()
if message := st.session_state.pop("train_error", None):
    st.error(escape(message))
choose.take_turn()
busy = jobs.at_work(store)
if "view" not in st.session_state and "view" not in st.query_params:
    st.session_state["view"] = RUNS if any(isinstance(job, RunFolder) for job, _ in busy) else NEW
view = st.segmented_control(
    "View", [NEW, RUNS], required=True, key="view", bind="query-params",
    label_visibility="collapsed",
)  # fmt: skip
if view == RUNS and not runs:
    st.info("There is no run yet; set one up under New run.")
    show_damaged("runs")
elif view == RUNS:
    runs_view(busy)
elif (dataset := choose.dataset_picker()) is None:
    empty_state(
        "There is nothing to train on yet. Add a file of spectra with redshifts, or load the "
        "demo survey.",
        "Add data",
        "pages/data.py",
    )
    demo_button()
else:
    new_run(dataset, busy)
