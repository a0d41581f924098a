"""Redshifts: their distribution, and predicted against true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from redshift_core.constants import FloatArray
from redshift_core.figures.frame import AMBER, BLUE, FAINT, RED, TEAL, layout

PLANE_SCALES = ("inferno", "viridis", "cividis", "plasma")


def redshift_histogram(
    edges: FloatArray,
    counts: NDArray[np.integer],
    published: pd.DataFrame | None = None,
    *,
    selected: NDArray[np.integer] | None = None,
    log: bool = False,
    cumulative: bool = False,
) -> go.Figure:
    """Sources per redshift bin, with the published histogram scaled to the same total.

    Parameters
    ----------
    edges : array, shape (n_bins + 1,)
    counts : array, shape (n_bins,)
    published : DataFrame, optional
        Columns ``z_low``, ``z_high``, ``relative_count`` (``reference.redshift_histogram``).
    selected : array, shape (n_bins,), optional
        Sources of the current selection, drawn in front of all; a range of z can then be brushed.
    log : bool
        Logarithmic count.
    cumulative : bool
        Count the sources up to the upper edge of each bin.
    """
    total = counts.sum()
    added = np.cumsum if cumulative else np.asarray
    y_title = "Galaxies up to z" if cumulative else "Galaxies per bin"
    figure = layout("Spectroscopic redshift z", y_title, bargap=0)
    if selected is None:
        _add_bars(figure, edges, added(counts), "this dataset", BLUE)
    else:
        _add_bars(figure, edges, added(counts), "all galaxies", FAINT)
        _add_bars(figure, edges, added(selected), "current selection", BLUE)
        figure.update_layout(barmode="overlay", dragmode="select", selectdirection="h")
    if log:
        figure.update_yaxes(type="log")
    if published is not None and total:
        middle = (published.z_low + published.z_high) / 2
        width = published.z_high - published.z_low
        share = published.relative_count / published.relative_count.sum()
        figure.add_scatter(
            x=published.z_high if cumulative else middle,
            y=total * (share.cumsum() if cumulative else share / width * np.diff(edges)[0]),
            mode="lines",
            line={"color": AMBER, "dash": "dot", "width": 2, "shape": "hvh"},
            name="published, same total",
            hovertemplate="z = %{x:.3f}<br>published %{y:,.0f}<extra></extra>",
        )
    return figure


def _add_bars(
    figure: go.Figure, edges: FloatArray, counts: NDArray[np.integer], name: str, colour: str
) -> None:
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges),
        name=name,
        marker={"color": colour, "line_width": 0},
        customdata=np.stack([edges[:-1], edges[1:]], axis=1),
        hovertemplate="%{customdata[0]:.3f} ≤ z < %{customdata[1]:.3f}<br>%{y:,} galaxies",
    )


def true_and_predicted(
    edges: FloatArray, n_spec: NDArray[np.integer], n_phot: NDArray[np.integer]
) -> go.Figure:
    """Histograms of true and predicted redshift over the same bins, as steps."""
    figure = layout("Redshift z", "Galaxies per bin")
    middle = (edges[:-1] + edges[1:]) / 2
    for name, counts, colour in (
        ("true, z_spec", n_spec, BLUE),
        ("predicted, z_phot", n_phot, RED),
    ):
        figure.add_scatter(
            x=middle,
            y=counts,
            mode="lines",
            line={"color": colour, "shape": "hvh", "width": 1.6},
            name=name,
            hovertemplate="z = %{x:.3f}<br>%{y:,} galaxies",
        )
    return figure


def redshift_plane(
    edges: FloatArray,
    counts: NDArray[np.integer],
    scale: str = PLANE_SCALES[0],
    *,
    percentiles: pd.DataFrame | None = None,
    box: Sequence[float] | None = None,
) -> go.Figure:
    """True against predicted redshift, colour on a logarithmic scale, with the 1:1 line.

    Parameters
    ----------
    edges : array, shape (n_bins + 1,)
        The same on both axes.
    counts : array, shape (n_bins, n_bins)
        First axis z_phot; empty cells stay transparent.
    percentiles : DataFrame, optional
        ``x``, ``p16``, ``p50``, ``p84`` of z_phot along z_spec (`statistics.running_percentiles`).
    box : sequence of four numbers, optional
        z_spec low, high and z_phot low, high of a box to be outlined.
    """
    figure = layout("True redshift, z_spec", "Predicted redshift, z_phot", height=640, width=560)
    middle = (edges[:-1] + edges[1:]) / 2
    with np.errstate(divide="ignore"):
        logs = np.where(counts > 0, np.log10(counts), np.nan).astype(np.float32)
    top = max(1, int(counts.max(initial=0)))
    ticks = [tick for tick in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000) if tick <= top]
    figure.add_heatmap(
        x=middle,
        y=middle,
        z=logs,
        customdata=counts.astype(np.min_scalar_type(top)),  # as few bytes as the counts need
        colorscale=_visible(scale),
        zmin=0.0,
        zmax=max(0.5, np.log10(top)),
        hoverongaps=False,
        colorbar={
            "title": {"text": "Galaxies per cell", "side": "top"},
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "tickvals": np.log10(ticks),
            "ticktext": [f"{tick:,}" for tick in ticks],
            "thickness": 12,
        },
        hovertemplate="z_spec %{x:.3f}<br>z_phot %{y:.3f}<br>%{customdata:,} galaxies"
        "<extra></extra>",
    )
    ends = [float(edges[0]), float(edges[-1])]
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        name="z_phot = z_spec",
        line={"color": TEAL, "dash": "dash", "width": 2},
        hoverinfo="skip",
    )
    figure.update_layout(legend={"y": -0.12, "yanchor": "top"})  # above stands the colour bar
    if percentiles is not None and len(percentiles):
        _add_percentiles(figure, percentiles)
    if box is not None:
        x0, x1, y0, y1 = box
        line = {"color": RED, "width": 2}
        figure.update_layout(
            shapes=[{"type": "rect", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "line": line}]
        )
    figure.update_xaxes(range=ends, constrain="domain")
    figure.update_yaxes(range=ends, scaleanchor="x", constrain="domain", constraintoward="top")
    return figure


def _add_percentiles(figure: go.Figure, percentiles: pd.DataFrame) -> None:
    """Running median, and the lines between which 68 % of the predictions lie."""
    for column, name, dash, shown in (
        ("p50", "median z_phot", "solid", True),
        ("p16", "16 and 84 %", "dot", True),
        ("p84", "16 and 84 %", "dot", False),
    ):
        figure.add_scatter(
            x=percentiles.x,
            y=percentiles[column],
            mode="lines",
            name=name,
            legendgroup=name,
            showlegend=shown,
            line={"color": BLUE, "dash": dash, "width": 2},
            hovertemplate=f"{column[1:]} % of z_phot below %{{y:.3f}}<br>at z_spec %{{x:.3f}}",
        )


def _visible(scale: str) -> list[list[Any]]:
    """Colour scale without its darkest end, which would vanish on a dark page."""
    points = np.linspace(0.0, 1.0, 16)
    return [
        [float(p), colour]
        for p, colour in zip(
            points, sample_colorscale(scale, list(0.22 + 0.78 * points)), strict=True
        )
    ]
