"""From a dataset to scaled arrays in memory, and the facts a run must remember about them."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

import redshift_core
from redshift_core.data import Dataset, open_dataset
from redshift_core.data.scaling import BLOCK_ROWS, Scaler, fit_scaler
from redshift_core.data.split import RowArray, Split, split_rows, training_rows
from redshift_core.errors import DamagedError, InputError
from redshift_core.evaluation.training_range import fit_coverage
from redshift_core.pdf import training_prior
from redshift_core.settings.run import RunConfig, SplitConfig
from redshift_core.store import (
    CHECKOUT,
    JobContext,
    RunFolder,
    Store,
    TuningFolder,
    simulator_version,
)
from redshift_core.store.arrays import save_arrays

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas")


@dataclass
class Part:
    """Spectra of one part of the split, and the redshifts to learn."""

    features: NDArray[np.float32]  # (n, n_inputs) scaled, or raw flux (n, 186) to be changed first
    z_spec: NDArray[np.float32]  # (n,)


@dataclass
class Prepared:
    """What a run trains on."""

    dataset: Dataset
    split: Split
    scaler: Scaler
    train: Part
    val: Part


def prepare(context: JobContext, run: RunFolder, config: RunConfig) -> Prepared:
    """Split the rows, fit the scaler and scale; a resumed run reads back what it had."""
    dataset = open_for(run, context.store, config.dataset)
    context.report(message="Dividing the rows and fitting the scaler.", now=True)
    if run.split_path.exists():
        split = Split.load(run.split_path)
    else:
        split = new_split(config.split, dataset)
        split.save(run.split_path)
    if run.scaler_path.exists():
        scaler = Scaler.load(run.scaler_path)
    else:
        scaler = fit_scaler(config.scaler, dataset.flux, split)
        scaler.save(run.scaler_path)
    if not run.coverage_path.exists():
        coverage = fit_coverage(dataset.flux, split.train, split.val, dataset.z_spec)
        coverage.save(run.coverage_path)
    if not run.prior_path.exists():
        prior = training_prior(np.asarray(dataset.z_spec)[split.train])
        save_arrays(run.prior_path, {"training": prior})
    context.report(message="Scaling the spectra.", now=True)
    train = training_part(config, dataset, scaler, split.train)
    return Prepared(dataset, split, scaler, train, scaled_part(dataset, scaler, split.val))


def environment(dataset: Dataset, split: Split, device: dict[str, Any]) -> dict[str, Any]:
    """Facts for ``environment.json``: what a run or a search was made with and on."""
    info = dataset.info
    return {
        **machine_facts(device),
        "dataset": {
            "id": dataset.id,
            "name": info.get("name", ""),
            "sha256": info.get("sha256"),
            "simulated": bool(info.get("simulated", False)),
            **{key: info[key] for key in ("adapted",) if key in info},
            simulator_version.KEY: simulator_version.version(info),
        },
        "split": split.counts,
    }


def machine_facts(device: dict[str, Any]) -> dict[str, Any]:
    """Versions, platform, commit and device: what anything was computed with."""
    return {
        "versions": {
            "redshift-lab": redshift_core.__version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
        "platform": platform.platform(),
        "commit": _commit(),
        "device": device,
    }


def scaler_facts(scaler: Scaler) -> dict[str, Any]:
    """What ``environment.json`` says of a fitted scaler."""
    return {
        "name": scaler.name,
        "fit_on": scaler.fit_on,
        "n_fitted": scaler.n_fitted,
        "saw_test_rows": scaler.fit_on == "all",
    }


def open_for(job: RunFolder | TuningFolder, store: Store, name: str) -> Dataset:
    """Dataset of a run or a search."""
    try:
        folder = store.dataset(name)
    except DamagedError:
        raise
    except InputError as error:
        raise InputError(
            f"{job.id} needs the dataset {name!r}, which is not in the store any more. "
            "Read the same file in again and start anew on it."
        ) from error
    return open_dataset(folder)


def new_split(config: SplitConfig, dataset: Dataset) -> Split:
    """Rows of a dataset that a training may use, divided."""
    return split_rows(training_rows(dataset, config), config)


def scaled_part(dataset: Dataset, scaler: Scaler, rows: RowArray) -> Part:
    """Scaled features of some rows, in the order of the file, which reads fastest."""
    rows = np.sort(rows)
    features = np.empty((len(rows), scaler.n_inputs), np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        features[start : start + BLOCK_ROWS] = scaler.apply(dataset.flux[block])
    return Part(features, np.asarray(dataset.z_spec)[rows].astype(np.float32))


def training_part(config: RunConfig, dataset: Dataset, scaler: Scaler, rows: RowArray) -> Part:
    """Rows to learn from: scaled, or raw where each epoch changes them before they are scaled."""
    if not config.augmentation.active:
        return scaled_part(dataset, scaler, rows)
    rows = np.sort(rows)
    return Part(dataset.flux[rows], np.asarray(dataset.z_spec)[rows].astype(np.float32))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    """Git commit of the checkout; empty where the package was installed or git is missing."""
    if not (CHECKOUT / ".git").exists():
        return ""
    try:
        found = subprocess.run(
            ["git", "-C", str(CHECKOUT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
