"""Jobs of a bench: one trains, times and judges a baseline; one times and stresses a network.

Speed is measured on validation rows, as many as there are test rows, because test rows are only
used for judging. A first pass over some of them warms up and is not timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core.data import Dataset, open_dataset
from redshift_core.data.scaling import Scaler, fit_scaler
from redshift_core.data.split import RowArray, Split, new_split
from redshift_core.evaluation import stress
from redshift_core.evaluation.perturbations import PERTURBATIONS
from redshift_core.jobs.machine import peak_memory
from redshift_core.learning.studies.baselines import BASELINES, Rows
from redshift_core.learning.training.prepare import scaled_features
from redshift_core.prediction.judgement import judged_figures
from redshift_core.prediction.reader import Answer, tensorflow_is_loaded
from redshift_core.settings.run import ScalerConfig, SplitConfig
from redshift_core.store import JobContext, Stopped
from redshift_core.store.records import dicts

N_WARM = 500  # spectra of the pass that is not timed
STRESS_SECONDS = 30.0  # s that the predictions of a baseline for perturbed spectra may take
LEAST_STRESSED = 2_000  # smallest number of perturbed spectra, however long they take


def baseline_job(context: JobContext) -> dict[str, Any]:
    """Job: ``dataset``, ``baseline``, ``seed`` → figures of its test rows, and its costs.

    The rows are those that a network with the default split trains, validates and is tested on.
    Predictions are written to the job's output folder: ``predictions.parquet`` and, where the
    method has a p(z), ``pdf.npy`` (float16).

    Returns
    -------
    dict
        ``metrics`` (`evaluation.evaluate`, intervals, ``pdf``), ``seconds`` of the
        training, ``spectra_per_second``, ``split`` (rows of each part), ``note``, ``stress``
        (`stress.judge`, on some of the test rows).
    """
    name, seed = context.request["baseline"], context.request.get("seed", 0)
    dataset = open_dataset(context.store.dataset(context.request["dataset"]))
    split = new_split(SplitConfig(), dataset)
    scaler = fit_scaler(ScalerConfig(name="spectrum"), dataset.flux, split)
    train, val = (_rows(dataset, scaler, rows) for rows in (split.train, split.val))
    context.report(message="Training.", now=True)
    fitted = BASELINES[name](train, val, seed)
    context.report(message="Timing its predictions.", now=True)

    def answer(flux: NDArray[np.float32]) -> Answer:
        return fitted.predict(scaler.apply(flux))

    speed = spectra_per_second(answer, _timed_flux(dataset, split))
    context.report(message="Judging the test rows.", now=True)
    rows = np.sort(split.test)
    try:
        stressed = _stress(context, dataset, stress.some_rows(rows, n_stressed(speed)), answer)
    except Stopped:
        return {"stopped": True}
    return {
        "metrics": _judge(context, dataset, rows, answer(dataset.flux[rows])),
        "seconds": fitted.seconds,
        "spectra_per_second": speed,
        "split": split.counts,
        "note": fitted.note,
        "stress": stressed,
    }


def speed_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` → speed, memory and robustness of its saved model, once it is loaded.

    The engine is the one that predicts for users: ONNX Runtime where the run has its ONNX file.

    Returns
    -------
    dict
        ``spectra_per_second``, ``peak_memory`` (bytes, the most so far), ``engine`` and ``stress``,
        the lines of `prediction.stress_run`.
    """
    from redshift_core.prediction import open_coverage, open_reader, stress_run

    run = context.store.run(context.request["run"])
    folder = context.store.dataset(run.config.dataset)
    dataset = open_dataset(folder)
    predict = open_reader(run, open_coverage(run)).predict
    speed = spectra_per_second(predict, _timed_flux(dataset, run.split_path))
    memory = peak_memory()
    try:
        stressed = dicts(stress_run(run, folder, context.report_or_stop).lines)
    except Stopped:
        return {"stopped": True}
    engine = "TensorFlow" if tensorflow_is_loaded() else "ONNX Runtime"
    return {
        "spectra_per_second": speed, "peak_memory": memory, "engine": engine, "stress": stressed
    }  # fmt: skip


def _stress(
    context: JobContext, dataset: Dataset, rows: RowArray, answer: Callable[[NDArray], Answer]
) -> list[dict[str, Any]]:
    """Lines of `stress.judge` on some rows, for JSON."""
    flux, z_spec = np.asarray(dataset.flux[rows]), np.asarray(dataset.z_spec)[rows]
    return dicts(stress.judge(answer, flux, z_spec, report=context.report_or_stop))


def spectra_per_second(predict: Callable[[NDArray], Any], flux: NDArray[np.float32]) -> float:
    """Spectra (n, 186) in memory predicted per second, after a pass that is not timed."""
    predict(flux[:N_WARM])
    begin = time.perf_counter()
    predict(flux)
    return len(flux) / (time.perf_counter() - begin)


def n_stressed(speed: float) -> int:
    """Number of test rows to perturb for a baseline: half a minute of work, but at least 2,000.

    Examples
    --------
    >>> n_stressed(100.0), n_stressed(5_600.0), n_stressed(1e6)
    (2000, 12000, 20000)
    """
    passes = 1 + len(PERTURBATIONS)
    return int(np.clip(STRESS_SECONDS * speed / passes, LEAST_STRESSED, stress.N_ROWS))


def _timed_flux(dataset: Dataset, split: Any) -> NDArray[np.float32]:
    """Validation spectra, as many as there are test rows."""
    split = split if isinstance(split, Split) else Split.load(split)
    return np.asarray(dataset.flux[np.sort(split.val[: len(split.test)])])


def _rows(dataset: Dataset, scaler: Scaler, rows: RowArray) -> Rows:
    """Features and redshifts of some rows, in the order of the file, which reads fastest."""
    rows = np.sort(rows)
    return Rows(scaled_features(dataset, scaler, rows), np.asarray(dataset.z_spec)[rows])


def _judge(context: JobContext, dataset: Dataset, rows: RowArray, answer: Answer) -> dict[str, Any]:
    """Figures of the test rows; the predictions go to the job's output folder."""
    z_spec, brightness = (np.asarray(v)[rows] for v in (dataset.z_spec, dataset.brightness))
    context.folder.output.mkdir(exist_ok=True)
    columns = {"row": rows, "z_spec": z_spec, "z_phot": answer.z_phot, "brightness": brightness}
    pd.DataFrame(columns).to_parquet(context.folder.output / "predictions.parquet")
    if answer.density is not None:
        np.save(context.folder.output / "pdf.npy", answer.density.astype(np.float16))
    return judged_figures(z_spec, answer.z_phot, brightness, answer.density).to_dict()
