"""A trained run as the starting point of a new one: the address says which."""

from __future__ import annotations

import streamlit as st

from pages.ui.choose import PACKAGED, when
from pages.ui.text import escape
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.settings.run import RunConfig
from redshift_core.store import RunFolder, Store, origin
from redshift_core.store.base import base_id
from redshift_core.store.simulator_version import simulated_mark

PARAMETER = "from_run"  # ``?from_run=<id>``
SCRATCH = ""  # new weights


def from_run(dataset: str) -> RunConfig | None:
    """Select box over the runs that have a model; settings that start from the chosen one.

    The base network of the package is among them; it is put into the store when it is chosen. None
    where none is chosen, or none can be started from, with the reason shown.

    Parameters
    ----------
    dataset : str
        Id of the dataset to train on.
    """
    store = Store()
    labels = {SCRATCH: "Scratch: random weights and a preset"}
    labels |= {run.id: _label(run) for run in store.runs() if run.model_path.exists()}
    if name := base_id():
        labels[name] = PACKAGED
    if len(labels) == 1:
        return None
    wanted = st.query_params.get(PARAMETER, SCRATCH)
    if wanted not in labels:
        st.warning("The run in the address to start from is not here; showing the presets.")
        wanted = SCRATCH
    st.session_state[PARAMETER] = wanted
    chosen = st.selectbox(
        "Start from", list(labels), key=PARAMETER, on_change=_remember, format_func=labels.get,
        help="A run from scratch begins with random weights. One that starts from a trained run "
        "needs far fewer galaxies, where the survey resembles the one that run has learned.",
    )  # fmt: skip
    if not chosen:
        return None
    try:
        run = store.run(chosen)
        config = jobs.fine_tuned(run, store.dataset(dataset))
    except InputError as error:
        st.warning(f"{escape(str(error))} Showing the presets.")
        return None
    learned = f"{run.trained_on.get('name') or '?'}{simulated_mark(run.trained_on)}"
    st.caption(
        escape(
            f"Starts from the network and the scaler of run {run.name}, which learned on "
            f"{learned}. {origin.sentence(run)} Layers and scaler stay as they are, and the "
            "weights are trained further, at a pace that suits a trained network. The prior, the "
            "training range and the temperature of p(z) are those of the new galaxies. The weights "
            "it starts from are kept where no epoch is better on the validation rows."
        )
    )
    return config


def _remember() -> None:
    if chosen := st.session_state[PARAMETER]:
        st.query_params[PARAMETER] = chosen
    else:
        st.query_params.pop(PARAMETER, None)


def _label(run: RunFolder) -> str:
    return f"{run.name} · {when(run)} · {run.id}"
