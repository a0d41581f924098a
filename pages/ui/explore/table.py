"""Explore, third part: the galaxies of the selection as a table; a click shows the spectrum."""

from __future__ import annotations

import io

import pandas as pd
import streamlit as st

from pages.ui.explore.rows import ROW
from pages.ui.explore.spectrum import FRAGMENT
from pages.ui.explore.view import View, selected_rows, z_phot
from pages.ui.text import count, counted
from redshift_core.constants import FLUX_UNIT, MISSING
from redshift_core.data import flag_names, ids_as_text, without_row_numbers
from redshift_core.store.tables import csv_text

N_SHOWN = 1_000
TABLE = "galaxies"
FORMATS = {"z_spec": "%.5f", "z_phot": "%.5f", "brightness": "%.4g"}


@st.fragment
def show_table(view: View) -> None:
    """First galaxies of the selection, and all of them as a file."""
    st.subheader("Galaxies")
    n = len(selected_rows(view))
    frame = first_galaxies(view)
    st.dataframe(
        frame, hide_index=True, placeholder=MISSING, height=260, key=TABLE,
        selection_mode="single-row", on_select=lambda: _clicked(view),
        column_config={
            name: st.column_config.NumberColumn(format=form) for name, form in FORMATS.items()
        },
        alt=f"Catalogue of {counted(len(frame), 'galaxy')} of the current selection",
    )  # fmt: skip
    first = f"The first {count(N_SHOWN)} of {count(n)} selected galaxies" if n > N_SHOWN else (
        counted(n, "selected galaxy")
    )  # fmt: skip
    st.caption(f"{first}; brightness is the mean flux in {FLUX_UNIT}. Tick a row to see its "
               "spectrum below.")  # fmt: skip
    with st.container(horizontal=True):
        st.download_button(
            "Download all as CSV", data=lambda: csv_text(galaxies(view)),
            file_name="galaxies.csv", mime="text/csv", key="download_galaxies_csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Download all as Parquet", data=lambda: _parquet(galaxies(view)),
            file_name="galaxies.parquet", mime="application/vnd.apache.parquet",
            key="download_galaxies_parquet", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def galaxies(view: View, n_rows: int | None = None) -> pd.DataFrame:
    """Catalogue lines of the selected galaxies, z_phot where a run is chosen, flags as words."""
    rows = selected_rows(view)[:n_rows]
    frame = view.data.lines(rows)
    predicted = z_phot(view)
    if predicted is not None:
        frame.insert(list(frame).index("z_spec") + 1, "z_phot", predicted[rows])
    names = {bits: ", ".join(flag_names(bits)) for bits in frame["flags"].unique().tolist()}
    return without_row_numbers(frame.assign(flags=frame["flags"].map(names)))


@st.cache_data(max_entries=16, show_spinner=False)
def first_galaxies(view: View) -> pd.DataFrame:
    """What the page shows of them; ids as text, since a browser rounds such long numbers."""
    frame = galaxies(view, N_SHOWN)
    return ids_as_text(frame)


def _clicked(view: View) -> None:
    rows = st.session_state[TABLE]["selection"]["rows"]
    if rows:
        st.session_state[ROW] = int(selected_rows(view)[rows[0]])
        st.rerun(FRAGMENT)


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()
