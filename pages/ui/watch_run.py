"""A training run as it stands: progress, curves, log; followed by one fragment while it runs."""

from __future__ import annotations

import contextlib
import time

import pandas as pd
import streamlit as st

from pages.ui.display import download, duration, shown
from pages.ui.job import show_failure
from pages.ui.text import count, escape
from redshift_core import figures, jobs
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.runs import RunFolder

POLL = 2.0  # s between two looks at a run that is training
SILENT = 20.0  # s without a heartbeat after which the page says so
COLOURS = {
    "starting": "gray", "queued": "gray", "running": "blue", "stopping": "orange",
    "stopped": "orange", "finished": "green", "failed": "red", "lost": "red",
}  # fmt: skip


def watch(run: RunFolder) -> Status:
    """Show a run and follow it while it is active; its status as of now."""
    now = jobs.status(run)
    st.fragment(_panel, run_every=POLL if now.active else None)(run, now.state)
    return now


def _panel(run: RunFolder, shown_state: str) -> None:
    now = jobs.status(run)
    if now.state != shown_state:
        st.rerun()  # the page around shows the state too, and other buttons for a run that ended
    history = read_history(run)
    _head(run, now, history)
    if now.state in ("failed", "lost"):
        show_failure(run, now)
    _curves(history, run.id)
    if now.active:
        with st.expander("Log", icon=":material/terminal:"):
            st.code(jobs.log_tail(run) or "The log is empty.", language=None)


def _head(run: RunFolder, now: Status, history: pd.DataFrame) -> None:
    detail = now.detail
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(now.state, color=COLOURS.get(now.state, "gray"))
        if device := detail.get("device"):
            st.caption(escape(str(device)))
        if now.active:
            st.caption(_heartbeat(now))
    if now.active:
        st.progress(now.fraction, text=progress_text(now))
        st.button(
            "Stop", key=f"stop_{run.id}", icon=":material/stop:", on_click=_stop, args=(run,),
            disabled=now.state == "stopping",
        )  # fmt: skip
    elif now.message and now.state in ("stopped", "finished"):
        st.caption(escape(now.message))
    _numbers(run, now, history)


def _numbers(run: RunFolder, now: Status, history: pd.DataFrame) -> None:
    last = history.iloc[-1] if len(history) else {}
    detail = now.detail
    epochs = detail.get("epochs") or run.config.training.epochs
    saved = run.result.get("val_mae", detail.get("val_mae"))
    with st.container(horizontal=True):
        st.metric("Epochs done", f"{len(history)} of {epochs}", width="content")
        if now.active:
            running = detail.get("mae", last.get("mae"))
            st.metric("Training MAE now", shown(running), width="content")
        st.metric("Validation MAE, last epoch", shown(last.get("val_mae")), width="content")
        st.metric(
            "Validation MAE, saved", shown(saved), width="content",
            help="Of the weights that are kept: the best epoch's, or the last one's.",
        )  # fmt: skip
        if now.active and detail.get("rate"):
            st.metric("Spectra per second", count(detail["rate"]), width="content")
        if len(history):
            spent = duration(float(history.seconds.sum()))
            st.metric("Time in epochs", spent, width="content")


def progress_text(now: Status) -> str:
    """One line: what the run is doing, how far it is, how long it will take."""
    detail = now.detail
    waiting = {"starting": "Starting", "queued": "In the queue", "stopping": "Stopping"}
    message = now.message.rstrip(".")
    parts = [waiting.get(now.state, ""), message]
    in_epoch = detail.get("epoch") and (not message or "epoch" in message)
    if in_epoch and now.state in ("running", "stopping"):
        if not message:
            parts.append(f"Epoch {detail['epoch']} of {detail.get('epochs', '?')}")
        if detail.get("steps"):
            parts.append(f"step {count(detail.get('step', 0))} of {count(detail['steps'])}")
        if now.state == "running" and detail.get("seconds_left") is not None:
            parts.append(f"about {duration(detail['seconds_left'])} left")
    return " · ".join(escape(part) for part in parts if part)


def _heartbeat(now: Status) -> str:
    if not now.heartbeat:
        return ""
    silent = time.time() - now.heartbeat
    text = f"updated {duration(silent)} ago"
    return f":orange[{text}: no sign of life]" if silent > SILENT else text


def _stop(run: RunFolder) -> None:
    with contextlib.suppress(InputError):  # it ended while the click was on its way
        jobs.stop(run)


def _curves(history: pd.DataFrame, name: str) -> None:
    if not len(history):
        st.caption("The curves appear after the first epoch.")
        return
    left, right = st.columns(2)
    with left:
        _curve(history, "loss", "Loss", log=True)
        st.caption("Loss per epoch, logarithmic scale; dimensionless.")
    with right:
        _curve(history, "mae", "Mean absolute error in z", log=False)
        st.caption("Mean absolute error in redshift per epoch; dimensionless.")
    with st.expander("History as a table"):
        st.dataframe(history, hide_index=True, alt="Loss and error of every epoch", height=220)
        download(history, f"history_{name}")


def _curve(history: pd.DataFrame, column: str, title: str, *, log: bool) -> None:
    """Training and validation curve; Vega keeps its node when only the data change."""
    import altair

    names = {column: "training", f"val_{column}": "validation"}
    frame = history.rename(columns=names)[["epoch", *names.values()]]
    frame = frame.melt("epoch", var_name="rows", value_name=title).dropna()
    kind = "log" if log and (frame[title] > 0).all() else "linear"
    scale = altair.Scale(type=kind, zero=False, nice=False)
    colours = altair.Scale(domain=list(names.values()), range=[figures.BLUE, figures.RED])
    st.altair_chart(
        altair.Chart(frame)
        .mark_line(point={"size": 20})
        .encode(
            x=altair.X("epoch:Q", title="Epoch", axis=altair.Axis(tickMinStep=1, format="d")),
            y=altair.Y(f"{title}:Q", title=title, scale=scale),
            color=altair.Color(
                "rows:N", title=None, scale=colours, legend=altair.Legend(orient="top")
            ),
            tooltip=["epoch", "rows", altair.Tooltip(f"{title}:Q", format=".5g")],
        ),
        height=280,
        key=f"curve_{column}",
        alt=f"{title} of the training and validation rows over the epochs",  # new text: new chart
    )


def read_history(run: RunFolder) -> pd.DataFrame:
    """Line per finished epoch; empty before the first, whole even while the worker writes."""
    columns = ["epoch", "loss", "mae", "val_loss", "val_mae", "seconds", "learning_rate"]
    try:
        history = pd.read_csv(run.history_path, on_bad_lines="skip")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame(columns=columns)
    return history.reindex(columns=columns).dropna(subset=["epoch", "loss"])
