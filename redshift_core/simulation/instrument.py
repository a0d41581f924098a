"""Gaia's spectrometers: from photons to window elements, and from these to the 186 pixels.

A window has 60 pixels in each band, computed in half pixels: 120 + 120 elements in e⁻ s⁻¹ per unit
of pseudo-wavelength u. The line-spread function of a point source spreads the light over it. So
does the galaxy's own extent along scan, because the spectrometers have no slit. On ground, the
window is fitted with 55 Hermite functions per band, which causes the wiggles of real mean spectra.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from redshift_core.constants import N_PIXELS, FloatArray
from redshift_core.data import bases
from redshift_core.simulation.inputs import Inputs

APERTURE = 7278.0  # cm², the primary mirror of 1.45 m × 0.5 m; the response contains its losses
HC = 1.98644586e-8  # Planck's constant times the speed of light, erg Å
PIXEL_ARCSEC = 0.0589  # size of a pixel along scan, ″
ACROSS_HALF_WIDTH = 1.06  # ″, half of the window's 12 pixels across scan
N_ELEMENTS = 120  # half pixels of one band's window
ELEMENT_U = -0.25 + 0.5 * np.arange(N_ELEMENTS)  # their centres in u; pixels are centred on 0 … 59
U_STEP = 0.125  # fine cells on which light is computed; the element centres lie on their grid
KERNEL_REACH = 640  # cells, 80 pixels: the largest distance over which light is spread
LSF = {  # narrow σ, its share, wide σ, and the wide part's shift, in pixels of u
    "bp": (0.66, 0.63, 4.55, -0.24),
    "rp": (0.71, 0.51, 2.88, -0.06),
}
BANDS = ("bp", "rp")
# Pixels lie this much further in u than the inferred grid says, which reproduces the published mean
# spectra. For RP, a tilt of the response by 5 % would have the same effect.
GRID_OFFSET = {"bp": 0.19, "rp": 0.33}


class Band:
    """Fine cells of one band: their positions, and the electrons that a photon produces there.

    Attributes
    ----------
    u : array, shape (n_cells,), cell centres in pseudo-wavelength
    edges : array, shape (n_cells, 2), wavelengths of the cell's ends, nm, low and high
    wavelength : array, shape (n_cells,), of the centre, nm
    lands : array, shape (n_cells,), pseudo-wavelength at which their light lands on average
    gain : array, shape (n_cells,), e⁻ s⁻¹ per (erg s⁻¹ cm⁻² Å⁻¹) Å², the integral of f_λ λ dλ
    """

    def __init__(self, inputs: Inputs, name: str):
        column = 1 + BANDS.index(name)
        known = ~np.isnan(inputs.dispersion[:, column])
        nm, u = inputs.dispersion[known, 0], inputs.dispersion[known, column]
        order = np.argsort(u)
        self.name = name
        number = BANDS.index(name)
        first, last = np.ceil(u.min() / U_STEP) + 1, np.floor(u.max() / U_STEP) - 1
        self.u = np.arange(first, last + 1) * U_STEP
        ends = np.interp(
            np.stack([self.u - U_STEP / 2, self.u + U_STEP / 2], axis=1), u[order], nm[order]
        )
        self.edges = np.sort(ends, axis=1)
        self.wavelength = np.interp(self.u, u[order], nm[order])
        offset = np.interp(self.u, inputs.line_spread_u, inputs.line_spread_offset[number])
        self.lands = self.u + offset
        table = getattr(inputs, f"{name}_response")
        response = np.interp(self.wavelength, table[:, 0], table[:, 1], left=0.0, right=0.0)
        self.gain = np.maximum(response, 0.0) * APERTURE / HC

    def spread(self, light_profile: FloatArray) -> FloatArray:
        """Matrix from cells to window elements for one profile along scan.

        Parameters
        ----------
        light_profile : array, shape (2 KERNEL_REACH + 1,), share of light per cell, centre in the
            middle

        Returns
        -------
        array, shape (n_cells, 120), per unit of u, float32
        """
        kernel = np.convolve(self._line_spread(), light_profile, mode="same")
        cells = (ELEMENT_U[None, :] - self.lands[:, None]) / U_STEP + KERNEL_REACH
        return np.interp(cells, np.arange(len(kernel)), kernel).astype(np.float32)

    def _line_spread(self) -> FloatArray:
        """Density per unit of u of a point source's light, averaged over a half pixel.

        Its mean is at 0, because Gaia's own model gives the mean position of each wavelength.
        """
        narrow, share, wide, shift = LSF[self.name]
        mean = (1 - share) * shift
        offset = U_STEP * np.arange(-KERNEL_REACH, KERNEL_REACH + 1)

        def density(sigma: float, centre: float) -> FloatArray:
            return 2 * (
                ndtr((offset - centre + 0.25) / sigma) - ndtr((offset - centre - 0.25) / sigma)
            )

        return share * density(narrow, -mean) + (1 - share) * density(wide, shift - mean)


def element_wavelength(inputs: Inputs) -> FloatArray:
    """Wavelength of each window element, BP then RP, shape (240,), nm; constant beyond the ends."""
    result = []
    for column in (1, 2):
        known = ~np.isnan(inputs.dispersion[:, column])
        nm, u = inputs.dispersion[known, 0], inputs.dispersion[known, column]
        order = np.argsort(u)
        result.append(np.interp(ELEMENT_U, u[order], nm[order]))
    return np.concatenate(result)


def mean_spectrum_matrix() -> FloatArray:
    """Least-squares fit of the bases to the window, integrated over each kept pixel.

    Returns
    -------
    array, shape (240, 186): window elements (e⁻ s⁻¹ per u) to pixels (e⁻ s⁻¹)
    """
    matrix = np.zeros((2 * N_ELEMENTS, N_PIXELS))
    for number, band in enumerate(BANDS):
        elements = slice(number * N_ELEMENTS, (number + 1) * N_ELEMENTS)
        fit = np.linalg.pinv(bases.hermite(band, ELEMENT_U).T)  # (55, 120)
        matrix[elements, bases.PIXELS[band]] = fit.T @ bases.integrated(band, GRID_OFFSET[band])
    return matrix
