"""FlexZBoost: p(z) as a sum of cosines whose coefficients are regressed by XGBoost.

The density of z given a spectrum x is written as Σⱼ βⱼ(x) φⱼ(z), with φ₀ = 1 and
φⱼ = √2 cos(jπz) on the unit interval. Since the φⱼ are orthonormal, βⱼ(x) is the mean of φⱼ(z)
over the galaxies that look like x: one regression for each j. A cosine is kept if it lowers the
CDE loss on validation rows. Negative values are cut off, and the density is lowered until it
integrates to 1. Bumps that hold less than a threshold are removed, and the density is raised to a
power. The threshold and the power are those with the smallest CDE loss on validation rows.

This implements the method without the package ``flexcode``. Version 0.2.3 of that package requires
Jupyter's kernel. When it tunes the two numbers, it compares redshifts scaled to 0–1 with a grid in
z, which gives wrong results for every range except 0–1.

References
----------
Izbicki & Lee 2017, EJS 11, 2800 (FlexCode, the CDE loss); Dalmasso et al. 2020, A&C 30, 100362
(bumps and sharpening); Schmidt et al. 2020, MNRAS 499, 1587 (FlexZBoost among twelve codes).
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core import pdf
from redshift_core.constants import Z_MAX, Z_MIN
from redshift_core.learning.studies.baselines.fitted import (
    N_CHOOSING,
    Fitted,
    FloatArray,
    Rows,
)
from redshift_core.learning.studies.baselines.peers import (
    COLUMN_SHARE,
    DEPTH,
    RATE,
    n_threads,
    package_of,
)
from redshift_core.prediction.reader import Answer

N_COSINES = 35  # φ₀ among them
MAX_TREES = 500  # of one coefficient
PATIENCE = 10  # trees in a row without a lower validation error that end the training
THRESHOLDS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35)  # probability of a bump, tried
POWERS = tuple(np.linspace(0.7, 2.1, 15).round(1).tolist())  # of the density, tried
N_HALVINGS = 40  # of the interval that contains the level to subtract


def flexzboost(train: Rows, val: Rows, seed: int) -> Fitted:
    """FlexZBoost: p(z) from cosines with boosted coefficients; the redshift is its median."""
    begin = time.perf_counter()
    boosted = _Coefficients(package_of("flexzboost"), train, val, seed)
    seconds = time.perf_counter() - begin
    chosen = val.draw(N_CHOOSING, seed)
    beta = boosted(chosen.features)
    kept = helpful(beta, cosines(chosen.z_spec))
    basis = cosines(pdf.CENTRES)[:, kept].T / (Z_MAX - Z_MIN)
    raw = proper(beta[:, kept] @ basis)
    tried = itertools.product(THRESHOLDS, POWERS)
    scores = {numbers: _loss(sharpened(raw, *numbers), chosen.z_spec) for numbers in tried}
    (threshold, power), loss = min(scores.items(), key=lambda item: item[1])

    def predict(features: NDArray[np.float32]) -> Answer:
        raw = proper(boosted(features)[:, kept] @ basis)
        density = sharpened(raw, threshold, power).astype(np.float32)
        return Answer(pdf.point(density), density)

    note = (
        f"{len(kept)} of {N_COSINES} cosines, {boosted.n_trees:,} trees in all; bumps of less than "
        f"{threshold:g} removed, power {power:g}: validation CDE loss {loss:.3f}"
    )
    return Fitted(predict, seconds, note)


class _Coefficients:
    """βⱼ(x) of every cosine, each from its own ensemble."""

    def __init__(self, package: Any, train: Rows, val: Rows, seed: int):
        settings = {
            "max_depth": DEPTH,
            "learning_rate": RATE,
            "colsample_bytree": COLUMN_SHARE,
            "nthread": n_threads(),
            "seed": seed,
        }
        matrix = package.QuantileDMatrix(train.features)
        matrix_val = package.QuantileDMatrix(val.features, ref=matrix)
        self.models = []
        targets, targets_val = (cosines(rows.z_spec).T[1:] for rows in (train, val))
        for target, target_val in zip(targets, targets_val, strict=True):
            matrix.set_label(target)
            matrix_val.set_label(target_val)
            model = package.train(
                settings, matrix, MAX_TREES, evals=[(matrix_val, "val")],
                early_stopping_rounds=PATIENCE, verbose_eval=False,
            )  # fmt: skip
            self.models.append(model[: model.best_iteration + 1])
        self.n_trees = sum(model.num_boosted_rounds() for model in self.models)

    def __call__(self, features: NDArray[np.float32]) -> FloatArray:
        """Coefficients of spectra, shape (n, 35)."""
        beta = [model.inplace_predict(features) for model in self.models]
        return np.stack([np.ones(len(features), np.float32), *beta], axis=1)


def cosines(z: ArrayLike) -> NDArray[np.float64]:
    """Orthonormal cosines at redshifts, with 0–0.6 scaled to 0–1, shape (n, 35).

    Examples
    --------
    >>> phi = cosines(pdf.CENTRES)
    >>> bool(np.allclose(phi.T @ phi / len(phi), np.eye(35)))
    True
    """
    unit = np.clip((np.asarray(z, np.float64) - Z_MIN) / (Z_MAX - Z_MIN), 0.0, 1.0)
    phi = np.sqrt(2) * np.cos(np.pi * unit[:, None] * np.arange(N_COSINES))
    phi[:, 0] = 1.0
    return phi


def helpful(beta: FloatArray, phi: FloatArray) -> NDArray[np.int64]:
    """Cosines that lower the CDE loss, given coefficients and cosines at z_spec, (n, 35) each.

    Since cosines are orthonormal, each adds to the loss by itself: mean βⱼ² − 2 mean βⱼ φⱼ(z_spec).
    """
    return np.flatnonzero((beta**2).mean(axis=0) - 2 * (beta * phi).mean(axis=0) < 0)


def proper(raw: FloatArray) -> NDArray[np.float64]:
    """The nearest densities (n, 240): max(0, raw − c), with c so that they integrate to 1.

    If the integral of the positive part is below 1, raw is multiplied instead; if it is 0, the
    density is flat.
    """
    above = np.maximum(raw, 0.0)
    area = above.sum(axis=1, keepdims=True) * pdf.WIDTH
    low, high = np.zeros_like(area), raw.max(axis=1, keepdims=True)
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        much = np.maximum(raw - middle, 0.0).sum(axis=1, keepdims=True) * pdf.WIDTH > 1
        low, high = np.where(much, middle, low), np.where(much, high, middle)
    return _normalised(np.where(area > 1, np.maximum(raw - low, 0.0), above))


def without_bumps(density: FloatArray, threshold: float) -> NDArray[np.float64]:
    """Densities (n, 240) without the stretches between zeros that hold less than a probability.

    If every stretch holds less, all of them stay.
    """
    n, width = density.shape
    positive = np.pad(density > 0, ((0, 0), (1, 0)))
    begins = positive[:, 1:] & ~positive[:, :-1]
    stretch = begins.cumsum(axis=1) + np.arange(n)[:, None] * (width + 1)
    held = np.bincount(stretch.ravel(), density.ravel(), n * (width + 1)) * pdf.WIDTH
    kept = np.where(held[stretch] < threshold, 0.0, density)
    return _normalised(np.where(kept.any(axis=1, keepdims=True), kept, density))


def sharpened(density: FloatArray, threshold: float, power: float) -> NDArray[np.float64]:
    """Densities (n, 240) without small bumps, raised to a power."""
    return _normalised(without_bumps(density, threshold) ** power)


def _normalised(density: FloatArray) -> NDArray[np.float64]:
    area = density.sum(axis=1, keepdims=True) * pdf.WIDTH
    flat = 1 / (Z_MAX - Z_MIN)
    return np.where(area > 0, density / np.where(area > 0, area, 1.0), flat)


def _loss(density: FloatArray, z_spec: FloatArray) -> float:
    return float(pdf.cde_loss(density, z_spec).mean())
