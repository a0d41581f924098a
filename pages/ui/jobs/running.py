"""Every job at work, long and short, each with its way there and a stop; the end of one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.jobs.job import stop
from pages.ui.text import counted, escape
from redshift_core import jobs
from redshift_core.jobs import Status
from redshift_core.store import JobFolder, RunFolder, Store, TuningFolder

SHOWN = 8  # jobs in the list
COLOURS = {
    "starting": "gray", "queued": "gray", "running": "blue", "stopping": "orange",
    "stopped": "orange", "finished": "green", "failed": "red", "lost": "red",
}  # fmt: skip
_SEEN = "_at_work"  # ids of the runs that this session has seen at work
_ENDINGS = {
    "finished": ("has finished.", ":material/check_circle:"),
    "stopped": ("has stopped.", ":material/stop_circle:"),
    "failed": ("has failed.", ":material/error:"),
    "lost": ("ended without a report.", ":material/error:"),
}


def show_at_work(store: Store, besides: RunFolder | None = None) -> int:
    """List the jobs at work, and announce the runs that have ended since the last look.

    Parameters
    ----------
    besides : RunFolder, optional
        Run that the page shows already.

    Returns
    -------
    int
        Number of jobs listed.
    """
    everything = jobs.at_work(store)
    _announce(store, [folder.id for folder, _ in everything if isinstance(folder, RunFolder)])
    listed = [(f, now) for f, now in everything if besides is None or f.path != besides.path]
    if listed:
        st.markdown("**Also at work**" if besides else "**At work**")
    for folder, now in listed[:SHOWN]:
        _line(folder, now)
    if len(listed) > SHOWN:
        st.caption(f"And {len(listed) - SHOWN} more.")
    return len(listed)


def _line(folder: JobFolder, now: Status) -> None:
    text, page, query = _about(folder)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(now.state, color=COLOURS.get(now.state, "gray"))
        if page:
            st.page_link(page, label=escape(text), query_params=query)
        else:
            st.markdown(escape(text))
        st.caption(f"{now.fraction:.0%}", width="content")
        st.button(
            "Stop", key=f"stop_other_{folder.id}", icon=":material/stop:", type="tertiary",
            on_click=stop, args=(folder,), disabled=now.state == "stopping",
        )  # fmt: skip


def _about(folder: JobFolder) -> tuple[str, str, dict[str, Any]]:
    """What a job does in the user's words, and the page that shows it with its parameters."""
    if isinstance(folder, RunFolder):
        return f"Training {folder.name}", "pages/train.py", {"view": "Runs", "run": folder.id}
    if isinstance(folder, TuningFolder):
        query = {"search_view": "Searches", "tuning": folder.id}
        return f"Searching {folder.name}", "pages/tune.py", query
    request = folder.request
    kind, file = request.get("kind", "job"), Path(request.get("file", "")).name
    own = {"job": folder.id}
    titles = {
        "ingest": (f"Reading {file}", "pages/data.py", own),
        "simulate": (f"Simulating {counted(request.get('n', 0), 'galaxy')}", "pages/data.py", own),
        "fetch": (
            f"Fetching {request['name']}" if request.get("name") else "Counting sources",
            "pages/data.py", own,
        ),
        "evaluate": (
            f"Evaluating {request.get('run', '')}", "pages/evaluate.py",
            {"run": request.get("run", "latest")},
        ),
        "predict": (f"Predicting {file}", "pages/predict.py", own),
        "catalogue": (f"Predicting the catalogue {file}", "pages/predict.py", own),
        "adapt": (f"Adapting {request.get('run', '')}", "pages/predict.py", own),
        "report": (
            f"Writing the report of {request.get('run', '')}", "pages/evaluate.py",
            {"run": request.get("run", "latest")},
        ),
        "bench": ("Setting methods side by side", "pages/compare.py", {}),
        "limit": ("Studying the information limit", "pages/compare.py", {}),
        "reproduce": (
            "Writing the reproduction", "pages/reproduce.py",
            {"dataset": request.get("dataset", "")},
        ),
        "baseline": (f"Training the baseline {request.get('baseline', '')}", "", {}),
        "speed": (f"Timing {request.get('run', '')}", "", {}),
    }  # fmt: skip
    return titles.get(kind, (kind.capitalize(), "", {}))


def _announce(store: Store, running: list[str]) -> None:
    """Tell of every run that was at work at this session's last look and has ended since."""
    ended = set(st.session_state.get(_SEEN, ())) - set(running)
    st.session_state[_SEEN] = running
    for run in store.runs() if ended else ():
        if run.id in ended and (ending := _ENDINGS.get(jobs.status(run).state)):
            st.toast(f"{escape(run.name)} {ending[0]}", icon=ending[1], duration="long")
