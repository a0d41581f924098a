"""Train: set up a run, start it, watch it learn, stop it, go on with it."""

import streamlit as st

from pages.ui import choose
from pages.ui.empty import demo_button, empty_state, simulated_badge
from pages.ui.nav import guard
from pages.ui.network_table import show_network
from pages.ui.run_list import manage, show_runs
from pages.ui.settings_form import settings_form
from pages.ui.text import escape
from pages.ui.train_selection import only_selected
from pages.ui.watch_run import watch
from redshift_core import jobs
from redshift_core.config import RunConfig
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.runs import DatasetFolder, RunFolder, Store

NEW, RUNS = "New run", "Runs"
RECENT = 20  # newest runs looked at for one that is at work

guard("pages/train.py")


def start(config: RunConfig, name: str) -> None:
    """Start a run and turn to it; runs before the page is drawn again."""
    try:
        run = jobs.start_training(Store(), config, name.strip())
    except InputError as error:
        st.session_state["train_error"] = str(error)
        return
    choose.select(run=run.id)
    st.session_state["view"] = RUNS


def resume(run: RunFolder, epochs: int | None) -> None:
    """Go on with a run that has ended."""
    try:
        jobs.resume(run, epochs)
    except InputError as error:
        st.session_state["train_error"] = str(error)


def new_run(dataset: DatasetFolder, waiting: bool) -> None:
    """The form, what it amounts to, and the start button."""
    simulated_badge(dataset.info)
    config = settings_form(dataset.id)
    if config is not None:
        config = only_selected(config, dataset)
    buildable = config is not None and show_network(config)
    if config is not None and config.scaler.fit_on == "all":
        st.warning(
            "The scaler will see the test rows (fit on = all), as in the dissertation's listing. "
            "Test figures of such a run are not independent."
        )
    name = st.text_input(
        "Name of the run", "", key="run_name", placeholder="optional", max_chars=80
    )
    st.button(
        "Start training", type="primary", icon=":material/play_arrow:", key="start_training",
        disabled=not buildable, on_click=start, args=(config, name),
    )  # fmt: skip
    if waiting:
        st.caption("Another run is at work; this one will wait in the queue until it has ended.")


def go_on(run: RunFolder, now: Status) -> None:
    """Buttons for a run that has ended: resume, more epochs, evaluate."""
    epochs = run.config.training.epochs
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if now.state == "finished":
            st.page_link(
                "pages/evaluate.py", label="Evaluate", icon=":material/fact_check:",
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


def runs_view() -> None:
    """One run, then the list of all."""
    run = choose.run_picker()
    try:
        config = run.config
    except InputError as error:
        st.error(str(error))
        manage(run)
    else:
        simulated_badge(run.trained_on)
        if run.note:
            st.caption(escape(run.note))
        now = watch(run)
        if now.active:
            manage(run)
        else:
            go_on(run, now)
        with st.expander("Settings of this run"):
            st.json(config.to_dict(), expanded=1)
    st.subheader("All runs")
    show_runs(Store())


st.title("Train")
store = Store()
runs = store.runs()
if message := st.session_state.pop("train_error", None):
    st.error(escape(message))
at_work = any(jobs.status(run).active for run in runs[:RECENT])
if "view" not in st.session_state and "view" not in st.query_params:
    st.session_state["view"] = RUNS if at_work else NEW
view = st.segmented_control(
    "View", [NEW, RUNS], required=True, key="view", bind="query-params",
    label_visibility="collapsed",
)  # fmt: skip
if view == RUNS and not runs:
    st.info("There is no run yet; set one up under New run.")
elif view == RUNS:
    runs_view()
elif (dataset := choose.dataset_picker()) is None:
    empty_state(
        "There is nothing to train on yet. Add a file of spectra with redshifts, or load the "
        "demo survey.",
        "Add data",
        "pages/data.py",
    )
    demo_button()
else:
    new_run(dataset, at_work)
