"""What was read of a file, remembered until the file changes; so a long list opens few files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Stamp = tuple[int, int, int, int]  # times of the last change of content and of facts, bytes, inode

SETTLED = 2_000_000_000  # ns since the last change: a file may change twice in a tick of its clock
_MOST = 16_384  # readings that are remembered
_known: dict[Any, tuple[Any, Any]] = {}  # what was read, and of which file → stamp, result


def remembered(read: Callable[..., T], path: Path, *more: Any) -> T:
    """``read(path, *more)``, or what that gave when it last read the file as it is now.

    Whoever gets the result must not change it. What cannot be read is tried again each time.
    """
    name = os.fspath(path)
    return unless_changed((read, name, more), (stamp_of(name),), lambda: read(path, *more))


def unless_changed(key: Any, stamps: tuple[Stamp | None, ...], read: Callable[[], T]) -> T:
    """What ``read()`` gives, or gave under this key when some files were as these stamps say."""
    known = _known.get(key)
    if known and known[0] == stamps:
        return known[1]
    result = read()
    latest = time.time_ns() - SETTLED
    if all(stamp is None or stamp[0] < latest for stamp in stamps):
        if len(_known) >= _MOST:
            _known.clear()
        _known[key] = stamps, result
    return result


def stamp_of(path: str | os.PathLike[str]) -> Stamp | None:
    """What tells a file from the same file before and after a change; None where there is none."""
    try:
        now = os.stat(path)
    except OSError:
        return None
    return now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_ino
