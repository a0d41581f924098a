"""Figures of merit: pure functions of (z_spec, z_phot), one number each, and the words they go by.

A metric of no galaxies is NaN. Arrays of different shapes are refused, because a network's
(n, 1) output minus an (n,) redshift broadcasts silently to (n, n); so are values that are not
finite, because one of them would turn a whole column of figures into NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core.constants import FloatArray, shown
from redshift_core.settings import names

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
    return nmad(e_z(z_spec, z_phot))


def nmad(values: FloatArray) -> float:
    """σ_NMAD of normalised errors, shape (n_sources,); see `sigma_nmad`."""
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


Values = Mapping[str, Any]  # content of ``metrics.json``, or of its entry ``pdf``


@dataclass(frozen=True)
class Figure:
    """A figure of merit: where it stands in ``metrics.json``, and how it is shown."""

    key: str  # in ``metrics.json``
    title: str  # a few words
    definition: str  # one sentence
    says: Callable[[float, Values], str] = lambda *_: ""  # of its value; "": the definition does
    form: str = ".4f"  # of the number
    within: str = ""  # entry of ``metrics.json`` that holds it, if it does not stand by itself

    def value(self, figures: Values) -> float | None:
        """Its number among some figures; None where it is missing."""
        holder = figures.get(self.within, {}) if self.within else figures
        return holder.get(self.key)

    def text(self, value: float | None) -> str:
        """Number as it is shown; a dash where there is none."""
        return shown(value, self.form)

    def interval_text(self, figures: Values) -> str:
        """Its 68 % interval among some figures, "0.0215 to 0.0217"; "" where there is none."""
        ends = (figures.get("intervals") or {}).get(self.key)
        return " to ".join(map(self.text, ends or ()))

    def meaning(self, figures: Values) -> str:
        """What it says of the galaxies it was computed from, in one sentence.

        The definition where it has no value, or where an older evaluation lacks what it takes.
        """
        value = self.value(figures)
        sentence = "" if value is None or not figures.get("n") else self.says(value, figures)
        return sentence or self.definition


@dataclass(frozen=True)
class Metric(Figure):
    """A figure of merit of redshifts."""

    function: Callable[[ArrayLike, ArrayLike], float] = mae

    def __call__(self, z_spec: ArrayLike, z_phot: ArrayLike) -> float:
        """The figure itself."""
        return self.function(z_spec, z_phot)


def _beyond(limit: Callable[[Values], str]) -> Callable[[float, Values], str]:
    """Sentence on a share of outliers beyond a limit."""

    def says(share: float, figures: Values) -> str:
        n, text = figures["n"], limit(figures)
        n_beyond = round(share * n)
        return text and f"{n_beyond:,} of {n:,} galaxies are further off than {text} (1 + z)."

    return says


def _of_mae(rmse: float, figures: Values) -> str:
    least = figures.get("mae")
    return f"{rmse / least:.2f} times the MAE; normal errors would give 1.25." if least else ""


def _lsst_limit(figures: Values) -> str:
    sigma = figures.get("sigma_iqr")
    return "" if sigma is None else f"{lsst_threshold(sigma):.4f}"


METRICS: dict[str, Metric] = {
    key: Metric(key, title, names.METRICS[key], says, form, function=function)
    for key, (function, title, form, says) in {
        "mae": (mae, "MAE", ".4f", lambda v, _: f"On average a redshift is off by {v:.4f}."),
        "rmse": (rmse, "RMSE", ".4f", _of_mae),
        "bias_median": (
            bias_median, "Bias, median e_z", "+.4f",
            lambda v, _: f"Half of all e_z lie above {v:+.4f}, half below.",
        ),
        "bias_mean": (
            bias_mean, "Bias, mean e_z", "+.4f",
            lambda v, _: f"On average redshifts come out {abs(v):.4f} (1 + z) too "
            + ("high." if v > 0 else "low."),
        ),
        "sigma_nmad": (
            sigma_nmad, "σ_NMAD", ".4f",
            lambda v, _: f"Half of all galaxies lie within {v / NMAD_FACTOR:.4f} of the median "
            "e_z.",
        ),
        "sigma_iqr": (
            sigma_iqr, "σ_IQR", ".4f",
            lambda v, _: f"The middle half of all e_z is {v * IQR_FACTOR:.4f} wide.",
        ),
        "outlier_fraction_0.05": (
            partial(outlier_fraction, threshold=0.05), "Outliers > 0.05", ".2%",
            _beyond(lambda _: "0.05"),
        ),
        "outlier_fraction_0.15": (
            partial(outlier_fraction, threshold=0.15), "Outliers > 0.15", ".2%",
            _beyond(lambda _: "0.15"),
        ),
        "outlier_fraction_lsst": (
            outlier_fraction_lsst, "Outliers, LSST", ".2%", _beyond(_lsst_limit)
        ),
    }.items()
}  # fmt: skip


def _of(values: NDArray, figure: Callable[[NDArray], float]) -> float:
    return float(figure(values)) if len(values) else float("nan")
