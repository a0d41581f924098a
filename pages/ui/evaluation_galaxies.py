"""Evaluate, last part: the galaxies behind a bin or a box, their mean spectrum and single ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui import evaluation_data
from pages.ui.choose import open_cached
from pages.ui.display import chart, download, shown
from pages.ui.evaluation_state import GALAXIES, GALAXY, choose, current
from pages.ui.explore_averages import WAVELENGTH_NOTE
from pages.ui.text import count, escape
from redshift_core import constants, figures
from redshift_core.judged import N_MEAN, ORDERS, Choice
from redshift_core.runs import DatasetFolder, RunFolder, Store

SHOWN = 1000  # galaxies listed, at most
FORMATS = {
    "z_spec": "%.4f", "z_phot": "%.4f", "error": "%+.4f", "brightness": "%.4g", "row": "%d",
}  # fmt: skip


@st.fragment(key=GALAXIES)
def show_galaxies(run: RunFolder, dataset: str, metrics: Mapping[str, Any]) -> None:
    """What the chosen bin or box holds."""
    st.subheader("Galaxies", anchor="galaxies")
    choice = current()
    found = evaluation_data.key(run, dataset)
    known = evaluation_data.galaxies(*found)
    if choice is None or (choice.by == "brightness" and known.brightness is None):
        st.info(
            "Choose a row of the table, a point of an error figure or a box in the histogram "
            "above: the galaxies behind it appear here.",
            icon=":material/ads_click:",
        )
        return
    order = _chip(choice, known.brightness is not None)
    positions = evaluation_data.chosen(*found, choice, order)
    if not len(positions):
        st.info("No galaxy lies there.")
        return
    place = _place(known.row[positions])
    folder = {one.id: one for one in Store().datasets()}.get(dataset)
    left, right = st.columns(2)
    with left:
        _list(found, choice, order, positions)
    with right:
        if folder is None:
            st.info(
                "The dataset of these galaxies was deleted, so their spectra cannot be shown; read "
                "the same file in again and evaluate the run on it."
            )
            return
        _spectrum(folder, known, positions, place, metrics)
    _mean(found, choice, folder, len(positions), metrics)


def _chip(choice: Choice, has_brightness: bool) -> str:
    """What is chosen, removable, and the order of the list."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            choice.describe(), key="chip", icon=":material/close:", on_click=choose, args=(None,),
            help="Choose no galaxies",
        )  # fmt: skip
        orders = [name for name in ORDERS if has_brightness or "est first" not in name[-9:]]
        return st.selectbox("Order", orders, key="order", persist_state="session", width=230)


def _place(rows: np.ndarray) -> int:
    """Which of the galaxies the address names; the first where it names none of them."""
    wanted = st.query_params.get(GALAXY, "")
    found = np.flatnonzero(rows == int(wanted)) if wanted.isdecimal() else []
    return int(found[0]) if len(found) else 0


def _list(
    found: evaluation_data.Key, choice: Choice, order: str, positions: np.ndarray
) -> None:  # fmt: skip
    known = evaluation_data.galaxies(*found)
    n = len(positions)
    frame = known.table(positions[:SHOWN])
    first = f"First {count(SHOWN)} of " if n > SHOWN else ""
    st.caption(
        f"{first}{count(n)} galaxies; error = z_phot − z_spec. Choose a row to see its spectrum."
    )
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(format=form) for name, form in FORMATS.items()
    }
    key = f"list_{choice.by}_{choice.text()}_{order}"
    st.dataframe(
        frame.assign(source_id=frame.source_id.astype(str)),  # a browser's numbers end at 2^53
        hide_index=True,
        column_config=config,
        height=430,
        key=key,
        on_select=partial(_picked, key, frame.row.tolist()),
        selection_mode="single-row",
        alt=f"{count(min(n, SHOWN))} galaxies with true and predicted redshift",
    )
    download(
        lambda: known.table(positions), f"galaxies_{choice.by}", f"Download all {count(n)} as CSV"
    )


def _picked(key: str, rows: list[int]) -> None:
    if chosen := st.session_state[key]["selection"]["rows"]:
        st.query_params[GALAXY] = str(rows[chosen[0]])


def _spectrum(
    folder: DatasetFolder, known: Any, positions: np.ndarray, place: int, metrics: Mapping[str, Any]
) -> None:
    n = len(positions)
    rows = known.row[positions[[max(0, place - 1), place, min(n - 1, place + 1)]]].tolist()
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, icon, key, row, end in (
            ("Previous", ":material/arrow_back:", "P", rows[0], place == 0),
            ("Next", ":material/arrow_forward:", "N", rows[2], place == n - 1),
        ):
            st.button(
                label, icon=icon, key=f"galaxy_{label.lower()}", shortcut=key, disabled=end,
                on_click=_go, args=(row,),
            )  # fmt: skip
        st.caption(f"{count(place + 1)} of {count(n)}")
    line = known.table(positions[place : place + 1]).iloc[0]
    facts = [f"row **{count(line.row)}**", f"source id **{line.source_id}**"]
    facts += [f"z_spec **{line.z_spec:.4f}**", f"z_phot **{line.z_phot:.4f}**"]
    facts.append(f"error **{line.error:+.4f}**")
    if known.brightness is not None:
        facts.append(f"mean flux **{shown(line.brightness, '.3g')}**")
    facts += [f"flags: {escape(line['flags'])}"] * bool(line["flags"])
    st.markdown(" · ".join(facts))
    flux = np.asarray(open_cached(folder).flux[line.row])
    chart(
        figures.spectrum(
            {"flux": flux}, constants.wavelength(),
            lines_at={"z_spec": line.z_spec, "z_phot": line.z_phot},
        ),
        key="galaxy_spectrum",
        caption=f"Raw flux in {constants.FLUX_UNIT}; rest-frame lines at the true and at the "
        f"predicted redshift. {WAVELENGTH_NOTE}",
        alt="Spectrum of one galaxy with rest-frame lines at its true and predicted redshift",
        about=metrics,
    )  # fmt: skip


def _go(row: int) -> None:
    st.query_params[GALAXY] = str(row)


def _mean(
    found: evaluation_data.Key, choice: Choice, folder: DatasetFolder, n: int,
    metrics: Mapping[str, Any],
) -> None:  # fmt: skip
    """Mean spectrum of the galaxies beside that of well-predicted ones."""
    own, well, n_drawn = evaluation_data.mean_spectra(*found, choice, str(folder.path))
    alike = st.toggle(
        "Scale both to a mean of 1", True, key="alike", persist_state="session",
        help="Compares the shapes of the spectra, however bright the galaxies are.",
    )  # fmt: skip
    spectra = {"these galaxies": own}
    if well is not None:
        spectra["well predicted, same redshifts"] = well
    if alike:
        spectra = {name: flux / flux.mean() for name, flux in spectra.items()}
    drawn = "all" if n_drawn == n else f"{count(n_drawn)} (drawn with seed 0) of the"
    unit = "Mean flux, each scaled to a mean of 1" if alike else figures.FLUX_TITLE
    wavelength = constants.wavelength()
    chart(
        figures.spectrum(spectra, wavelength, y_title=unit),
        key="mean_spectrum",
        caption=f"Mean spectrum of {drawn} {count(n)} galaxies, and of as many predicted well "
        f"(|e_z| < σ_NMAD), each the nearest in true redshift; at most {N_MEAN} are averaged. "
        + ("Dimensionless." if alike else f"In {constants.FLUX_UNIT}."),
        alt="Mean spectrum of the chosen galaxies beside that of well-predicted ones",
        about=metrics,
    )
    download(pd.DataFrame({"wavelength_nm": wavelength, **spectra}), "mean_spectra")
