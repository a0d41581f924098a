"""How a file of spectra comes in: uploaded, or already in the inbox; with its columns mapped.

Data and Predict share it. A header that is not recognised opens a form with the first rows, in
which the visitor names the columns (`columns`); everything else goes straight to the job, unless
the visitor wants to see the form. Of several files, each is asked about in turn (`together`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui import server
from pages.ui.data import together
from pages.ui.data.columns import columns_form, question
from pages.ui.data.upload import MOST, uploads
from pages.ui.text import escape, size
from redshift_core import jobs
from redshift_core.data import preview
from redshift_core.data.archive.unfinished import unfinished
from redshift_core.data.files import PARQUET, size_of
from redshift_core.errors import InputError
from redshift_core.store import DatasetFolder, JobFolder, Store, readable
from redshift_core.store.read_only import is_read_only

OTHER = "Read with other columns"
FILES = ("file", "ids", "redshifts")  # of a job's request, that may be uploads
RECENT_JOBS = 200  # newest jobs that are asked which uploads they have read


@dataclass(frozen=True)
class Incoming:
    """A file to be read, and how its columns are called where the header does not say."""

    path: Path
    columns: dict[str, str] | None = None


def upload_door(store: Store, label: str, key: str, *, several: bool = False) -> None:
    """File input; what arrives is handed to ``incoming`` of the same key.

    Parameters
    ----------
    several : bool
        Whether several files are taken at once; else the browser says which it leaves out.
    """
    arrived = uploads(store, label, f"upload_{key}", most=MOST if several else 1)
    if not is_read_only():
        st.toggle(
            "Show the columns before the file is read", key=f"ask_{key}", persist_state="session"
        )
    if arrived:
        st.session_state[f"_columns_{key}"] = st.session_state[f"ask_{key}"]
    if len(arrived) > 1:
        together.keep(arrived, key)
        st.rerun()
    elif arrived:
        st.session_state.pop(together.LISTED, None)
        _choose(arrived[0], key)
    if chosen := together.ask(key):
        st.session_state[f"_file_queue_{key}"] = [str(path) for path in chosen[1:]]
        _choose(chosen[0], key)


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
    named = {readable(str(p.relative_to(store.inbox))): p for p in files}
    texts = {name: f"{name} · {size(size_of(path))}" for name, path in named.items()}
    name = st.selectbox("File in the inbox", list(named), format_func=texts.get, key=f"in_{key}")
    st.caption(f"Folder {escape(str(store.inbox))} on the server. The file stays where it is.")
    with st.container(horizontal=True):
        if st.button("Use this file", key=f"use_{key}", icon=":material/input:"):
            _choose(named[name], key)
        if st.button(OTHER, key=f"other_{key}", icon=":material/view_column:"):
            open_form(named[name], key)


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
    queue = st.session_state.get(f"_file_queue_{key}", [])
    if queue and f"_file_{key}" not in st.session_state:
        hand_over(Path(queue.pop(0)), key)
    chosen = st.session_state.get(f"_file_{key}")
    if not chosen:
        return None
    path = Path(chosen)
    columns = None
    try:
        seen = preview(path)
    except InputError:
        seen = None  # not spectra at all: the job says so, and keeps its sentence
    asked = question(seen, with_z) if seen else ""
    if seen is not None and (asked or st.session_state.get(f"_columns_{key}")):
        columns = columns_form(path, seen, asked, key)
        if columns is None:
            return None
    del st.session_state[f"_file_{key}"]
    if not queue:
        st.session_state.pop(f"_columns_{key}", None)
    return Incoming(path, columns)


def open_form(path: Path, key: str) -> None:
    """Show the form of the columns of a file, whatever is recognised in it."""
    try:
        preview(path)
    except InputError as error:  # naming its columns would not help
        st.error(escape(str(error)))
        return
    st.session_state[f"_columns_{key}"] = True
    _choose(path, key)


def read_again(store: Store, folder: DatasetFolder, key: str) -> None:
    """Button that opens the form of the columns for the file that a dataset was read from."""
    if is_read_only() or not folder.info.get("source_file") or "archive" in folder.info:
        return
    if not st.button(OTHER, key=f"again_{folder.id}", icon=":material/view_column:"):
        return
    made = (job.request for job in store.jobs()[:RECENT_JOBS] if _made(job, folder))
    path = next((Path(one["file"]) for one in made if Path(one.get("file", "")).exists()), None)
    if path:
        open_form(path, key)
        return
    st.info(
        f"The copy of {escape(folder.info['source_file'])} that was uploaded is gone. Switch on "
        "*Show the columns before the file is read*, and upload it again."
    )


def _made(job: JobFolder, folder: DatasetFolder) -> bool:
    return job.request.get("kind") == "ingest" and job.result.get("dataset") == folder.id


def tidy(store: Store) -> None:
    """Remove uploaded copies whose job has ended, but for the one that was predicted last.

    Its run may yet be adapted to it.
    """
    if is_read_only() or not any(store.inbox.glob(f"{server.UPLOAD_PREFIX}*")):
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
    for name, value in st.session_state.items():
        if str(name).startswith("_file_"):
            busy |= {value} if isinstance(value, str) else set(value)
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
