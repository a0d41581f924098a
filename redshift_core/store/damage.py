"""Whether a folder of the store can be used, and if not, which file is wrong and what to do.

Only what stands in the folder itself is looked at: a model, an evaluation or an array inside a
spectrum that cannot be read says so when it is opened, and takes nothing else with it. The state of
a job is no damage either: a ``status.json`` that cannot be read makes it *lost*, see `jobs.status`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redshift_core.constants import N_PIXELS
from redshift_core.errors import DamagedError, InputError
from redshift_core.store import shapes
from redshift_core.store.faults import sentence
from redshift_core.store.files import read_json
from redshift_core.store.folders import (
    DatasetFolder,
    Folder,
    JobFolder,
    LongFolder,
    RunFolder,
    TuningFolder,
)
from redshift_core.store.remembered import remembered, stamp_of, unless_changed
from redshift_core.store.study_folders import BenchFolder, LimitFolder

FOREIGN = "It is no {} of Redshift Lab: move it elsewhere, bring {} back, or delete it."


def damage(folder: Folder) -> str:
    """What is wrong with a folder, in a sentence; empty where nothing is.

    The answer is remembered until a file of the folder changes.
    """
    root = os.fspath(folder.path)
    stamps = tuple(stamp_of(f"{root}/{name}") for name in looked_at(folder))
    return unless_changed((type(folder), root), stamps, lambda: _damage(folder))


def looked_at(folder: Folder) -> tuple[str, ...]:
    """Names of the files, within its folder, that `damage` rests on."""
    names = _FILES[type(folder)]
    if isinstance(folder, BenchFolder):
        names = (*names, *(f"rows/{path.name}" for path in sorted(folder.path.glob("rows/*.json"))))
    return names


def _damage(folder: Folder) -> str:
    try:
        _CHECKS[type(folder)](folder)
    except InputError as error:
        return str(error)
    except OSError as error:  # it was deleted meanwhile, or may not be read
        plain = f"{folder.path} cannot be read: {error.strerror}. Check who may read it."
        return sentence(error, folder.path) or plain
    return ""


def _check_dataset(folder: DatasetFolder) -> None:
    _check_whole(folder.info_path, "dataset")
    n_rows = folder.info["n_rows"]
    for path in (folder.flux_path, folder.catalogue_path):
        if not path.exists():
            raise DamagedError.of(path, "it is missing", _READ_AGAIN)
    if _first(folder.flux_path) != b"\x93NUM":
        raise DamagedError.of(folder.flux_path, "it holds no array of fluxes", _READ_AGAIN)
    if folder.flux_path.stat().st_size < 4 * N_PIXELS * n_rows:
        raise DamagedError.of(
            folder.flux_path, f"it is shorter than {n_rows:,} spectra", _READ_AGAIN
        )
    if {_first(folder.catalogue_path), _last(folder.catalogue_path)} != {b"PAR1"}:
        raise DamagedError.of(folder.catalogue_path, "it holds no whole table", _READ_AGAIN)


def _check_job(folder: JobFolder) -> None:
    _check_whole(folder.request_path, "job")
    request = folder.request
    shapes.check_request(folder.request_path, request)
    result = folder.result
    try:
        finished = read_json(folder.status_path).get("state") == "finished"
    except DamagedError:
        finished = False
    if finished:
        shapes.check_result(folder.result_path, result, request["kind"])


def _check_long(folder: Any) -> None:
    """What runs, searches, studies and benches have alike."""
    _check_whole(folder.config_path, WORDS[type(folder)])
    for name in ("info", "config", "environment", "request", "result"):
        getattr(folder, name)


def _check_run(folder: RunFolder) -> None:
    _check_long(folder)
    with contextlib.suppress(FileNotFoundError):
        if remembered(_first, folder.history_path) != b"epoc":
            raise DamagedError.of(folder.history_path, "it holds no table of epochs")


def _check_tuning(folder: TuningFolder) -> None:
    _check_long(folder)
    _ = folder.trials


def _check_limit(folder: LimitFolder) -> None:
    _check_long(folder)
    plan = read_json(folder.plan_path)
    if plan:
        shapes.check(folder.plan_path, plan, {"passes": int, "rate": (int, float, type(None))})
    _ = folder.rows, folder.recipes, folder.outcome


def _check_bench(folder: BenchFolder) -> None:
    _check_long(folder)
    for path in sorted(folder.path.glob("rows/*.json")):
        folder.row(path.stem)
    _ = folder.outcome


def _check_whole(path: Path, word: str) -> None:
    """Refuse a folder that lacks the file without which it is nothing."""
    if not path.exists():
        raise DamagedError.of(path, "it is missing", FOREIGN.format(word, path.name))


def _first(path: Path) -> bytes:
    """First four bytes of a file."""
    with open(path, "rb", buffering=0) as file:
        return file.read(4)


def _last(path: Path) -> bytes:
    """Last four bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4))
        return file.read(4)


_READ_AGAIN = "Delete the dataset and read its file in again, or bring it back from a copy."
WORDS: dict[type[LongFolder], str] = {
    RunFolder: "run", TuningFolder: "search", LimitFolder: "study", BenchFolder: "bench",
}  # fmt: skip
_OF_LONG = ("config.json", "meta.json", "environment.json", "request.json", "result.json")
_FILES: dict[type[Folder], tuple[str, ...]] = {  # what the checks below look at
    DatasetFolder: ("dataset.json", "flux.npy", "catalogue.parquet"),
    JobFolder: ("request.json", "result.json", "status.json"),
    RunFolder: (*_OF_LONG, "history.csv"),
    TuningFolder: (*_OF_LONG, "trials.json"),
    LimitFolder: (*_OF_LONG, "plan.json", "rows.json", "recipes.json", "limit.json"),
    BenchFolder: (*_OF_LONG, "output/bench.json"),
}
_CHECKS: dict[type[Folder], Callable[[Any], None]] = {
    DatasetFolder: _check_dataset, JobFolder: _check_job, RunFolder: _check_run,
    TuningFolder: _check_tuning, LimitFolder: _check_limit, BenchFolder: _check_bench,
}  # fmt: skip
