"""Gives the spectra of one survey the mean and covariance of another's, without redshifts.

A network learns the survey it was trained on: its noise, its instrument, the sizes and brightness
of its galaxies. If other spectra differ in these and have no redshifts to train on, the training
spectra can be made similar to them. A spectrum is divided by its mean f, s = flux / f, and

    s′ = μ_t + (s − μ_s) M,    M = C_s^−½ (C_s^½ C_t C_s^½)^½ C_s^−½
    ln f′ = m_t + (ln f − m_s) · d_t / d_s

with μ and C the mean and covariance of s, m and d the mean and standard deviation of ln f, in the
source (s) and the target (t). Of all maps that take one Gaussian to the other, this one changes the
spectra least (optimal transport). A few spectra do not determine the covariance of 186 pixels, so
the target's is drawn towards the source's: C_t becomes (n C_t + 200 C_s) / (n + 200) for n spectra.

References
----------
Olkin & Pukelsheim 1982, "The distance between two random vectors with given dispersion matrices";
Peyré & Cuturi 2019, "Computational Optimal Transport", remark 2.31. Sun, Feng & Saenko 2016,
"Return of Frustratingly Easy Domain Adaptation" (CORAL), match covariances by whitening instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS, FloatArray
from redshift_core.data.sentinels import has_sentinel
from redshift_core.evaluation.flags import signal_to_noise

PRIOR = 200  # number of spectra that the source's covariance counts as in the target's
LEAST_SIGNAL = 2.0  # lowest mean flux of a usable spectrum, in units of the scatter of its pixels
RIDGE = 1e-7  # added to the variance of each pixel, in units of the squared mean flux
FLOOR = 0.01  # smallest divisor of a spectrum, in units of the typical mean flux


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of spectra divided by their mean flux, and moments of its logarithm."""

    n: int  # number of spectra
    mean: NDArray[np.float64]  # (186,)
    covariance: NDArray[np.float64]  # (186, 186)
    log_mean: float  # mean of ln(mean flux)
    log_scatter: float  # its standard deviation

    @classmethod
    def measure(cls, blocks: Iterable[FloatArray]) -> Moments:
        """Moments of spectra that come in blocks of raw flux (n, 186), one in memory at a time.

        Spectra with values that are not finite, or that stand for missing ones, are left out. So
        are spectra whose mean flux is below twice the scatter of their pixels: dividing by a mean
        near zero would give them too much weight.
        """
        n, total = 0, np.zeros(N_PIXELS + 1)
        square = np.zeros((N_PIXELS + 1, N_PIXELS + 1))
        for block in blocks:
            flux = np.asarray(block, np.float64)
            good = signal_to_noise(flux) >= LEAST_SIGNAL  # also drops NaN
            flux = flux[good & ~has_sentinel(flux)]
            mean = flux.mean(axis=1, keepdims=True)
            values = np.concatenate([flux / mean - 1, np.log(mean)], axis=1)
            n += len(values)
            total += values.sum(axis=0)
            square += values.T @ values
        centre = total / max(n, 1)
        spread = square / max(n, 1) - np.outer(centre, centre)
        scatter = float(np.sqrt(max(spread[-1, -1], 0.0)))
        return cls(n, 1 + centre[:-1], spread[:-1, :-1], float(centre[-1]), scatter)


@dataclass(frozen=True)
class Adaptation:
    """Map from the spectra of a source to the look of a target's."""

    source: Moments
    target: Moments
    matrix: NDArray[np.float64]  # (186, 186) M, symmetric

    @classmethod
    def fit(cls, source: Moments, target: Moments) -> Adaptation:
        """Map that gives the spectra of ``source`` the mean and covariance of ``target``."""
        ridge = RIDGE * np.eye(N_PIXELS)
        wanted = target.n * target.covariance + PRIOR * source.covariance
        wanted = wanted / (target.n + PRIOR) + ridge
        root, inverse = _powers(source.covariance + ridge, 0.5, -0.5)
        (middle,) = _powers(root @ wanted @ root, 0.5)
        return cls(source, target, inverse @ middle @ inverse)

    def apply(self, flux: FloatArray) -> NDArray[np.float32]:
        """Spectra as they might look in the target, shape (n, 186), from finite flux (n, 186)."""
        flux = np.asarray(flux, np.float64)
        source, target = self.source, self.target
        floor = FLOOR * np.exp(source.log_mean)
        mean = np.maximum(flux.mean(axis=1, keepdims=True), floor)
        shape = target.mean + (flux / mean - source.mean) @ self.matrix
        stretch = target.log_scatter / source.log_scatter if source.log_scatter else 1.0
        mean = np.exp(target.log_mean + (np.log(mean) - source.log_mean) * stretch)
        return (shape * mean).astype(np.float32)


def _powers(matrix: NDArray[np.float64], *exponents: float) -> list[NDArray[np.float64]]:
    """Powers of a symmetric matrix whose only negative eigenvalues come from rounding."""
    size, direction = np.linalg.eigh(matrix)
    size = np.maximum(size, np.finfo(np.float64).tiny)
    return [(direction * size**exponent) @ direction.T for exponent in exponents]
