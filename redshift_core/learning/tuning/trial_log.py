"""trials.json: the record of every trial of a search, in the order in which they began.

The process that holds the oracle rewrites the file after every change. A trial is ``running``,
``finished``, ``failed``, ``stopped`` by the user, or ``queued`` to be done again.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from keras_tuner.engine.trial import Trial

from redshift_core.settings.layers import n_parameters
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import fixed, run_config
from redshift_core.store import JobContext, TuningFolder, write_json
from redshift_core.store.records import dicts

ENDED = ("finished", "failed")
OWN = "tuner/"  # prefix of the values that KerasTuner adds for itself


def read_trial(
    config: TuningConfig, trial: Trial
) -> tuple[dict[str, Any], RunConfig, tuple[str, ...]]:
    """Values of a trial's parameters, its run, and what was left out so that its layers fit."""
    values = trial.hyperparameters.values
    values = {name: value for name, value in values.items() if not name.startswith(OWN)}
    run, repaired = run_config(config.base, {**fixed(config.space), **values})
    return values, run, repaired


class TrialLog:
    """Entries of trials.json; its methods may be called from several threads."""

    def __init__(self, tuning: TuningFolder, config: TuningConfig):
        self.tuning, self.config = tuning, config
        self.entries = {one["trial"]: one for one in dicts(tuning.trials)}
        self._under_way: dict[str, dict[str, Any]] = {}  # trial → its latest progress
        self._lock = threading.RLock()

    def begin(self, trial: Trial, worker: str) -> None:
        """Record that a worker begins a trial, for the first time or again."""
        values, run, repaired = read_trial(self.config, trial)
        folder = self.tuning.trial(trial.trial_id)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.history_path.unlink(missing_ok=True)
        write_json(folder.config_path, run.to_dict())
        with self._lock:
            before = self.entries.get(trial.trial_id, {})
            self.entries[trial.trial_id] = {
                "trial": trial.trial_id,
                "state": "running",
                "values": values,
                "score": None,
                "val_mae": None,
                "epochs": 0,
                "seconds": 0.0,
                "n_parameters": n_parameters(run.model, run.scaler.name),
                "worker": worker,
                "started": time.time(),
                "message": "",
                "repaired": repaired,
                "retries": before.get("retries", 0),
            }
            self._under_way[trial.trial_id] = {}
            self._write()

    def progress(self, name: str, progress: dict[str, Any]) -> None:
        """Record the progress of a running trial."""
        with self._lock:
            entry = self.entries.get(name)
            if entry is None or entry["state"] != "running":
                return
            self._under_way[name] = dict(progress)
            done = progress.get("epochs_done", 0)
            if done != entry["epochs"]:
                entry |= {"epochs": done, "val_mae": progress.get("val_mae")}
                entry["seconds"] = time.time() - entry["started"]
                self._write()

    def end(self, trial: Trial) -> None:
        """Record how a trial ended."""
        with self._lock:
            entry = self.entries[trial.trial_id]
            entry["state"] = "finished" if trial.status == "COMPLETED" else "failed"
            entry["message"] = trial.message or ""
            if trial.status == "COMPLETED":
                measured = {n: trial.metrics.get_last_value(n) for n in trial.metrics.metrics}
                entry["score"] = float(trial.score)
                entry |= {name: float(measured[name]) for name in ("val_mae", "seconds")}
                entry["epochs"] = int(measured["epochs"])
            else:
                entry["seconds"] = time.time() - entry["started"]
            self._under_way.pop(trial.trial_id, None)
            self._write()

    def queue(self, name: str, lost: bool) -> None:
        """Record that a trial will be done again; ``lost`` says that its process died."""
        with self._lock:
            entry = self.entries[name]
            entry |= {"state": "queued", "retries": entry["retries"] + int(lost)}
            self._under_way.pop(name, None)
            self._write()

    def stop(self) -> None:
        """Record that the user stopped the running and queued trials."""
        with self._lock:
            for entry in self.entries.values():
                if entry["state"] in ("running", "queued"):
                    entry["state"] = "stopped"
            self._under_way.clear()
            self._write()

    def best(self) -> dict[str, Any] | None:
        """Finished trial with the lowest score."""
        with self._lock:
            finished = [one for one in self.entries.values() if one["state"] == "finished"]
            return min(finished, key=lambda one: one["score"], default=None)

    def count(self, *states: str) -> int:
        """Number of trials in one of these states."""
        with self._lock:
            return sum(one["state"] in states for one in self.entries.values())

    def report(self, context: JobContext, n_workers: int, now: bool = False) -> None:
        """Report the progress of the search: the ended trials and the latest trial."""
        with self._lock:
            ended, total, best = self.count(*ENDED), self.config.trials, self.best()
            running = list(self._under_way)
            name = running[-1] if running else None
            detail = self._under_way[name] if name else {}
            shares = [_share(one) for one in self._under_way.values()]
            number = list(self.entries).index(name) + 1 if name else ended
            message = f"Trial {number} of {total}"
            if detail.get("epoch"):
                message += f", epoch {detail['epoch']} of {detail['epochs']}"
            if len(running) > 1:
                message += f"; {len(running)} in progress"
            keys = ("epoch", "epochs", "step", "steps", "rate")
            context.report(
                done=ended + sum(shares),
                total=total,
                message=f"{message}.",
                now=now,
                trial=name,
                trials=total,
                best=best["score"] if best else None,
                seconds_left=self._seconds_left(ended, sum(shares), n_workers),
                **{key: detail.get(key) for key in keys},
            )

    def _seconds_left(self, ended: int, under_way: float, n_workers: int) -> float | None:
        times = [one["seconds"] for one in self.entries.values() if one["state"] == "finished"]
        if not times:
            return None
        left = max(self.config.trials - ended - under_way, 0.0)
        return left * sum(times) / len(times) / n_workers

    def _write(self) -> None:
        write_json(self.tuning.trials_path, list(self.entries.values()))


def _share(progress: dict[str, Any]) -> float:
    """Share of a trial that is done, from 0 to 1."""
    return min(progress["done"] / progress["total"], 1.0) if progress.get("total") else 0.0
