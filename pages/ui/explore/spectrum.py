"""Explore, fourth part: one spectrum, others laid over it, and what is usual at its redshift."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.display import chart, download
from pages.ui.explore.averages import WAVELENGTH_NOTE, axis_choice
from pages.ui.explore.rows import overlay_controls, row_controls
from pages.ui.explore.values import Values, describe, values_choice
from pages.ui.explore.view import View, whole_rows, z_phot
from pages.ui.text import count, counted
from redshift_core import constants, figures
from redshift_core.constants import shown
from redshift_core.data import FLAG_TEXT, flag_names
from redshift_core.errors import InputError
from redshift_core.evaluation import statistics

FRAGMENT = "spectrum"  # its key, for what makes it run again from outside
HALF_WIDTH = 0.01  # in z, of "similar redshift"
N_SIMILAR = 300  # galaxies the spread is taken from
N_SPREAD = 10  # fewest galaxies whose spread means anything


@st.fragment(key=FRAGMENT)
def show_spectrum(view: View) -> None:
    """Spectrum viewer: rest-frame lines, overlaid spectra, and the spread at that redshift."""
    st.subheader("Spectra")
    row = row_controls(view)
    overlay = [other for other in overlay_controls(view, row) if other != row]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        axis = axis_choice("spectrum_axis")
        lines = st.toggle(
            "Rest-frame lines", True, key="lines", bind="query-params",
            help="Where strong lines and the 4000 Å break fall at z_spec, and at z_phot where a "
            "run is chosen. At this resolution (R = 30–100) they are blurred; they are marked for "
            "orientation.",
        )  # fmt: skip
        with_spread = st.toggle(
            "Similar galaxies", True, key="similar", bind="query-params",
            help=f"The middle 68 % at each pixel of {N_SIMILAR} galaxies of the selection within "
            f"±{HALF_WIDTH:g} in z.",
        )  # fmt: skip
    values = values_choice()
    redshifts = known_redshifts(view, row)
    _facts(view, row, redshifts)
    flux = np.asarray(view.data.flux[row])
    rows = [row, *overlay]
    try:
        drawn = values.apply(view, view.data.flux[rows])
        note = describe(values, view, flux)
        n_similar, spread = 0, None
        if with_spread and "z_spec" in redshifts:
            n_similar, spread = similar_spread(view, redshifts["z_spec"], values)
    except InputError as error:
        st.error(str(error))
        return
    by_pixel = axis == "Pixel"
    wavelength = constants.wavelength()
    named = {_name(view, one): line for one, line in zip(rows, drawn, strict=True)}
    chart(
        figures.spectrum(
            named, wavelength, by_pixel=by_pixel, lines_at=redshifts if lines else None,
            y_title=values.title, spread=spread,
        ),
        key="spectrum",
        caption=f"Row {count(row)}. {note}{_spread_note(n_similar, spread)}The dotted grey line "
        "is the seam between BP and RP. " + ("" if by_pixel else WAVELENGTH_NOTE),
        alt=f"Spectrum of row {row} over {axis.lower()}, "
        + (f"redshift {redshifts['z_spec']:.4f}" if "z_spec" in redshifts else "redshift unknown")
        + (f", with {len(overlay)} others" if overlay else ""),
        about=view.folder.info,
    )  # fmt: skip
    table = pd.DataFrame({"pixel": np.arange(len(flux)), "wavelength_nm": wavelength})
    for one, line in zip(rows, drawn, strict=True):
        table[f"row_{one}"] = line
    download(table, f"spectrum_{row}")


def known_redshifts(view: View, row: int) -> dict[str, float]:
    """Redshifts of a galaxy that are known: ``z_spec``, and ``z_phot`` of the chosen run."""
    predicted = z_phot(view)
    redshifts = {"z_spec": view.data.z_spec[row]}
    if predicted is not None:
        redshifts["z_phot"] = predicted[row]
    return {name: float(z) for name, z in redshifts.items() if np.isfinite(z)}


@st.cache_data(max_entries=128, show_spinner=False)
def similar_spread(
    view: View, z: float, values: Values
) -> tuple[int, tuple[np.ndarray, np.ndarray] | None]:
    """How many galaxies of the selection lie near z, and the middle 68 % of their spectra."""
    data = view.data
    rows = statistics.similar_rows(data.z_spec, whole_rows(view), z, HALF_WIDTH, N_SIMILAR)
    if len(rows) < N_SPREAD:
        return len(rows), None
    return len(rows), statistics.pixel_spread(values.apply(view, data.flux[rows]))


@st.cache_data(max_entries=128, show_spinner=False)
def _line(view: View, row: int) -> pd.Series:
    """Catalogue line of a galaxy; whole columns of it would stay in memory."""
    line = view.data.lines(np.array([row]))[["source_id", "brightness"]]
    return line.astype(object).iloc[0]  # a row of floats would round the id


def _name(view: View, row: int) -> str:
    z = view.data.z_spec[row]
    return f"row {row}" + (f", z = {z:.4f}" if np.isfinite(z) else "")


def _spread_note(n: int, spread: object) -> str:
    if spread is not None:
        return (
            f"Behind it: 16th to 84th percentile of {counted(n, 'galaxy')} of the selection within "
            f"±{HALF_WIDTH:g} in z. "
        )
    return f"Too few similar galaxies ({n}) in the selection for a spread. " if n else ""


def _facts(view: View, row: int, redshifts: dict[str, float]) -> None:
    line = _line(view, row)
    parts = [f"Source id **{line.source_id}**"] * bool(line.source_id != row)
    parts += [f"z_spec **{shown(redshifts.get('z_spec'))}**"]
    if view.predictions:
        parts.append(f"z_phot **{shown(redshifts.get('z_phot'))}**")
    brightness = shown(float(line.brightness), ".3g")
    parts.append(f"mean flux **{brightness}** {constants.FLUX_UNIT}")
    st.markdown(" · ".join(parts))
    if names := flag_names(int(view.data.flags[row])):
        st.warning("Flagged by ingest: " + "; ".join(FLAG_TEXT[name] for name in names))
