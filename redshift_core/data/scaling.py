"""Scalers: how raw flux becomes a network's input, as fitted numbers in one of five forms.

*affine*    (flux − center) · factor per pixel: min–max, standard, robust
*table*     256 strictly increasing knots per pixel, uniform output: quantile
*spectrum*  each spectrum divided by its own mean, with log brightness and log scatter appended
*shape*     the same, then (input − center) · factor: what spectra share no longer hides how they
            differ, and a network learns many times as quickly
*whitened*  the same, then times a matrix: inputs no longer correlated, each still at its own pixel

scikit-learn fits the first two, on the training rows unless the settings say otherwise. `FORMS`
applies the numbers: with NumPy here, with ``keras.ops`` in the layer ``models.Scaling`` of a saved
model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.data import bases
from redshift_core.data.split import RowArray, Split
from redshift_core.errors import InputError
from redshift_core.settings.layers import N_EXTRA
from redshift_core.settings.run import ScalerConfig
from redshift_core.store import reading
from redshift_core.store.arrays import load_arrays, save_arrays

FloatArray = NDArray[np.float32]

BLOCK_ROWS = 16_384  # rows read from the memory map at a time
N_RANKED = 100_000  # rows at most that rank statistics (median, quantiles) are taken from
N_QUANTILES = 1_000  # scikit-learn's own number, before thinning
N_KNOTS = 256  # knots a pixel in the table form
THINNING_ROUNDS = 8  # halvings in the search for the smallest error that N_KNOTS allow
FLOOR = 0.01  # smallest divisor of the spectrum form, in units of the typical mean flux
# Added to the variance of a component, in units of one input's: the second number over the number
# of rows, and the first at least. With few rows a network learns by heart what hardly varies.
WHITENING_FLOOR, FLOOR_ROWS = 1e-2, 630
MIN_SCATTER = 1e-6  # smallest relative scatter whose logarithm is taken


@dataclass(frozen=True)
class Scaler:
    """Fitted numbers, and how to apply them."""

    name: str
    form: str  # affine | table | spectrum | shape | whitened
    numbers: dict[str, FloatArray]  # see the fitting functions for names and shapes
    fit_on: str = "train"  # rows the fit saw: train | all
    n_fitted: int = field(default=0)  # how many rows that were

    @property
    def n_inputs(self) -> int:
        """Numbers that one spectrum becomes."""
        return N_PIXELS + N_EXTRA.get(self.name, 0)

    @property
    def brittle(self) -> bool:
        """Whether it amplifies what no mean spectrum contains, as an earlier version's did."""
        return self.form == "whitened" and "projection" not in self.numbers

    def apply(self, flux: NDArray) -> FloatArray:
        """Scale spectra.

        Parameters
        ----------
        flux : array, shape (n, 186)
            Raw flux.

        Returns
        -------
        array, shape (n, n_inputs), float32
        """
        flux = np.asarray(flux, dtype=np.float32)
        if flux.ndim != 2 or flux.shape[1] != N_PIXELS:
            raise InputError(f"Received flux of shape {flux.shape}; expected (n, {N_PIXELS}).")
        return FORMS[self.form](flux, self.numbers, np)

    def save(self, path: Path) -> None:
        """Write the numbers to an npz file."""
        facts = {"name": self.name, "form": self.form, "fit_on": self.fit_on}
        head = {key: np.array(value) for key, value in facts.items()}
        save_arrays(path, {**head, "n_fitted": np.array(self.n_fitted), **self.numbers})

    @classmethod
    def load(cls, path: Path) -> Scaler:
        """Read a scaler that ``save`` wrote."""
        arrays = load_arrays(path)
        with reading(path):
            head = {key: str(arrays.pop(key)) for key in ("name", "form", "fit_on")}
            return cls(**head, n_fitted=int(arrays.pop("n_fitted")), numbers=arrays)


BRITTLE = (
    "This run was trained by an earlier version, whose whitening amplifies what no mean spectrum "
    "of Gaia contains: rounding its fluxes, or noise of a thousandth of them, can double the "
    "error of its redshifts without a flag. Train it again with the same settings."
)


def brittle_note(path: Path) -> str:
    """`BRITTLE` where the scaler saved at ``path`` is; empty where it is not, or cannot be read."""
    try:
        return BRITTLE if Scaler.load(path).brittle else ""
    except (OSError, ValueError, KeyError):  # whoever applies the scaler says what is wrong with it
        return ""


def fit_scaler(config: ScalerConfig, flux: NDArray, rows: Split | RowArray) -> Scaler:
    """Fit a scaler.

    Parameters
    ----------
    flux : array, shape (n, 186)
        Raw flux of the whole dataset, typically a memory map.
    rows : Split or array of int64
        A split, of which the training rows are used (or all, where ``fit_on`` says so), or the very
        rows to use.
    """
    if isinstance(rows, Split):
        rows = rows.all if config.fit_on == "all" else rows.train
    if not len(rows):
        raise InputError("There is no row to fit the scaler on; the training part is empty.")
    form, fit = _FIT[config.name]
    numbers = {
        key: np.ascontiguousarray(value, dtype=np.float32)
        for key, value in fit(flux, np.sort(np.asarray(rows))).items()
    }
    return Scaler(config.name, form, numbers, config.fit_on, len(rows))


def _blocks(flux: NDArray, rows: RowArray) -> Iterator[NDArray]:
    for start in range(0, len(rows), BLOCK_ROWS):
        yield flux[rows[start : start + BLOCK_ROWS]]


def _ranked_rows(flux: NDArray, rows: RowArray) -> NDArray:
    """Flux of all rows, or of N_RANKED drawn once and for all where there are more."""
    if len(rows) > N_RANKED:
        rows = np.sort(np.random.default_rng(0).choice(rows, N_RANKED, replace=False))
    return flux[rows]


def _fit_minmax(flux: NDArray, rows: RowArray) -> dict[str, NDArray]:
    from sklearn.preprocessing import MinMaxScaler

    fitted = MinMaxScaler()
    for block in _blocks(flux, rows):
        fitted.partial_fit(block)
    return {"center": fitted.data_min_, "factor": fitted.scale_}


def _fit_standard(flux: NDArray, rows: RowArray) -> dict[str, NDArray]:
    from sklearn.preprocessing import StandardScaler

    fitted = StandardScaler()
    for block in _blocks(flux, rows):
        fitted.partial_fit(block.astype(np.float64))
    return {"center": fitted.mean_, "factor": 1.0 / fitted.scale_}


def _fit_robust(flux: NDArray, rows: RowArray) -> dict[str, NDArray]:
    from sklearn.preprocessing import RobustScaler

    fitted = RobustScaler().fit(_ranked_rows(flux, rows))
    return {"center": fitted.center_, "factor": 1.0 / fitted.scale_}


def _fit_quantile(flux: NDArray, rows: RowArray) -> dict[str, NDArray]:
    from sklearn.preprocessing import QuantileTransformer

    ranked = _ranked_rows(flux, rows)
    n_quantiles = min(N_QUANTILES, len(ranked))
    fitted = QuantileTransformer(n_quantiles=n_quantiles, subsample=None).fit(ranked)
    curves = [_curve(values, fitted.references_) for values in fitted.quantiles_.T]
    x, y = (
        np.stack([_extended(c[part], n_quantiles, part == 0) for c in curves]) for part in (0, 1)
    )
    kept = _thinned(x, y)
    knots = [_extended(row[keep], N_KNOTS, True) for row, keep in zip(x, kept, strict=True)]
    levels = [_extended(row[keep], N_KNOTS, False) for row, keep in zip(y, kept, strict=True)]
    return {"knots": np.stack(knots), "levels": np.stack(levels)}


def _fit_spectrum(flux: NDArray, rows: RowArray) -> dict[str, NDArray]:
    means = np.concatenate([np.abs(block.mean(axis=1)) for block in _blocks(flux, rows)])
    typical = float(np.median(means)) or 1.0
    return {"floor": np.array([FLOOR * typical]), "typical": np.array([typical])}


def _fit_shape(flux: NDArray, rows: RowArray) -> dict[str, NDArray]:
    from sklearn.preprocessing import StandardScaler

    numbers = {key: value.astype(np.float32) for key, value in _fit_spectrum(flux, rows).items()}
    fitted = StandardScaler()
    for block in _blocks(flux, rows):
        fitted.partial_fit(_spectrum(np.asarray(block, np.float32), numbers, np))
    return {**numbers, "center": fitted.mean_, "factor": 1.0 / fitted.scale_}


class _Projected:
    """Rows of raw flux, projected as they are read."""

    def __init__(self, flux: NDArray, projection: FloatArray):
        self.flux, self.projection = flux, projection

    def __getitem__(self, rows: NDArray) -> FloatArray:
        return np.asarray(self.flux[rows], np.float32) @ self.projection


def _fit_whitened(flux: NDArray, rows: RowArray) -> dict[str, NDArray]:
    """Zero-phase (ZCA) whitening of the standardised inputs: V · 1/√(λ + floor) · Vᵀ.

    λ and V are those of the correlation matrix. Of all whitenings this one changes the inputs
    least, so that neighbours stay neighbours and convolutions have something to look along.

    Spectra are projected on what a mean spectrum can contain first (`bases.projection`): the other
    109 directions hold rounding alone, and dividing by their scatter would multiply whatever came
    there. The floor does the same for directions inside that hardly vary (docs/robustness.md); it
    is 0.01 from 63,000 rows on, and higher with fewer (docs/small-sets.md).

    References
    ----------
    Kessy, Lewin & Strimmer 2018, "Optimal Whitening and Decorrelation" (ZCA-cor).
    """
    possible = bases.projection().astype(np.float32)
    projected = _Projected(flux, possible)
    numbers = {key: value.astype(np.float32) for key, value in _fit_shape(projected, rows).items()}
    moment = sum(
        scaled.T @ scaled
        for block in _blocks(projected, rows)
        for scaled in [_shape(block, numbers, np).astype(np.float64)]
    )
    size, component = np.linalg.eigh(moment / len(rows))
    factor = 1.0 / np.sqrt(np.maximum(size, 0.0) + whitening_floor(len(rows)))
    return {**numbers, "projection": possible, "matrix": (component * factor) @ component.T}


def whitening_floor(n_rows: int) -> float:
    """Floor under the variances of a whitening fitted on so many rows.

    Whitening S + f·1 is whitening the shrunk correlation matrix (1 − δ)·S + δ·1 with
    δ = f / (1 + f), but for a common factor. At 18 to 250 rows that is five to thirty times the δ
    of Ledoit & Wolf (2004), which makes the estimate of S best and knows nothing of a network that
    learns from so few spectra (docs/honest-figures.md).

    Examples
    --------
    >>> [whitening_floor(n) for n in (63, 630, 6_300, 126_000)]
    [10.0, 1.0, 0.1, 0.01]
    """
    return max(FLOOR_ROWS / n_rows, WHITENING_FLOOR)


def _curve(values: NDArray, levels: NDArray) -> tuple[NDArray, NDArray]:
    """Strictly increasing quantiles of one pixel and their levels.

    Equal quantiles become one at their mean level, as scikit-learn's two-sided interpolation has
    it; the lowest value is at level 0 and the highest at 1 however often they occur.
    """
    values = values.astype(np.float32)
    values[np.abs(values) < np.spacing(np.abs(values).max())] = 0.0  # rounding left by the fit
    x, first, count = np.unique(values, return_index=True, return_counts=True)
    y = (levels[first] + levels[first + count - 1]) / 2
    y[-1], y[0] = 1.0, 0.0
    return x.astype(np.float64), y


def _extended(values: NDArray, n: int, rising: bool) -> NDArray:
    """Values with others appended up to ``n``: rising steps, or the last one again."""
    step = max(1.0, float(np.abs(values).max())) if rising else 0.0
    return np.concatenate([values, values[-1] + step * np.arange(1, n - len(values) + 1)])


def _thinned(x: NDArray, y: NDArray) -> NDArray[np.bool_]:
    """Which points of each rising curve to keep, at most N_KNOTS, for the least error.

    Halves, for all curves (rows) at once, the interval in which the smallest possible error lies.
    """
    low, high = np.zeros(len(x)), np.full(len(x), 2.0 / N_KNOTS)
    kept = np.ones(x.shape, bool) if x.shape[1] <= N_KNOTS else _polylines(x, y, high)
    for _ in range(THINNING_ROUNDS if x.shape[1] > N_KNOTS else 0):
        middle = (low + high) / 2
        tried = _polylines(x, y, middle)
        fits = tried.sum(axis=1) <= N_KNOTS
        kept[fits] = tried[fits]
        low, high = np.where(fits, low, middle), np.where(fits, middle, high)
    return kept


def _polylines(x: NDArray, y: NDArray, tolerance: NDArray) -> NDArray[np.bool_]:
    """Fewest points of each curve whose polyline stays near the others: a closing cone.

    From the last kept point, ``shallow`` and ``steep`` bound the slopes that pass all points since
    then within the tolerance; the point before the first one outside them is kept next.
    """
    kept = np.zeros(x.shape, bool)
    kept[:, [0, -1]] = True
    x0, y0 = x[:, 0], y[:, 0]
    shallow, steep = np.full(len(x), -np.inf), np.full(len(x), np.inf)
    for number in range(1, x.shape[1]):
        slope = (y[:, number] - y0) / (x[:, number] - x0)
        closed = (slope < shallow) | (slope > steep)
        kept[closed, number - 1] = True
        x0 = np.where(closed, x[:, number - 1], x0)
        y0 = np.where(closed, y[:, number - 1], y0)
        run = x[:, number] - x0
        below, above = (y[:, number] - y0 + sign * tolerance for sign in (-1, 1))
        shallow = np.maximum(np.where(closed, -np.inf, shallow), below / run)
        steep = np.minimum(np.where(closed, np.inf, steep), above / run)
    return kept


Numbers = Mapping[str, Any]  # fitted arrays, or the variables of a Keras layer that hold them


def _affine(flux: Any, numbers: Numbers, ops: ModuleType) -> Any:
    return (flux - numbers["center"]) * numbers["factor"]


def _table(flux: FloatArray, numbers: Numbers, ops: ModuleType) -> FloatArray:
    scaled = np.empty_like(flux)
    for pixel, (knots, levels) in enumerate(zip(numbers["knots"], numbers["levels"], strict=True)):
        scaled[:, pixel] = np.interp(flux[:, pixel], knots, levels)
    return scaled


def _spectrum(flux: Any, numbers: Numbers, ops: ModuleType) -> Any:
    mean = ops.mean(flux, axis=1, keepdims=True)
    scale = ops.maximum(ops.abs(mean), numbers["floor"])
    shape = flux / scale
    scatter = ops.maximum(ops.std(shape, axis=1, keepdims=True), MIN_SCATTER)
    brightness = ops.log(scale / numbers["typical"])
    return ops.concatenate([shape, brightness, ops.log(scatter)], axis=1)


def _shape(flux: Any, numbers: Numbers, ops: ModuleType) -> Any:
    return _affine(_spectrum(flux, numbers, ops), numbers, ops)


def _whitened(flux: Any, numbers: Numbers, ops: ModuleType) -> Any:
    if "projection" in numbers:  # scalers fitted by an earlier version have none
        flux = ops.matmul(flux, numbers["projection"])
    return ops.matmul(_shape(flux, numbers, ops), numbers["matrix"])


# Each form takes raw flux (n, 186), its numbers and the module that computes: NumPy or `keras.ops`.
FORMS: dict[str, Callable[[Any, Numbers, ModuleType], Any]] = {
    "affine": _affine,
    "table": _table,  # NumPy only: Keras has no np.interp, so `models.Scaling` brings its own
    "spectrum": _spectrum,
    "shape": _shape,
    "whitened": _whitened,
}
_FIT: dict[str, tuple[str, Callable[[NDArray, RowArray], dict[str, NDArray]]]] = {
    "minmax": ("affine", _fit_minmax),
    "standard": ("affine", _fit_standard),
    "robust": ("affine", _fit_robust),
    "quantile": ("table", _fit_quantile),
    "spectrum": ("spectrum", _fit_spectrum),
    "shape": ("shape", _fit_shape),
    "whitened": ("whitened", _fit_whitened),
}
SCALERS = tuple(_FIT)
