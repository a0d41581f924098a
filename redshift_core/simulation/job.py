"""The job that makes a simulated survey and ingests it into the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from redshift_core.data import ingest
from redshift_core.errors import InputError
from redshift_core.simulation.files import write_survey
from redshift_core.store import DatasetFolder, JobContext, Stopped, Store

DISK_BYTES = 1_450  # bytes per galaxy while a survey is made: file 663, flux 744, catalogue 25
INGEST_SHARE = 0.3  # share of the progress bar for ingesting the file


def simulate_job(context: JobContext) -> dict[str, Any]:
    """Simulate a survey and ingest it.

    Request keys: ``n``, ``seed``, ``redshifts`` (published or flat), ``name`` (of the dataset).

    Returns
    -------
    dict with ``dataset`` (id), ``rows``, ``flagged``; ``{"stopped": True}`` after a stop
    """
    request = context.request
    n, seed = _whole(request, "n", 5000), _whole(request, "seed", 1)
    redshifts = request.get("redshifts") or "published"
    context.folder.output.mkdir(exist_ok=True)
    path = context.folder.output / f"simulated-n{n}-seed{seed}-{redshifts}.parquet"

    def report(share: float, message: str) -> None:
        context.report_or_stop(share, 1.0, message)

    name = request.get("name") or f"simulated {n:,} (seed {seed}, {redshifts})"
    try:
        dataset = survey_dataset(
            context.store, path, n, seed, redshifts,
            name=name, cache=context.store.cache, report=report,
        )  # fmt: skip
    except Stopped:
        return {"stopped": True}
    info = dataset.info
    return {"dataset": dataset.id, "rows": info["n_rows"], "flagged": info["flagged"]}


def survey_dataset(
    store: Store,
    path: Path,
    n: int,
    seed: int,
    redshifts: str = "published",
    *,
    name: str,
    cache: Path,
    report: Callable[[float, str], None],
) -> DatasetFolder:
    """Simulate a survey and ingest it into a store.

    Parameters
    ----------
    path : path
        Parquet file that holds the survey until it is ingested; it is then removed.
    name : str
        Name of the dataset.
    cache : path
        Folder of the simulator's table.
    report : callable
        Called with the share done and a message; an exception from it ends the work.
    """

    def simulated(done: int, total: int, message: str) -> None:
        report(done / total * (1 - INGEST_SHARE), message)

    def ingested(done: float, total: float, message: str) -> None:
        share = done / total if total else 0.0
        report(1 - INGEST_SHARE * (1 - share), message)

    try:
        write_survey(path, n, seed, redshifts, report=simulated, cache=cache)
        return ingest(path, store, name=name, report=ingested)
    finally:
        path.unlink(missing_ok=True)  # the dataset now holds everything


def _whole(request: dict[str, Any], key: str, default: int) -> int:
    value = request.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{key} = {value!r} is not a whole number.")
    return value
