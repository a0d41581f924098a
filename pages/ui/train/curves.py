"""Loss and error over the epochs, drawn live, and what they say in words."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.ui.display import download
from redshift_core import figures
from redshift_core.evaluation import curves
from redshift_core.reports.glossary import GLOSSARY

CHART_HEIGHT, SLOT_HEIGHT = 320, 376  # px; the slot is there before the first epoch
LOOKS = {
    "too early": ("gray", ":material/hourglass_empty:"),
    "under-fitting": ("orange", ":material/trending_down:"),
    "healthy": ("green", ":material/check:"),
    "over-fitting": ("red", ":material/call_split:"),
}


def show_curves(history: pd.DataFrame, name: str) -> None:
    """Both curves, their reading, and the history as a table.

    Parameters
    ----------
    history : DataFrame
        See `redshift_core.store.history.read_history`.
    name : str
        Id of the run, for the download.
    """
    left, right = st.columns(2)
    slot = {"height": SLOT_HEIGHT, "border": not len(history)}
    with left.container(**slot):
        _curve(history, "loss", "Loss", "Loss per epoch, logarithmic scale; dimensionless.", True)
    with right.container(**slot):
        _curve(
            history, "mae", "MAE in z",
            "Mean absolute error in redshift per epoch; dimensionless.", False,
        )  # fmt: skip
    reading = curves.read_curves(history.loss, history.val_loss)
    colour, icon = LOOKS[reading.kind]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(reading.kind, color=colour, icon=icon)
        st.markdown(reading.text)
        if (word := reading.kind.replace("-", "_")) in GLOSSARY:
            st.page_link(
                "pages/glossary.py", label=f"What {reading.kind} is", query_params={"word": word}
            )
    with st.expander("History as a table"):
        st.dataframe(history, hide_index=True, alt="Loss and error of every epoch", height=220)
        download(history, f"history_{name}")


def _curve(history: pd.DataFrame, column: str, title: str, caption: str, log: bool) -> None:
    """Training and validation curve; Vega keeps its node when only the data change."""
    if not len(history):
        st.caption(f"{title}: the curve appears after the first epoch.")
        return
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
        height=CHART_HEIGHT,
        key=f"curve_{column}",
        alt=f"{title} of the training and validation rows over the epochs",  # new text: new chart
    )
    st.caption(caption)
