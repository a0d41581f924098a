"""The job that computes a bench: it makes a survey, then computes one row after the other.

The job itself only coordinates. Networks are ordinary runs, baselines and timings are ordinary
jobs, and each waits for the device's lock itself. A row is recorded when it begins and when it is
done. So a bench that was stopped or killed continues with the missing rows, and a partly trained
network continues from its checkpoint. If a row fails, the reason is recorded and the next begins.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from typing import Any

from redshift_core import jobs
from redshift_core.data import open_dataset
from redshift_core.data.split import new_split
from redshift_core.errors import InputError
from redshift_core.jobs.machine import cpu_name, n_cores, total_memory
from redshift_core.learning.studies.bench.checks import outsiders, tail
from redshift_core.learning.training.prepare import environment
from redshift_core.reports.bench import summary, write_tables
from redshift_core.reports.bench_rows import baseline_row, network_row
from redshift_core.settings.bench import check_installed
from redshift_core.settings.names import PRESETS
from redshift_core.settings.presets import preset
from redshift_core.settings.run import SplitConfig
from redshift_core.store import (
    BenchFolder,
    JobContext,
    JobFolder,
    RunFolder,
    Stopped,
    write_json,
)
from redshift_core.store.history import read_history

LOOK = 0.5  # s between two checks of the running job
STOP_LIMIT = 60.0  # s that a job may take to stop


class _Failed(Exception):  # noqa: N818 - the row's failure, not the bench's
    """A run or job that a row needs has failed."""


def bench_job(context: JobContext) -> dict[str, Any]:
    """Job: compute the rows of a bench folder that are not done.

    Returns
    -------
    dict
        ``bench``, ``rows`` done, ``failed`` (row → why), ``stopped``.
    """
    leader = _Leader(context)
    stopped = False
    try:
        leader.lead()
    except Stopped:
        stopped = True
    outcome = summary(leader.bench)
    return {
        "bench": leader.bench.id,
        "rows": [row.name for row in outcome.rows],
        "failed": outcome.failed,
        "stopped": stopped,
    }


class _Leader:
    """Leads one bench, from its start or resumption to its end or stop."""

    def __init__(self, context: JobContext):
        self.context, self.store = context, context.store
        self.bench = BenchFolder(context.folder.path)
        self.config = self.bench.config
        self.done = 0  # parts of the bench: its survey, then its rows
        self.facts: dict[str, Any] = {}  # recorded in every row: machine, versions, SIMULATED

    def lead(self) -> None:
        """Make the survey, and compute one row after the other."""
        self.dataset = self.config.dataset or self._survey("survey", self.config.seed)
        self._describe()
        for name in self.config.ordered:
            self.done += 1
            self._once(name, self._network if name in PRESETS else self._baseline)
            if name == "best" and "finished" in self.bench.row(name):
                self._once("outsiders", self._outsiders)
                if self.config.flat_n:
                    self._once("tail", self._tail)
        write_tables(self.bench)
        self.context.report(self.done + 1, message="All rows are computed.", now=True)

    def _once(self, part: str, compute: Callable[[str], None]) -> None:
        """Compute a part of the bench, unless it is done; its failure does not stop other parts."""
        if "finished" in self.bench.row(part):
            return
        try:
            compute(part)
        except Stopped:
            raise
        except (_Failed, InputError) as error:
            self._note(part, error=str(error))
        except Exception as error:  # a bug in one row must not cost hours of other rows
            traceback.print_exc()
            self._note(part, error=f"{type(error).__name__}: {error}")
        write_tables(self.bench)

    def _survey(self, part: str, seed: int, n: int = 0, redshifts: str = "published") -> str:
        """Id of a simulated survey; a survey made by an earlier attempt is used again."""
        request = {"n": n or self.config.n, "seed": seed, "redshifts": redshifts}
        try:
            return self._job(part, "simulate", **request).result["dataset"]
        except _Failed as error:
            raise InputError(f"The survey could not be made: {error}") from error

    def _describe(self) -> None:
        """Write ``environment.json``: the dataset, the software and the machine of the rows."""
        dataset = open_dataset(self.store.dataset(self.dataset))
        memory = total_memory() / 2**30
        machine = {"text": f"{cpu_name()}, {n_cores()} cores, {memory:.0f} GB", "cores": n_cores()}
        facts = environment(dataset, new_split(SplitConfig(), dataset), machine)
        write_json(self.bench.environment_path, facts)
        kept = {key: facts[key] for key in ("versions", "commit")}
        mark = facts["dataset"]["simulated"]
        self.facts = {"machine": machine["text"], **kept, "simulated": mark}

    def _baseline(self, name: str) -> None:
        check_installed(name)
        job = self._job(name, "baseline", dataset=self.dataset, baseline=name)
        self.bench.write_row(name, baseline_row(job, self.facts).to_dict())

    def _network(self, name: str) -> None:
        run = self._trained(name)
        if not run.metrics_path(self.dataset).exists():  # killed between training and judging
            self._follow(name, jobs.start(self.store, "evaluate", run=run.id))
        resumed = self.bench.row(name)["resumed"]
        speed = self._job(f"{name}-speed", "speed", run=run.id)
        row = network_row(run, self.dataset, speed, resumed, self.facts)
        self.bench.write_row(name, row.to_dict())

    def _outsiders(self, part: str) -> None:
        """Count the spectra that are no galaxies and that `best` flags."""
        run = self.store.run(self.bench.row("best")["run"])
        self.context.report(message="Simulating spectra that are no galaxies.", now=True)
        self.bench.write_row(part, outsiders(run, self.dataset, self.store.cache).to_dict())

    def _tail(self, part: str) -> None:
        """Judge `best` on a survey with flat redshifts, under both priors."""
        run = self.store.run(self.bench.row("best")["run"])
        config = self.config
        flat = self._survey("flat", config.flat_seed, config.flat_n, "flat")
        self._job(part, "evaluate", run=run.id, dataset=flat)
        judged = tail(run, {"flat": flat, "test": self.dataset})
        self.bench.write_row(part, judged.to_dict())

    def _trained(self, name: str) -> RunFolder:
        """Fully trained run of a row: the run that was begun before, or a new one."""
        begun = self.bench.row(name).get("run")
        run = next((run for run in self.store.runs() if run.id == begun), None)
        if run is None:
            epochs = self.config.epochs_dissertation if name == "dissertation" else 0
            epochs = epochs or self.config.epochs
            config = preset(name, self.dataset).with_values({"epochs": epochs} if epochs else {})
            run = jobs.start_training(self.store, config, f"{name}, {self.bench.id}")
            self._note(name, run=run.id, resumed=False)
        elif not _usable(run):
            if len(read_history(run)) < run.epochs:
                self._note(name, run=run.id, resumed=True)
                jobs.resume(run)
            else:
                return run
        self._follow(name, run)
        return run

    def _job(self, part: str, kind: str, **request: Any) -> JobFolder:
        """Finished job of a part of the bench: a new one, or the one begun before if it worked."""
        begun = self.bench.row(part).get("job")
        job = next((job for job in self.store.jobs() if job.id == begun), None)
        if job is None or not _usable(job):
            job = jobs.start(self.store, kind, **request)
            self._note(part, job=job.id)
        self._follow(part, job)
        return job

    def _follow(self, part: str, job: JobFolder) -> None:
        """Wait for a job and report its progress; stop the job if the user stops the bench."""
        while (now := jobs.status(job)).active:
            if self.context.should_stop():
                with contextlib.suppress(InputError):  # it has ended by itself
                    jobs.stop(job)
                if jobs.wait(job, timeout=STOP_LIMIT).active:
                    jobs.kill(job)  # a fit of scikit-learn does not check for a stop
                raise Stopped
            total = len(self.config.ordered) + 1
            message = f"{part}: {now.message or now.state}"
            self.context.report(self.done + min(now.fraction, 0.99), total, message)
            time.sleep(LOOK)
        if now.state != "finished":
            raise _Failed(f"{job.id} is {now.state}. {now.message}".strip())

    def _note(self, part: str, **values: Any) -> None:
        """Record which run or job computes a part of the bench, or why it failed."""
        row = self.bench.row(part)
        if "error" not in values:
            row.pop("error", None)
        self.bench.write_row(part, {**row, **values})


def _usable(job: JobFolder) -> bool:
    """Whether a job is waiting or at work, or has finished."""
    status = jobs.status(job)
    return status.active or status.state == "finished"
