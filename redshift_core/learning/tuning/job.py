"""The job that runs a search, in this process alone or with workers."""

from __future__ import annotations

import time
from typing import Any

from redshift_core.errors import InputError
from redshift_core.learning.training.prepare import environment
from redshift_core.learning.tuning.oracle import open_oracle
from redshift_core.learning.tuning.trial import Rows
from redshift_core.learning.tuning.trial_log import TrialLog
from redshift_core.settings.search import TuningConfig
from redshift_core.store import JobContext, Stopped, TuningFolder, write_json


def tune_job(context: JobContext) -> dict[str, Any]:
    """Run or resume a search until its trials are done.

    With an ``address`` in the request, this process becomes the chief of workers on other machines.
    Otherwise it trains the trials itself, or starts the workers that the settings ask for.

    Returns
    -------
    dict
        ``tuning``, ``trials`` finished, ``failed``, the ``best`` trial's values, its number
        ``trial``, ``score`` and ``val_mae`` (None if no trial finished), ``stopped``.
    """
    tuning = TuningFolder(context.folder.path)
    config = tuning.config
    context.report(message="Dividing the rows.", now=True)
    rows = Rows(tuning, config, context.store)
    trial_log = TrialLog(tuning, config)
    oracle = open_oracle(tuning, config, trial_log)
    address = context.request.get("address")
    if address or config.workers > 1:
        stopped = _lead(context, config, rows, oracle, trial_log, address)
    else:
        stopped = _search_alone(context, config, rows, oracle, trial_log)
    if stopped:
        trial_log.stop()
    trial_log.report(context, 1)
    if oracle.failed:
        raise InputError(f"The search ended: {oracle.closed}")
    context.report(message=_ending(trial_log, oracle.closed, stopped), seconds_left=None, now=True)
    return _result(tuning, trial_log, stopped)


def _search_alone(
    context: JobContext, config: TuningConfig, rows: Rows, oracle: Any, trial_log: TrialLog
) -> bool:
    """Train every trial in this process; True if the user stopped the search."""
    context.report(message="Loading TensorFlow.", now=True)
    from redshift_core.learning.devices import open_devices
    from redshift_core.learning.tuning.search import Searcher

    devices = open_devices(config.base.training)
    _describe(context, rows, devices.describe())
    deadline = time.monotonic() + 3600 * config.hours if config.hours else float("inf")

    def tell(trial: str, progress: dict[str, Any]) -> None:
        trial_log.progress(trial, progress)
        trial_log.report(context, 1)
        if time.monotonic() > deadline:
            oracle.closed = oracle.closed or "the time limit was reached"

    tuning = TuningFolder(context.folder.path)
    try:
        searcher = Searcher(tuning, config, rows, devices, tell, context.should_stop)
        searcher.search(oracle, worker="0")
    except Stopped:
        return True
    return False


def _lead(
    context: JobContext,
    config: TuningConfig,
    rows: Rows,
    oracle: Any,
    trial_log: TrialLog,
    address: str | None,
) -> bool:
    """Let workers train the trials; True if the user stopped the search."""
    from redshift_core.learning.devices import cpu_name, n_cores
    from redshift_core.learning.tuning.chief import Chief

    where = f"workers at {address}" if address else f"{config.workers} workers, {cpu_name()}"
    _describe(context, rows, {"text": where, "cores": n_cores()})
    return Chief(context, config, oracle, trial_log).run(address)


def _describe(context: JobContext, rows: Rows, device: dict[str, Any]) -> None:
    tuning = TuningFolder(context.folder.path)
    write_json(tuning.environment_path, environment(rows.dataset, rows.split, device))
    context.report(device=device["text"], message="Starting the first trial.", now=True)


def _ending(trial_log: TrialLog, closed: str, stopped: bool) -> str:
    done, failed = trial_log.count("finished"), trial_log.count("failed")
    counts = f"{done} trials finished" + (f", {failed} failed" if failed else "")
    if stopped:
        return f"Stopped: {counts}."
    return f"{counts}; {closed}." if closed else f"{counts}."


def _result(tuning: TuningFolder, trial_log: TrialLog, stopped: bool) -> dict[str, Any]:
    best = trial_log.best() or {}
    return {
        "tuning": tuning.id,
        "trials": trial_log.count("finished"),
        "failed": trial_log.count("failed"),
        "best": best.get("values"),
        "trial": best.get("trial"),
        "score": best.get("score"),
        "val_mae": best.get("val_mae"),
        "stopped": stopped,
    }
