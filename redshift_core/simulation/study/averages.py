"""Mean simulated spectra of the dissertation's six redshift ranges, and their peaks and ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core import reference
from redshift_core.constants import N_BP
from redshift_core.simulation.galaxies import Population, RedshiftLaw
from redshift_core.simulation.inputs import load_inputs
from redshift_core.simulation.observing import Telescope
from redshift_core.simulation.study.rows import RANGE_NAMES, RANGES, Row, Value
from redshift_core.simulation.table import open_table

PART = "Mean spectra, relative"
BP_END = 77  # pixels from here to the seam are not published, because the curves overlap there
PIXEL_83 = 83  # one of the first RP pixels
PUBLISHED_BP_RP = (None, None, None, 0.50, 0.60, 0.85)  # uncertain, since curves cross there
PUBLISHED_PEAKS = {"pixel of the RP peak": "140–145", "pixel of the BP peak": "73"}


def average_spectra(
    n_per_range: int = 4000,
    seed: int = 1,
    cache: Path | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> NDArray[np.floating]:
    """Mean SIMULATED flux in the six redshift ranges, shape (6, 186), e⁻ s⁻¹ per pixel.

    Redshifts follow the published distribution inside each range.

    Parameters
    ----------
    n_per_range, seed : galaxies of each range, and their seed
    cache : folder of the precomputed table; by default the store's
    report : called with the number of galaxies done after each range
    """
    inputs, table = load_inputs(), open_table(cache)
    law, population, telescope = (
        RedshiftLaw("published"),
        Population(inputs, table),
        Telescope(inputs, table),
    )
    means = []
    for number, (low, high) in enumerate(pairwise(RANGES)):
        rng = np.random.default_rng([seed, number, 0])
        objects = population.draw(rng, law.draw(rng, n_per_range, low, high))
        means.append(telescope.observe(rng, objects).mean(axis=0))
        report((number + 1) * n_per_range)
    return np.array(means)


def published_spectra() -> NDArray[np.floating]:
    """Published averages relative to the peak of z < 0.1, shape (6, 186); NaN if missing."""
    return reference.average_flux().iloc[:, 1:].to_numpy(float).T


def relative_rows(means: NDArray[np.floating]) -> list[Row]:
    """Rows of the study about peaks and ends of mean SIMULATED spectra, shape (6, 186)."""
    simulated, published = _features(means), _features(published_spectra())
    rows = []
    for what, values in simulated.items():
        for number, value in enumerate(values):
            known: Value = float(published[what][number])
            if not np.isfinite(known):
                known = None
            if what in PUBLISHED_PEAKS:
                known = PUBLISHED_PEAKS[what]
            elif what == "BP peak / RP peak" and PUBLISHED_BP_RP[number]:
                known = f"({PUBLISHED_BP_RP[number]:.2f})"
            rows.append(Row(PART, what, RANGE_NAMES[number], known, value.item()))
    return rows


def _features(curves: NDArray[np.floating]) -> dict[str, NDArray[np.number]]:
    bp, rp = curves[:, :BP_END], curves[:, N_BP:]
    peak = np.nanmax(rp, axis=1)
    filled = np.where(np.isnan(bp), -np.inf, bp)
    return {
        "RP peak / that of the first range": peak / peak[0],
        "BP peak / RP peak": filled.max(axis=1) / peak,
        f"flux of pixel {PIXEL_83} / peak": curves[:, PIXEL_83] / peak,
        "last flux / peak": curves[:, -1] / peak,
        "pixel of the RP peak": N_BP + np.nanargmax(rp, axis=1),
        "pixel of the BP peak": filled.argmax(axis=1),
    }
