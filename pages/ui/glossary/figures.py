"""The figure of each word that has one, built when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.ui.display import chart
from redshift_core import constants, figures, reference
from redshift_core.figures import glossary as drawn
from redshift_core.reports import glossary

if TYPE_CHECKING:
    import plotly.graph_objects as go

N_ERRORS, N_OUTLIERS = 1900, 100  # of the made-up errors


@dataclass(frozen=True)
class Shown:
    """A figure with its words."""

    title: str
    make: Callable[[], go.Figure]
    caption: str
    alt: str
    simulated: bool = False


def show_figure(name: str, key: str) -> None:
    """Draw the figure of a word.

    Parameters
    ----------
    name : str
        Entry of FIGURES.
    key : str
        The word's anchor: several words may share a figure.
    """
    shown = FIGURES[name]
    figure = _moving_lines(key) if name == "redshift" else shown.make()
    about = {"simulated": shown.simulated}
    chart(figure, f"figure_{key}", caption=shown.caption, alt=shown.alt, about=about)


def _moving_lines(key: str) -> go.Figure:
    """Rest-frame lines over the example's spectrum, at a redshift chosen by a slider."""
    flux, z_spec = glossary.example_spectrum()
    z = st.slider(
        "Redshift of the lines", 0.0, 0.6, 0.0, 0.01, key=f"slider_{key}",
        help=f"The galaxy itself has z = {z_spec:.3f}.",
    )  # fmt: skip
    return figures.spectrum({"galaxy": flux}, constants.wavelength(), lines_at={"z": z})


def _spectrum() -> go.Figure:
    return figures.spectrum({"galaxy": glossary.example_spectrum()[0]}, constants.wavelength())


def _scatter() -> go.Figure:
    generator = np.random.default_rng(0)
    errors = (generator.normal(0, 0.02, N_ERRORS), generator.normal(0, 0.15, N_OUTLIERS))
    return drawn.robust_scatter(np.concatenate(errors))


FIGURES: dict[str, Shown] = {
    "redshift": Shown(
        "Lines that move with redshift",
        _spectrum,  # not called: the slider's redshift is drawn in its place
        "A galaxy's spectrum, and where well-known lines fall at the redshift of the slider. "
        "Wavelength in nm, inferred; flux in e⁻ s⁻¹ per pixel. At Gaia's resolution most lines "
        "are blurred: look for the break at Ca H, K and the hump at Hα.",
        "One spectrum with rest-frame lines that move to longer wavelengths as redshift grows",
        simulated=True,
    ),
    "spectrum": Shown(
        "A spectrum",
        _spectrum,
        "BP left of the seam, RP right of it; they overlap by 7 nm. Wavelength in nm, inferred; "
        "flux in e⁻ s⁻¹ per pixel.",
        "Spectrum of one galaxy, 80 BP and 106 RP pixels, broken at the seam",
        simulated=True,
    ),
    "losses": Shown(
        "Three losses",
        drawn.losses,
        f"Loss of one galaxy by its error in redshift, each divided by its value at an error of "
        f"{drawn.LOSS_AT}: beyond it the squared error grows fastest.",
        "Squared, Huber and absolute loss; the squared one is 16 times its unit at an error of "
        "0.2, Huber 7 times, the absolute one 4 times",
    ),
    "activations": Shown(
        "Activations",
        drawn.activations,
        "What an activation gives out for a number that comes in; both dimensionless.",
        "Ten activation curves: flat or bent below zero, most rising straight above it",
    ),
    "over_fitting": Shown(
        "The published record",
        lambda: drawn.over_fitting(reference.history()),
        "Loss of the dissertation's training and validation rows over its 40 published epochs; "
        "dimensionless.",
        "Training loss falls over all 40 epochs; validation loss is lowest at epoch 35, then rises",
    ),
    "sigma_nmad": Shown(
        "Scatter and outliers",
        _scatter,
        "2,000 made-up errors: 95 % scatter by 0.02, 5 % by 0.15; dimensionless. The few outliers "
        "double the standard deviation and leave σ_NMAD almost alone.",
        "Histogram of made-up errors; σ_NMAD is near 0.02, the standard deviation near 0.04",
    ),
    "schedules": Shown(
        "Schedules",
        drawn.schedules,
        "Learning rate over a run, in units of the rate as set.",
        "Constant; one cycle, up then down; half a cosine down; exponential fall",
    ),
    "learning_rate": Shown(
        "Three learning rates",
        drawn.learning_rate_steps,
        "Ten steps of plain gradient descent on the loss w²/2 of one weight w; dimensionless.",
        "A small rate creeps down a parabola, a good one reaches its floor, a large one leaps out",
    ),
    "convolution": Shown(
        "Two kernels",
        lambda: drawn.convolution(glossary.example_spectrum()[0], constants.wavelength()),
        "A spectrum and what two kernels of five weights give out along it: one answers to "
        "slopes, the other smooths. Wavelength in nm, inferred; flux in e⁻ s⁻¹ per pixel.",
        "A spectrum, its slope-like convolution and its smoothed copy",
        simulated=True,
    ),
    "split": Shown(
        "The dissertation's split",
        lambda: drawn.split_bar(
            dict(zip(("training", "validation", "test"), reference.N_SPLIT, strict=True))
        ),
        "Its 520,393 galaxies: 327,847 training, 140,506 validation, 52,040 test rows.",
        "One bar in three parts: 63 % training, 27 % validation, 10 % test",
    ),
    "shrinkage": Shown(
        "Errors that lean toward the mean",
        lambda: figures.error_per_bin([], reference.table_3()),
        "The dissertation's Table 3: mean error z_phot − z_spec ± σ per redshift bin, positive "
        "below the mean redshift of 0.14 and negative above it.",
        "Mean error falls from +0.02 at z near 0 to −0.21 at z near 0.6",
    ),
}
