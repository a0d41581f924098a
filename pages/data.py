"""Data: bring spectra in by one of five doors, then see what was found and what flagged."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import choose
from pages.ui.data import intake, together
from pages.ui.data.archive import archive_door
from pages.ui.data.fetched import unfinished_fetches
from pages.ui.data.likeness import show_likeness
from pages.ui.data.report import datasets_table, report
from pages.ui.empty import demo_button
from pages.ui.jobs.job import delete, show_failure, show_job
from pages.ui.nav import guard
from pages.ui.text import count, counted, escape
from redshift_core import jobs
from redshift_core.store import JobFolder, Store
from redshift_core.store.read_only import is_read_only

guard("pages/data.py")

KINDS = ("ingest", "simulate", "fetch")
DISTRIBUTIONS = {
    "published": "As in the dissertation's survey (median 0.13)",
    "flat": "Flat: every redshift from 0 to 0.6 equally often",
}


def doors(store: Store) -> None:
    """Five ways to a dataset."""
    upload, inbox, archive, demo, simulated = st.tabs(
        ["Upload", "File on the server", "From the archive", "Demo survey", "New simulated survey"]
    )
    with upload:
        what = "Spectra: 186 fluxes per galaxy, and z where it is known"
        intake.upload_door(store, what, "data", several=True)
    with inbox:
        intake.inbox_door(store, "data")
    with archive:
        archive_door(store)
    with demo:
        st.markdown("5,000 simulated galaxies that come with the program, ready in a moment.")
        demo_button(primary=False)
    with simulated:
        simulate_form(store)


def simulate_form(store: Store) -> None:
    """Size, seed and redshift distribution of a survey made here."""
    with st.form("simulate", border=False):
        left, middle, right = st.columns(3)
        n = left.number_input("Galaxies", 100, 5_000_000, 20_000, 1000)
        seed = middle.number_input("Seed", 0, 2**31 - 1, 1, help="Same seed, same survey.")
        redshifts = right.selectbox("Redshifts", list(DISTRIBUTIONS), format_func=DISTRIBUTIONS.get)
        name = st.text_input("Name", placeholder="Simulated survey", max_chars=80)
        if st.form_submit_button("Simulate", icon=":material/science:"):
            name = name.strip() or f"Simulated {redshifts} {count(n)}"
            request = {"n": int(n), "seed": int(seed), "redshifts": redshifts, "name": name}
            intake.follow(jobs.start(store, "simulate", **request))
    st.caption("520,393 galaxies, the size of the published data set, take 0.4 GB on disk.")
    show_likeness()


def running(store: Store) -> None:
    """The job at work or just ended, and what became of it."""
    job = intake.current_job(store, KINDS)
    if job is None:
        return
    state = show_job(job, title(job))
    if state.state == "finished":
        result = job.result
        choose.select(dataset=result["dataset"])
        if result.get("existing"):
            st.toast("It is here already; showing its dataset.", icon=":material/info:")
        else:
            st.toast(f"{counted(result['rows'], 'galaxy')} read.", icon=":material/check:")
        st.query_params.pop("job", None)


def title(job: JobFolder) -> str:
    """What a job does, in the user's words."""
    request = job.request
    if request["kind"] == "simulate":
        return f"Simulating {counted(request.get('n', 0), 'galaxy')}"
    if request["kind"] == "fetch":
        return f"Fetching {request.get('name')}" if request.get("name") else "Counting the sources"
    return f"Reading {(request.get('file') or '').rsplit('/', 1)[-1]}"


def failures(store: Store) -> None:
    """What could not be read or fetched, each with its sentence."""
    failed = [
        (job, state)
        for job in store.jobs()[:50]
        if job.request.get("kind") in KINDS
        and (state := jobs.status(job)).state in ("failed", "lost")
        and job.id != st.query_params.get("job")
        and not job.request.get("count")
    ]
    if not failed:
        return
    with st.expander(f"What could not be read or fetched ({len(failed)})", icon=":material/error:"):
        for job, state in failed:
            st.markdown(f"**{escape(title(job))}** · {choose.when(job)}")
            show_failure(job, state)
            path = Path(job.request.get("file") or "")
            if path.is_file() and st.button(intake.OTHER, key=f"other_{job.id}", type="tertiary"):
                intake.open_form(path, "data")
            pressed = st.button("Remove this entry", key=f"forget_{job.id}", type="tertiary")
            if pressed and delete(job):
                st.rerun()


st.title("Data")
store = Store()
if not is_read_only():
    doors(store)
if found := intake.incoming("data", with_z=True):
    request = {"columns": found.columns} if found.columns else {}
    job = jobs.start(store, "ingest", file=str(found.path), **request)
    together.note(job)
    intake.follow(job)
running(store)
together.outcomes(store)
unfinished_fetches(store)
intake.tidy(store)
folder = choose.dataset_picker()
if folder is None:
    doors_above = (
        "" if is_read_only() else " Use one of the doors above; the demo survey is one click."
    )
    st.info(f"No dataset yet.{doors_above}")
else:
    report(folder)
    intake.read_again(store, folder, "data")
    datasets_table(store.datasets())
failures(store)
