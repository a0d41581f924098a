"""What spectra may suffer between the telescope and a network, each of a known size.

A network is judged on spectra made just as those it learned from. Others come with fewer digits,
noise of another level or kind, a calibration or a pixel grid that is not quite the same. Every
entry of `PERTURBATIONS` does one such thing to raw flux, and to nothing else: the redshift stays
true. Draws are seeded by the entry's name, so the same spectra suffer the same in every run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS, FloatArray, pixel_grid
from redshift_core.data.bases import PIXELS

Flux = NDArray[np.float32]  # (n, 186), e⁻ s⁻¹ per pixel

SEED = 12  # of the draws
N_TERMS = 4  # Legendre polynomials of a calibration error, degrees 0 to 3
BANDS = tuple(PIXELS.values())  # pixels of BP, of RP


class Perturbation(NamedTuple):
    """One thing that spectra may suffer."""

    label: str  # in a line of a table or a figure
    about: str  # what it is, one sentence with its unit
    apply: Callable[[FloatArray, np.random.Generator], FloatArray]  # flux (n, 186) → the same


def perturbed(name: str, flux: FloatArray, seed: int = SEED) -> Flux:
    """Spectra that have suffered one entry of `PERTURBATIONS`.

    Parameters
    ----------
    name : str
        The entry.
    flux : array, shape (n_sources, 186)
        Raw flux, finite, e⁻ s⁻¹ per pixel; left as it is.
    seed : int
        The same seed and the same spectra give the same result.

    Returns
    -------
    array, shape (n_sources, 186), float32
    """
    if np.ndim(flux) != 2 or np.shape(flux)[1] != N_PIXELS:
        raise ValueError(f"flux has shape {np.shape(flux)}; it must be (n_sources, {N_PIXELS}).")
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return np.asarray(PERTURBATIONS[name].apply(np.asarray(flux), rng), np.float32)


def rounded(flux: FloatArray, rng: np.random.Generator, decimals: int) -> FloatArray:
    """Flux in e⁻ s⁻¹ with so many decimals, as a table may have been written."""
    return np.round(np.asarray(flux, np.float64), decimals)


def white_noise(flux: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Normal noise, independent in every pixel, of this share of each spectrum's mean flux."""
    level = share * np.abs(flux.mean(axis=1, keepdims=True))
    return flux + level * rng.standard_normal(flux.shape, dtype=np.float32)


def calibration_error(flux: FloatArray, rng: np.random.Generator, rms: float) -> FloatArray:
    """Flux times 1 + c(pixel), c a cubic in each band, drawn for each spectrum.

    c is a sum of the Legendre polynomials of degree 0 to 3 along the pixels of a band, with normal
    weights that give each of them the same part of the variance; the root of the mean of c² over
    pixels and draws is ``rms``. Degree 0 changes the brightness, and BP against RP.
    """
    factor = np.ones(flux.shape, np.float32)
    for band in BANDS:
        x = np.linspace(-1, 1, band.stop - band.start)
        terms = np.polynomial.legendre.legvander(x, N_TERMS - 1).T
        terms *= rms / np.sqrt((terms**2).mean(axis=1, keepdims=True) * N_TERMS)
        factor[:, band] += rng.standard_normal((len(flux), N_TERMS)) @ terms
    return flux * factor


def shifted(flux: FloatArray, rng: np.random.Generator, pixels: float) -> FloatArray:
    """Flux moved along the pixels of each band, towards the last, by a cubic spline.

    What would come from beyond a band's first or last pixel is that pixel's flux.
    """
    from scipy.interpolate import CubicSpline

    result = np.empty(flux.shape)
    for band in BANDS:
        place = np.arange(band.stop - band.start)
        spline = CubicSpline(place, np.eye(len(place)))  # linear in the flux, so a matrix does
        result[:, band] = flux[:, band] @ spline(np.clip(place - pixels, 0, place[-1])).T
    return result


def brighter(flux: FloatArray, rng: np.random.Generator, factor: float) -> FloatArray:
    """Flux times a factor, the noise with it."""
    return flux * np.float32(factor)


def noisier(flux: FloatArray, rng: np.random.Generator, factor: float) -> FloatArray:
    """Flux whose noise is this many times as large.

    A second draw of the noise is added with the weight √(factor² − 1). It is that of the simulated
    instrument (SIMULATED) for a source of this flux: of electrons, read-out and sky, with the
    colour that fitting the bases gives it, and a number of transits drawn anew, since a table of
    fluxes does not tell its own. So the factor holds on average, not for each source.
    """
    return flux + np.float32(np.sqrt(factor**2 - 1)) * instrument_noise(flux, rng)


def instrument_noise(flux: FloatArray, rng: np.random.Generator) -> Flux:
    """A draw of the simulated instrument's noise for sources of some flux, shape (n, 186)."""
    from redshift_core.simulation.observing import element_noise

    to_elements, to_pixels = _window_matrices()
    return element_noise(rng, np.asarray(flux, np.float32) @ to_elements) @ to_pixels


@cache
def _window_matrices() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """From pixels to the window's elements by interpolation (186, 240), and back (240, 186)."""
    from redshift_core.simulation.instrument import ELEMENT_U, N_ELEMENTS, mean_spectrum_matrix

    u, width = pixel_grid()
    to_elements = np.zeros((N_PIXELS, 2 * N_ELEMENTS))
    for number, band in enumerate(BANDS):
        elements = slice(number * N_ELEMENTS, (number + 1) * N_ELEMENTS)
        order = np.argsort(u[band])
        for pixel in range(band.start, band.stop):
            density = (np.arange(band.start, band.stop) == pixel) / width[band]  # per unit of u
            to_elements[pixel, elements] = np.interp(ELEMENT_U, u[band][order], density[order])
    return to_elements.astype(np.float32), mean_spectrum_matrix().astype(np.float32)


def _registry() -> dict[str, Perturbation]:
    registry = {}
    for decimals in (3, 2, 1):
        unit = "decimal" if decimals == 1 else "decimals"
        registry[f"decimals_{decimals}"] = Perturbation(
            f"{decimals} {unit}",
            f"Fluxes in e⁻ s⁻¹ rounded to {decimals} {unit}.",
            partial(rounded, decimals=decimals),
        )
    for text, share in (("1e-4", 1e-4), ("1e-3", 1e-3), ("5e-3", 5e-3), ("1e-2", 1e-2)):
        registry[f"white_{text}"] = Perturbation(
            f"white noise {text}",
            f"Noise independent in every pixel, {100 * share:g} % of each spectrum's mean flux.",
            partial(white_noise, share=share),
        )
    for percent in (1, 3):
        registry[f"calibration_{percent}"] = Perturbation(
            f"calibration {percent} %",
            f"Each band times 1 plus a cubic in the pixel of rms {percent} %, one draw a spectrum.",
            partial(calibration_error, rms=percent / 100),
        )
    registry["shift_half"] = Perturbation(
        "shift ½ pixel",
        "Both bands moved by half a pixel towards their last one.",
        partial(shifted, pixels=0.5),
    )
    registry["brightness_30"] = Perturbation(
        "brightness +30 %", "Every flux times 1.3.", partial(brighter, factor=1.3)
    )
    for percent in (20, 50):
        registry[f"noise_{percent}"] = Perturbation(
            f"noise +{percent} %",
            f"Noise of the SIMULATED instrument, {percent} % larger by a second draw of it.",
            partial(noisier, factor=1 + percent / 100),
        )
    return registry


PERTURBATIONS: dict[str, Perturbation] = _registry()
