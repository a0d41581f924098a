"""The bench of sizes: what each step of the product costs as the number of galaxies grows.

Each step is a job, or a page, in a process of its own, on SIMULATED surveys in a store of the
bench's own. A step is recorded as soon as it is measured, so a bench that was stopped or killed
goes on with the missing steps; the surveys go as soon as their size is done.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs.launch import environment
from redshift_core.jobs.machine import cpu_name, n_cores, private_memory, total_memory
from redshift_core.learning.training.prepare import machine_facts
from redshift_core.reports.bench_rows import now
from redshift_core.reports.scale import STEPS, read_scale, write_scale
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.simulation.files import write_survey
from redshift_core.store import DatasetFolder, JobContext, JobFolder, RunFolder, Stopped, Store
from redshift_core.store.history import read_history
from redshift_core.store.study_records import Scale, ScaleStep

CSV_ROWS = 200_000  # largest number of rows that is also read from CSV, 1.5 GB a million
SEED = 5  # of the surveys; the run that predicts them learns on another
LEARNED = 2_000  # galaxies that run learns on
LOOK = 0.05  # s between two looks at the memory of a process
STOP_LIMIT = 60.0  # s that a job may take to stop
PAGE = "pages.ui.first_paint"  # the module that opens a page; the core does not know Streamlit


def scale_job(context: JobContext) -> dict[str, Any]:
    """Job: ``rows``, the sizes → the content of ``scale.json``, and ``stopped``."""
    bench = _Scale(context)
    try:
        bench.measure_all()
    except Stopped:
        return {**bench.found.to_dict(), "stopped": True}
    finally:
        bench.clear()
    shutil.rmtree(bench.work, ignore_errors=True)
    return {**bench.found.to_dict(), "stopped": False}


class _Failed(Exception):  # noqa: N818 - a step's failure, not the bench's
    """A step has failed."""


class _Scale:
    """Measures what is missing of one bench of sizes."""

    def __init__(self, context: JobContext):
        self.context, self.output = context, context.folder.output
        self.work = self.output / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        self.store = Store(self.work)
        self.message = ""
        gigabytes = total_memory() / 2**30
        machine = f"{cpu_name()}, {n_cores()} cores, {gigabytes:.0f} GB"
        versions = machine_facts({})["versions"]
        self.found = read_scale(self.output) or Scale(
            bench=context.folder.id, simulated=True, machine=machine, versions=versions,
            rows=tuple(context.request["rows"]), started=now(),
        )  # fmt: skip

    def measure_all(self) -> None:
        """Every step of every size, the smallest first."""
        for rows in self.found.rows:
            if missing := self._missing(rows):
                self._size(rows, missing)
                self.clear()

    def _missing(self, rows: int) -> set[str]:
        """Steps of a size that can be measured here and are not."""
        left_out = {one.step for one in self.found.steps if one.rows == rows}
        if rows > CSV_ROWS:
            left_out.add("ingest_csv")
        if not (find_spec("streamlit") and find_spec("pages")):
            left_out |= {"page_explore", "page_evaluate"}
        return set(STEPS) - left_out

    def clear(self) -> None:
        """Remove what is large and can be made again."""
        learned = self._learned()
        for folder in (*self.store.datasets(), *self.store.runs(), *self.store.jobs()):
            if folder.path.name not in learned:
                folder.delete()
        for path in self.work.glob("survey.*"):
            path.unlink()

    def _learned(self) -> set[str]:
        """The run that predicts, and its dataset."""
        runs = [run for run in self.store.runs() if run.name == "learned"]
        return {name for run in runs for name in (run.id, run.config.dataset)}

    def _size(self, rows: int, missing: set[str]) -> None:
        run, path = self._run(), self._simulate("survey.parquet", rows)
        dataset = self._ingested(self._step("ingest", rows, missing, self._start("ingest", path)))
        if dataset is None:
            return
        if "ingest_csv" in missing:
            table = self._simulate("survey.csv", rows)
            self._step("ingest_csv", rows, missing, self._start("ingest", table))
        out = str(self.work / "survey.redshifts.parquet")
        self._step("predict", rows, missing, self._start("predict", path, run=run.id, out=out))
        judge = {"run": run.id, "dataset": dataset.id}
        if {"evaluate", "page_evaluate"} & missing:
            missing = missing | {"evaluate"}  # the page shows it
        self._step("evaluate", rows, missing, self._start("evaluate", **judge))
        self._page("explore", rows, missing, dataset=dataset.id)
        self._page("evaluate", rows, missing, run=run.id, on=dataset.id)
        shutil.rmtree(run.evaluation(dataset.id).path, ignore_errors=True)
        config = _recipe(dataset.id)  # last, since it takes longest
        self._step("train", rows, missing, lambda: jobs.start_training(self.store, config))

    def _run(self) -> RunFolder:
        """The run that predicts every size: the same for all, and none of them its own."""
        if found := [run for run in self.store.runs() if run.name == "learned"]:
            return found[0]
        self.message = "Training the run that predicts."
        path = self._simulate("survey.parquet", LEARNED, SEED + 1)
        job, _ = self._follow(jobs.start(self.store, "ingest", file=str(path)))
        run = jobs.start_training(self.store, _recipe(job.result["dataset"]))
        self._follow(run)
        run.update_info(name="learned")
        return run

    def _simulate(self, name: str, rows: int, seed: int = SEED) -> Path:
        def report(done: int, total: int, message: str) -> None:
            self.context.report_or_stop(message=f"{rows:,} galaxies: {done:,} are simulated.")

        path, cache = self.work / name, self.context.store.cache
        return write_survey(path, rows, seed, report=report, cache=cache)

    def _start(
        self, kind: str, path: Path | None = None, **request: Any
    ) -> Callable[[], JobFolder]:
        file = {"file": str(path)} if path else {}
        return lambda: jobs.start(self.store, kind, **file, **request)

    def _step(
        self, step: str, rows: int, missing: set[str], start: Callable[[], JobFolder]
    ) -> JobFolder | None:
        """Run a job, and record what it cost if that is missing; None where it failed.

        ``ingest`` runs in any case, since the other steps need the dataset.
        """
        if step not in missing and step != "ingest":
            return None
        self.message = f"{rows:,} galaxies: {STEPS[step]}."
        try:
            job, memory = self._follow(start())
        except (_Failed, InputError) as error:
            self._note(failed={**self.found.failed, f"{step} {rows}": str(error)})
            return None
        spent = job.result["process"]
        seconds = read_history(job).seconds.sum() if step == "train" else spent["seconds"]
        self._keep(step, rows, seconds, spent["cpu_seconds"], memory)
        return job

    def _ingested(self, job: JobFolder | None) -> DatasetFolder | None:
        return None if job is None else self.store.dataset(job.result["dataset"])

    def _page(self, page: str, rows: int, missing: set[str], **query: str) -> None:
        """Open a page in a process of its own, as the first visitor of a server does."""
        step = f"page_{page}"
        if step not in missing:
            return
        self.message = f"{rows:,} galaxies: {STEPS[step]}."
        values = {**environment("scale", self.work), "REDSHIFT_LAB_HOME": str(self.work)}
        words = [f"{name}={value}" for name, value in query.items()]
        with (self.work / "page.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", PAGE, page, *words],
                stdout=subprocess.PIPE, stderr=log, env=values,
            )  # fmt: skip
            try:
                memory = self._watch(lambda: process.pid if process.poll() is None else None)
            finally:
                process.kill()
        answer = process.stdout.read()
        if process.returncode:
            end = (self.work / "page.log").read_text(errors="replace").strip()
            why = end.splitlines()[-1] if end else f"exit code {process.returncode}"
            self._note(failed={**self.found.failed, f"{step} {rows}": why})
            return
        self._keep(step, rows, *json.loads(answer), memory)

    def _follow(self, job: JobFolder) -> tuple[JobFolder, int]:
        """Wait for a job; it, and the most private memory that it had."""

        def look() -> int | None:
            now = jobs.status(job)
            return now.pid if now.active else None

        try:
            memory = self._watch(look)
        except Stopped:
            with contextlib.suppress(InputError):  # it has ended by itself
                jobs.stop(job)
            if jobs.wait(job, timeout=STOP_LIMIT).active:
                jobs.kill(job)
            raise
        ended = jobs.status(job)
        if ended.state != "finished":
            raise _Failed(f"{job.id} is {ended.state}. {ended.message}".strip())
        return job, memory

    def _watch(self, look: Callable[[], int | None]) -> int:
        """Most private memory of a process, in bytes; ``look``: its id, None when it has ended."""
        most, done = 0, len(self.found.steps)
        total = max(len(self.found.rows) * len(STEPS), done)
        while (pid := look()) is not None:
            most = max(most, private_memory(pid))
            self.context.report_or_stop(done, total, self.message)
            time.sleep(LOOK)
        return most

    def _keep(self, step: str, rows: int, seconds: float, cpu: float, memory: int) -> None:
        one = ScaleStep(
            step=step, rows=rows, seconds=seconds, cpu_seconds=cpu, private_memory=memory
        )
        others = [o for o in self.found.steps if (o.step, o.rows) != (step, rows)]
        failed = {k: v for k, v in self.found.failed.items() if k != f"{step} {rows}"}
        self._note(steps=(*others, one), failed=failed)

    def _note(self, **values: Any) -> None:
        self.found = replace(self.found, finished=now(), **values)
        write_scale(self.found, self.output)


def _recipe(dataset: str) -> RunConfig:
    """One epoch of `fast`; nothing is judged, which is a step of its own."""
    return preset("fast", dataset).with_values({"epochs": 1, "test_fraction": 0.0})
