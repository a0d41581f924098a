"""What a list says of runs that have ended, kept in the store's cache for the next process.

A list of a thousand runs rests on eight thousand files. Those of a run that has ended hardly ever
change, so a line is taken as it was while each of its files is the same by `stamp_of`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redshift_core.errors import InputError
from redshift_core.store import read_only
from redshift_core.store.damage import damage, looked_at
from redshift_core.store.files import atomic, read_json
from redshift_core.store.folders import RunFolder
from redshift_core.store.remembered import SETTLED, stamp_of
from redshift_core.store.store import Store, comes_or_goes

VERSION = 1  # of the lines; another one makes them anew
ENDED = ("finished", "stopped", "failed")  # states that only a change of a file can end


def lines_of_runs(
    store: Store, line_of: Callable[[RunFolder], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[tuple[RunFolder, str]]]:
    """Line of each run, newest first, and the runs that cannot be used, each with the reason.

    Parameters
    ----------
    line_of : callable
        What the list says of a run: ``state``, ``dataset`` and other values that JSON holds.
    """
    path = store.cache / "runs.json"
    kept, now = _read(path), {}
    lines, damaged = [], []
    for run in store.folders("runs"):
        line, stamps = kept.get(run.id, ({}, ""))
        if line and stamps == _stamps(run, line["dataset"])[0]:
            now[run.id] = line, stamps
        elif why := damage(run):
            damaged += [] if comes_or_goes(run) else [(run, why)]
            continue
        else:
            line = line_of(run)
            stamps, changed = _stamps(run, line["dataset"])
            if line["state"] in ENDED and changed <= time.time_ns() - SETTLED:
                now[run.id] = line, stamps
        lines.append(line)
    if now != kept:
        _write(path, now)
    return lines, damaged


def _stamps(run: RunFolder, dataset: str) -> tuple[str, int]:
    """What tells the files of a line from what they were, and when one changed last, ns."""
    root, metrics = os.fspath(run.path), f"evaluations/{dataset}/metrics.json"
    names = (*looked_at(run), "status.json", metrics)
    stamps = [stamp_of(f"{root}/{name}") for name in names]
    return repr(stamps), max((max(stamp[:2]) for stamp in stamps if stamp), default=0)


def _read(path: Path) -> dict[str, Any]:
    """Lines and stamps by the id of the run; empty where nothing usable is kept."""
    if not path.exists():
        return {}
    with contextlib.suppress(InputError, AttributeError, KeyError, TypeError, ValueError):
        found = read_json(path)
        if found["version"] == VERSION:
            return {
                name: (line, stamps)
                for name, (line, stamps) in found["runs"].items()
                if {"id", "state", "dataset"} <= line.keys()
            }
    return {}


def _write(path: Path, now: dict[str, Any]) -> None:
    """Keep the lines where something may be written; without them the next list takes longer."""
    if read_only.is_read_only():
        return
    with contextlib.suppress(InputError, OSError), atomic(path) as part:
        part.write_text(json.dumps({"version": VERSION, "runs": now}), encoding="utf-8")
