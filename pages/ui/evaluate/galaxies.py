"""Evaluate, last part: the galaxies behind a bin or a box, their mean spectrum and single ones."""

from __future__ import annotations

import zlib
from functools import partial
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from pages.ui.display import download
from pages.ui.evaluate import data
from pages.ui.evaluate.explain import show_explanation
from pages.ui.evaluate.spectra import show_density, show_mean, show_spectrum
from pages.ui.evaluate.state import GALAXIES, GALAXY, choose, current, select_rows
from pages.ui.text import count, counted
from redshift_core.constants import INCUMBENT_COLUMNS
from redshift_core.data import ids_as_text, without_row_numbers
from redshift_core.evaluation.predictions import BOX, BY_BRIGHTNESS, ORDERS, Choice, Predictions
from redshift_core.settings.selection import Selection
from redshift_core.store import RunFolder, Store
from redshift_core.store.records import Evaluation

ORDER = "evaluate_order"
SHOWN = 1000  # galaxies listed, at most
FORMATS = {
    "z_spec": "%.4f", "z_phot": "%.4f", "error": "%+.4f", "brightness": "%.4g", "row": "%d",
    INCUMBENT_COLUMNS[0]: "%.4f",
}  # fmt: skip


@st.fragment(key=GALAXIES)
def show_galaxies(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """What the chosen bin or box holds."""
    st.subheader("Galaxies", anchor="galaxies")
    choice = current()
    key = data.key(run, dataset)
    bright = data.has_brightness(key)
    if choice is None or (choice.by == "brightness" and not bright):
        st.info(
            "Choose a row of the table, a point of an error figure or a box in the histogram "
            "above: the galaxies behind it appear here.",
            icon=":material/ads_click:",
        )
        return
    order, predictions = _chip(choice, bright), data.galaxies(key)
    positions = data.chosen(key, choice, order)
    if not len(positions):
        st.info("No galaxy lies there.")
        return
    place = _place(predictions.row[positions])
    folder = {one.id: one for one in Store().datasets()}.get(dataset)
    if folder is not None and choice.by == BOX:
        _explore_link(run, dataset, choice)
    left, right = st.columns(2)
    with left:
        _list(predictions, choice.by, positions, place)
        show_density(key, predictions, positions[place], metrics.about)
    with right:
        if folder is None:
            st.info(
                "The dataset of these galaxies was deleted, so their spectra cannot be shown; read "
                "the same file in again and evaluate the run on it."
            )
            return
        show_spectrum(folder, predictions, positions, place, metrics.about)
    show_explanation(run, folder, int(predictions.row[positions[place]]))
    show_mean(key, choice, folder, len(positions), metrics.about)


def _chip(choice: Choice, has_brightness: bool) -> str:
    """What is chosen, removable, and the order of the list."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            choice.describe(), key="chip", icon=":material/close:", on_click=choose, args=(None,),
            help="Choose no galaxies",
        )  # fmt: skip
        orders = [name for name in ORDERS if has_brightness or name not in BY_BRIGHTNESS]
        if st.session_state.get(ORDER) not in orders:
            st.session_state.pop(ORDER, None)
        return st.selectbox("Order", orders, key=ORDER, persist_state="session", width=230)


def _explore_link(run: RunFolder, dataset: str, choice: Choice) -> None:
    """The same box as Explore's current selection, where it has a width and a height."""
    low, high, low_phot, high_phot = choice.limits
    if low < high and low_phot < high_phot:
        selection = Selection(z=(low, high), z_phot=(low_phot, high_phot), flag="all")
        query = urlencode({"dataset": dataset, "run": run.id, **selection.params})
        st.link_button(
            "See them in Explore", f"explore?{query}", icon=":material/query_stats:",
            type="tertiary",
        )  # fmt: skip


def _place(rows: np.ndarray) -> int:
    """Which of the galaxies the address names; the first where it names none of them."""
    wanted = st.query_params.get(GALAXY, "")
    places = np.flatnonzero(rows.astype(str) == wanted)
    return int(places[0]) if len(places) else 0


def _list(predictions: Predictions, by: str, positions: np.ndarray, place: int) -> None:
    n = len(positions)
    frame = predictions.table(positions[:SHOWN])
    first = f"First {count(SHOWN)} of " if n > SHOWN else ""
    st.caption(
        f"{first}{counted(n, 'galaxy')}; error = z_phot − z_spec. Choose a row to see its spectrum."
    )
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(format=form) for name, form in FORMATS.items()
    }
    # A key of its own for each list: a tick in the one before is none in this.
    key = f"galaxy_list_{zlib.crc32(frame.row.to_numpy().tobytes()):x}"
    select_rows(key, [place] if place < len(frame) else [])
    st.dataframe(
        ids_as_text(without_row_numbers(frame)),
        hide_index=True,
        column_config=config,
        height=430,
        key=key,
        on_select=partial(_picked, key, frame.row.tolist()),
        selection_mode="single-row",
        alt=f"{count(min(n, SHOWN))} galaxies with true and predicted redshift",
    )
    download(
        lambda: without_row_numbers(predictions.table(positions)),
        f"galaxies_{by}",
        f"Download all {count(n)} as CSV",
    )


def _picked(key: str, rows: list[int]) -> None:
    if chosen := st.session_state[key]["selection"]["rows"]:
        st.query_params[GALAXY] = str(rows[chosen[0]])
