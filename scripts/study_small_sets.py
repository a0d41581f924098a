"""Presets and LightGBM on few SIMULATED galaxies, judged on one large survey of their own.

    python -m scripts.study_small_sets                          1,000, 3,000 and 10,000 galaxies
    python -m scripts.study_small_sets --sizes 1000 --methods best --set min_steps=0

Every set is divided as the product does it: 63 % to learn from, 27 % for validation, 10 % set
aside. Each seed draws other galaxies and other weights. All methods learn from the same rows, and
all are judged on the same galaxies of another survey. It uses the store of $REDSHIFT_LAB_HOME and
keeps its surveys there; what is done is in ``small-sets.jsonl`` there and is not done again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from redshift_core.cli.training import parse_settings
from redshift_core.data import Dataset, open_dataset
from redshift_core.data.scaling import fit_scaler
from redshift_core.evaluation.calibration import evaluate_pdf
from redshift_core.evaluation.metrics import mae, sigma_nmad
from redshift_core.prediction import Answer, predictor
from redshift_core.settings.length import run_length
from redshift_core.settings.presets import PRESETS, preset
from redshift_core.settings.run import ScalerConfig, SplitConfig
from redshift_core.simulation import survey_dataset
from redshift_core.store import DatasetFolder, JobContext, Store, write_json

SIZES = (1_000, 3_000, 10_000)
METHODS = ("best", "fast_cnn", "fast", "lightgbm")
TEST_SEED = (
    7_000_000  # of the survey that judges; the others have 1000 · seed + their place in SIZES
)
FIGURES = ("mae", "sigma_nmad", "coverage68", "steps", "seconds")


def survey(store: Store, n: int, seed: int) -> DatasetFolder:
    """Simulated survey of the store; made where it is not there."""
    name = f"{n} SIMULATED, seed {seed}"
    for folder in store.datasets():
        if folder.name == name:
            return folder
    path = store.inbox / f"{n}-{seed}.parquet"
    return survey_dataset(
        store, path, n, seed, name=name, cache=store.cache, report=lambda *_: None
    )


def judged(answer: Answer, z_spec: np.ndarray) -> dict[str, Any]:
    """Figures of predicted redshifts; the coverage where there is a p(z)."""
    found = {"mae": mae(z_spec, answer.z_phot), "sigma_nmad": sigma_nmad(z_spec, answer.z_phot)}
    if answer.density is not None:
        figures = evaluate_pdf(answer.density, z_spec, answer.z_phot)
        found["coverage68"] = figures["coverage68"]
    return found


def network(
    store: Store, name: str, folder: DatasetFolder, seed: int, test: Dataset, values: dict[str, Any]
) -> dict[str, Any]:
    """Train a preset in this process, and judge it."""
    from redshift_core.learning import models
    from redshift_core.learning.training import train_job

    run = store.new_run(f"{name}-{folder.id}")
    config = preset(name, folder.id).with_values({"threads": 1, "seed": seed, **values})
    write_json(run.config_path, config.to_dict())
    context = JobContext(run, store)
    context.request = {"kind": "train"}
    begin = time.process_time()
    done = train_job(context)
    seconds = time.process_time() - begin
    rows = run.environment["split"]["train"]
    predict = predictor(models.load_model(run.model_path))
    found = judged(predict(np.asarray(test.flux)), np.asarray(test.z_spec))
    shutil.rmtree(run.path)
    steps = done["epochs"] * run_length(config.training, rows).steps
    return {**found, "steps": steps, "seconds": seconds, "val_mae": done["val_mae"]}


def boosted(name: str, folder: DatasetFolder, seed: int, test: Dataset) -> dict[str, Any]:
    """Fit a baseline as a bench does, and judge it."""
    from redshift_core.data.split import new_split
    from redshift_core.learning.studies.baselines import BASELINES, Rows
    from redshift_core.learning.training.prepare import scaled_features

    dataset = open_dataset(folder)
    split = new_split(SplitConfig(), dataset)
    scaler = fit_scaler(ScalerConfig(name="spectrum"), dataset.flux, split)
    train, val = (
        Rows(scaled_features(dataset, scaler, rows), np.asarray(dataset.z_spec)[rows])
        for rows in (np.sort(split.train), np.sort(split.val))
    )
    begin = time.process_time()
    fitted = BASELINES[name](train, val, seed)
    seconds = time.process_time() - begin
    answer = fitted.predict(scaler.apply(np.asarray(test.flux)))
    return {**judged(answer, np.asarray(test.z_spec)), "seconds": seconds}


def table(lines: list[dict[str, Any]]) -> str:
    """Markdown: a line per size and method, with the means over the seeds and the scatter."""
    frame = pd.DataFrame(lines)
    rows = [
        "| galaxies | method | MAE | each seed | σ_NMAD | inside 68 % | steps | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (n, method), part in frame.groupby(["n", "method"], sort=False):
        mean = part.reindex(columns=FIGURES).mean()
        each = " ".join(f"{value:.4f}" for value in part.mae)
        inside = "–" if np.isnan(mean.coverage68) else f"{mean.coverage68:.1%}"
        steps = "–" if np.isnan(mean.steps) else f"{mean.steps:,.0f}"
        rows.append(
            f"| {n:,} | {method} | {mean.mae:.4f} | {each} | {mean.sigma_nmad:.4f} | {inside} "
            f"| {steps} | {mean.seconds:.0f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Do what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test", type=int, default=20_000, help="galaxies of the test survey")
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    store, values = Store(), parse_settings(options.settings)
    log = Path(store.root / "small-sets.jsonl")
    past = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    test, chosen = open_dataset(survey(store, options.test, TEST_SEED)), []
    for n in options.sizes:
        for method in options.methods:
            for seed in range(1, options.seeds + 1):
                key = {"n": n, "method": method, "seed": seed, "test": options.test, "set": values}
                line = next((one for one in past if key.items() <= one.items()), None)
                if line is None:
                    folder = survey(store, n, 1000 * seed + SIZES.index(n))
                    found = (
                        network(store, method, folder, seed, test, values)
                        if method in PRESETS
                        else boosted(method, folder, seed, test)
                    )
                    line = {**key, **found}
                    with log.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
                    print(line, flush=True)
                chosen.append(line)
    print(table(chosen))


if __name__ == "__main__":
    main()
