"""Explore, second part: average flux per redshift range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui.choose import open_cached
from pages.ui.display import chart, download
from pages.ui.text import count
from redshift_core import constants, figures, reference, statistics
from redshift_core.errors import InputError
from redshift_core.runs import DatasetFolder
from redshift_core.statistics import AverageSpectrum

DEFAULT_RANGES = ", ".join(f"{edge:g}" for edge in statistics.RANGES)
WAVELENGTH_NOTE = (
    "The wavelengths are inferred, not published: the 186 pixels stretched over 366–996 nm, "
    "uncertain by up to ±10 nm at the seam."
)


@st.fragment
def show_averages(folder: DatasetFolder) -> None:
    """Average flux of random galaxies in ranges the user chooses, with scatter bands."""
    st.subheader("Average flux per redshift range")
    left, middle, right = st.columns([2, 1, 1])
    text = left.text_input(
        "Limits of the ranges in z", DEFAULT_RANGES, key="ranges", persist_state="session",
        help="Rising numbers parted by commas; the default are the dissertation's six ranges.",
    )  # fmt: skip
    n_each = middle.number_input(
        "Galaxies per range", 1, 20_000, 1000, 100, key="per_range", persist_state="session"
    )
    seed = right.number_input(
        "Seed of the draw", 0, 2**31 - 1, 0, key="draw_seed", persist_state="session"
    )
    with st.container(horizontal=True):
        axis = axis_choice("average_axis")
        bands = st.toggle("±1 sd bands", True, key="bands")
        published = st.toggle(
            "Published curves", False, key="published_averages",
            help="Read off a figure of the dissertation, scaled to the peak of the first range.",
        )  # fmt: skip
    try:
        edges = statistics.parse_edges(text)
    except InputError as error:
        st.error(str(error))
        return
    averages = average_spectra(str(folder.path), edges, int(n_each), int(seed))
    wavelength = constants.wavelength()
    numbers = "; ".join(
        f"{one.z_low:g}–{one.z_high:g}: {count(one.n)} of {count(one.n_available)}"
        for one in averages
    )
    chart(
        figures.average_flux(
            averages, wavelength, by_pixel=axis == "Pixel", bands=bands,
            published=reference.average_flux() if published else None,
        ),
        key="average_flux",
        caption=f"Mean flux in {constants.FLUX_UNIT}. Galaxies drawn (seed {seed}): {numbers}. "
        + (WAVELENGTH_NOTE if axis != "Pixel" else ""),
        alt=f"Average spectra of {len(averages)} redshift ranges over {axis.lower()}",
        about=folder.info,
    )  # fmt: skip
    download(statistics.average_table(averages, wavelength), "average_flux")


def axis_choice(key: str) -> str:
    """Wavelength or pixel."""
    return st.segmented_control(
        "Axis", ["Wavelength", "Pixel"], default="Wavelength", required=True, key=key,
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip


@st.cache_data(max_entries=64, show_spinner=False)
def average_spectra(
    path: str, edges: tuple[float, ...], n_each: int, seed: int
) -> list[AverageSpectrum]:
    """Average spectra of one dataset; only the drawn rows are read from disk."""
    dataset = open_cached(DatasetFolder(Path(path)))
    return statistics.average_spectra(
        dataset.flux, np.asarray(dataset.z_spec), dataset.usable_rows(), edges, n_each, seed
    )
