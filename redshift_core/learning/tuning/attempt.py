"""What a worker process of Dask does: one attempt at a trial, afresh.

It finds the settings of the trial in its folder, and leaves the curve and the progress there. A
worker may be silent and alive: its trial is begun again elsewhere, and both have the same folder.
So every attempt signs the folder when it begins, and one that finds another signature, or none,
ends before it writes. What it could still write between a look and a write, the attempt that counts
replaces after its next epoch; figures reach trials.json by the search process alone.
"""

from __future__ import annotations

import os
import platform
import random
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from redshift_core.errors import InputError
from redshift_core.store import RunFolder, Stopped, Store, TuningFolder, read_json, write_json
from redshift_core.store.context import STATUS_INTERVAL
from redshift_core.store.faults import FullDiskError

SIGNATURE, PROGRESS, ANSWER = "attempt.json", "progress.json", "answer.json"

_one_trial = threading.Lock()  # TensorFlow's session belongs to the process, not to a thread of it
_opened: dict[str, Any] = {}  # of this process: its devices, and the rows of its latest search


class TakenError(RuntimeError):
    """The trial was begun again, so this attempt at it does not count."""


class Attempt:
    """The attempt of this process at a trial; it begins afresh whatever others have left."""

    def __init__(self, folder: RunFolder, stop_path: Path):
        self.folder, self.stop_path = folder, stop_path
        before = read_json(folder.path / SIGNATURE).get("number", 0)
        self.facts = {"attempt": secrets.token_hex(8), "worker": process_name()}
        self.facts["number"] = before + 1  # of the attempts since the search gave the trial out
        self._written, self._epochs = 0.0, 0
        write_json(folder.path / SIGNATURE, {**self.facts, "started": time.time()})
        _forget_training(folder)  # of an attempt that has found the new signature, or is dead

    def check(self) -> None:
        """Raise TakenError where the trial was begun again."""
        if read_json(self.folder.path / SIGNATURE).get("attempt") != self.facts["attempt"]:
            raise TakenError("Another process has begun this trial again.")

    def should_stop(self) -> bool:
        """Whether the user stops the search; raises TakenError as `check` does."""
        self.check()
        return self.stop_path.exists()

    def tell(self, progress: dict[str, Any]) -> None:
        """Leave the progress for the search process, now and then and after every epoch."""
        epochs = progress.get("epochs_done", 0)
        if epochs == self._epochs and time.monotonic() - self._written < STATUS_INTERVAL:
            return
        self._epochs = epochs
        self.check()
        write_json(self.folder.path / PROGRESS, {**progress, **self.facts})
        self._written = time.monotonic()


def clear(folder: RunFolder) -> None:
    """Remove whatever attempts have left, so that those still at it end."""
    sweep(folder)
    _forget_training(folder)


def sweep(folder: RunFolder) -> None:
    """Remove what only the search reads; it alone does, so that it never finds half of it."""
    for name in (SIGNATURE, PROGRESS, ANSWER):
        (folder.path / name).unlink(missing_ok=True)


def _forget_training(folder: RunFolder) -> None:
    folder.history_path.unlink(missing_ok=True)
    for repeat in folder.path.glob("repeat_*"):
        shutil.rmtree(repeat, ignore_errors=True)


def look(folder: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    """Signature of the attempt that counts, and its progress; empty where there is none yet."""
    signature = read_json(folder.path / SIGNATURE)
    progress = read_json(folder.path / PROGRESS)
    return signature, progress if progress.get("attempt") == signature.get("attempt") else {}


def process_name() -> str:
    """Name of this process among those of all machines, as a table shows it."""
    return f"{platform.node()}:{os.getpid()}"


def train_one(path: str, name: str, epochs: int, threads: int) -> dict[str, Any]:
    """Task of a worker: train one trial.

    Parameters
    ----------
    path : str
        Folder of the search, the same on every machine.
    threads : int
        CPU threads; 0: every core that the process may use.

    Returns
    -------
    dict
        See `redshift_core.learning.tuning.trial.do_trial`; empty where the user stops the search.
    """
    from redshift_core.learning.tuning.trial import do_trial

    tuning = TuningFolder(Path(path))
    if not tuning.config_path.exists():
        return {
            "failed": f"Worker {process_name()} does not see {path}: every machine must have the "
            "store (REDSHIFT_LAB_HOME) under the same path."
        }

    def train(attempt: Attempt) -> dict[str, Any]:
        config, rows, devices = _open(tuning, threads)
        folder, stop = attempt.folder, attempt.should_stop
        return do_trial(config, folder, epochs, rows, devices, attempt.tell, stop)

    with _one_trial:
        return answer_of(tuning, name, train)


def answer_of(
    tuning: TuningFolder, name: str, train: Callable[[Attempt], dict[str, Any]]
) -> dict[str, Any]:
    """Answer of a new attempt, or of one whose worker has died since, with the answer."""
    folder = tuning.trial(name)
    if answer := read_json(folder.path / ANSWER):
        return answer
    attempt = Attempt(folder, tuning.stop_path)
    try:
        answer = train(attempt)
    except Stopped:
        return {}
    except FullDiskError:  # no fault of the trial; the search ends and can go on
        raise
    except InputError as error:
        answer = {"failed": str(error)}
    attempt.check()
    write_json(folder.path / ANSWER, answer)
    return answer


def _open(tuning: TuningFolder, threads: int) -> tuple[Any, Any, Any]:
    """Settings and rows of a search, and the devices of this process; the latter two are kept."""
    from redshift_core.learning.devices import open_devices
    from redshift_core.learning.tuning.trial import Rows

    keep_random()
    config = tuning.config
    training = replace(config.base.training, threads=threads)
    wanted = (training.device, training.threads, training.precision)
    if _opened.setdefault("wanted", wanted) != wanted:
        raise InputError(
            f"Worker {process_name()} has opened its devices with other settings of device, "
            "threads or precision for an earlier search; start the Dask workers again."
        )
    if "devices" not in _opened:
        _opened["devices"] = open_devices(training)
    if _opened.get("tuning") != tuning.path:
        _opened["rows"] = Rows(tuning, config, Store(tuning.path.parent.parent))
        _opened["tuning"] = tuning.path
    return config, _opened["rows"], _opened["devices"]


def keep_random() -> None:
    """Keep Python's ``random``, which Keras draws the seeds of a network from, to the training.

    Dask's threads draw from it, too, at any moment: so the same trial would begin with other
    weights. They get a generator of their own.
    """
    own = random.Random()
    for name, module in list(sys.modules.items()):
        is_dasks = name.partition(".")[0] in ("dask", "distributed", "tornado")
        if is_dasks and getattr(module, "random", None) is random:
            module.random = own
