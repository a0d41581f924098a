"""Quantiles of what a file's spectra are, beside those of the spectra that a run has learned from.

Three numbers of each spectrum say most of how like the training set a file is: its distance from
the training spectra (`Coverage.distance`, 1 is the limit), its brightness and its colour. They are
counted in narrow bins of their logarithm, so memory does not grow with the file, and a quantile is
known to half a percent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS, FloatArray
from redshift_core.data import Dataset, open_dataset
from redshift_core.data.spectra import band_sums
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.evaluation.training_range import Coverage
from redshift_core.store import RunFolder, Store

QUANTITIES = ("distance", "brightness", "colour")
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
KEY = "spectra"  # of a run's environment: quantiles of its validation spectra
N_ROWS = 5000  # validation rows looked at, at most
TINY = 1e-6  # smallest number whose logarithm is taken: a flux may be negative
EDGES = np.linspace(-14, 14, 5601)  # of the bins, in the natural logarithm


class Spread:
    """Counts distance, brightness and colour of spectra, block by block."""

    def __init__(self) -> None:
        self.counts = np.zeros((len(QUANTITIES), len(EDGES) - 1), np.int64)

    def add(self, bands: FloatArray, distance: FloatArray) -> None:
        """Count some spectra of finite flux: their `band_sums` (2, n) and distances (n,)."""
        bp, rp = np.maximum(bands, TINY)
        values = np.log(np.maximum([distance, bands.sum(axis=0) / N_PIXELS, bp / rp], TINY))
        for counts, one in zip(self.counts, values, strict=True):
            counts += np.histogram(np.clip(one, EDGES[0], EDGES[-1]), EDGES)[0]

    def quantiles(self) -> dict[str, list[float]] | None:
        """Name of `QUANTITIES` → values at `LEVELS`; None before a spectrum was counted.

        Brightness in e⁻ s⁻¹ per pixel; colour: flux in BP over flux in RP.
        """
        if not self.counts.any():
            return None
        return {
            name: [_quantile(counts, level) for level in LEVELS]
            for name, counts in zip(QUANTITIES, self.counts, strict=True)
        }


def _quantile(counts: NDArray[np.int64], level: float) -> float:
    below = np.concatenate([[0], np.cumsum(counts)])
    place = int(np.searchsorted(below, level * below[-1], side="left"))
    part = (level * below[-1] - below[place - 1]) / counts[place - 1]
    return float(np.exp(EDGES[place - 1] + part * (EDGES[1] - EDGES[0])))


def training_spread(
    dataset: Dataset, split: Split, coverage: Coverage
) -> dict[str, list[float]] | None:
    """Quantiles of a run's validation spectra, of some thousand at most."""
    rows = np.sort(split.val)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), N_ROWS)).astype(np.int64)]
    flux, spread = np.asarray(dataset.flux[rows]), Spread()
    spread.add(band_sums(flux), coverage.distance(flux))
    return spread.quantiles()


def known_spread(run: RunFolder, store: Store, coverage: Coverage) -> dict[str, Any] | None:
    """What a run remembers of its validation spectra, else measured where its dataset is here."""
    if found := run.environment.get(KEY):
        return found
    dataset = {one.id: one for one in store.datasets()}.get(run.config.dataset)
    if dataset is None or not run.split_path.exists():
        return None
    try:
        return training_spread(open_dataset(dataset), Split.load(run.split_path), coverage)
    except (InputError, IndexError):  # another version of the dataset
        return None
