"""The worker's job that makes a simulated survey and reads it into the store."""

from __future__ import annotations

from typing import Any

from redshift_core.data import ingest
from redshift_core.errors import InputError
from redshift_core.runs import JobContext
from redshift_core.simulation.files import write_survey

INGEST_SHARE = 0.3  # of the progress bar, for reading the file into the store


class _Stopped(Exception):  # noqa: N818 - not an error
    """The user asked for a stop."""


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

    def progress(done: int, total: int, message: str) -> None:
        if context.should_stop():
            raise _Stopped
        context.report(done / total * (1 - INGEST_SHARE), 1.0, message)

    def ingest_progress(done: int, total: int, message: str) -> None:
        if context.should_stop():
            raise _Stopped
        share = done / total if total else 0.0
        context.report(1 - INGEST_SHARE * (1 - share), 1.0, message)

    try:
        write_survey(path, n, seed, redshifts, report=progress, cache=context.store.cache)
        name = request.get("name") or f"simulated {n:,} (seed {seed}, {redshifts})"
        dataset = ingest(path, context.store, name=name, report=ingest_progress)
    except _Stopped:
        return {"stopped": True}
    finally:
        path.unlink(missing_ok=True)  # the dataset holds everything
    info = dataset.info
    return {"dataset": dataset.id, "rows": info["n_rows"], "flagged": info["flagged"]}


def _whole(request: dict[str, Any], key: str, default: int) -> int:
    value = request.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{key} = {value!r} is not a whole number.")
    return value
