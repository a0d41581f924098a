"""Explore, second part: average flux per redshift range."""

from __future__ import annotations

import streamlit as st

from pages.ui.address import binding
from pages.ui.display import chart, download
from pages.ui.explore.view import View, whole_rows
from pages.ui.text import count
from redshift_core import constants, figures, reference
from redshift_core.errors import InputError
from redshift_core.evaluation import statistics
from redshift_core.evaluation.statistics import AverageSpectrum

DEFAULT_RANGES = ", ".join(f"{edge:g}" for edge in statistics.RANGES)
WAVELENGTH_NOTE = (
    "The wavelengths are inferred, not published: good to ±0.7 nm in BP, which ends at 627 nm, and "
    "to ±2.4 nm in RP, which begins at 619 nm."
)
BANDS = {  # label → name in AverageSpectrum.curves
    "±1 sd": "sd",
    "16–84 %": "percentiles",
    "Standard error": "sem",
    "None": "",
}


@st.fragment
def show_averages(view: View) -> None:
    """Average flux of random galaxies of the selection in ranges the user chooses."""
    st.subheader("Average flux per redshift range")
    left, middle, right = st.columns([2, 1, 1])
    text = left.text_input(
        "Limits of the ranges in z", DEFAULT_RANGES, key="ranges", bind="query-params",
        help="Rising numbers separated by commas; the default is the dissertation's six ranges.",
    )  # fmt: skip
    n_each = middle.number_input(
        "Galaxies per range", 1, 20_000, 1000, 100, key="per_range", bind=binding("per_range")
    )
    seed = right.number_input(
        "Seed of the draw", 0, 2**31 - 1, 0, key="draw_seed", bind=binding("draw_seed")
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        axis = axis_choice("average_axis")
        average = st.segmented_control(
            "Average", ["Mean", "Median"], default="Mean", required=True, key="average",
            bind="query-params",
        )  # fmt: skip
        bands = st.selectbox("Scatter", list(BANDS), key="scatter", bind="query-params", width=170)
        at_peak = st.toggle("Normalised at the peak", key="at_peak", bind="query-params")
        published = st.toggle(
            "Published curves", key="average_published", bind="query-params",
            help="Read off a figure of the dissertation, scaled to the peak of the first range.",
        )  # fmt: skip
    try:
        edges = statistics.parse_edges(text)
    except InputError as error:
        st.error(str(error))
        return
    averages = average_spectra(view, edges, int(n_each), int(seed))
    wavelength = constants.wavelength()
    numbers = "; ".join(
        f"{one.z_low:g}–{one.z_high:g}: {count(one.n)} of {count(one.n_available)}"
        for one in averages
        if one.n
    )
    unit = "divided by its highest value" if at_peak else f"in {constants.FLUX_UNIT}"
    chart(
        figures.average_flux(
            averages, wavelength, by_pixel=axis == "Pixel", average=average.lower(),
            bands=BANDS[bands], at_peak=at_peak,
            published=reference.average_flux() if published else None,
        ),
        key="average_flux",
        caption=f"{average} flux {unit}; scatter: {bands}. Galaxies of the current selection drawn "
        f"(seed {seed}): {numbers or 'none'}. " + (WAVELENGTH_NOTE if axis != "Pixel" else ""),
        alt=f"Average spectra of {sum(one.n > 0 for one in averages)} redshift ranges over "
        f"{axis.lower()}",
        about=view.folder.info,
    )  # fmt: skip
    download(statistics.average_table(averages, wavelength), "average_flux")


def axis_choice(key: str) -> str:
    """Wavelength or pixel."""
    return st.segmented_control(
        "Axis", ["Wavelength", "Pixel"], default="Wavelength", required=True, key=key,
        bind="query-params",
    )  # fmt: skip


@st.cache_data(max_entries=64, show_spinner=False)
def average_spectra(
    view: View, edges: tuple[float, ...], n_each: int, seed: int
) -> list[AverageSpectrum]:
    """Average spectra of the selection; only the drawn rows are read from disk."""
    data = view.data
    return statistics.average_spectra(data.flux, data.z_spec, whole_rows(view), edges, n_each, seed)
