"""Spectra: single ones with rest-frame lines, and averages per redshift range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from redshift_core.constants import FLUX_UNIT, N_BP
from redshift_core.figures.frame import (
    AMBER,
    BLUE,
    GREY,
    HEIGHT,
    RED,
    TEAL,
    layout,
    range_colours,
)
from redshift_core.statistics import AverageSpectrum

FloatArray = NDArray[np.floating]

FLUX_TITLE = f"Flux / {FLUX_UNIT}"
WAVELENGTH_TITLE = "Wavelength / nm (inferred)"
PIXEL_TITLE = "Pixel (0–79 BP, 80–185 RP)"

REST_LINES = {  # nm in vacuum, from the SDSS line table (multiplets at their mean)
    "[O II]": 372.8,
    "Ca H, K": 395.2,
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
    _mark(figure, wavelength, by_pixel, lines_at or {})
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
        _add_published(figure, x, published, float(np.nanmax(filled[0].mean)), "dot")
    _mark(figure, wavelength, by_pixel, {})
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


def _add_published(
    figure: go.Figure, x: FloatArray, published: pd.DataFrame, peak: float, dash: str
) -> None:
    names = [name for name in published.columns if name.startswith("z_")]
    for name, colour in zip(names, range_colours(len(names)), strict=True):
        low, high = name.split("_")[1:]
        title = f"published {float(low):g}–{float(high):g}"
        _add_bands(figure, x, published[name].to_numpy(float) * peak, title, colour, dash=dash)


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
            y = 1 - 0.15 * (number % 2)  # neighbours at two heights
            shapes += [_vertical(place, colour) for place in places]
            texts += [
                _text(place, name, colour, y=y, yanchor="top", xanchor="right", textangle=-90)
                for place in places
            ]
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            line={"color": colour, "width": 1, "dash": "dot"},
            name=f"rest-frame lines at {label} = {z:.4f}",
        )
    figure.update_layout(shapes=shapes, annotations=texts)


def _vertical(x: float, colour: str) -> dict[str, Any]:
    line = {"color": colour, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _text(x: float, text: str, colour: str, **more: Any) -> dict[str, Any]:
    font = {"color": colour, "size": 11}
    return {"x": x, "text": text, "yref": "paper", "showarrow": False, "font": font, **more}
