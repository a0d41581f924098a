"""Fetches that were begun and are no dataset yet: what has come of each, to go on or to discard."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import filelock

from redshift_core.data.archive.chunks import Chunks
from redshift_core.data.archive.request import FetchRequest
from redshift_core.errors import InputError
from redshift_core.store import Store, read_json, read_only

PREFIX = "archive-"  # of the folders in the cache


@dataclass(frozen=True)
class Unfinished:
    """A fetch that stopped, failed or was killed, or is still at work."""

    folder: Path  # of its chunks
    request: FetchRequest
    begun: float  # Unix time at which it was last begun, s
    n_sources: int  # in all; 0 where the sample is not known yet
    n_done: int  # of these, asked for


def unfinished(store: Store) -> list[Unfinished]:
    """Every fetch that has left something in the cache, newest first."""
    found = (_read(folder) for folder in store.cache.glob(f"{PREFIX}*"))
    return sorted(filter(None, found), key=lambda one: -one.begun)


def discard(store: Store, one: Unfinished) -> None:
    """Remove all that has come of a fetch.

    Raises
    ------
    InputError
        Where a job is fetching it.
    """
    read_only.refuse_writing()
    lock = filelock.FileLock(store.locks / f"{one.folder.name}.lock")
    try:
        with lock.acquire(blocking=False):
            shutil.rmtree(one.folder, ignore_errors=True)
    except filelock.Timeout:
        raise InputError("A job is fetching these sources; stop it first.") from None


def _read(folder: Path) -> Unfinished | None:
    """What a folder of chunks holds; None where it cannot be told, or nothing has come."""
    try:
        values = read_json(folder / "request.json")
        begun = float(values.pop("begun", 0.0))
        request = FetchRequest.from_dict(values)
        parts = read_json(folder / "parts.json").get("parts", [])
    except InputError:
        return None
    chunks = Chunks(folder)
    done = (n for number, n in enumerate(parts) if chunks.has("spectra", number))
    return Unfinished(folder, request, begun, sum(parts), sum(done))
