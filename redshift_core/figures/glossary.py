"""Figures that show a word of the glossary; made of formulas, published records or one spectrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.special import erf

from redshift_core.constants import N_BP, FloatArray
from redshift_core.evaluation import metrics
from redshift_core.figures.frame import AMBER, BLUE, GREY, RED, TEAL, layout, range_colours
from redshift_core.figures.spectra import FLUX_TITLE, WAVELENGTH_TITLE
from redshift_core.settings.names import SCHEDULES
from redshift_core.settings.run import TrainingConfig
from redshift_core.settings.schedules import learning_rates

LOSS_AT = 0.05  # error at which the three losses are drawn equal, and Huber's δ there
KERNELS = {  # weights of two kernels, as a network might learn them
    "slope: −1 −1 0 1 1": (-1.0, -1.0, 0.0, 1.0, 1.0),
    "mean of five": (0.2, 0.2, 0.2, 0.2, 0.2),
}
ACTIVATIONS: dict[str, Callable[[FloatArray], FloatArray]] = {  # as Keras defines them
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
    "selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(np.minimum(x, 0.0))),
    "gelu": lambda x: x * (1.0 + erf(x / np.sqrt(2.0))) / 2.0,
    "silu": lambda x: x / (1.0 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "linear": lambda x: x,
}


def losses() -> go.Figure:
    """Squared, Huber and absolute loss of an error, each divided by its value at LOSS_AT."""
    error = np.linspace(-0.2, 0.2, 161)
    size, delta = np.abs(error), LOSS_AT
    huber = np.where(size <= delta, size**2 / 2, delta * size - delta**2 / 2)
    figure = layout("Error in redshift, z_phot − z_spec", f"Loss, relative to that at {LOSS_AT}")
    for name, values, at, colour in (
        ("MSE", size**2, delta**2, RED),
        (f"Huber, δ = {delta}", huber, delta**2 / 2, BLUE),
        ("MAE", size, delta, TEAL),
    ):
        _line(figure, error, values / at, name, colour)
    return figure


def activations() -> go.Figure:
    """Every activation from −4 to 4."""
    x = np.linspace(-4.0, 4.0, 161)
    figure = layout("In", "Out")
    for (name, bend), colour in zip(
        ACTIVATIONS.items(), range_colours(len(ACTIVATIONS)), strict=True
    ):
        _line(figure, x, bend(x), name, colour)
    figure.update_yaxes(range=[-2.0, 4.0])
    return figure


def over_fitting(history: pd.DataFrame) -> go.Figure:
    """Training and validation loss per epoch, with the epoch of the lowest validation loss.

    Parameters
    ----------
    history : DataFrame
        Columns ``epoch``, ``loss``, ``val_loss``.
    """
    figure = layout("Epoch", "Loss")
    _line(figure, history.epoch, history.loss, "training", BLUE)
    _line(figure, history.epoch, history.val_loss, "validation", RED)
    figure.update_yaxes(tickformat=".5f")
    lowest = int(history.epoch[history.val_loss.idxmin()])
    figure.add_vline(
        x=lowest,
        line={"color": GREY, "dash": "dot", "width": 1},
        annotation={"text": f"lowest validation loss, epoch {lowest}", "xanchor": "right"},
    )
    return figure


def robust_scatter(e_z: FloatArray) -> go.Figure:
    """Histogram of errors, with ± σ_NMAD and ± the standard deviation.

    Parameters
    ----------
    e_z : array, shape (n_sources,)
    """
    sigma = metrics.sigma_nmad(np.zeros_like(e_z), e_z)
    counts, edges = np.histogram(e_z, bins=np.linspace(-0.3, 0.3, 121))
    figure = layout("Error e_z", "Galaxies per bin", bargap=0)
    figure.add_bar(x=(edges[:-1] + edges[1:]) / 2, y=counts, marker_color=GREY, showlegend=False)
    top = float(counts.max())
    for name, width, colour, height in (
        (f"± σ_NMAD = {sigma:.3f}", sigma, BLUE, 0.95),
        (f"± standard deviation = {e_z.std():.3f}", e_z.std(), RED, 0.85),
        ("outliers: |e_z| > 0.15", 0.15, AMBER, 0.5),
    ):
        ends = [-width, -width, None, width, width]
        _line(figure, ends, [0, height * top, None, 0, height * top], name, colour)
    return figure


def schedules() -> go.Figure:
    """Learning rate over a run, in units of the rate as set, for every schedule."""
    n = 400
    figure = layout("Share of the run", "Learning rate, in units of the rate as set")
    for name, colour in zip(SCHEDULES, (GREY, BLUE, TEAL, AMBER), strict=True):
        config = TrainingConfig(schedule=name, learning_rate=1.0)
        _line(figure, np.arange(n) / n, learning_rates(config, 0, n, n), name, colour)
    return figure


def learning_rate_steps() -> go.Figure:
    """Ten steps of gradient descent down the parabola w²/2 with a small, a good, a large rate."""
    w = np.linspace(-1.3, 1.3, 105)
    figure = layout("A weight", "Loss")
    _line(figure, w, w**2 / 2, "loss", GREY)
    for name, rate, colour in (
        ("rate 0.05: slow", 0.05, AMBER),
        ("rate 0.6: arrives", 0.6, TEAL),
        ("rate 2.02: leaps over the valley", 2.02, RED),
    ):
        places = 1.05 * (1.0 - rate) ** np.arange(11)  # the slope of w²/2 is w
        _line(figure, places, places**2 / 2, name, colour, mode="lines+markers")
    return figure


def convolution(flux: FloatArray, wavelength: FloatArray) -> go.Figure:
    """One spectrum and what two kernels give out along it.

    Parameters
    ----------
    flux, wavelength : array, shape (186,)
    """
    figure = layout(WAVELENGTH_TITLE, FLUX_TITLE)
    _bands(figure, wavelength, flux, "spectrum", GREY)
    for (name, kernel), colour in zip(KERNELS.items(), (RED, BLUE), strict=True):
        # A network slides its kernel without turning it round: that is ``correlate``.
        out = np.full(len(flux), np.nan)  # no value where the kernel would hang over an end
        half = len(kernel) // 2
        out[half:-half] = np.correlate(flux, kernel, mode="valid")
        _bands(figure, wavelength, out, name, colour)
    return figure


def split_bar(counts: Mapping[str, int]) -> go.Figure:
    """Rows of each part of the split, side by side in one bar."""
    total = sum(counts.values())
    figure = layout("Galaxies", "", height=170, barmode="stack")
    for (name, n), colour in zip(counts.items(), (BLUE, TEAL, AMBER), strict=True):
        figure.add_bar(
            y=["rows"],
            x=[n],
            orientation="h",
            name=f"{name} {n / total:.0%}",
            marker_color=colour,
            hovertemplate=f"{name}: {n:,}<extra></extra>",
        )
    figure.update_yaxes(showticklabels=False)
    figure.update_layout(legend_traceorder="normal")
    return figure


def _line(
    figure: go.Figure, x: object, y: object, name: str, colour: str, mode: str = "lines"
) -> None:
    figure.add_scatter(
        x=x, y=y, mode=mode, name=name, line={"color": colour, "width": 1.8},
        hovertemplate="%{x:.4g}: %{y:.4g}",
    )  # fmt: skip


def _bands(figure: go.Figure, x: FloatArray, y: FloatArray, name: str, colour: str) -> None:
    """BP and RP as one line that is broken at the seam."""
    gap = [np.nan]
    parts = [np.concatenate([v[:N_BP], gap, v[N_BP:]]) for v in (x, y)]
    _line(figure, *parts, name, colour)
