"""Predict: the intervals fitted anew to galaxies whose redshifts are known, by one click."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui.data import intake
from pages.ui.empty import lacks_tensorflow
from pages.ui.text import count, escape
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.evaluation.recalibration import LEAST, recalibration_text
from redshift_core.store import JobFolder, Store

KEPT = ("run", "file", "columns", "estimate", "prior_file", "pdf")  # of the request, done again


def recalibration(store: Store, predicted: JobFolder) -> None:
    """What the intervals were fitted to, or the offer to fit them; for runs that give p(z)."""
    request, outcome = predicted.request, predicted.result
    if found := outcome.get("recalibration"):
        st.success(escape(recalibration_text(found)), icon=":material/tune:")
        return
    if not _gives_densities(store, request["run"]):
        return
    with st.expander("Fit the intervals to known redshifts", icon=":material/tune:"):
        st.markdown(
            f"With {LEAST} galaxies or more whose redshifts are known, and which are like those "
            "of this file, p(z) is widened or narrowed and moved so that its intervals hold what "
            "they say. No training is needed, and the run stays as it is."
        )
        _offer(store, predicted, outcome.get("n_labelled", 0))


def _offer(store: Store, predicted: JobFolder, n_own: int) -> None:
    if lacks_tensorflow("predict", store.run(predicted.request["run"])):
        return
    request: dict[str, Any] = {k: v for k, v in predicted.request.items() if k in KEPT}
    if n_own >= LEAST and st.button(
        f"Use the file's own {count(n_own)} redshifts", key="recalibrate_own",
        icon=":material/tune:",
    ):  # fmt: skip
        columns = {"label_columns": request["columns"]} if request.get("columns") else {}
        start(store, {**request, "labels": request["file"], **columns})
    known = {one.id: one.name for one in store.datasets() if one.info.get("has_z")}
    if not known:
        if n_own < LEAST:
            st.caption("No dataset with redshifts is here: bring one on the Data page.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Dataset with redshifts", list(known), format_func=known.get, key="recalibrate_dataset"
        )
        if st.button("Use this dataset", key="recalibrate", icon=":material/tune:"):
            start(store, {**request, "dataset": chosen})


def start(store: Store, request: dict[str, Any]) -> None:
    """Predict the file once more, with intervals fitted first."""
    intake.follow(jobs.start(store, "predict", **request))


def _gives_densities(store: Store, name: str) -> bool:
    try:
        return store.run(name).config.model.head == "pdf"
    except InputError:
        return False
