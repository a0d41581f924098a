"""Who predicts the parts of a catalogue: this process, processes of this machine, or a cluster's.

A worker has one part at a time, and no part waits at a worker, so the death of a worker says
something of its part alone; and however many parts there are, the scheduler knows only those that
are under way.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redshift_core.data.parts import Part
from redshift_core.errors import InputError
from redshift_core.jobs import at_work
from redshift_core.jobs.dask_client import open_client
from redshift_core.jobs.launch import LONG_KINDS
from redshift_core.jobs.machine import n_cores
from redshift_core.prediction.parts import Order, predict_part
from redshift_core.store import JobContext, Store

if TYPE_CHECKING:
    from distributed import Client, Future

LITTLE = 50_000_000  # bytes of parts that one process reads while others would only start
LOOK = 0.5  # s between two looks at the wish to stop while workers compute

Look = Callable[[int], None]  # told the rows under way in this process; raises Stopped


def results(
    order: Order, todo: Sequence[Part], context: JobContext, look: Look
) -> Iterator[dict[str, Any]]:
    """Lines of the manifest for some parts, as they are done."""
    scheduler = context.request.get("scheduler")
    n = min(context.request.get("workers") or default_workers(context.store, todo), len(todo))
    if n <= 1 and not scheduler:
        for part in todo:
            yield predict_part(order, part, look)
    elif todo:
        with open_client(n, scheduler, context.folder.path / "dask") as client:
            _check_sight(client, order)
            yield from _by_workers(client, order, todo, look)


def default_workers(store: Store, todo: Sequence[Part]) -> int:
    """A process for each core, but for one where a training is at work.

    One where Dask is not installed, or so little is to be done that starting others takes longer.
    """
    if sum(part.n_bytes for part in todo) < LITTLE or find_spec("distributed") is None:
        return 1
    training = any(now.kind in LONG_KINDS for _, now in at_work(store))
    return max(1, n_cores() - training)


def _by_workers(
    client: Client, order: Order, todo: Sequence[Part], look: Look
) -> Iterator[dict[str, Any]]:
    from distributed import wait

    waiting, under_way = list(reversed(todo)), {}
    while waiting or under_way:
        look(0)
        with _answering(client), contextlib.suppress(TimeoutError):
            free = max(1, sum(client.nthreads().values())) - len(under_way)
            for _ in range(min(free, len(waiting))):
                part = waiting.pop()
                under_way[client.submit(predict_part, order, part, pure=False)] = part
            wait(list(under_way), timeout=LOOK, return_when="FIRST_COMPLETED")
        for future in [one for one in under_way if one.done()]:
            with _answering(client):
                line = _line_of(future, under_way.pop(future))
            yield line


def _line_of(future: Future, part: Part) -> dict[str, Any]:
    """What a worker says of a part; that it failed where it has killed its workers."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        why = (
            "One process after the other that predicted it ended without a word, as one does that "
            "is killed or has no memory left."
        )
        return {"part": part.name, "input": part.stamp, "failed": why}


@contextlib.contextmanager
def _answering(client: Client) -> Iterator[None]:
    """InputError where the scheduler does not answer any more."""
    from distributed.comm import CommClosedError

    try:
        if client.status != "running":
            raise CommClosedError(f"the client is {client.status}")
        yield
    except (CommClosedError, CancelledError) as error:
        raise InputError(
            "The Dask scheduler is gone. Start one and its workers, and run the same command "
            "again; what is done stays."
        ) from error


def _check_sight(client: Client, order: Order) -> None:
    """InputError where a worker does not see the run, the catalogue or the result's folder."""
    paths = [str(path) for path in (order.run, order.root, order.out)]
    for machine, missing in client.run(_missing, paths).values():
        if missing:
            raise InputError(
                f"The worker on {machine} sees no {missing[0]}; the store, the catalogue and the "
                "result must lie on a disk that every worker sees under the same path."
            )


def _missing(paths: list[str]) -> tuple[str, list[str]]:
    """Name of this machine, and which folders it does not see."""
    return platform.node(), [path for path in paths if not Path(path).is_dir()]
