"""Evaluate: what the run says of three real galaxies."""

from __future__ import annotations

import streamlit as st

from pages.ui.display import chart, table
from pages.ui.evaluate.jobs import evaluate_button
from pages.ui.text import escape
from redshift_core import figures
from redshift_core.errors import JUDGE_AGAIN, InputError
from redshift_core.reference.real_galaxies import CAVEAT, SOURCE, RealAnswers, real_galaxies
from redshift_core.store import RunFolder, Store, read_json, reading
from redshift_core.store.origin import learned_on_simulated
from redshift_core.store.records import Evaluation

FORMATS = {
    "row": "%d", "z_spec": "%.4f", "z_phot": "%.4f", "error": "%+.4f", "z_low68": "%.3f",
    "z_high68": "%.3f", "z_low95": "%.3f", "z_high95": "%.3f", "scatter": "%.4f",
}  # fmt: skip


def show_real_galaxies(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """Redshifts, intervals, flags, scatter and p(z) of the three, and what they can show."""
    st.subheader("Three real galaxies", anchor="real-galaxies")
    path = run.real_galaxies_path(dataset)
    try:
        with reading(path, JUDGE_AGAIN):
            answers = RealAnswers.from_dict(read_json(path, remedy=JUDGE_AGAIN))
    except InputError as error:
        st.info(escape(str(error)))
        store = Store()
        if run.model_path.exists() and dataset in {one.id for one in store.datasets()}:
            evaluate_button(store, run, "Evaluate again", dataset, "evaluate_real")
        return
    st.markdown(f"{answers.sentence()} {CAVEAT}")
    trained = "; the run was trained on SIMULATED ones" if learned_on_simulated(run) else ""
    prior = " z_phot and intervals are those of the training prior, whatever estimate is chosen."
    table(
        answers.table(), f"real_galaxies_{run.id}",
        f"{SOURCE}. These spectra are real{trained}. Scatter: standard deviation of z_phot over "
        "50 copies with white noise of 5e-4 of the peak. Filled: samples of 186 that other curves "
        "hid, filled in without the redshift." + (prior if answers.intervals else ""),
        alt="True and predicted redshift, intervals, scatter and flags of three real galaxies",
        formats=FORMATS, height="content",
    )  # fmt: skip
    if answers.density is None:
        return
    galaxies = real_galaxies()
    chart(
        figures.real_densities(
            [f"row {row}" for row in galaxies.row], answers.density, galaxies.z_spec
        ),
        "real_densities",
        "p(z) of the three real galaxies under the training prior; dashed: their redshifts from "
        "SDSS.",
        "Redshift densities of three real galaxies, each beside its redshift from SDSS",
    )
