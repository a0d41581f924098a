"""Writes a run as an ONNX file, once it gives what Keras gives: the job of ``export --onnx``."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from redshift_core import __version__, data, pdf
from redshift_core.constants import FLUX_UNIT, N_PIXELS, pixel_grid, wavelength
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import read_priors
from redshift_core.learning import models
from redshift_core.learning.onnx_graph import onnx_model
from redshift_core.prediction.reader import (
    MADE_OF,
    PER_CALL,
    Predictor,
    onnx_predictor,
    predictor,
)
from redshift_core.store import (
    JobContext,
    RunFolder,
    Store,
    atomic,
    demo_file,
    file_digest,
    origin,
    simulator_version,
)
from redshift_core.store.tables import check_out

N_CHECKED = 1_000  # spectra on which the file must give what Keras gives
TOLERANCE = 1e-4  # largest difference, in z and in the probability of a bin


def onnx_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``out`` → run, out, spectra, difference, simulated."""
    run, out = context.store.run(context.request["run"]), Path(context.request["out"])
    context.report(message="Writing the network as an ONNX file.", now=True)
    return {"run": run.id, "out": str(out), **write_onnx(run, out, context.store)}


def write_onnx(run: RunFolder, out: Path, store: Store) -> dict[str, Any]:
    """Write the network of a run, the scaler and temperature inside, as an ONNX file.

    Returns
    -------
    dict
        ``spectra`` that it was checked on, largest ``difference`` to Keras, ``simulated``.

    Raises
    ------
    InputError
        Where the run has no model, or the file would differ from it; then nothing is written.
    """
    out = check_out(out, suffixes=(".onnx",))
    model = models.load_model(run.model_path)
    try:
        file, block = onnx_model(model, run.config.model)
    except ValueError as error:  # Keras's, of a layer that is not there
        raise InputError(
            f"The model of {run.id} does not fit its config.json ({error}), so it was not written "
            "as ONNX. Train the run again, or bring both files back from a copy or a ZIP."
        ) from error
    spectra = _spectra(run, store)
    other = onnx_predictor(file.SerializeToString(), block, bounded=False)
    apart = difference(predictor(model, bounded=False), other, spectra)
    if not apart <= TOLERANCE:
        raise InputError(
            f"As ONNX, {run.id} gives redshifts or probabilities up to {apart:.1g} apart from "
            f"Keras's, and at most {TOLERANCE:g} is allowed, so no file was written; a run trained "
            "with precision = float32 gives the same in both."
        )
    simulated = bool(simulator_version.trained_on(run, store).get("simulated"))
    simulated = simulated or origin.learned_on_simulated(run)
    facts = {"spectra": len(spectra), "difference": apart, "simulated": simulated}
    onnx.helper.set_model_props(file, metadata(run, facts, block))
    with atomic(out) as part:
        part.write_bytes(file.SerializeToString())
    return facts


def difference(one: Predictor, other: Predictor, flux: NDArray[np.floating]) -> float:
    """Largest difference of redshifts and of probabilities of bins; inf where only one has any."""
    first, second = one(flux), other(flux)
    pairs = [(first.z_phot, second.z_phot)]
    if first.density is not None:
        pairs.append((first.density * pdf.WIDTH, second.density * pdf.WIDTH))
    if any((np.isnan(a) != np.isnan(b)).any() for a, b in pairs):
        return float("inf")
    return max(float(np.nanmax(np.abs(a - b), initial=0.0)) for a, b in pairs)


def metadata(run: RunFolder, facts: dict[str, Any], block: int) -> dict[str, str]:
    """What stands in the file beside the network; docs/use-elsewhere.md lists it.

    Parameters
    ----------
    facts : dict
        As `write_onnx` returns it.
    block : int
        Spectra in one call.
    """
    has_pdf = run.config.model.head == "pdf"
    centres, widths = pixel_grid()
    values = {
        "name": run.name,
        "run": run.id,
        "trained on": run.trained_on.get("name", ""),
        "SIMULATED spectra": facts["simulated"],
        "input": f"flux (n, {N_PIXELS}): mean BP/RP spectra, 80 pixels of BP, then 106 of RP",
        "input unit": FLUX_UNIT,
        "wavelength in nm": wavelength().round(4).tolist(),
        "pseudo-wavelength": centres.round(6).tolist(),
        "pixel width in pseudo-wavelength": widths.round(6).tolist(),
        "output": "p (n, 240): probability of each bin of redshift" if has_pdf else "z_phot (n, 1)",
        "redshift bin edges": pdf.EDGES.round(6).tolist() if has_pdf else [],
        PER_CALL: block,
        "prior": {key: p.round(6).tolist() for key, p in read_priors(run, pdf.USUAL).items()},
        "versions": {
            **run.environment.get("versions", {}),
            "written by redshift-lab": __version__,
            "written by onnx": version("onnx"),
        },
        MADE_OF: file_digest(run.model_path),
        "checked against Keras": {key: facts[key] for key in ("spectra", "difference")},
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }


def _spectra(run: RunFolder, store: Store) -> NDArray[np.float32]:
    """Spectra for the check, evenly from the run's dataset, else from the demo survey."""
    folder = {one.id: one for one in store.datasets()}.get(run.config.dataset)
    if folder is not None:
        opened = data.open_dataset(folder)
        rows = np.linspace(0, len(opened) - 1, min(N_CHECKED, len(opened))).astype(int)
        return np.asarray(opened.flux[rows])
    return next(iter(data.read_blocks(demo_file()))).flux[:N_CHECKED]
