"""A search as it stands, followed by one fragment while it is at work."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import streamlit as st

from pages.ui.jobs.job import progress_text, show_failure, stop
from pages.ui.text import escape
from pages.ui.train.watch import COLOURS
from pages.ui.tune.charts import show_best_so_far
from pages.ui.tune.ending import show_ending
from pages.ui.tune.matter import show_what_mattered
from pages.ui.tune.trial import pick_trial, show_trial, show_trial_curve
from pages.ui.tune.trials import show_trials
from redshift_core import jobs
from redshift_core.constants import MISSING, duration, shown
from redshift_core.evaluation import trials
from redshift_core.evaluation.trials import Trial
from redshift_core.jobs import Status
from redshift_core.settings.search import TuningConfig
from redshift_core.store import TuningFolder

POLL = 2.0  # s between two looks at a search that is at work
AT_WORK = 8  # trials under way that are named with their workers
METRIC_WIDTH = 172  # px; five side by side on a desktop, two on a phone
TITLES = {"val_mae": "Validation MAE in z"}


def watch(tuning: TuningFolder, config: TuningConfig) -> Status:
    """Show a search and follow it while it is active; its status as of now."""
    now = jobs.status(tuning)
    st.fragment(_panel, run_every=POLL if now.active else None)(tuning, config, now.state)
    return now


def read_cached(tuning: TuningFolder) -> list[Trial]:
    """Trials of a search, read again only when their file has changed."""
    with contextlib.suppress(FileNotFoundError):
        return _read(str(tuning.path), tuning.trials_path.stat().st_mtime_ns)
    return []


def score_title(config: TuningConfig) -> str:
    """What the trials' score is, as an axis says it."""
    return TITLES.get(config.objective, f"{config.objective}, validation rows")


def _panel(tuning: TuningFolder, config: TuningConfig, shown_state: str) -> None:
    now = jobs.status(tuning)
    if now.state != shown_state:
        st.rerun()  # the page around shows the state too, and other buttons for one that ended
    entries = [_as_of(now, one) for one in read_cached(tuning)]
    title = score_title(config)
    _head(tuning, config, now, len(entries))
    _numbers(entries, config)
    if now.active:
        st.caption(_at_work(entries, config))
    if now.state in ("failed", "lost"):
        show_failure(tuning, now)
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        st.subheader("Best so far")
        show_best_so_far(trials.best_so_far(entries), title)
    with right:
        trial = pick_trial(entries, now.active)
        show_trial_curve(tuning, trial, entries)
    if trial is not None:
        show_trial(tuning, trial, entries, title)
    show_trials(tuning, entries, title)
    show_what_mattered(tuning, entries, title)
    if now.active:
        with st.expander("Log", icon=":material/terminal:"):
            st.code(jobs.log_tail(tuning) or "The log is empty.", language=None)


def _as_of(now: Status, trial: Trial) -> Trial:
    """Trial as it stands: a search that is not at work has left its running ones undone."""
    if now.active or trial.state not in ("running", "queued"):
        return trial
    return dataclasses.replace(trial, state="interrupted")


def _head(tuning: TuningFolder, config: TuningConfig, now: Status, begun: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(now.state, color=COLOURS.get(now.state, "gray"))
        if device := now.detail.get("device"):
            st.caption(escape(str(device)), width="content")
    if now.active:
        total = now.detail.get("seconds_total")
        more = f" · about {duration(total)} for all {config.trials} trials" if total else ""
        plain = dataclasses.replace(now, message=now.message.rstrip("."))
        st.progress(now.fraction, text=progress_text(plain) + more)
        st.button(
            "Stop", key=f"stop_{tuning.id}", icon=":material/stop:", on_click=stop,
            args=(tuning,), disabled=now.state == "stopping",
        )  # fmt: skip
        return
    if now.message and now.state in ("stopped", "finished"):
        st.caption(escape(now.message))
    show_ending(tuning, config, now, begun)


def _numbers(found: list[Trial], config: TuningConfig) -> None:
    """Figures of the search; the same ones from its start to its end, so that nothing moves."""
    best = trials.best(found)
    failed = sum(one.state == "failed" for one in found)
    spent = sum(one.seconds for one in found)
    values = {
        "Trials ended": f"{sum(one.ended for one in found)} of {config.trials}",
        "Failed": str(failed),
        "Best trial": best.trial if best else MISSING,
        "Best score": shown(best.score if best else None, ".5f"),
        "Time in trials": duration(spent or None),
    }
    with st.container(horizontal=True):
        for label, value in values.items():
            st.metric(label, value, width=METRIC_WIDTH)


def _at_work(found: list[Trial], config: TuningConfig) -> str:
    """Which process has which trial, the newest first."""
    running = [one for one in reversed(found) if one.state == "running" and one.worker]
    most = f"of at most {config.epochs} epochs"
    lines = [
        f"trial {one.trial} on {escape(one.worker)} ({one.epochs} {most})"
        for one in running[:AT_WORK]
    ]
    rest = len(running) - len(lines)
    more = [f"{rest} more, see the column *worker* below"] if rest else []
    return f"At work: {', '.join(lines + more)}." if lines else "No worker is at a trial yet."


@st.cache_data(max_entries=16, show_spinner=False)
def _read(path: str, changed: int) -> list[Trial]:
    return TuningFolder(Path(path)).trials
