"""Methods beside each other: what accuracy costs in training time."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from redshift_core.figures.frame import GREY, layout, range_colours
from redshift_core.store.study_records import BenchRow

SHORTEST = 0.01  # s: what trains faster stands here, since a logarithmic axis has no 0


def accuracy_against_time(rows: Sequence[BenchRow]) -> go.Figure:
    """Test MAE against training time of each method, and the way there of each network."""
    figure = layout("Training time / s", "Mean absolute error in z", height=460)
    ordered = sorted(rows, key=lambda row: row.mae)
    for place, (row, colour) in enumerate(zip(ordered, range_colours(len(ordered)), strict=True)):
        if curve := row.val_curve:
            seconds, mae = zip(*curve, strict=True)
            figure.add_scatter(
                x=seconds,
                y=mae,
                mode="lines",
                line={"color": colour, "width": 1.5, "dash": "dot"},
                name=f"{row.name}, validation",
                showlegend=False,
                hovertemplate="%{x:.1f} s: %{y:.4f}",
            )
        low, high = row.intervals["mae"]
        figure.add_scatter(
            x=[max(row.seconds, SHORTEST)],
            y=[row.mae],
            error_y={"array": [high - row.mae], "arrayminus": [row.mae - low]},
            mode="markers+text",
            text=[row.name],
            textposition="bottom center" if place % 2 else "top center",
            marker={"color": colour, "size": 10},
            name=row.name,
            hovertemplate="%{x:.1f} s: %{y:.4f}",
        )
    for row in ordered:
        if row.name == "dissertation":
            figure.add_hline(y=row.mae, line={"color": GREY, "width": 1, "dash": "dash"})
    figure.update_layout(showlegend=False)
    figure.update_xaxes(type="log")
    return figure
