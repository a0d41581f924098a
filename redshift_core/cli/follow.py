"""Follow a job in the foreground: progress on stderr, Ctrl-C stops it, its end is the command's."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from redshift_core import jobs
from redshift_core.cli.output import emit, say
from redshift_core.constants import duration
from redshift_core.errors import InputError
from redshift_core.jobs import Status, housekeeping
from redshift_core.store import JobFolder

LINE_INTERVAL = 10.0  # s between two lines of progress where stderr is no terminal


class JobFailed(Exception):  # noqa: N818 - the job's failure, not the command's
    """The job failed; ``code`` is the command's exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class Progress:
    """One line that is rewritten on a terminal; elsewhere a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._stage = ""
        self._line = ""
        self._written = 0.0

    def __call__(self, status: Status) -> None:
        """Show a job's status."""
        line = describe(status)
        if self._terminal:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
            self._line = line
            return
        stage = f"{status.state} {status.detail.get('trial')} {status.detail.get('epoch', '')}"
        late = time.monotonic() - self._written > LINE_INTERVAL
        if line != self._line and (stage != self._stage or late):
            say(line)
            self._stage, self._line, self._written = stage, line, time.monotonic()

    def close(self) -> None:
        """End the line."""
        if self._terminal and self._line:
            sys.stderr.write("\n")
            self._line = ""


def follow(folder: JobFolder) -> Status:
    """Wait until a job has ended, showing its progress.

    The first Ctrl-C asks the job to stop, the second leaves it running.
    """
    progress, asked = Progress(), False
    while True:
        try:
            status = jobs.wait(folder, progress)
        except KeyboardInterrupt:
            progress.close()
            if asked:
                say(f"{folder.id} goes on without this command.")
                return jobs.status(folder)
            asked = True
            with contextlib.suppress(InputError):  # it ended by itself
                jobs.stop(folder)
            say("Asked it to stop; press Ctrl-C again to leave it running in the background.")
        else:
            progress.close()
            return status


def check(folder: JobFolder, status: Status) -> Status:
    """Status of a job that has not failed; JobFailed where it has."""
    if status.state == "failed" and status.user_error:
        raise JobFailed(status.message, 2)
    if status.state == "lost":
        housekeeping.clear_lost(folder)
    if status.state in ("failed", "lost"):
        end = jobs.log_tail(folder, 15)
        if end:
            print(end, file=sys.stderr)
        raise JobFailed(f"{folder.id} {_ended(status)}: {status.message}", 1)
    return status


def run_job(folder: JobFolder, as_json: bool) -> dict[str, Any]:
    """Follow a short job to its end; what it returned.

    Where it was stopped or left to itself, that is printed, and the result is empty.
    """
    status = check(folder, follow(folder))
    if status.state == "finished":
        return folder.result
    value = {"job": folder.id, "state": status.state}
    emit(value, f"{folder.id} is {status.state}.", as_json)
    return {}


def describe(status: Status) -> str:
    """One line about a job: of a training its epoch, losses and speed, else its progress."""
    detail = status.detail
    judging = status.active and status.message.startswith("Judging")
    waiting = status.state in ("starting", "queued")
    if status.state in ("failed", "lost"):  # `check` says why
        return f"{status.state}."
    if status.state == "finished" and not detail.get("epoch"):
        done = status.message.endswith(".")  # else it says what was being done
        return f"finished. {status.message if done else ''}".rstrip()
    if waiting or judging or not (detail.get("epoch") or status.total):
        return f"{status.state}. {status.message}".rstrip()
    left = ""
    if detail.get("seconds_left") is not None and status.active:
        left = f"{duration(detail['seconds_left'])} left"
    if not detail.get("epoch"):
        return f"{status.state} {status.fraction:4.0%}. {status.message} {left}".rstrip()
    trial = status.message.partition(",")[0]
    of_search = f"{trial}, " if status.kind in ("tune", "coordinate") else ""
    parts = [f"{status.state}: {of_search}epoch {detail['epoch']}/{detail.get('epochs', '?')}"]
    if detail.get("steps"):
        parts.append(f"step {detail.get('step', 0):,}/{detail['steps']:,}")
    parts += [
        f"{name} {detail[name]:.5f}"
        for name in ("loss", "mae", "val_mae", "best")
        if isinstance(detail.get(name), int | float)
    ]
    if detail.get("rate"):
        parts.append(f"{detail['rate']:,.0f} spectra/s")
    return "  ".join([*parts, left]).rstrip()


def _ended(status: Status) -> str:
    return "was lost" if status.state == "lost" else "failed"
