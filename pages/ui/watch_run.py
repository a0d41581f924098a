"""A training run as it stands: progress, curves, log; followed by one fragment while it runs."""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from pages.ui.at_work import COLOURS, show_at_work, stop
from pages.ui.display import duration, shown
from pages.ui.job import show_failure
from pages.ui.learning_curves import show_curves
from pages.ui.text import count, escape
from redshift_core import jobs
from redshift_core.history import read_history
from redshift_core.jobs import Status
from redshift_core.runs import RunFolder, Store, read_json

POLL = 2.0  # s between two looks at a run that is training
SILENT = 20.0  # s without a heartbeat after which the page says so
VALIDATION = 0.125  # share of an epoch's work that validation is, with the default split
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
            st.caption(_heartbeat(now), width="content")
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
    epochs = detail.get("epochs") or run.config.training.epochs
    found = {"Epochs done": f"{len(history)} of {epochs}"}
    if now.active:
        rate = detail.get("rate")
        found["Training MAE now"] = shown(detail.get("mae", last.get("mae")))
        found["Spectra per second"] = count(rate) if rate else "–"
    found |= {
        "Validation MAE, last": shown(last.get("val_mae")),
        "Validation MAE, saved": shown(run.result.get("val_mae", detail.get("val_mae"))),
        "Time in epochs": duration(float(history.seconds.sum())) if len(history) else "–",
    }
    with st.container(horizontal=True):
        for label, value in found.items():
            st.metric(label, value, width=METRIC_WIDTH)


def _outcome(run: RunFolder) -> str:
    result, judged = run.result, read_json(run.metrics_path(run.config.dataset))
    done = result.get("epochs", run.config.training.epochs)
    text = f"Finished after {done} epochs: validation MAE {shown(result.get('val_mae'))}"
    return text + (f", test MAE {shown(judged['mae'])} in z." if judged.get("mae") else " in z.")


def in_epoch(now: Status) -> bool:
    """Whether an epoch is under way: neither before the first nor after the last."""
    message = now.message
    return (
        now.state in ("running", "stopping")
        and bool(now.detail.get("epoch"))
        and (not message or "epoch" in message)
    )


def epoch_share(now: Status) -> float:
    """Share of the epoch under way that is done, 0 to 1: its steps, then its validation."""
    if not in_epoch(now) or not now.detail.get("steps"):
        return 0.0
    steps = now.detail.get("step", 0) / now.detail["steps"]
    return min(1.0, (1 - VALIDATION) * steps + VALIDATION * now.detail.get("validated", 0.0))


def epoch_text(now: Status) -> str:
    """Which epoch is under way and how far it is."""
    if not in_epoch(now):
        return "No epoch under way"
    detail = now.detail
    parts = [f"Epoch {detail['epoch']} of {detail.get('epochs', '?')}"]
    if now.message.startswith("Validating"):
        parts.append("validating")
    elif detail.get("steps"):
        parts.append(f"step {count(detail.get('step', 0))} of {count(detail['steps'])}")
    return " · ".join(parts)


def whole_text(now: Status) -> str:
    """What the run is doing, how far it is, how long it will take."""
    waiting = {"starting": "Starting", "queued": "In the queue", "stopping": "Stopping"}
    parts = [waiting.get(now.state, "")]
    if in_epoch(now):
        parts.append(f"{now.fraction:.0%} of the run")
        left = now.detail.get("seconds_left")
        if now.state == "running" and left is not None:
            parts.append(f"about {duration(left)} left")
    else:
        parts.append(now.message.rstrip("."))
    return " · ".join(escape(part) for part in parts if part) or "Starting"


def _heartbeat(now: Status) -> str:
    if not now.heartbeat:
        return ""
    silent = time.time() - now.heartbeat
    text = f"updated {duration(silent)} ago"
    return f":orange[{text}: no sign of life]" if silent > SILENT else text
