"""Jobs of the worker: a run judged, also under perturbations; a file of spectra given redshifts."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from redshift_core import data, pdf
from redshift_core.constants import N_Z_BINS
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import read_priors
from redshift_core.evaluation.training_range import FLAGS
from redshift_core.evaluation.verdict import Tally
from redshift_core.prediction.judgement import STORED, evaluate_run, judge_again, metadata
from redshift_core.prediction.reader import flag_text, open_coverage, open_reader
from redshift_core.prediction.stress import stress_run
from redshift_core.store import JobContext, RunFolder, Stopped, simulator_version
from redshift_core.store.arrays import RowWriter
from redshift_core.store.tables import TableWriter, check_out

DECIMALS = 7  # of an exported redshift: as many as the network's float32 holds


def evaluate_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if not the run's own, ``dataset`` → run, dataset, metrics.

    With an ``estimate`` (text of a `pdf.Estimate`), and perhaps ``prior_file``, the metrics are
    those of `judge_again`; what is stored are the run's own all the same.
    """
    run = context.store.run(context.request["run"])
    dataset = context.store.dataset(context.request.get("dataset") or run.config.dataset)
    estimate, priors = _asked_estimate(run, context.request)
    report = context.report_or_stop
    try:
        metrics = evaluate_run(run, dataset, report)
        if estimate != pdf.USUAL:
            metrics = judge_again(run, dataset, estimate, priors, report)
    except Stopped:
        return {"run": run.id, "dataset": dataset.id, "stopped": True}
    return {"run": run.id, "dataset": dataset.id, "metrics": metrics}


def stress_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if not the run's own, ``dataset`` → what `stress_run` says."""
    run = context.store.run(context.request["run"])
    dataset = context.store.dataset(context.request.get("dataset") or run.config.dataset)
    try:
        return stress_run(run, dataset, context.report_or_stop)
    except Stopped:
        return {"run": run.id, "dataset": dataset.id, "stopped": True}


def predict_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``file``, ``out``, ``columns`` → rows, flagged per flag, verdict, out, files.

    Without ``out`` the table goes into the job's output folder, as CSV and as Parquet. With a PDF
    head ``estimate`` and ``prior_file`` choose the point and the prior, and ``pdf`` names a file
    for the densities under it, an npy of float16 (n, 240) in 1/z; true puts it among the output.
    """
    request = context.request
    run, source = context.store.run(request["run"]), Path(request["file"])
    if request.get("out"):
        files = [check_out(Path(request["out"]), source)]
    else:
        context.folder.output.mkdir(exist_ok=True)
        files = [context.folder.output / f"predictions{kind}" for kind in (".csv", ".parquet")]
    coverage = open_coverage(run)
    estimate, priors = _asked_estimate(run, request)
    path = _density_path(context, source)
    densities = RowWriter(path, N_Z_BINS, STORED) if path else nullcontext()
    blocks = data.read_blocks(source, request.get("columns"))
    simulated = bool(simulator_version.trained_on(run, context.store).get("simulated"))
    report, n_rows, flagged = context.report_or_stop, 0, dict.fromkeys(FLAGS, 0)
    about = metadata(run, simulated, estimate)
    reader, tally = None, Tally(coverage)
    try:
        with TableWriter(files, about) as writer, densities as density_writer:
            for block in blocks:  # after the first the model is loaded: a bad file fails at once
                reader = reader or open_reader(run, coverage, estimate, priors)
                columns, flags, density = reader.read(block.flux, tally)
                table = {"row": block.row, "source_id": block.source_id}
                table |= {name: values.round(DECIMALS) for name, values in columns.items()}
                writer.write(pd.DataFrame({**table, "flags": flag_text(flags)}))
                if density_writer:
                    density_writer.write(density)
                n_rows += len(block.flux)
                flagged = {name: flagged[name] + int(flags[name].sum()) for name in FLAGS}
                report(n_rows, 0, f"Predicted {n_rows:,} spectra.")
    except Stopped:
        return {"stopped": True, "rows": 0, "flagged": {}, "out": None, "files": []}
    names = [str(path) for path in (*files, path) if path]
    return {
        "rows": n_rows,
        "flagged": flagged,
        "verdict": tally.verdict().to_dict(),
        "out": names[0],
        "files": names,
        "simulated": simulated,
    }


def _asked_estimate(
    run: RunFolder, request: dict[str, Any]
) -> tuple[pdf.Estimate, dict[str, NDArray]]:
    """Point and prior of a request, and the priors there are: the run's, the user's."""
    estimate, file = pdf.Estimate.asked_of(request), request.get("prior_file")
    if (estimate != pdf.USUAL or file or request.get("pdf")) and run.config.model.head != "pdf":
        raise InputError(
            f"Run {run.id} gives one redshift for each spectrum and no p(z), so no point, prior or "
            "densities can be chosen; train one with head = pdf, such as the preset best."
        )
    priors = read_priors(run, estimate, Path(file) if file else None)
    estimate.weight(priors)  # names that are not known are refused here
    return estimate, priors


def _density_path(context: JobContext, source: Path) -> Path | None:
    """Where the densities go, if they are asked for."""
    asked = context.request.get("pdf")
    if not asked:
        return None
    if asked is True:
        context.folder.output.mkdir(exist_ok=True)
        return context.folder.output / "densities.npy"
    return check_out(Path(asked), source, (".npy",))
