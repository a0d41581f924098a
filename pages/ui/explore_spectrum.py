"""Explore, third part: one spectrum, found by row or source id, raw and as a network sees it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.choose import open_cached
from pages.ui.display import chart, download, shown
from pages.ui.explore_averages import WAVELENGTH_NOTE, axis_choice
from pages.ui.text import count, escape
from redshift_core import constants, figures, statistics
from redshift_core.config import SCALERS, ScalerConfig
from redshift_core.data import BAD_FLUX, FLAG_TEXT, Dataset, flag_names
from redshift_core.errors import InputError
from redshift_core.runs import DatasetFolder, RunFolder, Store
from redshift_core.scaling import Scaler, fit_scaler

ROW = "row"  # key in the session and in the address
N_PREVIEW = 5_000  # galaxies a scaler is fitted on where no run is chosen


@st.fragment
def show_spectrum(folder: DatasetFolder) -> None:
    """Spectrum viewer with rest-frame lines at z_spec, then the same spectrum scaled."""
    st.subheader("One spectrum")
    dataset = open_cached(folder)
    row = _row_controls(dataset)
    with st.container(horizontal=True):
        axis = axis_choice("spectrum_axis")
        lines = st.toggle(
            "Rest-frame lines", True, key="lines",
            help="Where strong lines fall at z_spec. At this resolution (R = 30–100) they are "
            "blurred; they are marked for orientation.",
        )  # fmt: skip
    z = float(dataset.z_spec[row])
    flux = np.asarray(dataset.flux[row])
    wavelength = constants.wavelength()
    by_pixel = axis == "Pixel"
    _facts(dataset, row, z)
    known = np.isfinite(z)
    chart(
        figures.spectrum(
            {"flux": flux}, wavelength, by_pixel=by_pixel,
            lines_at={"z_spec": z} if lines and known else None,
        ),
        key="spectrum",
        caption=f"Raw flux of row {count(row)} in {constants.FLUX_UNIT}; the dotted grey line is "
        "the seam between BP and RP. " + ("" if by_pixel else WAVELENGTH_NOTE),
        alt=f"Spectrum of source {dataset.source_id[row]} over {axis.lower()}"
        + (f", redshift {z:.4f}" if known else ", redshift unknown"),
        about=folder.info,
    )  # fmt: skip
    download(
        pd.DataFrame({"pixel": np.arange(len(flux)), "wavelength_nm": wavelength, "flux": flux}),
        f"spectrum_{row}",
    )
    _show_scaled(folder, row, flux, wavelength, by_pixel)


def _row_controls(dataset: Dataset) -> int:
    """Row number, previous, random, next, and a search by source id; the row is in the address."""
    n = len(dataset.source_id)
    if st.session_state.get(ROW, 0) >= n:  # left over from a larger dataset
        st.session_state[ROW] = 0
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(f"Row (0–{n - 1})", 0, n - 1, 0, key=ROW, bind="query-params", width=170)
        for label, icon, place in (
            ("Previous", ":material/arrow_back:", lambda: max(0, st.session_state[ROW] - 1)),
            ("Random", ":material/shuffle:", lambda: _random_row(dataset)),
            ("Next", ":material/arrow_forward:", lambda: min(n - 1, st.session_state[ROW] + 1)),
        ):
            st.button(label, icon=icon, key=f"row_{label.lower()}", on_click=_go, args=(place,))
    right.text_input(
        "Find a source id", key="find_source", placeholder="a whole number",
        on_change=_find, args=(dataset,),
    )  # fmt: skip
    if message := st.session_state.pop("_source_error", None):
        st.error(escape(message))
    return int(st.session_state[ROW])


def _go(place: object) -> None:
    st.session_state[ROW] = int(place())


def _random_row(dataset: Dataset) -> int:
    rows = whole_rows(dataset)
    return int(rows[random.randrange(len(rows))]) if len(rows) else 0


def whole_rows(dataset: Dataset) -> np.ndarray:
    """Rows whose flux is finite and not all zero, with or without a redshift."""
    return np.flatnonzero((np.asarray(dataset.flags) & BAD_FLUX) == 0)


def _find(dataset: Dataset) -> None:
    text = st.session_state["find_source"].strip()
    if not text:
        return
    try:
        st.session_state[ROW] = find_source(np.asarray(dataset.source_id), text)
    except InputError as error:
        st.session_state["_source_error"] = str(error)


def find_source(source_id: np.ndarray, text: str) -> int:
    """Row of a source id given as text; InputError where it is no id or not in the dataset."""
    try:
        wanted = np.int64(int(text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{text!r} is not a source id; give a whole number.") from error
    found = np.flatnonzero(source_id == wanted)
    if not len(found):
        raise InputError(
            f"No source {text} in this dataset; its ids run from {source_id.min()} to "
            f"{source_id.max()}."
        )
    return int(found[0])


def _facts(dataset: Dataset, row: int, z: float) -> None:
    brightness = shown(float(dataset.brightness[row]), ".3g")
    st.markdown(
        f"Source id **{dataset.source_id[row]}** · z_spec **{shown(z)}** · "
        f"mean flux **{brightness}** {constants.FLUX_UNIT}"
    )
    names = flag_names(int(dataset.flags[row]))
    if names:
        st.warning("Flagged by ingest: " + "; ".join(FLAG_TEXT[name] for name in names))


def _show_scaled(
    folder: DatasetFolder, row: int, flux: np.ndarray, wavelength: np.ndarray, by_pixel: bool
) -> None:
    """The same spectrum after a scaler: a run's own, or one fitted here."""
    st.subheader("Before and after scaling")
    runs = {run.id: run for run in Store().runs() if run.scaler_path.exists()}
    choices = [*runs, *SCALERS]
    name = st.selectbox(
        "Scaler", choices, key="scaler_choice",
        format_func=lambda key: f"of run {runs[key].name} ({key})" if key in runs
        else f"{key}, fitted here on {count(N_PREVIEW)} random galaxies",
        help="A run's scaler is the one its model carries; the others are fitted for this view.",
    )  # fmt: skip
    if not np.isfinite(flux).all():
        st.info("This spectrum has values that are not finite, so it cannot be scaled.")
        return
    try:
        scaler = _run_scaler(runs[name]) if name in runs else _fitted(str(folder.path), name)
        scaled = scaler.apply(flux[None])[0]
    except InputError as error:
        st.error(str(error))
        return
    extra = ""
    if len(scaled) > constants.N_PIXELS:
        values = ", ".join(f"{value:+.3f}" for value in scaled[constants.N_PIXELS :])
        extra = f" Two further inputs, log brightness and log scatter: {values}."
    chart(
        figures.spectrum(
            {f"after {scaler.name}": scaled[: constants.N_PIXELS]}, wavelength,
            by_pixel=by_pixel, y_title="Network input (dimensionless)",
        ),
        key="scaled_spectrum",
        caption=f"Row {count(row)} after {scaler.name} scaling, fitted on "
        f"{count(scaler.n_fitted)} rows; dimensionless.{extra}",
        alt=f"The same spectrum after {scaler.name} scaling",
        about=folder.info,
    )  # fmt: skip


def _run_scaler(run: RunFolder) -> Scaler:
    return _loaded(str(run.scaler_path), run.scaler_path.stat().st_mtime_ns)


@st.cache_resource(max_entries=16, show_spinner=False)
def _loaded(path: str, _changed: int) -> Scaler:
    return Scaler.load(Path(path))


@st.cache_resource(max_entries=16, show_spinner="Fitting the scaler …")
def _fitted(path: str, name: str) -> Scaler:
    dataset = open_cached(DatasetFolder(Path(path)))
    rows = statistics.draw_rows(whole_rows(dataset), N_PREVIEW, seed=0)
    return fit_scaler(ScalerConfig(name=name), dataset.flux, rows)
