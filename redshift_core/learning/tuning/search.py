"""The loop over the trials of a search, in a single process or in a worker.

This loop asks the oracle directly, because KerasTuner's own loop (``BaseTuner.search``) cannot be
stopped inside a trial, asks an idle oracle without a pause, and reports failures as tracebacks.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from keras_tuner.engine.trial import Trial, TrialStatus

from redshift_core.errors import InputError
from redshift_core.learning.devices import Devices
from redshift_core.learning.tuning.trial import Rows, train_trial, trial_run
from redshift_core.learning.tuning.trial_log import read_trial
from redshift_core.settings.search import TuningConfig
from redshift_core.store import Stopped, TuningFolder
from redshift_core.store.context import InnerContext

IDLE_SECONDS = 0.5  # s between two requests to an oracle that waits for other workers
REASON_LENGTH = 500  # characters of an error message that are kept

Tell = Callable[[str, dict[str, Any]], None]


class NotMine(Exception):  # noqa: N818 - not an error
    """The trial was given to another worker because this one was silent for too long."""


class Oracle(Protocol):
    """The methods of KerasTuner's oracle, or of the chief that serves it, that a search uses."""

    def create_trial(self, tuner_id: str) -> Trial: ...  # noqa: D102

    def update_trial(self, trial_id: str, metrics: dict[str, float]) -> Any: ...  # noqa: D102

    def end_trial(self, trial: Trial) -> None: ...  # noqa: D102


class Searcher:
    """Trains the trials of a search in this process."""

    def __init__(
        self,
        tuning: TuningFolder,
        config: TuningConfig,
        rows: Rows,
        devices: Devices,
        tell: Tell,
        should_stop: Callable[[], bool],
    ):
        self.tuning, self.config, self.rows, self.devices = tuning, config, rows, devices
        self.tell, self.should_stop = tell, should_stop

    def search(self, oracle: Oracle, worker: str) -> None:
        """Do trials until the oracle has none left.

        Raises
        ------
        Stopped
            If the user stops the search.
        """
        while not self.should_stop():
            trial = oracle.create_trial(worker)
            if trial.status == TrialStatus.STOPPED:
                return
            if trial.status == TrialStatus.IDLE:
                time.sleep(IDLE_SECONDS)
                continue
            try:
                self._do(oracle, trial)
            except NotMine:
                continue
        raise Stopped

    def _do(self, oracle: Oracle, trial: Trial) -> None:
        try:
            metrics = self._train(trial)
        except (Stopped, NotMine, ConnectionError):
            raise
        except Exception as error:
            trial.status, trial.message = TrialStatus.FAILED, reason(error)
        else:
            oracle.update_trial(trial.trial_id, metrics)
            trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)

    def _train(self, trial: Trial) -> dict[str, float]:
        epochs = trial.hyperparameters.values.get("tuner/epochs", self.config.epochs)  # Hyperband's
        _, run, _ = read_trial(self.config, trial)
        folder = self.tuning.trial(trial.trial_id)
        progress: dict[str, Any] = {}

        def tell(new: dict[str, Any]) -> None:
            progress.update(new)
            self.tell(trial.trial_id, progress)

        return train_trial(
            self.config,
            trial_run(self.config, run, epochs),
            folder,
            self.rows,
            self.devices,
            InnerContext(folder, self.rows.store, tell, self.should_stop),
        )


def reason(error: Exception) -> str:
    """One sentence on why a trial failed; the traceback goes to the log."""
    if isinstance(error, InputError):
        return str(error)
    traceback.print_exc()
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "Out of memory: the network or its batch is too large for this machine."
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:REASON_LENGTH]
