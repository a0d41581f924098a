"""Tune: search for a better network, watch the search, stop it, go on, train what it found."""

import streamlit as st

from pages.ui import choose
from pages.ui.damaged import show_damaged
from pages.ui.empty import demo_button, empty_state, lacks_tensorflow, simulated_badge
from pages.ui.nav import guard
from pages.ui.text import escape
from pages.ui.tune.ending import ERROR, manage_search
from pages.ui.tune.form import tuning_form
from pages.ui.tune.list import show_searches
from pages.ui.tune.watch import watch
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.settings.search import TuningConfig
from redshift_core.store import DatasetFolder, Store, TuningFolder, simulator_version

NEW, SEARCHES = "New search", "Searches"
RECENT = 20  # newest searches looked at for one that is at work

guard("pages/tune.py")


def start(config: TuningConfig, name: str) -> None:
    """Start a search and turn to it."""
    try:
        tuning = jobs.start_tuning(store, config, name.strip())
    except InputError as error:
        st.error(escape(str(error)))
        return
    choose.turn_to("search_view", SEARCHES, tuning=tuning.id)


def new_search(dataset: DatasetFolder) -> None:
    """The form and the start button."""
    simulated_badge(dataset.info)
    if not dataset.info.get("has_z", True):
        st.error("This dataset has no redshifts to learn from; choose one that has.")
        return
    config = tuning_form(dataset.id)
    name = st.text_input(
        "Name of the search", "", key="search_name", placeholder="optional", max_chars=80
    )
    clicked = st.button(
        "Start the search", type="primary", icon=":material/play_arrow:", key="start_search",
        disabled=lacks_tensorflow("tune") or config is None,
    )  # fmt: skip
    if clicked and config is not None:
        start(config, name)


def searches_view() -> None:
    """One search, then the list of all."""
    tuning = choose.tuning_picker()
    show_search(tuning, tuning.config)
    st.subheader("All searches")
    show_searches(store)


def show_search(tuning: TuningFolder, config: TuningConfig) -> None:
    """A search from its state to its settings."""
    dataset = next((one for one in store.datasets() if one.id == config.dataset), None)
    simulated_badge(simulator_version.trained_on(tuning, store))
    if tuning.note:
        st.caption(escape(tuning.note))
    if dataset is None:
        st.warning(
            f"The dataset {escape(config.dataset)} is not in the store any more. What was found "
            "stays; to go on or to train a trial, read the same file in again and start anew."
        )
    if watch(tuning, config).active:
        manage_search(tuning)
    with st.expander("Settings of this search"):
        st.json(config.to_dict(), expanded=1)


st.title("Tune")
store = Store()
searches = store.tunings()
if message := st.session_state.pop(ERROR, None):
    st.error(escape(message))
choose.take_turn()
if "search_view" not in st.session_state and "search_view" not in st.query_params:
    at_work = any(jobs.status(one).active for one in searches[:RECENT])
    st.session_state["search_view"] = SEARCHES if at_work else NEW
view = st.segmented_control(
    "View", [NEW, SEARCHES], required=True, key="search_view", bind="query-params",
    label_visibility="collapsed",
)  # fmt: skip
if view == SEARCHES and not searches:
    st.info("There is no search yet; set one up under New search.")
    show_damaged("tuning")
elif view == SEARCHES:
    searches_view()
elif (dataset := choose.dataset_picker()) is None:
    empty_state(
        "There is nothing to search on yet. Add a file of spectra with redshifts, or load the "
        "demo survey.",
        "Add data",
        "pages/data.py",
    )
    demo_button()
else:
    new_search(dataset)
