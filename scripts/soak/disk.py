"""Full disks: every kind of job on a small file system, with 0 to 12 MB left; root is needed.

A job survives that finishes, or that says in one sentence that the disk is full; nothing
half-written may be left. A training must then go on to its end once there is room.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import Parameter
from redshift_core.store import DatasetFolder, JobFolder, RunFolder, Store
from scripts.soak import Outcome, Trial
from scripts.soak.faults import (
    Count,
    end,
    hidden,
    open_store,
    small_dataset,
    small_training,
    survey,
)

DISK = 400_000_000  # bytes; the simulator's table takes most of them
LEFT = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 4.0, 8.0, 12.0)  # MB

Begin = Callable[[Store, DatasetFolder, Path], JobFolder]


def _train(store: Store, dataset: DatasetFolder, disk: Path) -> JobFolder:
    return jobs.start_training(store, small_training(dataset.id, 3), "full")


def _search(store: Store, dataset: DatasetFolder, disk: Path) -> JobFolder:
    space = (Parameter("dense_units", "int", low=4, high=16, step=2, log=True),)
    base, usual = small_training(dataset.id), {"algorithm": "random", "trials": 2, "epochs": 2}
    return jobs.start_tuning(store, TuningConfig(dataset.id, base, space=space, **usual), "full")  # type: ignore[arg-type]


def _ingest(store: Store, dataset: DatasetFolder, disk: Path) -> JobFolder:
    file = survey(disk.parent / "larger.parquet", 12_000)
    return jobs.start(store, "ingest", file=str(file), name="larger")


def _predict(store: Store, dataset: DatasetFolder, disk: Path) -> JobFolder:
    file = survey(disk.parent / "larger.parquet", 60_000)
    return jobs.start(
        store, "predict", run=store.run("base").id, file=str(file), out=str(disk / "z.csv")
    )


def _evaluate(store: Store, dataset: DatasetFolder, disk: Path) -> JobFolder:
    return jobs.start(store, "evaluate", run=store.run("base").id, dataset=dataset.id)


def _simulate(store: Store, dataset: DatasetFolder, disk: Path) -> JobFolder:
    return jobs.start(store, "simulate", n=4000, seed=3)


def _attempt(store: Store, dataset: DatasetFolder, disk: Path, begin: Begin, left: float) -> str:
    """Begin a job with so many MB left, and see how it ends; what was lost, or nothing."""
    before = _folders(store)
    _fill(disk, int(left * 1e6))
    try:
        job = begin(store, dataset, disk)
    except InputError as error:
        said, job = str(error), None
        if _folders(store) != before:
            return "a job that could not be begun has left its folder"
    else:
        now = end(job)
        said = "" if now.state == "finished" else now.message
        if now.state not in ("finished", "failed"):
            return f"{now.state}: {now.message}"
    if said and not ("is full" in said and str(disk) in said):
        return said
    if parts := hidden(disk):
        return f"left {parts[0]}"
    if isinstance(job, RunFolder) and said:
        (disk / "filler").unlink()
        if (now := end(jobs.resume(job))).state != "finished":
            return f"resumed: {now.message}"
    return ""


def _trial(what: str, begin: Begin, scratch: Path) -> Outcome:
    if os.geteuid():
        return Outcome(what, 0, 0, 0, "only root may mount a small file system")
    count = Count()
    with _small_disk(scratch / "disk") as disk:
        store = open_store(disk / "home")
        dataset, _ = small_dataset(store, scratch), store.run("base")
        if begin is _simulate:
            end(begin(store, dataset, disk))  # makes the simulator's table
        for left in LEFT:
            count.add(f"{left} MB", partial(_attempt, store, dataset, disk, begin, left))
            (disk / "filler").unlink(missing_ok=True)
            for one in (*store.runs(), *store.tunings(), *store.jobs()):
                if one.id != store.run("base").id:
                    one.delete()
            for other in store.datasets():
                if other.id != dataset.id:
                    other.delete()
    return Outcome(what, count.tried, count.survived, len(count.why), count.note)


def _folders(store: Store) -> set[Path]:
    return {path for part in ("runs", "tuning", "jobs") for path in (store.root / part).glob("*")}


def _fill(disk: Path, left: int) -> None:
    """Leave so many bytes of a disk free."""
    n_bytes = max(0, shutil.disk_usage(disk).free - left)
    with (disk / "filler").open("wb") as file:
        while n_bytes > 0:
            n_bytes -= file.write(bytes(min(n_bytes, 1_000_000)))


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


KINDS: dict[str, Begin] = {
    "Training": _train, "Search": _search, "Reading a file": _ingest, "Prediction": _predict,
    "Evaluation": _evaluate, "Simulation": _simulate,
}  # fmt: skip


def _named(what: str, begin: Begin) -> Trial:
    def trial(scratch: Path) -> Outcome:
        return _trial(f"{what} on a disk with 0 to 12 MB left", begin, scratch)

    trial.__name__ = what
    return trial


TRIALS = tuple(_named(what, begin) for what, begin in KINDS.items())
