"""What each step costs against the number of galaxies, both on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from redshift_core.figures.frame import layout, range_colours

Curve = Sequence[tuple[int, float]]  # galaxies, cost


def growth(time: Mapping[str, Curve], memory: Mapping[str, Curve]) -> go.Figure:
    """Two panels of lines: CPU seconds, and peak private memory in MB, by their legend's text."""
    frame = layout("", "", height=520)
    figure = make_subplots(1, 2, subplot_titles=("CPU time / s", "Private memory / MB"))
    figure.update_layout(frame.layout)
    figure.update_layout(
        margin={"t": 40, "b": 8, "l": 8, "r": 8},
        legend={"orientation": "v", "x": 1.02, "y": 1, "yanchor": "top"},
    )
    figure.update_xaxes(type="log", title="Galaxies", automargin=True, dtick="D2")
    figure.update_yaxes(type="log", automargin=True, dtick="D2")
    for column, curves in enumerate((time, memory), start=1):
        colours = range_colours(len(curves))
        for (name, curve), colour in zip(curves.items(), colours, strict=True):
            rows, values = zip(*curve, strict=True)
            figure.add_scatter(
                x=rows, y=values, mode="lines+markers", name=name,
                line={"color": colour, "width": 2}, legendgroup=str(column),
                legendgrouptitle={"text": ("Time", "Memory")[column - 1]},
                row=1, col=column,
            )  # fmt: skip
    return figure
