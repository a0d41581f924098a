"""p(z) on its bins: cumulative probability, one redshift, an interval, the number of modes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_Z_BINS, Z_MAX, Z_MIN, FloatArray

EDGES = np.linspace(Z_MIN, Z_MAX, N_Z_BINS + 1)  # limits of the bins, shape (241,)
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2  # shape (240,)
WIDTH = (Z_MAX - Z_MIN) / N_Z_BINS  # of a bin, in z
for _array in (EDGES, CENTRES):
    _array.setflags(write=False)

BLOCK = 2048  # densities worked on at a time: 2 MB each in float32, which a processor's cache holds
MODE_WIDTH = 0.005  # σ in z of what p(z) is smoothed with: networks are taught no narrower one
VALLEY = 0.5  # two modes are apart where p(z) falls below this share of the lower one between them
MODE_SHARE = 0.1  # smallest probability of a mode that counts
MODE_FLOOR = 0.02  # density, in units of the highest, below which ups and downs are no modes


def in_blocks(function: Callable[..., FloatArray]) -> Callable[..., FloatArray]:
    """The same function of (density, *others), worked on by rows in blocks.

    An array among the others that is as long as the density is cut alike.
    """

    @wraps(function)
    def blocked(density: FloatArray, *others: object) -> FloatArray:
        n = len(checked(density))
        starts = range(0, max(n, 1), BLOCK)
        with np.errstate(invalid="ignore", divide="ignore"):  # rows of NaN
            parts = [
                function(
                    np.asarray(density[start : start + BLOCK], np.float32),
                    *(o[start : start + BLOCK] if isinstance(o, np.ndarray) else o for o in others),
                )
                for start in starts
            ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return blocked


def checked(density: FloatArray) -> FloatArray:
    """The same array, if it has the shape (n_sources, 240); else ValueError."""
    if np.ndim(density) != 2 or np.shape(density)[1] != N_Z_BINS:
        raise ValueError(
            f"density has shape {np.shape(density)}; it must be (n_sources, {N_Z_BINS})."
        )
    return density


@in_blocks
def cdf(density: FloatArray) -> NDArray[np.float64]:
    """Cumulative probability at ``EDGES``, shape (n_sources, 241), from 0 to 1.

    Examples
    --------
    >>> flat = np.full((1, 240), 1 / 0.6)
    >>> cdf(flat)[0, [0, 120, 240]].round(6).tolist()
    [0.0, 0.5, 1.0]
    """
    below = np.zeros((len(density), N_Z_BINS + 1))
    np.cumsum(density, axis=1, dtype=np.float64, out=below[:, 1:])
    return below / below[:, -1:]


@in_blocks
def quantiles(density: FloatArray, *shares: float) -> NDArray[np.float64]:
    """Redshifts below which shares of the probability lie, shape (n_sources, n_shares).

    The densities may have any integral.

    Examples
    --------
    >>> flat = np.full((1, 240), 1 / 0.6)
    >>> quantiles(flat, 0.25, 0.5).round(6).tolist()
    [[0.15, 0.3]]
    """
    below = np.cumsum(density, axis=1, dtype=np.float64)
    row, found = np.arange(len(density)), np.empty((len(density), len(shares)))
    for number, share in enumerate(shares):
        wanted = share * below[:, -1]
        place = np.argmax(below >= wanted[:, None], axis=1)
        inside = density[row, place]
        before = below[row, place] - inside
        part = np.clip((wanted - before) / inside, 0.0, 1.0)
        found[:, number] = EDGES[place] + WIDTH * part
    return found


def _median(density: NDArray[np.float32]) -> NDArray[np.float64]:
    """Redshift with half the probability on either side: the least expected absolute error."""
    return quantiles(density, 0.5)[:, 0]


def _mean(density: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean redshift, ∫ z p(z) dz: the least expected squared error."""
    return (density @ CENTRES.astype(np.float32) / density.sum(axis=1)).astype(np.float64)


def _mode(density: NDArray[np.float32]) -> NDArray[np.float64]:
    """Centre of the bin of the highest density, the lowest of several."""
    best = CENTRES[np.argmax(density, axis=1)]
    return np.where(np.isnan(density[:, 0]), np.nan, best)


POINTS: dict[str, Callable[[FloatArray], NDArray[np.float64]]] = {
    "median": in_blocks(_median),
    "mean": in_blocks(_mean),
    "mode": in_blocks(_mode),
}


def point(density: FloatArray, name: str = "median") -> NDArray[np.float64]:
    """One redshift of each p(z), shape (n_sources,), by an entry of ``POINTS``.

    Examples
    --------
    >>> flat = np.full((1, 240), 1 / 0.6)
    >>> point(flat, "median").round(6).tolist()
    [0.3]
    """
    return POINTS[name](density)


def interval(density: FloatArray, level: float) -> NDArray[np.float64]:
    """Central interval that holds a share ``level`` of p(z), shape (n_sources, 2).

    Half of the rest lies below it and half above.

    Examples
    --------
    >>> flat = np.full((1, 240), 1 / 0.6)
    >>> interval(flat, 0.5).round(6).tolist()
    [[0.15, 0.45]]
    """
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval lies between 0 and 1; it is {level}.")
    tail = (1 - level) / 2
    return quantiles(density, tail, 1 - tail)


@in_blocks
def n_modes(density: FloatArray) -> NDArray[np.int64]:
    """Number of separate modes of each p(z), shape (n_sources,); 0 where there is no answer.

    Two modes are separate where p(z) between them falls below half of the lower one; a mode
    reaches from one such valley to the next, and counts if it holds a tenth of the probability.
    Densities below a fiftieth of the highest are one plain: noise there makes no mode; nor do ups
    and downs narrower than 0.005, which a network leaves that has seen few galaxies.
    """
    columns = _smoothing() @ density.T
    tops = np.nanmax(columns, axis=0, initial=0)
    total = columns.sum(axis=0)
    number = np.zeros(len(density), np.int64)
    top = low = np.maximum(columns[0], MODE_FLOOR * tops)
    below = at_low = start = np.zeros(len(density), np.float32)
    for column in columns:
        value = np.maximum(column, MODE_FLOOR * tops)
        parted = (low <= VALLEY * top) & (low <= VALLEY * value)  # it rises out of a valley
        number += parted & (at_low - start >= MODE_SHARE * total)
        start = np.where(parted, at_low, start)
        top = np.where(parted, value, np.maximum(top, value))
        deeper = (value <= low) | parted | (value >= top)
        below = below + column
        low, at_low = np.where(deeper, value, low), np.where(deeper, below, at_low)
    return number + (total - start >= MODE_SHARE * total)


@cache
def _smoothing() -> NDArray[np.float32]:
    """Matrix (240, 240) that smooths p(z) by `MODE_WIDTH`; beyond the ends it stays as there."""
    sigma = MODE_WIDTH / WIDTH
    apart = np.arange(-round(4 * sigma), round(4 * sigma) + 1)
    weights = np.exp(-0.5 * (apart / sigma) ** 2)
    matrix = np.zeros((N_Z_BINS, N_Z_BINS))
    for one, weight in zip(apart, weights / weights.sum(), strict=True):
        source = np.clip(np.arange(N_Z_BINS) + one, 0, N_Z_BINS - 1)
        matrix[np.arange(N_Z_BINS), source] += weight
    return matrix.astype(np.float32)
