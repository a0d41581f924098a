"""Whether densities mean what they say: PIT, coverage, CRPS and their kind, overall and by bin.

Everything here is plain JSON: Python numbers, and None (never NaN) where there are too few
galaxies for a figure. The densities may come from any source: a network, a baseline, a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core import pdf
from redshift_core.constants import FloatArray
from redshift_core.evaluation.bins import bin_edges, bin_index, brightness_edges, number
from redshift_core.evaluation.bootstrap import N_RESAMPLES, SEED, middle
from redshift_core.evaluation.intervals import FEWEST, wilson

BLOCK = 16_384  # densities in memory at a time
PIT_BINS = 20  # bars of the PIT histogram
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.7, 0.8, 0.9, 0.95, 0.99)  # credibilities
FAR_TAIL = 1e-4  # a PIT nearer to 0 or 1 than this is an outlier

MEANS = ("crps", "cde_loss", "log_likelihood", "coverage68", "coverage95")  # over galaxies
SHARES = MEANS[3:]


def evaluate_pdf(
    density: FloatArray,
    z_spec: ArrayLike,
    z_phot: ArrayLike,
    brightness: ArrayLike | None = None,
    report: Callable[[int, int], None] = lambda *_: None,
    change: Callable[[FloatArray], FloatArray] = lambda block: block,
) -> dict[str, Any]:
    """Figures of merit of densities, for ``metrics.json`` under ``pdf``.

    Parameters
    ----------
    density : array, shape (n_sources, 240)
        p(z) on the bins, in 1/z; memory-mapped or not.
    z_spec, z_phot : array, shape (n_sources,)
        True redshift, and the one read off the density, which sorts galaxies into bins. Rows where
        either, or the density, is not finite are left out.
    brightness : array, shape (n_sources,), optional
        Mean flux, e⁻ s⁻¹ per pixel.
    report : callable
        Is told (draws done, draws) as the intervals are drawn.
    change : callable
        Applied to each block of densities first: another prior, without a copy of them all.

    Returns
    -------
    dict
        ``n``; the means ``crps``, ``cde_loss``, ``log_likelihood``; ``coverage68`` and
        ``coverage95``, the share of z_spec inside these central intervals; ``coverage``, a list of
        ``level`` and ``share``; ``pit``: see `pit_figures`; ``by_z_phot`` and ``by_brightness``,
        lists of bins with the same figures and ``pit_mean``, ``pit_ks``; ``intervals``: figure →
        [low, high], 68 %, from galaxies drawn again.
    """
    spec, phot = np.asarray(z_spec, np.float64), np.asarray(z_phot, np.float64)
    if len(density) != len(spec):
        raise ValueError(
            f"There are {len(density)} densities and {len(spec)} redshifts; give one for each."
        )
    starts = range(0, max(len(spec), 1), BLOCK)
    blocks = [slice(start, start + BLOCK) for start in starts]
    terms = np.concatenate([_terms(change(density[here]), spec[here]) for here in blocks])
    good = np.isfinite(terms).all(axis=1) & np.isfinite(phot)
    terms, phot = terms[good], phot[good]
    pit = terms[:, -1]
    result = {
        "n": len(pit),
        **_means(terms),
        "coverage": [{"level": level, "share": _share(pit, level)} for level in LEVELS],
        "pit": pit_figures(pit),
        "by_z_phot": _binned(terms, phot, bin_edges(), "z"),
        "by_brightness": [],
        "intervals": _intervals(terms, report),
    }
    if brightness is not None:
        flux = np.asarray(brightness, np.float64)[good]
        result["by_brightness"] = _binned(terms, flux, brightness_edges(flux), "brightness")
    return result


def pit_figures(pit: ArrayLike) -> dict[str, Any]:
    """How far the PIT values are from an even spread over 0–1.

    Returns
    -------
    dict
        ``ks``, the largest distance between their cumulative share and the diagonal, and its
        p-value ``ks_p`` (Kolmogorov–Smirnov); ``cvm`` and ``cvm_p`` (Cramér–von Mises);
        ``outliers``, the share below 0.0001 or above 0.9999; ``counts`` in 20 equal bins.
    """
    values = np.clip(np.asarray(pit, np.float64), 0.0, 1.0)
    if len(values) < 2:
        figures = dict.fromkeys(("ks", "ks_p", "cvm", "cvm_p", "outliers"))
        return {**figures, "counts": np.histogram(values, PIT_BINS, (0, 1))[0].tolist()}
    from scipy.stats import cramervonmises, kstest

    ks, cvm = kstest(values, "uniform"), cramervonmises(values, "uniform")
    far = (values < FAR_TAIL) | (values > 1 - FAR_TAIL)
    return {
        "ks": float(ks.statistic),
        "ks_p": float(ks.pvalue),
        "cvm": float(cvm.statistic),
        "cvm_p": float(cvm.pvalue),
        "outliers": float(far.mean()),
        "counts": np.histogram(values, PIT_BINS, (0, 1))[0].tolist(),
    }


def _terms(density: FloatArray, z_spec: FloatArray) -> NDArray[np.float64]:
    """Per galaxy: CRPS, CDE loss, log-likelihood, inside 68 %, inside 95 %, PIT; shape (n, 6)."""
    pit = pdf.pit(density, z_spec)
    columns = [score(density, z_spec) for score in (pdf.crps, pdf.cde_loss, pdf.log_likelihood)]
    inside = [_inside(pit, level) for level in (0.68, 0.95)]
    return np.stack([*columns, *inside, pit], axis=1)


def _inside(pit: FloatArray, level: float) -> NDArray[np.bool_]:
    """Whether z_spec lies in the central interval: its PIT then does."""
    return np.abs(pit - 0.5) <= level / 2


def _share(pit: FloatArray, level: float) -> float | None:
    return number(_inside(pit, level).mean()) if len(pit) else None


def _means(terms: FloatArray) -> dict[str, float | None]:
    means = terms[:, : len(MEANS)].mean(axis=0).tolist() if len(terms) else [None] * len(MEANS)
    return dict(zip(MEANS, means, strict=True))


def _binned(
    terms: FloatArray, values: FloatArray, edges: NDArray[np.float64], name: str
) -> list[dict[str, Any]]:
    index = bin_index(values, edges)
    table = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        here = terms[index == place]
        pit = np.sort(here[:, -1])
        steps = np.arange(len(pit) + 1) / max(len(pit), 1)
        ks = max(np.max(steps[1:] - pit), np.max(pit - steps[:-1])) if len(pit) else None
        mean = float(pit.mean()) if len(pit) else None
        line = {f"{name}_low": float(low), f"{name}_high": float(high), "n": len(here)}
        table.append({**line, **_means(here), "pit_mean": mean, "pit_ks": ks and float(ks)})
    return table


def _intervals(
    terms: FloatArray, report: Callable[[int, int], None]
) -> dict[str, list[float] | None]:
    """68 % interval of each mean, as in `bootstrap`."""
    n = len(terms)
    means = _means(terms)
    shares = {key: wilson(means[key], n) for key in SHARES} if n else {}
    if n < FEWEST:
        return dict.fromkeys(MEANS) | shares
    random = np.random.default_rng(SEED)
    drawn = np.empty((N_RESAMPLES, len(MEANS)))
    for draw in range(N_RESAMPLES):
        report(draw, N_RESAMPLES)
        often = np.bincount(random.integers(0, n, n), minlength=n)
        drawn[draw] = often @ terms[:, : len(MEANS)] / n
    return middle(MEANS, drawn) | shares
