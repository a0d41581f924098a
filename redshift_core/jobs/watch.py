"""Watch, stop and end jobs: what is known of one now, and of all that are active.

A process is known by its pid and its start time, so a pid used again is never mistaken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from redshift_core.constants import counted
from redshift_core.errors import DamagedError, InputError
from redshift_core.jobs import lost
from redshift_core.store import (
    ACTIVE_STATES,
    JobFolder,
    RunFolder,
    Store,
    faults,
    read_json,
    read_only,
)
from redshift_core.store.processes import is_alive
from redshift_core.store.remembered import remembered
from redshift_core.store.shapes import check

START_LIMIT = 60.0  # s a job may be "starting" without a process before it counts as lost
SILENCE = 120.0  # s without a sign of life after which a process of another machine is lost
STATES = (*ACTIVE_STATES, "stopped", "finished", "failed", "lost")
UNKNOWN = f"How far it came is not known; {lost.RESUMABLE}"
POLL = 0.1  # s between two looks at a job's status …
FIRST_POLL, FIRST = 0.02, 5.0  # … and during its first seconds, which may be all that it takes


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
    memory: int = 0  # bytes that the process held at its last report
    allowed: int = 0  # bytes of memory that it may have; 0 where it has not said
    addresses: int = 0  # bytes of addresses that it may map; 0 without a limit
    detail: dict[str, Any] = field(default_factory=dict)  # epoch, step, device, …

    @property
    def active(self) -> bool:
        """Whether the job has not ended yet."""
        return self.state in ACTIVE_STATES

    @property
    def fraction(self) -> float:
        """Progress from 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


_KINDS = {  # name of a field → types of its value
    name: (int, float) if isinstance(usual, float) else type(usual)
    for name, usual in vars(Status()).items()
}


def status(folder: JobFolder) -> Status:
    """State of a job. It is ``lost`` if its process is gone and left no result."""
    found = _read(folder)
    if not found.active:
        lost.ended(folder)  # or a process of this one's stays, as a zombie
        return found
    if _alive(folder, found):
        stopping = found.state in ("queued", "running") and folder.stop_path.exists()
        return dataclasses.replace(found, state="stopping") if stopping else found
    again = _read(folder)  # it may have ended between the two looks
    if not again.active:
        return again
    limits = lost.Limits(found.allowed, found.addresses) if found.allowed else lost.own_limits()
    said = lost.why(folder, found.kind, found.memory, limits, log_tail(folder))
    return dataclasses.replace(found, state="lost", message=said)


def at_work(store: Store, recent: int | None = 50) -> list[tuple[JobFolder, Status]]:
    """Active jobs and their status: the long ones and, of the newest short ones, ``recent``."""
    folders = [*store.long_jobs(), *store.jobs()[:recent]]
    return [(folder, now) for folder in folders if (now := status(folder)).active]


def stop(folder: JobFolder) -> None:
    """Ask a job to stop; it does so within a batch or a block."""
    if not (now := status(folder)).active:
        raise InputError(f"{folder.id} is not running: it is {now.state}.")
    read_only.refuse_writing()
    with faults.writing(folder.stop_path):
        folder.stop_path.touch()


def kill(folder: JobFolder) -> None:
    """End the process of a job of this machine at once; the job is then ``lost``."""
    read_only.refuse_writing()
    found = status(folder)
    if not found.active or lost.kill_child(folder):
        return
    if found.pid and found.host == platform.node():
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
    begin = time.monotonic()
    end = begin + timeout if timeout else float("inf")
    while (now := status(folder)).active and time.monotonic() < end:
        on_update(now)
        time.sleep(FIRST_POLL if time.monotonic() < begin + FIRST else POLL)
    on_update(now)
    return now


def epochs_text(run: RunFolder) -> str:
    """How many epochs a finished run made, and why they are fewer than it was allowed."""
    done, most = run.result.get("epochs", run.epochs), run.epochs
    if done >= most:
        return counted(done, "epoch")
    return f"{done} of at most {counted(most, 'epoch')}, as the validation loss no longer fell"


def saved_val_mae(run: JobFolder, now: Status | None = None) -> float | None:
    """Validation MAE of a run's saved model, in z; while it trains, of the best epoch so far.

    Parameters
    ----------
    now : Status, optional
        Of the run, where it is known already.
    """
    now = now or status(run)
    detail, usual = now.detail, now.detail.get("val_mae")
    value = usual if now.active else run.result.get("val_mae", detail.get("saved_val_mae", usual))
    return float(value) if isinstance(value, int | float) else None


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
    try:
        return remembered(_checked, folder.status_path)
    except DamagedError as error:
        return Status(message=str(error))


def _checked(path: Path) -> Status:
    """What stands in a ``status.json``; DamagedError where it cannot be used."""
    values = read_json(path, remedy=UNKNOWN)
    if not values and not path.exists():
        raise DamagedError.of(path, "it is missing", UNKNOWN)
    values = {name: value for name, value in values.items() if name in _KINDS}
    check(path, values, {name: _KINDS[name] for name in values}, UNKNOWN)
    if values.get("state", "lost") not in STATES:
        raise DamagedError.of(path, f"its state is {values['state']!r}", UNKNOWN)
    return Status(**values)


def _alive(folder: JobFolder, found: Status) -> bool:
    if lost.ended(folder) is not None:
        return False
    if not found.pid:
        return time.time() - found.submitted < START_LIMIT
    if found.host not in ("", platform.node()):
        return time.time() - found.heartbeat < SILENCE
    return is_alive(found.pid, found.pid_started)
