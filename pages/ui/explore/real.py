"""Explore: three real galaxies over what the dataset holds at their redshifts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.display import chart, download
from pages.ui.explore.averages import WAVELENGTH_NOTE
from pages.ui.explore.view import View, whole_rows
from pages.ui.text import counted
from redshift_core import constants, figures
from redshift_core.evaluation import statistics
from redshift_core.reference.real_galaxies import SOURCE, real_galaxies

HALF_WIDTH = 0.02  # in z, of "like redshift"
N_LIKE = 2000  # galaxies the bands are taken from, at most: reading more would take its time
N_LEAST = 20  # fewest galaxies whose 5th percentile means anything


@st.fragment
def show_real_galaxies(view: View) -> None:
    """One of the three real spectra over the bands of galaxies of like redshift."""
    st.subheader("Real galaxies from Gaia", anchor="real-galaxies")
    galaxies = real_galaxies()
    names = [
        f"row {row}, z = {z:.4f}" for row, z in zip(galaxies.row, galaxies.z_spec, strict=True)
    ]
    place = st.segmented_control(
        "Real galaxy", range(len(names)), format_func=lambda one: names[one], default=0,
        required=True, key="real_galaxy", persist_state="session",
    )  # fmt: skip
    flux, filled, z = galaxies.flux[place], galaxies.filled[place], float(galaxies.z_spec[place])
    n, ends = like_bands(view, z)
    kind = "SIMULATED galaxies" if view.folder.info.get("simulated") else "galaxies"
    low5, low16, high84, high95 = ends * flux.mean()
    bands = {f"5–95 % of {kind}": (low5, high95), f"16–84 % of {kind}": (low16, high84)}
    wavelength = constants.wavelength()
    chart(
        figures.real_spectrum(
            f"real galaxy, {names[place]}", flux, filled, wavelength, z,
            bands if n >= N_LEAST else {},
        ),
        key="real_spectrum",
        caption=f"{SOURCE}. {_rings(int(filled.sum()))}{_bands(n)}{WAVELENGTH_NOTE}",
        alt=f"Spectrum of a real galaxy at redshift {z:.4f} over the bands of {kind} of the "
        "dataset at like redshift",
    )  # fmt: skip
    table = {"pixel": np.arange(len(flux)), "wavelength_nm": wavelength, "flux": flux}
    columns = zip(statistics.BANDS, ends * flux.mean(), strict=True)
    bands_table = {f"dataset_p{percent}": values for percent, values in columns}
    download(
        pd.DataFrame({**table, "filled": filled, **bands_table}), f"real_{galaxies.row[place]}"
    )  # fmt: skip


@st.cache_data(max_entries=32, show_spinner=False)
def like_bands(view: View, z: float) -> tuple[int, np.ndarray]:
    """How many galaxies of the selection were taken near z, and `statistics.shape_bands`."""
    data = view.data
    rows = statistics.similar_rows(data.z_spec, whole_rows(view), z, HALF_WIDTH, N_LIKE)
    return len(rows), statistics.shape_bands(data.flux[rows])


def _rings(n_filled: int) -> str:
    if not n_filled:
        return "All of its samples could be read. "
    return (
        f"Rings: {n_filled} samples hidden behind other curves, filled in from SIMULATED spectra "
        "of like brightness without use of the redshift. "
    )


def _bands(n: int) -> str:
    if n < N_LEAST:
        return (
            f"Too few galaxies ({n}) of the selection lie within ±{HALF_WIDTH:g} in z for bands. "
        )
    return (
        f"Bands: {counted(n, 'galaxy')} of the selection within ±{HALF_WIDTH:g} in z, each scaled "
        "to the mean flux of the real one. "
    )
