"""A training run as it stands: progress, curves, log; followed by one fragment while it runs."""

from __future__ import annotations

import contextlib

import pandas as pd
import streamlit as st

from pages.ui.jobs.job import show_failure, stop
from pages.ui.jobs.running import COLOURS, show_at_work
from pages.ui.text import count, escape
from pages.ui.train.curves import show_curves
from pages.ui.train.progress import epoch_share, epoch_text, heartbeat, whole_text
from redshift_core import jobs
from redshift_core.constants import MISSING, duration, shown
from redshift_core.errors import DamagedError
from redshift_core.jobs import Status
from redshift_core.store import RunFolder, Store
from redshift_core.store.history import read_history

POLL = 2.0  # s between two looks at a run that is training
METRIC_WIDTH = 142  # px; six fit side by side on a desktop, two on a phone


def watch(run: RunFolder, others: bool) -> Status:
    """Show a run, and what else is at work; follow them while one is active.

    Parameters
    ----------
    others : bool
        Whether another job is at work.

    Returns
    -------
    Status
        Of the run, as of now.
    """
    now = jobs.status(run)
    every = POLL if now.active or others else None
    st.fragment(_panel, run_every=every)(run, now.state, others)
    return now


def follow_all(any_at_work: bool) -> None:
    """List every job at work, where the page shows no run; followed while there are any."""
    st.fragment(_list, run_every=POLL if any_at_work else None)(any_at_work)


def _list(any_shown: bool) -> None:
    if not show_at_work(Store()) and any_shown:
        st.rerun()  # the page around says that a run is at work


def _panel(run: RunFolder, shown_state: str, others_shown: bool) -> None:
    now = jobs.status(run)
    if now.state != shown_state:
        st.rerun()  # the page around shows the state too, and other buttons for a run that ended
    history = read_history(run)
    _head(run, now)
    _numbers(run, now, history)
    if now.state in ("failed", "lost"):
        show_failure(run, now)
    show_curves(history, run.id)
    if now.active:
        with st.expander("Log", icon=":material/terminal:"):
            st.code(jobs.log_tail(run) or "The log is empty.", language=None)
    if not show_at_work(Store(), besides=run) and others_shown and not now.active:
        st.rerun()  # nothing is left to follow


def _head(run: RunFolder, now: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(now.state, color=COLOURS.get(now.state, "gray"))
        if device := now.detail.get("device"):
            st.caption(escape(str(device)), width="content")
        if now.active:
            st.caption(heartbeat(now), width="content")
    if now.active:
        st.progress(epoch_share(now), text=epoch_text(now))
        st.progress(now.fraction, text=whole_text(now))
        st.button(
            "Stop", key=f"stop_{run.id}", icon=":material/stop:", on_click=stop, args=(run,),
            disabled=now.state == "stopping",
        )  # fmt: skip
    elif now.state == "finished":
        st.success(_outcome(run), icon=":material/check_circle:")
        st.page_link(
            "pages/evaluate.py", label="**Evaluate it**", icon=":material/fact_check:",
            query_params={"run": run.id},
        )  # fmt: skip
    elif now.message and now.state == "stopped":
        st.caption(escape(now.message))


def _numbers(run: RunFolder, now: Status, history: pd.DataFrame) -> None:
    """Figures of the run; the same ones from its start to its end, so that nothing moves."""
    last = history.iloc[-1] if len(history) else {}
    detail = now.detail
    epochs = detail.get("epochs") or run.epochs
    numbers = {"Epochs done": f"{len(history)}/{epochs}"}
    if now.active:
        rate = detail.get("rate")
        numbers["Training MAE now"] = shown(detail.get("mae", last.get("mae")))
        numbers["Spectra per second"] = count(rate) if rate else MISSING
    if run.config.start_from:
        begun = run.result.get("start_val_mae", detail.get("start_val_mae"))
        numbers["Validation MAE, start"] = shown(begun)
    numbers |= {
        "Validation MAE, last": shown(last.get("val_mae")),
        "Validation MAE, saved": shown(jobs.saved_val_mae(run, now)),
        "Time in epochs": duration(history.seconds.sum() if len(history) else None),
    }
    with st.container(horizontal=True):
        for label, value in numbers.items():
            last_one = label == "Time in epochs"  # nothing stands behind it that could move
            st.metric(label, value, width="content" if last_one else METRIC_WIDTH)


def _outcome(run: RunFolder) -> str:
    result, judged = run.result, None
    with contextlib.suppress(DamagedError):  # the Evaluate page says what is wrong with it
        judged = run.metrics(run.config.dataset)
    text = f"Finished after {jobs.epochs_text(run)}: "
    text += f"validation MAE {shown(result.get('val_mae'))}"
    mae = judged and judged.figures.get("mae")
    return text + (f", test MAE {shown(mae)} in z." if mae else " in z.")
