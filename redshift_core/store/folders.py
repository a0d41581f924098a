"""What one dataset, run, search or job is on disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from redshift_core.errors import DamagedError, InputError
from redshift_core.settings.fields import Settings
from redshift_core.settings.length import run_length
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.store import read_only, shapes
from redshift_core.store.evaluations import EvaluationFolder, evaluations_in
from redshift_core.store.files import decoded, lock_of, read_json, write_json
from redshift_core.store.records import Evaluation, Stress, Trial
from redshift_core.store.remembered import remembered


@dataclass(frozen=True)
class Folder:
    """One dataset, run or job on disk."""

    path: Path

    @property
    def id(self) -> str:
        """Folder name: sortable UTC time plus a slug."""
        return self.path.name

    @cached_property
    def info_path(self) -> Path:
        """JSON file with the name and note the user gave."""
        return self.path / "meta.json"

    @property
    def info(self) -> dict[str, Any]:
        """Name, note and whatever else the information file holds."""
        return dict(remembered(_checked, self.info_path, shapes.check_named))

    @property
    def name(self) -> str:
        """Name the user gave, else the slug of the id; also of a damaged folder."""
        with contextlib.suppress(DamagedError):
            if name := self.info.get("name"):
                return name
        return self.id.split("-", 2)[-1]

    @property
    def note(self) -> str:
        """Free text of the user."""
        return self.info.get("note") or ""

    def update_info(self, **values: Any) -> None:
        """Replace some values of the information file; of several at a time none is lost."""
        read_only.refuse_writing()
        said = {key: decoded(one) for key, one in values.items() if isinstance(one, str)}
        with self.lock():
            write_json(self.info_path, {**self.info, **values, **said})

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """What one thread or process holds while it reads and rewrites files of this folder."""
        return lock_of(self.path)

    def delete(self) -> None:
        """Remove the folder; it vanishes at once, under another name, before its files go."""
        read_only.refuse_writing()
        doomed = self.path.with_name(f".deleted-{self.id}-{time.time_ns()}")
        os.rename(self.path, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _checked(path: Path, check: Callable[[Path, Any], None]) -> dict[str, Any]:
    """Content of a JSON file, of the right shape."""
    found = read_json(path)
    check(path, found)
    return found


def _settings(path: Path, kind: type[Settings]) -> Settings:
    """Settings in a JSON file, checked."""
    found = read_json(path)
    if not found and not path.exists():
        raise DamagedError.of(path, "it is missing")
    try:
        return kind.from_dict(found)
    except InputError as error:
        raise DamagedError.of(path, str(error), shapes.NEWER) from error


@dataclass(frozen=True)
class DatasetFolder(Folder):
    """Spectra and their catalogue, read once and memory-mapped ever after."""

    @cached_property
    def info_path(self) -> Path:
        """Name, source file, SHA-256, counts, flags, unit and SIMULATED mark."""
        return self.path / "dataset.json"

    @property
    def info(self) -> dict[str, Any]:
        """Content of ``dataset.json``."""
        return dict(remembered(_checked, self.info_path, shapes.check_dataset))

    @property
    def flux_path(self) -> Path:
        """Raw flux, shape (n_sources, 186), float32."""
        return self.path / "flux.npy"

    @property
    def catalogue_path(self) -> Path:
        """One line per source: row, source_id, z_spec, brightness, flags, other columns."""
        return self.path / "catalogue.parquet"


@dataclass(frozen=True)
class JobFolder(Folder):
    """A request to the worker, its status, its log and its result."""

    @cached_property
    def request_path(self) -> Path:
        """What the worker is asked to do: ``{"kind": …, …}``."""
        return self.path / "request.json"

    @cached_property
    def status_path(self) -> Path:
        """State, process and progress; read it through ``jobs.status``."""
        return self.path / "status.json"

    @cached_property
    def result_path(self) -> Path:
        """What the job returned."""
        return self.path / "result.json"

    @property
    def log_path(self) -> Path:
        """Everything the worker printed."""
        return self.path / "log.txt"

    @property
    def stop_path(self) -> Path:
        """A job that sees this file stops."""
        return self.path / "STOP"

    @property
    def room_path(self) -> Path:
        """Space kept for the last word of a job that is at work, should the disk be full."""
        return self.path / ".room"

    @property
    def output(self) -> Path:
        """Folder of the files the job makes for download."""
        return self.path / "output"

    @property
    def request(self) -> dict[str, Any]:
        """What the worker is asked to do."""
        return dict(remembered(read_json, self.request_path))

    @property
    def result(self) -> dict[str, Any]:
        """What the job returned; empty before it finished."""
        return dict(remembered(read_json, self.result_path))


@dataclass(frozen=True)
class LongFolder(JobFolder):
    """What a run and a search keep alike."""

    @cached_property
    def config_path(self) -> Path:
        """Every setting."""
        return self.path / "config.json"

    @cached_property
    def environment_path(self) -> Path:
        """Versions, device, commit, dataset SHA-256."""
        return self.path / "environment.json"

    @property
    def split_path(self) -> Path:
        """Row numbers: train (for a search the share that trials see), val, test."""
        return self.path / "split.npz"

    @property
    def environment(self) -> dict[str, Any]:
        """What it was made with and on; empty before it began."""
        return dict(remembered(_checked, self.environment_path, shapes.check_environment))

    @property
    def trained_on(self) -> dict[str, Any]:
        """What is remembered of its dataset: id, name, sha256, simulated."""
        return self.environment.get("dataset", {})

    def read_config(self, kind: type[Settings]) -> Any:
        """Every setting, checked."""
        return remembered(_settings, self.config_path, kind)


@dataclass(frozen=True)
class RunFolder(LongFolder):
    """A training run; it alone reproduces every number shown for it."""

    @cached_property
    def history_path(self) -> Path:
        """One line per epoch."""
        return self.path / "history.csv"

    @property
    def scaler_path(self) -> Path:
        """Fitted numbers of the scaler."""
        return self.path / "scaler.npz"

    @property
    def coverage_path(self) -> Path:
        """Range of the training spectra, for the flag of those outside it."""
        return self.path / "coverage.npz"

    @property
    def prior_path(self) -> Path:
        """Smoothed density of the training redshifts: array ``training``, shape (240,)."""
        return self.path / "prior.npz"

    @property
    def seen_path(self) -> Path:
        """Which galaxies it has learned from: hashes of their spectra, and their ids."""
        return self.path / "seen.npz"

    @property
    def model_path(self) -> Path:
        """The model, raw flux in."""
        return self.path / "model.keras"

    @property
    def onnx_path(self) -> Path:
        """The same model for ONNX Runtime, once the training has ended."""
        return self.path / "model.onnx"

    @property
    def checkpoint_path(self) -> Path:
        """Folder from which the run resumes."""
        return self.path / "checkpoint"

    @property
    def start(self) -> RunFolder:
        """Copy of what a fine-tuned run starts from: the scaler and the model of another run."""
        return RunFolder(self.path / "start")

    @property
    def started_from(self) -> dict[str, Any]:
        """What is remembered of the run it started from: run, name, dataset; empty without one."""
        found = self.environment.get("started_from") or read_json(self.start.info_path)
        shapes.check_started_from(self.environment_path, found)
        return found

    @property
    def config(self) -> RunConfig:
        """Every setting, checked."""
        return self.read_config(RunConfig)

    @property
    def epochs(self) -> int:
        """Epochs in all, unless the run ends early; those of its settings before it began."""
        training = self.config.training
        if training.min_steps and (n_train := self.environment.get("split", {}).get("train")):
            return run_length(training, n_train).epochs
        return training.epochs

    def metrics(self, dataset: str) -> Evaluation | None:
        """What `prediction.evaluate_run` said on a dataset; None where there is nothing."""
        return self.evaluation(dataset).metrics

    def stress(self, dataset: str) -> Stress | None:
        """What `prediction.stress_run` said on a dataset; None where there is nothing."""
        return self.evaluation(dataset).stress

    def evaluation(self, dataset: str) -> EvaluationFolder:
        """What the run says of one dataset."""
        return EvaluationFolder(self.path / "evaluations" / dataset).settled()

    def evaluations(self) -> list[EvaluationFolder]:
        """What the run says of every dataset it was judged on, newest first."""
        return evaluations_in(self.path / "evaluations")

    def last_evaluated(self) -> float:
        """Unix time of the newest evaluation, s; 0 where there is none."""
        return max((one.written for one in self.evaluations()), default=0.0)

    def evaluated(self) -> list[str]:
        """Ids of the datasets the run was evaluated on, newest evaluation first."""
        return [one.dataset for one in self.evaluations() if one.written]

    def metrics_path(self, dataset: str) -> Path:
        """Metrics on one dataset's rows."""
        return self.evaluation(dataset).metrics_path

    def predictions_path(self, dataset: str) -> Path:
        """Redshifts of one dataset's rows: see `EvaluationFolder`."""
        return self.evaluation(dataset).predictions_path

    def pdf_path(self, dataset: str) -> Path:
        """p(z) of one dataset's rows: see `EvaluationFolder`."""
        return self.evaluation(dataset).pdf_path

    def real_galaxies_path(self, dataset: str) -> Path:
        """What the run says of three real galaxies, written with the metrics beside it."""
        return self.evaluation(dataset).real_galaxies_path

    def stress_path(self, dataset: str) -> Path:
        """Errors on one dataset's rows, perturbed in several ways: `prediction.stress_run`."""
        return self.evaluation(dataset).stress_path


@dataclass(frozen=True)
class TuningFolder(LongFolder):
    """A search for a network, and its trials."""

    @property
    def trials_path(self) -> Path:
        """What is known of every trial, in the order in which they began; a search resumes from it.

        Searches of earlier versions have a folder ``oracle`` beside it, which nothing reads.
        """
        return self.path / "trials.json"

    @property
    def config(self) -> TuningConfig:
        """Every setting of the search, checked."""
        return self.read_config(TuningConfig)

    @property
    def trials(self) -> list[Trial]:
        """Entries of ``trials.json``; empty before the first trial."""
        return list(remembered(_trials, self.trials_path))

    @property
    def finished(self) -> list[Trial]:
        """Trials that have a score, the best first."""
        done = (one for one in self.trials if one.state == "finished" and one.score is not None)
        return sorted(done, key=lambda one: one.score)

    def trial(self, name: str) -> RunFolder:
        """Folder of a trial: the settings of the run it stands for, and its history."""
        return RunFolder(self.path / "trials" / name)


def _trials(path: Path) -> list[Trial]:
    return [Trial.from_dict(one, path) for one in read_json(path, list)]
