"""Compares the noise of simulated spectra with three real ones: strength and colour.

A high-passed spectrum is a spectrum minus a cubic fitted to the 25 pixels around each pixel, in
each band. It contains the noise and the remains of lines and breaks, which affect real and
simulated spectra alike.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_filter

from redshift_core.constants import FloatArray
from redshift_core.data.bases import PIXELS
from redshift_core.reference.real_galaxies import real_galaxies
from redshift_core.simulation.study.rows import Row
from redshift_core.simulation.study.survey_facts import SurveyFacts

PART = "Noise"
WINDOW = 25  # pixels the cubic is fitted to
FREQUENCIES = (0.05, 0.085, 0.12, 0.155, 0.19)  # edges of the bins, cycles per pixel
ALIKE_BRIGHTNESS, ALIKE_Z = 0.1, 0.05  # largest differences from a real spectrum
PERCENTS = (50, 16, 84)


def high_pass(flux: FloatArray) -> FloatArray:
    """Spectra of one band minus a running cubic, shape (n, n_pixels) in and out."""
    return flux - savgol_filter(flux, WINDOW, 3, axis=1)


def power_shares(flux: FloatArray) -> FloatArray:
    """Share of each frequency bin in the power of the high-passed spectra, shape (n, 4)."""
    left = high_pass(flux)
    power = np.abs(np.fft.rfft(left * np.hanning(left.shape[1]), axis=1)) ** 2
    frequency = np.fft.rfftfreq(left.shape[1])
    numbers = np.digitize(frequency, FREQUENCIES) - 1
    bins = np.stack(
        [power[:, numbers == number].sum(axis=1) for number in range(len(FREQUENCIES) - 1)], axis=1
    )
    return bins / bins.sum(axis=1, keepdims=True)


def noise_rows(facts: SurveyFacts) -> list[Row]:
    """Rows of the study about noise, from the first spectra of a SIMULATED survey."""
    real = real_galaxies()
    like = [_like(facts, z, flux) for z, flux in zip(real.z_spec, real.flux, strict=True)]
    rows = []
    for band, pixels in PIXELS.items():
        for z, flux, filled, alike in zip(real.z_spec, real.flux, real.filled, like, strict=True):
            seen = ~filled[pixels]  # a filled sample has no noise of its own
            left = high_pass(flux[None, pixels])[0, seen]
            known = 100 * np.sqrt(np.mean(left**2)) / flux.max()
            what = f"high-pass rms in {band.upper()}, % of the peak (16–84 %)"
            rows.append(Row(PART, what, f"z {z:.3f}", float(known), _spread(alike, pixels)))
    for band, pixels in PIXELS.items():
        known = power_shares(real.flux[:, pixels]).mean(axis=0)
        shares = [power_shares(alike[:, pixels]).mean(axis=0) for alike in like if len(alike)]
        simulated = np.mean(shares, axis=0) if shares else [None] * len(known)
        for number, (one, other) in enumerate(zip(known, simulated, strict=True)):
            low, high = FREQUENCIES[number : number + 2]
            what = f"{band.upper()}: % of the power at {low:g}–{high:g} cycles per pixel"
            value = None if other is None else float(100 * other)
            rows.append(Row(PART, what, "mean of 3", float(100 * one), value))
    return rows


def _like(facts: SurveyFacts, z: float, flux: FloatArray) -> FloatArray:
    """First spectra of the survey with about the redshift and brightness of a real galaxy."""
    ratio = facts.first.mean(axis=1) / flux.mean()
    near = np.abs(ratio - 1) < ALIKE_BRIGHTNESS
    near &= np.abs(facts.z[: len(ratio)] - z) < ALIKE_Z
    return facts.first[near].astype(float)


def _spread(spectra: FloatArray, pixels: slice) -> str | None:
    """Median and middle 68 % of the high-pass rms of simulated spectra; None if there are none."""
    if not len(spectra):
        return None
    left = high_pass(spectra[:, pixels])
    rms = 100 * np.sqrt(np.mean(left**2, axis=1)) / spectra.max(axis=1)
    middle, low, high = np.percentile(rms, PERCENTS)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"
