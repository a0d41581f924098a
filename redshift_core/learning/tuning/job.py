"""The job that runs a search, in this process alone or with the workers of a Dask cluster."""

from __future__ import annotations

from typing import Any

from redshift_core.errors import InputError
from redshift_core.jobs.dask_client import open_client
from redshift_core.learning.training.prepare import environment
from redshift_core.learning.tuning.attempt import process_name
from redshift_core.learning.tuning.search import Search
from redshift_core.learning.tuning.trial import Rows, do_trial
from redshift_core.learning.tuning.trial_log import TrialLog
from redshift_core.settings.search import TuningConfig
from redshift_core.store import JobContext, Stopped, TuningFolder, write_json


def tune_job(context: JobContext) -> dict[str, Any]:
    """Run or resume a search until its trials are done.

    With a ``scheduler`` in the request, the workers of that Dask scheduler train the trials; where
    the settings ask for several workers, processes of this machine do; else this process.

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
    search = Search(tuning, config)
    scheduler = context.request.get("scheduler")
    if scheduler or config.workers > 1:
        stopped = _lead(context, config, rows, search, scheduler)
    else:
        stopped = _search_alone(context, config, rows, search)
    trial_log = search.log
    if stopped:
        trial_log.stop()
    trial_log.report(context)
    if search.failed:
        raise InputError(f"The search ended: {search.closed}")
    context.report(message=_ending(trial_log, search.closed, stopped), seconds_left=None, now=True)
    return _result(tuning, trial_log, stopped)


def _search_alone(context: JobContext, config: TuningConfig, rows: Rows, search: Search) -> bool:
    """Train every trial in this process; True if the user stopped the search."""
    context.report(message="Loading TensorFlow.", now=True)
    from redshift_core.learning.devices import open_devices

    devices = open_devices(config.base.training)
    _describe(context, rows, devices.describe())
    tuning, worker = TuningFolder(context.folder.path), process_name()
    while not context.should_stop():
        if (begun := search.begin(worker)) is None:
            return False
        name, epochs = begun

        def tell(progress: dict[str, Any], name: str = name) -> None:
            search.log.progress(name, progress)
            search.log.report(context)

        try:
            folder, stop = tuning.trial(name), context.should_stop
            search.end(name, do_trial(config, folder, epochs, rows, devices, tell, stop))
        except Stopped:
            break
    return True


def _lead(
    context: JobContext, config: TuningConfig, rows: Rows, search: Search, scheduler: str | None
) -> bool:
    """Let Dask's workers train the trials; True if the user stopped the search."""
    from redshift_core.learning.devices import cpu_name, n_cores
    from redshift_core.learning.tuning.cluster import lead

    where = f"workers of {scheduler}" if scheduler else f"{config.workers} workers, {cpu_name()}"
    _describe(context, rows, {"text": where, "cores": n_cores()})
    threads = config.base.training.threads
    if not scheduler:
        threads = threads or max(1, n_cores() // config.workers)
    scratch = context.folder.path / "dask"
    with open_client(config.workers, scheduler, scratch, threads) as client:
        return lead(context, search, client, threads)


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
