"""Folders under construction: who makes them, and which were left by a process that was killed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redshift_core.store import DatasetFolder, Store, faults
from redshift_core.store.processes import is_alive

OWNER = "owner.json"  # process that fills a hidden folder
ORPHAN_AGE = 3_600.0  # s without a change after which a folder without an owner is left over
FOREIGN_AGE = 86_400.0  # s after which one of another host is; its processes cannot be seen here


@contextmanager
def construction(folder: DatasetFolder, what: str, n_bytes: float) -> Iterator[None]:
    """Own a hidden dataset folder while it is filled; it is removed where that fails.

    Parameters
    ----------
    what : str
        What is written, in the user's words.
    n_bytes : float
        Room it needs, for the sentence about a full disk.
    """
    try:
        take_ownership(folder.path)
        yield
        release(folder.path)
    except BaseException as error:
        said = faults.full(folder.path, needed=int(n_bytes), what=what)  # with what it has taken
        shutil.rmtree(folder.path, ignore_errors=True)
        if not faults.is_full(error):
            raise
        raise faults.FullDiskError(said) from None


def take_ownership(folder: Path) -> None:
    """Write down that this process fills the folder."""
    import psutil

    owner = {
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "host": socket.gethostname(),
    }
    (folder / OWNER).write_text(json.dumps(owner), encoding="utf-8")


def release(folder: Path) -> None:
    """Take the mark away; the folder is whole."""
    (folder / OWNER).unlink(missing_ok=True)


def sweep(store: Store) -> None:
    """Remove the hidden dataset folders of processes that are gone."""
    datasets = store.root / "datasets"
    for pattern in (".new-*", ".deleted-*"):
        for folder in datasets.glob(pattern):
            if _is_left_over(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder: Path) -> bool:
    age = time.time() - _last_change(folder)
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        pid, started, host = int(owner["pid"]), float(owner["started"]), owner["host"]
    except (OSError, ValueError, KeyError, TypeError):
        return age > ORPHAN_AGE
    if host != socket.gethostname():
        return age > FOREIGN_AGE
    return not is_alive(pid, started)


def _last_change(folder: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return time.time()
