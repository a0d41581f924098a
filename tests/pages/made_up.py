"""For the page tests: a page opened as a visitor would, and datasets and runs in every state.

The folders are written as ingest and the worker leave them.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import time
from collections.abc import Iterator

import filelock
import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from redshift_core import data, jobs, pdf, reference
from redshift_core.evaluation.bins import evaluate
from redshift_core.evaluation.bootstrap import bootstrap
from redshift_core.evaluation.calibration import evaluate_pdf
from redshift_core.evaluation.metrics import METRICS
from redshift_core.evaluation.perturbations import PERTURBATIONS
from redshift_core.settings.presets import preset
from redshift_core.store import CHECKOUT, DatasetFolder, RunFolder, Store, write_json
from redshift_core.store.arrays import save_arrays

APP = CHECKOUT / "app.py"


def open_page(name: str, **query) -> AppTest:
    """A page, opened through app.py with these query parameters."""
    gc.freeze()  # what earlier pages loaded: see tests/conftest.py
    at = AppTest.from_file(APP, default_timeout=30)
    for key, value in query.items():
        at.query_params[key] = str(value)
    return at.switch_page(f"pages/{name}.py").run()


def texts(at: AppTest) -> str:
    """Everything the page says in prose."""
    kinds = ("markdown", "caption", "info", "warning", "error")
    return "\n".join(element.value for kind in kinds for element in getattr(at, kind))


def make_survey(path, n=400, seed=1, with_z=True):
    """Parquet file of smooth made-up spectra; the redshift is known but means nothing."""
    path.write_bytes(_survey(n, seed, with_z))
    return path


@functools.cache
def _survey(n, seed, with_z) -> bytes:
    generator = np.random.default_rng(seed)
    z = np.clip(generator.gamma(3.2, 0.045, n), 0.0, 0.6)
    pixels = np.arange(186)
    shape = 1 + 0.6 * np.sin(pixels / 25 + 8 * z[:, None])
    flux = generator.lognormal(1, 0.4, n)[:, None] * shape + generator.normal(0, 0.1, (n, 186))
    frame = pd.DataFrame(flux.astype(np.float32), columns=[f"flux_{i}" for i in range(186)])
    if with_z:
        frame.insert(0, "z", z)
    frame.insert(0, "source_id", 4_000_000_000_000_000_001 + np.arange(n))
    return frame.to_parquet()


def make_dataset(store: Store, name="made up", **survey) -> DatasetFolder:
    """Such a file, ingested."""
    return data.ingest(make_survey(store.inbox / f"{name}.parquet", **survey), store, name=name)


def make_run(
    store: Store,
    dataset: DatasetFolder,
    state: str = "finished",
    *,
    name: str = "",
    epochs_done: int = 5,
    message: str = "",
    evaluated: bool = False,
    pid: int = 0,
    pid_started: float = 0.0,
    **values,
) -> RunFolder:
    """Run folder in a state, with a history and, if wanted, an evaluation on its own dataset.

    ``pid`` and ``pid_started`` make an active state believable: those of a living process.
    """
    run = store.new_run(name or f"{state} run")
    if name:
        run.update_info(name=name)
    config = preset("fast", dataset.id).with_values({"epochs": 10, **values})
    write_json(run.config_path, config.to_dict())
    write_json(run.request_path, {"kind": "train"})
    detail = {
        "epoch": epochs_done + 1, "epochs": 10, "step": 30, "steps": 120, "rate": 23456.0,
        "seconds_left": 75.0, "device": "CPU, 2 threads", "mae": 0.021, "val_mae": 0.0223,
    }  # fmt: skip
    status = {
        "state": state, "kind": "train", "message": message, "done": epochs_done, "total": 10,
        "submitted": time.time() - 100, "heartbeat": time.time(), "pid": pid,
        "pid_started": pid_started, "user_error": False, "detail": detail,
    }  # fmt: skip
    write_json(run.status_path, status)
    run.log_path.write_text("Epoch 5 of 10\nall is well\n", encoding="utf-8")
    history = reference.history().head(epochs_done).assign(seconds=3.5, learning_rate=0.001)
    if epochs_done:
        columns = ["epoch", "loss", "mae", "val_loss", "val_mae", "seconds", "learning_rate"]
        history[columns].to_csv(run.history_path, index=False)
    if state == "finished":
        write_json(run.result_path, {"run": run.id, "val_mae": 0.0223, "epochs": epochs_done})
        run.model_path.write_bytes(b"not read by the pages")
    if evaluated:
        add_evaluation(run, dataset)
    return run


def add_evaluation(run: RunFolder, dataset: DatasetFolder, n: int = 2000, seed: int = 2) -> dict:
    """Evaluation of a run on a dataset, with predictions that shrink toward the mean."""
    generator = np.random.default_rng(seed)
    z_spec = np.clip(generator.gamma(3.2, 0.045, n), 0.0, 0.6)
    z_phot = 0.142 + 0.83 * (z_spec - 0.142) + generator.normal(0, 0.025, n)
    run.metrics_path(dataset.id).parent.mkdir(parents=True, exist_ok=True)
    metrics = {**evaluate(z_spec, z_phot).to_dict(), **bootstrap(z_spec, z_phot, n=20, seed=7)}
    write_json(run.metrics_path(dataset.id), metrics)
    frame = pd.DataFrame(
        {"row": np.arange(n), "source_id": np.arange(n), "z_spec": z_spec, "z_phot": z_phot}
    )
    frame["brightness"] = generator.lognormal(1, 0.4, n)
    frame["flags"] = np.where(np.arange(n) % 50 == 3, "outside_training_range", "")
    frame.to_parquet(run.predictions_path(dataset.id))
    return metrics


def add_densities(run: RunFolder, dataset: DatasetFolder, n: int = 600, seed: int = 3) -> dict:
    """Evaluation with p(z): the exact posteriors of redshifts seen with normal noise."""
    generator = np.random.default_rng(seed)
    z_spec = np.clip(generator.gamma(3.2, 0.045, 50 * n), 0.0, 0.5999)
    prior = pdf.training_prior(z_spec)
    z_spec = z_spec[:n]
    brightness = generator.lognormal(1, 0.4, n)
    noise = 0.09 / brightness
    seen = z_spec + noise * generator.normal(size=n)
    density = prior * np.exp(-(((pdf.CENTRES - seen[:, None]) / noise[:, None]) ** 2) / 2)
    density = (density / (density.sum(axis=1, keepdims=True) * pdf.WIDTH)).astype(np.float16)
    z_phot = pdf.point(density)
    metrics = {**evaluate(z_spec, z_phot).to_dict(), **bootstrap(z_spec, z_phot, n=20, seed=7)}
    metrics["pdf"] = evaluate_pdf(density, z_spec, z_phot, brightness)
    frame = pd.DataFrame(
        {"row": np.arange(n), "source_id": np.arange(n), "z_spec": z_spec, "z_phot": z_phot}
    )
    for level in (68, 95):
        frame[[f"z_low{level}", f"z_high{level}"]] = pdf.interval(density, level / 100)
    frame["brightness"] = brightness
    frame["flags"] = np.where(np.arange(n) % 40 == 3, "multimodal", "")
    run.metrics_path(dataset.id).parent.mkdir(parents=True, exist_ok=True)
    write_json(run.metrics_path(dataset.id), metrics)
    frame.to_parquet(run.predictions_path(dataset.id))
    np.save(run.pdf_path(dataset.id), density)
    save_arrays(run.prior_path, {"training": prior})
    return metrics


@contextlib.contextmanager
def every_slot_taken(store: Store) -> Iterator[None]:
    """Workers started meanwhile are real but wait; at the end they are stopped."""
    names = ("device", "short-0", "short-1")
    locks = [filelock.FileLock(store.locks / f"{name}.lock") for name in names]
    for lock in locks:
        lock.acquire()
    try:
        yield
    finally:
        begun = [job for job in (*store.runs(), *store.jobs()) if jobs.status(job).active]
        for job in begun:
            jobs.stop(job)
        for job in begun:
            jobs.wait(job, timeout=30)
        for lock in locks:
            lock.release()


def bench_row(name, mae, seconds, **more):
    """A row of a bench that is done."""
    figures = dict.fromkeys(METRICS, 0.01) | {"mae": mae}
    figures["intervals"] = {"mae": [mae - 0.001, mae + 0.001]}
    return {
        **figures, "name": name, "seconds": seconds, "spectra_per_second": 1e4, "finished": "now",
        "cpu_seconds": 2 * seconds, "peak_memory": 2e8, **more,
    }  # fmt: skip


def stress_lines():
    """Lines of a judgement: as they are, harmless, harmed in silence, harmed with a warning."""

    def line(name, ratio, unlike):
        label = PERTURBATIONS[name].label if name in PERTURBATIONS else "as they are"
        return {
            "name": name, "label": label, "n": 100, "n_without": 0, "mae": 0.02 * ratio,
            "sigma_nmad": 0.01, "coverage68": 0.68, "ratio": ratio, "ratio_error": 0.01,
            "harmed": ratio > 1.2, "outside": 0.01, "unlike": unlike, "verdict": "It is so.",
        }  # fmt: skip

    return [
        line("none", 1.0, False), line("decimals_1", 1.1, True), line("white_1e-2", 2.5, False),
        line("calibration_3", 1.5, True),
    ]  # fmt: skip
