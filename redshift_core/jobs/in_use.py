"""May this be deleted? Not while a job works on it: one rule for the pages and the command."""

from __future__ import annotations

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.store import (
    BenchFolder,
    DatasetFolder,
    Folder,
    JobFolder,
    RunFolder,
    Store,
    TuningFolder,
    read_json,
)


def delete(store: Store, folder: Folder) -> None:
    """Delete a dataset, a run, a search, a study, a bench or a job; InputError while it is used.

    No job can be submitted in the folder meanwhile; what is gone already stays so.
    """
    with folder.lock():
        refuse_while_used(store, folder)
        if folder.path.exists():
            folder.delete()


def refuse_while_used(store: Store, folder: Folder) -> None:
    """InputError that names the job which works on a folder, where one does."""
    for job, _ in jobs.at_work(store, recent=None):
        if job.path == folder.path or folder.id in used_by(store, job):
            raise InputError(
                f"{folder.id} cannot be deleted while {job.id} works on it; stop that first."
            )


def trained_on(store: Store, dataset: DatasetFolder) -> list[RunFolder | TuningFolder]:
    """Runs and searches that were made on a dataset; without it they cannot go on."""
    return [job for job in (*store.runs(), *store.tunings()) if _dataset_of(job) == dataset.id]


def used_by(store: Store, job: JobFolder) -> set[str]:
    """Ids of the datasets and the runs that a job works on, if it is at work."""
    request = job.request
    used = {request.get("run"), request.get("dataset"), *request.get("against", [])}
    if isinstance(job, BenchFolder):
        used |= {job.row(path.stem).get("run") for path in (job.path / "rows").glob("*.json")}
        used.add(read_json(job.environment_path).get("dataset", {}).get("id"))
    if request.get("kind") != "predict":  # others open the dataset of the run they are given
        runs = [RunFolder(store.root / "runs" / str(request.get("run"))), job]
        used |= {_dataset_of(run) for run in runs}
    return {str(name) for name in used if name}


def _dataset_of(job: JobFolder) -> str:
    """Dataset that the settings of a run, a search or a bench name; empty where none does."""
    try:
        return read_json(job.path / "config.json").get("dataset", "")
    except (AttributeError, ValueError):  # a configuration that cannot be read
        return ""
