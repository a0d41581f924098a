"""Predict: apply a run to a file of spectra, look at what came out, take it home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import choose, server
from pages.ui.data import intake
from pages.ui.display import chart
from pages.ui.empty import empty_state, lacks_tensorflow, show_origin, simulated_badge
from pages.ui.jobs.job import show_job
from pages.ui.nav import guard
from pages.ui.predict import adapt, estimate, summary
from pages.ui.predict.base import note_base, offer_base
from pages.ui.predict.catalogue import catalogue_door, catalogue_outcome
from pages.ui.predict.likeness import show_likeness
from pages.ui.predict.recalibrate import recalibration
from pages.ui.remarks import show_remarks
from pages.ui.text import count, escape, size
from pages.ui.verdict import show_verdict
from redshift_core import jobs
from redshift_core.constants import MISSING, shown
from redshift_core.data.scaling import brittle_note
from redshift_core.evaluation.honesty import gravest, remarks_of_run
from redshift_core.evaluation.training_range import FLAGS
from redshift_core.settings.names import FORMATS, WRITTEN
from redshift_core.store import JobFolder, RunFolder, Store, demo_file, reading, simulator_version
from redshift_core.store.base import base_id
from redshift_core.store.read_only import is_read_only

guard("pages/predict.py")

KINDS = ("predict", "adapt", "catalogue")
TITLES = {ending: FORMATS[name].title for ending, name in WRITTEN.items()} | {
    ".npy": "p(z) as .npy"
}
COLUMNS = "row, source_id where the file has ids, z_phot (empty where there is none)"
INTERVALS = "z_low68 to z_high68 and z_low95 to z_high95 (hold 68 and 95 % of p(z))"


def doors(store: Store, run: RunFolder) -> None:
    """Four ways to the spectra; a chosen file starts the job."""
    upload, inbox, catalogue, demo = st.tabs(
        ["Upload", "File on the server", "Catalogue", "Demo survey"]
    )
    with upload:
        intake.upload_door(store, "Spectra: 186 fluxes per galaxy; no z is needed", "predict")
    with inbox:
        intake.inbox_door(store, "predict")
    with catalogue:
        wishes = estimate.asked() if estimate.gives_densities(run) else {}
        catalogue_door(store, run, {key: one for key, one in wishes.items() if key != "pdf"})
    with demo:
        st.markdown(
            "The 5,000 SIMULATED galaxies that come with the program. A run trained on them has "
            "seen most of them, so this shows the steps, not the accuracy."
        )
        if st.button(
            "Predict the demo survey", key="predict_demo", icon=":material/rocket_launch:"
        ):
            start(store, run, intake.Incoming(demo_file()))
    if found := intake.incoming("predict", with_z=False):
        start(store, run, found)


def start(store: Store, run: RunFolder, found: intake.Incoming) -> None:
    """Start the job and follow it."""
    request: dict[str, Any] = {"columns": found.columns} if found.columns else {}
    if estimate.gives_densities(run):
        request |= estimate.asked()
    intake.follow(jobs.start(store, "predict", run=run.id, file=str(found.path), **request))


def result(job: JobFolder) -> None:
    """Counts, flags, histogram, first rows and downloads of a finished job."""
    outcome = job.result
    table = next(Path(file) for file in outcome["files"] if file.endswith(".parquet"))
    if not table.exists():
        st.info(
            f"The predictions of {escape(Path(job.request['file']).name)} were removed to make "
            "room. Choose the file again above to predict it once more."
        )
        return
    with reading(table, "Predict the file again."):
        seen = summary.summary(str(table), table.stat().st_mtime_ns)
    request = job.request
    st.subheader("Predicted redshifts")
    how = f"; z_phot: {estimate.said(request)}" if request.get("estimate") else ""
    st.caption(
        f"{escape(Path(request['file']).name)}, by run {escape(request['run'])}, "
        f"{choose.when(job)}{escape(how)}"
    )
    with st.container(horizontal=True, gap="medium"):
        st.metric("Spectra", count(outcome["rows"]), width="content")
        st.metric("With a redshift", count(seen.n_predicted), width="content")
        st.metric("Flagged", count(seen.n_flagged), width="content")
        st.metric("Median z_phot", shown(seen.median), width="content")
    show_verdict(outcome.get("verdict"))
    show_likeness(outcome)
    recalibration(store, job)
    downloads(job, [Path(file) for file in outcome["files"]], "z_low68" in seen.head)
    if seen.n_predicted:
        chart(
            summary.figure(seen),
            key="z_phot_histogram",
            caption=f"Predicted redshift z_phot (dimensionless) of {count(seen.n_predicted)} "
            f"spectra, bins of {summary.WIDTH:g}"
            + (f"; {count(seen.n_outside)} more outside 0–0.6." if seen.n_outside else "."),
            alt=f"Histogram of {count(seen.n_predicted)} predicted redshifts, "
            f"median {seen.median:.3f}",
            about=outcome,
        )
    flags(outcome["flagged"])
    if said := outcome.get("source_ids", {}).get("text"):
        st.caption(said)
    if seen.n_predicted:
        adapt.offer(store, job, seen.median)
    with st.expander("First rows", icon=":material/table_rows:"):
        st.dataframe(
            seen.head, hide_index=True, placeholder=MISSING,
            alt="First rows of the table of predictions",
        )  # fmt: skip


def downloads(job: JobFolder, files: list[Path], with_intervals: bool) -> None:
    """One button per format; the file streams from disk."""
    with st.container(horizontal=True):
        for path in files:
            st.link_button(
                f"Download {TITLES[path.suffix]} ({size(path.stat().st_size)})",
                server.download_url(job, path),
                icon=":material/download:",
                type="primary" if path.suffix == ".csv" else "secondary",
            )
    st.caption(f"Columns: {COLUMNS}{f', {INTERVALS}' * with_intervals}, flags joined by |.")
    if any(path.suffix == ".fits" for path in files):
        st.caption(
            "FITS, VOTable and ECSV say what each column is (description, unit, UCD) and which "
            "run it comes from, for TOPCAT or astropy."
        )
    if any(path.suffix == ".npy" for path in files):
        st.caption(
            "p(z): a NumPy array of (spectra, 240), the density per unit of z on 240 equal bins "
            "of 0–0.6, in the order of the table; NaN where there is no redshift."
        )


def flags(flagged: dict[str, int]) -> None:
    """Table of flagged spectra by reason."""
    found = {name: n for name, n in flagged.items() if n}
    if not found:
        st.caption("No spectrum was flagged.")
        return
    reasons = [FLAGS.get(name, name) for name in found]
    table = pd.DataFrame({"Flag": list(found), "Spectra": list(found.values()), "Meaning": reasons})
    st.dataframe(table, hide_index=True, alt="Flagged spectra by reason")


st.title("Predict")
store = Store()
run = choose.run_picker(with_model=True, base=True)
if run is None and base_id():
    offer_base(store)
    st.stop()
if run is None:
    empty_state(
        "No run has a saved model yet. Train one first; preset **fast** takes about a minute on "
        "the demo survey.",
        "Train a network",
        "pages/train.py",
    )
    st.stop()
simulated_badge(simulator_version.trained_on(run, store))
note_base(run)
show_origin(run)
show_remarks(gravest(remarks_of_run(run)))
if note := brittle_note(run.scaler_path):
    st.warning(note)
if estimate.gives_densities(run):
    estimate.choose_estimate()
if not is_read_only() and not lacks_tensorflow("predict", run):
    doors(store, run)
job = intake.current_job(store, KINDS)
if job is None and is_read_only():
    st.caption("Open the link of a prediction to see it here.")
if job is not None:
    kind, file = job.request["kind"], Path(job.request.get("file", "")).name
    state = show_job(job, f"Adapting to {file}" if kind == "adapt" else f"Predicting {file}")
    if kind == "catalogue":
        catalogue_outcome(store, job, state)
    elif state.state == "finished" and kind == "predict":
        result(job)
    elif state.state == "finished":
        adapt.adapted(job)
intake.tidy(store)
