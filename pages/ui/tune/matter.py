"""What mattered in a search: parallel coordinates and the importance of each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.display import chart, download
from redshift_core import figures
from redshift_core.evaluation import trials
from redshift_core.evaluation.trials import FEWEST, Importance, Trial
from redshift_core.store import TuningFolder

if TYPE_CHECKING:
    import plotly.graph_objects as go

AXES = 6  # parameters drawn at first; more are a choice
BARS = 12  # most important parameters drawn; the table has all
Ended = tuple[tuple[str, float], ...]  # trial and score of each that has finished: the cache's key


def show_what_mattered(tuning: TuningFolder, found: Sequence[Trial], title: str) -> None:
    """Both figures of the finished trials; they change only when a trial has finished."""
    counted = trials.finished(found)
    st.subheader("What mattered")
    if len(counted) < 2:
        st.caption("The figures begin with the second finished trial.")
        return
    ended = tuple((one.trial, one.score) for one in counted)
    importance = _importance(str(tuning.path), ended)
    _parallel(tuning, counted, ended, importance, title)
    if importance is None:
        st.caption(
            f"The importance of each parameter needs {FEWEST} finished trials that differ; "
            f"there are {len(counted)}."
        )
        return
    about = tuning.trained_on
    chart(
        figures.importance_bars(importance.table.head(BARS)),
        "importance",
        f"Random-forest permutation importance over {importance.n_trials} finished trials: the R² "
        "lost in predicting the rank of a trial's score when one parameter is shuffled, in five "
        "folds of trials that the forest has not seen; bars ± the scatter of the folds. "
        f"{_trust(importance)}{_rest(len(importance.table))}",
        f"Importance of each parameter; {importance.table.parameter[0]} matters most",
        about,
    )
    download(importance.table, f"importance_{tuning.id}")


def _trust(importance: Importance) -> str:
    """How far the figure can be believed."""
    if importance.explained < 0.1:
        return (
            "The forest predicts unseen trials no better than their mean, so the order of the "
            "bars means little yet; more trials help."
        )
    return f"The forest explains {importance.explained:.0%} of the variance of unseen trials."


def _rest(n: int) -> str:
    return f" The first {BARS} of {n} parameters; the table has all." if n > BARS else ""


def _parallel(
    tuning: TuningFolder,
    counted: Sequence[Trial],
    ended: Ended,
    importance: Importance | None,
    title: str,
) -> None:
    frame = trials.table(counted)
    names = [name for name in trials.parameters(counted) if frame[name].nunique(dropna=False) > 1]
    helped = [] if importance is None else importance.table.query("importance > 0").parameter
    usual = list(dict.fromkeys([*helped, *names]))[:AXES]
    picked = st.multiselect(
        "Parameters shown", names, [name for name in names if name in usual],
        key=f"axes_{tuning.id}", format_func=lambda name: name.replace("_", " "),
    )  # fmt: skip
    chart(
        _coordinates(str(tuning.path), ended, tuple(picked)),
        "parallel",
        f"Each line is one of {len(counted)} finished trials. Score: {title}; blue is best, "
        "the worst tenth shares one red. Drag along an axis to keep the lines through a range.",
        f"Parallel coordinates of {len(counted)} trials over {len(picked)} parameters",
        tuning.trained_on,
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _importance(path: str, ended: Ended) -> Importance | None:
    return trials.importance(_counted(path, ended))


@st.cache_data(max_entries=16, show_spinner=False)
def _coordinates(path: str, ended: Ended, names: tuple[str, ...]) -> go.Figure:
    return figures.parallel_coordinates(trials.table(_counted(path, ended)), names)


def _counted(path: str, ended: Ended) -> list[Trial]:
    wanted = {name for name, _ in ended}
    return [one for one in TuningFolder(Path(path)).trials if one.trial in wanted]
