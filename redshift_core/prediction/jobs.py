"""The jobs that judge a run, judge it on perturbed spectra, and predict a file of spectra."""

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
from redshift_core.prediction.columns import COLUMNS
from redshift_core.prediction.judgement import STORED, evaluate_run, judge_again, metadata
from redshift_core.prediction.reader import flag_text, open_coverage, open_reader
from redshift_core.prediction.stress import stress_run
from redshift_core.settings.names import USUAL_ENDINGS
from redshift_core.store import DatasetFolder, JobContext, RunFolder, Stopped, simulator_version
from redshift_core.store.arrays import RowWriter
from redshift_core.store.tables import check_out
from redshift_core.store.writers import TableWriter

DECIMALS = 7  # decimals of an exported redshift, as many as the float32 of the network holds


def evaluate_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if not the run's own, ``dataset`` → run, dataset, metrics.

    With an ``estimate`` (text of a `pdf.Estimate`) and an optional ``prior_file``, the metrics are
    those of `judge_again`; the stored metrics remain those of the run's own estimate.
    """
    run, dataset = _run_and_dataset(context)
    estimate, priors = _asked_estimate(run, context.request)
    report = context.report_or_stop
    try:
        metrics = evaluate_run(run, dataset, report)
        if estimate != pdf.USUAL:
            metrics = judge_again(run, dataset, estimate, priors, report)
    except Stopped:
        return {"run": run.id, "dataset": dataset.id, "stopped": True}
    return {"run": run.id, "dataset": dataset.id, "metrics": metrics.to_dict()}


def stress_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if not the run's own, ``dataset`` → the result of `stress_run`."""
    run, dataset = _run_and_dataset(context)
    try:
        return stress_run(run, dataset, context.report_or_stop).to_dict()
    except Stopped:
        return {"run": run.id, "dataset": dataset.id, "stopped": True}


def _run_and_dataset(context: JobContext) -> tuple[RunFolder, DatasetFolder]:
    run = context.store.run(context.request["run"])
    return run, context.store.dataset(context.request.get("dataset") or run.config.dataset)


def predict_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``file``, ``out``, ``columns`` → rows, flagged per flag, verdict, out, files.

    Without ``out`` the table goes into the job's output folder in every written format. With a PDF
    head ``estimate`` and ``prior_file`` choose the point and the prior, and ``pdf`` names a file
    for the densities under it, an npy of float16 (n, 240) in 1/z; true puts it among the output.
    """
    request = context.request
    run, source = context.store.run(request["run"]), Path(request["file"])
    if request.get("out"):
        files = [check_out(Path(request["out"]), source)]
    else:
        context.folder.output.mkdir(exist_ok=True)
        files = [context.folder.output / f"predictions{kind}" for kind in USUAL_ENDINGS]
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
        with TableWriter(files, about, COLUMNS) as writer, densities as density_writer:
            for block in blocks:  # a bad file fails before the model is loaded
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
    """Point and prior of a request, and the available priors of the run and the user."""
    estimate, file = pdf.Estimate.asked_of(request), request.get("prior_file")
    if (estimate != pdf.USUAL or file or request.get("pdf")) and run.config.model.head != "pdf":
        raise InputError(
            f"Run {run.id} gives one redshift for each spectrum and no p(z), so no point, prior or "
            "densities can be chosen; train one with head = pdf, such as the preset best."
        )
    priors = read_priors(run, estimate, Path(file) if file else None)
    estimate.weight(priors)  # refuses unknown names
    return estimate, priors


def _density_path(context: JobContext, source: Path) -> Path | None:
    """File for the densities, if the request asks for them."""
    asked = context.request.get("pdf")
    if not asked:
        return None
    if asked is True:
        context.folder.output.mkdir(exist_ok=True)
        return context.folder.output / "densities.npy"
    return check_out(Path(asked), source, (".npy",))
