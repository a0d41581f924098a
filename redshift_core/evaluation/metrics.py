"""Figures of merit: pure functions of (z_spec, z_phot), one number each, and the words they go by.

A metric of no galaxies is NaN, and a scatter of fewer than three. Arrays of different shapes are
refused, because a network's (n, 1) output minus an (n,) redshift broadcasts silently to (n, n); so
are values that are not finite, because one of them would turn a whole column of figures into NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core.constants import FloatArray, counted, shown
from redshift_core.evaluation.intervals import FEWEST, fitting, wilson
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
    """σ_NMAD of normalised errors, shape (n_sources,); NaN of fewer than FEWEST.

    See `sigma_nmad`.
    """
    if len(values) < FEWEST:
        return float("nan")
    return NMAD_FACTOR * _of(np.abs(values - _of(values, np.median)), np.median)


def sigma_iqr(z_spec: ArrayLike, z_phot: ArrayLike) -> float:
    """Robust scatter, (Q75 − Q25)(e_z) / 1.349, dimensionless (RAIL ``PointSigmaIQR``)."""
    values = e_z(z_spec, z_phot)
    if len(values) < FEWEST:
        return float("nan")
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
    sigma = sigma_iqr(z_spec, z_phot)
    return outlier_fraction(z_spec, z_phot, lsst_threshold(sigma)) if sigma == sigma else sigma


def lsst_threshold(sigma: float) -> float:
    """Largest abs(e_z) that is no outlier by the LSST definition, from σ_IQR.

    Examples
    --------
    >>> lsst_threshold(0.01), lsst_threshold(0.1) == 3 * 0.1
    (0.06, True)
    """
    return max(LSST_FLOOR, LSST_WIDTH * sigma)


Values = Mapping[str, Any]  # content of ``metrics.json``, or of its entry ``pdf``
Says = Callable[[float, Values, str], str]  # value, figures it is among, format of a number → words
SHARE, SCATTER = "share", "scatter"  # kinds of figures


@dataclass(frozen=True)
class Figure:
    """A figure of merit: where it stands in ``metrics.json``, and how it is shown."""

    key: str  # in ``metrics.json``
    title: str  # a few words
    definition: str  # one sentence
    says: Says = lambda *_: ""  # of its value; "": the definition does
    form: str = ".4f"  # of the number, with the most decimals it is shown with
    within: str = ""  # entry of ``metrics.json`` that holds it, if it does not stand by itself
    kind: str = ""  # SHARE or SCATTER, if it is one

    def value(self, figures: Values) -> float | None:
        """Its number among some figures; None where it is missing, or a scatter of too few."""
        if self.kind == SCATTER and figures.get("n", FEWEST) < FEWEST:
            return None
        holder = figures.get(self.within, {}) if self.within else figures
        return holder.get(self.key)

    def interval(self, figures: Values) -> list[float] | None:
        """Its 68 % interval among some figures; None where it has none.

        Of a share Wilson's, also where an earlier version wrote another one.
        """
        intervals, n, value = figures.get("intervals"), figures.get("n"), self.value(figures)
        if not intervals or not n or value is None:
            return None
        if self.kind == SHARE:
            return wilson(value, n)
        return intervals.get(self.key) if n >= FEWEST else None

    def text(self, value: float | None, ends: Sequence[float] | None = None) -> str:
        """Number as it is shown, with the digits that its interval means; a dash for none."""
        return shown(value, fitting(self.form, ends))

    def shown(self, figures: Values) -> str:
        """Its number among some figures, as text."""
        return self.text(self.value(figures), self.interval(figures))

    def interval_text(self, figures: Values) -> str:
        """Its 68 % interval among some figures, "0.0215 to 0.0217"; "" where there is none."""
        ends = self.interval(figures)
        return " to ".join(self.text(end, ends) for end in ends or ())

    def meaning(self, figures: Values) -> str:
        """What it says of the galaxies it was computed from, in one sentence.

        The definition where it has no value, or where an older evaluation lacks what it takes.
        """
        value = self.value(figures)
        if value is None or not figures.get("n"):
            return self.definition
        form = fitting(".4f", self.interval(figures))
        return self.says(value, figures, form) or self.definition


@dataclass(frozen=True)
class Metric(Figure):
    """A figure of merit of redshifts."""

    function: Callable[[ArrayLike, ArrayLike], float] = mae

    def __call__(self, z_spec: ArrayLike, z_phot: ArrayLike) -> float:
        """The figure itself."""
        return self.function(z_spec, z_phot)


def _beyond(limit: Callable[[Values], str]) -> Says:
    """Sentence on a share of outliers beyond a limit."""

    def says(share: float, figures: Values, _: str) -> str:
        n, text = figures["n"], limit(figures)
        n_beyond = round(share * n)
        are = "is" if 1 in (n_beyond, n) else "are"
        of = f"{n_beyond:,} of {counted(n, 'galaxy')} {are}"
        return text and f"{of} further off than {text} (1 + z)."

    return says


def _of_mae(rmse: float, figures: Values, _: str) -> str:
    least = figures.get("mae")
    return f"{rmse / least:.2f} times the MAE; normal errors would give 1.25." if least else ""


def _lsst_limit(figures: Values) -> str:
    sigma = figures.get("sigma_iqr")
    return "" if sigma is None else f"{lsst_threshold(sigma):.4f}"


def _kind(key: str) -> str:
    return SHARE if key.startswith("outlier") else SCATTER * key.startswith("sigma")


METRICS: dict[str, Metric] = {
    key: Metric(key, title, names.METRICS[key], says, form, kind=_kind(key), function=function)
    for key, (function, title, form, says) in {
        "mae": (mae, "MAE", ".4f", lambda v, _, f: f"On average a redshift is off by {v:{f}}."),
        "rmse": (rmse, "RMSE", ".4f", _of_mae),
        "bias_median": (
            bias_median, "Bias, median e_z", "+.4f",
            lambda v, _, f: f"Half of all e_z lie above {v:+{f}}, half below.",
        ),
        "bias_mean": (
            bias_mean, "Bias, mean e_z", "+.4f",
            lambda v, _, f: f"On average redshifts come out {abs(v):{f}} (1 + z) too "
            + ("high." if v > 0 else "low."),
        ),
        "sigma_nmad": (
            sigma_nmad, "σ_NMAD", ".4f",
            lambda v, _, f: f"Half of all galaxies lie within {v / NMAD_FACTOR:{f}} of the median "
            "e_z.",
        ),
        "sigma_iqr": (
            sigma_iqr, "σ_IQR", ".4f",
            lambda v, _, f: f"The middle half of all e_z is {v * IQR_FACTOR:{f}} wide.",
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
