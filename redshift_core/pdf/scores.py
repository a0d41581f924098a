"""How well densities fit the true redshifts: one number for each galaxy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core.constants import N_Z_BINS, Z_MAX, Z_MIN
from redshift_core.pdf.density import EDGES, WIDTH, FloatArray, cdf, in_blocks

SMALLEST = 2.0**-24  # smallest density that float16 knows; a likelihood counts no less, in 1/z


def pit(density: FloatArray, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Probability integral transform: p(z < z_spec), shape (n_sources,).

    Evenly spread over 0–1 where p(z) is right (Dawid 1984); 0 or 1 where z_spec lies outside the
    bins.
    """
    return _pit(density, _redshifts(density, z_spec))


@in_blocks
def _pit(density: NDArray[np.float32], z_spec: FloatArray) -> NDArray[np.float64]:
    below = np.cumsum(density, axis=1, dtype=np.float64)
    place, part = _place(z_spec)
    row = np.arange(len(density))
    inside = density[row, place]
    return (below[row, place] - (1 - part) * inside) / below[:, -1]


def crps(density: FloatArray, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Continuous ranked probability score of each galaxy, shape (n_sources,), in z.

    ∫ F(z)² dz below z_spec + ∫ (1 − F(z))² dz above it, with F the cumulative probability.
    It is the absolute error of a p(z) that is one point (Gneiting & Raftery 2007).
    """
    return _crps(density, _redshifts(density, z_spec))


@in_blocks
def _crps(density: NDArray[np.float32], z_spec: FloatArray) -> NDArray[np.float64]:
    below = cdf(density)
    low, high = below[:, :-1], below[:, 1:]
    squared = WIDTH / 3 * (low * low + low * high + high * high).sum(axis=1)  # ∫ F² over the bins
    to_edge = np.cumsum(WIDTH / 2 * (low + high), axis=1)  # ∫ F up to each bin's upper edge
    place, part = _place(z_spec)
    row = np.arange(len(density))
    at_spec = low[row, place] + part * (high[row, place] - low[row, place])
    rest = (1 - part) * WIDTH * (at_spec + high[row, place]) / 2
    above = to_edge[:, -1] - to_edge[row, place] + rest  # ∫ F from z_spec on
    inside = np.clip(z_spec, Z_MIN, Z_MAX)
    return squared + (Z_MAX - inside) - 2 * above + np.abs(z_spec - inside)


def cde_loss(density: FloatArray, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Each galaxy's share of the conditional density loss, shape (n_sources,), in 1/z.

    ∫ p(z)² dz − 2 p(z_spec); its mean over galaxies is the loss (Izbicki & Lee 2017). Less is
    better, and good ones are negative.
    """
    return _cde_loss(density, _redshifts(density, z_spec))


@in_blocks
def _cde_loss(density: NDArray[np.float32], z_spec: FloatArray) -> NDArray[np.float64]:
    squared = np.einsum("ij,ij->i", density, density, dtype=np.float64) * WIDTH
    return squared - 2 * _at(density, z_spec)


def log_likelihood(density: FloatArray, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Natural logarithm of p(z_spec) in units of 1/z, shape (n_sources,).

    A density below 6e-8, the smallest that is stored, counts as that; also outside the bins.
    """
    return _log_likelihood(density, _redshifts(density, z_spec))


@in_blocks
def _log_likelihood(density: NDArray[np.float32], z_spec: FloatArray) -> NDArray[np.float64]:
    return np.log(np.maximum(_at(density, z_spec), SMALLEST))


def _at(density: NDArray[np.float32], z_spec: FloatArray) -> NDArray[np.float64]:
    """Density at z_spec; zero outside the bins."""
    found = density[np.arange(len(density)), _place(z_spec)[0]].astype(np.float64)
    outside = (z_spec < Z_MIN) | (z_spec > Z_MAX)
    return np.where(outside, 0.0 * found, found)  # NaN stays NaN


def _place(z: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bin of each redshift, and the share of the bin that lies below it; clipped to the range."""
    place = np.clip(np.searchsorted(EDGES, z, side="right") - 1, 0, N_Z_BINS - 1)
    return place, np.clip((z - EDGES[place]) / WIDTH, 0.0, 1.0)


def _redshifts(density: FloatArray, z_spec: ArrayLike) -> NDArray[np.float64]:
    z = np.asarray(z_spec, np.float64)
    if z.shape != (len(density),):
        raise ValueError(
            f"z_spec has shape {z.shape} beside {len(density)} densities; it must be (n_sources,)."
        )
    return z
