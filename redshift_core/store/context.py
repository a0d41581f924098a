"""What a job sees of the outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from redshift_core.store.files import read_json, write_json
from redshift_core.store.folders import JobFolder
from redshift_core.store.store import Store

ACTIVE_STATES = ("starting", "queued", "running", "stopping")
STATUS_INTERVAL = 0.5  # s between two writes of status.json while a job only makes progress


class Stopped(Exception):  # noqa: N818 - not an error
    """The user asked the job to stop."""


class JobContext:
    """What a job sees of the outside: its request, its progress, the wish to stop."""

    def __init__(self, folder: JobFolder, store: Store, status: dict[str, Any] | None = None):
        self.folder = folder
        self.store = store
        self.request = folder.request
        self._status = status or {}
        self._written = 0.0

    @classmethod
    def of(cls, folder: JobFolder) -> JobContext:
        """Context of a job folder two levels below its store's root."""
        return cls(folder, Store(folder.path.parent.parent), read_json(folder.status_path))

    def report(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        *,
        now: bool = False,
        **detail: Any,
    ) -> None:
        """Beat the heart and tell progress; written at most every STATUS_INTERVAL unless ``now``.

        ``detail`` are values of the kind of job (epoch, step, device); they stay until replaced.
        """
        for key, value in (("done", done), ("total", total), ("message", message)):
            if value is not None:
                self._status[key] = value
        self._status["detail"] = {**self._status.get("detail", {}), **detail}
        if now or time.monotonic() - self._written > STATUS_INTERVAL:
            self._write()

    def set_state(self, state: str, **values: Any) -> None:
        """Write a new state at once."""
        self._status.update(state=state, **values)
        self._write()

    def should_stop(self) -> bool:
        """Whether the user asked the job to stop."""
        return self.folder.stop_path.exists()

    def report_or_stop(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        **detail: Any,
    ) -> None:
        """Report progress; Stopped is raised where the user asked the job to stop."""
        if self.should_stop():
            raise Stopped
        self.report(done, total, message, **detail)

    def _write(self) -> None:
        self._status["heartbeat"] = time.time()
        write_json(self.folder.status_path, self._status)
        self._written = time.monotonic()


class InnerContext(JobContext):
    """Context of a training inside another job, which hears its progress and says when to stop."""

    def __init__(
        self,
        folder: JobFolder,
        store: Store,
        tell: Callable[[dict[str, Any]], None],
        should_stop: Callable[[], bool],
    ):
        super().__init__(folder, store)
        self.request = {"kind": "train", "resume": True}
        self._tell, self._should_stop = tell, should_stop

    def report(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        *,
        now: bool = False,
        **detail: Any,
    ) -> None:
        """Pass on at once what is given, by its name; no file is written."""
        given = {"done": done, "total": total, "message": message}
        self._tell({key: value for key, value in given.items() if value is not None} | detail)

    def should_stop(self) -> bool:
        """Whether the outer job asks for a stop."""
        return self._should_stop()
