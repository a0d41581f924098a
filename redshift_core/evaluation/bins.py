"""How good a run's redshifts are: overall, and per redshift bin as in the dissertation's Table 3.

Figures are Python numbers, and None (never NaN) where there are too few galaxies for one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core.constants import BIN_WIDTH, Z_MAX, Z_MIN
from redshift_core.errors import InputError
from redshift_core.evaluation import metrics
from redshift_core.evaluation.intervals import FEWEST
from redshift_core.store.records import Bin, Evaluation

BLOCK = 65_536  # rows whose bins are found at a time
N_BRIGHTNESS = 10  # bins of brightness, each with a tenth of the galaxies


def evaluate(z_spec: ArrayLike, z_phot: ArrayLike, bin_width: float = BIN_WIDTH) -> Evaluation:
    """Every metric, the number of galaxies, and the error table per redshift bin.

    Parameters
    ----------
    z_spec, z_phot : array, shape (n_sources,)
        Spectroscopic and predicted redshift. Pairs that are not finite are left out; ``n`` counts
        the others.
    bin_width : float
        Width of the bins in z_spec.

    Returns
    -------
    Evaluation
        Its figures, number of galaxies and bins. Galaxies outside the bins (z_spec > 0.6) count in
        all but the bins.
    """
    spec, phot = finite_pairs(z_spec, z_phot)
    figures = {name: number(metric(spec, phot)) for name, metric in metrics.METRICS.items()}
    bins = tuple(binned(spec, phot, bin_width=bin_width))
    return Evaluation(figures=figures, n=len(spec), bins=bins)


def binned(
    z_spec: ArrayLike,
    z_phot: ArrayLike,
    by: str = "z_spec",
    bin_width: float = BIN_WIDTH,
    z_low: float = Z_MIN,
    z_high: float = Z_MAX,
) -> list[Bin]:
    """Mean and scatter of the error z_phot − z_spec (plain z) in bins of redshift.

    Parameters
    ----------
    z_spec, z_phot : array, shape (n_sources,)
        Pairs that are not finite are left out.
    by : {"z_spec", "z_phot"}
        Redshift that sorts a galaxy into its bin. The two tables answer different questions and
        cannot both be free of bias (Lin et al. 2022).

    """
    spec, phot = finite_pairs(z_spec, z_phot)
    if by not in ("z_spec", "z_phot"):
        raise InputError(f"Bins can be made by z_spec or z_phot, not by {by!r}.")
    edges = bin_edges(bin_width, z_low, z_high)
    return _table(spec, phot, spec if by == "z_spec" else phot, edges, "z")


def binned_by_brightness(
    z_spec: ArrayLike, z_phot: ArrayLike, brightness: ArrayLike, n_bins: int = N_BRIGHTNESS
) -> list[Bin]:
    """`binned` in bins of brightness that hold equally many galaxies each.

    Quantiles rather than equal steps: brightness spans decades, and equal steps, also of its
    logarithm, leave bins at both ends with hardly a galaxy.

    Parameters
    ----------
    z_spec, z_phot, brightness : array, shape (n_sources,)
        Rows with a value that is not finite are left out. Brightness is the mean flux,
        e⁻ s⁻¹ per pixel.
    """
    spec, phot, flux = (np.asarray(v, np.float64) for v in (z_spec, z_phot, brightness))
    edges, good = brightness_edges(flux, n_bins), np.isfinite(spec) & np.isfinite(phot)
    good &= np.isfinite(flux)
    if not good.all():  # a copy of millions takes its time
        spec, phot, flux = spec[good], phot[good], flux[good]
    return _table(*metrics.pair(spec, phot), flux, edges, "brightness")


def brightness_edges(brightness: ArrayLike, n_bins: int = N_BRIGHTNESS) -> NDArray[np.float64]:
    """Quantiles of brightness; fewer bins where many galaxies are equally bright."""
    flux = np.asarray(brightness, np.float64)
    flux = np.sort(flux[np.isfinite(flux)])  # then its quantiles cost little
    if not len(flux):
        return np.array([0.0, 1.0])
    edges = np.unique(np.quantile(flux, np.linspace(0, 1, n_bins + 1)))
    return edges if len(edges) > 1 else np.array([edges[0], np.nextafter(edges[0], np.inf)])


def _table(
    spec: metrics.FloatArray,
    phot: metrics.FloatArray,
    values: metrics.FloatArray,
    edges: NDArray[np.float64],
    name: str,
) -> list[Bin]:
    """One per bin of ``values``; the rows are sorted into their bins once."""
    limits = itertools.pairwise(edges.tolist())
    table = []
    for (low, high), inside in zip(limits, grouped(values, edges, spec, phot), strict=True):
        n = len(inside[0])
        percent = 100.0 * n / len(spec) if len(spec) else None
        about = {f"{name}_low": low, f"{name}_high": high, "n": n, "percent": percent}
        table.append(_bin(*inside, **about))
    return table


def _bin(spec: metrics.FloatArray, phot: metrics.FloatArray, **about: Any) -> Bin:
    """Figures of the galaxies of one bin."""
    error, n = phot - spec, len(spec)
    e_z = np.sort(error / (1.0 + spec))  # percentiles of what is sorted cost little
    error.sort()
    std = float(error.std()) if n >= FEWEST else None
    p16, median, p84 = np.percentile(error, (16, 50, 84)).tolist() if n else (None,) * 3
    return Bin(
        **about,
        mean_error=float(error.mean()) if n else None,
        std=std,
        sem=None if std is None else std / math.sqrt(n),
        p16_error=p16,
        median_error=median,
        p84_error=p84,
        sigma_nmad=metrics.nmad(e_z) if n >= FEWEST else None,
        outliers_005=float((np.abs(e_z) > 0.05).mean()) if n else None,
        outliers_015=float((np.abs(e_z) > 0.15).mean()) if n else None,
    )


def limits_text(low: float, high: float, by: str = "z_spec") -> str:
    """Limits of a bin of redshift, or of brightness, as people read them.

    Examples
    --------
    >>> limits_text(0.1, 0.15), limits_text(0.1, 0.125), limits_text(1, 2.5, "brightness")
    ('0.10–0.15', '0.1–0.125', '1–2.5')
    """
    hundredths = all(abs(100 * limit - round(100 * limit)) < 1e-6 for limit in (low, high))
    digits = ".2f" if by != "brightness" and hundredths else ".4g"
    return f"{low:{digits}}–{high:{digits}}"


def bin_edges(
    bin_width: float = BIN_WIDTH, z_low: float = Z_MIN, z_high: float = Z_MAX
) -> NDArray[np.float64]:
    """Edges of equal bins from z_low to z_high, shape (n_bins + 1,); the last may be narrower.

    Each edge is the double nearest to its decimal value, so a z of 0.15 lies in 0.15–0.20.

    Examples
    --------
    >>> bin_edges(0.05).tolist()[:5]
    [0.0, 0.05, 0.1, 0.15, 0.2]
    """
    if not (math.isfinite(bin_width) and bin_width >= 1e-4 and z_low < z_high):
        raise InputError(
            f"Bins of {bin_width:g} from {z_low:g} to {z_high:g} cannot be made; "
            "the width must be at least 0.0001 and the range must not be empty."
        )
    n_bins = max(1, math.ceil(round((z_high - z_low) / bin_width, 6)))
    edges = np.round(z_low + np.arange(n_bins + 1) * bin_width, 9)
    edges[-1] = z_high
    return edges


def bin_index(z: ArrayLike, edges: NDArray[np.float64]) -> NDArray[np.int16]:
    """Number of the bin [low, high) of each redshift, the last bin closed; −1 outside all.

    The bins of `bin_edges`, at most 32,767, are found without a search: by division, and the edges
    decide where that rounds. Blocks of rows keep the memory small.
    """
    values, n_bins = np.asarray(z, np.float64), len(edges) - 1
    found = np.empty(len(values), np.int16)
    equal = np.allclose(np.diff(edges[:-1]), edges[1] - edges[0], rtol=1e-6, atol=0.0)
    for start in range(0, len(values), BLOCK):
        here = values[start : start + BLOCK]
        inside = (here >= edges[0]) & (here <= edges[-1])
        here = np.where(inside, here, edges[0])
        if equal:
            index = ((here - edges[0]) / (edges[1] - edges[0])).astype(np.int16)
            np.clip(index, 0, n_bins - 1, out=index)
            index -= here < edges[index]
            index += here >= edges[index + 1]
        else:  # few edges: comparing with each costs less than a search
            index = np.zeros(len(here), np.int16)
            for edge in edges[1:-1]:
                index += here >= edge
        index[here == edges[-1]] = n_bins - 1
        found[start : start + BLOCK] = np.where(inside, index, -1)
    return found


def grouped(
    values: ArrayLike, edges: NDArray[np.float64], *columns: NDArray
) -> Iterator[list[NDArray]]:
    """Each column's entries in each bin of ``values``, bin by bin, in the order of the rows.

    Blocks that fit into the processor's cache are sorted into their bins one by one.

    Parameters
    ----------
    values, columns : array, shape (n_sources,)
    """
    index, n_bins = bin_index(values, edges), len(edges) - 1
    parts: list[list[list[NDArray]]] = [[[c[:0] for c in columns]] for _ in range(n_bins)]
    for start in range(0, len(index), BLOCK):
        here = index[start : start + BLOCK]
        order = np.argsort(here, kind="stable")  # of 16-bit numbers: a radix sort
        ends = np.bincount(here + 1, minlength=n_bins + 1).cumsum()
        ordered = [column[start : start + BLOCK][order] for column in columns]
        for place in np.flatnonzero(np.diff(ends)):
            some = slice(ends[place], ends[place + 1])
            parts[place].append([column[some] for column in ordered])
    for found in parts:
        yield [np.concatenate(column) for column in zip(*found, strict=True)]


def number(value: float) -> float | None:
    """Value as JSON knows it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def finite_pairs(
    z_spec: ArrayLike, z_phot: ArrayLike
) -> tuple[metrics.FloatArray, metrics.FloatArray]:
    """Redshifts of the galaxies where both are finite."""
    spec, phot = np.asarray(z_spec, np.float64), np.asarray(z_phot, np.float64)
    if spec.shape == phot.shape:
        good = np.isfinite(spec) & np.isfinite(phot)
        if not good.all():
            spec, phot = spec[good], phot[good]
    return metrics.pair(spec, phot)
