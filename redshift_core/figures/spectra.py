"""Spectra: single ones with rest-frame lines, and averages per redshift range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from redshift_core.constants import FLUX_UNIT, N_BP, FloatArray
from redshift_core.evaluation.statistics import AverageSpectrum
from redshift_core.figures.frame import (
    AMBER,
    BLUE,
    FAINT,
    GREY,
    HEIGHT,
    RED,
    TEAL,
    layout,
    range_colours,
)

FLUX_TITLE = f"Flux / {FLUX_UNIT}"
WAVELENGTH_TITLE = "Wavelength / nm (inferred)"
PIXEL_TITLE = "Pixel (0–79 BP, 80–185 RP)"
BAND_FILLS = (FAINT, "rgba(132, 140, 153, 0.5)")  # of the wider and the narrower band
LEGEND_LINE = 20  # px of a further line of the legend

COLOURS = (
    BLUE, AMBER, "#b0559e", "#6b9a2a", "#7c6fd0", "#1f9d86", "#c45b7c", "#8a7a4f",
    "#5f7d95", "#c98a12", "#2f8fc4", "#a0683c", "#4f8a5b",
)  # fmt: skip
REST_LINES = {  # nm in vacuum, from the SDSS line table (multiplets at their mean)
    "[O II]": 372.8,
    "Ca H, K": 395.2,
    "4000 Å": 400.0,  # where the red side of D4000 begins (Balogh et al. 1999)
    "Hγ": 434.2,
    "Hβ": 486.3,
    "[O III]": 500.8,
    "Mg b": 517.6,
    "Na D": 589.5,
    "Hα": 656.5,
    "[S II]": 672.5,
}


def spectrum(
    flux: Mapping[str, FloatArray],
    wavelength: FloatArray,
    *,
    by_pixel: bool = False,
    lines_at: Mapping[str, float] | None = None,
    y_title: str = FLUX_TITLE,
    spread: tuple[FloatArray, FloatArray] | None = None,
) -> go.Figure:
    """One or more spectra of the same pixels, BP and RP parted at the seam.

    Parameters
    ----------
    flux : mapping
        Legend name → values, shape (186,); the first one stands out.
    wavelength : array, shape (186,)
        Pixel centres, in nm.
    by_pixel : bool
        Draw over pixel number instead of wavelength.
    lines_at : mapping, optional
        Label of a redshift (such as ``z_spec``) → redshift at which rest-frame lines are marked;
        the first one's carry their names.
    spread : pair of arrays, shape (186,), optional
        Lower and upper end of an area behind the spectra.
    """
    figure = layout(PIXEL_TITLE if by_pixel else WAVELENGTH_TITLE, y_title)
    figure.update_layout(
        height=HEIGHT + LEGEND_LINE * (len(flux) // 3), legend_traceorder="reversed"
    )
    x = np.arange(len(wavelength)) if by_pixel else wavelength
    if spread is not None:
        _add_area(figure, x, *spread, FAINT, "68 % of similar galaxies", in_legend=True)
    for number, (name, values) in reversed(list(enumerate(flux.items()))):
        width = 2.2 if number == 0 else 1.4
        _add_line(figure, x, values, name, COLOURS[number % len(COLOURS)], width=width)
    _mark(figure, wavelength, by_pixel, lines_at or {})
    return figure


def average_flux(
    averages: Sequence[AverageSpectrum],
    wavelength: FloatArray,
    *,
    by_pixel: bool = False,
    average: str = "mean",
    bands: str = "sd",
    at_peak: bool = False,
    published: pd.DataFrame | None = None,
) -> go.Figure:
    """Average spectrum of each redshift range, its scatter, and the published curves dotted.

    Parameters
    ----------
    averages : sequence of AverageSpectrum
    wavelength : array, shape (186,)
        Pixel centres, in nm.
    average, bands, at_peak
        See `AverageSpectrum.curves`; bands may be empty, for none.
    published : DataFrame, optional
        One column per published range, divided by the peak of its first (``reference``); drawn
        scaled to the peak of the first range here, or each to its own peak.
    """
    y_title = "flux / its highest value" if at_peak else FLUX_TITLE.lower()
    figure = layout(
        PIXEL_TITLE if by_pixel else WAVELENGTH_TITLE, f"{average.capitalize()} {y_title}"
    )
    figure.update_layout(height=HEIGHT + 60)
    x = np.arange(len(wavelength)) if by_pixel else wavelength
    peak = 0.0
    for one, colour in zip(averages, range_colours(len(averages)), strict=True):
        if not one.n:
            continue
        name = f"{one.z_low:g} ≤ z < {one.z_high:g}"
        middle, low, high = one.curves(average, bands or "sd", at_peak)
        if bands:
            _add_area(figure, x, low, high, _translucent(colour), name)
        _add_line(figure, x, middle, name, colour)
        peak = peak or float(np.nanmax(middle))
    if published is not None and peak:
        _add_published(figure, x, published, 0.0 if at_peak else peak, "dot")
    _mark(figure, wavelength, by_pixel, {})
    return figure


def real_spectrum(
    name: str,
    flux: FloatArray,
    filled: NDArray[np.bool_],
    wavelength: FloatArray,
    z_spec: float,
    bands: Mapping[str, tuple[FloatArray, FloatArray]],
) -> go.Figure:
    """A real spectrum over bands of others; samples that were filled in are rings.

    Parameters
    ----------
    name : str
        Of the spectrum, in the legend.
    flux, wavelength : array, shape (186,)
        In e⁻ s⁻¹ per pixel and nm.
    filled : array, shape (186,)
        Which of the samples were not observed.
    z_spec : float
        Redshift at which rest-frame lines are marked.
    bands : mapping
        Legend name → lower and upper end, each (186,); two at most, the wider first.
    """
    figure = layout(WAVELENGTH_TITLE, FLUX_TITLE)
    figure.update_layout(height=HEIGHT + LEGEND_LINE)
    for (title, (low, high)), fill in zip(bands.items(), BAND_FILLS, strict=False):
        _add_area(figure, wavelength, low, high, fill, title, in_legend=True)
    _add_line(figure, wavelength, flux, name, BLUE, width=2.2)
    if filled.any():
        figure.add_scatter(
            x=wavelength[filled],
            y=flux[filled],
            mode="markers",
            name="filled in",
            marker={"symbol": "circle-open", "size": 8, "color": AMBER},
            hovertemplate="%{x:.4g}: %{y:.4g}, filled in",
        )
    _mark(figure, wavelength, False, {"z_spec": z_spec})
    return figure


def published_averages(published: pd.DataFrame, wavelength: FloatArray) -> go.Figure:
    """Average spectra as published, relative to the peak of the first range.

    Parameters
    ----------
    published : DataFrame
        ``reference.average_flux()``.
    wavelength : array, shape (186,)
        Pixel centres, in nm.
    """
    figure = layout(WAVELENGTH_TITLE, "Mean flux, relative")
    _add_published(figure, wavelength, published, 1.0, "solid")
    _mark(figure, wavelength, False, {})
    return figure


def line_positions(
    wavelength: FloatArray, z: float, by_pixel: bool = False
) -> dict[str, list[float]]:
    """Where each rest-frame line falls at a redshift: nm, or pixel numbers (one per band).

    Lines outside the spectrum are left out.
    """
    positions: dict[str, list[float]] = {}
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
            positions[name] = places
    return positions


def _add_line(
    figure: go.Figure,
    x: FloatArray,
    y: FloatArray,
    name: str,
    colour: str,
    dash: str = "solid",
    width: float = 1.8,
) -> None:
    """BP and RP as one line with a gap: nothing is drawn across the seam."""
    figure.add_scatter(
        x=np.insert(x.astype(float), N_BP, np.nan),
        y=np.insert(np.asarray(y, float), N_BP, np.nan),
        mode="lines",
        name=name,
        legendgroup=name,
        line={"color": colour, "width": width, "dash": dash},
        hovertemplate="%{x:.4g}: %{y:.4g}",
    )


def _add_area(
    figure: go.Figure,
    x: FloatArray,
    low: FloatArray,
    high: FloatArray,
    fill: str,
    name: str,
    *,
    in_legend: bool = False,
) -> None:
    """Area between two curves, per band; in the legend where no line has its name."""
    bands = (slice(0, N_BP), slice(N_BP, None))
    gap = [np.nan]
    figure.add_scatter(
        x=np.concatenate([part for b in bands for part in (x[b], x[b][::-1], gap)]),
        y=np.concatenate([part for b in bands for part in (high[b], low[b][::-1], gap)]),
        fill="toself",
        fillcolor=fill,
        mode="none",
        name=name,
        legendgroup=name,
        showlegend=in_legend,
        hoverinfo="skip",
    )


def _translucent(colour: str) -> str:
    """``rgb(…)`` or ``#rrggbb`` as a fill that lets the lines through."""
    if colour.startswith("rgb("):
        return colour.replace("rgb(", "rgba(").replace(")", ", 0.13)")
    return f"rgba{(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), 0.13)}"


def _add_published(
    figure: go.Figure, x: FloatArray, published: pd.DataFrame, peak: float, dash: str
) -> None:
    """Published curves times a peak; 0 scales each to a peak of its own of 1."""
    names = [name for name in published.columns if name.startswith("z_")]
    for name, colour in zip(names, range_colours(len(names)), strict=True):
        low, high = name.split("_")[1:]
        title = f"published {float(low):g}–{float(high):g}"
        values = published[name].to_numpy(float)
        _add_line(figure, x, values * (peak or 1 / np.nanmax(values)), title, colour, dash=dash)


def _mark(
    figure: go.Figure, wavelength: FloatArray, by_pixel: bool, lines_at: Mapping[str, float]
) -> None:
    """Seam between BP and RP and rest-frame lines, set at once: one by one costs 10 ms each."""
    x = np.arange(len(wavelength)) if by_pixel else wavelength
    seam = float(x[N_BP - 1] + x[N_BP]) / 2
    shapes = [_vertical(seam, GREY)]
    texts = [_text(seam, "BP | RP", GREY, y=0, yanchor="bottom")]
    for (label, z), colour in zip(lines_at.items(), (RED, TEAL, AMBER), strict=False):
        for number, (name, places) in enumerate(line_positions(wavelength, z, by_pixel).items()):
            shapes += [_vertical(place, colour) for place in places]
            if colour != RED:  # the same lines again, in the same order
                continue
            y = 1 - 0.2 * (number % 2)  # neighbours at two heights
            texts += [
                _text(place, name, colour, y=y, yanchor="top", xanchor="right", textangle=-90)
                for place in places
            ]
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            line={"color": colour, "width": 1, "dash": "dot"},
            name=f"lines at {label} = {z:.4f}",
        )
    figure.update_layout(shapes=shapes, annotations=texts)


def _vertical(x: float, colour: str) -> dict[str, Any]:
    line = {"color": colour, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _text(x: float, text: str, colour: str, **more: Any) -> dict[str, Any]:
    font = {"color": colour, "size": 11}
    return {"x": x, "text": text, "yref": "paper", "showarrow": False, "font": font, **more}
