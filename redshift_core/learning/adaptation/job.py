"""The job that adapts a run: it moves the dataset of the run, and trains a new run on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core import data, jobs
from redshift_core.data.fingerprint import Fingerprint
from redshift_core.data.split import Split, new_split
from redshift_core.errors import InputError
from redshift_core.learning.adaptation.survey import Report, write_adapted
from redshift_core.learning.adaptation.transport import LEAST_SIGNAL, Adaptation, Moments
from redshift_core.learning.training.prepare import open_for
from redshift_core.settings.adapt import LEAST
from redshift_core.settings.run import RunConfig
from redshift_core.settings.selection import OPEN, Selection
from redshift_core.store import JobContext, RunFolder, Stopped, Store
from redshift_core.store.base import ADAPT, is_base

BLOCK_ROWS = 8192  # spectra read at a time


def adapt_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``name``, and ``file`` (with ``columns``) or ``dataset`` of the target.

    Writes a copy of the run's dataset whose spectra have the mean and covariance of the target's,
    and starts a run with the same settings on it.

    Returns
    -------
    dict with ``dataset`` and ``run`` (ids), ``target`` (its name), ``n_target`` (its spectra);
    ``{"stopped": True}`` after a stop
    """
    request = context.request
    run = context.store.run(request["run"])
    source, report = _source(run, context.store), context.report_or_stop
    try:
        target, about = _target(context, report)
        adaptation = Adaptation.fit(_source_moments(run, source, report), target)
        name = f"{source.name} adapted to {about['name']}"
        origin = {"run": run.id, "target": about}
        folder = write_adapted(context.store, source, adaptation, name, origin, report)
    except Stopped:
        return {"stopped": True}
    new = _start(context, run, folder.id, about)
    return {"dataset": folder.id, "run": new.id, "target": about["name"], "n_target": target.n}


def _source(run: RunFolder, store: Store) -> data.Dataset:
    """Dataset of a run that can be adapted; InputError if it cannot."""
    config: RunConfig = run.config
    if is_base(run):
        raise InputError(
            f"{run.id} is the base network that comes with Redshift Lab, without the SIMULATED "
            f"spectra it learned on, so those cannot be moved. {ADAPT} Without redshifts, simulate "
            "a survey, train a run on it, and adapt that."
        )
    if Selection.parse(config.split.selection).brightness != OPEN:
        raise InputError(
            f"Run {run.id} was trained only on galaxies with {config.split.selection!r}. Adapting "
            "changes brightness, so other galaxies would meet that limit; adapt a run that was "
            "trained without a limit on brightness."
        )
    return open_for(run, store, config.dataset)


def _source_moments(run: RunFolder, source: data.Dataset, report: Report) -> Moments:
    """Moments of the run's training rows."""
    known = run.split_path.exists()
    split = Split.load(run.split_path) if known else new_split(run.config.split, source)
    rows = np.sort(split.train)
    moments = Moments.measure(_rows(source.flux, rows, report, "Reading the training spectra."))
    _check(moments, f"The training part of {source.name}")
    return moments


def _target(context: JobContext, report: Report) -> tuple[Moments, dict[str, Any]]:
    """Moments of the target spectra, and the facts about them for ``dataset.json``."""
    request = context.request
    with ExitStack() as stack:
        if request.get("dataset"):
            target = data.open_dataset(context.store.dataset(request["dataset"]))
            name, sha256 = target.name, target.info["sha256"]
            rows = np.arange(len(target))
            moments = Moments.measure(_rows(target.flux, rows, report, f"Reading {name}."))
        else:
            path = Path(request["file"])
            if not path.exists():
                raise InputError(f"The file {path} no longer exists; choose the spectra again.")
            hashing = stack.enter_context(Fingerprint(path))
            moments = Moments.measure(_blocks(path, request.get("columns"), report))
            name, sha256 = path.name, hashing.result()
    _check(moments, name)
    return moments, {"name": name, "sha256": sha256, "n": moments.n}


def _check(moments: Moments, what: str) -> None:
    if moments.n < LEAST:
        raise InputError(
            f"{what} has {moments.n:,} spectra whose mean flux is at least {LEAST_SIGNAL:g} times "
            f"the scatter of their pixels; adapting needs {LEAST:,} or more to know their mean and "
            "covariance. Give a larger sample of the same kind of spectra."
        )


def _rows(
    flux: NDArray[np.float32], rows: NDArray[np.int64], report: Report, message: str
) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(rows), BLOCK_ROWS):
        report(start, len(rows), message)
        yield flux[rows[start : start + BLOCK_ROWS]]


def _blocks(
    path: Path, columns: dict[str, str] | str | None, report: Report
) -> Iterator[NDArray[np.float32]]:
    n = 0
    for block in data.read_blocks(path, columns, BLOCK_ROWS, needs_z=False):
        yield block.flux
        n += len(block)
        report(n, 0, f"Read {n:,} spectra of {path.name}.")


def _start(context: JobContext, run: RunFolder, dataset: str, about: dict[str, Any]) -> RunFolder:
    """Start the run on the moved spectra, with a note that explains it.

    One that was fine-tuned is what the new run starts from: without its start, its few galaxies
    would not train a network.
    """
    name = context.request.get("name") or f"{run.name} adapted to {about['name']}"
    start_from = run.id if run.config.start_from else ""
    config = dataclasses.replace(run.config, dataset=dataset, start_from=start_from)
    new = jobs.start_training(context.store, config, name[:80])
    new.update_info(
        note=f"This is run {run.id}, trained again after its spectra were given the mean and "
        f"covariance of {about['n']:,} spectra of {about['name']}. It applies to those spectra if "
        "the redshifts of both are distributed alike. Its test figures are for moved spectra."
    )
    return new
