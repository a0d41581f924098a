"""What a job sees of the outside."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from typing import Any

from redshift_core.store import faults
from redshift_core.store.faults import FullDiskError
from redshift_core.store.files import atomic, read_json, write_json
from redshift_core.store.folders import JobFolder
from redshift_core.store.processes import own_memory
from redshift_core.store.store import Store

ACTIVE_STATES = ("starting", "queued", "running", "stopping")
ROOM = 65_536  # bytes kept aside while a job is at work, for its last status
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

        A full disk does not end a job here: what it makes is more than what it tells.

        ``detail`` are values of the kind of job (epoch, step, device); they stay until replaced.
        """
        for key, value in (("done", done), ("total", total), ("message", message)):
            if value is not None:
                self._status[key] = value
        self._status["detail"] = {**self._status.get("detail", {}), **detail}
        if now or time.monotonic() - self._written > STATUS_INTERVAL:
            self._status["memory"] = own_memory()
            with contextlib.suppress(FullDiskError):
                self._write()

    def set_state(self, state: str, **values: Any) -> None:
        """Write a new state at once; that of a job that has ended on a full disk too."""
        self._status.update(state=state, **values)
        if state in ACTIVE_STATES:
            self._write()
            return
        try:
            self._write()
        except FullDiskError:
            self._write_aside()
        self.folder.room_path.unlink(missing_ok=True)

    def keep_room(self) -> None:
        """Take space for the last status; FullDiskError where there is none."""
        try:
            with atomic(self.folder.room_path, ROOM) as part:
                part.write_bytes(os.urandom(ROOM))  # zeros take no space on a disk that compresses
        except FullDiskError as error:
            said = faults.full(self.folder.path, needed=ROOM, what="this job")
            raise FullDiskError(said) from error

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

    def _write_aside(self) -> None:
        """Write the status over what has its space already: what was kept for it, else itself."""
        room, path = self.folder.room_path, self.folder.status_path
        with (room if room.exists() else path).open("r+b") as file:
            file.write(json.dumps(self._status, ensure_ascii=False).encode())
            file.truncate()
        if room.exists():
            os.replace(room, path)


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
