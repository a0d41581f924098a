"""What a mean spectrum of Gaia can contain: 55 Hermite functions a band, seen through the pixels.

A BP or RP mean spectrum is a sum of 55 functions of the pseudo-wavelength u, and each of the 186
fluxes is the integral of that sum over one pixel. Anything else in 186 numbers is not from Gaia's
pipeline: rounding, another pixel grid, noise added afterwards. `projection` removes it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_BP, N_PIXELS, FloatArray, pixel_grid

N_BASES = 55  # of each band in DR3
# u from, u to and what they become as argument of the Hermite functions: gaiaxpy 2.1.5,
# OptimisedCalibratedBases_BpId32_RpId37_withNormalisation.xml
BASIS_RANGE = {
    "bp": (0.0, 59.0, -9.8, 9.467),
    "rp": (0.0, 59.0, -9.933, 9.6),
}
PIXELS = {"bp": slice(0, N_BP), "rp": slice(N_BP, N_PIXELS)}  # of each band among the 186
N_INSIDE = 8  # points inside a pixel that its integral is taken from
LEAST_SIZE = 1e-2  # singular values below this share of a band's largest do not count


def hermite(band: str, u: FloatArray) -> FloatArray:
    """Hermite functions of a band at pseudo-wavelengths ``u`` (n,), shape (55, n).

    gaiaxpy turns them with a square matrix, which leaves their span as it is.
    """
    low, high, low_x, high_x = BASIS_RANGE[band]
    return hermite_functions(low_x + (np.asarray(u) - low) * (high_x - low_x) / (high - low))


def hermite_functions(x: FloatArray, n: int = N_BASES) -> FloatArray:
    """The first ``n`` Hermite functions at ``x`` (m,), orthonormal, shape (n, m)."""
    result = np.empty((n, x.size))
    result[0] = np.pi**-0.25 * np.exp(-0.5 * x**2)
    result[1] = np.sqrt(2.0) * x * result[0]
    for k in range(2, n):
        result[k] = np.sqrt(2 / k) * x * result[k - 1] - np.sqrt((k - 1) / k) * result[k - 2]
    return result


def integrated(band: str, offset: float = 0.0) -> FloatArray:
    """Integral of each Hermite function over each kept pixel of a band, shape (55, n_pixels).

    Parameters
    ----------
    band : str
        ``bp`` or ``rp``.
    offset : float
        Pixels lie this much further in u than `pixel_grid` says.
    """
    u, width = (grid[PIXELS[band]] for grid in pixel_grid())
    inside = (np.arange(N_INSIDE) + 0.5) / N_INSIDE - 0.5
    points = (u[:, None] + offset + width[:, None] * inside).ravel()
    return hermite(band, points).reshape(N_BASES, len(u), N_INSIDE).mean(axis=2) * width


@cache
def projection() -> NDArray[np.float64]:
    """Orthogonal projection of 186 fluxes on what the bases can make of them, shape (186, 186).

    Symmetric, of rank 77 (33 in BP, 44 in RP): the other functions vanish on the kept pixels to
    1 % of the strongest. A spectrum of Gaia's loses nothing that matters (the six digitised real
    ones 3–8e-4 of their peak, as much as the digitisation), and of white noise it keeps
    √(77/186) = 64 %. An offset of the pixels leaves the span as it is to 3e-5 of the peak, so the
    projection is safe where the pixel grid is not (SKY study, November 2026).
    """
    result = np.zeros((N_PIXELS, N_PIXELS))
    for band, pixels in PIXELS.items():
        _, size, direction = np.linalg.svd(integrated(band), full_matrices=False)
        kept = direction[size > LEAST_SIZE * size[0]]
        result[pixels, pixels] = kept.T @ kept
    result.setflags(write=False)
    return result
