"""Trains a run and starts others from it, in one process; see ``test_fine_tuning``.

``python fine_tuning_scenes.py FOLDER OLD NEW``: FOLDER holds a store with the datasets OLD and NEW.
What came out is written to ``outcomes.json`` there.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from redshift_core import jobs, pdf
from redshift_core.data import open_dataset
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.jobs.start_from import copy_start
from redshift_core.learning.models import PDF, load_model
from redshift_core.learning.training import train_job
from redshift_core.prediction.rows import open_judged
from redshift_core.settings.presets import preset
from redshift_core.store import RunFolder, Store, write_json
from tests.training_scenes import StoppingContext

TINY = {
    "architecture": "mlp", "head": "pdf", "loss": "cross_entropy", "dense_units": "32",
    "scaler": "whitened", "batch_size": 32, "threads": 1,
    "averaging": 0.0, "learning_rate": 0.01,
}  # fmt: skip
FAST = {"epochs": 2, "batch_size": 32, "threads": 1}


def trained(store: Store, config, name: str, stop_after: int | None = None) -> dict:
    """Train a run as its worker would, perhaps to a stop."""
    run = store.new_run(name)
    write_json(run.config_path, config.to_dict())
    if config.start_from:
        copy_start(store, run, config, store.dataset(config.dataset))
    return work(store, run, stop_after)


def work(store: Store, run: RunFolder, stop_after: int | None = None, resume: bool = False) -> dict:
    """Do, or go on with, the job of a run."""
    context = StoppingContext(run, store)
    context.request = {"kind": "train", "resume": resume}
    context.stop_after = stop_after
    return train_job(context)


def temperature(run: RunFolder) -> float:
    """Fitted number of the last layer."""
    return float(load_model(run.model_path).get_layer(PDF).temperature)


def mae_of_validation(run: RunFolder, other: RunFolder, store: Store) -> float:
    """MAE of a run's model, loaded from its file, on the validation rows of another run.

    At temperature 1, as a network is validated before its temperature is fitted.
    """
    dataset = open_dataset(store.dataset(other.config.dataset))
    rows = Split.load(other.split_path).val
    model = load_model(run.model_path)
    model.get_layer(PDF).temperature.assign(1.0)
    density = model.predict(np.asarray(dataset.flux[rows]), verbose=0)
    z_phot = pdf.point(density / pdf.WIDTH)
    return float(np.abs(z_phot - dataset.z_spec[rows]).mean())


def main(folder: Path, old: str, new: str) -> None:
    store, outcomes = Store(folder), {}
    config = replace(preset("fast", old), split=preset("fast").split).with_values(TINY)
    outcomes["source"] = trained(store, config.with_values({"epochs": 20}), "source")
    source = store.run("source")
    tuned = jobs.fine_tuned(source, store.dataset(new)).with_values(FAST)
    outcomes["whole"] = trained(store, tuned, "whole")
    outcomes["halted at once"] = trained(store, tuned, "halted", stop_after=1)
    again = jobs.fine_tuned(store.run("whole"), store.dataset(old)).with_values(
        {**FAST, "learning_rate": 10.0, "epochs": 1, "averaging": 0.0}
    )
    outcomes["worse"] = trained(store, again, "worse")
    halted = store.run("halted")
    outcomes["temperatures"] = [temperature(store.run(name)) for name in ("source", "whole")]
    outcomes["start, by its file"] = mae_of_validation(source, store.run("whole"), store)
    try:
        open_judged(store.run("whole"), store.dataset(old))
    except InputError as error:
        outcomes["judged on what the source saw"] = str(error)
    source.delete()
    outcomes["resumed"] = work(store, halted, resume=True)
    (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    gc.set_threshold(200_000)  # as in a worker
    main(Path(sys.argv[1]), *sys.argv[2:])
