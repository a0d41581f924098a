"""Finds numbers that stand for a missing flux: 1e20, −999 and the like.

No instrument records such a pixel, and one of them among 186 decides what a network answers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS

BEYOND = 100.0  # times the median |flux| of a spectrum: its brightest pixel is at most 9 times
# that in 105,536 SIMULATED galaxies, 6,000 adversaries (empty windows …) and Gaia's own examples
MORE_THAN_HALF = N_PIXELS // 2 + 1
NINES = [10.0**n - 1 for n in range(2, 8)]  # 99, 999, … 9999999
FILLS = np.array(
    [
        *NINES,
        *(-nine for nine in NINES),
        -99.9, -999.9, -9999.9, -32768, 32767,
        1e20, -1e20, 1e30, -1e30, -1.6375e30,  # of NumPy, and of HEALPix
        9.969209968386869e36, 1e36, -1e36, 1e38, -1e38,  # of netCDF
        *(float(np.finfo(np.float32).max), float(np.finfo(np.float32).min)),
    ],
    np.float32,
)  # fmt: skip


def has_sentinel(flux: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each spectrum holds a number that stands for a missing flux, shape (n,).

    It does where one pixel is more than `BEYOND` times the median of those that are not zero, or
    where a pixel is exactly one of `FILLS` and lies beyond all others: a negative one below them, a
    positive one above them by more than their range. Neither depends on the unit of the flux.

    Parameters
    ----------
    flux : array, shape (n_sources, 186)
        Raw flux; a spectrum with values that are not finite holds none.
    """
    values = np.asarray(flux, np.float32)
    if not len(values):
        return np.zeros(0, bool)
    extremes = np.stack([values.min(axis=1), values.max(axis=1)])
    largest = np.abs(extremes).max(axis=0)
    finite = np.isfinite(largest)
    bound = np.where(finite, largest, 0)[:, None] / np.float32(BEYOND)
    # Where more than half of all pixels are above the bound, the others need no look.
    perhaps = np.flatnonzero(finite & (np.abs(values[:, :MORE_THAN_HALF]) <= bound).any(axis=1))
    size, found = np.abs(values[perhaps]), np.zeros(len(values), bool)
    found[perhaps] = (size > bound[perhaps]).sum(axis=1) < 0.5 * (size > 0).sum(axis=1)
    for row in np.flatnonzero(np.isin(extremes, FILLS).any(axis=0) & ~found & finite):
        found[row] = _holds_fill(values[row].astype(np.float64))
    return found


def _holds_fill(flux: NDArray[np.float64]) -> bool:
    """Whether one of `FILLS` lies beyond the other pixels of a spectrum, shape (186,)."""
    is_fill = np.isin(flux, FILLS.astype(np.float64))
    others, fills = flux[~is_fill], flux[is_fill]
    if not len(others):
        return True
    low, high = others.min(), others.max()
    return bool((fills[fills < 0] < low).any() or (fills > high + (high - low)).any())
