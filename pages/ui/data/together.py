"""Several files that arrived at once: a dataset each, or the parts of one table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from pages.ui import server
from pages.ui.text import counted, escape
from redshift_core import jobs
from redshift_core.data import preview
from redshift_core.data.files import files_of
from redshift_core.errors import InputError
from redshift_core.settings.names import in_words
from redshift_core.store import JobFolder, Store, slug

EACH, PARTS = "A dataset each", "Parts of one table"
LISTED = "_together"  # ids of the jobs that read the files of this session's last upload


def waiting(key: str) -> list[Path]:
    """Files that arrived at once and are not read yet."""
    return [Path(name) for name in st.session_state.get(f"_file_batch_{key}", [])]


def keep(paths: Sequence[Path], key: str) -> None:
    """Remember files that arrived at once until the visitor says what they are."""
    st.session_state[f"_file_batch_{key}"] = [str(path) for path in paths]
    st.session_state[LISTED] = []


def ask(key: str) -> list[Path]:
    """What the files are; those to be read, once the visitor has said it."""
    paths = waiting(key)
    if not paths:
        return []
    with st.container(border=True):
        names = ", ".join(escape(path.name) for path in paths)
        st.markdown(f"**{counted(len(paths), 'file')} have arrived:** {names}")
        how = st.radio("They are", [EACH, PARTS], horizontal=True, key=f"how_{key}")
        name = paths[0].name.split(".")[0]
        if how == PARTS:
            name = st.text_input("Name of the table", name, max_chars=80, key=f"whole_{key}")
        ready = st.button("Read them", type="primary", key=f"read_together_{key}")
    if st.button("Cancel", key=f"cancel_together_{key}"):
        del st.session_state[f"_file_batch_{key}"]
        for path in paths:
            server.discard(path)
        st.rerun()
    if not ready:
        return []
    if how == PARTS:
        try:
            paths = [_join(paths, name)]
        except InputError as error:
            st.error(escape(str(error)))
            return []
    del st.session_state[f"_file_batch_{key}"]
    return paths


def note(job: JobFolder) -> None:
    """Let `outcomes` list a job, if it reads one of several files."""
    if LISTED in st.session_state:
        st.session_state[LISTED].append(job.id)


def outcomes(store: Store) -> None:
    """What became of the files that arrived at once, and why some were left out."""
    listed = [JobFolder(store.root / "jobs" / name) for name in st.session_state.get(LISTED, [])]
    listed = [job for job in listed if job.request]
    if len(listed) < 2:
        return
    rows = [(Path(job.request["file"]).name, _outcome(job)) for job in listed]
    table = pd.DataFrame(rows, columns=["File", "What became of it"])
    with st.expander(f"Read together ({counted(len(rows), 'file')})", expanded=True):
        st.table(table, hide_index=True, alt="What became of each file")


def _outcome(job: JobFolder) -> str:
    now = jobs.status(job)
    if now.state != "finished":
        said = now.message or now.state
        return escape(f"Left out: {said}" if now.state in ("failed", "lost") else said)
    result = job.result
    again = ", as an earlier dataset holds them already" if result.get("existing") else ""
    return f"{counted(result['rows'], 'galaxy')}{again}"


def _join(paths: list[Path], name: str) -> Path:
    """Files as the parts in one folder; as they were before where they are no table together."""
    folder = paths[0].parent / slug(name, "table")
    folder.mkdir()
    moved = {path: folder / f"{place:02d}-{path.name}" for place, path in enumerate(paths)}
    for old, new in moved.items():
        os.replace(old, new)
    try:
        taken = {path.name for path in files_of(folder)}
        if left := [old.name for old, new in moved.items() if new.name not in taken]:
            raise InputError(
                f"{in_words(left)} cannot be read as a part of one table with the others; send "
                "the parts alone, or read each as a dataset."
            )
        preview(folder)
    except InputError:
        for old, new in moved.items():
            os.replace(new, old)
        folder.rmdir()
        raise
    for path in paths[1:]:
        path.parent.rmdir()
    return folder
