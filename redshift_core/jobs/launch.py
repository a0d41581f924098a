"""Start, poll, stop and resume jobs: child processes that outlive the page and the server.

A job is a folder. The launcher writes ``starting`` under the folder's lock before it spawns the
worker, so of several that submit one job only one does; the worker does the rest. A process is
known by its pid and its start time, so a pid used again is never mistaken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil

from redshift_core.errors import DamagedError, InputError
from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.limit import LimitConfig
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.store import (
    ACTIVE_STATES,
    CHECKOUT,
    BenchFolder,
    JobContext,
    JobFolder,
    LimitFolder,
    LongFolder,
    RunFolder,
    Store,
    TuningFolder,
    read_json,
    write_json,
)
from redshift_core.store.shapes import check

START_LIMIT = 60.0  # s a job may be "starting" without a process before it counts as lost
SILENCE = 120.0  # s without a sign of life after which a process of another machine is lost
STATES = (*ACTIVE_STATES, "stopped", "finished", "failed", "lost")
UNKNOWN = "How far it came is not known; a training run or a search can be resumed."
POLL = 0.1  # s between two looks at a job's status
LONG_KINDS = ("train", "tune", "limit", "baseline", "speed")  # one at a time, on the device
LEADING_KINDS = ("coordinate", "bench", "adapt")  # others compute for them
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


@dataclass(frozen=True)
class Status:
    """What is known of a job now."""

    state: str = "lost"  # starting queued running stopping stopped finished failed lost
    kind: str = ""
    message: str = ""  # one sentence for the user
    done: float = 0.0  # progress, in units of the job
    total: float = 0.0
    submitted: float = 0.0  # Unix time, s
    heartbeat: float = 0.0  # Unix time of the last sign of life, s
    host: str = ""  # machine on which the process runs
    pid: int = 0
    pid_started: float = 0.0  # Unix time at which that process started, s
    user_error: bool = False  # the failure is one the user can fix
    detail: dict[str, Any] = field(default_factory=dict)  # epoch, step, device, …

    @property
    def active(self) -> bool:
        """Whether the job still has something to do."""
        return self.state in ACTIVE_STATES

    @property
    def fraction(self) -> float:
        """Progress from 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


def status(folder: JobFolder) -> Status:
    """State of a job; one whose process is gone without a word is ``lost``."""
    found = _read(folder)
    if not found.active or _alive(found):
        stopping = found.state in ("queued", "running") and folder.stop_path.exists()
        return _replaced(found, state="stopping") if stopping else found
    again = _read(folder)  # it may have ended between the two looks
    if not again.active:
        return again
    return _replaced(
        found,
        state="lost",
        message="The worker process ended without a word: killed, out of memory, or a crash. "
        "The end of its log is below; a training run or a search can be resumed.",
    )


def at_work(store: Store, recent: int | None = 50) -> list[tuple[JobFolder, Status]]:
    """Active jobs and their status: the long ones and, of the newest short ones, ``recent``."""
    folders = [*store.long_jobs(), *store.jobs()[:recent]]
    return [(folder, now) for folder in folders if (now := status(folder)).active]


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
    """
    with folder.lock():
        if (now := status(folder)).active:
            raise InputError(f"{folder.id} is already {now.state}; stop it first.")
        for stale in (folder.stop_path, folder.result_path):
            stale.unlink(missing_ok=True)
        if config is not None:
            write_json(folder.path / "config.json", config)
        write_json(folder.request_path, request)
        JobContext(folder, Store(folder.path.parent.parent)).set_state(
            "starting", kind=request["kind"], submitted=time.time()
        )
    with folder.log_path.open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "redshift_core.jobs.worker", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment(request["kind"]),
        )
    return folder


def environment(kind: str) -> dict[str, str]:
    """Variables of a worker's process; libraries read them only once, when they are loaded.

    Short jobs run beside a long one, so they leave the GPUs to it and all cores but one. Reading a
    large file is worth every core.
    """
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    passive = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait leave others the core
    values = {"TF_CPP_MIN_LOG_LEVEL": "2", **passive, **os.environ, "PYTHONPATH": path}
    if kind in LONG_KINDS + LEADING_KINDS:
        return values
    values["CUDA_VISIBLE_DEVICES"] = "-1"
    return values if kind == "ingest" else {**values, **dict.fromkeys(ONE_THREAD, "1")}


def start(store: Store, kind: str, **request: Any) -> JobFolder:
    """Start a job of its own folder: ingest, simulate, evaluate, predict, adapt, baseline."""
    return submit(store.new_job(kind), {"kind": kind, **request})


def start_training(store: Store, config: RunConfig, name: str = "") -> RunFolder:
    """Make a run folder for a configuration and start training it."""
    dataset = store.dataset(config.dataset)
    run = store.new_run(name or f"{config.preset}-{dataset.name}")
    if name:
        run.update_info(name=name)
    submit(run, {"kind": "train"}, {**config.to_dict(), "dataset": dataset.id})
    return run


def start_tuning(
    store: Store, config: TuningConfig, name: str = "", **request: Any
) -> TuningFolder:
    """Make a folder for a search and start it.

    Parameters
    ----------
    request : optional
        ``address``, "HOST:PORT": only coordinate, for workers that connect there.
    """
    dataset = store.dataset(config.dataset)
    if not dataset.info.get("has_z", True):
        raise InputError(
            f"Dataset {dataset.id} has no redshifts to learn from; choose one that has."
        )
    tuning = store.new_tuning(name or f"{config.algorithm}-{dataset.name}")
    base = dataclasses.replace(config.base, dataset=dataset.id)
    config = dataclasses.replace(config, dataset=dataset.id, base=base)
    if name:
        tuning.update_info(name=name)
    submit(tuning, _tuning_request(request), config.to_dict())
    return tuning


def resume_tuning(tuning: TuningFolder, trials: int | None = None, **request: Any) -> TuningFolder:
    """Go on with a search that has ended: with the trials it lacks, or to more in all.

    Trials that were interrupted are done again. ``request`` is that of `start_tuning`.
    """
    config, state = tuning.config, status(tuning).state
    if state in ACTIVE_STATES:
        raise InputError(f"{tuning.id} is {state}; only a search that has ended can be resumed.")
    begun = len(tuning.trials)
    if trials is None and state == "finished" and begun >= config.trials:
        raise InputError(
            f"{tuning.id} has finished its {config.trials} trials; say how many trials it shall "
            "have in all to go on."
        )
    if trials is not None and (trials < begun or (state == "finished" and trials == begun)):
        raise InputError(
            f"{tuning.id} has begun {begun} trials already; ask for more than {begun} in all."
        )
    _check_dataset(tuning, config.dataset)
    if trials is not None:
        config = dataclasses.replace(config, trials=trials)
    submit(tuning, _tuning_request(request), config.to_dict())
    return tuning


def _tuning_request(request: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "coordinate" if request.get("address") else "tune", **request}


def start_limit(
    store: Store, config: LimitConfig, against: list[str], name: str = ""
) -> LimitFolder:
    """Make a folder for a study of the information limit and start it.

    Parameters
    ----------
    against : list of str
        Ids of runs that are quoted against the limit.
    """
    study = store.new_limit(name or f"limit-{config.base.preset}")
    if name:
        study.update_info(name=name)
    submit(study, {"kind": "limit", "against": against}, config.to_dict())
    return study


def resume_limit(study: LimitFolder, against: list[str]) -> LimitFolder:
    """Do what a study lacks: its trainings, from where they stand, and further runs to quote."""
    submit(study, {"kind": "limit", "against": against})
    return study


def start_bench(store: Store, config: BenchConfig, name: str = "") -> BenchFolder:
    """Make a folder for a bench and start it."""
    what = f"{config.n}"
    if config.dataset:
        dataset = store.dataset(config.dataset)
        what = dataset.name
        if not dataset.info.get("has_z", True):
            raise InputError(
                f"Dataset {dataset.id} has no redshifts to learn from; choose one that has."
            )
        config = dataclasses.replace(config, dataset=dataset.id)
    bench = store.new_bench(name or f"bench-{what}")
    if name:
        bench.update_info(name=name)
    submit(bench, {"kind": "bench"}, config.to_dict())
    return bench


def resume_bench(bench: BenchFolder) -> BenchFolder:
    """Go on with a bench that has ended: with the rows it lacks, half-trained ones included."""
    state = status(bench).state
    if state in ACTIVE_STATES:
        raise InputError(f"{bench.id} is {state}; only a bench that has ended can be resumed.")
    if config := bench.config.dataset:
        _check_dataset(bench, config)
    submit(bench, {"kind": "bench"})
    return bench


def resume(run: RunFolder, epochs: int | None = None) -> RunFolder:
    """Go on with a stopped, failed or lost run, or with a finished one for more epochs.

    One that has done all its epochs and lacks only its judgement is judged.

    Parameters
    ----------
    epochs : int, optional
        New total number of epochs.
    """
    config = run.config
    state = status(run).state
    if state in ACTIVE_STATES:
        raise InputError(f"{run.id} is {state}; only a run that has ended can be resumed.")
    if epochs is not None:
        config = config.with_values({"epochs": epochs})
    elif state == "finished":
        raise InputError(
            f"{run.id} has finished its {config.training.epochs} epochs; "
            "say how many epochs it shall have in all to go on."
        )
    _check_resumable(run, config, state, epochs)
    request = {"kind": "train", "resume": True, "more": epochs is not None}
    submit(run, request, config.to_dict())
    return run


def _check_resumable(run: RunFolder, config: RunConfig, state: str, epochs: int | None) -> None:
    """Refuse what cannot work before the run loses the state and the result it has."""
    _check_dataset(run, config.dataset)
    if run.info.get("imported") and not run.checkpoint_path.exists():
        raise InputError(
            f"{run.id} was imported without its checkpoint, so it cannot go on; start a new run "
            "with its settings."
        )
    done = run.result.get("epochs", 0)
    if epochs is not None and (epochs < done or (state == "finished" and epochs == done)):
        raise InputError(
            f"{run.id} has completed {done} epochs already; ask for more than {done} in all."
        )


def _check_dataset(job: LongFolder, name: str) -> None:
    try:
        Store(job.path.parent.parent).dataset(name)
    except DamagedError:
        raise
    except InputError as error:
        what = {RunFolder: "run", TuningFolder: "search"}.get(type(job), "bench")
        raise InputError(
            f"{job.id} needs the dataset {name!r}, which is not in the store any more; "
            f"read the same file in again and start a new {what} on it."
        ) from error


def stop(folder: JobFolder) -> None:
    """Ask a job to stop; it does so within a batch or a block."""
    state = status(folder).state
    if state not in ACTIVE_STATES:
        raise InputError(f"{folder.id} is not running: it is {state}.")
    folder.stop_path.touch()


def kill(folder: JobFolder) -> None:
    """End the process of a job of this machine at once; the job is then ``lost``."""
    found = status(folder)
    if found.active and found.pid and found.host == platform.node():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(found.pid)
            process.kill()
            process.wait()


def wait(
    folder: JobFolder,
    on_update: Callable[[Status], None] = lambda _: None,
    timeout: float | None = None,
) -> Status:
    """Wait until a job has ended, or for ``timeout`` seconds; its last status."""
    end = time.monotonic() + timeout if timeout else float("inf")
    while (now := status(folder)).active and time.monotonic() < end:
        on_update(now)
        time.sleep(POLL)
    on_update(now)
    return now


def log_tail(folder: JobFolder, lines: int = 20) -> str:
    """Last lines of a job's log."""
    try:
        with folder.log_path.open("rb") as log:
            log.seek(max(0, folder.log_path.stat().st_size - 200 * lines))
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _read(folder: JobFolder) -> Status:
    """What ``status.json`` says; ``lost`` with a sentence where it cannot be used."""
    path, usual = folder.status_path, vars(Status())
    try:
        if not path.exists():
            raise DamagedError.of(path, "it is missing", UNKNOWN)
        values = read_json(path, remedy=UNKNOWN)
        values = {name: value for name, value in values.items() if name in usual}
        kinds = {name: type(usual[name]) for name in values}
        whole = {name: (int, float) if kind is float else kind for name, kind in kinds.items()}
        check(path, values, whole, UNKNOWN)
        if values.get("state", "lost") not in STATES:
            raise DamagedError.of(path, f"its state is {values['state']!r}", UNKNOWN)
    except DamagedError as error:
        return Status(message=str(error))
    return Status(**values)


def _replaced(found: Status, **values: Any) -> Status:
    return Status(**{**found.__dict__, **values})


def _alive(found: Status) -> bool:
    if not found.pid:
        return time.time() - found.submitted < START_LIMIT
    if found.host not in ("", platform.node()):
        return time.time() - found.heartbeat < SILENCE
    try:
        process = psutil.Process(found.pid)
        same = abs(process.create_time() - found.pid_started) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
