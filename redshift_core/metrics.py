"""Figures of merit: pure functions of (z_spec, z_phot), one number each.

A metric of no galaxies is NaN. Arrays of different shapes are refused, because a network's
(n, 1) output minus an (n,) redshift broadcasts silently to (n, n); so are values that are not
finite, because one of them would turn a whole column of figures into NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.floating]

NMAD_FACTOR = 1.4826  # median absolute deviation → standard deviation of a normal distribution
IQR_FACTOR = 1.349  # interquartile range of a normal distribution, in standard deviations


def pair(z_spec: ArrayLike, z_phot: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both redshifts as float64 arrays of one shape (n_sources,), all finite.

    Raises
    ------
    ValueError
        Other than one dimension, different lengths, NaN or infinite values.

    Examples
    --------
    >>> pair([0.1, 0.2], [[0.1], [0.2]])
    Traceback (most recent call last):
    ...
    ValueError: z_spec has shape (2,) and z_phot (2, 1); both must be (n_sources,).
    """
    spec, phot = np.asarray(z_spec, np.float64), np.asarray(z_phot, np.float64)
    if spec.ndim != 1 or spec.shape != phot.shape:
        raise ValueError(
            f"z_spec has shape {spec.shape} and z_phot {phot.shape}; both must be (n_sources,)."
        )
    n_bad = int(np.sum(~(np.isfinite(spec) & np.isfinite(phot))))
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(spec)} pairs of redshifts are not finite; leave them out."
        )
    return spec, phot


def error(z_spec: ArrayLike, z_phot: ArrayLike) -> FloatArray:
    """Error in plain redshift, z_phot − z_spec, shape (n_sources,): the dissertation's."""
    spec, phot = pair(z_spec, z_phot)
    return phot - spec


def e_z(z_spec: ArrayLike, z_phot: ArrayLike) -> FloatArray:
    """Normalised error (z_phot − z_spec) / (1 + z_spec), shape (n_sources,), dimensionless.

    Examples
    --------
    >>> e_z([0.0, 0.25], [0.1, 0.0]).tolist()
    [0.1, -0.2]
    """
    spec, phot = pair(z_spec, z_phot)
    return (phot - spec) / (1.0 + spec)


def mae(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Mean absolute error, mean(abs(z_phot − z_spec)), in plain redshift."""
    return _of(np.abs(error(z_spec, z_phot)), np.mean)


def rmse(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Root of the mean squared error, √mean((z_phot − z_spec)²), in plain redshift."""
    return float(np.sqrt(_of(error(z_spec, z_phot) ** 2, np.mean)))


def bias_median(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Bias as the median of e_z, dimensionless (RAIL ``PointBias``, LSST Science Book)."""
    return _of(e_z(z_spec, z_phot), np.median)


def bias_mean(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Bias as the mean of e_z, dimensionless; unlike the median, outliers pull it."""
    return _of(e_z(z_spec, z_phot), np.mean)


def sigma_nmad(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Robust scatter, 1.4826 · median(abs(e_z − median(e_z))), dimensionless.

    References
    ----------
    RAIL ``PointSigmaMAD``; centred, so a bias does not leak into the scatter.
    """
    values = e_z(z_spec, z_phot)
    return NMAD_FACTOR * _of(np.abs(values - _of(values, np.median)), np.median)


def sigma_iqr(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Robust scatter, (Q75 − Q25)(e_z) / 1.349, dimensionless (RAIL ``PointSigmaIQR``)."""
    values = e_z(z_spec, z_phot)
    return _of(values, lambda v: np.subtract(*np.percentile(v, (75, 25)))) / IQR_FACTOR


def outlier_fraction(z_spec: ArrayLike, z_phot: ArrayLike, threshold: float = 0.15) -> float:
    """Share of galaxies with abs(e_z) > threshold, from 0 to 1.

    Parameters
    ----------
    threshold : float
        0.15 is the classic one, 0.05 that of the SDSS main galaxies (Pasquet et al. 2019).
    """
    return _of(np.abs(e_z(z_spec, z_phot)) > threshold, np.mean)


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "mae": mae,
    "rmse": rmse,
    "bias_median": bias_median,
    "bias_mean": bias_mean,
    "sigma_nmad": sigma_nmad,
    "outlier_fraction_0.05": partial(outlier_fraction, threshold=0.05),
    "outlier_fraction_0.15": partial(outlier_fraction, threshold=0.15),
}


def _of(values: NDArray, figure: Callable[[NDArray], float]) -> float:
    return float(figure(values)) if len(values) else float("nan")
