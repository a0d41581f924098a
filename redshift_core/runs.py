"""Dataset, run, tuning and job folders on disk: the only place that knows their file names.

    datasets/<id>/   flux.npy  catalogue.parquet  dataset.json
    runs/<id>/       config.json  environment.json  history.csv  split.npz  scaler.npz  coverage.npz
                     prior.npz  model.keras  checkpoint/
                     evaluations/<dataset>/metrics.json  predictions.parquet  pdf.npy
    tuning/<id>/     config.json  environment.json  split.npz  trials.json
                     oracle/ (KerasTuner's own)  trials/<trial>/config.json  history.csv
    limits/<id>/     config.json  environment.json  plan.json  rows.json  recipes.json
                     limit.json  limit.md  limit.html
                     trainings/<galaxies>-<repeat>/model.keras  answers.npz  checkpoint/
                     recipes/<run>.npz
    bench/<id>/      config.json  environment.json  rows/<row>.json  output/
    jobs/<id>/       output/
    every job (a run, a tuning, a limit or a bench is one):
                     request.json  status.json  result.json  log.txt  STOP
    inbox/  cache/  locks/  priors/<name>.csv (a user's n(z))

JSON is written to ``.tmp`` and renamed, so a reader never sees half a file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redshift_core.bench_config import BenchConfig
from redshift_core.config import RunConfig
from redshift_core.errors import InputError
from redshift_core.limit_config import LimitConfig
from redshift_core.tuning_config import TuningConfig

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent
ACTIVE_STATES = ("starting", "queued", "running", "stopping")
STATUS_INTERVAL = 0.5  # s between two writes of status.json while a job only makes progress


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file; empty where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def write_json(path: Path, value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write a JSON file whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.tmp")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def slug(text: str, default: str = "unnamed") -> str:
    """Lower-case letters, digits and dashes of a name, at most 40, safe in a path and a URL."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or default


def store_root() -> Path:
    """``$REDSHIFT_LAB_HOME``, else ``data/`` of the checkout, else the user's data folder."""
    if home := os.environ.get("REDSHIFT_LAB_HOME"):
        return Path(home).expanduser().resolve()
    if (CHECKOUT / "pyproject.toml").exists():
        return CHECKOUT / "data"
    import platformdirs

    return Path(platformdirs.user_data_dir("redshift-lab", appauthor=False))


def dashboard_root() -> Path:
    """Folder that holds app.py, pages/ and data/demo/: the checkout, or the wheel's copy."""
    installed = PACKAGE / "dashboard"
    return installed if installed.exists() else CHECKOUT


def demo_file() -> Path:
    """The committed demo survey (SIMULATED)."""
    return dashboard_root() / "data" / "demo" / "survey.parquet"


@dataclass(frozen=True)
class Folder:
    """One dataset, run or job on disk."""

    path: Path

    @property
    def id(self) -> str:
        """Folder name: sortable UTC time plus a slug."""
        return self.path.name

    @property
    def info_path(self) -> Path:
        """JSON file with the name and note the user gave."""
        return self.path / "meta.json"

    @property
    def info(self) -> dict[str, Any]:
        """Name, note and whatever else the information file holds."""
        return read_json(self.info_path)

    @property
    def name(self) -> str:
        """Name the user gave, else the slug of the id."""
        return self.info.get("name") or self.id.split("-", 2)[-1]

    @property
    def note(self) -> str:
        """Free text of the user."""
        return self.info.get("note", "")

    def update_info(self, **values: Any) -> None:
        """Replace some values of the information file."""
        write_json(self.info_path, {**self.info, **values})

    def delete(self) -> None:
        """Remove the folder; it vanishes at once, under another name, before its files go."""
        doomed = self.path.with_name(f".deleted-{self.id}-{time.time_ns()}")
        os.rename(self.path, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


@dataclass(frozen=True)
class DatasetFolder(Folder):
    """Spectra and their catalogue, read once and memory-mapped ever after."""

    @property
    def info_path(self) -> Path:
        """Name, source file, SHA-256, counts, flags, unit and SIMULATED mark."""
        return self.path / "dataset.json"

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

    @property
    def request_path(self) -> Path:
        """What the worker is asked to do: ``{"kind": …, …}``."""
        return self.path / "request.json"

    @property
    def status_path(self) -> Path:
        """State, process and progress; read it through ``jobs.status``."""
        return self.path / "status.json"

    @property
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
    def output(self) -> Path:
        """Folder of the files the job makes for download."""
        return self.path / "output"

    @property
    def request(self) -> dict[str, Any]:
        """What the worker is asked to do."""
        return read_json(self.request_path)

    @property
    def result(self) -> dict[str, Any]:
        """What the job returned; empty before it finished."""
        return read_json(self.result_path)


@dataclass(frozen=True)
class LongFolder(JobFolder):
    """What a run and a search keep alike."""

    @property
    def config_path(self) -> Path:
        """Every setting."""
        return self.path / "config.json"

    @property
    def environment_path(self) -> Path:
        """Versions, device, commit, dataset SHA-256."""
        return self.path / "environment.json"

    @property
    def split_path(self) -> Path:
        """Row numbers: train (for a search the share that trials see), val, test."""
        return self.path / "split.npz"


@dataclass(frozen=True)
class RunFolder(LongFolder):
    """A training run; it alone reproduces every number shown for it."""

    @property
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
    def model_path(self) -> Path:
        """The model, raw flux in."""
        return self.path / "model.keras"

    @property
    def checkpoint_path(self) -> Path:
        """Folder from which the run resumes."""
        return self.path / "checkpoint"

    @property
    def config(self) -> RunConfig:
        """Every setting, checked."""
        return RunConfig.from_dict(read_json(self.config_path))

    def metrics_path(self, dataset: str) -> Path:
        """Metrics on one dataset's rows."""
        return self.path / "evaluations" / dataset / "metrics.json"

    @property
    def trained_on(self) -> dict[str, Any]:
        """What the run remembers of its dataset: id, name, sha256, simulated."""
        return read_json(self.environment_path).get("dataset", {})

    def last_evaluated(self) -> float:
        """Unix time of the newest evaluation, s; 0 where there is none."""
        found = self.path.glob("evaluations/*/metrics.json")
        return max((path.stat().st_mtime for path in found), default=0.0)

    def evaluated(self) -> list[str]:
        """Ids of the datasets the run was evaluated on, newest evaluation first."""
        found = self.path.glob("evaluations/*/metrics.json")
        return [path.parent.name for path in sorted(found, key=lambda p: -p.stat().st_mtime)]

    def predictions_path(self, dataset: str) -> Path:
        """Per row of one dataset: row, source_id, z_spec, z_phot, brightness, flags.

        With a PDF head also z_low68, z_high68, z_low95 and z_high95.
        """
        return self.path / "evaluations" / dataset / "predictions.parquet"

    def pdf_path(self, dataset: str) -> Path:
        """p(z) under the training prior, float16 (n, 240) in 1/z, line by line as predicted."""
        return self.path / "evaluations" / dataset / "pdf.npy"


@dataclass(frozen=True)
class TuningFolder(LongFolder):
    """A search for a network, and its trials."""

    @property
    def oracle_path(self) -> Path:
        """KerasTuner's own folder, from which the search resumes."""
        return self.path / "oracle"

    @property
    def trials_path(self) -> Path:
        """What is known of every trial, in the order in which they began."""
        return self.path / "trials.json"

    @property
    def config(self) -> TuningConfig:
        """Every setting of the search, checked."""
        try:
            return TuningConfig.from_dict(read_json(self.config_path))
        except ValueError as error:
            raise InputError(f"The settings of {self.id} cannot be read: {error}") from error

    @property
    def trials(self) -> list[dict[str, Any]]:
        """Entries of ``trials.json``; empty before the first trial."""
        found: Any = read_json(self.trials_path)
        return found or []

    @property
    def trained_on(self) -> dict[str, Any]:
        """What the search remembers of its dataset: id, name, sha256, simulated."""
        return read_json(self.environment_path).get("dataset", {})

    def trial(self, name: str) -> RunFolder:
        """Folder of a trial: the settings of the run it stands for, and its history."""
        return RunFolder(self.path / "trials" / name)


@dataclass(frozen=True)
class LimitFolder(LongFolder):
    """A study of the information limit of the simulated survey."""

    @property
    def config(self) -> LimitConfig:
        """Every setting of the study, checked."""
        return LimitConfig.from_dict(read_json(self.config_path))

    @property
    def plan_path(self) -> Path:
        """Passes of every size, decided once, and the speed they were decided by."""
        return self.path / "plan.json"

    @property
    def rows_path(self) -> Path:
        """A line per finished training."""
        return self.path / "rows.json"

    @property
    def recipes_path(self) -> Path:
        """A line per run that is quoted against the limit."""
        return self.path / "recipes.json"

    @property
    def limit_path(self) -> Path:
        """Rows, limit with its intervals, recipes: all of the result."""
        return self.path / "limit.json"

    @property
    def table_path(self) -> Path:
        """The result as Markdown."""
        return self.path / "limit.md"

    @property
    def figure_path(self) -> Path:
        """The result as a figure, one HTML file."""
        return self.path / "limit.html"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Lines of ``rows.json``; empty before the first training is done."""
        found: Any = read_json(self.rows_path)
        return found or []

    @property
    def recipes(self) -> list[dict[str, Any]]:
        """Lines of ``recipes.json``."""
        found: Any = read_json(self.recipes_path)
        return found or []

    def training(self, key: str) -> RunFolder:
        """Folder of one training: its model, and its checkpoint until it is judged."""
        return RunFolder(self.path / "trainings" / key)

    def answers_path(self, key: str) -> Path:
        """What one training's model says of each test galaxy."""
        return self.training(key).path / "answers.npz"

    def recipe_path(self, run: str) -> Path:
        """What a run's model says of each test galaxy."""
        return self.path / "recipes" / f"{run}.npz"


@dataclass(frozen=True)
class BenchFolder(LongFolder):
    """Networks and baselines side by side, a file per row; the networks are ordinary runs."""

    @property
    def config(self) -> BenchConfig:
        """Every setting of the bench, checked."""
        return BenchConfig.from_dict(read_json(self.config_path))

    @property
    def table_path(self) -> Path:
        """The rows so far, as Markdown."""
        return self.output / "bench.md"

    @property
    def json_path(self) -> Path:
        """Everything measured so far, as one JSON object."""
        return self.output / "bench.json"

    @property
    def page_path(self) -> Path:
        """Table and figure, as one HTML file."""
        return self.output / "bench.html"

    def row(self, name: str) -> dict[str, Any]:
        """What is known of a row: who computes it, and its figures when it is done."""
        return read_json(self.path / "rows" / f"{name}.json")

    def write_row(self, name: str, row: dict[str, Any]) -> None:
        """Keep what is known of a row."""
        (self.path / "rows").mkdir(exist_ok=True)
        write_json(self.path / "rows" / f"{name}.json", row)


@dataclass(frozen=True)
class Store:
    """All folders under one root."""

    root: Path = field(default_factory=store_root)

    @property
    def inbox(self) -> Path:
        """Files waiting to be ingested: uploads, and what the user puts there."""
        return self._made("inbox")

    @property
    def cache(self) -> Path:
        """Tables that can be computed again."""
        return self._made("cache")

    @property
    def locks(self) -> Path:
        """OS lock files; a lock dies with its owner."""
        return self._made("locks")

    def prior_names(self) -> list[str]:
        """Names of the redshift distributions that users brought."""
        return sorted(path.stem for path in self._made("priors").glob("*.csv"))

    def prior_path(self, name: str) -> Path:
        """Table of a user's redshift distribution: z, n; inside the store, whatever the name."""
        return self._made("priors") / f"{slug(name)}.csv"

    def datasets(self) -> list[DatasetFolder]:
        """Every dataset, newest first."""
        return self._list("datasets", DatasetFolder)

    def runs(self) -> list[RunFolder]:
        """Every run, newest first."""
        return self._list("runs", RunFolder)

    def tunings(self) -> list[TuningFolder]:
        """Every search, newest first."""
        return self._list("tuning", TuningFolder)

    def limits(self) -> list[LimitFolder]:
        """Every study of the information limit, newest first."""
        return self._list("limits", LimitFolder)

    def benches(self) -> list[BenchFolder]:
        """Every bench, newest first."""
        return self._list("bench", BenchFolder)

    def long_jobs(self) -> list[LongFolder]:
        """Every run, search, study and bench."""
        return [*self.runs(), *self.tunings(), *self.limits(), *self.benches()]

    def jobs(self) -> list[JobFolder]:
        """Every short job, newest first."""
        return self._list("jobs", JobFolder)

    def dataset(self, name: str) -> DatasetFolder:
        """Dataset by id, or by name where only one has it."""
        return self._find(name, self.datasets(), "dataset")

    def run(self, name: str) -> RunFolder:
        """Run by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.runs(), "run")

    def tuning(self, name: str) -> TuningFolder:
        """Search by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.tunings(), "tuning")

    def limit(self, name: str) -> LimitFolder:
        """Study by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.limits(), "limit")

    def bench(self, name: str) -> BenchFolder:
        """Bench by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.benches(), "bench")

    def job(self, name: str) -> JobFolder:
        """Short job by id."""
        return self._find(name, self.jobs(), "job")

    def new_dataset(self, name: str) -> DatasetFolder:
        """Empty dataset folder under a hidden name; ``publish`` shows it when it is whole."""
        return DatasetFolder(self._new("datasets", name, hidden=True))

    def new_run(self, name: str) -> RunFolder:
        """Empty run folder."""
        return RunFolder(self._new("runs", name))

    def new_tuning(self, name: str) -> TuningFolder:
        """Empty folder of a search."""
        return TuningFolder(self._new("tuning", name))

    def new_limit(self, name: str) -> LimitFolder:
        """Empty folder of a study."""
        return LimitFolder(self._new("limits", name))

    def new_bench(self, name: str) -> BenchFolder:
        """Empty folder of a bench."""
        return BenchFolder(self._new("bench", name))

    def new_job(self, kind: str) -> JobFolder:
        """Empty job folder."""
        return JobFolder(self._new("jobs", kind))

    def _made(self, part: str) -> Path:
        path = self.root / part
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _list(self, part: str, kind: type) -> list[Any]:
        folder = self.root / part
        if not folder.exists():
            return []
        names = (p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        return [kind(path) for path in sorted(names, reverse=True)]

    def _find(self, name: str, folders: list[Any], what: str) -> Any:
        if name == "latest" and folders:
            return folders[0]
        found = [f for f in folders if f.id == name] or [f for f in folders if f.name == name]
        if len(found) == 1:
            return found[0]
        kinds = "benches" if what == "bench" else f"{what}s"
        if found:
            ids = ", ".join(f.id for f in found)
            raise InputError(f"{len(found)} {kinds} are called {name!r}; give the id: {ids}.")
        known = ", ".join(f.id for f in folders[:5]) or f"none; the store {self.root} is empty"
        raise InputError(f"No {what} {name!r} here. Newest {kinds}: {known}.")

    def _new(self, part: str, name: str, hidden: bool = False) -> Path:
        folder = self._made(part)
        base = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{slug(name)}"
        for attempt in range(1, 1000):
            final = base if attempt == 1 else f"{base}-{attempt}"
            path = folder / (f".new-{final}" if hidden else final)
            if (folder / final).exists():
                continue
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
        raise InputError(f"More than 1000 folders begin with {base} in {folder}; delete some.")


def publish(dataset: DatasetFolder) -> DatasetFolder:
    """Show a dataset made by ``Store.new_dataset``, whole, under its final id."""
    final = dataset.path.with_name(dataset.path.name.removeprefix(".new-"))
    os.rename(dataset.path, final)
    return DatasetFolder(final)


class JobContext:
    """What a job sees of the outside: its request, its progress, the wish to stop."""

    def __init__(self, folder: JobFolder, store: Store, status: dict[str, Any] | None = None):
        self.folder = folder
        self.store = store
        self.request = folder.request
        self._status = status or {}
        self._written = 0.0

    @classmethod
    def of(cls, folder: JobFolder) -> JobContext:
        """Context of a job folder two levels below its store's root."""
        return cls(folder, Store(folder.path.parent.parent), read_json(folder.status_path))

    def report(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        *,
        now: bool = False,
        **detail: Any,
    ) -> None:
        """Beat the heart and tell progress; written at most every STATUS_INTERVAL unless ``now``.

        ``detail`` are values of the kind of job (epoch, step, device); they stay until replaced.
        """
        for key, value in (("done", done), ("total", total), ("message", message)):
            if value is not None:
                self._status[key] = value
        self._status["detail"] = {**self._status.get("detail", {}), **detail}
        if now or time.monotonic() - self._written > STATUS_INTERVAL:
            self._write()

    def set_state(self, state: str, **values: Any) -> None:
        """Write a new state at once."""
        self._status.update(state=state, **values)
        self._write()

    def should_stop(self) -> bool:
        """Whether the user asked the job to stop."""
        return self.folder.stop_path.exists()

    def _write(self) -> None:
        self._status["heartbeat"] = time.time()
        write_json(self.folder.status_path, self._status)
        self._written = time.monotonic()
