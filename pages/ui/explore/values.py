"""Explore: what is drawn of a spectrum: raw flux, normalised, or as a network sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui.explore.view import View, whole_rows
from pages.ui.text import count, counted
from redshift_core import constants
from redshift_core.data.scaling import Scaler, fit_scaler
from redshift_core.evaluation import statistics
from redshift_core.settings.names import SCALERS
from redshift_core.settings.run import ScalerConfig
from redshift_core.settings.selection import Selection
from redshift_core.store import RunFolder, Store

N_PREVIEW = 5_000  # galaxies a scaler is fitted on where no run is chosen
RAW, NORMALISED = "raw", "normalised"
LABELS = {RAW: "Raw flux", NORMALISED: "Each divided by its mean"}


@dataclass(frozen=True)
class Values:
    """What is done to a spectrum before it is drawn; small, so that it can key a cache."""

    name: str = RAW  # raw, normalised, or a scaler of SCALERS fitted here
    scaler: str = ""  # file of a run's scaler
    changed: int = 0  # its time of change, ns

    def of(self, view: View) -> Scaler | None:
        """The scaler, where there is one."""
        if self.scaler:
            return _loaded(self.scaler, self.changed)
        return _fitted(view.path, view.changed, self.name) if self.name in SCALERS else None

    def apply(self, view: View, flux: np.ndarray) -> np.ndarray:
        """Values to draw, shape (n, 186), of spectra of that shape."""
        scaler = self.of(view)
        with np.errstate(invalid="ignore", over="ignore"):  # flagged spectra are drawn with gaps
            if scaler is not None:
                return scaler.apply(flux)[:, : constants.N_PIXELS]
            return statistics.normalised(flux) if self.name == NORMALISED else np.asarray(flux)

    @property
    def title(self) -> str:
        """Title of the axis."""
        if self.name == RAW:
            return f"Flux / {constants.FLUX_UNIT}"
        return "Flux / mean flux" if self.name == NORMALISED else "Network input (dimensionless)"


def values_choice() -> Values:
    """Select box: raw, normalised, scaled by a run, or by a scaler fitted for this view."""
    runs = {run.id: run for run in Store().runs() if run.scaler_path.exists()}

    def label(key: str) -> str:
        if key in runs:
            return f"As scaled by {runs[key].name} ({key})"
        return LABELS.get(key, f"Scaler {key}, fitted here on {count(N_PREVIEW)} random galaxies")

    name = st.selectbox(
        "Values", [RAW, NORMALISED, *runs, *SCALERS], key="values", format_func=label,
        bind="query-params",
        help="A run's scaler is the one its model carries; the others are fitted for this view.",
    )  # fmt: skip
    return _of_run(runs[name]) if name in runs else Values(name)


def describe(values: Values, view: View, flux: np.ndarray) -> str:
    """Sentence on what was done to a spectrum of shape (186,), for the caption."""
    scaler = values.of(view)
    if scaler is None:
        unit = f"Raw flux in {constants.FLUX_UNIT}" if values.name == RAW else "Flux / mean flux"
        return f"{unit}. "
    extra = ""
    if scaler.n_inputs > constants.N_PIXELS:
        further = scaler.apply(flux[None])[0, constants.N_PIXELS :]
        numbers = ", ".join(f"{value:+.3f}" for value in further)
        extra = f" Two further inputs, log brightness and log scatter: {numbers}."
    return (
        f"After {scaler.name} scaling, fitted on {counted(scaler.n_fitted, 'row')}; "
        f"dimensionless.{extra} "
    )


def _of_run(run: RunFolder) -> Values:
    return Values(run.id, str(run.scaler_path), run.scaler_path.stat().st_mtime_ns)


@st.cache_resource(max_entries=16, show_spinner=False)
def _loaded(path: str, changed: int) -> Scaler:
    return Scaler.load(Path(path))


@st.cache_resource(max_entries=16, show_spinner="Fitting the scaler …")
def _fitted(path: str, changed: int, name: str) -> Scaler:
    view = View(path, changed, Selection(flag="all").text)
    rows = statistics.draw_rows(whole_rows(view), N_PREVIEW, seed=0)
    return fit_scaler(ScalerConfig(name=name), view.data.flux, rows)
