"""Evaluate: how good a run's redshifts are, overall, per bin and galaxy by galaxy."""

from dataclasses import replace

import streamlit as st

from pages.ui import choose
from pages.ui.damaged import DatasetNames
from pages.ui.empty import empty_state, show_origin, simulated_badge
from pages.ui.evaluate import data
from pages.ui.evaluate.bins import show_bins
from pages.ui.evaluate.densities import show_densities
from pages.ui.evaluate.errors import show_errors
from pages.ui.evaluate.estimate import show_estimate
from pages.ui.evaluate.flags import show_flags
from pages.ui.evaluate.galaxies import show_galaxies
from pages.ui.evaluate.headlines import show_headlines
from pages.ui.evaluate.incumbent import show_incumbent
from pages.ui.evaluate.jobs import evaluated_on, follow, other_datasets, unevaluated
from pages.ui.evaluate.plane import show_plane
from pages.ui.evaluate.real import show_real_galaxies
from pages.ui.evaluate.stress import show_stress
from pages.ui.nav import guard
from pages.ui.remarks import show_remarks
from pages.ui.share import share
from pages.ui.text import count, counted, escape
from pages.ui.verdict import show_verdict
from redshift_core.data.scaling import brittle_note
from redshift_core.evaluation.honesty import remarks
from redshift_core.pdf import USUAL
from redshift_core.store import RunFolder, Store, simulator_version

guard("pages/evaluate.py")


def result(store: Store, run: RunFolder, dataset: str, own: str) -> None:
    """Everything on one evaluation."""
    metrics = run.metrics(dataset)
    rows = counted(metrics.n, "test row" if dataset == own else "usable row")
    found = {folder.id: folder for folder in store.datasets()}.get(dataset)
    has_predictions = run.predictions_path(dataset).exists()
    n_flagged, reservation = metrics.n_flagged, ""
    without = f"; flagged rows, not counted: {count(n_flagged)}" if n_flagged else ""
    if has_predictions:
        known = data.summary(data.key(run, dataset))
        without += f"; {count(known.n_without)} more got no redshift" if known.n_without else ""
        reservation = known.reservation
    with st.container(horizontal=True, vertical_alignment="center"):
        simulated_badge(found.info if found else metrics.about)
        name = escape(DatasetNames(store)[dataset])
        st.caption(f"{rows} of {name}{without}")
    if reservation:
        st.warning(reservation)
    show_verdict(metrics.verdict)
    about = simulator_version.trained_on(run, store)
    if (found is None or dataset != own) and (said := simulator_version.outdated(about)):
        st.caption(f"What the run was trained on was {said}")
    if has_predictions and (why := data.densities_damage(run, dataset)):
        st.warning(escape(why), icon=":material/broken_image:")
    if has_predictions and data.has_densities(run, dataset):
        show_estimate(run, dataset)
        if (seen := data.key(run, dataset)).estimate != USUAL:
            known = data.headlines(seen)
            metrics = replace(
                metrics, figures=known.figures, n=known.n, bins=known.bins, intervals={},
                estimate=seen.estimate.text(),
            )  # fmt: skip
    if metrics.remarks is not None:
        show_remarks(remarks(metrics))  # of the estimate that is seen
    show_headlines(metrics)
    if not has_predictions:
        st.info("The table of predictions of this evaluation is gone; evaluate the run again.")
        return
    for section in (
        show_bins, show_plane, show_errors, show_incumbent, show_densities, show_real_galaxies,
        show_galaxies, show_flags, show_stress,
    ):  # fmt: skip
        section(run, dataset, metrics)


st.title("Evaluate")
store = Store()
if message := st.session_state.pop("evaluate_error", None):
    st.error(escape(message))
run = choose.run_picker(base=True)
if run is None:
    empty_state("There is no run to judge yet. Train one first.", "Train a run", "pages/train.py")
    st.stop()
own = run.config.dataset
if run.config.scaler.fit_on == "all":
    st.warning(
        "This run's scaler was fitted on all rows, the test rows among them, as in the "
        "dissertation's listing: its test figures are not independent."
    )
show_origin(run)
if note := brittle_note(run.scaler_path):
    st.warning(note)
busy = follow(store, run)
if run.evaluated():
    with st.container(horizontal=True, vertical_alignment="bottom"):
        dataset = evaluated_on(store, run, own)
        other_datasets(store, run)
        share(run, dataset)
    result(store, run, dataset, own)
elif not busy:
    unevaluated(store, run, own)
