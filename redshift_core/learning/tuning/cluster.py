"""A search whose trials are tasks of a Dask cluster, one at a time in each worker process.

The search process alone asks the oracle and writes trials.json. A worker does `attempt.train_one`;
Dask gives the trial of a dead worker to another.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redshift_core.errors import InputError
from redshift_core.learning.tuning.attempt import train_one
from redshift_core.learning.tuning.search import Search, lost
from redshift_core.store import JobContext
from redshift_core.store.faults import is_full

if TYPE_CHECKING:
    from distributed import Client, Future

POLL = 0.2  # s between two looks at the trials
ANSWER_LIMIT = 5.0  # s until the answer of a worker counts as lost
STOP_LIMIT = 30.0  # s that trainings have to notice that the user stops the search


def lead(
    context: JobContext,
    search: Search,
    client: Client,
    threads: int,
    train: Callable[[str, str, int, int], dict[str, Any]] = train_one,
) -> bool:
    """Keep every worker of a client at a trial until none is left; True if the user stops.

    Parameters
    ----------
    threads : int
        CPU threads of a worker.
    train : callable
        The task.
    """
    at_work: dict[str, Future] = {}  # trial → task
    path = search.log.tuning.path
    while not context.should_stop():
        while len(at_work) < max(1, _n_workers(client)) and (begun := search.begin()):
            key = f"{path.name}-{begun[0]}-{secrets.token_hex(4)}"
            at_work[begun[0]] = client.submit(train, str(path), *begun, threads, key=key)
        if not at_work:
            return False
        time.sleep(POLL)
        _take(search, at_work)
        search.log.report(context)
    end = time.monotonic() + STOP_LIMIT
    while _at_it(search, at_work) and time.monotonic() < end:
        time.sleep(POLL)
    _take(search, at_work)
    return True


def _at_it(search: Search, at_work: dict[str, Future]) -> bool:
    """Whether a task goes on that a worker has begun."""
    return any(
        search.log.entries[name]["worker"] and not task.done() for name, task in at_work.items()
    )


def _n_workers(client: Client) -> int:
    """Worker processes that the cluster has now."""
    try:
        return len(client.nthreads())
    except Exception as error:
        raise _gone(client) from error


def _take(search: Search, at_work: dict[str, Future]) -> None:
    """Take the progress of the trials under way, and the answers of the tasks that are done."""
    for name, task in list(at_work.items()):
        is_done = task.done()
        search.log.follow(name)
        if not is_done:
            continue
        if task.status == "finished":
            try:
                answer = task.result(timeout=ANSWER_LIMIT)
            except TimeoutError:  # its worker died with the answer, and Dask begins the task again
                continue
        elif task.status == "error":
            error = task.exception()
            if is_full(error):
                raise error
            answer = {"failed": _reason(error)}
        else:
            raise _gone(task.client)
        del at_work[name]
        if answer:
            search.end(name, answer)


def _reason(error: BaseException) -> str:
    repeated = getattr(error, "allowed_failures", None)  # of Dask's KilledWorker
    return f"{type(error).__name__}: {error}" if repeated is None else lost(repeated + 1)


def _gone(client: Client) -> InputError:
    where = client.scheduler.address if client.scheduler else "the search"
    return InputError(
        f"The Dask scheduler at {where} is gone: it ended, or the network failed. The finished "
        "trials are kept; resume the search to continue."
    )
