"""trials.json: the record of every trial of a search, in the order in which they began.

The search process rewrites the file after every change, and what it knows of a trial stands there.
A trial is ``running``, ``finished``, ``failed``, ``stopped`` by the user, or ``queued`` to be done
again.
"""

from __future__ import annotations

import time
from typing import Any

from redshift_core.learning.tuning import attempt
from redshift_core.learning.tuning.oracle import plain
from redshift_core.settings.layers import n_parameters
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import fixed, run_config
from redshift_core.store import JobContext, TuningFolder, write_json
from redshift_core.store.records import dicts

ENDED = ("finished", "failed")
LEAST_SHARE = 0.05  # of a trial that must be done before the search's time is judged by it


class TrialLog:
    """Entries of trials.json."""

    def __init__(self, tuning: TuningFolder, config: TuningConfig):
        self.tuning, self.config = tuning, config
        self.entries = {one["trial"]: one for one in dicts(tuning.trials)}
        self._under_way: dict[str, dict[str, Any]] = {}  # trial → its latest progress

    def begin(self, name: str, values: dict[str, Any], worker: str = "") -> None:
        """Record that a trial begins, for the first time or again, and write its settings."""
        values = plain(values)
        run, repaired = run_config(self.config.base, {**fixed(self.config.space), **values})
        folder = self.tuning.trial(name)
        folder.path.mkdir(parents=True, exist_ok=True)
        attempt.clear(folder)
        write_json(folder.config_path, run.to_dict())
        self.entries[name] = {
            "trial": name,
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
            "retries": self.entries.get(name, {}).get("retries", 0),
        }
        self._under_way[name] = {}
        self._write()

    def follow(self, name: str) -> None:
        """Record which process is at a trial, and what it left of its progress."""
        signature, progress = attempt.look(self.tuning.trial(name))
        entry, known = self.entries[name], self._under_way[name]
        if signature and signature["attempt"] != known.get("attempt"):
            again = signature["number"] - known.get("number", 1)
            entry |= {"worker": signature["worker"], "started": signature["started"]}
            entry |= {"retries": entry["retries"] + again, "epochs": 0}
            self._write()
        self.progress(name, signature | progress)

    def progress(self, name: str, progress: dict[str, Any]) -> None:
        """Record the progress of a running trial."""
        self._under_way[name] = dict(progress)
        entry, done = self.entries[name], progress.get("epochs_done", 0)
        if done != entry["epochs"]:
            entry |= {"epochs": done, "val_mae": progress.get("val_mae")}
            entry["seconds"] = time.time() - entry["started"]
            self._write()

    def end(self, name: str, answer: dict[str, Any]) -> None:
        """Record the figures of a trial, or why it ``failed``."""
        entry = self.entries[name]
        if failed := answer.get("failed"):
            entry |= {"state": "failed", "message": failed}
            entry["seconds"] = time.time() - entry["started"]
        else:
            entry |= {"state": "finished", "score": float(answer[self.config.objective])}
            entry |= {key: float(answer[key]) for key in ("val_mae", "seconds")}
            entry["epochs"] = int(answer["epochs"])
        self._under_way.pop(name, None)
        self._write()
        attempt.sweep(self.tuning.trial(name))

    def queue(self, name: str, retries: int) -> None:
        """Record that a trial will be done again, whose process has died so often."""
        self.entries[name] |= {"state": "queued", "retries": retries}
        self._write()

    def stop(self) -> None:
        """Record that the user stopped the running and queued trials."""
        for entry in self.entries.values():
            if entry["state"] in ("running", "queued"):
                entry["state"] = "stopped"
        self._under_way.clear()
        self._write()

    def best(self) -> dict[str, Any] | None:
        """Finished trial with the lowest score."""
        finished = [one for one in self.entries.values() if one["state"] == "finished"]
        return min(finished, key=lambda one: one["score"], default=None)

    def count(self, *states: str) -> int:
        """Number of trials in one of these states."""
        return sum(one["state"] in states for one in self.entries.values())

    def report(self, context: JobContext, now: bool = False) -> None:
        """Report the progress of the search: the ended trials and the latest trial."""
        ended, total, best = self.count(*ENDED), self.config.trials, self.best()
        running = list(self._under_way)
        name = running[-1] if running else None
        detail = self._under_way[name] if name else {}
        shares = sum(_share(one) for one in self._under_way.values())
        number = list(self.entries).index(name) + 1 if name else ended
        message = f"Trial {number} of {total}"
        if detail.get("epoch"):
            message += f", epoch {detail['epoch']} of {detail['epochs']}"
        if len(running) > 1:
            message += f"; {len(running)} in progress"
        if running and not any(self._under_way.values()):
            message = "Waiting for the workers to begin"
        keys = ("epoch", "epochs", "step", "steps", "rate")
        context.report(
            done=ended + shares,
            total=total,
            message=f"{message}.",
            now=now,
            trial=name,
            trials=total,
            best=best["score"] if best else None,
            **self._times(ended, shares),
            **{key: detail.get(key) for key in keys},
        )

    def _times(self, ended: int, shares: float) -> dict[str, float | None]:
        """Estimated ``seconds_left`` and ``seconds_total`` of the search; None before any is known.

        By the mean of the trials that have finished; before the first, by those under way.
        """
        each = [one["seconds"] for one in self.entries.values() if one["state"] == "finished"]
        if not each:
            begun = ((self.entries[name], _share(p)) for name, p in self._under_way.items())
            each = [(time.time() - one["started"]) / s for one, s in begun if s > LEAST_SHARE]
        if not each:
            return {"seconds_left": None, "seconds_total": None}
        pace = sum(each) / len(each) / max(1, len(self._under_way))  # s per trial
        left = max(self.config.trials - ended - shares, 0.0)
        return {"seconds_left": left * pace, "seconds_total": self.config.trials * pace}

    def _write(self) -> None:
        write_json(self.tuning.trials_path, list(self.entries.values()))


def _share(progress: dict[str, Any]) -> float:
    """Share of a trial that is done, from 0 to 1."""
    return min(progress["done"] / progress["total"], 1.0) if progress.get("total") else 0.0
