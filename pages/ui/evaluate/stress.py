"""Evaluate: how far the redshifts can be trusted on other spectra, judged by a job on request."""

from __future__ import annotations

import streamlit as st

from pages.ui.display import chart, table
from pages.ui.empty import lacks_tensorflow
from pages.ui.jobs.job import show_job, start
from pages.ui.text import count, counted, escape
from redshift_core import figures, jobs
from redshift_core.errors import DamagedError
from redshift_core.evaluation import stress
from redshift_core.figures import STRESS_CAPTION
from redshift_core.store import RunFolder, Store
from redshift_core.store.history import read_history
from redshift_core.store.records import Evaluation, Stress

RECENT = 50  # newest jobs looked through for one that is at work, or has failed


def show_stress(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """Button, progress, then figure and table; found again after a refresh."""
    st.subheader("How far the redshifts can be trusted", anchor="stress")
    store, wanted = Store(), {"kind": "stress", "run": run.id, "dataset": dataset}
    result = None
    try:
        result = run.stress(dataset)
    except DamagedError as error:
        st.warning(escape(str(error)), icon=":material/broken_image:")
    current = result if result and result.epochs == len(read_history(run)) else None
    job = next((one for one in store.jobs()[:RECENT] if one.request == wanted), None)
    state = jobs.status(job) if job else None
    if job and (state.active or not current):
        show_job(job, "Perturbing the spectra")
    if not (state and state.active):
        _offer(run, dataset, wanted, "Judge again" if current else "Perturb the spectra")
    if current:
        _show(run, current)


def _offer(run: RunFolder, dataset: str, wanted: dict[str, str], label: str) -> None:
    """Button that starts the job, where it can work."""
    if not run.model_path.exists():
        st.info("The run's model is gone, so it cannot be asked about other spectra.")
    elif dataset not in {folder.id for folder in Store().datasets()}:
        st.info("The dataset was deleted; read the same file in again and evaluate the run on it.")
    else:
        st.button(
            label, key="stress", icon=":material/waves:", on_click=start, args=(wanted,),
            disabled=lacks_tensorflow("stress", run),
            help="The same galaxies with fewer digits, more noise, calibration errors, a shift: "
            "how much worse the redshifts become, and whether the flags see it.",
        )  # fmt: skip


def _show(run: RunFolder, result: Stress) -> None:
    lines = result.lines
    sentences = stress.sentences(lines)
    st.markdown(escape(" ".join(sentences)))
    chart(
        figures.stress_ratios(lines), key="stress_ratios", caption=STRESS_CAPTION,
        alt="Error on perturbed spectra relative to the unperturbed ones. " + sentences[-1],
        about=result.about,
    )  # fmt: skip
    n, n_rows = lines[0].n + lines[0].n_without, result.n_rows
    part = f", evenly spread over {count(n_rows)} rows" if n < n_rows else ""
    if result.n_flagged:
        part += f"; flagged rows, not counted: {count(result.n_flagged)}"
    table(
        stress.frame(lines), f"stress_{run.id}",
        f"{counted(n, 'galaxy')}{part}. {stress.CAPTION}",
        alt="Errors, coverage and flags of the spectra as they are and under each perturbation",
        formats=stress.FORMATS, height="content",
    )  # fmt: skip
