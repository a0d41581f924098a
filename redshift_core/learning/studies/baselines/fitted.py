"""The input and output of every baseline, and the choice between several of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import FloatArray
from redshift_core.prediction.reader import Answer

IntArray = NDArray[np.integer]

N_CHOOSING = 4_000  # largest number of validation rows on which a choice is made


@dataclass(frozen=True)
class Rows:
    """Galaxies to learn from, or to choose on."""

    features: NDArray[np.float32]  # (n, 188) as the ``spectrum`` scaler makes them
    z_spec: NDArray[np.float64]  # (n,)

    def draw(self, n: int, seed: int) -> Rows:
        """At most ``n`` of the galaxies, drawn without replacement."""
        if len(self.z_spec) <= n:
            return self
        drawn = np.random.default_rng(seed).choice(len(self.z_spec), n, replace=False)
        return self.take(np.sort(drawn))

    def take(self, positions: IntArray) -> Rows:
        """The galaxies at some positions."""
        return Rows(self.features[positions], self.z_spec[positions])


Predict = Callable[[NDArray[np.float32]], Answer]


@dataclass(frozen=True)
class Fitted:
    """A baseline after its training."""

    predict: Predict  # features (n, 188) → redshifts
    seconds: float  # training time of the chosen model, s, without those that were rejected
    note: str = ""  # what was chosen, and the scores behind the choice


Fit = Callable[[Rows, Rows, int], Fitted]  # training rows, validation rows, seed


def timed(model: object, features: FloatArray, z_spec: FloatArray) -> Fitted:
    """Fit an estimator with scikit-learn's ``fit`` and ``predict``, and measure the time."""
    begin = time.perf_counter()
    model.fit(features, z_spec)  # type: ignore[attr-defined]
    seconds = time.perf_counter() - begin

    def predict(given: NDArray[np.float32]) -> Answer:
        return Answer(np.asarray(model.predict(given), np.float64))  # type: ignore[attr-defined]

    return Fitted(predict, seconds)


def best_of(tried: dict[str, Fitted], val: Rows, seed: int) -> Fitted:
    """The fitted baseline with the smallest mean absolute error on validation rows."""
    chosen = val.draw(N_CHOOSING, seed)
    scores = {name: mae(fitted, chosen) for name, fitted in tried.items()}
    name = min(scores, key=scores.__getitem__)
    told = ", ".join(f"{one} {score:.4f}" for one, score in scores.items())
    return Fitted(tried[name].predict, tried[name].seconds, f"{name}; validation MAE {told}")


def mae(fitted: Fitted, rows: Rows) -> float:
    """Mean absolute error on some rows, in z."""
    return float(np.abs(fitted.predict(rows.features).z_phot - rows.z_spec).mean())
