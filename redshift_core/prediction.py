"""A run applied to spectra: redshifts, p(z), flags, and its judgement on its test rows.

Spectra pass in blocks, so memory does not grow with the catalogue. Nothing is left out in
silence: a spectrum that no redshift can be given for stays in the table, empty and flagged.
TensorFlow is imported only when a model is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core import data, pdf
from redshift_core.arrays import RowWriter, load_arrays
from redshift_core.bootstrap import bootstrap
from redshift_core.calibration import evaluate_pdf
from redshift_core.constants import N_PIXELS, N_Z_BINS, Z_MAX, Z_MIN
from redshift_core.coverage import FLAGS, Coverage
from redshift_core.errors import InputError
from redshift_core.evaluation import evaluate, finite_pairs
from redshift_core.export import TableWriter, check_out
from redshift_core.flags import density_flags
from redshift_core.judged import open_densities
from redshift_core.runs import DatasetFolder, JobContext, RunFolder, read_json, write_json
from redshift_core.split import Split

READ_BLOCK = 8192  # spectra taken from the memory map at a time
BLOCK_CONV = 256  # spectra per call of a convolutional network on a CPU: larger is slower
BLOCK_CONV_GPU = 4096
BLOCK_DENSE = 8192
DECIMALS = 7  # of an exported redshift: as many as the network's float32 holds

LEVELS = (68, 95)  # % of p(z) inside the intervals that stand beside a redshift
STORED = "float16"  # type of the densities on disk

Report = Callable[[float, float, str], None]


class Answer(NamedTuple):
    """What a model says of some spectra."""

    z_phot: NDArray[np.float64]  # (n,) NaN where there is none; of a p(z) the median
    density: NDArray[np.float32] | None  # (n, 240) p(z) in 1/z; None from a regression head


Predictor = Callable[[NDArray[np.floating]], Answer]


class _Stop(Exception):  # noqa: N818 - not an error
    """The user asked for a stop."""


def predict_redshift(
    model: Any, flux: NDArray[np.floating], block: int | None = None
) -> NDArray[np.float64]:
    """Redshifts of spectra.

    Parameters
    ----------
    model : keras.Model
        Takes raw flux (n, 186) and returns z_phot (n, 1), or probabilities (n, 240) of the bins.
    flux : array, shape (n_sources, 186)
        Raw flux, e⁻ s⁻¹ per pixel.
    block : int, optional
        Spectra per call of the model; chosen by the kind of network where not given.

    Returns
    -------
    array, shape (n_sources,)
        z_phot, of a p(z) its median; NaN where the flux is not finite or zero throughout, or the
        model overflows.
    """
    return predictor(model, block)(flux).z_phot


def predictor(model: Any, block: int | None = None) -> Predictor:
    """Answers to many arrays of spectra in turn: the model is compiled once."""
    import tensorflow as tf

    call = tf.function(
        lambda flux: model(flux, training=False),
        input_signature=[tf.TensorSpec((None, N_PIXELS), tf.float32)],
    )
    size = block or _block_size(model, bool(tf.config.list_logical_devices("GPU")))
    n_outputs = model.output_shape[-1]

    def predict(flux: NDArray[np.floating]) -> Answer:
        if np.ndim(flux) != 2 or np.shape(flux)[1] != N_PIXELS:
            raise ValueError(f"flux has shape {np.shape(flux)}; it must be (n, {N_PIXELS}).")
        found = np.empty((len(flux), n_outputs), np.float32)
        for start in range(0, len(flux), size):
            values = np.asarray(flux[start : start + size], np.float32)
            bad = bad_flux(values)
            answer = np.asarray(call(np.where(bad[:, None], np.float32(0), values)), np.float32)
            bad |= ~np.isfinite(answer).all(axis=1)
            found[start : start + size] = np.where(bad[:, None], np.nan, answer)
        if n_outputs != N_Z_BINS:
            return Answer(found[:, 0].astype(np.float64), None)
        found /= np.float32(pdf.WIDTH)
        return Answer(pdf.point(found), found)

    return predict


def bad_flux(flux: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether a spectrum has values that are not finite, or none but zeros; shape (n,)."""
    return ~np.isfinite(flux).all(axis=1) | ~np.any(flux, axis=1)


def evaluate_run(
    run: RunFolder, dataset: DatasetFolder, report: Report = lambda *_: None
) -> dict[str, Any]:
    """Judge a run on a dataset; writes ``metrics.json``, ``predictions.parquet`` and ``pdf.npy``.

    On the dataset it was trained on only its test rows count, elsewhere every row with a redshift
    and usable flux. With a PDF head z_phot is the median of p(z) under the training prior.

    Returns
    -------
    dict
        `evaluation.evaluate`, `bootstrap.bootstrap`, and: ``dataset``, ``rows`` ("test" or "all"),
        ``simulated``, ``scaler_saw_test_rows``, ``n_outside_training_range``; with a PDF head
        ``pdf``, see `calibration.evaluate_pdf`.
    """
    coverage = _coverage(run)
    opened = data.open_dataset(dataset)
    own = _is_own(run, dataset)
    rows = _test_rows(run, opened) if own else _judged_rows(opened)
    reader = Reader(_load(run), coverage)
    run.metrics_path(dataset.id).parent.mkdir(parents=True, exist_ok=True)
    tables = []
    with ExitStack() as files:
        densities = None
        for start in range(0, len(rows), READ_BLOCK):
            report(start, len(rows), f"Predicted {start:,} of {len(rows):,} spectra.")
            here = rows[start : start + READ_BLOCK]
            columns, flags, density = reader.read(opened.flux[here])
            if density is not None:
                if densities is None:
                    writer = RowWriter(run.pdf_path(dataset.id), N_Z_BINS, STORED)
                    densities = files.enter_context(writer)
                densities.write(density)
            tables.append(_judged_table(opened, here, columns, flags))
    table = pd.concat(tables, ignore_index=True)
    simulated = bool(dataset.info.get("simulated"))
    result = {
        **_figures(table.z_spec, table.z_phot, report),
        "dataset": dataset.id,
        "rows": "test" if own else "all",
        "simulated": simulated,
        "scaler_saw_test_rows": own and run.config.scaler.fit_on == "all",
        "n_outside_training_range": int(table.pop("outside").sum()),
    }
    if densities is not None:
        density = open_densities(run.pdf_path(dataset.id), len(table))
        judged = (table.z_spec, table.z_phot, table.brightness)
        result["pdf"] = evaluate_pdf(density, *judged, report=_drawing(report))
    with TableWriter([run.predictions_path(dataset.id)], _metadata(run, simulated)) as writer:
        writer.write(table)
    write_json(run.metrics_path(dataset.id), result)
    report(len(rows), len(rows), f"Judged {len(rows):,} spectra.")
    return result


def judge_again(
    run: RunFolder,
    dataset: DatasetFolder,
    estimate: pdf.Estimate,
    priors: dict[str, NDArray],
    report: Report = lambda *_: None,
) -> dict[str, Any]:
    """The stored judgement with another point or prior; nothing is written.

    Returns
    -------
    dict
        As of `evaluate_run`, and ``estimate``, its text.
    """
    paths = run.predictions_path(dataset.id), run.pdf_path(dataset.id)
    stored = read_json(run.metrics_path(dataset.id))
    table = pd.read_parquet(paths[0])
    density = open_densities(paths[1], len(table))
    z_phot = estimate.redshifts(density, priors)
    judged = evaluate_pdf(
        density,
        table.z_spec,
        z_phot,
        table.brightness,
        _drawing(report),
        lambda block: estimate.densities(block, priors),
    )
    figures = _figures(table.z_spec, z_phot, report)
    return {**stored, **figures, "pdf": judged, "estimate": estimate.text()}


def evaluate_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if not the run's own, ``dataset`` → run, dataset, metrics.

    With an ``estimate`` (text of a `pdf.Estimate`), and perhaps ``prior_file``, the metrics are
    those of `judge_again`; what is stored are the run's own all the same.
    """
    run = context.store.run(context.request["run"])
    dataset = context.store.dataset(context.request.get("dataset") or run.config.dataset)
    estimate, priors = _asked_estimate(run, context.request)
    report = _stoppable(context)
    try:
        metrics = evaluate_run(run, dataset, report)
        if estimate != pdf.Estimate():
            metrics = judge_again(run, dataset, estimate, priors, report)
    except _Stop:
        return {"run": run.id, "dataset": dataset.id, "stopped": True}
    return {"run": run.id, "dataset": dataset.id, "metrics": metrics}


def predict_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``file``, ``out``, ``columns`` → rows, flagged per flag, out, files.

    Without ``out`` the table goes into the job's output folder, as CSV and as Parquet. With a PDF
    head ``estimate`` and ``prior_file`` choose the point and the prior, and ``pdf`` names a file
    for the densities under it, an npy of float16 (n, 240) in 1/z.
    """
    request = context.request
    run, source = context.store.run(request["run"]), Path(request["file"])
    if request.get("out"):
        files = [check_out(Path(request["out"]), source)]
    else:
        context.folder.output.mkdir(exist_ok=True)
        files = [context.folder.output / f"predictions{kind}" for kind in (".csv", ".parquet")]
    coverage = _coverage(run)
    estimate, priors = _asked_estimate(run, request)
    densities = _density_file(request, source)
    blocks = data.read_blocks(source, request.get("columns"))
    simulated = bool(run.trained_on.get("simulated"))
    report, n_rows, flagged = _stoppable(context), 0, dict.fromkeys(FLAGS, 0)
    about = _metadata(run, simulated, estimate)
    reader = None
    try:
        with TableWriter(files, about) as writer, densities as density_writer:
            for block in blocks:  # after the first the model is loaded: a bad file fails at once
                reader = reader or Reader(_load(run), coverage, estimate, priors)
                columns, flags, density = reader.read(block.flux)
                table = {"row": block.row, "source_id": block.source_id}
                table |= {name: values.round(DECIMALS) for name, values in columns.items()}
                writer.write(pd.DataFrame({**table, "flags": flag_text(flags)}))
                if density_writer:
                    density_writer.write(density)
                n_rows += len(block.flux)
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


@dataclass(frozen=True)
class Reader:
    """Reads redshifts and flags off spectra, block by block."""

    predict: Predictor
    coverage: Coverage
    estimate: pdf.Estimate = pdf.Estimate()
    priors: dict[str, NDArray] = field(default_factory=dict)

    def read(
        self, flux: NDArray[np.floating]
    ) -> tuple[dict[str, NDArray], dict[str, NDArray[np.bool_]], NDArray[np.float32] | None]:
        """Columns z_phot, z_low68 …; flags by ``FLAGS``; p(z) under the prior asked for, or None.

        Parameters
        ----------
        flux : array, shape (n_sources, 186)
        """
        z_phot, density = self.predict(flux)
        columns = {"z_phot": z_phot}
        if density is not None:
            density = self.estimate.densities(density, self.priors)
            columns["z_phot"] = pdf.point(density, self.estimate.point)
            for level in LEVELS:
                ends = pdf.interval(density, level / 100)
                columns |= {f"z_low{level}": ends[:, 0], f"z_high{level}": ends[:, 1]}
        flags = _flags(columns["z_phot"], self.coverage.outside(flux))
        return columns, {**flags, **density_flags(columns["z_phot"], density, flux)}, density


def _judged_table(
    opened: data.Dataset,
    rows: NDArray[np.int64],
    columns: dict[str, NDArray],
    flags: dict[str, NDArray[np.bool_]],
) -> pd.DataFrame:
    """Lines of ``predictions.parquet``, and the column ``outside`` for counting."""
    known = {name: (np.asarray(opened.flags)[rows] & bit) > 0 for name, bit in data.FLAGS.items()}
    table = {
        "row": rows,
        "source_id": np.asarray(opened.source_id)[rows],
        "z_spec": np.asarray(opened.z_spec)[rows],
        **columns,
        "brightness": np.asarray(opened.brightness)[rows],
        "flags": flag_text({**flags, **known}),
        "outside": flags["outside_training_range"],
    }
    return pd.DataFrame(table)


def _figures(z_spec: pd.Series, z_phot: NDArray, report: Report) -> dict[str, Any]:
    judged = finite_pairs(z_spec, z_phot)
    return {**evaluate(*judged), **bootstrap(*judged, report=_drawing(report))}


def _drawing(report: Report) -> Callable[[int, int], None]:
    return lambda done, n: report(done, n, "Drawing the galaxies again for the intervals.")


def _asked_estimate(
    run: RunFolder, request: dict[str, Any]
) -> tuple[pdf.Estimate, dict[str, NDArray]]:
    """Point and prior of a request, and the priors there are: the run's, the user's."""
    estimate = pdf.Estimate.parse(request.get("estimate") or "")
    wanted = estimate != pdf.Estimate() or request.get("prior_file") or request.get("pdf")
    if wanted and run.config.model.head != "pdf":
        raise InputError(
            f"Run {run.id} gives one redshift for each spectrum and no p(z), so no point, prior or "
            "densities can be chosen; train one with head = pdf, such as the preset best."
        )
    priors = load_arrays(run.prior_path) if run.prior_path.exists() else {}
    if request.get("prior_file"):
        priors[estimate.prior] = pdf.read_prior(Path(request["prior_file"]))
    estimate.weight(priors)  # names that are not known are refused here
    return estimate, priors


def _density_file(request: dict[str, Any], source: Path) -> RowWriter | nullcontext[None]:
    if not request.get("pdf"):
        return nullcontext()
    return RowWriter(check_out(Path(request["pdf"]), source, (".npy",)), N_Z_BINS, STORED)


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
    return Coverage.load(run.coverage_path)


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


def _metadata(
    run: RunFolder, simulated: bool, estimate: pdf.Estimate | None = None
) -> dict[bytes, bytes]:
    """Where a Parquet table of predictions comes from, for its schema metadata."""
    about: dict[str, Any] = {"run": run.id, "SIMULATED spectra": simulated}
    if estimate is not None and run.config.model.head == "pdf":
        about["estimate"] = estimate.describe()
    return {b"redshift_lab_predictions": json.dumps(about).encode()}


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
