"""May this be deleted? Not while a job works on it: one rule for the pages and the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from redshift_core.errors import DamagedError, InputError
from redshift_core.jobs.watch import at_work, status
from redshift_core.store import (
    BenchFolder,
    DatasetFolder,
    Folder,
    JobFolder,
    RunFolder,
    Store,
    TuningFolder,
    read_json,
    read_only,
    shapes,
)

JOBS = ("runs", "tuning", "limits", "bench", "jobs")  # folders of the store that hold jobs


def delete(store: Store, folder: Folder) -> None:
    """Delete a dataset, a run, a search, a study, a bench or a job; InputError while it is used.

    No job can be submitted in the folder meanwhile; what is gone already stays so.
    """
    read_only.refuse_writing()
    with folder.lock():
        refuse_while_used(store, folder)
        if folder.path.exists():
            folder.delete()


def refuse_while_used(store: Store, folder: Folder) -> None:
    """InputError that names the job which works on a folder, where one does."""
    working = [job for job, _ in at_work(store, recent=None)]
    damaged = [job for job, _ in store.damaged(*JOBS) if status(job).active]
    for job in [*working, *damaged]:
        if job.path == folder.path or folder.id in used_by(store, job):
            raise InputError(
                f"{folder.id} cannot be deleted while {job.id} works on it; stop that first."
            )


def trained_on(store: Store, dataset: DatasetFolder) -> list[RunFolder | TuningFolder]:
    """Runs and searches that were made on a dataset; without it they cannot go on."""
    return [job for job in (*store.runs(), *store.tunings()) if _dataset_of(job) == dataset.id]


def used_by(store: Store, job: JobFolder) -> set[str]:
    """Ids of the datasets and the runs that a job works on, if it is at work.

    A file that cannot be read names none; what the others name is used all the same.
    """
    request = _read(job.request_path, shapes.check_request)
    used = {request.get("run"), request.get("dataset"), *(request.get("against") or [])}
    trained_on = _read(job.path / "environment.json", shapes.check_environment)
    used.add(trained_on.get("dataset", {}).get("id"))
    if isinstance(job, BenchFolder):
        used |= {_read(path).get("run") for path in (job.path / "rows").glob("*.json")}
    if request.get("kind") not in ("predict", "catalogue"):  # others open the dataset of their run
        runs = [RunFolder(store.root / "runs" / str(request.get("run"))), job]
        used |= {_dataset_of(run) for run in runs}
    return {str(name) for name in used if name}


def _dataset_of(job: JobFolder) -> str:
    """Dataset that the settings of a run, a search or a bench name; empty where none does."""
    return _read(job.path / "config.json").get("dataset", "")


def _read(path: Path, check: Callable[[Path, Any], None] | None = None) -> dict[str, Any]:
    """Content of a JSON file; empty where there is none, or it is damaged."""
    try:
        found = read_json(path)
        if check and found:
            check(path, found)
        return found
    except DamagedError:
        return {}
