"""Runs beside each other, and beside the dissertation: error per redshift bin, the split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from redshift_core.constants import Z_MAX, Z_MIN
from redshift_core.figures.frame import AMBER, BLUE, GREY, RED, layout, range_colours
from redshift_core.figures.learning import SYMBOLS
from redshift_core.store.records import Bin, dicts

PART_NAMES = ("train", "validation", "test")


def bias_of_runs(
    bins: Mapping[str, Sequence[Bin]], published: pd.DataFrame | None = None
) -> go.Figure:
    """Mean error z_phot − z_spec per redshift bin of several runs, one line each.

    Parameters
    ----------
    bins : mapping
        Legend name → bins of redshift.
    published : DataFrame, optional
        ``reference.table_3()``, dotted.
    """
    figure = layout("True redshift, z_spec", "Mean error z_phot − z_spec")
    for (name, one), colour, symbol in zip(
        bins.items(), range_colours(len(bins)), SYMBOLS, strict=False
    ):
        filled = pd.DataFrame([line.to_dict() for line in one if line.n])
        if len(filled):
            _add_bias(figure, filled, name, colour, "solid", symbol)
    if published is not None:
        _add_bias(figure, published, "dissertation", AMBER, "dot", "circle")
    figure.add_hline(y=0, line={"color": GREY, "width": 1, "dash": "dash"})
    figure.update_xaxes(range=[Z_MIN, Z_MAX])
    return figure


def mean_and_std(bins: Sequence[Bin], published: pd.DataFrame | None = None) -> go.Figure:
    """Mean error and σ of each redshift bin as horizontal strokes as wide as the bin.

    Parameters
    ----------
    bins : sequence of Bin
        Bins of redshift.
    published : DataFrame, optional
        ``reference.table_3()``, dotted.
    """
    figure = layout("True redshift, z_spec", "z_phot − z_spec")
    tables = ((pd.DataFrame(dicts(bins)), "", "solid"), (published, ", published", "dot"))
    for table, note, dash in tables:
        if table is None:
            continue
        for column, name, colour in (("mean_error", "mean error", BLUE), ("std", "σ", RED)):
            x: list[float | None] = []
            y: list[float | None] = []
            for low, high, value in zip(table.z_low, table.z_high, table[column], strict=True):
                x += [low, high, None]
                y += [value, value, None]
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines",
                name=name + note,
                line={"color": colour, "dash": dash, "width": 3 if not note else 2},
                hovertemplate="%{y:+.4f}",
            )
    figure.add_hline(y=0, line={"color": GREY, "width": 1})
    figure.update_xaxes(range=[Z_MIN, Z_MAX])
    return figure


def split_parts(counts: Sequence[int], published: Sequence[int]) -> go.Figure:
    """Share of training, validation and test rows as two bars, the published one below.

    Parameters
    ----------
    counts, published : sequence of three int
        Rows that train, validate and test.
    """
    figure = layout("Share of the rows / %", "", height=300, barmode="stack")
    figure.update_layout(legend_traceorder="normal")
    names = ["dissertation", "this dataset"]
    for part, name, colour in zip(range(3), PART_NAMES, (BLUE, AMBER, RED), strict=True):
        rows = [published[part], counts[part]]
        totals = [sum(published), sum(counts)]
        figure.add_bar(
            y=names,
            x=[100 * n / total for n, total in zip(rows, totals, strict=True)],
            orientation="h",
            name=name,
            marker={"color": colour, "line_width": 0},
            text=[f"{n:,}" for n in rows],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            width=0.6,
            hovertemplate="%{y}: %{text} rows, %{x:.1f} %",
        )
    figure.update_yaxes(title="Data")
    return figure


def _add_bias(
    figure: go.Figure, table: pd.DataFrame, name: str, colour: str, dash: str, symbol: str
) -> None:
    figure.add_scatter(
        x=(table.z_low + table.z_high) / 2,
        y=table.mean_error,
        mode="lines+markers",
        name=name,
        line={"color": colour, "dash": dash, "width": 1.8},
        marker={"size": 7, "symbol": symbol},
        customdata=table[["z_low", "z_high"]],
        hovertemplate="%{customdata[0]:.2f}–%{customdata[1]:.2f}: %{y:+.4f}",
    )
