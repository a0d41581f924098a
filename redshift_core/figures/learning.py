"""How networks learned: loss and error per epoch, of one run or of several."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from redshift_core.figures.frame import AMBER, BLUE, GREY, RED, layout, range_colours

TITLES = {"loss": "Loss", "mae": "Mean absolute error in z"}
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")


def learning_curve(
    history: pd.DataFrame, column: str = "loss", published: pd.DataFrame | None = None
) -> go.Figure:
    """Training and validation curve of a run, the published ones dotted.

    Parameters
    ----------
    history : DataFrame
        Columns ``epoch``, and ``column`` and ``val_`` + ``column``; may be empty.
    column : {"loss", "mae"}
    published : DataFrame, optional
        ``reference.history()``, or its first epochs.
    """
    figure = layout("Epoch", TITLES[column])
    for table, name, colours, dash in (
        (history, "", (BLUE, RED), "solid"),
        (published, ", published", (GREY, AMBER), "dot"),
    ):
        if table is None or not len(table):
            continue
        for key, rows, colour in zip(
            (column, f"val_{column}"), ("training", "validation"), colours, strict=True
        ):
            _add_curve(figure, table, key, f"{rows}{name}", colour, dash)
    figure.update_xaxes(tickformat="d", rangemode="tozero")
    figure.update_yaxes(exponentformat="none")
    return figure


def validation_curves(
    histories: Mapping[str, pd.DataFrame], published: pd.DataFrame | None = None
) -> go.Figure:
    """Validation MAE per epoch of several runs, the published record dotted.

    Parameters
    ----------
    histories : mapping
        Legend name → columns ``epoch`` and ``val_mae``.
    """
    figure = layout("Epoch", "Validation MAE in z")
    for (name, history), colour, symbol in zip(
        histories.items(), range_colours(len(histories)), SYMBOLS, strict=False
    ):
        _add_curve(figure, history, "val_mae", name, colour, "solid", symbol)
    if published is not None:
        _add_curve(figure, published, "val_mae", "dissertation", AMBER, "dot")
    figure.update_xaxes(tickformat="d", rangemode="tozero")
    return figure


def _add_curve(
    figure: go.Figure,
    table: pd.DataFrame,
    column: str,
    name: str,
    colour: str,
    dash: str,
    symbol: str = "circle",
) -> None:
    figure.add_scatter(
        x=table["epoch"],
        y=table[column],
        mode="lines+markers",
        name=name,
        line={"color": colour, "dash": dash, "width": 1.8},
        marker={"size": 5, "symbol": symbol},
        hovertemplate="epoch %{x}: %{y:.5f}",
    )
