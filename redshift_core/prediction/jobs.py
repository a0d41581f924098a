"""The jobs that judge a run, judge it on perturbed spectra, and predict a file of spectra."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from redshift_core import data, pdf
from redshift_core.constants import N_Z_BINS, counted
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import read_priors
from redshift_core.evaluation.spread import known_spread
from redshift_core.evaluation.training_range import FLAGS
from redshift_core.evaluation.verdict import Tally
from redshift_core.jobs.machine import n_threads
from redshift_core.prediction.columns import COLUMNS, prediction_table
from redshift_core.prediction.ids import SeenIds
from redshift_core.prediction.judgement import STORED, evaluate_run, judge_again, metadata
from redshift_core.prediction.labels import labelled, recalibrated
from redshift_core.prediction.reader import Reader, open_coverage, open_reader
from redshift_core.prediction.stress import stress_run
from redshift_core.settings.names import USUAL_ENDINGS
from redshift_core.store import (
    DatasetFolder,
    JobContext,
    RunFolder,
    Stopped,
    origin,
    simulator_version,
)
from redshift_core.store.arrays import RowWriter
from redshift_core.store.tables import check_out
from redshift_core.store.writers import TableWriter


def evaluate_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if not the run's own, ``dataset`` → run, dataset, metrics.

    With an ``estimate`` (text of a `pdf.Estimate`) and an optional ``prior_file``, the metrics are
    those of `judge_again`; the stored metrics remain those of the run's own estimate.
    """
    run, dataset = _run_and_dataset(context)
    estimate, priors = asked_estimate(run, context.request)
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
    """Job: ``run``, ``file``, ``out``, ``columns`` → rows, flagged, source_ids, verdict, files ….

    Without ``out`` the table goes into the job's output folder in every written format. With a PDF
    head ``estimate`` and ``prior_file`` choose the point and the prior, and ``pdf`` names a file
    for the densities under it, an npy of float16 (n, 240) in 1/z; true puts it among the output.
    ``dataset`` or ``labels`` names galaxies to which the intervals are fitted, see `recalibrated`.
    """
    request = context.request
    run, source = context.store.run(request["run"]), Path(request["file"])
    files = _tables(context, source)
    coverage = open_coverage(run)
    estimate, priors = asked_estimate(run, request)
    path = _density_path(context, source)
    blocks = data.read_blocks(source, request.get("columns"), needs_z=False)
    simulated = bool(simulator_version.trained_on(run, context.store).get("simulated"))
    simulated = simulated or origin.learned_on_simulated(run)
    seen = _Seen(Tally(coverage))
    try:
        first = next(blocks)  # a bad file fails before the model is loaded
        reader, fitted = open_reader(run, coverage, estimate, priors), {}
        if fits_intervals(request):
            reader, fitted = recalibrated(reader, run, context)
        about = metadata(run, simulated, estimate, fitted)
        densities = RowWriter(path, N_Z_BINS, STORED) if path else nullcontext()
        with TableWriter(files, about, COLUMNS) as writer, densities as density_writer:
            for block, answer, tally in read_ahead(reader, chain([first], blocks)):
                columns, flags, density = answer
                writer.write(prediction_table(block, columns, flags))
                if density_writer:
                    density_writer.write(density)
                seen.add(block, flags, tally)
                context.report_or_stop(seen.rows, 0, f"Predicted {counted(seen.rows, 'spectrum')}.")
    except Stopped:
        return {"stopped": True, "rows": 0, "flagged": {}, "out": None, "files": []}
    names = [str(path) for path in (*files, path) if path]
    training = known_spread(run, context.store, coverage)
    result = {**seen.result(training), "out": names[0], "files": names}
    more = {"recalibration": fitted} if fitted else {}
    return {**result, "simulated": simulated, **more}


def read_ahead(
    reader: Reader, blocks: Iterable[data.Spectra]
) -> Iterator[tuple[data.Spectra, Any, Tally]]:
    """Each block, what `Reader.read` says of it, and its tally, in the order of the file.

    As many blocks are computed side by side as there are threads, while the next is read. Memory
    grows with the number of threads and not with the file.
    """

    def ended() -> tuple[data.Spectra, Any, Tally]:
        block, tally, answer = pending.popleft()
        return block, answer.result(), tally

    threads = n_threads()
    pending: deque[tuple[data.Spectra, Tally, Future[Any]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for block in blocks:
            tally = Tally(reader.coverage)
            pending.append((block, tally, pool.submit(reader.read, block.flux, tally)))
            if len(pending) > threads:
                yield ended()
        while pending:
            yield ended()


@dataclass
class _Seen:
    """What is counted of a file as it is predicted."""

    tally: Tally
    rows: int = 0
    n_labelled: int = 0  # with a redshift of their own and usable flux
    flagged: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FLAGS, 0))
    ids: SeenIds = field(default_factory=SeenIds)

    def add(self, block: data.Spectra, flags: dict[str, NDArray], tally: Tally) -> None:
        """Count a block that was predicted."""
        self.tally.merge(tally)
        self.rows += len(block)
        self.ids.add(block)
        self.n_labelled += int(labelled(block).sum())
        self.flagged = {name: n + int(flags[name].sum()) for name, n in self.flagged.items()}

    def result(self, training: dict[str, Any] | None) -> dict[str, Any]:
        """Its part of the job's result, beside the quantiles of the training spectra."""
        return {
            "rows": self.rows,
            "flagged": self.flagged,
            "verdict": self.tally.verdict().to_dict(),
            "n_labelled": self.n_labelled,
            "source_ids": self.ids.result(),
            "spectra": {"file": self.tally.spread.quantiles(), "training": training},
        }


def fits_intervals(request: dict[str, Any]) -> bool:
    """Whether a request names galaxies with known redshifts."""
    return bool(request.get("dataset") or request.get("labels"))


def asked_estimate(
    run: RunFolder, request: dict[str, Any]
) -> tuple[pdf.Estimate, dict[str, NDArray]]:
    """Point and prior of a request, and the available priors of the run and the user."""
    estimate, file = pdf.Estimate.asked_of(request), request.get("prior_file")
    wishes = estimate != pdf.USUAL or file or request.get("pdf")
    if request["kind"] != "evaluate":
        wishes = wishes or fits_intervals(request)
    if wishes and run.config.model.head != "pdf":
        raise InputError(
            f"Run {run.id} gives one redshift for each spectrum and no p(z), so no point, prior, "
            "densities or intervals can be chosen; train one with head = pdf, such as the preset "
            "best."
        )
    priors = read_priors(run, estimate, Path(file) if file else None)
    estimate.weight(priors)  # refuses unknown names
    return estimate, priors


def _tables(context: JobContext, source: Path) -> list[Path]:
    """Files for the redshifts: the one asked for, else one of every written format."""
    if asked := context.request.get("out"):
        return [check_out(Path(asked), source)]
    context.folder.output.mkdir(exist_ok=True)
    return [context.folder.output / f"predictions{kind}" for kind in USUAL_ENDINGS]


def _density_path(context: JobContext, source: Path) -> Path | None:
    """File for the densities, if the request asks for them."""
    asked = context.request.get("pdf")
    if not asked:
        return None
    if asked is True:
        context.folder.output.mkdir(exist_ok=True)
        return context.folder.output / "densities.npy"
    return check_out(Path(asked), source, (".npy",))
