"""Training galaxies that are simulated while the network trains: never all in memory, nor on disk.

A window of rows is made from the survey's seed and the window's number alone, so a training can go
on anywhere. The next window is made in a thread while the network learns from the present one.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from redshift_core.config import RunConfig
from redshift_core.scaling import fit_scaler
from redshift_core.simulation import simulate
from redshift_core.simulation.survey import CHUNK
from redshift_core.training.prepare import Part

WINDOW = 16 * CHUNK  # rows in memory and shuffled together
VALIDATION = 2 * CHUNK  # further rows, on which the temperature of a PDF head is fitted


class Stream:
    """Windows of one simulated survey with the published redshifts, scaled or raw as in training.

    Parameters
    ----------
    n, seed : int
        Galaxies, and the seed of their survey: the rows of ``simulate(n, seed)``.
    config : RunConfig
        Its scaler is fitted on the first window; windows stay raw where it changes spectra first.
    cache : Path
        Folder of the simulator's table.
    """

    def __init__(self, n: int, seed: int, config: RunConfig, cache: Path):
        self.n, self.seed, self.cache = n, seed, cache
        self.rows = min(n, WINDOW)
        self.n_windows = -(-n // WINDOW)
        first = simulate(self.rows, seed, cache=cache)
        self.scaler = fit_scaler(config.scaler, first.flux, np.arange(self.rows))
        self.raw = config.augmentation.active
        held_out = self._rows(-(-n // CHUNK) * CHUNK, VALIDATION)
        self.validation = replace(held_out, features=self.scaler.apply(held_out.features))
        self._pool = ThreadPoolExecutor(1, "simulate")
        self._ready: dict[int, Future[Part]] = {}

    def window(self, number: int) -> Part:
        """Rows ``number`` · WINDOW … of the survey; begins to make the window after it."""
        following = (number + 1) % self.n_windows
        for wanted in (number, following):
            if wanted not in self._ready:
                self._ready[wanted] = self._pool.submit(self._made, wanted)
        self._ready = {wanted: self._ready[wanted] for wanted in (number, following)}
        return self._ready[number].result()

    def close(self) -> None:
        """Make no further window."""
        self._pool.shutdown(cancel_futures=True)

    def _made(self, number: int) -> Part:
        start = number * WINDOW
        part = self._rows(start, min(WINDOW, self.n - start))
        return part if self.raw else replace(part, features=self.scaler.apply(part.features))

    def _rows(self, start: int, rows: int) -> Part:
        block = simulate(rows, self.seed, cache=self.cache, start=start)
        return Part(block.flux, block.z.astype(np.float32))
