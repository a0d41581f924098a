"""How a redshift is read off p(z), the point and the prior; Evaluate and Predict share it.

The choice stands in the address: ``?estimate=median,flat,0.5``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.attempt import attempt
from pages.ui.text import escape
from redshift_core.data.nz import parse_prior
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import read_priors
from redshift_core.pdf import FLAT, POINTS, USUAL, Estimate
from redshift_core.store import RunFolder, Store, atomic, slug

ESTIMATE = "estimate"  # in the address
STEP = 0.05  # of the slider between the priors
MAX_MB = 1  # of a file with a redshift distribution


def current_estimate() -> Estimate:
    """What the address names; the stored one where that makes no sense here."""
    try:
        estimate = Estimate.parse(st.query_params.get(ESTIMATE, ""))
    except InputError:
        return USUAL
    return USUAL if estimate.own_prior and estimate.prior not in Store().prior_names() else estimate


def estimate_picker(key: str) -> None:
    """Point estimate, slider between the priors, and the door for an own n(z).

    Parameters
    ----------
    key : str
        What the widgets' keys begin with.
    """
    now = current_estimate()
    names = {name: f"{key}_{name}" for name in ("point", "share", "target", "file", "error")}
    targets = [FLAT, *Store().prior_names()]
    target = now.prior if now.prior in targets else st.session_state.get(names["target"], FLAT)
    st.session_state[names["point"]] = now.point
    st.session_state[names["share"]] = now.share if now.changes_prior else 0.0
    st.session_state[names["target"]] = target if target in targets else FLAT

    def changed() -> None:
        point, share, target = (st.session_state[names[n]] for n in ("point", "share", "target"))
        _remember(Estimate(point, target, share) if share else Estimate(point))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Point estimate", list(POINTS), required=True, key=names["point"],
            on_change=changed,
            help="Median: least absolute error. Mean: least squared error. Mode: most probable.",
        )  # fmt: skip
        st.slider(
            f"Prior: training set ⟷ {_title(st.session_state[names['target']])}", 0.0, 1.0,
            step=STEP, key=names["share"], on_change=changed, width=300,
            help="p(z) holds the redshift distribution of the training set. 0 leaves it there; 1 "
            "takes it out and puts the other one in; between, a mixture of their logarithms.",
        )  # fmt: skip
        if len(targets) > 1:
            st.selectbox(
                "Other prior", targets, key=names["target"], format_func=_title, width=180,
                on_change=changed,
            )  # fmt: skip
        with st.popover("My own n(z)", icon=":material/upload:"):
            st.file_uploader(
                "Redshift distribution as a text table: z, n",
                type=["csv", "txt", "dat", "tsv"], key=names["file"],
                max_upload_size=MAX_MB, on_change=attempt, args=(_take_in, names, now.point),
                help="Two columns: redshift, and how many galaxies there are per unit of "
                "redshift; or three: the edges of a bin, and n in it. Only the shape counts.",
            )  # fmt: skip
    if message := st.session_state.pop(names["error"], None):
        st.error(escape(message))


def prior_file(estimate: Estimate) -> Path | None:
    """Where the store keeps the prior of an estimate; None where it needs no table."""
    return Store().prior_path(estimate.prior) if estimate.own_prior else None


def priors(run: RunFolder, estimate: Estimate) -> dict[str, NDArray[np.float64]]:
    """The priors that an estimate of a run's densities takes, by name."""
    return read_priors(run, estimate, prior_file(estimate))


def _title(prior: str) -> str:
    """Name of a prior without the mark of its content."""
    return prior.rpartition("-")[0] or prior


def _remember(estimate: Estimate) -> None:
    if estimate == USUAL:
        st.query_params.pop(ESTIMATE, None)
    else:
        st.query_params[ESTIMATE] = estimate.text()


def _take_in(names: dict[str, str], point: str) -> None:
    """Keep an uploaded n(z) in the store, under its name and its content, and choose it."""
    file = st.session_state[names["file"]]
    if file is None:
        return
    content = file.getvalue()
    try:
        parse_prior(content, file.name)
    except InputError as error:
        st.session_state[names["error"]] = str(error)
        return
    mark = hashlib.sha256(content).hexdigest()[:8]
    name = f"{slug(Path(file.name).stem, 'n-of-z')[:30]}-{mark}"
    path = Store().prior_path(name)
    with atomic(path) as part:
        part.write_bytes(content)
    _remember(Estimate(point, name))
