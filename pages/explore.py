"""Explore: redshifts, average spectra and single spectra of one dataset."""

import streamlit as st

from pages.ui.choose import dataset_picker, open_cached
from pages.ui.empty import demo_button, empty_state, simulated_badge
from pages.ui.explore_averages import show_averages
from pages.ui.explore_redshifts import show_redshifts
from pages.ui.explore_spectrum import show_spectrum
from pages.ui.nav import guard
from pages.ui.text import count

guard("pages/explore.py")

st.title("Explore")
folder = dataset_picker()
if folder is None:
    empty_state(
        "There is no dataset yet. Add a file of spectra, or load the demo survey.",
        "Add data",
        "pages/data.py",
    )
    demo_button()
    st.stop()

dataset = open_cached(folder)
with st.container(horizontal=True):
    simulated_badge(dataset.info)
    st.caption(
        f"{count(len(dataset.source_id))} spectra, {count(len(dataset.usable_rows()))} usable "
        "for training"
    )
if dataset.info.get("has_z", True):
    show_redshifts(folder)
    show_averages(folder)
else:
    st.info("This dataset has no redshifts, so there is no distribution to show.")
show_spectrum(folder)
