"""A study from start to end: the plan, its trainings one after the other, the runs quoted."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
from typing import Any

from redshift_core.config import RunConfig
from redshift_core.limit.judge import Judge, check_recipe
from redshift_core.limit.stream import Stream
from redshift_core.limit.table import write_results
from redshift_core.limit_config import LimitConfig, Training, affordable_passes, trainings
from redshift_core.runs import JobContext, LimitFolder, RunFolder, read_json, write_json
from redshift_core.training.checkpoint import load_state
from redshift_core.training.prepare import machine_facts

MEASURE_SECONDS = 10.0  # s of training from which the speed is taken
SHARE = 0.95  # of the time, for training; the rest goes into judging and compiling


class _Stop(Exception):  # noqa: N818 - not an error
    """The user asked for a stop."""


def limit_job(context: JobContext) -> dict[str, Any]:
    """Job: do the trainings of a study that are not done yet, quote runs, write the result.

    The request's ``against`` names runs that are quoted against the limit.

    Returns
    -------
    dict
        ``limit`` (id of the study), ``trainings`` done, ``mae`` at infinite data (None where there
        are too few sizes), ``interval`` of 68 %, ``stopped`` by the user.
    """
    study = Study(context)
    stopped = False
    try:
        study.run()
    except _Stop:
        stopped = True
    context.report(message="Extrapolating to infinite data.", now=True)
    found = write_results(study.folder, study.judge)
    mae = found["limits"].get("mae") or {}
    done = f"{len(study.folder.rows)} trainings done"
    context.report(message=f"{'Stopped' if stopped else 'Finished'}: {done}.", now=True)
    return {
        "limit": study.folder.id,
        "trainings": len(study.folder.rows),
        "mae": mae.get("limit"),
        "interval": (mae.get("intervals") or {}).get("68"),
        "stopped": stopped,
    }


class Study:
    """A study in this process."""

    def __init__(self, context: JobContext):
        self.context = context
        self.folder = LimitFolder(context.folder.path)
        self.config: LimitConfig = self.folder.config
        self.cache = context.store.cache
        seeds = {self.config.seed, *(one.seed for one in trainings(self.config, 1))}
        runs = [context.store.run(name) for name in context.request.get("against", [])]
        self.recipes = [(run, check_recipe(context.store, run, seeds)) for run in runs]
        context.report(message="Simulating the test galaxies.", now=True)
        self.judge = Judge(self.config.n_test, self.config.seed, self.cache)

    def run(self) -> None:
        """Train, judge and note every training that is lacking; then the runs to quote."""
        self.context.report(message="Loading TensorFlow.", now=True)
        from redshift_core.devices import open_devices

        self.devices = open_devices(self.config.base.training)
        if not self.folder.environment_path.exists():
            facts = machine_facts(self.devices.describe())
            write_json(self.folder.environment_path, {**facts, "date": time.time()})
        plan = self._plan()
        listed = trainings(self.config, plan["passes"])
        self.total = sum(one.spectra for one in listed)
        done = {row["key"] for row in self.folder.rows}
        before = 0
        for number, one in enumerate(listed, start=1):
            if one.key not in done:
                self._do(one, before, f"Training {number} of {len(listed)}: {one.n:,} galaxies")
            before += one.spectra
        for run, facts in self.recipes:
            self._quote(run, facts)

    def _plan(self) -> dict[str, Any]:
        """Passes of every size: as asked, as planned before, or what the time allows."""
        plan = read_json(self.folder.plan_path)
        if not plan and self.config.passes:
            plan = {"passes": self.config.passes, "rate": None}
        elif not plan:
            self.context.report(message="Measuring the speed of training.", now=True)
            rate = self._rate()
            spectra = SHARE * 60 * self.config.minutes * rate
            plan = {"passes": affordable_passes(self.config, spectra), "rate": rate}
        write_json(self.folder.plan_path, plan)
        return plan

    def _rate(self) -> float:
        from redshift_core.limit.trainer import StreamLoop, measured_rate

        largest = trainings(self.config, 1)[-1]
        stream = Stream(largest.n, largest.seed, self.config.base, self.cache)
        loop = StreamLoop(self._recipe(largest), stream, self.devices)
        rate = measured_rate(loop, stream, MEASURE_SECONDS)
        stream.close()
        return rate

    def _recipe(self, one: Training) -> RunConfig:
        values = {"epochs": math.ceil(one.epochs), "seed": one.seed, "early_stopping": 0}
        return self.config.base.with_values(values)

    def _do(self, one: Training, before: int, label: str) -> None:
        """Train, or go on training; judge; note."""
        from redshift_core.limit.trainer import StreamLoop, StreamTrainer, StudyContext
        from redshift_core.training.loop import start_session

        run = self.folder.training(one.key)
        run.path.mkdir(parents=True, exist_ok=True)
        context = StudyContext(
            lambda epochs, epoch, rate: self._tell(
                before + min(epochs * one.n, one.spectra), label, epoch, rate
            ),
            self.context.should_stop,
        )
        self.context.report(message=f"{label}.", now=True)
        start_session(self.devices)
        stream = Stream(one.n, one.seed, self.config.base, self.cache)
        try:
            loop = StreamLoop(self._recipe(one), stream, self.devices)
            state = load_state(run)
            trainer = StreamTrainer(
                context, run, self._recipe(one), loop, stream, one.spectra, state
            )
            if trainer.train()["stopped"]:
                raise _Stop
            if self.config.base.model.head == "pdf":
                loop.calibrate(loop.weights())
            loop.save_model(run.model_path, loop.weights())
        finally:
            stream.close()
        answers = self.judge.ask(run.model_path, self._looking)
        answers.save(self.folder.answers_path(one.key))
        row = {
            **dataclasses.asdict(one),
            "key": one.key,
            "epochs": one.epochs,
            "steps": trainer.total,
            "seconds": trainer.progress.seconds,
            "n_parameters": loop.n_parameters,
            **self.judge.figures(answers),
        }
        write_json(self.folder.rows_path, [*self.folder.rows, row])
        shutil.rmtree(run.checkpoint_path, ignore_errors=True)
        run.history_path.unlink(missing_ok=True)

    def _quote(self, run: RunFolder, facts: dict[str, Any]) -> None:
        """Ask a run about the test galaxies, and note it."""
        path = self.folder.recipe_path(run.id)
        path.parent.mkdir(exist_ok=True)
        self.context.report(message=f"Judging {run.id} on the test galaxies.", now=True)
        answers = self.judge.ask(run.model_path, self._looking)
        answers.save(path)
        others = [row for row in self.folder.recipes if row["run"] != run.id]
        write_json(self.folder.recipes_path, [*others, {**facts, **self.judge.figures(answers)}])

    def _looking(self, done: float, total: float, message: str) -> None:
        self.context.report(message=f"{message[:-1]}: {done:,.0f} of {total:,.0f}.")
        if self.context.should_stop():
            raise _Stop

    def _tell(self, done: float, label: str, epoch: str, rate: float | None) -> None:
        speed = f", {rate:,.0f} spectra/s" if rate and math.isfinite(rate) else ""
        self.context.report(
            done, self.total, f"{label}, {epoch}{speed}.",
            rate=rate, seconds_left=(self.total - done) / rate if rate else None,
        )  # fmt: skip
