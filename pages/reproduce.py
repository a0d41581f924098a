"""Reproduce: the dissertation figure by figure and table by table, published values beside."""

import streamlit as st

from pages.ui.choose import dataset_picker, open_cached
from pages.ui.empty import demo_button, empty_state, simulated_badge
from pages.ui.nav import guard
from pages.ui.parts import show_part
from pages.ui.reproduce.items import continue_button, next_step, run_on, show_item
from pages.ui.share import offer_files, share
from pages.ui.text import escape
from redshift_core.reports.reproduce import CHAPTERS, Source, discrepancies_table, notes
from redshift_core.store import Store

REMARKS = "Remarks"

guard("pages/reproduce.py")


def draw_others() -> None:
    """Draw other galaxies; runs before the page is drawn again."""
    st.session_state["draw"] = st.session_state.get("draw", 0) + 1


st.title("Reproduce")
st.caption(
    "A. Kiraleos, “Application of Machine Learning Methods on Astronomical Databases”: its "
    "Tables 1–3 and Figures 9–18, made again from your data."
)
store = Store()
left, right = st.columns(2)
with left:
    folder = dataset_picker()
if folder is None:
    empty_state(
        "There is no dataset to make the figures from yet. Add a file of spectra with redshifts, "
        "or load the demo survey.",
        "Add data",
        "pages/data.py",
    )
    demo_button()
    st.stop()
if not folder.info.get("has_z", True):
    st.info("This dataset has no redshifts; the dissertation's figures need them.")
    st.stop()
with right:
    run = run_on(store, folder)
source = Source(open_cached(folder), run, st.session_state.get("draw", 0))
simulated_badge(folder.info)
if source.damage:
    st.warning(escape(source.damage), icon=":material/broken_image:")
for note in notes(source):
    st.caption(escape(note))
next_step(store, folder, run)
with st.container(horizontal=True, vertical_alignment="center"):
    if run:
        continue_button(run)
        share(run, folder.id if source.metrics else "")
    with st.popover("All in one HTML file", icon=":material/article:", key="whole"):
        st.caption("Every figure and table below in one file that opens without network.")
        since = run.last_evaluated() if run else 0.0
        name = run.id if run else ""
        offer_files("Make the file", "reproduce", since=since, dataset=folder.id, run=name)
chapter = st.segmented_control(
    "Chapter", [*CHAPTERS, REMARKS], default="Data", required=True, key="chapter",
    bind="query-params",
)  # fmt: skip
if chapter == REMARKS:
    st.subheader("Where text and numbers disagree")
    show_part(discrepancies_table(), "remarks", {})
    st.stop()
if chapter == "Data":
    st.button("Draw other galaxies", key="draw_others", icon=":material/casino:",
              on_click=draw_others)  # fmt: skip
for item in CHAPTERS[chapter]:
    show_item(item, source)
