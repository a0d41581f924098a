"""Evaluate: why the run gave one galaxy its redshift, worked out by a short job on request."""

from __future__ import annotations

import json

import streamlit as st

from pages.ui.display import chart
from pages.ui.empty import lacks_tensorflow
from pages.ui.jobs.job import show_job, start
from pages.ui.text import escape
from redshift_core import figures
from redshift_core.store import DatasetFolder, RunFolder, Store

RECENT = 50  # newest jobs looked through for an explanation made before


def show_explanation(run: RunFolder, dataset: DatasetFolder, row: int) -> None:
    """Button, progress, then the pixels that mattered; found again after a refresh."""
    if not run.model_path.exists():
        return
    store, wanted = Store(), {"kind": "explain", "run": run.id, "dataset": dataset.id, "row": row}
    job = next((one for one in store.jobs()[:RECENT] if one.request == wanted), None)
    now = show_job(job, "Why this redshift") if job else None
    if now and now.active:
        return
    fresh = now and now.state == "finished" and now.heartbeat >= run.model_path.stat().st_mtime
    if not fresh:
        st.button(
            "Why this redshift?", key="explain", icon=":material/troubleshoot:",
            help="Replaces groups of pixels one by one and asks the network again; some seconds.",
            on_click=start, args=(wanted,), disabled=lacks_tensorflow("explain"),
        )  # fmt: skip
        return
    result = job.result
    chart(
        figures.explanation(result),
        key="explanation",
        caption=escape(figures.EXPLANATION_CAPTION.format(**result)),
        alt="Spectrum of one galaxy, and the effect of each group of its pixels on the redshift",
        about=result,
    )
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in result["sentences"]))
    st.download_button(
        "Download the numbers", json.dumps(result), f"explanation_{dataset.id}_{row}.json",
        "application/json", key="download_explanation", icon=":material/download:",
        on_click="ignore",
    )  # fmt: skip
