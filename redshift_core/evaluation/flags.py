"""What is said of one predicted redshift; the words for each stand in ``training_range.FLAGS``.

``multimodal``: p(z), smoothed by 0.005, has two or more modes, parted by a valley below half of
the lower one, each with a tenth of the probability (`pdf.n_modes`). ``pile_up``: z_phot lies within
0.01 of an end of 0–0.6 or beyond it, or a fifth of p(z) does: what lies beyond the range piles up
there. ``low_signal``: the mean flux is less than ten times the scatter of the pixels about a
running mean. On a SIMULATED survey these were 1.0 % of the galaxies, with 2.6 times the usual
error.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from redshift_core import pdf
from redshift_core.constants import N_BP, N_PIXELS, Z_MAX, Z_MIN, FloatArray
from redshift_core.evaluation.metrics import NMAD_FACTOR

END = 0.01  # redshifts this near to an end of the range have piled up there
END_SHARE = 0.2  # of p(z) there that tells the same
N_END = round(END / pdf.WIDTH)  # bins that near
WINDOW = 19  # pixels of the running mean: two periods of the wiggles that noise makes in Gaia's
LEAST_SIGNAL = 10.0  # mean flux in units of the pixels' scatter
BLOCK = 1024  # spectra looked at at a time
ROUNDING = 4e-6  # largest error of a pixel's distance from the mean in float32, of the largest flux


def density_flags(
    z_phot: FloatArray, density: FloatArray | None, flux: FloatArray
) -> dict[str, NDArray[np.bool_]]:
    """``multimodal``, ``pile_up`` and ``low_signal`` of each source, each of shape (n,).

    Parameters
    ----------
    z_phot : array, shape (n_sources,)
        NaN where there is no redshift: none of the flags is set there.
    density : array, shape (n_sources, 240), or None
        p(z) in 1/z; without it no redshift is multimodal.
    flux : array, shape (n_sources, 186)
        Raw flux, e⁻ s⁻¹ per pixel.
    """
    answered = np.isfinite(z_phot)
    multimodal = np.zeros(len(z_phot), bool)
    piled = (z_phot <= Z_MIN + END) | (z_phot >= Z_MAX - END)
    if density is not None:
        multimodal = pdf.n_modes(density) > 1
        for end in (density[:, :N_END], density[:, -N_END:]):
            piled |= end.sum(axis=1) * pdf.WIDTH >= END_SHARE
    return {
        "multimodal": multimodal & answered,
        "pile_up": piled & answered,
        "low_signal": low_signal(flux) & answered,
    }


def low_signal(flux: FloatArray) -> NDArray[np.bool_]:
    """``signal_to_noise(flux) < LEAST_SIGNAL`` of spectra (n, 186), at a sixth of the time; (n,).

    The median scatter is above a bound where more than half of the pixels are, so they are counted,
    in float32, and not sorted. Where rounding could decide, `signal_to_noise` does.
    """
    low, near = np.zeros((2, len(flux)), bool)
    half = N_PIXELS // 2
    for start in range(0, len(flux), BLOCK):
        values = np.asarray(flux[start : start + BLOCK], np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(values @ _less_running_mean())
            bound = values.mean(axis=1, dtype=np.float64) / (LEAST_SIGNAL * NMAD_FACTOR)
            error = ROUNDING * np.maximum(values.max(axis=1), -values.min(axis=1))
            least, most = np.array([bound - error, bound + error], np.float32)
        perhaps = np.flatnonzero((apart > least[:, None]).sum(axis=1) >= half)
        sure = (apart[perhaps] > most[perhaps, None]).sum(axis=1) > half
        low[start + perhaps], near[start + perhaps] = sure, ~sure
    low[near] = signal_to_noise(flux[near]) < LEAST_SIGNAL
    return low


def signal_to_noise(flux: FloatArray) -> NDArray[np.float64]:
    """Mean flux in units of the pixels' robust scatter about their running mean; shape (n,).

    The mean runs over 19 pixels of each band. Noise of Gaia's mean spectra is smooth from pixel to
    pixel, so differences of neighbours would miss it; of bright spectra the scatter is that of
    real features, which makes this a lower limit.

    Parameters
    ----------
    flux : array, shape (n_sources, 186)
        Raw flux; not finite gives NaN.
    """
    values = np.asarray(flux, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        bands = [band - _running_mean(band) for band in (values[:, :N_BP], values[:, N_BP:])]
        scatter = NMAD_FACTOR * np.median(np.abs(np.concatenate(bands, axis=1)), axis=1)
        return values.mean(axis=1) / scatter


@cache
def _less_running_mean() -> NDArray[np.float32]:
    """Matrix (186, 186) that turns spectra into what their pixels are above the running mean."""
    matrix = np.eye(N_PIXELS)
    for band in (slice(0, N_BP), slice(N_BP, N_PIXELS)):
        matrix[band, band] -= _running_mean(matrix[band, band])
    return matrix.astype(np.float32)


def _running_mean(band: NDArray[np.float64]) -> NDArray[np.float64]:
    half = WINDOW // 2
    padded = np.pad(band, ((0, 0), (half + 1, half)), mode="reflect")
    total = np.cumsum(padded, axis=1)
    return (total[:, WINDOW:] - total[:, :-WINDOW]) / WINDOW
