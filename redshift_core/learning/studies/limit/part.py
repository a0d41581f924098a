"""One training of a study: an ordinary run, on a simulated survey that is made for it.

The surveys are datasets of a store inside the study's folder, so no other list shows them.
"""

from __future__ import annotations

import contextlib
import gc
import math
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from redshift_core.errors import InputError
from redshift_core.jobs import preflight
from redshift_core.learning.training import train_job
from redshift_core.learning.training.checkpoint import load_state
from redshift_core.settings.limit import LimitConfig, Training
from redshift_core.settings.run import RunConfig, SplitConfig
from redshift_core.simulation import DISK_BYTES, survey_dataset
from redshift_core.store import DatasetFolder, Stopped, Store, write_json
from redshift_core.store.context import InnerContext

VALIDATION = 8192  # smallest number of validation galaxies, which fit the temperature of a PDF head
MEASURE_SECONDS = 10.0  # s of training during which the speed is measured


def n_rows(one: Training) -> int:
    """Galaxies of a survey: those trained on and those for validation."""
    return one.n + min(max(VALIDATION, one.n // 50), 8 * one.n)


def n_steps(config: LimitConfig, one: Training) -> int:
    """Total number of steps of a training; its last epoch may end early."""
    return max(1, round(_epoch_steps(config, one) * one.epochs))


def recipe(config: LimitConfig, one: Training, dataset: str = "") -> RunConfig:
    """Settings of a training: those of the study, always keeping the last epoch."""
    share = 1 - (one.n + 0.5) / n_rows(one)  # half a galaxy more, so that rounding loses none
    values = {
        "epochs": math.ceil(n_steps(config, one) / _epoch_steps(config, one)),
        "seed": one.seed,
        "early_stopping": 0,
        "epoch_steps": 0,  # every size learns in the same batches
        "keep": "last",
    }
    split = SplitConfig(test_fraction=0.0, val_fraction=share)
    return replace(config.base, dataset=dataset, split=split).with_values(values)


def _epoch_steps(config: LimitConfig, one: Training) -> int:
    return math.ceil(one.n / config.base.training.batch_size)


class Surveys:
    """The surveys that a study has on disk."""

    def __init__(self, folder: Path, cache: Path):
        self.store, self.cache = Store(folder), cache

    def find(self, one: Training) -> DatasetFolder | None:
        """Survey of a training, or None if it is not on disk."""
        return next((survey for survey in self.store.datasets() if survey.name == _name(one)), None)

    def get(self, one: Training, report: Callable[[float, str], None]) -> DatasetFolder:
        """Survey of a training; it is made if it is not on disk."""
        if survey := self.find(one):
            return survey
        shutil.rmtree(self.store.inbox)  # left by a killed process
        path = self.store.inbox / "survey.parquet"
        return survey_dataset(
            self.store, path, n_rows(one), one.seed,
            name=_name(one), cache=self.cache, report=report,
        )  # fmt: skip

    def keep(self, trainings: list[Training]) -> None:
        """Remove the surveys that none of these trainings needs."""
        needed = {_name(one) for one in trainings}
        for dataset in self.store.datasets():
            if dataset.name not in needed:
                dataset.delete()
        if not trainings:
            shutil.rmtree(self.store.root, ignore_errors=True)


def _name(one: Training) -> str:
    return f"{one.n}-{one.seed}"


def check_room(config: LimitConfig, one: Training, surveys: Surveys) -> None:
    """Refuse a training that needs more memory or disk space than the machine has."""
    for remark in preflight.remarks(recipe(config, one), n_rows(one)):
        if remark.level == "error":
            raise InputError(f"A training on {one.n:,} galaxies: {remark.text}")
    folder = surveys.store.root.parent
    needed, free = n_rows(one) * DISK_BYTES, shutil.disk_usage(folder).free
    if needed > free and not surveys.find(one):
        raise InputError(
            f"{folder} has {free / 1e9:.1f} GB free, and the survey of {one.n:,} galaxies needs "
            f"{needed / 1e9:.1f} GB while it is made. Free some space, or choose smaller sizes."
        )


def train(context: InnerContext, config: LimitConfig, one: Training, survey: str) -> None:
    """Train to the end, from the start or a checkpoint; raises `Stopped` if the user stops."""
    run = context.folder
    if not run.config_path.exists():  # new, or begun by an earlier version that trained differently
        shutil.rmtree(run.path, ignore_errors=True)
        run.path.mkdir(parents=True)
    write_json(run.config_path, recipe(config, one, survey).to_dict())
    state = load_state(run)
    if state and state.progress.finished:  # killed before it was judged
        return
    stopped = train_job(context, n_steps=n_steps(config, one))["stopped"]
    gc.collect()  # frees its spectra before the next training loads its own
    if stopped:
        raise Stopped


def measured_rate(context: InnerContext, config: LimitConfig, one: Training, survey: str) -> float:
    """Spectra per second in the first MEASURE_SECONDS of a training, which is then deleted."""
    rates: list[float] = []
    end = math.inf

    def tell(progress: dict[str, Any]) -> None:
        nonlocal end
        if rate := progress.get("rate"):  # everything is compiled
            end = min(end, time.monotonic() + MEASURE_SECONDS)
            rates.append(rate)

    def enough() -> bool:
        return context.should_stop() or time.monotonic() > end

    run = context.folder
    shutil.rmtree(run.path, ignore_errors=True)
    with contextlib.suppress(Stopped):
        train(InnerContext(run, context.store, tell, enough), config, one, survey)
    shutil.rmtree(run.path)
    if context.should_stop():
        raise Stopped
    return statistics.median(rates)
