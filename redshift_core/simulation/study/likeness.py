"""Similarity of two sets of mean spectra in absolute units: brightness, shape and colour.

The shape is compared after the best scaling a = Σ s r / Σ s², where s is simulated and r published.
Pixels 79 and 80, at the seam, are left out, because the published curves overlap there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from redshift_core import reference
from redshift_core.constants import N_BP, FloatArray
from redshift_core.simulation.study.rows import RANGE_NAMES, RANGES, Row

PART = "Mean spectra in absolute units"
SEAM = slice(N_BP - 1, N_BP + 1)
# Bounds for the survey, and the redshift up to which they apply. Beyond it, the few galaxies of the
# publication and the different kind of ours say little.
BRIGHTNESS_BOUNDS = (0.95, 1.08)
SHAPE_BOUND, SHAPE_UP_TO = 1.2, 0.5  # % of the peak
COLOUR_BOUNDS, COLOUR_UP_TO = (0.97, 1.03), 0.4


@dataclass(frozen=True)
class Likeness:
    """Comparison of a simulated mean spectrum with a published one."""

    brightness: float  # summed flux, simulated : published
    absolute_rms: float  # of the difference, % of the published peak
    shape_rms: float  # the same after the best scaling
    largest: float  # difference after the best scaling, % of the peak; positive if too bright
    pixel: int  # pixel of the largest difference
    bp_rp: float  # ratio of summed BP to summed RP, simulated : published


def likeness(published: FloatArray, simulated: FloatArray) -> Likeness:
    """Compare two mean spectra, (186,) each, e⁻ s⁻¹ per pixel; NaN if not published."""
    known = np.isfinite(published)
    known[SEAM] = False
    bp, rp = known.copy(), known.copy()
    bp[N_BP:], rp[:N_BP] = False, False
    peak = np.nanmax(published)
    r, s = published[known], simulated[known]
    shape = ((r @ s) / (s @ s) * s - r) / peak
    far = np.abs(shape).argmax()
    colours = [flux[bp].sum() / flux[rp].sum() for flux in (simulated, published)]
    return Likeness(
        brightness=float(s.sum() / r.sum()),
        absolute_rms=float(100 * np.sqrt(np.mean((s - r) ** 2)) / peak),
        shape_rms=float(100 * np.sqrt(np.mean(shape**2))),
        largest=float(100 * shape[far]),
        pixel=int(np.flatnonzero(known)[far]),
        bp_rp=float(colours[0] / colours[1]),
    )


def likenesses(simulated: FloatArray) -> list[Likeness]:
    """`likeness` of the six ranges to the published spectra; ``simulated`` is (6, 186)."""
    published = reference.average_flux_absolute().iloc[:, 1:].to_numpy(float).T
    return [likeness(*pair) for pair in zip(published, simulated, strict=True)]


def likeness_rows(simulated: FloatArray) -> list[Row]:
    """Rows of the study about mean SIMULATED spectra, shape (6, 186), e⁻ s⁻¹ per pixel."""
    found = list(zip(RANGE_NAMES, RANGES[1:], likenesses(simulated), strict=True))
    rows = [
        Row(PART, "brightness, simulated : published", name, 1, one.brightness, *BRIGHTNESS_BOUNDS)
        for name, _, one in found
    ]
    rows += [
        Row(PART, "rms difference, % of the peak", name, 0, one.absolute_rms)
        for name, _, one in found
    ]
    for name, z_high, one in found:
        bounds = (0.0, SHAPE_BOUND) if z_high <= SHAPE_UP_TO else ()
        rows.append(Row(PART, "the same of the shape", name, 0, one.shape_rms, *bounds))
    for what, attribute, aim in (
        ("largest difference of the shape, % of the peak", "largest", 0),
        ("pixel of that", "pixel", None),
    ):
        rows += [Row(PART, what, name, aim, getattr(one, attribute)) for name, _, one in found]
    for name, z_high, one in found:
        bounds = COLOUR_BOUNDS if z_high <= COLOUR_UP_TO else ()
        rows.append(Row(PART, "BP : RP, simulated : published", name, 1, one.bp_rp, *bounds))
    return rows
