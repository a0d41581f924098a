"""The job that runs a study: the plan, one training after the other, and the quoted runs."""

from __future__ import annotations

import dataclasses
import shutil
import time
from typing import Any

import numpy as np

from redshift_core.evaluation.extrapolation import MIN_SIZES, extrapolate
from redshift_core.learning.studies.limit import part
from redshift_core.learning.studies.limit.judge import Answers, Judge, check_recipe
from redshift_core.learning.training.prepare import machine_facts
from redshift_core.reports.limit import write_results
from redshift_core.settings.limit import LimitConfig, Training, affordable_passes, trainings
from redshift_core.store import (
    DatasetFolder,
    JobContext,
    LimitFolder,
    RunFolder,
    Stopped,
    read_json,
    write_json,
)
from redshift_core.store.context import InnerContext
from redshift_core.store.history import read_history
from redshift_core.store.records import dicts
from redshift_core.store.study_records import Limit, LimitRow, QuotedRun

MEASURE_ROWS = 16_384  # largest number of galaxies on which the training speed is measured
SHARE = 0.9  # share of the time for surveys and steps; the rest is for judging and compiling


def limit_job(context: JobContext) -> dict[str, Any]:
    """Job: do the remaining trainings of a study, quote runs and write the result.

    The request's ``against`` names runs that are quoted against the limit.

    Returns
    -------
    dict
        ``limit`` (id of the study), ``trainings`` done, ``mae`` at infinite data (None if there
        are too few sizes), ``interval`` of 68 %, ``stopped`` by the user.
    """
    study = Study(context)
    stopped = False
    try:
        study.run()
    except Stopped:
        stopped = True
    context.report(message="Extrapolating to infinite data.", now=True)
    limits = study.limits()
    write_results(study.folder, limits)
    mae = limits.get("mae")
    done = f"{len(study.folder.rows)} trainings done"
    context.report(message=f"{'Stopped' if stopped else 'Finished'}: {done}.", now=True)
    return {
        "limit": study.folder.id,
        "trainings": len(study.folder.rows),
        "mae": mae and mae.limit,
        "interval": mae and mae.intervals["68"],
        "stopped": stopped,
    }


class Study:
    """Runs a study in this process."""

    def __init__(self, context: JobContext):
        self.context = context
        self.folder = LimitFolder(context.folder.path)
        self.config: LimitConfig = self.folder.config
        self.surveys = part.Surveys(self.folder.surveys_path, context.store.cache)
        seeds = {self.config.seed, *(one.seed for one in trainings(self.config, 1))}
        runs = [context.store.run(name) for name in context.request.get("against", [])]
        self.recipes = [(run, check_recipe(context.store, run, seeds)) for run in runs]
        context.report(message="Simulating the test galaxies.", now=True)
        self.judge = Judge(self.config.n_test, self.config.seed, context.store.cache)

    def run(self) -> None:
        """Train, judge and record every missing training, then the runs to quote."""
        self.context.report(message="Loading TensorFlow.", now=True)
        from redshift_core.learning.devices import open_devices

        self.devices = open_devices(self.config.base.training)
        if not self.folder.environment_path.exists():
            facts = machine_facts(self.devices.describe())
            write_json(self.folder.environment_path, {**facts, "date": time.time()})
        self.listed = trainings(self.config, self._plan()["passes"])
        done = {row.key for row in self.folder.rows}
        left = [one for one in self.listed if one.key not in done]
        self.surveys.keep(left)
        if left:
            part.check_room(self.config, max(left, key=lambda one: one.n), self.surveys)
        while left:
            self._do(left.pop(0))
            self.surveys.keep(left)
        for run, facts in self.recipes:
            self._quote(run, facts)

    def limits(self) -> dict[str, Limit]:
        """MAE and CRPS at infinite data from `extrapolate`, if there are enough sizes.

        Returns
        -------
        dict
            ``mae`` and, where every network gives a p(z), ``crps``.
        """
        rows = [row for row in self.folder.rows if not row.check]
        if len({row.n for row in rows}) < MIN_SIZES:
            return {}
        paths = [self.folder.answers_path(row.key) for row in rows]
        trained = [self.judge.errors(Answers.load(path)) for path in paths]
        quoted = {
            one.run: self.judge.errors(Answers.load(self.folder.recipe_path(one.run)))
            for one in self.folder.recipes
        }
        limits = {}
        for name in ("mae", "crps"):
            values = [errors[name] for errors in trained if name in errors]
            others = {run: errors[name] for run, errors in quoted.items() if name in errors}
            if len(values) == len(rows):
                limits[name] = extrapolate([row.n for row in rows], np.array(values), others)
        return limits

    def _plan(self) -> dict[str, Any]:
        """Passes over each size: as requested, as planned before, or as many as the time allows."""
        plan = read_json(self.folder.plan_path)
        if not plan and self.config.passes:
            plan = {"passes": self.config.passes, "rate": None}
        elif not plan:
            plan = self._measured_plan()
        write_json(self.folder.plan_path, plan)
        return plan

    def _measured_plan(self) -> dict[str, Any]:
        """Passes that the time allows, from the measured speeds of simulation and training."""
        largest = trainings(self.config, 1)[-1]
        n = min(largest.n, MEASURE_ROWS)
        one = dataclasses.replace(largest, n=n, spectra=1000 * n)
        self.surveys.keep([])  # left by a killed process; it would distort the speed
        begin = time.monotonic()
        survey = self._survey(one, "Measuring the speed")
        survey_rate = part.n_rows(one) / (time.monotonic() - begin)
        context = InnerContext(
            self.folder.training("speed"), self.surveys.store,
            lambda *_: self.context.report(message="Measuring the speed of training."),
            self.context.should_stop,
        )  # fmt: skip
        rate = part.measured_rate(context, self.config, one, survey.id)
        seconds = SHARE * 60 * self.config.minutes
        seconds -= sum(map(part.n_rows, trainings(self.config, 1))) / survey_rate
        passes = affordable_passes(self.config, seconds * rate)
        return {"passes": passes, "rate": rate, "survey_rate": survey_rate}

    def _do(self, one: Training) -> None:
        """Train or continue a training, judge it and record it."""
        from redshift_core.learning.training.loop import start_session

        earlier = self.listed[: self.listed.index(one)]
        label = f"Training {len(earlier) + 1} of {len(self.listed)}: {one.n:,} galaxies"
        before = sum(other.spectra for other in earlier)
        run = self.folder.training(one.key)
        self.context.report(message=f"{label}.", now=True)
        survey = self._survey(one, label)

        def tell(progress: dict[str, Any]) -> None:
            if "done" in progress:
                self._tell(before + min(progress["done"] * one.n, one.spectra), label, progress)
            else:
                message = progress.get("message")
                self.context.report(message=message and f"{label}. {message}")

        start_session(self.devices)
        part.train(
            InnerContext(run, self.surveys.store, tell, self.context.should_stop),
            self.config, one, survey.id,
        )  # fmt: skip
        answers = self.judge.ask(run.model_path, self._looking)
        answers.save(self.folder.answers_path(one.key))
        row = LimitRow(
            **dataclasses.asdict(one),
            key=one.key,
            epochs=one.epochs,
            steps=part.n_steps(self.config, one),
            seconds=float(read_history(run)["seconds"].sum()),
            n_parameters=read_json(run.environment_path)["n_parameters"],
            figures=self.judge.figures(answers),
        )
        write_json(self.folder.rows_path, dicts([*self.folder.rows, row]))
        shutil.rmtree(run.checkpoint_path, ignore_errors=True)
        run.split_path.unlink(missing_ok=True)

    def _survey(self, one: Training, label: str) -> DatasetFolder:
        def report(share: float, message: str) -> None:
            progress = f"{label}. {message.rstrip('.')}: {share:.0%}."
            self.context.report_or_stop(message=progress)

        return self.surveys.get(one, report)

    def _quote(self, run: RunFolder, facts: dict[str, Any]) -> None:
        """Judge a run on the test galaxies, and record it."""
        path = self.folder.recipe_path(run.id)
        path.parent.mkdir(exist_ok=True)
        self.context.report(message=f"Judging {run.id} on the test galaxies.", now=True)
        answers = self.judge.ask(run.model_path, self._looking)
        answers.save(path)
        others = [one for one in self.folder.recipes if one.run != run.id]
        quoted = QuotedRun(**facts, figures=self.judge.figures(answers))
        write_json(self.folder.recipes_path, dicts([*others, quoted]))

    def _looking(self, done: float, total: float, message: str) -> None:
        self.context.report_or_stop(message=f"{message[:-1]}: {done:,.0f} of {total:,.0f}.")

    def _tell(self, done: float, label: str, progress: dict[str, Any]) -> None:
        epoch, rate = f"epoch {progress['epoch']} of {progress['epochs']}", progress["rate"]
        speed = f", {rate:,.0f} spectra/s" if rate else ""
        total = sum(one.spectra for one in self.listed)
        left = (total - done) / rate if rate else None
        self.context.report(done, total, f"{label}, {epoch}{speed}.", rate=rate, seconds_left=left)
