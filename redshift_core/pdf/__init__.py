"""p(z) of a galaxy on 240 equal bins of redshift, and all that is read off it.

A density is an array (n_sources, 240) in units of 1/z, constant within each bin, with integral 1.
Its cumulative distribution is therefore linear within each bin, and every figure here (median,
interval, PIT, CRPS …) is the exact one of that density, not an approximation on a grid.

A network's p(z) holds the redshift distribution of its training set: the *prior*. Under another
prior it is p(z | spectrum) · new(z) / old(z), renormalised (`reweight`).

A row without an answer is NaN throughout, and so is all that is made of it. Arrays may be float16
and memory-mapped: they are worked on in blocks, in float32 where that is exact enough.
"""

from redshift_core.pdf.density import (
    CENTRES,
    EDGES,
    MODE_SHARE,
    POINTS,
    WIDTH,
    cdf,
    interval,
    n_modes,
    point,
    quantiles,
)
from redshift_core.pdf.estimate import FLAT, TRAINING, USUAL, Estimate
from redshift_core.pdf.prior import (
    mixed_prior,
    normalised,
    reweight,
    training_prior,
)
from redshift_core.pdf.scores import cde_loss, crps, log_likelihood, pit

__all__ = [
    "CENTRES",
    "EDGES",
    "FLAT",
    "MODE_SHARE",
    "POINTS",
    "TRAINING",
    "USUAL",
    "WIDTH",
    "Estimate",
    "cde_loss",
    "cdf",
    "crps",
    "interval",
    "log_likelihood",
    "mixed_prior",
    "n_modes",
    "normalised",
    "pit",
    "point",
    "quantiles",
    "reweight",
    "training_prior",
]
