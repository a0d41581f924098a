"""Arrays in, Plotly figure out: every figure of the pages and the report.

Backgrounds and text are left to the theme; traces take mid tones that stand out on white and on
near-black alike. Whatever can be large arrives here already binned (``redshift_core.statistics``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from redshift_core.constants import FLUX_UNIT, N_BP, Z_MAX, Z_MIN
from redshift_core.statistics import AverageSpectrum

FloatArray = NDArray[np.floating]

BLUE, RED, AMBER, GREY, TEAL = "#3b82d6", "#d9583b", "#b9780f", "#848c99", "#139ca3"
RANGE_SCALE = ["#5b6fe0", "#2f8fc4", "#1f9d86", "#6b9a2a", "#c98a12", "#d9583b", "#b0559e"]
DENSITY_SCALES = ("inferno", "viridis", "cividis", "plasma")
HEIGHT = 380  # px
FLUX_TITLE = f"Flux / {FLUX_UNIT}"
WAVELENGTH_TITLE = "Wavelength / nm (inferred)"
PIXEL_TITLE = "Pixel (0–79 BP, 80–185 RP)"

REST_LINES = {  # nm in vacuum, from the SDSS line table (multiplets at their mean)
    "[O II]": 372.8,
    "Ca K": 393.5,
    "Ca H": 396.9,
    "Hγ": 434.2,
    "Hβ": 486.3,
    "[O III]": 500.8,
    "Mg b": 517.6,
    "Na D": 589.5,
    "Hα": 656.5,
    "[S II]": 672.5,
}


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


def redshift_histogram(
    edges: FloatArray, counts: NDArray[np.integer], published: pd.DataFrame | None = None
) -> go.Figure:
    """Sources per redshift bin, with the published histogram scaled to the same total.

    Parameters
    ----------
    edges : array, shape (n_bins + 1,)
    counts : array, shape (n_bins,)
    published : DataFrame, optional
        Columns ``z_low``, ``z_high``, ``relative_count`` (``reference.redshift_histogram``).
    """
    figure = layout("Spectroscopic redshift z", "Galaxies per bin", bargap=0)
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges),
        name="this dataset",
        marker={"color": BLUE, "line_width": 0},
        customdata=np.stack([edges[:-1], edges[1:]], axis=1),
        hovertemplate="%{customdata[0]:.3f} ≤ z < %{customdata[1]:.3f}<br>%{y:,} galaxies"
        "<extra></extra>",
    )
    if published is not None and counts.sum():
        middle = (published.z_low + published.z_high) / 2
        width = published.z_high - published.z_low
        share = published.relative_count / published.relative_count.sum()
        figure.add_scatter(
            x=middle,
            y=share / width * np.diff(edges)[0] * counts.sum(),
            mode="lines",
            line={"color": AMBER, "dash": "dot", "width": 2, "shape": "hvh"},
            name="published, same total",
            hovertemplate="z = %{x:.3f}<br>published %{y:,.0f}<extra></extra>",
        )
    return figure


def spectrum(
    flux: Mapping[str, FloatArray],
    wavelength: FloatArray,
    *,
    by_pixel: bool = False,
    lines_at: Mapping[str, float] | None = None,
    y_title: str = FLUX_TITLE,
) -> go.Figure:
    """One or more spectra of the same pixels, BP and RP parted at the seam.

    Parameters
    ----------
    flux : mapping
        Legend name → values, shape (186,).
    wavelength : array, shape (186,)
        Pixel centres, in nm.
    by_pixel : bool
        Draw over pixel number instead of wavelength.
    lines_at : mapping, optional
        Label of a redshift (such as ``z_spec``) → redshift at which rest-frame lines are marked.
    """
    figure = layout(PIXEL_TITLE if by_pixel else WAVELENGTH_TITLE, y_title)
    x = np.arange(len(wavelength)) if by_pixel else wavelength
    colours = [BLUE, AMBER, RED, TEAL]
    for number, (name, values) in enumerate(flux.items()):
        _add_bands(figure, x, values, name, colours[number % len(colours)])
    _mark_seam(figure, x)
    for number, (label, z) in enumerate((lines_at or {}).items()):
        _mark_lines(figure, wavelength, by_pixel, label, z, (RED, TEAL)[number % 2])
    return figure


def average_flux(
    averages: Sequence[AverageSpectrum],
    wavelength: FloatArray,
    *,
    by_pixel: bool = False,
    bands: bool = True,
    published: pd.DataFrame | None = None,
) -> go.Figure:
    """Average spectrum of each redshift range, with ±1 sd bands and the published curves dotted.

    Parameters
    ----------
    averages : sequence of AverageSpectrum
    wavelength : array, shape (186,)
        Pixel centres, in nm.
    published : DataFrame, optional
        One column per published range, divided by the peak of its first (``reference``); drawn
        scaled to the peak of the first range here.
    """
    figure = layout(PIXEL_TITLE if by_pixel else WAVELENGTH_TITLE, f"Mean {FLUX_TITLE.lower()}")
    figure.update_layout(height=HEIGHT + 60)
    x = np.arange(len(wavelength)) if by_pixel else wavelength
    colours = range_colours(len(averages))
    for one, colour in zip(averages, colours, strict=True):
        if not one.n:
            continue
        name = f"{one.z_low:g} ≤ z < {one.z_high:g}"
        if bands:
            _add_bands_between(figure, x, one, colour, name)
        _add_bands(figure, x, one.mean, name, colour)
    filled = [one for one in averages if one.n]
    if published is not None and filled:
        peak = float(np.nanmax(filled[0].mean))
        names = [name for name in published.columns if name.startswith("z_")]
        for name, colour in zip(names, range_colours(len(names)), strict=True):
            low, high = name.split("_")[1:]
            title = f"published {float(low):g}–{float(high):g}"
            values = published[name].to_numpy(float) * peak
            _add_bands(figure, x, values, title, colour, dash="dot")
    _mark_seam(figure, x)
    return figure


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


def density(
    edges: FloatArray, counts: NDArray[np.integer], scale: str = DENSITY_SCALES[0]
) -> go.Figure:
    """True against predicted redshift, colour on a logarithmic scale, with the 1:1 line.

    Parameters
    ----------
    edges : array, shape (n_bins + 1,)
        The same on both axes.
    counts : array, shape (n_bins, n_bins)
        First axis z_phot; empty cells stay transparent.
    """
    figure = layout("True redshift, z_spec", "Predicted redshift, z_phot", height=520)
    middle = (edges[:-1] + edges[1:]) / 2
    with np.errstate(divide="ignore"):
        logs = np.where(counts > 0, np.log10(counts), np.nan).astype(np.float32)
    top = max(1, int(counts.max(initial=0)))
    ticks = [tick for tick in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000) if tick <= top]
    figure.add_heatmap(
        x=middle,
        y=middle,
        z=logs,
        customdata=counts.astype(np.int32),
        colorscale=_visible(scale),
        zmin=0.0,
        zmax=max(0.5, np.log10(top)),
        hoverongaps=False,
        colorbar={
            "title": {"text": "Galaxies per cell", "side": "right"},
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
    figure.update_xaxes(range=ends, constrain="domain")
    figure.update_yaxes(range=ends, scaleanchor="x", constrain="domain")
    return figure


def error_per_bin(
    bins: Sequence[Mapping[str, Any]],
    published: pd.DataFrame | None = None,
    *,
    axis: str = "z_spec",
    show_ugc: bool = False,
) -> go.Figure:
    """Mean error z_phot − z_spec with ±σ bars per redshift bin.

    Parameters
    ----------
    bins : sequence of mappings
        ``z_low, z_high, n, mean_error, std`` as in ``metrics.json``; empty bins hold None.
    published : DataFrame, optional
        ``reference.table_3()``, drawn beside them.
    axis : {"z_spec", "z_phot"}
        The redshift the bins are made of.
    show_ugc : bool
        Also draw Gaia's own classifier, read off a figure.
    """
    titles = {"z_spec": "True redshift, z_spec", "z_phot": "Predicted redshift, z_phot"}
    figure = layout(titles[axis], "Mean error z_phot − z_spec, ± σ")
    filled = pd.DataFrame([b for b in bins if b["n"] and b["mean_error"] is not None])
    if len(filled):
        filled["std"] = filled["std"].astype(float)  # None, where too few, becomes no bar
        _add_errors(figure, filled, "this run", BLUE, "mean_error", "std", shift=0.0)
    if published is not None:
        _add_errors(figure, published, "dissertation", AMBER, "mean_error", "std", shift=0.008)
        if show_ugc:
            names = ("ugc_mean_error", "ugc_std")
            _add_errors(figure, published, "Gaia UGC (read off a figure)", GREY, *names, -0.008)
    figure.add_hline(y=0, line={"color": GREY, "width": 1, "dash": "dash"})
    figure.update_xaxes(range=[Z_MIN - 0.01, Z_MAX + 0.01])
    return figure


def range_colours(count: int) -> list[str]:
    """Colours from cool to warm for rising redshift ranges."""
    if count < 2:
        return [RANGE_SCALE[0]] * count
    return sample_colorscale(RANGE_SCALE, list(np.linspace(0, 1, count)))


def line_positions(
    wavelength: FloatArray, z: float, by_pixel: bool = False
) -> dict[str, list[float]]:
    """Where each rest-frame line falls at a redshift: nm, or pixel numbers (one per band).

    Lines outside the spectrum are left out.
    """
    found: dict[str, list[float]] = {}
    for name, rest in REST_LINES.items():
        observed = rest * (1 + z)
        if by_pixel:
            places = [
                float(np.interp(observed, wavelength[band], np.arange(len(wavelength))[band]))
                for band in (slice(0, N_BP), slice(N_BP, None))
                if wavelength[band].min() <= observed <= wavelength[band].max()
            ]
        else:
            inside = wavelength.min() <= observed <= wavelength.max()
            places = [observed] if inside else []
        if places:
            found[name] = places
    return found


def _add_bands(
    figure: go.Figure, x: FloatArray, y: FloatArray, name: str, colour: str, dash: str = "solid"
) -> None:
    """BP and RP as two lines of one legend entry: nothing is drawn across the seam."""
    for band, shown in ((slice(0, N_BP), True), (slice(N_BP, None), False)):
        figure.add_scatter(
            x=x[band],
            y=y[band],
            mode="lines",
            name=name,
            legendgroup=name,
            showlegend=shown,
            line={"color": colour, "width": 1.8, "dash": dash},
            hovertemplate="%{x:.4g}: %{y:.4g}",
        )


def _add_bands_between(
    figure: go.Figure, x: FloatArray, one: AverageSpectrum, colour: str, name: str
) -> None:
    """Translucent area of mean ± sd, per band."""
    fill = colour.replace("rgb(", "rgba(").replace(")", ", 0.13)")
    if not colour.startswith("rgb"):
        fill = f"rgba{(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), 0.13)}"
    for band in (slice(0, N_BP), slice(N_BP, None)):
        low, high = one.mean[band] - one.std[band], one.mean[band] + one.std[band]
        figure.add_scatter(
            x=np.concatenate([x[band], x[band][::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            fillcolor=fill,
            mode="none",
            legendgroup=name,
            showlegend=False,
            hoverinfo="skip",
        )


def _add_errors(
    figure: go.Figure,
    table: pd.DataFrame,
    name: str,
    colour: str,
    mean: str,
    std: str,
    shift: float,
) -> None:
    """Points with error bars in the middle of each bin; a shift keeps bars side by side."""
    figure.add_scatter(
        x=(table.z_low + table.z_high) / 2 + shift,
        y=table[mean],
        error_y={"type": "data", "array": table[std], "color": colour, "thickness": 1.4},
        mode="markers",
        marker={"color": colour, "size": 7},
        name=name,
        customdata=np.stack([table.z_low, table.z_high, table[std]], axis=1),
        hovertemplate="%{customdata[0]:.2f}–%{customdata[1]:.2f}<br>mean %{y:+.4f}"
        "<br>σ %{customdata[2]:.4f}",
    )


def _mark_seam(figure: go.Figure, x: FloatArray) -> None:
    seam = float(x[N_BP - 1] + x[N_BP]) / 2
    figure.add_vline(x=seam, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=seam, y=0, yref="paper", yanchor="bottom", text="BP | RP", showarrow=False,
        font={"color": GREY, "size": 11},
    )  # fmt: skip


def _mark_lines(
    figure: go.Figure, wavelength: FloatArray, by_pixel: bool, label: str, z: float, colour: str
) -> None:
    places = line_positions(wavelength, z, by_pixel)
    for name, xs in places.items():
        for x in xs:
            figure.add_vline(x=x, line={"color": colour, "width": 1, "dash": "dot"}, opacity=0.75)
            figure.add_annotation(
                x=x, y=1, yref="paper", yanchor="top", xanchor="right", text=name, textangle=-90,
                showarrow=False, font={"color": colour, "size": 11},
            )  # fmt: skip
    if places:
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            line={"color": colour, "width": 1, "dash": "dot"},
            name=f"rest-frame lines at {label} = {z:.4f}",
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
