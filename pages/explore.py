"""Explore: redshifts, average spectra and single spectra of one dataset, or of a part of it."""

import streamlit as st

from pages.ui.choose import dataset_picker, open_cached
from pages.ui.empty import demo_button, empty_state, simulated_badge
from pages.ui.explore.averages import show_averages
from pages.ui.explore.real import show_real_galaxies
from pages.ui.explore.redshifts import show_redshifts
from pages.ui.explore.selection import current, empty_selection, selection_bar
from pages.ui.explore.spectrum import show_spectrum
from pages.ui.explore.table import show_table
from pages.ui.explore.view import prediction_picker, selected_rows, view_of
from pages.ui.nav import guard
from pages.ui.text import count, counted

guard("pages/explore.py")

st.title("Explore")
left, right = st.columns(2)
with left:
    folder = dataset_picker()
if folder is None:
    empty_state(
        "There is no dataset yet. Add a file of spectra, or load the demo survey.",
        "Add data",
        "pages/data.py",
    )
    demo_button()
    st.stop()

with right:
    run = prediction_picker(folder)
dataset = open_cached(folder)
info = dataset.info
with st.container(horizontal=True):
    simulated_badge(info)
    n_usable = info["n_usable"] if "n_usable" in info else len(dataset.usable_rows())
    st.caption(f"{counted(len(dataset), 'spectrum')}, {count(n_usable)} usable for training")
view = view_of(folder, run, current())
selection_bar(view, has_flagged=bool(info.get("n_flagged")))
found = len(selected_rows(view)) > 0
if not found:
    empty_selection(view)
if info.get("has_z", True):
    show_redshifts(view)
else:
    st.info("This dataset has no redshifts, so there is no distribution to show.")
if found:
    if info.get("has_z", True):
        show_averages(view)
        show_real_galaxies(view)
    show_table(view)
    show_spectrum(view)
