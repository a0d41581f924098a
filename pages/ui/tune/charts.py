"""The two figures of a search that grow while one looks: Vega keeps them where Plotly would not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from redshift_core.figures import BLUE, RED
from redshift_core.figures.frame import AMBER, GREY

HEIGHT, SLOT = 300, 372  # px; the slot is there before the first point
LOG_RATIO = 4.0  # worst over best score above which the axis is logarithmic


def show_best_so_far(progress: pd.DataFrame, title: str) -> None:
    """Score of each trial and the lowest until then, against the trial's number.

    Parameters
    ----------
    progress : DataFrame
        See `redshift_core.evaluation.trials.best_so_far`.
    title : str
        What the score is.
    """
    import altair as alt

    with st.container(height=SLOT, border=False, key="best_slot"):
        if not len(progress):
            st.caption("The first point appears when a trial has ended.")
            return
        number = alt.X(
            "number:Q", title="Trials in the order of their start",
            axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(zero=False, nice=False),
        )  # fmt: skip
        score = alt.Y("score:Q", title=title, scale=_scale(progress.score))
        about = ["trial", "state", alt.Tooltip("score:Q", format=".5g")]
        chart = alt.Chart(progress).encode(x=number)
        line = chart.transform_filter("isValid(datum.best)").mark_line(
            interpolate="step-after", color=BLUE, strokeWidth=2
        )
        points = chart.transform_filter("isValid(datum.score)").mark_point(
            filled=True, size=45, color=AMBER
        )
        failed = chart.transform_filter("datum.state === 'failed'").mark_point(
            shape="cross", angle=45, filled=True, size=90, color=RED
        )
        st.altair_chart(
            alt.layer(
                line.encode(y=alt.Y("best:Q", title=title, scale=_scale(progress.score))),
                points.encode(y=score, tooltip=about),
                failed.encode(y=alt.value(8), tooltip=["trial", "state"]),
            ),
            height=HEIGHT, key="best_so_far",
            alt="Score of every trial that has ended, and the best score so far as a falling line",
        )  # fmt: skip
        st.caption(
            "Points: trials that have finished. Line: the best so far. Red crosses at the top: "
            "failed trials, which have no score."
        )


def show_curve(history: pd.DataFrame | None, best: pd.DataFrame | None) -> None:
    """MAE of a trial over its epochs, and the best trial's for comparison.

    Parameters
    ----------
    history : DataFrame or None
        See `redshift_core.store.history.read_history`; None before the first trial.
    best : DataFrame or None
        The same of the best trial, where that is another one.
    """
    import altair as alt

    with st.container(height=SLOT, border=False, key="curve_slot"):
        if history is None or not len(history):
            st.caption("The curve appears after the trial's first epoch.")
            return
        columns = {"mae": "training", "val_mae": "validation"}
        parts = [_long(history, columns)]
        colours = {"training": BLUE, "validation": RED}
        if best is not None:
            parts.append(_long(best, {"val_mae": "best trial, validation"}))
            colours["best trial, validation"] = GREY
        scale = alt.Scale(domain=list(colours), range=list(colours.values()))
        st.altair_chart(
            alt.Chart(pd.concat(parts))
            .mark_line(point={"size": 20})
            .encode(
                x=alt.X("epoch:Q", title="Epoch", axis=alt.Axis(tickMinStep=1, format="d")),
                y=alt.Y("mae:Q", title="MAE in z", scale=alt.Scale(zero=False, nice=False)),
                color=alt.Color(
                    "rows:N", title=None, scale=scale, legend=alt.Legend(orient="top")
                ),
                tooltip=["rows", "epoch", alt.Tooltip("mae:Q", format=".5g")],
            ),
            height=HEIGHT, key="trial_curve",
            alt="Mean absolute error of the chosen trial over its epochs",
        )  # fmt: skip
        st.caption(
            "Mean absolute error in z per epoch, dimensionless. Losses are not shown: trials of "
            "different losses could not be compared by them."
        )


def _long(history: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    frame = history.rename(columns=columns)[["epoch", *columns.values()]]
    return frame.melt("epoch", var_name="rows", value_name="mae").dropna()


def _scale(score: pd.Series) -> Any:
    import altair

    positive = (score.dropna() > 0).all() and score.notna().any()
    kind = "log" if positive and score.max() / score.min() > LOG_RATIO else "linear"
    return altair.Scale(type=kind, zero=False, nice=False, padding=12)
