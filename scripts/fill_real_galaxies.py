"""Fill the hidden samples of three real spectra, without their redshifts.

Run once per version of the simulated survey, from the root of the checkout::

    python scripts/fill_real_galaxies.py ../shared/archive/real_galaxies.csv

The table it reads has the columns row, z and flux_0 … flux_185 in e⁻ s⁻¹ per pixel, empty where
another curve of the figure hid the sample. It writes
``redshift_core/resources/real_galaxies.csv``: row, z_spec, filled (pixel numbers parted by blanks)
and flux_0 … flux_185. A sample that was seen keeps its digits.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core.reference.real_galaxies import DIGITISED, FILE_NAME
from redshift_core.simulation import simulate

FloatArray = NDArray[np.floating]

TARGET = Path(__file__).parents[1] / "redshift_core" / "resources" / FILE_NAME
N_GALAXIES, SEED = 61_440, 5  # SIMULATED survey that the samples are inferred from
NEAREST = 12_000  # galaxies of like brightness
DECIMALS = 4  # of a flux, as in the table of what was read off


def main() -> None:
    """Fill the table named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    source = pd.read_csv(sys.argv[1], dtype=str)
    simulated = simulate(N_GALAXIES, SEED).flux
    table = filled_table(source, simulated)
    table.to_csv(TARGET, index=False, lineterminator="\n")
    for row, pixels in zip(table.row, table.filled, strict=True):
        print(f"row {row}: {len(pixels.split())} samples filled")


def filled_table(source: pd.DataFrame, simulated: FloatArray) -> pd.DataFrame:
    """Table of the package from the table read off the figures.

    Parameters
    ----------
    source : DataFrame
        Columns row, z, flux_0 … flux_185, all of text.
    simulated : array, shape (n, 186)
        Spectra of a SIMULATED survey, e⁻ s⁻¹ per pixel.
    """
    text = source.filter(regex=r"^flux_\d+$")
    flux = text.to_numpy(float)
    filled = [fill(one, simulated) for one in flux]
    numbers = pd.DataFrame(filled, columns=text.columns).map(lambda x: f"{x:.{DECIMALS}f}")
    marks = [" ".join(map(str, np.flatnonzero(np.isnan(one)))) for one in flux]
    known = pd.DataFrame({"row": source.row, "z_spec": source.z.astype(float), "filled": marks})
    return pd.concat([known, text.where(text.notna(), numbers)], axis=1)


def fill(flux: FloatArray, simulated: FloatArray) -> NDArray[np.float64]:
    """One spectrum with its hidden samples inferred from those that were seen.

    The simulated spectra of like brightness, each divided by its mean over the pixels seen here,
    are taken for a Gaussian with mean μ and covariance Σ. The hidden samples h are its mean under
    the condition that the seen ones s are what they are, up to the error of reading them, σ:

        x_h = μ_h + Σ_hs (Σ_ss + σ² I)⁻¹ (x_s − μ_s)

    Parameters
    ----------
    flux : array, shape (186,)
        NaN where hidden; finite values come back as they are.
    simulated : array, shape (n, 186)
        Spectra of a SIMULATED survey, of galaxies of every redshift.
    """
    seen = np.isfinite(flux)
    scale = flux[seen].mean()
    scales = simulated[:, seen].mean(axis=1, dtype=np.float64)
    distance = np.abs(np.log(np.maximum(scales, 1e-3 * scale) / scale))
    nearest = np.argsort(distance, kind="stable")[:NEAREST]
    like = simulated[nearest] / scales[nearest, None]
    noise = DIGITISED * np.nanmax(flux) / scale
    mean, covariance = like.mean(axis=0), np.cov(like, rowvar=False)
    known = covariance[np.ix_(seen, seen)] + noise**2 * np.eye(seen.sum())
    weights = np.linalg.solve(known, (flux / scale - mean)[seen])
    inferred = (mean + covariance[:, seen] @ weights) * scale
    return np.where(seen, flux, inferred)


if __name__ == "__main__":
    main()
