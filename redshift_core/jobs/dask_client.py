"""A Dask client: of worker processes on this machine, or of a scheduler that the user has started.

The machines of a cluster must see the store and the files under the same paths. On this machine
everything listens on the loopback only, and behind TLS with keys that exist only in memory, since
whoever reaches a scheduler can run code on it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from redshift_core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

RETRIES = 2  # how often a task is given to another worker when its worker dies
CONNECT_SECONDS = 10  # s to wait for a scheduler and for its first worker


@contextlib.contextmanager
def open_client(
    workers: int, scheduler: str | None, scratch: Path, threads: int = 1
) -> Iterator[Client]:
    """Client whose workers compute, one task each at a time.

    Parameters
    ----------
    workers : int
        Processes to start on this machine; without meaning where a scheduler is given.
    scheduler : str, optional
        Address of a running scheduler, such as ``tcp://HOST:8786`` or ``tls://HOST:8786``; the keys
        of the latter are those of Dask's configuration.
    scratch : Path
        Folder for what Dask writes on this machine; removed at the end.
    threads : int
        Threads that the numerical libraries use in each process.

    Raises
    ------
    InputError
        Where Dask is not installed, nothing answers at the address, or no worker is there.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
        from distributed.security import Security
    except ImportError as error:
        raise InputError(
            f"Several workers need Dask, and {error.name} is not installed; install it with "
            "`pip install 'redshift-lab[cluster]'`, or use one worker and no scheduler."
        ) from error
    if scheduler:
        with _connected(Client, scheduler) as client:
            yield client
        return
    variables = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads
    )
    options = {
        "distributed.scheduler.allowed-failures": RETRIES,
        # Dask's own value makes the C library give large arrays back at once, a third more CPU.
        "distributed.nanny.pre-spawn-environ": {**variables, "MALLOC_TRIM_THRESHOLD_": None},
        "distributed.comm.timeouts.connect": CONNECT_SECONDS,
    }
    security = Security.temporary()
    with (
        _removed(scratch),
        dask.config.set(options),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # a task's memory is known and bounded; Dask must not pause workers
            protocol="tls://",
            host="127.0.0.1",
            security=security,
            dashboard_address="127.0.0.1:0",
            local_directory=str(scratch),
        ) as cluster,
        Client(cluster, security=security) as client,
    ):
        yield client


@contextlib.contextmanager
def _removed(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _connected(kind: type[Client], address: str) -> Iterator[Client]:
    """Client of a scheduler that has at least one worker."""
    try:
        client = kind(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Dask scheduler answered at {address!r} within {CONNECT_SECONDS} s ({error}); "
            "start one with `dask scheduler`, and give its address as tcp://HOST:8786."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise InputError(
                f"The Dask scheduler at {address} has no worker; start one on each machine with "
                f"`dask worker {address} --nthreads 1`."
            ) from error
        yield client
