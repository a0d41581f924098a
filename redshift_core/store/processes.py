"""Whether the process that once wrote its number down is still at work."""

from __future__ import annotations

import psutil


def own_memory() -> int:
    """Memory that this process holds now, in bytes."""
    return psutil.Process().memory_info().rss


def exists(pid: int) -> bool:
    """Whether a process of this machine has that number and has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def is_alive(pid: int, started: float) -> bool:
    """Whether a process of this machine still runs; a pid that was given again is another one.

    Parameters
    ----------
    started : float
        Unix time at which the process started, s.
    """
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < 1.0
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
