"""What the Evaluate page draws, computed once per evaluation and shared by every session.

Every function is keyed by the file of predictions and the time it was written, never by arrays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.choose import open_cached
from redshift_core import evaluation, judged, statistics
from redshift_core.judged import Choice, Judged
from redshift_core.runs import DatasetFolder, RunFolder

RUNNING_WIDTH = 0.01  # bin of the running median, in z_spec
N_HISTOGRAM = 150  # bins of the histogram of true and predicted redshift, as published
Key = tuple[str, int]  # path of predictions.parquet, time of change


def key(run: RunFolder, dataset: str) -> Key:
    """What an evaluation is known by."""
    path = run.predictions_path(dataset)
    return str(path), path.stat().st_mtime_ns


@st.cache_resource(max_entries=6, show_spinner=False)
def galaxies(path: str, changed: int) -> Judged:
    """The galaxies of one evaluation, read-only."""
    return judged.read_judged(Path(path))


@st.cache_data(max_entries=128, show_spinner=False)
def bins(path: str, changed: int, by: str, size: float) -> list[dict[str, Any]]:
    """Error table by z_spec or z_phot (``size``: width) or by brightness (``size``: bins)."""
    known = galaxies(path, changed)
    if by == "brightness":
        return evaluation.binned_by_brightness(
            known.z_spec, known.z_phot, known.brightness, int(size)
        )
    return evaluation.binned(known.z_spec, known.z_phot, by=by, bin_width=size)


@st.cache_data(max_entries=32, show_spinner=False)
def density(
    path: str, changed: int, n_bins: int, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts of the two-dimensional histogram."""
    known = galaxies(path, changed)
    return statistics.density(known.z_spec, known.z_phot, n_bins, high, low)


@st.cache_data(max_entries=32, show_spinner=False)
def running_percentiles(path: str, changed: int) -> pd.DataFrame:
    """16, 50 and 84 % of z_phot along z_spec."""
    known = galaxies(path, changed)
    edges = evaluation.bin_edges(RUNNING_WIDTH)
    return statistics.running_percentiles(known.z_spec, known.z_phot, edges)


@st.cache_data(max_entries=32, show_spinner=False)
def histograms(path: str, changed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges and counts of true and of predicted redshift."""
    known = galaxies(path, changed)
    edges = np.linspace(0.0, 0.6, N_HISTOGRAM + 1)
    counts = (statistics.histogram(z, edges) for z in (known.z_spec, known.z_phot))
    return edges, *counts


@st.cache_resource(max_entries=16, show_spinner=False)
def chosen(path: str, changed: int, choice: Choice, order: str) -> np.ndarray:
    """Positions of the galaxies chosen, in the order of the list; read-only."""
    known = galaxies(path, changed)
    positions = judged.ordered(known, choice.positions(known), order)
    positions.setflags(write=False)
    return positions


@st.cache_data(max_entries=32, show_spinner=False)
def mean_spectra(
    path: str, changed: int, choice: Choice, dataset: str
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Mean flux of the galaxies chosen, of well-predicted ones at their redshifts, and how many."""
    known, opened = galaxies(path, changed), open_cached(DatasetFolder(Path(dataset)))
    drawn, well = judged.twins(known, choice.positions(known))
    own = judged.mean_flux(opened.flux, known.row[drawn])
    others = judged.mean_flux(opened.flux, known.row[well]) if len(well) else None
    return own, others, len(drawn)
