"""Densities p(z): whether they mean what they say, and that of one galaxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from redshift_core import pdf
from redshift_core.constants import FloatArray
from redshift_core.figures.frame import AMBER, BLUE, RED, TEAL, layout

SIGMAS = 1.96  # half the width of the band that holds 95 % of a uniform histogram's bars
SHADES = {0.95: "rgba(59, 130, 214, 0.14)", 0.68: "rgba(59, 130, 214, 0.26)"}  # BLUE, translucent
COLOURS = (BLUE, AMBER, TEAL, RED)  # of galaxies side by side
SHOWN = 1e-3  # of the highest density: p(z) is drawn where it is more


def pit_histogram(counts: Sequence[int]) -> go.Figure:
    """PIT values in equal bins of 0–1, with the band that a uniform histogram's bars keep to.

    Parameters
    ----------
    counts : sequence of int
        Galaxies per bin (`calibration.pit_figures`). The band is where 95 % of the bars lie if
        every p(z) is right: n/k ± 1.96 √(n/k · (1 − 1/k)) for n galaxies in k bins.
    """
    values = np.asarray(counts)
    n, k = int(values.sum()), len(values)
    figure = layout("PIT, p(z < z_spec)", "Galaxies per bin", bargap=0)
    edges = np.linspace(0, 1, k + 1)
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=values,
        width=1 / k,
        name="galaxies",
        marker={"color": BLUE, "line_width": 0},
        customdata=np.stack([edges[:-1], edges[1:]], axis=1),
        hovertemplate="PIT %{customdata[0]:.2f}–%{customdata[1]:.2f}<br>%{y:,} galaxies",
    )
    middle, half = n / k, float(SIGMAS * np.sqrt(n / k * (1 - 1 / k)))
    for y, dash in ((middle, "solid"), (middle - half, "dot"), (middle + half, "dot")):
        figure.add_scatter(
            x=[0, 1],
            y=[y, y],
            mode="lines",
            name="uniform" if dash == "solid" else "95 % of its bars",
            legendgroup=dash,
            showlegend=dash == "solid" or y < middle,
            line={"color": AMBER, "width": 2, "dash": dash},
            hovertemplate="%{y:,.0f}",
        )
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(rangemode="tozero")
    return figure


def coverage(levels: Sequence[Mapping[str, float | None]]) -> go.Figure:
    """Share of galaxies inside the central interval of each credibility, with the 1:1 line.

    Parameters
    ----------
    levels : sequence of mappings
        ``level`` and ``share``, from 0 to 1 (``coverage`` of `calibration.evaluate_pdf`).
    """
    figure = layout("Credibility of the interval", "Share of z_spec inside")
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="as promised",
        line={"color": TEAL, "dash": "dash", "width": 2},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[line["level"] for line in levels],
        y=[line["share"] for line in levels],
        mode="lines+markers",
        name="galaxies",
        line={"color": BLUE, "width": 2},
        marker={"size": 6},
        hovertemplate="%{x:.0%} intervals hold %{y:.1%}",
    )
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(range=[0, 1], tickformat=".0%")
    return figure


def one_density(
    trained: FloatArray, chosen: FloatArray, z_spec: float | None, z_phot: float | None
) -> go.Figure:
    """p(z) of one galaxy under the prior chosen, and where that is another under the training one.

    Parameters
    ----------
    trained, chosen : array, shape (240,)
        p(z) in 1/z under the prior of the training set and under the one chosen; the central 68
        and 95 % of the latter are shaded.
    z_spec, z_phot : float or None
        True and predicted redshift, a line each.
    """
    figure = layout("Redshift z", "p(z), per unit of z")
    for level, colour in SHADES.items():
        low, high = pdf.interval(chosen[None], level)[0]
        inside = np.unique([low, high, *pdf.EDGES[(low < pdf.EDGES) & (high > pdf.EDGES)]])
        figure.add_scatter(
            x=np.repeat(inside, 2)[1:-1],
            y=np.repeat(chosen[np.searchsorted(pdf.EDGES, inside[:-1], "right") - 1], 2),
            mode="none",
            fill="tozeroy",
            fillcolor=colour,
            name=f"{100 * level:.0f} %: {low:.3f}–{high:.3f}",
            hoverinfo="skip",
        )
    another = not np.allclose(trained, chosen, rtol=1e-2, atol=1e-3)
    curves = [("training prior", trained, AMBER, "dot")] if another else []
    for name, values, colour, dash in [*curves, ("p(z)", chosen, BLUE, "solid")]:
        figure.add_scatter(
            x=np.repeat(pdf.EDGES, 2)[1:-1],
            y=np.repeat(values, 2),
            mode="lines",
            name=name,
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="z = %{x:.4f}<br>p(z) = %{y:.2f}",
        )
    top = 1.05 * max(float(np.max(chosen)), float(np.max(trained)))
    for name, z, colour in (("z_spec", z_spec, TEAL), ("z_phot", z_phot, RED)):
        if z is not None and np.isfinite(z):
            figure.add_scatter(
                x=[z, z],
                y=[0, top],
                mode="lines",
                name=f"{name} = {z:.4f}",
                line={"color": colour, "width": 2, "dash": "dash"},
                hoverinfo="skip",
            )
    figure.update_xaxes(range=_shown(np.maximum(trained, chosen), z_spec))
    figure.update_yaxes(range=[0, top])
    return figure


def _shown(density: FloatArray, z_spec: float | None) -> list[float]:
    """Range of z where there is something to see, the true redshift included."""
    seen = np.flatnonzero(density > SHOWN * np.max(density))
    ends = [pdf.EDGES[seen[0]], pdf.EDGES[seen[-1] + 1]]
    if z_spec is not None and np.isfinite(z_spec):
        ends = [min(ends[0], z_spec), max(ends[1], z_spec)]
    return [float(ends[0]) - 0.01, float(ends[1]) + 0.01]


def real_densities(names: Sequence[str], density: FloatArray, z_spec: FloatArray) -> go.Figure:
    """p(z) of a few galaxies in one figure, each with its true redshift as a line.

    Parameters
    ----------
    names : sequence of str
        Of the galaxies, in the legend; four at most.
    density : array, shape (n, 240)
        p(z) in 1/z; a galaxy without one has NaN.
    z_spec : array, shape (n,)
    """
    figure = layout("Redshift z", "p(z), per unit of z")
    top = 1.05 * float(np.nanmax(density, initial=1.0))
    for name, values, z, colour in zip(names, density, z_spec, COLOURS, strict=False):
        figure.add_scatter(
            x=np.repeat(pdf.EDGES, 2)[1:-1],
            y=np.repeat(values, 2),
            mode="lines",
            name=name,
            legendgroup=name,
            line={"color": colour, "width": 2},
            hovertemplate="z = %{x:.4f}<br>p(z) = %{y:.2f}",
        )
        figure.add_scatter(
            x=[z, z],
            y=[0, top],
            mode="lines",
            name=f"z_spec = {z:.4f}",
            legendgroup=name,
            line={"color": colour, "width": 2, "dash": "dash"},
            hovertemplate="z_spec = %{x:.4f}",
        )
    figure.update_yaxes(rangemode="tozero")
    return figure
