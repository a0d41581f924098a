"""The trials of a search: which begins next, and what became of those that began."""

from __future__ import annotations

import time
from typing import Any

from redshift_core.jobs.dask_client import RETRIES
from redshift_core.learning.tuning.oracle import OWN, open_oracle
from redshift_core.learning.tuning.trial_log import TrialLog
from redshift_core.settings.search import TuningConfig
from redshift_core.store import TuningFolder

FAILURE_LIMIT = 5  # failures in a row that end a search, since they probably share one cause


class Search:
    """Asks the oracle for trials and keeps the record of them, from which it can be made again.

    What was under way when its process ended is done again first, with the same values.
    """

    def __init__(self, tuning: TuningFolder, config: TuningConfig):
        self.config = config
        self.log = TrialLog(tuning, config)
        self.oracle = open_oracle(config, self.log.entries.values())
        self.closed = ""  # why no further trial begins
        self.failed = False  # whether the reason is a failure
        self.n_failed = 0  # failures in a row
        self.deadline = time.monotonic() + 3600 * config.hours if config.hours else float("inf")
        under_way = list(self.oracle.ongoing_trials)
        self.waiting = [name for name in under_way if self._is_tried_again(name)]

    def begin(self, worker: str = "") -> tuple[str, int] | None:
        """Begin a trial; its name and epochs, or None where none can begin now."""
        if not self.closed and time.monotonic() > self.deadline:
            self.closed = "the time limit was reached"
        if self.closed:
            return None
        if self.waiting:
            name = self.waiting.pop(0)
            values = self.oracle.trials[name].hyperparameters.values
        elif len(self.oracle.trials) >= self.config.trials:
            self.closed = "all trials are done"
            return None
        elif (chosen := self.oracle.choose()) is None:
            self.closed = "every combination was tried" if self.oracle.exhausted else ""
            return None
        else:
            name, values = chosen
        self.log.begin(name, values, worker)
        return name, int(values.get(f"{OWN}epochs", self.config.epochs))  # Hyperband's own

    def end(self, name: str, answer: dict[str, Any]) -> None:
        """Take what a training gave; too many failures in a row close the search.

        Parameters
        ----------
        answer : dict
            See `redshift_core.learning.tuning.trial.do_trial`.
        """
        failed = answer.get("failed")
        self.oracle.close(name, None if failed else answer[self.config.objective])
        self.log.end(name, answer)
        self.n_failed = self.n_failed + 1 if failed else 0
        if self.n_failed >= FAILURE_LIMIT:
            self.failed = True
            self.closed = f"{self.n_failed} trials in a row failed. The last failure was: {failed}"

    def _is_tried_again(self, name: str) -> bool:
        """Queue an interrupted trial again, unless its process has died too often."""
        entry = self.log.entries[name]
        n_lost = entry["retries"] + (entry["state"] == "running")
        if n_lost <= RETRIES:
            self.log.queue(name, n_lost)
            return True
        self.oracle.close(name, None)
        self.log.end(name, {"failed": lost(n_lost)})
        return False


def lost(n: int) -> str:
    """Reason of a trial that has ended its process so often."""
    return f"Its process died {n} times (it was killed or ran out of memory), so it is left out."
