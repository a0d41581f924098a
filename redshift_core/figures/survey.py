"""The simulated survey beside the published one: mean spectra and extremes of the columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from redshift_core.constants import FLUX_UNIT, N_BP, FloatArray
from redshift_core.figures.frame import BLUE, GREY, layout
from redshift_core.figures.spectra import PIXEL_TITLE, WAVELENGTH_TITLE

PUBLISHED, SIMULATED = "published", "SIMULATED"
LINES = {PUBLISHED: {"color": GREY, "width": 4}, SIMULATED: {"color": BLUE, "width": 1.6}}
COLUMNS = 3  # of the small figures
HEIGHT = 520  # px


def absolute_averages(
    published: pd.DataFrame, simulated: pd.DataFrame, wavelength: FloatArray
) -> go.Figure:
    """Mean spectra of each redshift range, published (broad) and SIMULATED, a small figure each.

    Parameters
    ----------
    published, simulated : DataFrame
        ``reference.average_flux_absolute()`` and ``simulated_average_flux()``: a column of 186
        fluxes in e⁻ s⁻¹ per pixel for each range, ``z_0.0_0.1`` and so on.
    wavelength : array, shape (186,)
        Pixel centres, in nm.
    """
    names = [name for name in published.columns if name.startswith("z_")]
    titles = [
        f"{float(low):g} ≤ z < {float(high):g}" for _, low, high in (n.split("_") for n in names)
    ]
    n_rows = -(-len(names) // COLUMNS)
    figure = _grid(n_rows, COLUMNS, titles)
    for number, name in enumerate(names):
        place = {"row": number // COLUMNS + 1, "col": number % COLUMNS + 1}
        for kind, table in ((PUBLISHED, published), (SIMULATED, simulated)):
            _add_bands(figure, wavelength, table[name], kind, number == 0, place)
    figure.update_xaxes(title_text=WAVELENGTH_TITLE, row=n_rows)
    figure.update_yaxes(title_text=f"Mean flux / {FLUX_UNIT}", col=1)
    figure.update_yaxes(rangemode="tozero")
    return figure


def column_extremes(published: pd.DataFrame, simulated: pd.DataFrame) -> go.Figure:
    """Highest and lowest flux of each column, published (broad) and SIMULATED.

    Parameters
    ----------
    published, simulated : DataFrame
        ``reference.recovered_minmax()`` and ``simulated_minmax()``: ``low`` and ``high`` of the 186
        columns, e⁻ s⁻¹ per pixel.
    """
    figure = _grid(1, 2, ["Highest flux of all galaxies", "Lowest flux of all galaxies"])
    pixel = np.arange(len(published))
    for number, name in enumerate(("high", "low")):
        for kind, table in ((PUBLISHED, published), (SIMULATED, simulated)):
            place = {"row": 1, "col": number + 1}
            _add_bands(figure, pixel, table[name], kind, number == 0, place)
    figure.update_xaxes(title_text=PIXEL_TITLE)
    figure.update_yaxes(title_text=f"Flux / {FLUX_UNIT}", col=1)
    return figure


def _grid(rows: int, columns: int, titles: list[str]) -> go.Figure:
    """Empty small figures in the frame of all figures."""
    figure = make_subplots(rows, columns, subplot_titles=titles, vertical_spacing=0.14)
    figure.update_layout(layout("", "", HEIGHT if rows > 1 else 360).layout)
    figure.update_layout(margin_t=64, legend_y=1.08)
    figure.update_xaxes(title_text="", automargin=True)
    figure.update_yaxes(title_text="", automargin=True)
    return figure


def _add_bands(
    figure: go.Figure,
    x: FloatArray,
    values: pd.Series,
    kind: str,
    in_legend: bool,
    place: dict[str, int],
) -> None:
    """BP and RP as one line that is broken at the seam and where nothing is known."""
    figure.add_scatter(
        x=np.insert(np.asarray(x, float), N_BP, np.nan),
        y=np.insert(values.to_numpy(float), N_BP, np.nan),
        mode="lines",
        name=kind,
        legendgroup=kind,
        showlegend=in_legend,
        line=LINES[kind],
        hovertemplate="%{x:.4g}: %{y:.4g}",
        **place,
    )
