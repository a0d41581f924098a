"""Turns a dataset into scaled arrays in memory, and collects the facts that a run records."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

import redshift_core
from redshift_core.data import Dataset, open_dataset
from redshift_core.data.repeats import Seen
from redshift_core.data.scaling import BLOCK_ROWS, Scaler, fit_scaler
from redshift_core.data.split import RowArray, Split, learned_rows, new_split
from redshift_core.errors import DamagedError, InputError
from redshift_core.evaluation.spread import training_spread
from redshift_core.evaluation.training_range import coverage_of, fit_coverage
from redshift_core.pdf import training_prior
from redshift_core.settings.run import RunConfig
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
    """Spectra of one part of the split, and their redshifts."""

    features: NDArray[np.float32]  # (n, n_inputs) scaled, or (n, 186) raw if augmented
    z_spec: NDArray[np.float32]  # (n,)


@dataclass
class Prepared:
    """What a run trains on."""

    dataset: Dataset
    split: Split
    scaler: Scaler
    train: Part
    val: Part
    spectra: dict[str, list[float]] | None  # quantiles of the validation spectra


def prepare(context: JobContext, run: RunFolder, config: RunConfig) -> Prepared:
    """Split the rows, fit the scaler and scale; a resumed run reads its split and scaler back."""
    dataset = open_for(run, context.store, config.dataset)
    context.report(message="Dividing the rows and fitting the scaler.", now=True)
    if run.split_path.exists():
        split = Split.load(run.split_path)
    else:
        split = new_split(config.split, dataset)
        split.save(run.split_path)
    if run.scaler_path.exists():
        scaler = Scaler.load(run.scaler_path)
    elif config.start_from:
        scaler = replace(Scaler.load(run.start.scaler_path), fit_on=config.scaler.fit_on)
        scaler.save(run.scaler_path)
    else:
        scaler = fit_scaler(config.scaler, dataset.flux, split)
        scaler.save(run.scaler_path)
    if not run.coverage_path.exists():
        coverage = fit_coverage(dataset.flux, split.train, split.val, dataset.z_spec)
        coverage.save(run.coverage_path)
    if not run.seen_path.exists():
        note_seen(run, dataset, split)
    spectra = training_spread(dataset, split, coverage_of(run))
    if not run.prior_path.exists():
        prior = training_prior(np.asarray(dataset.z_spec)[split.train])
        save_arrays(run.prior_path, {"training": prior})
    context.report(message="Scaling the spectra.", now=True)
    train = training_part(config, dataset, scaler, split.train)
    val = scaled_part(dataset, scaler, split.val)
    return Prepared(dataset, split, scaler, train, val, spectra)


def environment(dataset: Dataset, split: Split, device: dict[str, Any]) -> dict[str, Any]:
    """Facts for ``environment.json``: the software, device and dataset of a run or a search."""
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
        "guess": _guess(np.asarray(dataset.z_spec), split),
    }


def machine_facts(device: dict[str, Any]) -> dict[str, Any]:
    """Versions, platform, commit and device of a computation."""
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
    """Facts about a fitted scaler for ``environment.json``."""
    return {
        "name": scaler.name,
        "fit_on": scaler.fit_on,
        "n_fitted": scaler.n_fitted,
        "saw_test_rows": scaler.fit_on == "all",
    }


def _guess(z_spec: NDArray[np.float64], split: Split) -> dict[str, float]:
    """The median redshift of the training rows, and its MAE where validation rows are given it."""
    z = float(np.median(z_spec[split.train]))
    return {"z": z, "val_mae": float(np.abs(z_spec[split.val] - z).mean())}


def open_for(job: RunFolder | TuningFolder, store: Store, name: str) -> Dataset:
    """Open the dataset of a run or a search."""
    try:
        folder = store.dataset(name)
    except DamagedError:
        raise
    except InputError as error:
        raise InputError(
            f"{job.id} needs the dataset {name!r}, which is not in the store any more. "
            "Ingest the same file again and start a new one on it."
        ) from error
    return open_dataset(folder)


def note_seen(run: RunFolder, dataset: Dataset, split: Split) -> None:
    """Write which galaxies a run learns from, for those who judge it on another dataset."""
    seen = Seen.of(dataset, learned_rows(split))
    if run.config.start_from:
        before = run.start.seen_path
        seen = seen.joined(Seen.load(before) if before.exists() else None)
    seen.save(run.seen_path)


def scaled_part(dataset: Dataset, scaler: Scaler, rows: RowArray) -> Part:
    """Scaled features and redshifts of some rows, in the order of the file, which reads fastest."""
    rows = np.sort(rows)
    z_spec = np.asarray(dataset.z_spec)[rows].astype(np.float32)
    return Part(scaled_features(dataset, scaler, rows), z_spec)


def scaled_features(dataset: Dataset, scaler: Scaler, rows: RowArray) -> NDArray[np.float32]:
    """Scaled features of rows, shape (n, n_inputs); the flux is read block by block."""
    features = np.empty((len(rows), scaler.n_inputs), np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        features[start : start + BLOCK_ROWS] = scaler.apply(dataset.flux[block])
    return features


def training_part(config: RunConfig, dataset: Dataset, scaler: Scaler, rows: RowArray) -> Part:
    """Rows to learn from: scaled, or raw if augmentation changes them before they are scaled."""
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
    """Git commit of the checkout; empty if the package was installed or git is missing."""
    if not (CHECKOUT / ".git").exists():
        return ""
    try:
        process = subprocess.run(
            ["git", "-C", str(CHECKOUT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return process.stdout.strip()
