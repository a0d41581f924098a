"""Which spectra lie outside the range that a run was trained on.

A network answers every spectrum, also one unlike any galaxy it has seen. The training rows give
two ranges, both from flux alone: the brightness (mean flux of the spectrum), and, for galaxies of
like brightness, the shape (groups of pixels divided by the brightness). Like brightness, because
faint spectra are noisy and may look as they never do when bright. A spectrum is outside when its
brightness is, or when more groups of its shape are than almost any training row has.

This is a range, not a density: inside it, a spectrum can still be a rare one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core.arrays import load_arrays, save_arrays
from redshift_core.constants import N_PIXELS, Z_MAX, Z_MIN
from redshift_core.errors import InputError

FLAGS = {  # what is said of one predicted redshift
    "bad_flux": "Flux missing, infinite, beyond float32 or zero throughout: no redshift is given.",
    "outside_training_range": "Brightness or shape unlike the spectra the run was trained on.",
    "z_phot_out_of_range": f"Predicted redshift outside {Z_MIN:g}–{Z_MAX:g}.",
    "multimodal": "p(z) has several separate modes, each with at least a tenth of the probability.",
    "pile_up": f"Redshift, or a fifth of its p(z), within 0.01 of an end of {Z_MIN:g}–{Z_MAX:g}.",
    "low_signal": "Mean flux below ten times the scatter of the pixels: a noisy spectrum.",
}
GROUP = 6  # pixels averaged, against their noise; 186 = 31 × 6
BLOCK = 16_384  # spectra worked on at a time
N_FIT = 60_000  # training rows looked at, at most
ROWS_PER_CLASS = 250  # training rows that a class of like brightness has at least
N_CLASSES = 16  # classes of like brightness, at most
TAIL = 0.002  # share of training rows beyond each end of a shape's range
BRIGHTNESS_TAIL = 0.0005  # share of training rows beyond each end of the brightness range
FALSE_FLAGS = 0.001  # share of training rows that may have a shape outside
MIN_GROUPS = 2  # groups of a shape that may always lie outside: one odd pixel touches no more
MARGIN = 0.25  # by which a shape's range is widened on either side, in units of its width
BRIGHTNESS_MARGIN = 1.25  # factor by which the brightness range is widened


@dataclass(frozen=True)
class Coverage:
    """Range of the training spectra; fitted by `fit_coverage`."""

    brightness: NDArray[np.float64]  # (2,) lowest and highest mean flux, e⁻ s⁻¹ per pixel
    floor: NDArray[np.float64]  # () smallest brightness a shape is divided by
    edges: NDArray[np.float64]  # (n_classes − 1,) brightness between the classes
    low: NDArray[np.float32]  # (n_classes, 31) lowest shape of each class and group
    high: NDArray[np.float32]  # (n_classes, 31) highest
    limit: NDArray[np.int64]  # () number of groups that may lie outside

    def outside(self, flux: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each spectrum lies outside, shape (n_sources,), from flux (n_sources, 186).

        Spectra with values that are not finite are outside.
        """
        flux = _checked(flux)
        result = np.ones(len(flux), bool)
        for start in range(0, len(flux), BLOCK):
            brightness, groups = _look(flux[start : start + BLOCK])
            shape = _shape(brightness, groups, float(self.floor))
            inside = (brightness >= self.brightness[0]) & (brightness <= self.brightness[1])
            inside &= self._groups_outside(brightness, shape) <= self.limit
            result[start : start + BLOCK] = ~inside
        return result

    def save(self, path: Path) -> None:
        """Write the fitted numbers as one ``.npz`` file."""
        save_arrays(path, {item.name: getattr(self, item.name) for item in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Coverage:
        """Read what `save` wrote."""
        return cls(**load_arrays(path))

    def _groups_outside(self, brightness: NDArray, shape: NDArray) -> NDArray[np.int64]:
        kind = np.searchsorted(self.edges, brightness, side="right")
        return (~((shape >= self.low[kind]) & (shape <= self.high[kind]))).sum(axis=1)


def fit_coverage(flux: NDArray[np.floating], rows: NDArray[np.integer]) -> Coverage:
    """Range of the spectra in some rows.

    Parameters
    ----------
    flux : array, shape (n_sources, 186)
        Raw flux, memory-mapped or not; finite in ``rows``.
    rows : array, shape (n_train,)
        Training rows. Of more than 60,000 a fixed, evenly spread part is looked at.
    """
    rows = np.sort(np.asarray(rows, np.int64))
    if not len(rows):
        raise InputError("There are no training rows whose range could be taken.")
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), N_FIT)).astype(np.int64)]
    flux = _checked(flux)
    looks = [_look(flux[rows[start : start + BLOCK]]) for start in range(0, len(rows), BLOCK)]
    brightness, groups = (np.concatenate(parts) for parts in zip(*looks, strict=True))
    floor = max(float(np.quantile(np.abs(brightness), 0.01)), float(np.finfo(np.float32).tiny))
    shape = _shape(brightness, groups, floor)
    n_classes = int(np.clip(len(rows) // ROWS_PER_CLASS, 1, N_CLASSES))
    edges = np.quantile(brightness, np.arange(1, n_classes) / n_classes)
    low, high = _ranges(shape, np.searchsorted(edges, brightness, side="right"), n_classes)
    ends = _brightness_range(brightness)
    fitted = Coverage(ends, np.float64(floor), edges, low, high, np.int64(0))
    counts = fitted._groups_outside(brightness, shape)
    limit = max(MIN_GROUPS, math.ceil(np.quantile(counts, 1 - FALSE_FLAGS)))
    return replace(fitted, limit=np.int64(limit))


def _ranges(shape: NDArray, kind: NDArray, n_classes: int) -> tuple[NDArray, NDArray]:
    low, high = np.empty((2, n_classes, shape.shape[1]), np.float32)
    for number in range(n_classes):
        here = shape[kind == number]
        if not len(here):  # many rows of one brightness leave a class empty
            here = shape
        ends = np.quantile(here, (TAIL, 1 - TAIL), axis=0)
        width = np.maximum(ends[1] - ends[0], 1e-6)
        low[number], high[number] = ends[0] - MARGIN * width, ends[1] + MARGIN * width
    return low, high


def _brightness_range(brightness: NDArray) -> NDArray[np.float64]:
    low, high = np.quantile(brightness, (BRIGHTNESS_TAIL, 1 - BRIGHTNESS_TAIL))
    widen = BRIGHTNESS_MARGIN
    return np.array([low / widen if low > 0 else low * widen, high * widen if high > 0 else high])


def _look(flux: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Brightness (n,) of spectra (n, 186), and the mean flux of their groups of pixels (n, 31)."""
    values = np.asarray(flux, np.float64)
    with np.errstate(invalid="ignore"):  # infinite fluxes of both signs
        groups = values.reshape(len(values), -1, GROUP).mean(axis=2)
        return groups.mean(axis=1), groups


def _shape(brightness: NDArray, groups: NDArray, floor: float) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return groups / np.maximum(np.abs(brightness), floor)[:, None]


def _checked(flux: NDArray[np.floating]) -> NDArray[np.floating]:
    if np.ndim(flux) != 2 or flux.shape[1] != N_PIXELS:
        raise ValueError(f"flux has shape {np.shape(flux)}; it must be (n_sources, {N_PIXELS}).")
    return flux
