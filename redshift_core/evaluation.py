"""How good a run's redshifts are: overall, and per redshift bin as in the dissertation's Table 3.

Everything here is plain JSON: Python numbers, and None (never NaN) where there are too few
galaxies for a figure.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core import metrics
from redshift_core.constants import BIN_WIDTH, Z_MAX, Z_MIN
from redshift_core.errors import InputError

N_STD = 2  # fewest galaxies whose scatter means anything


def evaluate(z_spec: ArrayLike, z_phot: ArrayLike, bin_width: float = BIN_WIDTH) -> dict[str, Any]:
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
    dict
        ``mae``, ``rmse`` (plain z), ``bias_median``, ``bias_mean``, ``sigma_nmad`` (of e_z),
        ``outlier_fraction_0.05``, ``outlier_fraction_0.15`` (0 to 1), ``n``, and ``bins``: see
        `binned`. Galaxies outside the bins (z_spec > 0.6) count in all but the bins.
    """
    spec, phot = _finite(z_spec, z_phot)
    figures: dict[str, Any] = {
        name: number(metric(spec, phot)) for name, metric in metrics.METRICS.items()
    }
    return {**figures, "n": len(spec), "bins": binned(spec, phot, bin_width=bin_width)}


def binned(
    z_spec: ArrayLike,
    z_phot: ArrayLike,
    by: str = "z_spec",
    bin_width: float = BIN_WIDTH,
    z_low: float = Z_MIN,
    z_high: float = Z_MAX,
) -> list[dict[str, Any]]:
    """Mean and scatter of the error z_phot − z_spec (plain z) in bins of redshift.

    Parameters
    ----------
    z_spec, z_phot : array, shape (n_sources,)
        Pairs that are not finite are left out.
    by : {"z_spec", "z_phot"}
        Redshift that sorts a galaxy into its bin. The two tables answer different questions and
        cannot both be free of bias (Lin et al. 2022).

    Returns
    -------
    list of dict
        One per bin: ``z_low``, ``z_high``, ``n``, ``percent`` (of all pairs, those outside the
        bins included), ``mean_error``, ``std`` (ddof 0), ``sem`` = std/√n. None where there is no
        galaxy, and for ``std`` and ``sem`` where there is only one.
    """
    spec, phot = _finite(z_spec, z_phot)
    if by not in ("z_spec", "z_phot"):
        raise InputError(f"Bins can be made by z_spec or z_phot, not by {by!r}.")
    edges = bin_edges(bin_width, z_low, z_high)
    index = bin_index(spec if by == "z_spec" else phot, edges)
    errors = phot - spec
    table = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        here = errors[index == place]
        n = len(here)
        std = float(here.std()) if n >= N_STD else None
        table.append(
            {
                "z_low": float(low),
                "z_high": float(high),
                "n": n,
                "percent": 100.0 * n / len(spec) if len(spec) else None,
                "mean_error": float(here.mean()) if n else None,
                "std": std,
                "sem": None if std is None else std / math.sqrt(n),
            }
        )
    return table


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


def bin_index(z: ArrayLike, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the bin [low, high) of each redshift, the last bin closed; −1 outside all."""
    values = np.asarray(z, np.float64)
    index = np.searchsorted(edges, values, side="right") - 1
    index[values == edges[-1]] = len(edges) - 2
    index[~((values >= edges[0]) & (values <= edges[-1]))] = -1
    return index


def number(value: float) -> float | None:
    """Value as JSON knows it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def _finite(z_spec: ArrayLike, z_phot: ArrayLike) -> tuple[metrics.FloatArray, metrics.FloatArray]:
    spec, phot = np.asarray(z_spec, np.float64), np.asarray(z_phot, np.float64)
    if spec.shape == phot.shape:
        good = np.isfinite(spec) & np.isfinite(phot)
        spec, phot = spec[good], phot[good]
    return metrics.pair(spec, phot)
