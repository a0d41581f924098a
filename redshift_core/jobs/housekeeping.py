"""What the store holds and what can go: outputs of ended short jobs, and what killed jobs left.

An output is what a short job made for download: redshifts and densities, a report, a ZIP. It can
be made again, so the oldest are removed when all of them together pass a limit. Datasets, runs,
searches, studies and benches are never touched.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from redshift_core.constants import size_text
from redshift_core.errors import InputError
from redshift_core.jobs.watch import status
from redshift_core.store import JobFolder, RunFolder, Store, read_only
from redshift_core.store.files import clear_left, clear_unpacked
from redshift_core.store.manifest import LOCK

LIMIT_NAME = "REDSHIFT_LAB_OUTPUTS_LIMIT"  # environment variable, such as 20 GB; none: no limit
DEFAULT_LIMIT = 5e9  # bytes that the outputs of ended short jobs may take together
STALE = 86_400.0  # s without a change after which a hidden file or folder is left over
HIDDEN = (".tmp-", ".new-", ".import-", ".deleted-")  # how names of what is being made begin
KINDS = {  # what people call it → folder of the store
    "datasets": "datasets", "runs": "runs", "searches": "tuning", "studies": "limits",
    "benches": "bench", "cached tables": "cache",
}  # fmt: skip
UNITS = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


@dataclass(frozen=True)
class Holding:
    """How much of one kind the store holds."""

    kind: str  # of ``KINDS``, or outputs
    count: int
    n_bytes: int


@dataclass(frozen=True)
class Output:
    """Files that a short job made for download."""

    job: JobFolder
    n_bytes: int
    made: float  # Unix time of the last of them, s


@dataclass(frozen=True)
class Cleaned:
    """What was removed."""

    jobs: tuple[str, ...] = ()  # ids of those whose outputs are gone
    leftovers: int = 0  # hidden files and folders
    n_bytes: int = 0  # of all of it

    def text(self) -> str:
        """What was removed, as a sentence."""
        if not self.jobs and not self.leftovers:
            return "There was nothing to remove."
        n, m = len(self.jobs), self.leftovers
        outputs = "the output of 1 job" if n == 1 else f"the outputs of {n:,} jobs"
        leftovers = "1 leftover" if m == 1 else f"{m:,} leftovers"
        parts = [outputs] * bool(n) + [leftovers] * bool(m)
        return f"Removed {' and '.join(parts)}: {size_text(self.n_bytes)}."


def outputs_limit() -> float:
    """Bytes that outputs may take: ``$REDSHIFT_LAB_OUTPUTS_LIMIT``, else 5 GB; inf for ``none``.

    Raises
    ------
    InputError
        Where the variable holds something else.
    """
    text = os.environ.get(LIMIT_NAME, "").strip()
    if not text:
        return DEFAULT_LIMIT
    if text.lower() == "none":
        return math.inf
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([kMGT]?B)", text, re.IGNORECASE)
    if match is None:
        raise InputError(
            f"{LIMIT_NAME} is {text!r}; it must be a size with its unit, such as 500 MB or 20 GB, "
            "or none."
        )
    return float(match.group(1)) * UNITS[match.group(2).upper()]


def holdings(store: Store) -> list[Holding]:
    """Counts and bytes of what there is, outputs of short jobs among it."""
    held = []
    for kind, part in KINDS.items():
        entries = [entry for entry in _entries(store.root / part) if entry.name[:1] != "."]
        held.append(Holding(kind, len(entries), sum(_scan(entry)[0] for entry in entries)))
    made = outputs(store)
    return [*held, Holding("outputs", len(made), sum(one.n_bytes for one in made))]


def outputs(store: Store) -> list[Output]:
    """Outputs of all short jobs, active ones too; the one made last comes last."""
    listed = []
    for job in store.jobs():
        n_bytes, made = _content(job.output)
        if n_bytes:
            listed.append(Output(job, n_bytes, made))
    return sorted(listed, key=lambda one: one.made)


def clean(store: Store) -> Cleaned:
    """Remove the outputs of every short job that has ended, and leftovers."""
    return _clean(store, _ended(outputs(store)), math.inf)


def keep_within_limit(store: Store) -> Cleaned:
    """Remove the oldest outputs while all together are above the limit, and leftovers.

    The newest of a job that has ended stays, however large: its user has yet to fetch it.
    """
    made = outputs(store)
    excess = sum(one.n_bytes for one in made) - outputs_limit()
    return _clean(store, _ended(made)[:-1] if excess > 0 else [], excess)


def clear_lost(job: JobFolder) -> None:
    """Remove what a job that was killed had begun to write, in the store and beside it.

    Only what processes of this machine wrote that are gone; what the job had finished stays.
    """
    if read_only.is_read_only():
        return
    clear_unpacked()
    with contextlib.suppress(OSError):
        job.room_path.unlink(missing_ok=True)
    for folder in (job.path, job.output, job.path / "checkpoint"):
        clear_left(folder)
    request = _request(job)
    if request.get("kind") == "catalogue":
        _clear_catalogue(Path(request.get("out", "")))
        return
    for asked in (request.get("out"), request.get("pdf")):
        if isinstance(asked, str):
            clear_left(Path(asked).parent, Path(asked).name)
    if request.get("kind") == "evaluate":
        clear_left(job.path.parents[1] / "runs" / str(request.get("run")) / "evaluations")


def _request(job: JobFolder) -> dict[str, Any]:
    """What a job was asked for; empty where that cannot be read."""
    with contextlib.suppress(InputError):
        return job.request
    return {}


def _clear_catalogue(out: Path) -> None:
    """As `clear_lost`, of parts that workers wrote; not while another job writes there."""
    lock = filelock.FileLock(out / LOCK)
    with contextlib.suppress(filelock.Timeout, OSError), lock.acquire(blocking=False):
        for part in out.rglob(".tmp-*"):
            with contextlib.suppress(OSError):
                part.unlink()


def _ended(made: list[Output]) -> list[Output]:
    return [one for one in made if not status(one.job).active]


def _clean(store: Store, made: list[Output], excess: float) -> Cleaned:
    """Remove the first of some outputs until so many bytes are gone, and leftovers."""
    read_only.refuse_writing()
    clear_unpacked()
    gone, n_bytes = [], 0
    for one in made:
        if n_bytes >= excess:
            break
        _remove(one.job.output)
        gone.append(one.job.id)
        n_bytes += one.n_bytes
    count, more = _remove_leftovers(store)
    return Cleaned(tuple(gone), count, n_bytes + more)


def _remove_leftovers(store: Store) -> tuple[int, int]:
    """Number and bytes of the hidden things removed that nobody has touched for a day."""
    oldest, count, n_bytes = time.time() - STALE, 0, 0
    for path in _hidden(store):
        size, changed = _content(path)
        if changed < oldest:
            _remove(path)
            count, n_bytes = count + 1, n_bytes + size
    return count + _remove_locks(store, oldest), n_bytes


def _remove_locks(store: Store, oldest: float) -> int:
    """Number of the files removed of folders' locks that earlier versions or kills have left."""
    count, names = 0, tuple(f"{part}-" for part in (*KINDS.values(), "jobs"))
    for entry in _entries(store.root / "locks"):
        if entry.name.startswith(names) and _scan(entry)[1] < oldest:
            with (
                contextlib.suppress(filelock.Timeout, OSError),
                filelock.FileLock(entry.path, blocking=False),
            ):
                os.unlink(entry.path)  # while it is held, see `store.files.lock_of`
                count += 1
    return count


def _hidden(store: Store) -> Iterator[Path]:
    """Hidden names in the store's folders, in theirs, and among the evaluations of runs."""
    for part in (*KINDS.values(), "jobs"):
        for entry in _entries(store.root / part):
            if entry.name.startswith(HIDDEN):
                yield Path(entry.path)
                continue
            inside = _entries(entry.path)
            yield from (Path(one.path) for one in inside if one.name.startswith(HIDDEN))
            if part == "runs" and any(one.name == "evaluations" for one in inside):
                RunFolder(Path(entry.path)).evaluations()  # ends replacements that were cut short
                among = _entries(os.path.join(entry.path, "evaluations"))
                yield from (Path(one.path) for one in among if one.name.startswith(HIDDEN))


def _remove(path: Path) -> None:
    """Remove a file or a folder; a folder vanishes at once, before its files go."""
    try:
        if path.is_dir() and not path.is_symlink():
            doomed = path.with_name(f".deleted-{path.name}-{time.time_ns()}")
            os.rename(path, doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        else:
            path.unlink()
    except FileNotFoundError:
        pass  # another process was quicker


def _entries(path: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _scan(entry: os.DirEntry[str]) -> tuple[int, float]:
    """Bytes of a file, or of a folder and all below it, and the time of the last change, s."""
    try:
        facts = entry.stat(follow_symlinks=False)
        is_folder = entry.is_dir(follow_symlinks=False)
    except FileNotFoundError:
        return 0, 0.0
    if not is_folder:
        return facts.st_size, facts.st_mtime
    n_bytes, changed = _content(entry.path)
    return n_bytes, max(changed, facts.st_mtime)


def _content(path: str | Path) -> tuple[int, float]:
    """Like `_scan`, for a path."""
    parts = [_scan(entry) for entry in _entries(path)]
    own = os.lstat(path) if os.path.lexists(path) else None
    n_bytes = sum(size for size, _ in parts)
    if own is None:
        return n_bytes, 0.0
    if not parts and not os.path.isdir(path):
        n_bytes = own.st_size
    return n_bytes, max([own.st_mtime, *(changed for _, changed in parts)])
