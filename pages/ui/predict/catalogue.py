"""Predict, its fourth door: a folder of parts on this machine, predicted into another folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import choose, server
from pages.ui.data import intake
from pages.ui.text import count, counted, escape
from pages.ui.verdict import show_verdict
from redshift_core import jobs
from redshift_core.constants import duration
from redshift_core.data.files import catalogue_root
from redshift_core.data.parts import check_folders
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.jobs.machine import n_cores
from redshift_core.store import JobFolder, RunFolder, Store


def catalogue_door(store: Store, run: RunFolder, wishes: dict[str, Any]) -> None:
    """Form of the two folders; its job is handed to ``intake.follow``.

    Parameters
    ----------
    wishes : dict
        What the request says of p(z).
    """
    st.markdown(
        "A folder of Parquet parts, of the archive's bulk files, or a HATS catalogue. Each part "
        "becomes a Parquet file in the second folder, with a manifest; a stopped prediction goes "
        "on from there."
    )
    if not server.is_local():
        st.caption(
            "Folders are not chosen here, because this dashboard can be reached from other "
            "machines. Use `redshift-lab predict RUN CATALOGUE/ --out FOLDER/` on the server."
        )
        return
    with st.form("catalogue", border=False):
        source = st.text_input(
            "Folder of the catalogue", placeholder="/data/spectra", key="catalogue_source",
            persist_state="session", help="A path on this machine; nothing is written there.",
        )  # fmt: skip
        out = st.text_input(
            "Folder for the redshifts", placeholder="/data/redshifts", key="catalogue_out",
            persist_state="session", help="A path on this machine; new, empty, or one to go on in.",
        )  # fmt: skip
        workers = st.number_input(
            "Processes", 1, max(n_cores(), 1), None, key="catalogue_workers",
            placeholder="One for each core", help="A training at work keeps one core.",
        )  # fmt: skip
        ready = st.form_submit_button("Predict the catalogue", icon=":material/rocket_launch:")
    if not ready:
        return
    if not source.strip() or not out.strip():
        st.error("Give both folders.")
        return
    paths = [Path(text.strip()).expanduser().absolute() for text in (source, out)]
    try:
        check_folders(catalogue_root(paths[0]), paths[1])
    except InputError as error:
        st.error(escape(str(error)))
        return
    request = {"run": run.id, "file": str(paths[0]), "out": str(paths[1]), **wishes}
    request |= {"workers": int(workers)} if workers else {}
    intake.follow(jobs.start(store, "catalogue", **request))


def catalogue_outcome(store: Store, job: JobFolder, now: Status) -> None:
    """What a job on a catalogue came to, and the button that does what is missing."""
    if now.active:
        _failed(now.detail.get("failed") or [], now.detail.get("n_failed", 0))
        return
    done = job.result if now.state in ("finished", "stopped") else {}
    if done:
        _figures(job, done)
    if not done or done["parts"] < done["n_parts"]:
        st.caption("What is done stays; only the parts that are missing are predicted.")
        if st.button("Resume", key="resume_catalogue", icon=":material/resume:", type="primary"):
            request = {key: value for key, value in job.request.items() if key != "kind"}
            intake.follow(jobs.start(store, "catalogue", **request))


def _figures(job: JobFolder, done: dict[str, Any]) -> None:
    request = job.request
    st.subheader("Predicted redshifts")
    mark = ", trained on SIMULATED spectra" if done["simulated"] else ""
    st.caption(
        f"{escape(Path(request['file']).name)}, by run {escape(request['run'])}{mark}, "
        f"{choose.when(job)}"
    )
    with st.container(horizontal=True, gap="medium"):
        st.metric("Spectra", count(done["rows"]), width="content")
        st.metric("Parts", f"{count(done['parts'])} of {count(done['n_parts'])}", width="content")
        if done["rows_now"]:
            st.metric("Spectra per second", count(round(done["rate"])), width="content")
    if done["rows_now"]:
        st.caption(
            f"{count(done['rows_now'])} spectra were predicted by this job in "
            f"{duration(done['seconds'])}."
        )
    if done["rows"]:
        show_verdict(done["verdict"])
    hats = ", a HATS catalogue as the input is" if done["hats"] else ""
    st.caption(f"The redshifts and {escape(Path(done['manifest']).name)} are in this folder{hats}:")
    st.code(done["out"], language=None)
    _failed(done["failed"], done["n_failed"])


def _failed(named: list[dict[str, str]], n: int) -> None:
    """Parts that could not be predicted, the first of them by name."""
    if not n:
        return
    st.warning(
        f"{counted(n, 'part')} could not be predicted; the others are.",
        icon=":material/error:",
    )
    table = pd.DataFrame(named).rename(columns={"part": "Part", "why": "Reason"})
    st.dataframe(table, hide_index=True, alt="Parts that could not be predicted, and why")
