"""How Gaia observes a galaxy: window, noise, mean spectrum, calibration errors."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_BP, N_PIXELS, FloatArray
from redshift_core.simulation import instrument, physics
from redshift_core.simulation.galaxies import Galaxies, redshift_step
from redshift_core.simulation.inputs import Inputs
from redshift_core.simulation.table import N_WINDOW, Table

EXPOSURE = 4.42  # s, one transit over one CCD
READ_NOISE = 5.2  # e⁻
SKY = 1.6  # e⁻ s⁻¹ per u
NOISE_FACTOR = 2.0  # factor on the variance, for scan angles and crowding
HALF_PIXEL = 2.0  # factor on the variance of an element half a pixel wide
RELATIVE_NOISE = 0.012  # relative noise of each element
TRANSITS = (5.0, 41.0, 12.0, 120.0)  # gamma law: shape, mean, fewest, most
NEIGHBOUR_SHARE = 0.06  # share of objects with the light of a neighbour
NEIGHBOUR_FLUX = 1.5  # e⁻ s⁻¹ per u, median
BACKGROUND = 0.35  # e⁻ s⁻¹ per u, scatter of each band's offset
CALIBRATION = 0.01  # scatter of the smooth relative errors
BAND_STEP = 0.01  # scatter of BP relative to RP
N_LEGENDRE = 5
NOISE_GAIN = (1.0, 0.75)  # noise amplitude in BP and RP relative to that of electrons and read-out
NOISE_WIDTH = 0.65  # window elements, σ of the Gaussian that correlates the noise
NOISE_SCATTER = 0.35  # natural log, scatter of the noise amplitude between objects
GATHER_ROWS = 256  # objects whose table cells are in memory at once (4 MB)
OBSERVE_ROWS = 256  # objects observed at once, so that each of their arrays fits in the cache


class Telescope:
    """Observes galaxies."""

    def __init__(self, inputs: Inputs, table: Table):
        shape, strides = table.window.shape, table.window.strides
        self.pairs = np.lib.stride_tricks.as_strided(  # each redshift step with the next
            table.window,
            shape=(*shape[:2], shape[2] - 1, 2 * shape[3], shape[4]),
            strides=strides,
            writeable=False,
        )
        self.to_pixels = instrument.mean_spectrum_matrix().astype(np.float32)
        wavelength = instrument.element_wavelength(inputs)
        self.milky_way = physics.milky_way_extinction(wavelength).astype(np.float32)
        x = np.linspace(-1, 1, N_PIXELS)
        legendre = np.polynomial.legendre.legvander(x, N_LEGENDRE)[:, 1:].T
        scatter = np.sqrt((legendre**2).mean(axis=1, keepdims=True) * N_LEGENDRE)
        self.smooth = (CALIBRATION * legendre / scatter).astype(np.float32)
        band_x = np.linspace(-1, 1, instrument.N_ELEMENTS)
        self.band_x = np.concatenate([band_x, band_x]).astype(np.float32)

    def observe(self, rng: np.random.Generator, galaxies: Galaxies) -> NDArray[np.float32]:
        """Flux with noise, shape (n, 186), e⁻ s⁻¹ per pixel."""
        flux = np.empty((len(galaxies.z), N_PIXELS), dtype=np.float32)
        for start in range(0, len(flux), OBSERVE_ROWS):
            rows = slice(start, start + OBSERVE_ROWS)
            flux[rows] = self.record(rng, self.window(galaxies.take(rows)))
        return flux

    def record(self, rng: np.random.Generator, window: FloatArray) -> NDArray[np.float32]:
        """Flux (n, 186), with noise, of any light in a window (n, 240), e⁻ s⁻¹ per u."""
        window = window + self._background(rng, len(window))
        window += element_noise(rng, window)
        flux = window @ self.to_pixels
        flux *= self._calibration(rng, len(flux))
        return flux

    def noiseless(self, galaxies: Galaxies) -> NDArray[np.float32]:
        """Flux without noise, background and calibration errors, shape (n, 186)."""
        return self.window(galaxies) @ self.to_pixels

    def window(self, galaxies: Galaxies) -> NDArray[np.float32]:
        """Window elements without noise, shape (n, 240), e⁻ s⁻¹ per u."""
        step, part = redshift_step(galaxies.z)
        weights = np.concatenate(
            [galaxies.components * (1 - part)[:, None], galaxies.components * part[:, None]],
            axis=1,
        ).astype(np.float32)[:, None, :]
        window = np.empty((len(step), N_WINDOW), dtype=np.float32)
        for start in range(0, len(step), GATHER_ROWS):
            rows = slice(start, start + GATHER_ROWS)
            cells = self.pairs[galaxies.dust[rows], galaxies.profile[rows], step[rows]]
            window[rows] = np.matmul(weights[rows], cells)[:, 0]
        # The Milky Way's dust varies slowly with wavelength, so it can be applied after spreading.
        reddening = (-0.4 * np.log(10) * galaxies.milky_way).astype(np.float32)
        window *= np.exp(reddening[:, None] * self.milky_way)
        return window

    def _background(self, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
        """Offsets of both bands and, for a few objects, a neighbour's smooth light, (n, 240)."""
        offset = BACKGROUND * rng.standard_normal((n, 2))
        has_neighbour = rng.random(n) < NEIGHBOUR_SHARE
        level = has_neighbour * NEIGHBOUR_FLUX * np.exp(0.7 * rng.standard_normal(n))
        offset += level[:, None] * np.exp(0.3 * rng.standard_normal((n, 2)))
        slope = level * rng.uniform(-0.8, 0.8, n)
        result = np.repeat(offset.astype(np.float32), instrument.N_ELEMENTS, axis=1)
        result += slope.astype(np.float32)[:, None] * self.band_x
        return result

    def _calibration(self, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
        """Smooth relative errors and a step between the bands, shape (n, 186), around 1."""
        terms = rng.standard_normal((n, N_LEGENDRE), dtype=np.float32)
        result = terms @ self.smooth
        result += np.float32(1)
        step = np.float32(BAND_STEP) * rng.standard_normal((n, 1), dtype=np.float32)
        result[:, :N_BP] *= 1 + step
        return result


def element_noise(rng: np.random.Generator, signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Photon, read-out and relative noise of each window element, shape (n, 240), e⁻ s⁻¹ per u.

    The amplitude varies between objects, and neighbouring elements are correlated: the noise of
    real spectra falls by a factor of 2 from 0.05 to 0.19 cycles per pixel.
    """
    shape, mean, fewest, most = TRANSITS
    transits = np.clip(rng.gamma(shape, mean / shape, len(signal)), fewest, most)
    factor = (HALF_PIXEL * NOISE_FACTOR / EXPOSURE**2 / transits).astype(np.float32)[:, None]
    light = np.maximum(signal, 0)
    variance = (light + np.float32(SKY)) * np.float32(EXPOSURE) + np.float32(READ_NOISE**2)
    variance *= factor
    light *= np.float32(RELATIVE_NOISE)
    variance += light * light
    np.sqrt(variance, out=variance)
    variance *= rng.standard_normal(signal.shape, dtype=np.float32)
    scatter = rng.standard_normal((len(signal), 1), dtype=np.float32)
    variance *= np.exp(np.float32(NOISE_SCATTER) * scatter)
    return variance @ noise_colour()


def noise_colour() -> NDArray[np.float32]:
    """Matrix that correlates the noise of window elements and scales each band, (240, 240)."""
    return _noise_colour(NOISE_GAIN, NOISE_WIDTH)


@cache
def _noise_colour(gain: tuple[float, float], width: float) -> NDArray[np.float32]:
    element = np.arange(instrument.N_ELEMENTS)
    near = np.exp(-0.5 * (np.subtract.outer(element, element) / width) ** 2)
    near /= near.sum(axis=0)
    return np.kron(np.diag(gain), near).astype(np.float32)
