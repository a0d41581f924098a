"""What every figure shares: titled axes, tight margins, colours for light and dark pages."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

BLUE, RED, AMBER, GREY, TEAL = "#3b82d6", "#d9583b", "#b9780f", "#848c99", "#139ca3"
FAINT = "rgba(132, 140, 153, 0.35)"  # behind what is looked at
RANGE_SCALE = ["#5b6fe0", "#2f8fc4", "#1f9d86", "#6b9a2a", "#c98a12", "#d9583b", "#b0559e"]
HEIGHT = 380  # px


def layout(x_title: str, y_title: str, height: int = HEIGHT, **more: Any) -> go.Figure:
    """Empty figure with titled axes, tight margins and the legend above the plot."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        **more,
    )
    figure.update_xaxes(title=x_title, automargin=True)
    figure.update_yaxes(title=y_title, automargin=True)
    return figure


def mark_simulated(figure: go.Figure) -> go.Figure:
    """The same figure, with SIMULATED in its upper right corner: also in a saved picture."""
    figure.add_annotation(
        text="SIMULATED",
        xref="paper",
        yref="paper",
        x=1,
        y=1,
        xanchor="right",
        yanchor="top",
        showarrow=False,
        font={"color": AMBER, "size": 11},
    )
    return figure


def range_colours(count: int) -> list[str]:
    """Colours from cool to warm for rising redshift ranges."""
    if count < 2:
        return [RANGE_SCALE[0]] * count
    return sample_colorscale(RANGE_SCALE, list(np.linspace(0, 1, count)))
