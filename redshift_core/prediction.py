"""A run applied to spectra: redshifts, flags, and the run's judgement on its test rows.

Spectra pass in blocks, so memory does not grow with the catalogue. Nothing is left out in
silence: a spectrum that no redshift can be given for stays in the table, empty and flagged.
TensorFlow is imported only when a model is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core import data
from redshift_core.bootstrap import bootstrap
from redshift_core.constants import N_PIXELS, Z_MAX, Z_MIN
from redshift_core.coverage import FLAGS, Coverage, coverage_of
from redshift_core.errors import InputError
from redshift_core.evaluation import evaluate, finite_pairs
from redshift_core.export import TableWriter, check_out
from redshift_core.runs import DatasetFolder, JobContext, RunFolder, write_json
from redshift_core.split import Split

READ_BLOCK = 8192  # spectra taken from the memory map at a time
BLOCK_CONV = 256  # spectra per call of a convolutional network on a CPU: larger is slower
BLOCK_CONV_GPU = 4096
BLOCK_DENSE = 8192
DECIMALS = 7  # of an exported redshift: as many as the network's float32 holds

Report = Callable[[float, float, str], None]
Predictor = Callable[[NDArray[np.floating]], NDArray[np.float64]]


class _Stop(Exception):  # noqa: N818 - not an error
    """The user asked for a stop."""


def predict_redshift(
    model: Any, flux: NDArray[np.floating], block: int | None = None
) -> NDArray[np.float64]:
    """Redshifts of spectra.

    Parameters
    ----------
    model : keras.Model
        Takes raw flux (n, 186) and returns (n, 1).
    flux : array, shape (n_sources, 186)
        Raw flux, e⁻ s⁻¹ per pixel.
    block : int, optional
        Spectra per call of the model; chosen by the kind of network where not given.

    Returns
    -------
    array, shape (n_sources,)
        z_phot; NaN where the flux is not finite or zero throughout, or the model overflows.
    """
    return predictor(model, block)(flux)


def predictor(model: Any, block: int | None = None) -> Predictor:
    """`predict_redshift` for many arrays in turn: the model is compiled once."""
    import tensorflow as tf

    call = tf.function(
        lambda flux: model(flux, training=False),
        input_signature=[tf.TensorSpec((None, N_PIXELS), tf.float32)],
    )
    size = block or _block_size(model, bool(tf.config.list_logical_devices("GPU")))

    def predict(flux: NDArray[np.floating]) -> NDArray[np.float64]:
        if np.ndim(flux) != 2 or np.shape(flux)[1] != N_PIXELS:
            raise ValueError(f"flux has shape {np.shape(flux)}; it must be (n, {N_PIXELS}).")
        z_phot = np.empty(len(flux))
        for start in range(0, len(flux), size):
            values = np.asarray(flux[start : start + size], np.float32)
            bad = bad_flux(values)
            answer = np.asarray(call(np.where(bad[:, None], np.float32(0), values)), np.float64)
            answer = answer.reshape(len(values))  # (n, 1) → (n,)
            z_phot[start : start + size] = np.where(bad | ~np.isfinite(answer), np.nan, answer)
        return z_phot

    return predict


def bad_flux(flux: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether a spectrum has values that are not finite, or none but zeros; shape (n,)."""
    return ~np.isfinite(flux).all(axis=1) | ~np.any(flux, axis=1)


def evaluate_run(
    run: RunFolder, dataset: DatasetFolder, report: Report = lambda *_: None
) -> dict[str, Any]:
    """Judge a run on a dataset; writes ``metrics.json`` and ``predictions.parquet``.

    On the dataset it was trained on only its test rows count, elsewhere every row with a redshift
    and usable flux.

    Returns
    -------
    dict
        `evaluation.evaluate`, `bootstrap.bootstrap`, and: ``dataset``, ``rows`` ("test" or "all"),
        ``simulated``, ``scaler_saw_test_rows``, ``n_outside_training_range``.
    """
    coverage = _coverage(run)
    opened = data.open_dataset(dataset)
    own = _is_own(run, dataset)
    rows = _test_rows(run, opened) if own else _judged_rows(opened)
    predict = _load(run)
    z_phot, outside = np.empty(len(rows)), np.empty(len(rows), bool)
    for start in range(0, len(rows), READ_BLOCK):
        report(start, len(rows), f"Predicted {start:,} of {len(rows):,} spectra.")
        flux = opened.flux[rows[start : start + READ_BLOCK]]
        z_phot[start : start + READ_BLOCK] = predict(flux)
        outside[start : start + READ_BLOCK] = coverage.outside(flux)
    table = pd.DataFrame(
        {
            "row": rows,
            "source_id": np.asarray(opened.source_id)[rows],
            "z_spec": np.asarray(opened.z_spec)[rows],
            "z_phot": z_phot,
            "brightness": np.asarray(opened.brightness)[rows],
        }
    )
    bits = np.asarray(opened.flags)[rows]
    known = {name: (bits & bit) > 0 for name, bit in data.FLAGS.items()}
    table["flags"] = flag_text({**_flags(z_phot, outside), **known})
    simulated = bool(dataset.info.get("simulated"))
    judged = finite_pairs(table.z_spec, z_phot)
    said = "Drawing the galaxies again for the intervals."
    result = {
        **evaluate(*judged),
        **bootstrap(*judged, report=lambda done, n: report(done, n, said)),
        "dataset": dataset.id,
        "rows": "test" if own else "all",
        "simulated": simulated,
        "scaler_saw_test_rows": own and run.config.scaler.fit_on == "all",
        "n_outside_training_range": int(outside.sum()),
    }
    run.metrics_path(dataset.id).parent.mkdir(parents=True, exist_ok=True)
    with TableWriter([run.predictions_path(dataset.id)], _metadata(run, simulated)) as writer:
        writer.write(table)
    write_json(run.metrics_path(dataset.id), result)
    report(len(rows), len(rows), f"Judged {len(rows):,} spectra.")
    return result


def evaluate_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if not the run's own, ``dataset`` → run, dataset, metrics."""
    run = context.store.run(context.request["run"])
    dataset = context.store.dataset(context.request.get("dataset") or run.config.dataset)
    try:
        metrics = evaluate_run(run, dataset, _stoppable(context))
    except _Stop:
        return {"run": run.id, "dataset": dataset.id, "stopped": True}
    return {"run": run.id, "dataset": dataset.id, "metrics": metrics}


def predict_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``file``, ``out``, ``columns`` → rows, flagged per flag, out, files.

    Without ``out`` the table goes into the job's output folder, as CSV and as Parquet.
    """
    request = context.request
    run, source = context.store.run(request["run"]), Path(request["file"])
    if request.get("out"):
        files = [check_out(Path(request["out"]), source)]
    else:
        context.folder.output.mkdir(exist_ok=True)
        files = [context.folder.output / f"predictions{kind}" for kind in (".csv", ".parquet")]
    coverage = _coverage(run)
    blocks = data.read_blocks(source, request.get("columns"))
    simulated = bool(run.trained_on.get("simulated"))
    report, n_rows, flagged = _stoppable(context), 0, dict.fromkeys(FLAGS, 0)
    try:
        with TableWriter(files, _metadata(run, simulated)) as writer:
            for table, flags in _predicted(blocks, run, coverage):
                writer.write(table)
                n_rows += len(table)
                flagged = {name: flagged[name] + int(flags[name].sum()) for name in FLAGS}
                report(n_rows, 0, f"Predicted {n_rows:,} spectra.")
    except _Stop:
        return {"stopped": True, "rows": 0, "flagged": {}, "out": None, "files": []}
    names = [str(path) for path in files]
    return {
        "rows": n_rows,
        "flagged": flagged,
        "out": names[0],
        "files": names,
        "simulated": simulated,
    }


def flag_text(flags: dict[str, NDArray[np.bool_]]) -> NDArray[np.object_]:
    """Names of the flags that are set, joined by ``|``, for each source; shape (n_sources,)."""
    names = list(flags)
    bits = sum(
        np.asarray(flags[name]).astype(np.int64) << place for place, name in enumerate(names)
    )
    kinds, which = np.unique(bits, return_inverse=True)
    texts = ["|".join(n for p, n in enumerate(names) if kind >> p & 1) for kind in kinds.tolist()]
    return np.array(texts, object)[which]


def _predicted(
    blocks: Iterator[data.Spectra], run: RunFolder, coverage: Coverage
) -> Iterator[tuple[pd.DataFrame, dict[str, NDArray[np.bool_]]]]:
    predict = None
    for block in blocks:
        predict = predict or _load(run)  # after the first block: a bad file is refused at once
        z_phot = predict(block.flux)
        flags = _flags(z_phot, coverage.outside(block.flux))
        columns = {"row": block.row, "source_id": block.source_id, "z_phot": z_phot.round(DECIMALS)}
        yield pd.DataFrame({**columns, "flags": flag_text(flags)}), flags


def _flags(z_phot: NDArray, outside: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    bad = np.isnan(z_phot)
    beyond = (z_phot < Z_MIN) | (z_phot > Z_MAX)
    return {
        "bad_flux": bad, "outside_training_range": outside & ~bad, "z_phot_out_of_range": beyond
    }  # fmt: skip


def _load(run: RunFolder) -> Predictor:
    from redshift_core import models

    return predictor(models.load_model(run.model_path))


def _coverage(run: RunFolder) -> Coverage:
    """Training range of a run that has a model; InputError where it has none."""
    if not run.model_path.exists() or not run.coverage_path.exists():
        raise InputError(
            f"Run {run.id} has no saved model yet; let it train to the end of an epoch "
            f"(`redshift-lab resume {run.id}` where it has stopped), or choose another run."
        )
    return coverage_of(run)


def _is_own(run: RunFolder, dataset: DatasetFolder) -> bool:
    """Whether a run was trained on this dataset, or on the same file under another id."""
    if dataset.id == run.config.dataset:
        return True
    sha256 = run.trained_on.get("sha256")
    return bool(sha256) and sha256 == dataset.info.get("sha256")


def _test_rows(run: RunFolder, opened: data.Dataset) -> NDArray[np.int64]:
    rows = np.sort(Split.load(run.split_path).test)
    if not len(rows):
        raise InputError(
            f"Run {run.id} kept no test rows (test_fraction = 0), so it cannot be judged on "
            "the dataset it was trained on; evaluate it on another one."
        )
    if rows[-1] >= len(opened.flux):
        raise InputError(
            f"Run {run.id} was trained on another version of dataset {opened.id}; train again."
        )
    return rows


def _judged_rows(opened: data.Dataset) -> NDArray[np.int64]:
    unusable = sum(data.FLAGS[name] for name in ("nan_flux", "infinite_flux", "zero_flux"))
    good = np.isfinite(np.asarray(opened.z_spec)) & (np.asarray(opened.flags) & unusable == 0)
    if not good.any():
        raise InputError(
            f"Dataset {opened.id} has no spectrum with a redshift to compare with; "
            "use predict for spectra of unknown redshift."
        )
    return np.flatnonzero(good)


def _metadata(run: RunFolder, simulated: bool) -> dict[bytes, bytes]:
    """Where a Parquet table of predictions comes from, for its schema metadata."""
    text = json.dumps({"run": run.id, "SIMULATED spectra": simulated})
    return {b"redshift_lab_predictions": text.encode()}


def _stoppable(context: JobContext) -> Report:
    def report(done: float, total: float, message: str) -> None:
        if context.should_stop():
            raise _Stop
        context.report(done, total, message)

    return report


def _block_size(model: Any, on_gpu: bool) -> int:
    if _has_conv(model):
        return BLOCK_CONV_GPU if on_gpu else BLOCK_CONV
    return BLOCK_DENSE


def _has_conv(layer: Any) -> bool:
    inner = getattr(layer, "layers", [])
    return "Conv" in type(layer).__name__ or any(_has_conv(one) for one in inner)
