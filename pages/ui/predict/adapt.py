"""Predict: the run trained anew for the spectra that it was just applied to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.data import intake
from pages.ui.empty import lacks_tensorflow
from pages.ui.text import count, counted, escape
from redshift_core import jobs, pdf
from redshift_core.errors import InputError
from redshift_core.settings.adapt import LEAST, WARNING
from redshift_core.store import JobFolder, RunFolder, Store
from redshift_core.store.arrays import load_arrays
from redshift_core.store.base import base_id


def offer(store: Store, predicted: JobFolder, median: float) -> None:
    """Button that adapts a run to the file it has predicted, and when not to press it.

    Parameters
    ----------
    predicted : JobFolder
        Finished job of the kind ``predict``.
    median : float
        Median of the redshifts it gave.
    """
    request = predicted.request
    if request["run"] == base_id():  # its spectra are not here, so they cannot be moved
        st.page_link(
            "pages/train.py", label="Learn on from this network with redshifts of your own",
            icon=":material/school:", query_params={"from_run": request["run"]},
        )  # fmt: skip
        return
    with st.expander("Adapt the run to these spectra", icon=":material/sync_alt:"):
        st.markdown(
            "Where the instrument, the noise or the galaxies' brightness differ from the run's "
            "training spectra, those can be moved to the mean and covariance of the spectra in "
            "this file and a new run trained on them. No redshift of the file is needed, and this "
            f"run stays as it is. It takes {count(LEAST)} spectra or more."
        )
        st.warning(WARNING, icon=":material/warning:")
        try:
            typical = _median_redshift(store.run(request["run"]))
        except InputError as error:
            st.caption(escape(str(error)))
            return
        if typical is not None:
            st.caption(
                f"A hint: the run's training galaxies have the median redshift {typical:.3f}, and "
                f"it gave these spectra {median:.3f}. The look of another survey moves that median "
                "too, so what counts is how the galaxies were picked."
            )
        if not Path(request["file"]).exists():
            st.caption("The file is not here any more; choose it again above to adapt to it.")
        elif st.button(
            "Adapt the run", key="adapt_run", icon=":material/sync_alt:",
            disabled=lacks_tensorflow("adapt"),
        ):  # fmt: skip
            asked: dict[str, Any] = {
                key: request[key] for key in ("file", "columns", "run") if key in request
            }
            intake.follow(jobs.start(store, "adapt", **asked))


def _median_redshift(run: RunFolder) -> float | None:
    """Of the run's training galaxies; None where an earlier version kept no n(z)."""
    if not run.prior_path.exists():
        return None
    return float(pdf.point(load_arrays(run.prior_path)["training"][None])[0])


def adapted(job: JobFolder) -> None:
    """Way to the run that a finished job of the kind ``adapt`` has started."""
    outcome = job.result
    st.success(
        f"The training spectra were moved to {counted(outcome['n_target'], 'spectrum')} of "
        f"{escape(outcome['target'])}, and a new run learns from them.",
        icon=":material/check_circle:",
    )
    st.page_link(
        "pages/train.py", label="**Watch the new run on Train**", icon=":material/school:",
        query_params={"view": "Runs", "run": outcome["run"]},
    )  # fmt: skip
    st.caption("When it has finished, choose it above and predict the file again.")
