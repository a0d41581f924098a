"""One trial of a search: its rows, its training (with the loop of a run) and its score."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from redshift_core.data.scaling import Scaler, fit_scaler
from redshift_core.data.split import Split, new_split
from redshift_core.errors import InputError
from redshift_core.evaluation.metrics import METRICS
from redshift_core.learning.devices import Devices
from redshift_core.learning.training.job import Trainer
from redshift_core.learning.training.loop import Data, Loop, start_session
from redshift_core.learning.training.prepare import open_for, scaled_part, training_part
from redshift_core.learning.tuning.attempt import TakenError
from redshift_core.settings.run import RunConfig, ScalerConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.store import RunFolder, Stopped, Store, TuningFolder
from redshift_core.store.context import InnerContext
from redshift_core.store.faults import is_full

REASON_LENGTH = 500  # characters of an error message that are kept


class Rows:
    """Rows of a search, scaled once per scaler; the test rows are not read.

    All trials of a process share the scaled rows on its device.
    """

    def __init__(self, tuning: TuningFolder, config: TuningConfig, store: Store):
        self.store = store
        self.dataset = open_for(tuning, store, config.dataset)
        self.split = _split(tuning, config, self.dataset)
        self._scaled: dict[tuple[ScalerConfig, bool], tuple[Scaler, Data]] = {}

    def scaled(self, run: RunConfig, devices: Devices) -> tuple[Scaler, Data]:
        """Scaler fitted on the training rows, and the scaled data for the training loop."""
        key = (run.scaler, run.augmentation.active)
        if key not in self._scaled:
            scaler = fit_scaler(run.scaler, self.dataset.flux, self.split)
            train = training_part(run, self.dataset, scaler, self.split.train)
            val = scaled_part(self.dataset, scaler, self.split.val)
            self._scaled[key] = scaler, Data.place(train, val, devices)
        return self._scaled[key]


class TrialTrainer(Trainer):
    """Trainer that saves no weights, because a search compares networks and does not keep them."""

    def _save(self) -> None:
        pass

    def _calibrate(self) -> None:
        pass

    def _go_back(self) -> str:
        return ""

    def _close_epoch(self, val_loss: float, val_mae: float) -> None:
        super()._close_epoch(val_loss, val_mae)
        self.context.report(epochs_done=self.progress.epoch, now=True)


def do_trial(
    config: TuningConfig,
    folder: RunFolder,
    epochs: int,
    rows: Rows,
    devices: Devices,
    tell: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Train the run whose settings stand in a trial's folder.

    Parameters
    ----------
    tell : callable
        Takes all that is known of the progress so far, whenever there is something new.

    Returns
    -------
    dict
        See `train_trial`; or ``failed`` alone, with the reason in a sentence.

    Raises
    ------
    Stopped, TakenError
        If the user stops the search, or another process has begun the trial again.
    FullDiskError
        Where the disk is full, which is no fault of the trial: the search ends and can go on.
    """
    progress: dict[str, Any] = {}

    def add(new: dict[str, Any]) -> None:
        progress.update(new)
        tell(progress)

    context = InnerContext(folder, rows.store, add, should_stop)
    try:
        run = trial_run(config, folder.config, epochs)
        return train_trial(config, run, folder, rows, devices, context)
    except (Stopped, TakenError):
        raise
    except Exception as error:
        if is_full(error):
            raise
        return {"failed": reason(error)}


def reason(error: Exception) -> str:
    """One sentence on why a trial failed; the traceback goes to the log."""
    if isinstance(error, InputError):
        return str(error)
    traceback.print_exc()
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "Out of memory: the network or its batch is too large for this machine."
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:REASON_LENGTH]


def train_trial(
    config: TuningConfig,
    run: RunConfig,
    folder: RunFolder,
    rows: Rows,
    devices: Devices,
    context: InnerContext,
) -> dict[str, float]:
    """Train the run of a trial, once per repeat, and write its history.

    Returns
    -------
    dict
        The objective and ``val_mae``, means over the repeats, both at the epoch of the lowest
        validation MAE; ``epochs`` done (of the longest repeat); ``seconds``.

    Raises
    ------
    Stopped
        If the user stops the search.
    InputError
        If the training diverges.
    """
    begin, results = time.monotonic(), []
    for repeat in range(config.repeats):
        where = RunFolder(folder.path / f"repeat_{repeat + 1}") if repeat else folder
        where.path.mkdir(exist_ok=True)
        again = run.with_values({"seed": run.seed + repeat})
        results.append(_train(config.objective, again, where, rows, devices, context))
    mean = {name: float(np.mean([one[name] for one in results])) for name in results[0]}
    mean["epochs"] = max(one["epochs"] for one in results)
    return {**mean, "seconds": time.monotonic() - begin}


def trial_run(config: TuningConfig, run: RunConfig, epochs: int) -> RunConfig:
    """Run of a trial: its ``config.json``, with the number of epochs that the search chose."""
    return run.with_values(
        {"epochs": epochs, "early_stopping": config.early_stopping, "keep": "best"}
    )


def _train(
    objective: str,
    run: RunConfig,
    folder: RunFolder,
    rows: Rows,
    devices: Devices,
    context: InnerContext,
) -> dict[str, float]:
    start_session(devices)  # forget the network before this one
    scaler, data = rows.scaled(run, devices)
    loop = Loop(run, scaler, data, devices)
    trainer = TrialTrainer(context, folder, run, loop, None)
    if trainer.train()["stopped"]:
        raise Stopped
    val_mae = trainer.progress.best_val_mae
    score = val_mae
    if objective != "val_mae":
        score = abs(METRICS[objective](*loop.validation_redshifts(trainer.kept)))
    return {objective: score, "val_mae": val_mae, "epochs": trainer.progress.epoch}


def _split(tuning: TuningFolder, config: TuningConfig, dataset: Any) -> Split:
    """Split by the base settings, with only the share of the training rows that trials see."""
    if tuning.split_path.exists():
        return Split.load(tuning.split_path)
    split = new_split(config.base.split, dataset)
    n = max(1, round(config.train_share * len(split.train)))
    if n < len(split.train):
        chosen = np.random.default_rng(config.seed).choice(split.train, n, replace=False)
        split = Split(chosen, split.val, split.test)
    split.save(tuning.split_path)
    return split
