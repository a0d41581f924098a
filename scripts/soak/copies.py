"""A store of many runs: copies of a real one, whose large files are hard links."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TypeVar

from redshift_core.store import DatasetFolder, Folder, RunFolder, Store, write_json

F = TypeVar("F", bound=Folder)


def copy_runs(store: Store, run: RunFolder, n: int) -> list[RunFolder]:
    """Copies of an ended run with its evaluations, each with an id and a name of its own."""
    return [_copy(run, store.root / "runs", number) for number in range(n)]


def copy_datasets(store: Store, dataset: DatasetFolder, n: int) -> list[DatasetFolder]:
    """Copies of a dataset, each with an id and a name of its own."""
    return [_copy(dataset, store.root / "datasets", number) for number in range(n)]


def _copy(folder: F, part: Path, number: int) -> F:
    """Copy under an id that is as old as its number is large."""
    day, hour, minute = 1 + number // 1440 % 28, number // 60 % 24, number % 60
    path = part / f"202501{day:02}-{hour:02}{minute:02}00-copy-{number}"
    shutil.copytree(folder.path, path, copy_function=_link)
    copy = type(folder)(path)
    copy.info_path.unlink(missing_ok=True)  # another file from here on, not the linked one
    write_json(copy.info_path, {**folder.info, "name": f"copy {number}"})
    return copy


def _link(source: str, target: str) -> None:
    """Hard link to a file of a run that has ended, so never written to; JSON is copied."""
    if source.endswith(".json"):
        shutil.copy2(source, target)
    else:
        os.link(source, target)
