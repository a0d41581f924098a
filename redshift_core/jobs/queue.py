"""Whose turn it is to compute: one long job on the device, two short jobs beside it.

First come, first served, by the time of submission. A slot is a lock of the operating system, so it
dies with its owner; a job that has died falls out of the queue, since its status says so.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import filelock

from redshift_core.jobs.launch import LEADING_KINDS, LONG_KINDS
from redshift_core.jobs.watch import Status, at_work, status
from redshift_core.store import JobContext, JobFolder, Stopped

SHORT_SLOTS = 2
POLL = 0.3  # s between two looks of the job whose turn is next; those behind it look less often
LONGEST_POLL = 2.0  # s


def slot(context: JobContext) -> contextlib.AbstractContextManager[Any]:
    """Lock under which the job may run: the device's, or that of one of the short slots.

    Waits until every job of the same sort that was submitted earlier runs or has ended, and a slot
    is free. Raises Stopped where the user stops the job meanwhile.
    """
    kind = context.request["kind"]
    if kind in LEADING_KINDS:
        return contextlib.nullcontext()
    names = ["device"]
    if kind not in LONG_KINDS:
        names = [f"short-{number}" for number in range(SHORT_SLOTS)]
        os.nice(10)
    earlier = _earlier(context, at_work(context.store, recent=None))
    while True:
        if context.should_stop():
            raise Stopped
        if not any(now.state in ("starting", "queued") for _, now in earlier):
            for name in names:
                with contextlib.suppress(filelock.Timeout):
                    lock = filelock.FileLock(context.store.locks / f"{name}.lock")
                    return lock.acquire(blocking=False)
        n = max(1, len(earlier) - len(names) + 1)  # jobs that must end before this one runs
        others = "another job" if n == 1 else f"{n} other jobs"
        context.report(message=f"Waiting for {others} to end.")
        time.sleep(min(LONGEST_POLL, POLL * n))
        earlier = _earlier(context, [(job, status(job)) for job, _ in earlier])


def _earlier(
    context: JobContext, found: list[tuple[JobFolder, Status]]
) -> list[tuple[JobFolder, Status]]:
    """Active jobs that wait for the same slots and were submitted before this one.

    Only these need to be looked at again: whatever is submitted later comes later.
    """
    mine = status(context.folder)
    is_long = mine.kind in LONG_KINDS
    return [
        (job, now)
        for job, now in found
        if now.active
        and now.kind not in LEADING_KINDS
        and (now.kind in LONG_KINDS) == is_long
        and (now.submitted, job.id) < (mine.submitted, context.folder.id)
    ]
