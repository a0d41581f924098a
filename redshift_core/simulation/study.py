"""How well the simulated survey reproduces the published aggregates, published beside simulated.

The survey's sizes, magnitudes and share of blue objects were tuned to these aggregates, so
agreement proves nothing; it only shows that data of this shape and difficulty come out.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kurtosis, skew

from redshift_core import reference
from redshift_core.constants import N_BP
from redshift_core.simulation.galaxies import Population, RedshiftLaw
from redshift_core.simulation.inputs import load_inputs
from redshift_core.simulation.observing import Telescope
from redshift_core.simulation.table import open_table

RANGES = tuple(number / 10 for number in range(7))  # edges of the dissertation's six ranges
BP_END = 77  # pixels from here to the seam are not published: the curves could not be told apart
PIXEL_83 = 83  # one of the first RP pixels
PUBLISHED_BP_RP = (None, None, None, 0.50, 0.60, 0.85)  # uncertain, read off where curves cross
PUBLISHED_PEAKS = {"pixel of the RP peak": "140–145", "pixel of the BP peak": "73"}


def compare(
    n_per_range: int = 4000, seed: int = 1, n_redshifts: int = 520_393, cache: Path | None = None
) -> list[dict[str, object]]:
    """Rows ``{"what", "range", "published", "simulated"}``: average spectra, then redshifts."""
    return _spectrum_rows(average_spectra(n_per_range, seed, cache)) + _redshift_rows(
        n_redshifts, seed
    )


def average_spectra(
    n_per_range: int = 4000, seed: int = 1, cache: Path | None = None
) -> NDArray[np.floating]:
    """Mean SIMULATED flux in the six redshift ranges, shape (6, 186), e⁻ s⁻¹ per pixel.

    Redshifts follow the published distribution inside each range.
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
    return np.array(means)


def published_spectra() -> NDArray[np.floating]:
    """Published averages relative to the peak of z < 0.1, shape (6, 186), NaN where empty."""
    return reference.average_flux().iloc[:, 1:].to_numpy(float).T


def _spectrum_rows(means: NDArray[np.floating]) -> list[dict[str, object]]:
    simulated, published = _features(means), _features(published_spectra())
    rows = []
    for what, values in simulated.items():
        for number, value in enumerate(values):
            known: object = published[what][number]
            if what in PUBLISHED_PEAKS:
                known = PUBLISHED_PEAKS[what]
            elif what == "BP peak / RP peak" and PUBLISHED_BP_RP[number]:
                known = f"({PUBLISHED_BP_RP[number]:.2f})"
            name = f"{RANGES[number]:.1f}–{RANGES[number + 1]:.1f}"
            rows.append({"what": what, "range": name, "published": known, "simulated": value})
    return rows


def _features(curves: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    bp, rp = curves[:, :BP_END], curves[:, N_BP:]
    peak = np.nanmax(rp, axis=1)
    with np.errstate(invalid="ignore"):
        filled = np.where(np.isnan(bp), -np.inf, bp)
    return {
        "RP peak relative to z < 0.1": peak / peak[0],
        "BP peak / RP peak": filled.max(axis=1) / peak,
        f"flux_{PIXEL_83} / peak": curves[:, PIXEL_83] / peak,
        "last flux / peak": curves[:, -1] / peak,
        "pixel of the RP peak": N_BP + np.nanargmax(rp, axis=1),
        "pixel of the BP peak": filled.argmax(axis=1),
    }


def _redshift_rows(n: int, seed: int) -> list[dict[str, object]]:
    z = RedshiftLaw("published").draw(np.random.default_rng([seed, 0, 1]), n)
    simulated = {
        "mean": z.mean(),
        "median": np.median(z),
        "sd": z.std(),
        "skewness": skew(z),
        "excess kurtosis": kurtosis(z),
    }
    rows: list[dict[str, object]] = [
        {"what": f"redshift {name}", "range": "all", "published": known, "simulated": value}
        for (name, known), value in zip(
            reference.Z_STATISTICS.items(), simulated.values(), strict=True
        )
    ]
    for percent, known in reference.Z_PERCENTILES.items():
        rows.append(
            {
                "what": f"redshift percentile {percent}",
                "range": "all",
                "published": known,
                "simulated": np.percentile(z, percent),
            }
        )
    table = reference.table_3()
    counts = np.histogram(z, np.append(table.z_low, 0.6))[0]
    for row, count in zip(table.itertuples(), counts, strict=True):
        rows.append(
            {
                "what": "share of galaxies, %",
                "range": f"{row.z_low:.2f}–{row.z_high:.2f}",
                "published": row.percent,
                "simulated": 100 * count / n,
            }
        )
    return rows


def report(rows: list[dict[str, object]]) -> str:
    """Rows of ``compare`` as a text table."""
    table = pd.DataFrame(rows)
    for column in ("published", "simulated"):
        table[column] = [v if isinstance(v, str) else f"{v:.4g}" for v in table[column]]
    table["published"] = table["published"].replace({"nan": "–", "-inf": "–"})
    return "SIMULATED survey beside the published figures\n" + table.to_string(index=False)


if __name__ == "__main__":
    print(report(compare()))
