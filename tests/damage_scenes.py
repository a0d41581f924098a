"""A small finished store that holds one of everything, and the ways in which a file is damaged."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from redshift_core import data, pdf, prediction
from redshift_core.data.scaling import fit_scaler
from redshift_core.data.split import split_rows
from redshift_core.evaluation import training_range
from redshift_core.learning import models
from redshift_core.learning.training.checkpoint import Progress, State, save_state, write_history
from redshift_core.learning.training.portable import leave_onnx
from redshift_core.reports.bench import write_tables
from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.limit import LimitConfig
from redshift_core.settings.presets import preset
from redshift_core.store import Folder, JobContext, RunFolder, Store, read_json, write_json
from redshift_core.store.arrays import save_arrays
from tests.pages.made_up import bench_row, make_dataset, stress_lines
from tests.pages.made_up_searches import make_entry, make_tuning

SETTINGS = {
    "architecture": "mlp", "head": "pdf", "loss": "cross_entropy", "dense_units": "8",
    "scaler": "spectrum", "epochs": 2,
}  # fmt: skip
KINDS = ("cut", "empty", "random", "deleted", "newer", "foreign")
ONLY_JSON = ("newer", "foreign")
_clock = 2_000_000_000_000_000_000  # ns; every change of a file is seen by its time


def damaged(content: bytes, kind: str) -> bytes | None:
    """Content of a file after one kind of damage; None where it is deleted."""
    if kind == "newer":
        value = json.loads(content)
        newer = {"schema_version": 99, "future": {"a": 1}}
        value = {**value, **newer} if isinstance(value, dict) else [*value, newer]
        return json.dumps(value).encode()
    return {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "random": np.random.default_rng(len(content)).bytes(max(len(content), 8)),
        "deleted": None,
        "foreign": b"{}" if content.lstrip()[:1] == b"[" else b"[]",
    }[kind]


def put(path: Path, content: bytes | None) -> None:
    """Replace or remove a file, at a time that it never had before."""
    global _clock
    _clock += 1_000_000
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)
        os.utime(path, ns=(_clock, _clock))


def files_of(folder: Folder) -> list[Path]:
    """Every file of a folder but the trials' and trainings' own; logs hold no facts."""
    found = (path for path in sorted(folder.path.rglob("*")) if path.is_file())
    return [path for path in found if path.suffix not in (".txt", ".md", ".html")]


def kinds_of(path: Path) -> tuple[str, ...]:
    """Kinds of damage that a file can suffer."""
    return KINDS if path.suffix == ".json" else tuple(k for k in KINDS if k not in ONLY_JSON)


def copied(folder: Any, name: str) -> Any:
    """Copy of a folder under another id and name, older than all others."""
    copy = type(folder)(folder.path.with_name(f"20200101-000000-{name}"))
    shutil.copytree(folder.path, copy.path)
    return copy


def make_run(store: Store, dataset: Any, name: str) -> RunFolder:
    """Run as training leaves it, of the weights that it began with, judged on its test rows."""
    config = preset("fast", dataset.id).with_values(SETTINGS)
    opened, run = data.open_dataset(dataset), store.new_run(name)
    run.update_info(name=name)
    write_json(run.config_path, config.to_dict())
    split = split_rows(opened.usable_rows(), config.split)
    split.save(run.split_path)
    scaler = fit_scaler(config.scaler, opened.flux, split)
    scaler.save(run.scaler_path)
    training_range.fit_coverage(opened.flux, split.train, split.val).save(run.coverage_path)
    save_arrays(run.prior_path, {"training": pdf.training_prior(opened.z_spec[split.train])})
    models.keras.utils.set_random_seed(1)
    models.build_model(config.model, scaler).save(run.model_path)
    known = {key: dataset.info[key] for key in ("sha256", "simulated", "name")}
    write_json(run.environment_path, {"dataset": {"id": dataset.id, **known}})
    line = {"loss": 3.0, "mae": 0.03, "val_loss": 3.1, "val_mae": 0.031, "seconds": 1.0}
    lines = [{"epoch": epoch, **line, "learning_rate": 0.001} for epoch in (1, 2)]
    progress = Progress(epoch=2, finished=True, history=lines)
    write_history(run, progress)
    save_state(run, State(progress, [np.zeros(3)], [np.zeros(3)]))
    finish(store, run, {"kind": "train"}, {"run": run.id, "val_mae": 0.031, "epochs": 2})
    leave_onnx(run, store)
    prediction.evaluate_run(run, dataset)
    stress = {"run": run.id, "lines": stress_lines(), "n_rows": 40, "epochs": 2}
    write_json(run.stress_path(dataset.id), stress)
    return run


def finish(store: Store, job: Any, request: dict[str, Any], result: dict[str, Any]) -> None:
    """Write request, result and state as the worker does."""
    write_json(job.request_path, request)
    write_json(job.result_path, result)
    JobContext(job, store).set_state("finished", kind=request["kind"])


def make_store(store: Store) -> dict[str, Any]:
    """One of everything, by what it is called; two datasets and two runs."""
    dataset, other = make_dataset(store, "first"), make_dataset(store, "other", n=120, seed=2)
    run = make_run(store, dataset, "judged")
    source = store.inbox / "other.parquet"
    rows = {"rows": 400, "flagged": {}}
    reading, predicting = store.new_job("ingest"), store.new_job("predict")
    finish(store, reading, {"kind": "ingest", "file": str(source), "name": "first"},
           {"dataset": dataset.id, **rows})  # fmt: skip
    write_json(predicting.request_path, {"kind": "predict", "run": run.id, "file": str(source)})
    JobContext(predicting, store).set_state("running", kind="predict")
    result = prediction.predict_job(JobContext.of(predicting))
    finish(store, predicting, predicting.request, result)
    entries = [make_entry(number) for number in range(3)]
    tuning = make_tuning(store, dataset, entries=entries, trials=3)
    write_json(tuning.result_path, {"trials": 3})
    return {
        "dataset": dataset, "other": other, "run": run, "spare": make_run(store, dataset, "spare"),
        "ingest": reading, "predict": predicting, "tuning": tuning,
        "bench": make_bench(store, dataset), "limit": make_limit(store),
    }  # fmt: skip


def make_bench(store: Store, dataset: Any) -> Any:
    """Bench with two of its rows done."""
    bench = store.new_bench("made up")
    config = BenchConfig(dataset=dataset.id, rows=("prior", "fast", "ridge"))
    write_json(bench.config_path, config.to_dict())
    about = {"dataset": {"simulated": False}, "split": {"train": 7, "val": 2, "test": 1}}
    about |= {"device": {"text": "a machine"}, "versions": {"keras": "3"}}
    write_json(bench.environment_path, about)
    bench.write_row("prior", bench_row("prior", 0.06, 0.0))
    curve = {"epochs": 2, "val_mae": 0.02, "val_curve": [[2.0, 0.03], [4.0, 0.02]]}
    bench.write_row("fast", bench_row("fast", 0.02, 4.0, **curve))
    write_tables(bench)
    finish(store, bench, {"kind": "bench"}, {"stopped": False})
    return bench


def make_limit(store: Store) -> Any:
    """Study with two of its sizes done and a run quoted."""
    study = store.new_limit("made up")
    write_json(study.config_path, LimitConfig(sizes=(1000, 4000, 16000)).to_dict())
    write_json(study.plan_path, {"passes": 10_000, "rate": 5_000.0})
    line = {"mae": 0.02, "epochs": 1.0, "check": False, "spectra": 10_000, "seconds": 2.0}
    rows = [{"n": n, "key": f"{n:09d}-0", **line} for n in (1000, 4000)]
    recipes = [{"run": "r", "name": "my run", "n": 4000, "mae": 0.021}]
    write_json(study.rows_path, rows)
    write_json(study.recipes_path, recipes)
    write_json(study.environment_path, {"versions": {"keras": "3"}})
    result = {"rows": rows, "recipes": recipes, "limits": {}, "simulated": True}
    write_json(study.limit_path, {**result, "config": study.config.to_dict()})
    finish(store, study, {"kind": "limit", "against": []}, {"stopped": False})
    return study


def redshifts(store: Store, job: Any) -> Any:
    """Predicted redshifts of a job that has predicted."""
    import pandas as pd

    table = next(name for name in read_json(job.result_path)["files"] if name[-7:] == "parquet")
    return pd.read_parquet(table).z_phot.to_numpy()
