"""How like Gaia's the simulated survey is: published mean spectra and extremes beside SIMULATED."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.ui.display import chart
from redshift_core import constants, figures, reference

SIMULATED = {"simulated": True}


def show_likeness() -> None:
    """Two figures and a table in an expander; nothing is computed while it is closed."""
    with st.expander(
        "How like Gaia's is it?", icon=":material/compare:", key="likeness", on_change="rerun"
    ) as expander:
        if expander.open:
            _averages()
            _extremes()


def _averages() -> None:
    published, simulated = reference.average_flux_absolute(), reference.simulated_average_flux()
    made = reference.simulated_with()[0]
    chart(
        figures.absolute_averages(published, simulated, constants.wavelength()),
        key="likeness_averages",
        caption=f"Mean flux of six redshift ranges: grey as digitised from the dissertation's "
        f"published figure, blue {made}",
        alt="Mean spectra of six redshift ranges, published and simulated, in absolute units: the "
        "lines lie on each other, but for the end of BP above redshift 0.4",
        about=SIMULATED,
    )
    st.dataframe(
        likeness_table(), hide_index=True, alt="Simulated mean spectra compared with published ones"
    )
    st.caption(
        "Brightness and BP : RP are simulated : published; differences are in % of the published "
        "peak, those of the shape after the best scaling. Sizes, brightness and dust of the "
        "galaxies were tuned to these spectra; extremes, noise and difficulty were not. All of it: "
        "`redshift-lab study-simulation`."
    )


def _extremes() -> None:
    chart(
        figures.column_extremes(reference.recovered_minmax(), reference.simulated_minmax()),
        key="likeness_extremes",
        caption="Grey: extremes of the 520,393 published galaxies, recovered from two figures of "
        f"the dissertation; blue: {reference.simulated_with()[1]}",
        alt="Highest and lowest flux of each of the 186 columns, published and simulated",
        about=SIMULATED,
    )


@st.cache_data(show_spinner=False)
def likeness_table() -> pd.DataFrame:
    """One line per redshift range, from the committed mean spectra."""
    # The study's libraries take 0.6 s to import, which only who opens this waits for.
    from redshift_core.simulation import study

    simulated = reference.simulated_average_flux().iloc[:, 1:].to_numpy().T
    lines = zip(study.RANGE_NAMES, study.likenesses(simulated), strict=True)
    return pd.DataFrame(
        [
            {
                "z": name,
                "Brightness": f"{one.brightness:.3f}",
                "Difference / %": f"{one.absolute_rms:.1f}",
                "of the shape / %": f"{one.shape_rms:.2f}",
                "at most / %": f"{one.largest:+.1f} (pixel {one.pixel})",
                "BP : RP": f"{one.bp_rp:.3f}",
            }
            for name, one in lines
        ]
    )
