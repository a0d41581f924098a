"""Home: what this is, the three steps, the demo survey one click away, and what is here already."""

from __future__ import annotations

import streamlit as st

from pages.ui import choose
from pages.ui.damaged import show_damaged
from pages.ui.display import chart
from pages.ui.empty import demo_button
from pages.ui.jobs.home import show_store
from pages.ui.nav import guard
from pages.ui.text import counted, escape
from redshift_core import constants, figures, jobs, reference
from redshift_core.settings.names import FORMAT_TITLES
from redshift_core.store import DatasetFolder, Folder, RunFolder, Store

guard("pages/home.py")

RECENT = 5
STEPS = (
    (
        "1 · Bring spectra",
        f"A {FORMAT_TITLES} file of 186 Gaia BP/RP fluxes per galaxy, with redshifts where "
        "they are known.",
        "pages/data.py",
        "Go to Data",
        ":material/database:",
    ),
    (
        "2 · Train a network",
        "Start from a preset, watch the error fall, stop and resume; then see how well it does "
        "in every redshift bin.",
        "pages/train.py",
        "Go to Train",
        ":material/model_training:",
    ),
    (
        "3 · Predict redshifts",
        "Apply the network to galaxies without a redshift; download redshifts, intervals, flags.",
        "pages/predict.py",
        "Go to Predict",
        ":material/auto_awesome:",
    ),
)


def steps() -> None:
    """Three cards, one per step."""
    for column, (title, text, page, label, icon) in zip(st.columns(3), STEPS, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.markdown(text)
            st.page_link(page, label=label, icon=icon)


def recent_dataset(folder: DatasetFolder) -> None:
    """Name, leading to Explore; size, mark, time."""
    info = folder.info
    facts = [counted(info.get("n_rows", 0), "galaxy")]
    facts += ["SIMULATED"] * bool(info.get("simulated"))
    entry(folder, facts, "pages/explore.py", ":material/query_stats:", {"dataset": folder.id})


def recent_run(run: RunFolder) -> None:
    """Name, leading to Evaluate, or to Train where it has not finished; state, error, time."""
    state = jobs.status(run).state
    error = run.result.get("val_mae")
    facts = [state] if error is None else [state, f"validation MAE {error:.4f}"]
    if state == "finished":
        entry(run, facts, "pages/evaluate.py", ":material/fact_check:", {"run": run.id})
    else:
        query = {"run": run.id, "view": "Runs"}
        entry(run, facts, "pages/train.py", ":material/model_training:", query)


def entry(folder: Folder, facts: list[str], page: str, icon: str, query: dict[str, str]) -> None:
    """A link, and below it what is known of the folder."""
    with st.container(gap=None):
        st.page_link(page, label=f"**{escape(folder.name)}**", icon=icon, query_params=query)
        st.caption(" · ".join([*facts, choose.when(folder)]))


st.title("Redshift Lab")
st.markdown(
    "Turns the low-resolution BP/RP spectra of galaxies that Gaia observed into redshifts, with a "
    "neural network that you train here and judge against published results."
)
demo_button("Try it with the demo survey")
steps()
st.page_link(
    "pages/glossary.py", label="New to the words? The glossary explains them with figures.",
    icon=":material/menu_book:",
)  # fmt: skip

store = Store()
datasets, runs = store.datasets()[:RECENT], store.runs()[:RECENT]
left, right = st.columns(2)
with left:
    st.subheader("Recent datasets")
    for dataset in datasets:
        recent_dataset(dataset)
    if not datasets:
        st.caption("None yet: load the demo survey, or bring your own file on the Data page.")
with right:
    st.subheader("Recent runs")
    for run in runs:
        recent_run(run)
    if not runs:
        st.caption(
            "None yet: a run appears here once you have started one on the Train page. For "
            "redshifts without training, Predict offers the base network."
        )

show_store(store)
show_damaged()

st.subheader("What the network sees")
chart(
    figures.published_averages(reference.average_flux(), constants.wavelength()),
    key="published_averages",
    caption="Average Gaia BP/RP spectra of galaxies in six redshift ranges, read off the "
    "dissertation's figure and divided by the peak of the first. "
    "A curve that runs behind others could not be read there. Wavelength scale inferred, nm.",
    alt="Published average spectra: flux falls and the peak moves as redshift grows from 0 to 0.6",
)
