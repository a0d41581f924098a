"""Start and resume jobs: child processes that outlive the page and the server.

A job is a folder. The launcher writes ``starting`` under the folder's lock before it spawns the
worker, so of several that submit one job only one does; the worker does the rest.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from redshift_core.errors import DamagedError, InputError
from redshift_core.jobs import extras
from redshift_core.jobs.lost import CHILDREN, forget_ended
from redshift_core.jobs.machine import n_cores, n_threads
from redshift_core.jobs.start_from import copy_start
from redshift_core.jobs.watch import status
from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.fields import Settings
from redshift_core.settings.limit import LimitConfig
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.store import (
    CHECKOUT,
    BenchFolder,
    DatasetFolder,
    JobContext,
    JobFolder,
    LimitFolder,
    LongFolder,
    RunFolder,
    Store,
    TuningFolder,
    read_only,
    write_json,
)
from redshift_core.store.base import ADAPT, is_base
from redshift_core.store.damage import WORDS

LONG_KINDS = ("train", "tune", "limit", "baseline", "speed")  # one at a time, on the device
# Others compute for these, or an archive does.
LEADING_KINDS = ("coordinate", "bench", "scale", "adapt", "fetch")
APPLYING = ("predict", "catalogue", "evaluate", "stress")  # short jobs that compute with a network
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
SEVERAL_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")  # blocks, not matrices, are shared

Study = TypeVar("Study", bound=LongFolder)


def submit(
    folder: JobFolder, request: dict[str, Any], config: dict[str, Any] | None = None
) -> JobFolder:
    """Write a request and start its worker, detached from this process.

    Parameters
    ----------
    config : dict, optional
        What ``config.json`` shall hold from now on, for a run, a search, a study or a bench.

    Raises
    ------
    InputError
        Where the job is active, which all but one see that submit it at the same time.
    FullDiskError
        Where the disk has no room for a job; one that was there stays as it was.
    """
    read_only.refuse_writing()
    with folder.lock():
        if (now := status(folder)).active:
            raise InputError(f"{folder.id} is already {now.state}; stop it first.")
        context = JobContext(folder, Store(folder.path.parent.parent))
        context.keep_room()
        for stale in (folder.stop_path, folder.result_path):
            stale.unlink(missing_ok=True)
        if config is not None:
            write_json(folder.path / "config.json", config)
        write_json(folder.request_path, request)
        context.set_state("starting", kind=request["kind"], submitted=time.time())
    forget_ended()
    with folder.log_path.open("ab") as log:
        CHILDREN[folder.path] = subprocess.Popen(
            [sys.executable, "-m", "redshift_core.jobs.worker", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment(request["kind"], folder.path.parent.parent),
        )
    return folder


def environment(kind: str, root: Path) -> dict[str, str]:
    """Variables of a worker's process; libraries read them only once, when they are loaded.

    Short jobs run beside a long one, so they leave the GPUs to it and all cores but one. Reading a
    large file is worth every core. Applying a network is worth every core too, but one where a
    training or another long job is at work in the store ``root`` now.
    """
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    passive = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait leave others the core
    values = {"TF_CPP_MIN_LOG_LEVEL": "2", **passive, **os.environ, "PYTHONPATH": path}
    values["PYTHONIOENCODING"] = "utf-8:backslashreplace"  # of the log, whatever this process has
    if kind in LONG_KINDS + LEADING_KINDS:
        return values
    values["CUDA_VISIBLE_DEVICES"] = "-1"
    if kind == "ingest":
        return values
    threads = _threads_beside(root) if kind in APPLYING else 1
    several = dict.fromkeys(SEVERAL_THREADS, str(threads))
    return {**values, **dict.fromkeys(ONE_THREAD, "1"), **several}


def _threads_beside(root: Path) -> int:
    """Threads for a short job: one less than there are cores beside a long one, at least one."""
    busy = any(status(job).active for job in Store(root).long_jobs())
    return max(1, min(n_threads(), n_cores() - busy))


def start(store: Store, kind: str, **request: Any) -> JobFolder:
    """Start a job of its own folder: ingest, fetch, simulate, evaluate, predict and others."""
    run = RunFolder(store.root / "runs" / request["run"]) if "run" in request else None
    extras.check(kind, run)
    job = store.new_job(kind)
    with _whole(job):
        return submit(job, {"kind": kind, **request})


def start_training(store: Store, config: RunConfig, name: str = "") -> RunFolder:
    """Make a run folder for a configuration and start training it."""
    extras.check("train")
    dataset = store.dataset(config.dataset)
    config = replace(config, dataset=dataset.id)
    tuned = "tuned-" if config.start_from else ""
    run = store.new_run(name or f"{tuned}{config.preset}-{dataset.name}")
    if config.start_from:
        with _whole(run):
            copy_start(store, run, config, dataset)
    return _start(run, config, name, kind="train")


def start_tuning(
    store: Store, config: TuningConfig, name: str = "", **request: Any
) -> TuningFolder:
    """Make a folder for a search and start it.

    Parameters
    ----------
    request : optional
        ``scheduler``, "tcp://HOST:8786": only coordinate, for the workers of that Dask scheduler.
    """
    extras.check("tune")
    dataset = _with_redshifts(store, config.dataset)
    base = replace(config.base, dataset=dataset.id)
    config = replace(config, dataset=dataset.id, base=base)
    tuning = store.new_tuning(name or f"{config.algorithm}-{dataset.name}")
    return _start(tuning, config, name, kind=_tuning_kind(request), **request)


def start_limit(
    store: Store, config: LimitConfig, against: list[str], name: str = ""
) -> LimitFolder:
    """Make a folder for a study of the information limit and start it.

    Parameters
    ----------
    against : list of str
        Ids of runs that are quoted against the limit.
    """
    extras.check("limit")
    study = store.new_limit(name or f"limit-{config.base.preset}")
    return _start(study, config, name, kind="limit", against=against)


def start_bench(store: Store, config: BenchConfig, name: str = "") -> BenchFolder:
    """Make a folder for a bench and start it."""
    _check_networks(config)
    what = f"{config.n}"
    if config.dataset:
        dataset = _with_redshifts(store, config.dataset)
        what, config = dataset.name, replace(config, dataset=dataset.id)
    return _start(store.new_bench(name or f"bench-{what}"), config, name, kind="bench")


def _start(folder: Study, config: Settings, name: str, **request: Any) -> Study:
    """Keep the name that the user gave, if any, and submit."""
    with _whole(folder):
        if name:
            folder.update_info(name=name)
        submit(folder, request, config.to_dict())
    return folder


@contextlib.contextmanager
def _whole(folder: JobFolder) -> Iterator[None]:
    """Around what fills a new folder; nothing is left of one that cannot be filled."""
    try:
        yield
    except Exception:
        folder.delete()
        raise


def _with_redshifts(store: Store, name: str) -> DatasetFolder:
    """Dataset to learn from; InputError where it has no redshifts."""
    dataset = store.dataset(name)
    if not dataset.info.get("has_z", True):
        raise InputError(
            f"Dataset {dataset.id} has no redshifts to learn from; choose one that has."
        )
    return dataset


def _tuning_kind(request: dict[str, Any]) -> str:
    return "coordinate" if request.get("scheduler") else "tune"


def resume(
    run: RunFolder, epochs: int | None = None, settings: Mapping[str, Any] | None = None
) -> RunFolder:
    """Go on with a stopped, failed or lost run, or with a finished one for more epochs.

    One that has done all its epochs and lacks only its judgement is judged.

    Parameters
    ----------
    epochs : int, optional
        New total number of epochs.
    settings : mapping, optional
        Settings to change, of `settings.run.ON_RESUME`, such as ``learning_rate``.
    """
    extras.check("train")
    before, is_finished = run.config, _is_finished(run)
    if is_base(run):
        raise InputError(
            f"{run.id} is the base network that comes with Redshift Lab, without its checkpoint, "
            f"so it cannot go on. {ADAPT}"
        )
    values = {**(settings or {}), **({} if epochs is None else {"epochs": epochs})}
    config = before.on_resume(values)
    total = config.training.epochs if {"epochs", "training.epochs"} & set(values) else None
    if total is None and (is_finished or (values and status(run).detail.get("trained"))):
        raise InputError(
            f"{run.id} has finished its {run.result.get('epochs', run.epochs)} epochs; "
            "say how many epochs it should have in all to continue (--epochs)."
        )
    _check_dataset(run, config.dataset)
    if run.info.get("imported") and not run.checkpoint_path.exists():
        raise InputError(
            f"{run.id} was imported without its checkpoint, so it cannot go on; start a new run "
            "with its settings."
        )
    _check_more(run, "completed", run.result.get("epochs", 0), total, "epochs", is_finished)
    _go_on(run, config, before, more=total is not None)
    return run


def _go_on(run: RunFolder, config: RunConfig, before: RunConfig, more: bool) -> None:
    """Submit a run again, and note in its ``meta.json`` which settings have changed, and when."""
    submit(run, {"kind": "train", "resume": True, "more": more}, config.to_dict())
    old, new = before.training.to_dict(), config.training.to_dict()
    if changed := {name: [old[name], new[name]] for name in new if new[name] != old[name]}:
        run.update_info(changed=[*run.info.get("changed", []), {"time": time.time(), **changed}])


def resume_tuning(tuning: TuningFolder, trials: int | None = None, **request: Any) -> TuningFolder:
    """Go on with a search that has ended: with the trials it lacks, or to more in all.

    Trials that were interrupted are done again. ``request`` is that of `start_tuning`.
    """
    extras.check("tune")
    config, is_finished = tuning.config, _is_finished(tuning)
    begun = len(tuning.trials)
    if trials is None and is_finished and begun >= config.trials:
        raise InputError(
            f"{tuning.id} has finished its {config.trials} trials; say how many trials it should "
            "have in all to continue (--trials)."
        )
    _check_more(tuning, "begun", begun, trials, "trials", is_finished)
    _check_dataset(tuning, config.dataset)
    if trials is not None:
        config = replace(config, trials=trials)
    submit(tuning, {"kind": _tuning_kind(request), **request}, config.to_dict())
    return tuning


def resume_limit(study: LimitFolder, against: list[str]) -> LimitFolder:
    """Do what a study lacks: its trainings, from where they stand, and further runs to quote."""
    extras.check("limit")
    submit(study, {"kind": "limit", "against": against})
    return study


def resume_bench(bench: BenchFolder) -> BenchFolder:
    """Go on with a bench that has ended: with the rows it lacks, half-trained ones included."""
    _check_networks(bench.config)
    _is_finished(bench)
    if dataset := bench.config.dataset:
        _check_dataset(bench, dataset)
    submit(bench, {"kind": "bench"})
    return bench


def _check_networks(config: BenchConfig) -> None:
    """Refuse a bench that trains networks where that cannot be done."""
    if config.networks:
        extras.check("bench")


def _is_finished(job: LongFolder) -> bool:
    """Whether a job that has ended did all it was asked for; InputError where it has not ended."""
    now = status(job)
    if now.active:
        raise InputError(
            f"{job.id} is {now.state}; only a {WORDS[type(job)]} that has ended can be resumed."
        )
    return now.state == "finished"


def _check_more(
    job: LongFolder, verb: str, done: int, total: int | None, what: str, is_finished: bool
) -> None:
    """Refuse a new total that leaves nothing to do."""
    if total is not None and (total < done or (is_finished and total == done)):
        raise InputError(
            f"{job.id} has {verb} {done} {what} already; ask for more than {done} in all."
        )


def _check_dataset(job: LongFolder, name: str) -> None:
    try:
        Store(job.path.parent.parent).dataset(name)
    except DamagedError:
        raise
    except InputError as error:
        raise InputError(
            f"{job.id} needs the dataset {name!r}, which is not in the store any more; "
            f"read the same file in again and start a new {WORDS[type(job)]} on it."
        ) from error
