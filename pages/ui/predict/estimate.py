"""Predict, for runs that give p(z): which redshift is read off it, and whether p(z) is kept."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui.estimate_picker import current_estimate, estimate_picker, prior_file
from pages.ui.text import escape
from redshift_core.errors import InputError
from redshift_core.pdf import Estimate
from redshift_core.store import RunFolder

KEEP = "predict_keep_pdf"


def gives_densities(run: RunFolder) -> bool:
    """Whether the run's network gives p(z)."""
    try:
        return run.config.model.head == "pdf"
    except InputError:
        return False


def choose_estimate() -> None:
    """The choice, kept in the address; it holds for the next file."""
    with st.expander("Which redshift of p(z)", icon=":material/tune:"):
        estimate_picker("predict")
        st.toggle(
            "Also keep p(z) of every spectrum", key=KEEP, persist_state="session",
            help="240 numbers per spectrum, 480 bytes, as a NumPy file.",
        )  # fmt: skip
        st.caption(
            "Choose before the file: a file is predicted as soon as it is chosen. The prior should "
            "be the redshift distribution of the galaxies in the file; that of the training set is "
            "right where they were picked alike."
        )
    st.caption(f"z_phot will be the {escape(current_estimate().describe())}.")


def asked() -> dict[str, Any]:
    """What the choice adds to the request of a job."""
    now = current_estimate()
    return {**now.request(prior_file(now)), "pdf": bool(st.session_state.get(KEEP))}


def said(request: dict[str, Any]) -> str:
    """How the redshifts of a job were read off p(z), in words."""
    return Estimate.asked_of(request).describe()
