"""The test survey of a study, and the answers of models on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core import pdf
from redshift_core.errors import InputError
from redshift_core.evaluation.metrics import METRICS
from redshift_core.learning.models import load_model
from redshift_core.prediction import predictor
from redshift_core.simulation import simulate
from redshift_core.simulation.table import VERSION
from redshift_core.store import RunFolder, Store, reading, simulator_version
from redshift_core.store.arrays import load_arrays, save_arrays

BLOCK = 8192  # galaxies predicted between two checks for a stop


@dataclass(frozen=True)
class Answers:
    """Answers of a model for the test galaxies."""

    z_phot: NDArray[np.float64]  # (n,): of a p(z), its median
    crps: NDArray[np.float64] | None  # (n,), in z; None if the model gives no p(z)

    def save(self, path: Path) -> None:
        """Write the answers to an npz file."""
        crps = {} if self.crps is None else {"crps": self.crps.astype(np.float32)}
        save_arrays(path, {"z_phot": self.z_phot.astype(np.float32), **crps})

    @classmethod
    def load(cls, path: Path) -> Answers:
        """Read what ``save`` wrote."""
        arrays = {name: values.astype(np.float64) for name, values in load_arrays(path).items()}
        with reading(path):
            return cls(arrays["z_phot"], arrays.get("crps"))


class Judge:
    """Test galaxies (SIMULATED), made once per process from their seed."""

    def __init__(self, n: int, seed: int, cache: Path):
        survey = simulate(n, seed, cache=cache)
        self.flux, self.z_spec = survey.flux, survey.z

    def ask(
        self, model_path: Path, report: Callable[[float, float, str], None] = lambda *_: None
    ) -> Answers:
        """Answers of a saved model."""
        predict = predictor(load_model(model_path))
        n = len(self.z_spec)
        z_phot, crps = np.empty(n), np.full(n, np.nan)
        for start in range(0, n, BLOCK):
            report(start, n, "Judging the test galaxies.")
            rows = slice(start, start + BLOCK)
            z_phot[rows], density = predict(self.flux[rows])
            if density is not None:
                crps[rows] = pdf.crps(density, self.z_spec[rows])
        if not np.isfinite(z_phot).all():
            raise InputError(
                f"{model_path} gives no redshift for {int((~np.isfinite(z_phot)).sum())} of {n} "
                "test galaxies; its training diverged. Lower the learning rate."
            )
        return Answers(z_phot, crps if np.isfinite(crps).all() else None)

    def figures(self, answers: Answers) -> dict[str, float | None]:
        """Every metric of the answers, and their CRPS."""
        figures = {name: metric(self.z_spec, answers.z_phot) for name, metric in METRICS.items()}
        return {**figures, "crps": None if answers.crps is None else float(answers.crps.mean())}

    def errors(self, answers: Answers) -> dict[str, NDArray[np.float64]]:
        """Error of each test galaxy, (n,): ``mae``, and ``crps`` if the model gives p(z).

        ``mae`` holds the absolute errors.
        """
        errors = {"mae": np.abs(answers.z_phot - self.z_spec)}
        return errors if answers.crps is None else {**errors, "crps": answers.crps}


def check_recipe(store: Store, run: RunFolder, seeds: set[int]) -> dict[str, Any]:
    """Facts about a run to be compared with the limit.

    Raises
    ------
    InputError
        If it has no model, or was trained on anything but a simulated survey with the published
        redshifts, or on galaxies that the study itself uses.
    """
    if not run.model_path.exists():
        raise InputError(f"Run {run.id} has no saved model yet; let it train first.")
    infos = {dataset.id: dataset.info for dataset in store.datasets()}
    made = infos.get(run.config.dataset, {}).get("simulation") or {}
    simulated = made.get("simulated") or run.trained_on.get("simulated")
    law = made.get("redshifts", "published")
    version = simulator_version.version(simulator_version.trained_on(run, store)) or VERSION
    if not simulated or law != "published" or version != VERSION:
        what = f"a simulated survey ({law}, simulator {version})" if simulated else "real spectra"
        raise InputError(
            f"Run {run.id} was trained on {what}; the limit is that of the simulated survey with "
            f"published redshifts, simulator {VERSION}. Name a run trained on such a survey."
        )
    if made.get("seed") in seeds:
        raise InputError(
            f"Run {run.id} was trained on galaxies of seed {made['seed']}, which this study uses "
            "itself. Give the study another --seed."
        )
    return {
        "run": run.id,
        "name": run.name,
        "preset": run.config.preset,
        "n": run.environment.get("split", {}).get("train"),
        "epochs": run.result.get("epochs"),
    }
