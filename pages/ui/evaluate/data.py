"""What the Evaluate page draws, computed once per evaluation and shared by every session.

Every function is keyed by the evaluation, the time it was written and the estimate read off its
densities, never by arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.choose import open_cached
from pages.ui.estimate_picker import current_estimate, priors
from redshift_core.constants import BIN_WIDTH, Z_MAX
from redshift_core.errors import InputError
from redshift_core.evaluation import bins as evaluation
from redshift_core.evaluation import flag_table, prior_cost, statistics
from redshift_core.evaluation import predictions as judged
from redshift_core.evaluation.bins import N_BRIGHTNESS
from redshift_core.evaluation.incumbent import Beside
from redshift_core.evaluation.predictions import Choice, Predictions
from redshift_core.evaluation.summary import N_HISTOGRAM, N_PLANE, bins_by, summarise
from redshift_core.pdf import FLAT, USUAL, Estimate
from redshift_core.store import DatasetFolder, EvaluationFolder, RunFolder
from redshift_core.store.arrays import count_rows, load_arrays, read_table
from redshift_core.store.records import Bin, Evaluation, Summary


@dataclass(frozen=True)
class Key:
    """What an evaluation, seen through an estimate, is known by."""

    run: str  # path of the run's folder
    dataset: str  # id
    changed: int  # time at which the predictions were written, ns
    estimate: Estimate  # that of the predictions themselves where there is no p(z)


def key(run: RunFolder, dataset: str) -> Key:
    """The evaluation, seen through the estimate that the address names."""
    return seen(run, dataset, current_estimate() if has_densities(run, dataset) else USUAL)


def has_densities(run: RunFolder, dataset: str) -> bool:
    """Whether another estimate can be read off this evaluation."""
    return _has_densities(run, dataset) and not densities_damage(run, dataset)


def densities_damage(run: RunFolder, dataset: str) -> str:
    """What is wrong with the densities of this evaluation; empty where nothing is."""
    if not _has_densities(run, dataset):
        return ""
    paths = (run.predictions_path(dataset), run.pdf_path(dataset), run.prior_path)
    return _fault(*(str(path) for path in paths), *(path.stat().st_mtime_ns for path in paths))


def _has_densities(run: RunFolder, dataset: str) -> bool:
    return run.pdf_path(dataset).exists() and run.prior_path.exists()


@st.cache_data(max_entries=64, show_spinner=False)
def _fault(predictions: str, densities: str, prior: str, *changed: int) -> str:
    try:
        judged.open_densities(Path(densities), count_rows(Path(predictions)))
        load_arrays(Path(prior))
    except InputError as error:
        return str(error)
    return ""


def seen(run: RunFolder, dataset: str, estimate: Estimate) -> Key:
    """The evaluation, seen through an estimate."""
    changed = run.predictions_path(dataset).stat().st_mtime_ns
    return Key(str(run.path), dataset, changed, estimate)


@st.cache_resource(max_entries=2, show_spinner=False)
def galaxies(key: Key) -> Predictions:
    """The galaxies of one evaluation, read-only."""
    run, estimate = RunFolder(Path(key.run)), key.estimate
    evaluation = run.evaluation(key.dataset)
    if estimate == USUAL:
        return judged.read_judged(evaluation.predictions_path)
    return evaluation.together(
        lambda one: judged.read_judged(
            one.predictions_path, one.pdf_path, estimate, priors(run, estimate)
        )
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def summary(key: Key) -> Summary:
    """What is shown at first: stored as the run was judged, else computed from its galaxies."""
    stored = RunFolder(Path(key.run)).evaluation(key.dataset).summary
    return stored if stored and key.estimate == USUAL else summarise(galaxies(key))


@st.cache_data(max_entries=128, show_spinner=False)
def bins(key: Key, by: str, size: float) -> list[Bin]:
    """Error table by z_spec or z_phot (``size``: width) or by brightness (``size``: bins)."""
    if size == (N_BRIGHTNESS if by == "brightness" else BIN_WIDTH):
        return list(getattr(summary(key), f"by_{by}"))
    return bins_by(galaxies(key), by, size)


@st.cache_data(max_entries=32, show_spinner=False)
def redshift_plane(key: Key, n_bins: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts of the two-dimensional histogram."""
    if (n_bins, low, high) == (N_PLANE, 0.0, Z_MAX):
        return np.linspace(low, high, n_bins + 1), np.array(summary(key).plane)
    predictions = galaxies(key)
    return statistics.redshift_plane(predictions.z_spec, predictions.z_phot, n_bins, high, low)


def running_percentiles(key: Key) -> pd.DataFrame:
    """16, 50 and 84 % of z_phot along z_spec."""
    return pd.DataFrame(summary(key).running, columns=["x", "n", "p16", "p50", "p84"])


def histograms(key: Key) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges and counts of true and of predicted redshift."""
    counts = (np.array(one) for one in summary(key).histograms)
    return np.linspace(0.0, Z_MAX, N_HISTOGRAM + 1), *counts


def has_brightness(key: Key) -> bool:
    """Whether the evaluation knows how bright the galaxies are."""
    return summary(key).by_brightness is not None


@st.cache_resource(max_entries=4, show_spinner=False)
def chosen(key: Key, choice: Choice, order: str) -> np.ndarray:
    """Positions of the galaxies chosen, in the order of the list; read-only."""
    predictions = galaxies(key)
    positions = judged.ordered(predictions, choice.positions(predictions), order)
    positions.setflags(write=False)
    return positions


@st.cache_data(max_entries=32, show_spinner=False)
def mean_spectra(
    key: Key, choice: Choice, folder: str
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Mean flux of the galaxies chosen, of well-predicted ones at their redshifts, and how many."""
    predictions, opened = galaxies(key), open_cached(DatasetFolder(Path(folder)))
    drawn, well = judged.match_well_predicted(predictions, choice.positions(predictions))
    own = judged.mean_flux(opened.flux, predictions.row[drawn])
    others = judged.mean_flux(opened.flux, predictions.row[well]) if len(well) else None
    return own, others, len(drawn)


def flags(key: Key) -> pd.DataFrame:
    """Errors of the galaxies with each flag, and of those without."""
    return flag_table.read(summary(key).flags)


def beside_incumbent(key: Key) -> tuple[Beside, list[Bin], list[Bin]] | None:
    """The run beside Gaia's own redshift, and the error table of each; None without that."""
    known = summary(key)
    if known.incumbent is None:
        return None
    return Beside.from_dict(known.incumbent), list(known.own_bins), list(known.ugc_bins)


@st.cache_data(max_entries=32, show_spinner=False)
def headlines(key: Key) -> Evaluation:
    """Every metric of the redshifts seen, and their bins."""
    predictions = galaxies(key)
    return evaluation.evaluate(predictions.z_spec, predictions.z_phot)


def traded(run: RunFolder, dataset: str, point: str) -> str:
    """What a flat prior costs and brings, in two sentences; empty where no galaxy is distant."""
    return _traded(seen(run, dataset, Estimate(point)), seen(run, dataset, Estimate(point, FLAT)))


@st.cache_data(max_entries=32, show_spinner=False)
def _traded(training: Key, flat: Key) -> str:
    if training.estimate == USUAL and (said := summary(training).traded) is not None:
        return said
    one, other = galaxies(training), galaxies(flat)
    cost = prior_cost.prior_cost(one.z_spec, one.z_phot, other.z_phot)
    return cost.sentences() if cost else ""


@st.cache_data(max_entries=64, show_spinner=False)
def one_density(key: Key, row: int) -> tuple[np.ndarray, np.ndarray] | None:
    """p(z) of one galaxy under the training set's prior and under the chosen one, each (240,).

    None where the evaluation holds no densities.
    """
    run, estimate = RunFolder(Path(key.run)), key.estimate
    if not has_densities(run, key.dataset):
        return None

    def of_the_row(one: EvaluationFolder) -> np.ndarray:
        rows = read_table(one.predictions_path, ["row"]).row.to_numpy()
        return judged.open_densities(one.pdf_path, len(rows))[np.flatnonzero(rows == row)[:1]]

    density = run.evaluation(key.dataset).together(of_the_row)
    return density[0].astype(np.float32), estimate.densities(density, priors(run, estimate))[0]
