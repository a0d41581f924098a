"""Compare: runs side by side, and the door for runs that were made elsewhere."""

import streamlit as st

from pages.ui.compare.runs import add_run, chosen_runs, show_comparison
from pages.ui.compare.studies import show_studies
from pages.ui.damaged import show_damaged
from pages.ui.empty import empty_state
from pages.ui.nav import guard
from pages.ui.share import import_door
from redshift_core.store import Store

guard("pages/compare.py")

st.title("Compare")
store = Store()
runs = store.runs()
if not runs:
    empty_state("There is no run to compare yet. Train one first.", "Train a run", "pages/train.py")
with st.expander("Import a run from a ZIP file", icon=":material/upload:", expanded=not runs):
    import_door(add_run)
if runs:
    chosen = chosen_runs(runs)
    if chosen:
        show_comparison(store, chosen)
    else:
        st.info("Choose one run or more.")
show_studies(store)
show_damaged("runs", "bench", "limits")
