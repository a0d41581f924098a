"""What every baseline is given and gives, and how one of several is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import FloatArray

IntArray = NDArray[np.integer]

N_CHOOSING = 4_000  # validation rows on which a choice is made, at most


@dataclass(frozen=True)
class Rows:
    """Galaxies to learn from, or to choose on."""

    features: NDArray[np.float32]  # (n, 188) as the ``spectrum`` scaler makes them
    z_spec: NDArray[np.float64]  # (n,)

    def some(self, n: int, seed: int) -> Rows:
        """At most ``n`` of them, drawn without replacement."""
        if len(self.z_spec) <= n:
            return self
        drawn = np.random.default_rng(seed).choice(len(self.z_spec), n, replace=False)
        return self.at(np.sort(drawn))

    def at(self, positions: IntArray) -> Rows:
        """Those at some positions."""
        return Rows(self.features[positions], self.z_spec[positions])


@dataclass(frozen=True)
class Answer:
    """Redshifts of some spectra, and p(z) where the method has one."""

    z_phot: NDArray[np.float64]  # (n,)
    density: NDArray[np.float32] | None = None  # (n, 240), see `pdf`


Predict = Callable[[NDArray[np.float32]], Answer]


@dataclass(frozen=True)
class Fitted:
    """A baseline after its training."""

    predict: Predict  # features (n, 188) → redshifts
    seconds: float  # s of training what was kept; what was tried and left is not in it
    note: str = ""  # what was chosen, and by which figures


Fit = Callable[[Rows, Rows, int], Fitted]  # training rows, validation rows, seed


def timed(model: object, features: FloatArray, z_spec: FloatArray) -> Fitted:
    """Fit an estimator with scikit-learn's ``fit`` and ``predict``, and take the time of it."""
    begin = time.perf_counter()
    model.fit(features, z_spec)  # type: ignore[attr-defined]
    seconds = time.perf_counter() - begin

    def predict(given: NDArray[np.float32]) -> Answer:
        return Answer(np.asarray(model.predict(given), np.float64))  # type: ignore[attr-defined]

    return Fitted(predict, seconds)


def best_of(tried: dict[str, Fitted], val: Rows, seed: int) -> Fitted:
    """What validates with the smallest mean absolute error."""
    chosen = val.some(N_CHOOSING, seed)
    scores = {name: mae(fitted, chosen) for name, fitted in tried.items()}
    name = min(scores, key=scores.__getitem__)
    told = ", ".join(f"{one} {score:.4f}" for one, score in scores.items())
    return Fitted(tried[name].predict, tried[name].seconds, f"{name}; validation MAE {told}")


def mae(fitted: Fitted, rows: Rows) -> float:
    """Mean absolute error on some rows, in z."""
    return float(np.abs(fitted.predict(rows.features).z_phot - rows.z_spec).mean())
