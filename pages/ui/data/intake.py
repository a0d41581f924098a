"""How a file of spectra comes in: uploaded, or already in the inbox; with its columns mapped.

Data and Predict share it. A header that is not recognised opens a form with the first rows, in
which the visitor names the columns; everything else goes straight to the job.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui import server
from pages.ui.data.upload import upload
from pages.ui.text import escape, size
from redshift_core import jobs
from redshift_core.constants import N_PIXELS
from redshift_core.data import Preview, preview
from redshift_core.data.archive.unfinished import unfinished
from redshift_core.data.files import PARQUET, size_of
from redshift_core.errors import InputError
from redshift_core.store import JobFolder, Store

NONE = "none"  # as a column mapping says it
FILES = ("file", "ids", "redshifts")  # of a job's request, that may be uploads
RECENT_JOBS = 200  # newest jobs that are asked which uploads they have read


@dataclass(frozen=True)
class Incoming:
    """A file to be read, and how its columns are called where the header does not say."""

    path: Path
    columns: dict[str, str] | None = None


def upload_door(store: Store, label: str, key: str) -> None:
    """File input; what arrives is handed to ``incoming`` of the same key."""
    if path := upload(store, label, f"upload_{key}"):
        _choose(path, key)


def inbox_door(store: Store, key: str) -> None:
    """Select box over the files in the inbox."""
    files = inbox_files(store)
    if not files:
        st.markdown(
            "No file waits in the inbox. Copy one into the folder below on the computer that runs "
            "this dashboard; it appears here at once, and stays there."
        )
        st.code(str(store.inbox), language=None)
        return
    named = {str(p.relative_to(store.inbox)): p for p in files}
    texts = {name: f"{name} · {size(size_of(path))}" for name, path in named.items()}
    name = st.selectbox("File in the inbox", list(named), format_func=texts.get, key=f"in_{key}")
    st.caption(f"Folder {escape(str(store.inbox))} on the server. The file stays where it is.")
    if st.button("Use this file", key=f"use_{key}", icon=":material/input:"):
        _choose(named[name], key)


def inbox_files(store: Store) -> list[Path]:
    """Whole files in the inbox and its folders, and folders of Parquet parts.

    None of them is a link to somewhere else.
    """
    root = store.inbox.resolve()
    paths = [path for path in sorted(store.inbox.rglob("*")) if path.resolve().is_relative_to(root)]
    whole = [
        path
        for path in paths
        if path.is_file()
        and not path.name.startswith((".", "_"))
        and path.suffix not in (".part", ".tmp")
    ]
    parts = {path.parent for path in whole if path.suffix.lower() in PARQUET}
    folders = [path for path in paths if path in parts and path != root]
    return [*whole, *folders]


def incoming(key: str, *, with_z: bool) -> Incoming | None:
    """File chosen at one of the doors, once it is known how to read it.

    Shows the column mapping while that is not known.

    Parameters
    ----------
    with_z : bool
        Also ask where no column is recognised as the redshift but one might be.
    """
    chosen = st.session_state.get(f"_file_{key}")
    if not chosen:
        return None
    path = Path(chosen)
    columns = None
    try:
        seen = preview(path)
    except InputError:
        seen = None  # not spectra at all: the job says so, and keeps its sentence
    if seen is not None and (question := _question(seen, with_z)):
        columns = _mapping(path, seen, question, key)
        if columns is None:
            return None
    del st.session_state[f"_file_{key}"]
    return Incoming(path, columns)


def tidy(store: Store) -> None:
    """Remove uploaded copies whose job has ended, but for the one that was predicted last.

    Its run may yet be adapted to it.
    """
    if not any(store.inbox.glob(f"{server.UPLOAD_PREFIX}*")):
        return
    busy: set[str] = set()
    ended: set[str] = set()
    recent = store.jobs()[:RECENT_JOBS]
    last = next((job for job in recent if job.request.get("kind") == "predict"), None)
    for job in recent:
        if files := {job.request[key] for key in FILES if job.request.get(key)}:
            (busy if job == last or jobs.status(job).active else ended).update(files)
    for fetch in unfinished(store):
        busy |= {fetch.request.ids, fetch.request.redshifts}
    busy |= {str(value) for name, value in st.session_state.items() if str(name)[:6] == "_file_"}
    server.sweep(store, busy, ended)


def current_job(store: Store, kinds: tuple[str, ...]) -> JobFolder | None:
    """Job that the address names (``?job=…``), else the newest one still at work."""
    by_id = {job.id: job for job in store.jobs()}
    wanted = by_id.get(st.query_params.get("job", ""))
    if wanted is not None and _is_one(wanted, kinds):
        return wanted
    for job in list(by_id.values())[:20]:
        if _is_one(job, kinds) and jobs.status(job).active:
            return job
    return None


def follow(job: JobFolder) -> None:
    """Name a job in the address and show the page again."""
    st.query_params["job"] = job.id
    st.rerun()


def _is_one(job: JobFolder, kinds: tuple[str, ...]) -> bool:
    """Whether a job makes a dataset, or predicts; one that only counts sources does neither."""
    return job.request.get("kind") in kinds and not job.request.get("count")


def hand_over(path: Path, key: str) -> None:
    """Let ``incoming`` of this key find a file, as if it had come by one of its doors."""
    st.session_state[f"_file_{key}"] = str(path)


def _choose(path: Path, key: str) -> None:
    hand_over(path, key)
    st.rerun()


def _question(seen: Preview, with_z: bool) -> str:
    if seen.problem:
        return seen.problem
    if with_z and seen.mapping["z"] == NONE and seen.other:
        return (
            "No column is called like a redshift. If one of them holds it, name it here; without "
            "redshifts the spectra can be looked at and predicted, not trained on."
        )
    return ""


def _mapping(path: Path, seen: Preview, question: str, key: str) -> dict[str, str] | None:
    """Form that names the columns; None until it is filled in and fits the first rows."""
    st.subheader(f"Which columns of {escape(path.name)}?")
    st.warning(escape(question), icon=":material/view_column:")
    st.dataframe(seen.head, height=220, hide_index=True, alt="First rows of the file")
    names = list(seen.columns)
    options = [NONE, *names]
    guess = seen.mapping
    with st.form(f"columns_{key}", border=True):
        left, right = st.columns(2)
        z, source = (
            column.selectbox(
                label, options, options.index(guess.get(name, NONE)), key=f"{name}_{key}"
            )
            for column, label, name in ((left, "Redshift", "z"), (right, "Source id", "source_id"))
        )
        first = left.selectbox(
            "First flux column", names, max(0, len(names) - N_PIXELS), key=f"first_{key}"
        )
        last = right.selectbox("Last flux column", names, len(names) - 1, key=f"last_{key}")
        pattern = st.text_input(
            "Or flux columns by pattern",
            guess.get("flux", ""),
            placeholder="bp{}+rp{}",
            key=f"pattern_{key}",
            help="A name with {} for the number; BP and RP joined by +. Used instead of first "
            "and last where it is filled in.",
        )
        ready = st.form_submit_button("Use these columns", type="primary")
    if st.button("Cancel", key=f"cancel_{key}"):
        del st.session_state[f"_file_{key}"]
        server.discard(path)
        st.rerun()
    if not ready:
        return None
    columns = {"z": z, "source_id": source, "flux": pattern.strip() or f"{first}:{last}"}
    try:
        problem = preview(path, columns).problem
    except InputError as error:
        problem = str(error)
    if problem:
        st.error(escape(problem))
        return None
    return columns
