"""Priors: how redshifts are distributed before a spectrum is seen, on the bins of the densities.

That of a training set is estimated from its redshifts; that of a user comes from a table, which
`data.nz` reads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core.constants import N_Z_BINS
from redshift_core.errors import InputError
from redshift_core.pdf.density import CENTRES, EDGES, WIDTH, FloatArray, in_blocks

STIFFNESS = 1e5  # of the smoothed prior; about (STIFFNESS / galaxies per bin)^¼ bins are averaged
SPREAD = 0.125  # galaxies per bin that a prior holds everywhere, so that dividing by it is safe
FLOOR = 1e-6  # of the mean: the least of a user's n(z), so that no galaxy is left without redshift
HOW = (
    "give two columns, z and n (0 or more, per unit of redshift), one line for each redshift, or "
    "three: zlow, zhigh and n"
)


def training_prior(z_spec: ArrayLike) -> NDArray[np.float64]:
    """Smooth density of the training redshifts on the bins, shape (240,), integral 1, positive.

    The counts n of the bins are taken as Poisson numbers around m = exp(η), and η makes
    Σ (n η − m) − ½ STIFFNESS Σ (second difference of η)² largest: the penalised likelihood of
    Eilers & Marx (1996). Where galaxies are many it follows them closely; where they are few it
    averages over more bins, and goes on exponentially, without the bump that a wide kernel carries
    down a slope. An eighth of a galaxy is then added to each bin, so that where no galaxy was, a
    network's random remainder is not divided by next to nothing; without any galaxy it is flat.

    Parameters
    ----------
    z_spec : array, shape (n_train,)
        Redshifts; those outside 0–0.6 or not finite are left out.

    Examples
    --------
    >>> prior = training_prior(np.linspace(0.1, 0.2, 1000))
    >>> bool(prior.min() > 0), round(float(prior.sum() * WIDTH), 6)
    (True, 1.0)
    """
    z = np.asarray(z_spec, np.float64)
    counts = np.histogram(z[np.isfinite(z)], EDGES)[0].astype(np.float64)
    return normalised((_smoothed(counts) if counts.any() else counts) + SPREAD)


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected counts of the penalised likelihood, by Newton's method on a concave function."""
    bend = np.diff(np.eye(N_Z_BINS), n=2, axis=0)
    penalty = STIFFNESS * bend.T @ bend
    eta = np.log(counts + counts.mean())
    for _ in range(200):  # some ten are enough
        mean = np.exp(eta)
        try:
            step = np.linalg.solve(np.diag(mean) + penalty, counts - mean - penalty @ eta)
        except np.linalg.LinAlgError:  # all in an end bin: elsewhere m has come to 0
            break
        eta = eta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return np.exp(eta)


def normalised(prior: ArrayLike) -> NDArray[np.float64]:
    """The same shape over the bins with integral 1."""
    values = np.asarray(prior, np.float64)
    return values / (values.sum() * WIDTH)


def mixed_prior(training: FloatArray, target: FloatArray, share: float) -> NDArray[np.float64]:
    """Prior between two, ∝ training^(1 − share) · target^share; shape (240,)."""
    return normalised(np.asarray(training) ** (1 - share) * np.asarray(target) ** share)


def reweight(density: FloatArray, old: FloatArray, new: FloatArray) -> NDArray[np.float32]:
    """Densities under another prior: p · new / old, renormalised; shape (n_sources, 240).

    Examples
    --------
    >>> old, new = np.linspace(1, 2, 240), np.ones(240)
    >>> bool(np.allclose(reweight(normalised(old)[None], old, new), 1 / 0.6))
    True
    """
    weight = (np.asarray(new, np.float64) / np.asarray(old, np.float64)).astype(np.float32)

    def changed(block: NDArray[np.float32]) -> NDArray[np.float32]:
        weighted = block * weight
        return weighted / (weighted.sum(axis=1, keepdims=True) * np.float32(WIDTH))

    return in_blocks(changed)(density)


def prior_of(z: FloatArray, n: FloatArray, name: str) -> NDArray[np.float64]:
    """Prior on the bins from n per unit of redshift at rising z, shape (240,), integral 1.

    n is interpolated linearly to the centres of the bins and is zero outside the table; where it
    is zero, a millionth of its mean is taken.

    Parameters
    ----------
    name : str
        What the table is called in a sentence about it.

    Raises
    ------
    InputError
        The same z twice, negative n, or no n > 0 within 0–0.6.
    """
    falls = np.flatnonzero(np.diff(z) <= 0)
    if len(falls):
        raise InputError(f"{name}: z = {z[falls[0]]:g} stands there twice; {HOW}.")
    n = _checked_counts(z, n, name)
    return _floored(np.interp(CENTRES, z, n, left=0.0, right=0.0), name)


def binned_prior(
    low: FloatArray, high: FloatArray, n: FloatArray, name: str
) -> NDArray[np.float64]:
    """As `prior_of`, from bins in rising order, each with the same n per unit of redshift.

    The mean over each bin of the densities is taken, so that edges need not meet theirs.
    """
    n = _checked_counts(low, n, name)
    edges = np.ravel((low, high), order="F")
    steps = np.ravel((np.zeros_like(n), n * (high - low)), order="F")
    return _floored(np.diff(np.interp(EDGES, edges, np.cumsum(steps))) / WIDTH, name)


def _checked_counts(z: FloatArray, n: FloatArray, name: str) -> FloatArray:
    """The counts in units of the largest, whose sums neither overflow nor vanish."""
    if (n < 0).any():
        raise InputError(f"{name}: n is negative at z = {z[np.argmax(n < 0)]:g}; {HOW}.")
    return n / (n.max() or 1.0)


def _floored(prior: FloatArray, name: str) -> NDArray[np.float64]:
    if not prior.any():
        raise InputError(
            f"{name} has no n above zero between z = 0 and 0.6 in any of the bins, which are "
            f"{WIDTH:g} wide; {HOW}."
        )
    return normalised(np.maximum(prior, FLOOR * prior.mean()))
