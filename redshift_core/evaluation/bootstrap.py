"""How far the figures of merit would move with other galaxies of the same kind.

The galaxies are drawn again, with replacement, as many as there are; each metric is computed anew
for every draw, and the middle 68 % of the results are its interval (Efron's percentile bootstrap).
It speaks of the choice of test galaxies only, not of another training or another survey.

Of a share the draws know nothing where it is 0 or 1, since all of them are alike, so shares have
Wilson's interval; of fewer than three galaxies other figures have none.

Of more than a million galaxies each draw has a million, and the ends of the intervals are brought
nearer by √(drawn / n), since a scatter falls with the root of the number (m out of n bootstrap;
Bickel, Götze & van Zwet 1997, Statistica Sinica 7, 1): the time then does not grow with n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from redshift_core.constants import FloatArray
from redshift_core.evaluation.intervals import FEWEST, wilson
from redshift_core.evaluation.metrics import METRICS, SHARE, pair

N_RESAMPLES = 200  # draws; their 16th and 84th percentiles are good to about a tenth of a σ
SEED = 0  # of the draws
MOST = 1_000_000  # galaxies of a draw
LEVEL = 0.68  # share of the draws inside an interval


def bootstrap(
    z_spec: ArrayLike,
    z_phot: ArrayLike,
    n: int = N_RESAMPLES,
    seed: int = SEED,
    report: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """68 % interval of every metric, for ``metrics.json``.

    Parameters
    ----------
    z_spec, z_phot : array, shape (n_sources,)
        Finite redshifts.
    n, seed : int
        Draws, and what they begin with: the same seed gives the same intervals.
    report : callable
        Is told (draws done, draws) before each.

    Returns
    -------
    dict
        ``intervals``: metric → [low, high], the 16th and 84th percentiles of the draws, of a share
        Wilson's, or None where there are too few galaxies; ``bootstrap``: ``n``, ``seed`` and
        ``level``, and ``drawn``, the galaxies of a draw where those are not all.
    """
    spec, phot = pair(z_spec, z_phot)
    about = {"n": n, "seed": seed, "level": LEVEL}
    shares = _of_shares(spec, phot)
    if len(spec) < FEWEST:
        return {"intervals": dict.fromkeys(METRICS) | shares, "bootstrap": about}
    drawn_at_once = min(len(spec), MOST)
    random = np.random.default_rng(seed)
    found = np.empty((n, len(METRICS)))
    for draw in range(n):
        report(draw, n)
        rows = random.integers(0, len(spec), drawn_at_once)
        drawn = spec[rows], phot[rows]
        found[draw] = [metric(*drawn) for metric in METRICS.values()]
    if drawn_at_once < len(spec):
        about["drawn"] = drawn_at_once
        value = np.array([metric(spec, phot) for metric in METRICS.values()])
        found = value + (found - value) * np.sqrt(drawn_at_once / len(spec))
    return {"intervals": middle(METRICS, found) | shares, "bootstrap": about}


def _of_shares(spec: FloatArray, phot: FloatArray) -> dict[str, list[float] | None]:
    """Wilson's interval of every share among the metrics; None where the share has no value."""
    shares = {key: one(spec, phot) for key, one in METRICS.items() if one.kind == SHARE}
    return {key: wilson(one, len(spec)) if one == one else None for key, one in shares.items()}


def middle(names: Iterable[str], draws: FloatArray) -> dict[str, list[float]]:
    """Ends of the middle 68 % of each figure's draws, by its name; draws (n_draws, n_figures)."""
    tail = 50 * (1 - LEVEL)
    ends = np.percentile(draws, (tail, 100 - tail), axis=0).T.tolist()
    return dict(zip(names, ends, strict=True))
