"""Spectra on Evaluate: one galaxy with lines at both redshifts, and means beside good ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.choose import open_cached
from pages.ui.display import chart, download
from pages.ui.evaluate import data
from pages.ui.evaluate.state import GALAXY
from pages.ui.explore.averages import WAVELENGTH_NOTE
from pages.ui.text import count, escape
from redshift_core import constants, figures
from redshift_core.constants import shown
from redshift_core.evaluation.predictions import N_MEAN, Choice, Predictions
from redshift_core.store import DatasetFolder


def show_spectrum(
    folder: DatasetFolder,
    known: Predictions,
    positions: np.ndarray,
    place: int,
    metrics: Mapping[str, Any],
) -> None:
    """One of the galaxies chosen, with its neighbours in the list one key away.

    Parameters
    ----------
    positions : array, shape (n_chosen,)
        Positions among the galaxies judged, in the order of the list.
    place : int
        Which of them.
    """
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
    facts = [f"row **{count(line.row)}**"]
    facts += [f"source id **{line.source_id}**"] * bool(line.source_id != line.row)
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


def show_density(
    found: data.Key, known: Predictions, position: int, metrics: Mapping[str, Any]
) -> None:
    """p(z) of one galaxy, where its run gives one.

    Parameters
    ----------
    position : int
        Of the galaxy among those judged.
    """
    both = data.one_density(found, int(known.row[position]))
    if both is None:
        return
    chart(
        figures.one_density(*both, known.z_spec[position], known.z_phot[position]),
        "galaxy_density",
        f"p(z) in units of 1/z; z_phot is the {escape(found.estimate.describe())}. Shaded: the "
        "central 68 and 95 %.",
        "p(z) of one galaxy with its 68 and 95 % intervals and its true redshift",
        metrics,
    )


def _go(row: int) -> None:
    st.query_params[GALAXY] = str(row)


def show_mean(
    found: data.Key,
    choice: Choice,
    folder: DatasetFolder,
    n: int,
    metrics: Mapping[str, Any],
) -> None:
    """Mean spectrum of the galaxies beside that of well-predicted ones."""
    own, well, n_drawn = data.mean_spectra(found, choice, str(folder.path))
    alike = st.toggle(
        "Scale both to a mean of 1", True, key="evaluate_alike", persist_state="session",
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
