"""An error at infinite data: the curve a + b·n^(−c) through errors at growing sizes.

Such power laws describe how the error of networks falls with data over many decades (Hestness et
al. 2017, "Deep Learning Scaling is Predictable, Empirically"; Rosenfeld et al. 2020, with the
constant a). Here a is what no amount of data takes away: noise, and what the spectra do not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import stdtrit

from redshift_core.store.study_records import Limit, Ratio

FloatArray = NDArray[np.float64]

N_PARAMETERS = 3  # a, b, c
MIN_SIZES = N_PARAMETERS + 1  # fewer leave nothing by which to judge the fit
EXPONENTS = (0.1, 2.0)  # range of c; slower than n^(−0.1) cannot be told from no limit at all
N_GRID = 25  # exponents tried before the search between two of them
N_DRAWS = 1000  # of the interval
LEVELS = (0.68, 0.95)


@dataclass(frozen=True)
class Curve:
    """Fitted a + b·n^(−c)."""

    a: float  # error at infinite data
    b: float
    c: float

    def __call__(self, n: ArrayLike) -> FloatArray:
        """Error at ``n`` training galaxies."""
        return self.a + self.b * np.asarray(n, np.float64) ** -self.c

    @property
    def at_edge(self) -> bool:
        """Whether c ran into its range: then a is not determined by these sizes."""
        return bool(np.isclose(self.c, EXPONENTS, atol=1e-3).any())


def fit_curve(n: ArrayLike, errors: ArrayLike) -> Curve:
    """Curve of the least squared residuals, with a ≥ 0, b ≥ 0 and c in EXPONENTS.

    For a given c the best a and b follow from linear least squares; c is searched on a line.

    Parameters
    ----------
    n : array, shape (k,)
        Training galaxies, at least three different numbers.
    errors : array, shape (k,)
        MAE or CRPS of each.

    Examples
    --------
    >>> sizes = np.array([1e4, 1e5, 1e6, 1e7])
    >>> round(fit_curve(sizes, 0.02 + 0.1 * sizes**-0.4).a, 6)
    0.02
    """
    n, errors = np.asarray(n, np.float64), np.asarray(errors, np.float64)
    grid = np.geomspace(*EXPONENTS, N_GRID)
    best = int(np.argmin(_residual(n, errors, grid)))
    found = minimize_scalar(
        lambda c: float(_residual(n, errors, np.array([c]))[0]),
        bounds=(grid[max(best - 1, 0)], grid[min(best + 1, N_GRID - 1)]),
        method="bounded",
        options={"xatol": 1e-5},
    )
    c = np.array([found.x])
    (level,), (height,) = _linear(n, errors, c)
    return Curve(float(level), float(height), float(found.x))


def extrapolate(
    n: ArrayLike,
    errors: NDArray[np.floating],
    others: Mapping[str, NDArray[np.floating]] | None = None,
    seed: int = 0,
    draws: int = N_DRAWS,
) -> Limit:
    """Curve through the mean errors of several trainings, and the intervals of its limit a.

    What the intervals hold: (1) the choice of test galaxies, which are drawn again with
    replacement, the same ones for every training; (2) the scatter from one training to the next and
    what the curve's form leaves, as a Student-t deviate added to every training in every draw. Its
    scale is the larger of the scatter between repeats of a size and the scatter of the residuals
    (their sum of squares over the number of trainings − 3). They do not hold: another network,
    longer training, or a bend of the true curve beyond the largest size.

    Parameters
    ----------
    n : array, shape (k,)
        Galaxies of each training; repeats have the same number.
    errors : array, shape (k, n_test)
        Error of every test galaxy under every training; the mean over galaxies is what is fitted.
    others : mapping, optional
        Name → error of the same test galaxies, shape (n_test,), under something else: what is
        quoted in units of the limit.

    Raises
    ------
    ValueError
        Fewer than four different sizes.
    """
    n = np.asarray(n, np.float64)
    if len(np.unique(n)) < MIN_SIZES:
        raise ValueError(f"There are {len(np.unique(n))} sizes; a limit needs {MIN_SIZES} or more.")
    means = errors.mean(axis=1, dtype=np.float64)
    curve = fit_curve(n, means)
    scatter, dof = _scatter(n, means, curve)
    names = list(others or {})
    compared = np.array([(others or {})[name] for name in names]).reshape(-1, errors.shape[1])
    random = np.random.default_rng(seed)
    limits, ratios = np.empty(draws), np.empty((draws, len(names)))
    for draw in range(draws):
        drawn = _weights(random, errors.shape[1])
        shifts = scatter * stdtrit(dof, random.random(len(n)))
        limits[draw] = fit_curve(n, errors @ drawn + shifts).a
        ratios[draw] = compared @ drawn / limits[draw]
    return Limit(
        limit=curve.a,
        b=curve.b,
        c=curve.c,
        intervals=_intervals(limits),
        scatter=scatter,
        dof=dof,
        at_edge=curve.at_edge,
        without=_without(n, means),
        draws=draws,
        seed=seed,
        ratios={
            name: Ratio(ratio=float(error.mean() / curve.a), intervals=_intervals(ratio))
            for name, error, ratio in zip(names, compared, ratios.T, strict=True)
        },
    )


def _linear(n: FloatArray, errors: FloatArray, c: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Best a ≥ 0 and b ≥ 0 for each exponent, shape (m,) both."""
    x = n ** -c[:, None]
    middle = x.mean(axis=1)
    spread = x - middle[:, None]
    b = np.maximum(spread @ errors / (spread**2).sum(axis=1), 0.0)
    a = errors.mean() - b * middle
    return np.maximum(a, 0.0), np.where(a >= 0, b, x @ errors / (x**2).sum(axis=1))


def _residual(n: FloatArray, errors: FloatArray, c: FloatArray) -> FloatArray:
    """Sum of squares that the best a and b leave for each exponent, shape (m,)."""
    a, b = _linear(n, errors, c)
    return ((errors - a[:, None] - b[:, None] * n ** -c[:, None]) ** 2).sum(axis=1)


def _scatter(n: FloatArray, means: FloatArray, curve: Curve) -> tuple[float, int]:
    """Scale and degrees of freedom of one training's deviation from the curve."""
    dof = len(n) - N_PARAMETERS
    residual = float(np.sqrt(np.sum((means - curve(n)) ** 2) / dof))
    sizes = np.unique(n)
    between = sum(float(np.sum((means[n == one] - means[n == one].mean()) ** 2)) for one in sizes)
    repeats = len(n) - len(sizes)
    repeated = float(np.sqrt(between / repeats)) if repeats else 0.0
    return (repeated, repeats) if repeated > residual else (residual, dof)


def _weights(random: np.random.Generator, n_test: int) -> FloatArray:
    """Share of each galaxy in a mean over a draw with replacement, shape (n_test,)."""
    counts = np.bincount(random.integers(0, n_test, n_test), minlength=n_test)
    return counts / n_test


def _intervals(drawn: FloatArray) -> dict[str, list[float]]:
    """Middle part of the draws at each level: {"68": [low, high], "95": …}."""
    tails = {f"{100 * level:.0f}": 50 * (1 - level) for level in LEVELS}
    return {name: np.percentile(drawn, (tail, 100 - tail)).tolist() for name, tail in tails.items()}


def _without(n: FloatArray, means: FloatArray) -> dict[str, float]:
    """Limit where one size is left out; empty where too few would be left."""
    sizes = np.unique(n)
    if len(sizes) <= MIN_SIZES:
        return {}
    return {f"{one:.0f}": fit_curve(n[n != one], means[n != one]).a for one in sizes}
