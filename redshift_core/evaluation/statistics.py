"""What the pages draw, counted on the server: redshift distributions, average spectra, densities.

Pure NumPy on arrays that may be memory-mapped. Rows are always gathered in rising order, so a
draw of some thousand spectra reads the file once from front to back.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import BIN_WIDTH, Z_MAX, Z_MIN, FloatArray
from redshift_core.errors import InputError
from redshift_core.evaluation.bins import BLOCK, bin_edges, bin_index, grouped

if TYPE_CHECKING:
    import pandas as pd

IntArray = NDArray[np.integer]

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
PARTS = (16, 50, 84)  # percentiles: the outer two enclose 68 %
BANDS = (5, 16, 84, 95)  # percentiles: the outer two enclose 90 %, the inner two 68 %
RANGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # edges of the dissertation's six average spectra


def redshift_statistics(z_spec: FloatArray) -> dict[str, float]:
    """Mean, median, sd, skewness and excess kurtosis of some redshifts, dimensionless.

    Population moments (ddof 0): skewness = m₃ / m₂^1.5, excess kurtosis = m₄ / m₂² − 3.

    Parameters
    ----------
    z_spec : array, shape (n_sources,)
        Finite redshifts.

    Examples
    --------
    >>> redshift_statistics(np.array([0.1, 0.2, 0.3]))["median"]
    0.2
    """
    names = ("mean", "median", "sd", "skewness", "excess kurtosis")
    if not len(z_spec):
        return dict.fromkeys(names, float("nan"))
    z = np.asarray(z_spec, dtype=np.float64)
    mean = z.mean()
    sums = np.zeros(3)  # of the second to the fourth power
    for start in range(0, len(z), BLOCK):
        off = z[start : start + BLOCK] - mean
        squared = off * off
        sums += squared.sum(), (squared * off).sum(), (squared * squared).sum()
    variance, third, fourth = sums / len(z)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = third / variance**1.5
        kurtosis = fourth / variance**2 - 3
    values = (mean, np.median(z), np.sqrt(variance), skewness, kurtosis)
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def redshift_percentiles(z_spec: FloatArray) -> dict[int, float]:
    """Redshift below which 1, 5, … 99 % of the sources lie; linear interpolation."""
    if not len(z_spec):
        return dict.fromkeys(PERCENTILES, float("nan"))
    values = np.percentile(z_spec, PERCENTILES)
    return {name: float(value) for name, value in zip(PERCENTILES, values, strict=True)}


def histogram(values: FloatArray, edges: FloatArray) -> IntArray:
    """Sources per bin, shape (n_edges − 1,): bins are [low, high), the last one closed."""
    counts, _ = np.histogram(values, bins=edges)
    return counts


def share_per_bin(z_spec: FloatArray, width: float = BIN_WIDTH) -> FloatArray:
    """Per cent of the sources in each redshift bin, of all sources given."""
    counts = histogram(z_spec, bin_edges(width))
    return 100.0 * counts / max(1, len(z_spec))


def redshift_plane(
    z_spec: FloatArray,
    z_phot: FloatArray,
    n_bins: int = 200,
    high: float = Z_MAX,
    low: float = Z_MIN,
) -> tuple[FloatArray, IntArray]:
    """Sources per cell of the plane of true and predicted redshift, low to high on both axes.

    Returns
    -------
    edges : array, shape (n_bins + 1,)
        The same on both axes.
    counts : array, shape (n_bins, n_bins)
        First axis z_phot, second z_spec, as a heat map wants them; sources outside are not counted.
    """
    edges = np.linspace(low, high, n_bins + 1)
    column, row = bin_index(z_spec, edges), bin_index(z_phot, edges)
    cells = (row.astype(np.int32) * n_bins + column)[(column >= 0) & (row >= 0)]
    return edges, np.bincount(cells, minlength=n_bins**2).reshape(n_bins, n_bins)


@dataclass(frozen=True)
class AverageSpectrum:
    """Average and scatter of some spectra of one redshift range.

    Arrays have shape (n_pixels,) and the unit of the flux; NaN where n = 0.
    """

    z_low: float
    z_high: float
    n: int  # spectra averaged
    n_available: int  # spectra in the range
    mean: FloatArray
    std: FloatArray  # ddof 0
    p16: FloatArray | None = None  # percentiles of each pixel; None where they are not wanted
    median: FloatArray | None = None
    p84: FloatArray | None = None

    def curves(
        self, average: str = "mean", scatter: str = "sd", at_peak: bool = False
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The average, and the lower and upper end of its scatter, each of shape (n_pixels,).

        Parameters
        ----------
        average : {"mean", "median"}
        scatter : {"sd", "percentiles", "sem"}
            Average ± sd; 16th to 84th percentile; average ± sd / √n.
        at_peak : bool
            Divide all three by the highest value of the average.
        """
        middle = getattr(self, average)
        width = self.std / np.sqrt(max(1, self.n)) if scatter == "sem" else self.std
        ends = (middle - width, middle + width)
        low, high = (self.p16, self.p84) if scatter == "percentiles" else ends
        peak = np.nanmax(middle) if at_peak and self.n else 1.0
        return middle / peak, low / peak, high / peak


def draw_rows(candidates: IntArray, count: int, seed: int) -> IntArray:
    """At most ``count`` of the rows given, drawn without replacement, in rising order."""
    if len(candidates) > count:
        candidates = np.random.default_rng(seed).choice(candidates, count, replace=False)
    return np.sort(candidates)


def average_spectra(
    flux: FloatArray,
    z_spec: FloatArray,
    rows: IntArray,
    edges: Sequence[float] = RANGES,
    count: int = 1000,
    seed: int = 0,
) -> list[AverageSpectrum]:
    """Average flux of up to ``count`` random sources in each redshift range.

    Parameters
    ----------
    flux : array, shape (n_sources, n_pixels)
        May be memory-mapped: only the drawn rows are read.
    z_spec : array, shape (n_sources,)
        Redshifts; NaN where unknown.
    rows : array
        Rows that may be drawn.
    edges : sequence
        Limits of the ranges; each is [low, high), the last one closed.
    count, seed : int
        Sources per range and seed of the draw; a range is drawn alike whatever the others are.
    """
    check_edges(edges)
    index = bin_index(z_spec[rows], np.asarray(edges, np.float64))
    averages = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        candidates = rows[np.flatnonzero(index == place)]
        drawn = draw_rows(candidates, count, seed)
        block = np.asarray(flux[drawn], dtype=np.float64)
        if not len(drawn):
            block = np.full((1, flux.shape[1]), np.nan)
        numbers = (block.mean(0), block.std(0), *np.percentile(block, PARTS, axis=0))
        averages.append(AverageSpectrum(low, high, len(drawn), len(candidates), *numbers))
    return averages


def similar_rows(
    z_spec: FloatArray,
    rows: IntArray,
    z: float,
    half_width: float = 0.01,
    count: int = 300,
    seed: int = 0,
) -> IntArray:
    """Random rows of those given whose redshift is within ``half_width`` of ``z``, ascending."""
    blocks = (rows[start : start + BLOCK] for start in range(0, max(len(rows), 1), BLOCK))
    near = [some[np.abs(z_spec[some] - z) <= half_width] for some in blocks]
    return draw_rows(np.concatenate(near), count, seed)


def pixel_spread(flux: FloatArray) -> tuple[FloatArray, FloatArray]:
    """16th and 84th percentile of each pixel: the band that holds 68 % of the spectra.

    Parameters
    ----------
    flux : array, shape (n, n_pixels)
        At least one spectrum.

    Returns
    -------
    low, high : array, shape (n_pixels,)
    """
    low, _, high = np.percentile(flux, PARTS, axis=0)
    return low, high


def shape_bands(flux: FloatArray) -> FloatArray:
    """Percentiles 5, 16, 84 and 95 of each pixel, of spectra divided by their own mean.

    Parameters
    ----------
    flux : array, shape (n, n_pixels)
        Raw flux; spectra whose mean is not above zero are left out.

    Returns
    -------
    array, shape (4, n_pixels)
        Dimensionless; NaN where no spectrum is left.
    """
    flux = np.asarray(flux, np.float64)
    shape = normalised(flux[flux.mean(axis=1) > 0])
    if not len(shape):
        return np.full((len(BANDS), flux.shape[1]), np.nan)
    return np.percentile(shape, BANDS, axis=0)


def normalised(flux: FloatArray) -> FloatArray:
    """Spectra divided by the absolute value of their own mean, dimensionless; NaN where it is 0.

    Parameters
    ----------
    flux : array, shape (n, n_pixels)
    """
    flux = np.asarray(flux, dtype=np.float64)
    scale = np.abs(flux.mean(axis=1, keepdims=True))
    return flux / np.where(scale > 0, scale, np.nan)


def check_edges(edges: Sequence[float]) -> None:
    """Refuse limits of redshift ranges that do not rise."""
    if len(edges) < 2 or not np.all(np.diff(edges) > 0):
        received = ", ".join(f"{edge:g}" for edge in edges) or "nothing"
        raise InputError(
            f"Redshift ranges need at least two rising limits; received {received}. "
            "Give them like 0, 0.1, 0.2."
        )


def parse_edges(text: str) -> tuple[float, ...]:
    """Rising limits of redshift ranges from text such as ``0, 0.1, 0.2``.

    Examples
    --------
    >>> parse_edges("0, 0.1; 0.3")
    (0.0, 0.1, 0.3)
    """
    words = text.replace(";", " ").replace(",", " ").split()
    try:
        edges = tuple(float(word) for word in words)
    except ValueError as error:
        raise InputError(
            f"{text!r} is not a list of numbers; give rising limits like 0, 0.1, 0.2."
        ) from error
    check_edges(edges)
    return edges


def average_table(averages: Sequence[AverageSpectrum], wavelength: FloatArray) -> pd.DataFrame:
    """One line per pixel: its number, wavelength in nm, averages and scatter of each range."""
    import pandas as pd

    columns: dict[str, FloatArray] = {
        "pixel": np.arange(len(wavelength)),
        "wavelength_nm": wavelength,
    }
    for one in averages:
        name = f"z_{one.z_low:g}_{one.z_high:g}"
        columns[f"{name}_mean"] = one.mean
        columns[f"{name}_std"] = one.std
        for kind in ("median", "p16", "p84"):
            if (values := getattr(one, kind)) is not None:
                columns[f"{name}_{kind}"] = values
    return pd.DataFrame(columns)


def running_percentiles(
    x: FloatArray,
    y: FloatArray,
    edges: FloatArray,
    percentiles: Sequence[float] = (16, 50, 84),
    n_min: int = 20,
) -> pd.DataFrame:
    """Percentiles of y in bins of x, at the mean x of each bin.

    Parameters
    ----------
    x, y : array, shape (n_sources,)
        Finite values.
    edges : array, shape (n_bins + 1,)
        Bins of x, [low, high), the last one closed.
    n_min : int
        Bins with fewer sources are left out: their percentiles would only show the noise.

    Returns
    -------
    DataFrame
        ``x``, ``n`` and one column per percentile: ``p16``, ``p50``, ``p84``.
    """
    import pandas as pd

    lines = [
        [here.mean(), len(here), *np.percentile(there, percentiles)]
        for here, there in grouped(x, edges, x, y)
        if len(here) >= n_min
    ]
    return pd.DataFrame(lines, columns=["x", "n", *(f"p{p:g}" for p in percentiles)])
