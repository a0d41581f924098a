"""Figures of merit: pure functions of (z_spec, z_phot), one number each, and the words they go by.

A metric of no galaxies is NaN. Arrays of different shapes are refused, because a network's
(n, 1) output minus an (n,) redshift broadcasts silently to (n, n); so are values that are not
finite, because one of them would turn a whole column of figures into NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core.constants import FloatArray, shown

NMAD_FACTOR = 1.4826  # median absolute deviation → standard deviation of a normal distribution
IQR_FACTOR = 1.349  # interquartile range of a normal distribution, in standard deviations
LSST_FLOOR = 0.06  # smallest abs(e_z) that makes an outlier by the LSST definition
LSST_WIDTH = 3.0  # the same in units of sigma_iqr


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


def outlier_fraction_lsst(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Share of galaxies with abs(e_z) > max(0.06, 3 σ_IQR), from 0 to 1 (LSST Science Book)."""
    return outlier_fraction(z_spec, z_phot, lsst_threshold(sigma_iqr(z_spec, z_phot)))


def lsst_threshold(sigma: float) -> float:
    """Largest abs(e_z) that is no outlier by the LSST definition, from σ_IQR.

    Examples
    --------
    >>> lsst_threshold(0.01), lsst_threshold(0.1) == 3 * 0.1
    (0.06, True)
    """
    return max(LSST_FLOOR, LSST_WIDTH * sigma)


@dataclass(frozen=True)
class Metric:
    """A figure of merit, and how it is shown."""

    function: Callable[[ArrayLike, ArrayLike], float]
    title: str  # a few words
    definition: str  # one sentence
    form: str = ".4f"  # of the number

    def __call__(self, z_spec: ArrayLike, z_phot: ArrayLike) -> float:
        """The figure itself."""
        return self.function(z_spec, z_phot)

    def text(self, value: float | None) -> str:
        """Number as it is shown; a dash where there is none."""
        return shown(value, self.form)


METRICS: dict[str, Metric] = {
    "mae": Metric(mae, "MAE", "Mean of |z_phot − z_spec|, in z."),
    "rmse": Metric(rmse, "RMSE", "Root of the mean squared z_phot − z_spec, in z."),
    "bias_median": Metric(
        bias_median, "Bias, median e_z", "Median of e_z = (z_phot − z_spec) / (1 + z_spec).", "+.4f"
    ),
    "bias_mean": Metric(
        bias_mean, "Bias, mean e_z", "Mean of e_z = (z_phot − z_spec) / (1 + z_spec).", "+.4f"
    ),
    "sigma_nmad": Metric(sigma_nmad, "σ_NMAD", "1.4826 · median |e_z − median e_z|."),
    "sigma_iqr": Metric(sigma_iqr, "σ_IQR", "(Q75 − Q25) of e_z / 1.349."),
    "outlier_fraction_0.05": Metric(
        partial(outlier_fraction, threshold=0.05), "Outliers > 0.05",
        "Share with |e_z| > 0.05, the limit of the SDSS main sample.", ".2%",
    ),
    "outlier_fraction_0.15": Metric(
        partial(outlier_fraction, threshold=0.15), "Outliers > 0.15",
        "Share with |e_z| > 0.15, the classic limit.", ".2%",
    ),
    "outlier_fraction_lsst": Metric(
        outlier_fraction_lsst, "Outliers, LSST", "Share with |e_z| > max(0.06, 3 σ_IQR).", ".2%"
    ),
}  # fmt: skip


def _of(values: NDArray, figure: Callable[[NDArray], float]) -> float:
    return float(figure(values)) if len(values) else float("nan")
