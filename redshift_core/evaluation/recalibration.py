"""Intervals fitted anew to galaxies whose redshifts are known, without training.

On other spectra than a network has learned on, its p(z) is typically too narrow and displaced. Two
numbers mend the most of that for all galaxies alike:

    p′(z) ∝ p(z − δ)^(1/T)

T, the temperature (Guo et al. 2017, "On Calibration of Modern Neural Networks"), makes every p(z)
wider where it is above 1 and narrower below; δ moves every p(z). Both are those of the largest mean
log p′(z_spec) of the labelled galaxies: the log score is proper, so it is best for the right p(z)
(Gneiting & Raftery 2007). What they bring is told by cross-validation: each fifth of the galaxies
is judged with the numbers of the other four. The labelled galaxies must be like those that are
predicted; no number of them makes the single redshift more certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core import pdf
from redshift_core.constants import N_Z_BINS, FloatArray
from redshift_core.errors import InputError
from redshift_core.pdf.density import in_blocks
from redshift_core.pdf.scores import SMALLEST

LEAST = 100  # labelled galaxies: with fewer, T is not known to a tenth
MOST = 5_000  # of more, so many are drawn
FOLDS = 5
SEED = 0  # of the folds
WIDEST = 2.0  # largest |ln T|
FARTHEST = 0.1  # largest |δ|, in z
TINY = 1e-30  # density, of the highest, that counts as none


@dataclass(frozen=True)
class Recalibration:
    """Temperature and displacement of every p(z)."""

    temperature: float = 1.0  # above 1 wider
    shift: float = 0.0  # in z, added

    def apply(self, density: FloatArray) -> NDArray[np.float32]:
        """p(z) that mean what they say, shape (n_sources, 240), from those of the network.

        What leaves 0–0.6 is lost, and what comes in is as p(z) is in the bin at that end. Rows of
        NaN stay so.
        """
        return _changed(density, self)


@dataclass(frozen=True)
class Report:
    """What recalibrating has brought, and on how many galaxies that is known."""

    n: int  # labelled galaxies
    temperature: float
    shift: float
    before: dict[str, float]  # coverage68, coverage95, log_likelihood, mae of the network's p(z)
    after: dict[str, float]  # the same, of galaxies that the numbers were not fitted to

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def recalibration_text(values: Mapping[str, Any]) -> str:
    """What a `Report` says, in two sentences, from its content as JSON.

    ``labels`` names the galaxies, and ``simulated`` says whether they are, where a job added them.
    """
    before, after = values["before"], values["after"]
    whose = f" of {values['labels']}" if values.get("labels") else ""
    mark = "SIMULATED " if values.get("simulated") else ""
    return (
        f"Intervals fitted anew to {values['n']:,} {mark}galaxies{whose} with known redshifts: "
        f"p(z) {'widened' if values['temperature'] > 1 else 'narrowed'} (temperature "
        f"{values['temperature']:.3f}) and moved by {values['shift']:+.4f}. By cross-validation "
        f"68 % intervals hold {after['coverage68']:.1%} of these redshifts ("
        f"{before['coverage68']:.1%} before) and 95 % intervals {after['coverage95']:.1%} "
        f"({before['coverage95']:.1%}); MAE {after['mae']:.4f} ({before['mae']:.4f})."
    )


def recalibrate(density: FloatArray, z_spec: ArrayLike) -> tuple[Recalibration, Report]:
    """Fit temperature and displacement to labelled galaxies.

    Parameters
    ----------
    density : array, shape (n_sources, 240)
        p(z) of the network, in 1/z; rows of NaN are left out.
    z_spec : array, shape (n_sources,)
        Known redshifts; those outside 0–0.6 or not finite are left out.

    Raises
    ------
    InputError
        Fewer than `LEAST` are left.
    """
    density, z = np.asarray(density, np.float32), np.asarray(z_spec, np.float64)
    inside = (z >= pdf.EDGES[0]) & (z <= pdf.EDGES[-1]) & np.isfinite(density).all(axis=1)
    density, z = density[inside], z[inside]
    if len(z) < LEAST:
        raise InputError(
            f"{len(z):,} of these galaxies have a known redshift within 0–0.6 and usable flux, "
            f"and are new to the run; fitting intervals anew needs {LEAST} or more. Give more of "
            "them, or predict without."
        )
    found = _fit(density, z)
    fold = np.random.default_rng(SEED).permutation(len(z)) % FOLDS
    held = np.empty_like(density)
    for number in range(FOLDS):
        here = fold == number
        held[here] = _fit(density[~here], z[~here]).apply(density[here])
    report = Report(len(z), found.temperature, found.shift, _figures(density, z), _figures(held, z))
    return found, report


def _fit(density: NDArray[np.float32], z: NDArray[np.float64]) -> Recalibration:
    from scipy.optimize import minimize

    highest = density.max(axis=1, keepdims=True)
    logs = np.log(np.maximum(density / highest, np.float32(TINY)))

    def found(values: NDArray[np.float64]) -> Recalibration:
        log_t, shift = np.clip(values, (-WIDEST, -FARTHEST), (WIDEST, FARTHEST))
        return Recalibration(float(np.exp(log_t)), float(shift))

    first = np.array([[0.0, 0.0], [0.3, 0.0], [0.0, 0.01]])
    best = minimize(
        lambda values: -log_score(logs, z, found(values)), first[0], method="Nelder-Mead",
        options={"initial_simplex": first, "xatol": 1e-4, "fatol": 1e-6, "maxiter": 200},
    )  # fmt: skip
    return found(best.x)


def log_score(logs: NDArray[np.float32], z: NDArray[np.float64], how: Recalibration) -> float:
    """Mean log p′(z_spec) in 1/z, without p′ in all its bins, which takes four times as long.

    Parameters
    ----------
    logs : array, shape (n_sources, 240)
        ln p(z), up to a constant for each source.
    z : array, shape (n_sources,)
        Known redshifts, within 0–0.6.
    """
    power = np.maximum(np.exp(logs / np.float32(how.temperature)), np.float32(TINY))
    place = np.clip(np.searchsorted(pdf.EDGES, z, side="right") - 1, 0, N_Z_BINS - 1)
    row, value, total = np.arange(len(z)), 0.0, 0.0
    for share, bins in _parts(how.shift):
        value += share * power[row, np.clip(place - bins, 0, N_Z_BINS - 1)]
        stays = power[:, : N_Z_BINS - bins] if bins > 0 else power[:, -bins:]
        edge = power[:, 0] if bins > 0 else power[:, -1]
        total += share * (stays.sum(axis=1) + abs(bins) * edge)
    return float(np.log(np.maximum(value / (total * pdf.WIDTH), SMALLEST)).mean())


def _parts(shift: float) -> tuple[tuple[float, int], tuple[float, int]]:
    """A displacement as shares of two by whole bins."""
    whole, part = divmod(shift / pdf.WIDTH, 1.0)
    return (1 - part, int(whole)), (part, int(whole) + 1)


@in_blocks
def _changed(density: NDArray[np.float32], how: Recalibration) -> NDArray[np.float32]:
    power = (density / density.max(axis=1, keepdims=True)) ** np.float32(1 / how.temperature)
    power = np.maximum(power, np.float32(TINY))  # so that something is left, however far it moves
    moved = sum(share * _moved(power, bins) for share, bins in _parts(how.shift))
    return (moved / (moved.sum(axis=1, keepdims=True) * pdf.WIDTH)).astype(np.float32)


def _moved(density: NDArray[np.float32], bins: int) -> NDArray[np.float32]:
    """Densities displaced by whole bins; beyond the range p(z) goes on as in its last bin."""
    return density[:, np.clip(np.arange(N_Z_BINS) - bins, 0, N_Z_BINS - 1)]


def _figures(density: NDArray[np.float32], z: NDArray[np.float64]) -> dict[str, float]:
    """Shares of redshifts inside the intervals, mean log-likelihood, mean absolute error."""
    pit = pdf.pit(density, z)
    return {
        **{f"coverage{level}": _inside(pit, level) for level in (68, 95)},
        "log_likelihood": float(pdf.log_likelihood(density, z).mean()),
        "mae": float(np.abs(pdf.point(density) - z).mean()),
    }


def _inside(pit: NDArray[np.float64], level: int) -> float:
    return float((np.abs(pit - 0.5) <= level / 200).mean())
